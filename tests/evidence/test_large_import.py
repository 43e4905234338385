"""A large import, at half a megabyte: the whole command, its figures, and what makes it fail."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import httpx
import pytest

from api.cli.exchange_runs import import_file
from api.cli.ledger_client import Credentials
from ledger.base64_strict import decode_standard
from ledger.errors import InvalidInput
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import verify_inclusion
from ledger.log.note import NoteSigner
from tests.evidence import large_import
from tests.evidence.large_import import AS_OF, PEAK_MAX, Promise, main, write_file
from tests.evidence.stand_in import FIXED, StandIn

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")


def test_half_a_megabyte_goes_through_the_importer_in_bounded_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gigabytes", "0.0005", "--seed", "7"]) == 0
    line, _, rest = capsys.readouterr().out.partition("\n")
    figures = json.loads(rest)
    assert abs(figures["file_bytes"] - 500_000) < 25_000
    assert figures["attestations"] > 10 * figures["records"] > 10 * 750
    assert 20 * 10**6 < figures["peak_bytes"] < PEAK_MAX
    assert f"{figures['records']:,} records, {figures['attestations']:,} attestations" in line


def test_a_file_has_about_the_size_that_was_asked_for_and_the_seed_makes_its_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_file(tmp_path / name, 100_000, seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    assert abs(len(a) - 100_000) < 5_000


@pytest.fixture
def lender(tmp_path: Path) -> Credentials:
    path = tmp_path / "lender.json"
    large_import._write_credentials(path, 3, "http://ledger.test")
    return Credentials.load(path)


async def test_the_stand_in_answers_with_an_index_a_path_and_a_checkpoint_that_hold(
    tmp_path: Path, lender: Credentials
) -> None:
    write_file(tmp_path / "accounts.txt", 60_000, 3)
    ledger, answers = StandIn(lender), list[dict[str, object]]()

    async def noted(response: httpx.Response) -> None:
        await response.aread()
        if response.request.url.path == "/v1/batches":
            answers.append(response.json())

    transport = httpx.ASGITransport(ledger.app())
    async with httpx.AsyncClient(transport=transport, event_hooks={"response": [noted]}) as client:
        report = await import_file(
            tmp_path / "accounts.txt", lender, as_of=AS_OF, client=client, batch_size=256, started_ms=1_769_904_000_000
        )
    assert report["batches"] == len(answers) > 5
    verifier = NoteSigner(lender.ledger, FIXED).verifier
    for answer in map(_receipt, answers):
        said = open_checkpoint(answer["checkpoint"], [verifier], origin=lender.ledger).checkpoint
        verify_inclusion(
            index=answer["index"], size=said.size, leaf=answer["leaf"], path=answer["path"], root=said.root
        )
    assert sum(answer["count"] for answer in answers) == report["attestations"] == ledger.attestations  # type: ignore[misc]


def _receipt(answer: dict[str, object]) -> dict[str, object]:
    path = b"".join(decode_standard(node) for node in answer["path"])  # type: ignore[attr-defined]
    return {
        "index": answer["index"], "checkpoint": str(answer["checkpoint"]).encode(),
        "leaf": decode_standard(str(answer["leafHash"])), "path": path,
    }  # fmt: skip


async def test_the_stand_in_refuses_what_is_not_as_signed(tmp_path: Path, lender: Credentials) -> None:
    write_file(tmp_path / "accounts.txt", 20_000, 3)
    transport = httpx.ASGITransport(StandIn(lender).app())

    async def bent(request: httpx.Request) -> None:
        if request.url.path == "/v1/batches":
            request.stream = httpx.ByteStream(request.content.replace(b'"USD"', b'"EUR"'))

    async with httpx.AsyncClient(transport=transport, event_hooks={"request": [bent]}) as client:
        with pytest.raises(InvalidInput, match="about something else"):
            await import_file(tmp_path / "accounts.txt", lender, as_of=date(2026, 1, 31), client=client)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"records_published": 8}, "records in"), ({"rejected_count": 1}, "records in"),
        ({"attestations": 90}, "the importer counted 90, the ledger 91"),
        ({"peak_bytes": PEAK_MAX}, "held 300000000 bytes"),
    ],
)  # fmt: skip
def test_a_promise_that_does_not_hold_is_named(change: dict[str, int], said: str) -> None:
    good = {
        "records_in": 9, "records_published": 9, "rejected_count": 0, "duplicates": 0, "attestations": 91, "batches": 1,
        "retries": 0, "peak_bytes": PEAK_MAX - 1,
    }  # fmt: skip
    tally = {"attestations": 91, "batches": 1}
    large_import._check(good, tally, 9)
    with pytest.raises(Promise, match=said):
        large_import._check(good | change, tally, 9)
