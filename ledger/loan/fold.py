"""One more attestation in the life of a loan: the fold of the hot path, a few microseconds whatever came before.

    state = fold(state, envelope, body)        raises NeedsReplay: then account.py says it, from the whole chain

Rules
- ``fold`` is pure: same events, same state. It gives what the fold of the whole chain gives, to the byte, or it raises.
- It refuses an event that the transition table (lifecycle.py) does not allow, and money in another currency than the
  agreement's. It refuses before it asks for a replay.
- A replay is needed when the past changes: an event whose value date lies before the newest (``moved``), a reversal, a
  correction or deletion, a restructuring, a second version of the plan, other terms than before, a charge for an
  instalment that was met already.
- Plain repayments are done here; what is rarer goes through money.py, which a replay uses as well.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from msgspec.structs import replace

from ledger.attestation import credit_kinds as credit
from ledger.attestation.envelope import Envelope
from ledger.attestation.fields import Body
from ledger.errors import Refused
from ledger.loan.facts import FACTS, FOLDED_KINDS, Changes
from ledger.loan.lifecycle import CLOSURES, DECISIONS, EVENTS, Event, Stage, next_stage, settled
from ledger.loan.money import DAY, Money, day_of, said_past_due
from ledger.loan.state import NEW_LOAN, LoanState, NeedsReplay, OpenInstalment
from ledger.loan.terms import terms_of

__all__ = ["FOLDED_KINDS", "NeedsReplay", "fold"]

REPLAYED: Final = frozenset({"correction", "deletion", "restructure", "reversal"})
"""Kinds that change what came before them."""

MONEY: Final = frozenset({
    "charge", "delinquency", "disbursement", "repayment", "schedule", "status_snapshot", "waiver",
})  # fmt: skip
"""Kinds that always are about money; agreements are where their terms matter, closures when nothing is owed."""

PRINCIPAL: Final = 4
"""Where principal stands in an open instalment."""

_ACTIVE: Final = Stage.ACTIVE
USUAL: Final = ("", terms_of(credit.Agreement(currency="USD", portfolio_type="revolving", principal=0)))
"""Terms under which money goes the usual way: none of their own, or those of a line that only its lender ends."""


def fold(state: LoanState | None, envelope: Envelope, body: Body) -> LoanState:
    """The loan after one more attestation about it.

    Raises Refused (``transition_refused``, ``currency_differs``, ``subject_differs``), and NeedsReplay.
    """
    before = NEW_LOAN if state is None else state
    kind, day = envelope.kind, envelope.effective_date
    if before.subject != envelope.subject or getattr(body, "currency", None) != before.currency:
        ensure_same_loan(before, envelope, body)
    stage = next_stage(before.stage, EVENTS.get(kind) or event_of(kind, body))
    if kind == "repayment":
        changes = _repayment(before, body, day)
    elif kind in REPLAYED:
        raise NeedsReplay
    else:
        changes = FACTS[kind](before, envelope, body)
        if is_money(kind, body):
            changes |= _money(before, kind, body, day_of(kind, body, day))
    changes["events"] = before.events + 1
    moved = day.toordinal()
    if moved > before.moved:
        changes["moved"] = moved
    if not before.subject:
        changes["subject"] = envelope.subject
    if stage is _ACTIVE:
        closed, cleared = None, changes.get("cleared", before.cleared)
        if cleared:
            stage, closed = settle(changes.get("balance", before.balance), cleared)
        if closed is not before.closed:
            changes["closed"] = closed
    told = stage._value_  # the plain text; ``value`` looks it up through a descriptor
    if told != before.stage:
        changes["stage"] = told
    return replace(before, **changes)


def event_of(kind: str, body: Any) -> Event:
    """What happened, as far as the loan's stage is concerned."""
    event = EVENTS.get(kind)
    if event is None:
        event = DECISIONS[body.outcome] if kind == "decision" else CLOSURES[body.cause]
    return event


