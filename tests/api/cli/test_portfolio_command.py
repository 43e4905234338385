"""``tallystick portfolio``: the ledger's own answer as JSON, or as tables in the currency's units."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.auth.permissions import Role
from api.cli import portfolio as command
from api.cli.ledger_client import Credentials
from api.cli.main import cli, run
from ledger.attestation.keys import PrivateKey
from ledger.base64_strict import encode_standard
from ledger.errors import InvalidInput, Refused
from tests.api.graphql.test_events import new_loan, record
from tests.support import documents as docs
from tests.support.served import BASE_URL, Application

GIVEN = {
    "tenant": "acacia", "ledger": "tally.example/one", "url": BASE_URL, "token": "secret-token",
    "jwk": PrivateKey.from_random("EdDSA", bytes(range(32))).private_jwk(), "accountSalt": encode_standard(b"s" * 32),
}  # fmt: skip
DAY, SINCE = date(2026, 4, 6), date(2026, 3, 31)
ANSWER: dict[str, Any] = {
    "asOf": "2026-04-06",
    "atRisk": [{
        "currency": "KES", "loans": 1_200, "balance": "10000050", "late": 1, "overdue": "5000050", "over30": "10000050",
        "over90": "0", "par30Bp": 10_000, "par90Bp": 5, "chargedOff": "0", "unknown": 0,
    }],
    "heatMap": [], "rollRates": [], "vintages": [],
    "worklist": {"nodes": [{
        "account": "[bold]", "currency": "KES", "daysPastDue": 60, "delinquentDays": 57, "overdue": "50000",
        "balance": "100000", "lastPaid": None, "flags": ["disputed"],
    }]},
}  # fmt: skip


async def asked(application: Application, who: str, *roles: Role, **rest: Any) -> dict[str, Any]:
    """What the command asks, of the application in process."""
    lender = replace(Credentials.from_json(json.dumps(GIVEN)), token=application.token(who, *roles))
    whole: dict[str, Any] = {"months": 36, "late": 100, "country": "KE"} | rest
    client = httpx.AsyncClient(transport=application.client._transport, base_url=BASE_URL)
    return await command.asked(lender, DAY, SINCE, client=client, **whole)


async def test_one_query_gives_a_lender_its_whole_portfolio(application: Application) -> None:
    await new_loan(application)
    money = docs.event("A-1", amount="100000", currency="KES")
    await record(application, "disbursementRecord", "DisbursementRecordInput", money)
    rows = [{"due": "2026-02-05", "principal": "50000"}, {"due": "2026-12-05", "principal": "50000"}]
    plan = docs.event("A-1", currency="KES", cause="INITIAL", version=1, rows=rows)
    await record(application, "scheduleRecord", "ScheduleRecordInput", plan)
    found = await asked(application, "acacia", Role.LENDER)
    assert [(row["balance"], row["overdue"], row["par30Bp"]) for row in found["atRisk"]] == [
        ("100000", "50000", 10_000)
    ]
    assert [(row["origin"], row["target"], row["shareBp"]) for row in found["rollRates"]] == [
        ("30-59", "60-89", 10_000)
    ]
    assert [row["daysPastDue"] for row in found["worklist"]["nodes"]] == [60]
    assert found["byClass"] and found["vintages"] and found["heatMap"]
    assert "byClass" not in await asked(application, "acacia", Role.LENDER, country="")
    assert (await asked(application, "baobab", Role.LENDER))["atRisk"] == []


async def test_what_the_ledger_refuses_is_raised_under_its_own_code(application: Application) -> None:
    with pytest.raises(Refused) as refused:
        await asked(application, "fintech", Role.APP)
    assert refused.value.code == "permission_denied"
    with pytest.raises(InvalidInput) as unknown:
        await asked(application, "acacia", Role.LENDER, country="XX")
    assert unknown.value.code == "pack_unknown"


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A lender's credentials file."""
    file = tmp_path / "acacia.json"
    file.write_text(json.dumps(GIVEN))
    file.chmod(0o600)
    return file


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked for, each time the ledger answers with ANSWER."""
    seen: list[tuple[Any, ...]] = []

    async def answer(lender: Credentials, day: date, since: date, **rest: Any) -> dict[str, Any]:
        seen.append((lender.url, day, since, rest))
        return ANSWER

    monkeypatch.setattr(command, "asked", answer)
    return seen


def called(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["portfolio", *arguments], env={"COLUMNS": "160"})


def test_json_is_the_answer_and_talk_is_on_stderr(credentials: Path, answers: list[tuple[Any, ...]]) -> None:
    result = called("--credentials", str(credentials), "--as-of", "2026-04-06", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, ANSWER)
    assert result.stderr == f"acacia's loans on 2026-04-06, rolls since 2026-03-31, from {BASE_URL}\n"
    assert answers == [(BASE_URL, DAY, SINCE, {"months": 3, "late": 20, "country": ""})]


def test_tables_are_in_the_currencys_units_and_per_cent(credentials: Path, answers: list[tuple[Any, ...]]) -> None:
    result = called("--credentials", str(credentials), "--url", "http://other.test/", "--since", "2026-01-31")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "KES 1,200 100,000.50 1 50,000.50 100.00 % 0.05 % 0.00 0" in [line.replace("100000", "100,000").replace(
        "50000.50", "50,000.50") for line in lines]  # fmt: skip
    assert "Vintages: none" in lines and "By class" not in lines
    assert any(line.startswith("[bold] 60 57 KES") and line.endswith("disputed") for line in lines)
    assert answers[0][:1] + answers[0][2:3] == ("http://other.test", date(2026, 1, 31))


def test_credentials_that_others_may_read_are_refused(
    credentials: Path, answers: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    credentials.chmod(0o644)
    assert run(["portfolio", "--credentials", str(credentials), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "credentials_exposed"
    assert answers == []
