"""Replay: a log of twenty thousand attestations comes out byte for byte, and every way of cheating is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation.contract_kinds import Effect
from ledger.attestation.envelope import encode_body
from ledger.contract.document import Document, canonical_bytes, contract_hash
from ledger.contract.replay import LogAttestation, Replayed
from tests.support.contract_logs import (
    DEPLOYMENT,
    FIRST_DAY,
    LogBuilder,
    about,
    account_of,
    busy_log,
    changed,
    replay,
    steps_of,
)
from tests.support.contracts import ALERT, BOTH, PENALTY, document, rule

ROOT = Path(__file__).resolve().parents[3]
EVENTS, SEED = 6_000, 20_260_301
PROGRAM = f"""
from tests.support.contract_logs import busy_log
print(busy_log({EVENTS}, {SEED}).along.report().root.hex())
"""


@pytest.fixture(scope="module")
def other_process() -> Iterator[subprocess.Popen[str]]:
    """The same log, made and executed by a process of its own, beside this one."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process


def test_thousands_of_events_replay_identically_and_in_two_processes(other_process: subprocess.Popen[str]) -> None:
    log = busy_log(EVENTS, SEED).entries
    report = replay(log)
    assert report.attestations == len(log) >= EVENTS
    assert report.faults == ()
    assert report.effects == sum(isinstance(entry.attestation.body, Effect) for entry in log) > 300
    assert report.executions > 15_000
    assert other_process.communicate()[0].strip() == report.root.hex()


AGREED = document(
    rule(id="warn", **{"if": "loan.dpd == 3"}),
    rule(id="fee", do=[{**PENALTY, "amount": "loan.overdue / 10"}], once="per-instalment", **{"if": "loan.dpd >= 5"}),
    rule(id="paid", on=["loan.closed"], do=[{**ALERT, "code": "CLOSED"}]),
    account=account_of(0), parties={"borrower": about(0)["subject"], "lender": "acacia"},
    authority={"alert.raise": ["lender"], "penalty.apply": BOTH},
)  # fmt: skip


def small_log(agreed: Document = AGREED) -> LogBuilder:
    """A loan of two instalments: five days late with the first, then paid in full."""
    builder = LogBuilder()
    rows = tuple(credit.ScheduleRow(due=FIRST_DAY + timedelta(30 * n), n=n, principal=1_000) for n in (1, 2))
    for kind, body in (
        ("agreement", credit.Agreement(currency="KES", portfolio_type="instalment", principal=2_000)),
        ("disbursement", credit.Disbursement(amount=2_000, currency="KES", tranche=1)),
        ("schedule", credit.Schedule(cause="initial", currency="KES", rows=rows, version=1)),
    ):
        builder.say(kind, body, FIRST_DAY, "acacia", **about(0))
    for step in steps_of(agreed):
        builder.say("contract", step, FIRST_DAY, DEPLOYMENT, subject=about(0)["subject"])
    for days in range(31, 37):
        tick(builder, FIRST_DAY + timedelta(days))
    day = FIRST_DAY + timedelta(36)
    builder.say("repayment", credit.Repayment(amount=2_000, channel="cash", currency="KES"), day, "acacia", **about(0))
    return builder


def tick(builder: LogBuilder, day: date) -> None:
    builder.say("tick", contracting.Tick(calendars={}, day=day), day, DEPLOYMENT)


@pytest.fixture(scope="module")
def log() -> list[LogAttestation]:
    return small_log().entries


def effects_at(log: list[LogAttestation]) -> list[int]:
    return [place for place, entry in enumerate(log) if isinstance(entry.attestation.body, Effect)]


def named(report: Replayed) -> list[tuple[str, str, int]]:
    return [(fault.code, fault.rule, fault.index) for fault in report.faults]


def test_the_small_log_has_these_effects_behind_their_causes(log: list[LogAttestation]) -> None:
    told = [log[place].attestation.body for place in effects_at(log)]
    assert [(one.rule, one.cause.index, log[one.cause.index].attestation.envelope.kind) for one in told] == [
        ("warn", 8, "tick"), ("fee", 11, "tick"), ("paid", 14, "repayment"),
    ]  # fmt: skip
    assert [place - one.cause.index for place, one in zip(effects_at(log), told, strict=True)] == [1, 1, 1]
    assert told[1].arguments == {"amount": 100, "code": "late"}
    assert replay(log).faults == ()


def test_a_missing_effect_is_named_with_its_cause_and_its_bytes(log: list[LogAttestation]) -> None:
    for place in effects_at(log):
        report = replay(log[:place] + log[place + 1 :])
        due = log[place].attestation.body
        assert named(report) == [("effect_missing", due.rule, due.cause.index)]
        assert (report.faults[0].expected, report.faults[0].found) == (encode_body(due), None)


def test_an_effect_that_is_not_due_is_named(log: list[LogAttestation]) -> None:
    place = effects_at(log)[0]
    forged = changed(log[place], id=bytes(32), rule="fee")
    report = replay([*log[: place + 1], forged, *log[place + 1 :]])
    assert named(report) == [("effect_extra", "fee", 8)]
    assert (report.faults[0].expected, report.faults[0].found) == (None, encode_body(forged.attestation.body))