def settle(balance: int | None, cleared: int) -> tuple[Stage, date | None]:
    """(which running stage it is, the day on which it ended)."""
    if not cleared or balance is None or balance > 0:
        return Stage.ACTIVE, None
    return settled(balance, cleared), date.fromordinal(cleared)


def is_money(kind: str, body: Any) -> bool:
    """Whether an event moves money, or what is said of it."""
    if kind == "status_snapshot":
        return body.status is not None
    if kind == "closure":
        return bool(body.cause == "paid")
    return kind in MONEY or kind == "agreement"


def ensure_same_loan(before: LoanState, envelope: Envelope, body: Body) -> None:
    """Raises Refused ``subject_differs`` or ``currency_differs``: the event belongs to another loan."""
    if before.subject != envelope.subject and before.subject and envelope.role == "borrower":
        raise Refused("subject_differs", "the account belongs to another borrower", path="$.subject",
                      advice="publish an identity_link first when two pseudonyms are one person")  # fmt: skip
    currency = getattr(body, "currency", None)
    if currency != before.currency and currency is not None and before.currency:
        raise Refused("currency_differs", "the agreement is in another currency", path="$.body.currency",
                      expected=before.currency, found=currency)  # fmt: skip


def _money(before: LoanState, kind: str, body: Any, day: date) -> Changes:
    if kind == "agreement":
        return _terms(before, body)
    if day.toordinal() < before.moved or (kind == "schedule" and not _is_first_plan(before, body)):
        raise NeedsReplay
    if kind == "disbursement" and not before.credit:
        return _plain_disbursement(before, body)
    if kind == "status_snapshot" and not _has_rows(before):
        return _plain_snapshot(before, body, day)
    money = Money.of(before)
    money.apply(kind, body, day)
    return money.changes()


def _terms(before: LoanState, body: credit.Agreement) -> Changes:
    terms = terms_of(body)
    if before.terms_vary or (terms != before.terms and (before.portfolio_type or _has_money(before))):
        raise NeedsReplay
    return {"terms": terms} if terms else {}


def _has_money(before: LoanState) -> bool:
    return before.balance is not None or bool(before.stated or before.paid or before.charges or _has_rows(before))


def _has_rows(before: LoanState) -> bool:
    return bool(before.schedule or before.planned_until)


def _is_first_plan(before: LoanState, body: credit.Schedule) -> bool:
    """Whether there is nothing yet that a plan would change."""
    there = _has_rows(before) or before.met_rows or before.paid or before.credit or before.charges
    return not there and body.cause not in ("correction", "restructure")


def _repayment(before: LoanState, body: Any, day: date) -> Changes:
    if day.toordinal() < before.moved:
        raise NeedsReplay
    if before.terms in USUAL:
        if body.allocated is None or not (before.schedule or before.planned_until):
            return _plain_repayment(before, body, day)
        if before.planned_until and not before.past_due:
            return _split_repayment(before, body, day)
    money = Money.of(before)
    money.repayment(body, day, b"")
    money.note_open()
    return money.changes()


def _plain_repayment(before: LoanState, body: credit.Repayment, day: date) -> Changes:
    """Money by the usual order: the books' arrears, the instalments as they fall due, loose principal, credit."""
    left, split = body.amount, body.allocated
    if split is not None:
        left = split.principal + split.excess  # the rest is income: nothing made it due
    changes = _came_in(before, body.amount, left, day)
    if before.past_due is not None:
        books = min(before.past_due, left)
        left -= books
        changes["past_due"] = before.past_due - books
        if books == before.past_due:
            changes["since"] = None
    if left and before.schedule:
        rows, met_rows, met_until, left = _pay_down(before.schedule, left)
        changes["schedule"] = rows
        if met_rows:
            changes["met_rows"], changes["met_until"] = before.met_rows + met_rows, met_until
    if left and before.loose > 0:
        part = min(left, before.loose) if split is None else min(left, before.loose, split.principal)
        changes["loose"] = before.loose - part
        left -= part
    if left:
        changes["credit"] = before.credit + left
    return changes


