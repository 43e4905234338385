"""Events that change an account's past, through the committer: in one batch, in several, side by side, after a restart."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from ledger.attestation.credit_kinds import (
    Agreement,
    Closure,
    Disbursement,
    Reversal,
    Schedule,
    ScheduleRow,
    StatusSnapshot,
)
from ledger.attestation.envelope import Attestation
from ledger.attestation.sharing_kinds import Deletion
from ledger.errors import Refused
from ledger.limits import BATCH_ATTESTATIONS_MAX, REPLAY_STEPS_MAX
from ledger.node import projection
from ledger.node.fsck import fsck
from ledger.node.node import Node
from ledger.types import AccountRef
from ledger.view.credit_view import Line
from tests.support.ledgers import KEYRING, ORIGIN, Lender, TestDatabase, running_node


def planned_loan(lender: Lender) -> list[Attestation]:
    """300 in three instalments of 100, due in January, February and March 2026."""
    loan = lender.new_loan(300)
    where = {"account": loan[0].envelope.account, "subject": loan[0].envelope.subject}
    rows = tuple(ScheduleRow(due=date(2026, month, 10), n=month, principal=100) for month in (1, 2, 3))
    plan = Schedule(cause="initial", currency="KES", rows=rows, version=1)
    days = {"effective_date": date(2026, 1, 1)}
    agreement = Agreement(currency="KES", portfolio_type="instalment", principal=300)
    money = Disbursement(amount=300, currency="KES", tranche=1)
    return [
        lender.attest("agreement", agreement, **where, **days), lender.attest("disbursement", money, **where, **days),
        lender.attest("schedule", plan, **where, **days),
    ]  # fmt: skip


def about(loan: list[Attestation], on: date, *refs: UUID) -> dict[str, Any]:
    envelope = loan[0].envelope
    return {"account": envelope.account, "subject": envelope.subject, "effective_date": on, "refs": refs}


async def line(node: Node, lender: Lender, loan: list[Attestation], on: date) -> Line:
    return await node.reader.lender_loan(lender.name, AccountRef(loan[0].envelope.account or b""), as_of=on)


async def publish(node: Node, lender: Lender, *attestations: Attestation) -> None:
    await node.publisher.publish(lender.name, *lender.batch(attestations))


async def sound(database: TestDatabase) -> None:
    report = await fsck(database.audit_dsn, KEYRING, origin=ORIGIN)
    assert report.faults == []


async def test_a_reversal_a_back_dated_payment_and_a_deletion_are_replayed_and_fsck_agrees(
    node: Node, database: TestDatabase, acacia: Lender
) -> None:
    loan, day = planned_loan(acacia), date(2026, 2, 15)
    await publish(node, acacia, *loan)
    paid = acacia.repayment(loan, 200, effective_date=date(2026, 2, 10))
    await publish(node, acacia, paid)
    assert (await line(node, acacia, loan, day)).dpd == 0
    reversal = Reversal(amount=200, cause="bounced", currency="KES")
    await publish(node, acacia, acacia.attest("reversal", reversal, **about(loan, date(2026, 2, 12), paid.envelope.id)))
    assert (await line(node, acacia, loan, day)).dpd == 36
    early = acacia.repayment(loan, 100, effective_date=date(2026, 1, 9))
    await publish(node, acacia, early)
    found = await line(node, acacia, loan, day)
    assert (found.dpd, found.balance, found.past_due) == (5, 200, 100)
    assert (await line(node, acacia, loan, date(2026, 1, 20))).dpd == 0
    await publish(
        node, acacia, acacia.attest("deletion", Deletion(cause="error"), **about(loan, day, early.envelope.id))
    )
    assert (await line(node, acacia, loan, day)).dpd == 36
    await sound(database)


async def test_one_batch_may_hold_a_loan_and_everything_that_changes_its_past(
    node: Node, database: TestDatabase, acacia: Lender
) -> None:
    loan = planned_loan(acacia)
    payments = [acacia.repayment(loan, 100, effective_date=date(2026, month, 10)) for month in (3, 2, 1)]
    ref = payments[0].envelope.id
    back = acacia.attest(
        "reversal", Reversal(amount=40, cause="error", currency="KES"), **about(loan, date(2026, 3, 12), ref)
    )
    await publish(node, acacia, *loan, *payments, back)
    found = await line(node, acacia, loan, date(2026, 3, 20))
    assert (found.stage, found.balance, found.dpd) == ("active", 40, 10)
    await sound(database)


async def test_what_follows_a_replay_in_the_same_batch_is_judged_after_it(
    node: Node, database: TestDatabase, acacia: Lender
) -> None:
    loan = planned_loan(acacia)
    paid = acacia.repayment(loan, 100, effective_date=date(2026, 1, 10))
    await publish(node, acacia, *loan, paid)
    ended = acacia.attest("closure", Closure(cause="written_off"), **about(loan, date(2026, 2, 1)))
    reversal = Reversal(amount=100, cause="bounced", currency="KES")
    back = acacia.attest("reversal", reversal, **about(loan, date(2026, 2, 2), paid.envelope.id))
    again = acacia.repayment(loan, 30, effective_date=date(2026, 2, 3))
    await publish(node, acacia, ended, back, again)
    found = await line(node, acacia, loan, date(2026, 2, 3))
    assert (found.stage, found.balance, found.dpd) == ("active", 270, 24)
    await sound(database)


async def test_a_closure_that_is_told_after_the_books_of_a_later_day_leaves_a_paid_loan_and_fsck_agrees(
    node: Node, database: TestDatabase, acacia: Lender
) -> None:
    loan = planned_loan(acacia)
    await publish(node, acacia, *loan)
    for month, owed in ((1, 100), (2, 0)):
        books = StatusSnapshot(balance=owed, currency="KES", dpd=0, past_due=0, status="current")
        told = [acacia.attest("status_snapshot", books, **about(loan, date(2026, month, 28)))]
        closed = acacia.attest("closure", Closure(cause="paid"), **about(loan, date(2026, month, 20)))
        await publish(node, acacia, *told, *([] if owed else [closed]))
    found = await line(node, acacia, loan, date(2026, 2, 28))
    assert (found.stage, found.balance, found.closed) == ("paid", 0, date(2026, 2, 20))
    await sound(database)


async def test_groups_side_by_side_wait_for_what_they_replay(
    node: Node, database: TestDatabase, acacia: Lender
) -> None:
    loan = planned_loan(acacia)
    await publish(node, acacia, *loan)
    days = [date(2026, 1, 1 + n) for n in (20, 3, 17, 5, 12, 1, 28, 9)]
    calls = [publish(node, acacia, acacia.repayment(loan, 10, effective_date=day)) for day in days]
    await asyncio.gather(*calls)
    found = await line(node, acacia, loan, date(2026, 2, 1))
    assert (found.balance, found.past_due, found.last_paid) == (220, 20, date(2026, 1, 29))
    await sound(database)


async def test_what_a_replay_refuses_refuses_its_batch_with_its_place_and_changes_nothing(
    node: Node, acacia: Lender
) -> None:
    loan = planned_loan(acacia)
    await publish(node, acacia, *loan)
    paid = acacia.repayment(loan, 100, effective_date=date(2026, 1, 10))
    where = about(loan, date(2026, 1, 12), paid.envelope.id)
    too_much = acacia.attest("reversal", Reversal(amount=101, cause="error", currency="KES"), **where)
    size = (await node.log.head()).size
    with pytest.raises(Refused) as caught:
        await publish(node, acacia, paid, too_much)
    assert (caught.value.code, caught.value.path) == ("reversal_exceeds", "$[1].body.amount")
    assert (await node.log.head()).size == size
    assert (await line(node, acacia, loan, date(2026, 2, 1))).last_paid is None


async def test_another_process_replays_what_the_first_recorded(
    database: TestDatabase, node: Node, acacia: Lender
) -> None:
    loan = planned_loan(acacia)
    paid = acacia.repayment(loan, 300, effective_date=date(2026, 1, 10))
    closed = acacia.attest("closure", Closure(cause="paid"), **about(loan, date(2026, 1, 11)))
    await publish(node, acacia, *loan, paid, closed)
    async with running_node(database) as other:
        assert (await line(other, acacia, loan, date(2026, 1, 15))).stage == "paid"
        reversal = Reversal(amount=300, cause="chargeback", currency="KES")
        await publish(
            other, acacia, acacia.attest("reversal", reversal, **about(loan, date(2026, 1, 20), paid.envelope.id))
        )
        found = await line(other, acacia, loan, date(2026, 1, 20))
        assert (found.stage, found.dpd, found.closed, found.balance) == ("active", 10, None, 300)
    await sound(database)


def test_a_batch_of_one_loan_can_reach_what_a_replay_may_cost() -> None:
    assert BATCH_ATTESTATIONS_MAX**2 // 2 > REPLAY_STEPS_MAX


async def test_a_batch_that_changes_too_much_of_the_past_is_refused(
    node: Node, acacia: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def batch(payments: int) -> list[Attestation]:
        loan = acacia.new_loan(10**9)
        days = [date.fromordinal(date(2026, 1, 31).toordinal() - n) for n in range(payments)]
        return [*loan, *(acacia.repayment(loan, 1, effective_date=day) for day in days)]

    before = len(acacia.new_loan(10**9))
    # each payment but the first was made before the last one: it costs the loan's whole chain, itself counted
    monkeypatch.setattr(projection, "REPLAY_STEPS_MAX", sum(before + n for n in range(2, 21)))
    await publish(node, acacia, *batch(20))
    with pytest.raises(Refused) as caught:
        await publish(node, acacia, *batch(21))
    assert caught.value.code == "replay_too_long"