@pytest.mark.parametrize("members", [
    {"arguments": {"amount": 101, "code": "late"}}, {"effect": "discount.apply"}, {"inputs": bytes(32)},
    {"engine": "cel-expr-python/0.1.2"}, {"n": 1}, {"account": bytes(32)}, {"lender": "baobab"}, {"scope": 2},
    {"after": 0},
])  # fmt: skip
def test_an_effect_with_other_bytes_is_named_with_both(log: list[LogAttestation], members: dict[str, Any]) -> None:
    place = effects_at(log)[1]
    report = replay([*log[:place], changed(log[place], **members), *log[place + 1 :]])
    assert named(report) == [("effect_differs", "fee", 11)]
    (fault,) = report.faults
    assert fault.expected == encode_body(log[place].attestation.body) != fault.found


def test_an_effect_that_stands_twice_is_named(log: list[LogAttestation]) -> None:
    place = effects_at(log)[1]
    assert named(replay([*log[: place + 1], log[place], *log[place + 1 :]])) == [("effect_twice", "fee", 11)]


def test_an_effect_before_its_cause_is_named(log: list[LogAttestation]) -> None:
    place = effects_at(log)[0]
    early = [*log[: place - 1], log[place], log[place - 1], *log[place + 1 :]]
    moved = [LogAttestation(number, entry.batch, 0, entry.attestation) for number, entry in enumerate(early)]
    assert "effect_early" in {code for code, _, _ in named(replay(moved))}


def test_the_documents_may_be_kept_beside_the_log(log: list[LogAttestation]) -> None:
    bare = [changed(entry, document=None) if entry.attestation.envelope.kind == "contract" else entry for entry in log]
    data = canonical_bytes(AGREED)
    assert replay(bare, documents={contract_hash(AGREED): data}) == replay(log)
    for documents in ({}, {contract_hash(AGREED): canonical_bytes(document())}):
        report = replay(bare, documents=documents)
        assert {code for code, _, _ in named(report)} == {"document_missing"}
        assert (report.untold, report.effects) == (3, 0)


@pytest.mark.parametrize(("members", "missing"), [
    ({"engine": "cel-expr-python/0.0.9"}, set()), ({"schema": "loan-inputs/0"}, set()),
    ({"currency": "XXX"}, {"document_missing"}),
])  # fmt: skip
def test_effects_of_a_contract_of_another_engine_are_untold_and_a_bad_contract_is_a_fault(
    log: list[LogAttestation], members: dict[str, str], missing: set[str]
) -> None:
    agreed = msgspec.structs.replace(AGREED, **members)
    bare = small_log(agreed).entries
    assert effects_at(bare) == []
    told = changed(log[effects_at(log)[0]], contract=contract_hash(agreed))
    report = replay([*bare, told])
    assert ({code for code, _, _ in named(report)}, report.untold, report.effects) == (missing, 1, 0)
    assert report.contracts == (0 if missing else 1)


def test_a_step_that_has_no_place_is_named(log: list[LogAttestation]) -> None:
    signed = next(entry for entry in log if getattr(entry.attestation.body, "step", "") == "signed")
    report = replay([*log, signed])
    assert named(report) == [("step_refused", "", -1)]


def test_a_range_compares_only_the_causes_in_it(log: list[LogAttestation]) -> None:
    without = [entry for entry in log if not isinstance(entry.attestation.body, Effect)]
    assert [index for _, _, index in named(replay(without))] == [8, 11, 14]
    assert [index for _, _, index in named(replay(without, first=9))] == [11, 14]
    assert [index for _, _, index in named(replay(without, first=9, last=11))] == [11]
    assert replay(log, first=9, last=11).effects == 1


def test_a_replay_does_not_depend_on_what_effects_the_log_holds(log: list[LogAttestation]) -> None:
    without = [entry for entry in log if not isinstance(entry.attestation.body, Effect)]
    assert replay(without).root == replay(log).root


def test_after_its_end_a_contract_does_nothing() -> None:
    builder = small_log()
    before = len(effects_at(builder.entries))
    step = contracting.Contract(account=AGREED.account, contract=contract_hash(AGREED), lender="acacia",
                                party="deployment", reason="court", step="terminated")  # fmt: skip
    builder.say("contract", step, FIRST_DAY + timedelta(40), DEPLOYMENT, subject=about(0)["subject"])
    builder.say("reversal", credit.Reversal(amount=2_000, cause="bounced", currency="KES"), FIRST_DAY + timedelta(41),
                "acacia", refs=(builder.entries[14].attestation.envelope.id,), **about(0))  # fmt: skip
    for days in range(42, 80):
        tick(builder, FIRST_DAY + timedelta(days))
    assert len(effects_at(builder.entries)) == before
    assert replay(builder.entries).faults == ()


def test_a_payment_that_bounces_brings_no_second_fee_for_the_same_instalment() -> None:
    builder = small_log()
    builder.say("reversal", credit.Reversal(amount=2_000, cause="bounced", currency="KES"), FIRST_DAY + timedelta(37),
                "acacia", refs=(builder.entries[14].attestation.envelope.id,), **about(0))  # fmt: skip
    tick(builder, FIRST_DAY + timedelta(70))
    assert len(effects_at(builder.entries)) == 3
    assert replay(builder.entries).faults == ()