def _came_in(before: LoanState, amount: int, of_debt: int, day: date) -> Changes:
    """What every repayment changes; ``of_debt`` is how much of it lessens the balance."""
    changes: Changes = {"paid": before.paid + amount}
    if before.last_paid is None or before.last_paid < day:
        changes["last_paid"] = day
    if before.balance is not None:
        changes["balance"] = balance = before.balance - of_debt
        if balance <= 0 and not before.cleared and not before.terms:
            changes["cleared"] = day.toordinal()
    return changes


def _split_repayment(before: LoanState, body: credit.Repayment, day: date) -> Changes:
    """Each component as the lender split it, oldest instalment first; what none of them takes is credit."""
    changes, split, loose = _came_in(before, body.amount, body.amount, day), body.allocated, before.loose
    if before.past_due is not None:
        changes["since"] = None
    rows, left = [list(row) for row in before.schedule], body.amount
    for at, told in enumerate((split.penalty, split.fee, split.interest, split.principal) if split else (), 1):
        rest = min(told, left)
        left -= rest
        for row in rows:
            part = min(rest, row[at])
            row[at] -= part
            rest -= part
            if not rest:
                break
        if at == PRINCIPAL and rest and loose > 0:
            changes["loose"] = loose - min(rest, loose)
            rest -= min(rest, loose)
        left += rest
    met = next((n for n, row in enumerate(rows) if row[1] or row[2] or row[3] or row[4]), len(rows))
    changes["schedule"] = tuple(map(tuple, rows[met:]))
    if met:
        changes["met_rows"], changes["met_until"] = before.met_rows + met, rows[met - 1][0]
    if left:
        changes["credit"] = before.credit + left
    return changes


def _plain_disbursement(before: LoanState, body: credit.Disbursement) -> Changes:
    """Money went out, and nothing waits for it."""
    balance = (before.balance or 0) + max(body.amount + min(before.loose, 0), 0)
    return {
        "balance": balance,
        "cleared": 0 if balance > 0 else before.cleared,
        "disbursed": before.disbursed + body.amount,
        "loose": before.loose + body.amount,
    }


def _plain_snapshot(before: LoanState, body: credit.StatusSnapshot, day: date) -> Changes:
    """The books of a loan without instalments."""
    changes: Changes = {"as_of": day, "status": body.status}
    past_due = before.past_due
    if body.scheduled is not None:
        changes["scheduled"] = body.scheduled
    if body.dpd is not None or body.past_due is not None or body.status == "current":
        past_due = said_past_due(body, past_due)
        changes["past_due"], changes["stated"] = past_due, day.toordinal()
        changes["since"] = day - DAY * body.dpd if body.dpd else None
    if body.balance is not None:
        changes["balance"], changes["credit"] = body.balance, 0
        changes["loose"] = max(body.balance - (past_due or 0), 0)
        if body.balance > 0:
            changes["cleared"] = 0
    return changes


def _pay_down(rows: tuple[OpenInstalment, ...], left: int) -> tuple[tuple[OpenInstalment, ...], int, int, int]:
    """(what stays open, how many instalments are met now, the due date of the last of them, money left)."""
    met_until = 0
    for at, (due, penalty, fee, interest, principal) in enumerate(rows):
        owed = penalty + fee + interest + principal
        if left < owed:
            if not left:
                return rows[at:], at, met_until, 0
            return (_part_met(rows[at], left), *rows[at + 1 :]), at, met_until, 0
        left -= owed
        met_until = due
    return (), len(rows), met_until, left


def _part_met(row: OpenInstalment, left: int) -> OpenInstalment:
    """An instalment after a payment that does not meet it: penalty, fee, interest, principal."""
    due, penalty, fee, interest, principal = row
    to_penalty = min(penalty, left)
    to_fee = min(fee, left - to_penalty)
    to_interest = min(interest, left - to_penalty - to_fee)
    rest = left - to_penalty - to_fee - to_interest
    return due, penalty - to_penalty, fee - to_fee, interest - to_interest, principal - rest
