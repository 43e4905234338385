"""From an attestation on the ledger to what it means for a contract: its triggers, with what each tells.

    occurrences("repayment", body, before=state, day=date(2026, 3, 31))
        -> (Occurrence("repayment.received", {"event.amount": 5000, "event.dpd": 3, ...}),)

Rules
- Pure and total: a kind that is no trigger gives nothing.
- ``before`` is the loan just before the attestation, ``after`` just after it; both None where it is about no loan.
- A missed instalment is no attestation: it follows from the day's tick, on the day after the due date.
- An occurrence carries exactly what its trigger tells (vocabulary.py), under full names.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation import risk_kinds as risk
from ledger.attestation import sharing_kinds as sharing
from ledger.contract.inputs import oldest_unmet_number
from ledger.contract.vocabulary import Value
from ledger.errors import NotFound
from ledger.loan.arrears import arrears
from ledger.loan.calendars import calendar_named
from ledger.loan.state import LoanState, unmet_of


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """One trigger, and what it tells by full name (``event.amount``)."""

    trigger: str
    values: dict[str, Value]


def occurrence(trigger: str, day: date, **values: Value) -> Occurrence:
    """An occurrence from short names."""
    told: dict[str, Value] = {f"event.{name}": value for name, value in values.items()}
    return Occurrence(trigger, {"event.day": day.toordinal(), **told})


def occurrences(
    kind: str, body: Any, *, before: LoanState | None, after: LoanState | None, day: date
) -> tuple[Occurrence, ...]:
    """What an attestation about a loan or its borrower is, for contracts. Ticks have ``tick_occurrences``."""
    told = _TOLD.get(kind)
    happened = () if told is None else told(body, _Loan(before, after), day)
    ended = before is not None and after is not None and before.closed is None and after.closed is not None
    if ended and kind != "closure":
        cause = "paid" if kind == "repayment" else kind
        return (*happened, occurrence("loan.closed", day, code=cause))
    return happened


def tick_occurrences(
    tick: contracting.Tick, state: LoanState | None, calendar: str | None = None
) -> tuple[Occurrence, ...]:
    """What a day's tick is for a contract on the loan ``state`` that pins ``calendar``: the day, the instalment that was
    missed, disasters. Without a calendar for the day nothing is told of its being a business day."""
    business = business_day(calendar, tick)
    found = [occurrence("tick.day", tick.day, **({} if business is None else {"business_day": business}))]
    missed = None if state is None else missed_instalment(state, tick.day)
    if missed is not None:
        number, amount = missed
        found.append(occurrence("repayment.missed", tick.day, instalment=number, amount=amount))
    for fact in tick.declared:
        found.append(occurrence("disaster.declared", tick.day, code=fact.region, days=fact.days))
    return tuple(found)


def business_day(calendar: str | None, tick: contracting.Tick) -> bool | None:
    """Whether the tick's day is one, by the contract's calendar in the year that it pins, by the tick's own of the same
    country in any other; None where neither is frozen here."""
    if calendar is None:
        return None
    name = f"{calendar[:3]}{tick.day.year}"
    pinned = calendar if calendar.startswith(f"{name}#") else None
    if pinned is None and name in tick.calendars:
        pinned = f"{name}#{tick.calendars[name].hex()}"
    try:
        return None if pinned is None else calendar_named(pinned).is_business_day(tick.day)
    except NotFound:
        return None


def missed_instalment(state: LoanState, day: date) -> tuple[int, int] | None:
    """(number, amount unmet) of the instalment that was due the day before ``day`` and is not fully met."""
    due_day = day.toordinal() - 1
    for number, row in enumerate(state.schedule, state.met_rows + 1):
        if row[0] == due_day and unmet_of(row) > 0:
            return number, unmet_of(row)
        if row[0] > due_day:
            return None
    return None


class _Loan(NamedTuple):
    """The loan just before and just after an attestation."""

    before: LoanState | None
    after: LoanState | None


Told = tuple[Occurrence, ...]


def _repayment(body: credit.Repayment, loan: _Loan, day: date) -> Told:
    if loan.before is None:
        return ()
    cleared = 0 if loan.after is None else max(loan.after.met_rows - loan.before.met_rows, 0)
    return (
        occurrence(
            "repayment.received", day, amount=body.amount, code=body.channel, dpd=arrears(loan.before, day).days,
            instalment=oldest_unmet_number(loan.before), cleared=cleared,
        ),
    )  # fmt: skip


def _reversal(body: credit.Reversal, loan: _Loan, day: date) -> Told:
    return (occurrence("repayment.reversed", day, amount=body.amount, code=body.cause),)


def _disbursement(body: credit.Disbursement, loan: _Loan, day: date) -> Told:
    return (occurrence("loan.disbursed", day, amount=body.amount, tranche=body.tranche),)


def _application(body: credit.Application, loan: _Loan, day: date) -> Told:
    return (occurrence("application.enquired", day, amount=body.amount, code=body.product),)


def _enquiry(body: credit.Enquiry, loan: _Loan, day: date) -> Told:
    return (occurrence("application.enquired", day, amount=0, code=body.purpose),)


def _collateral(body: credit.Collateral, loan: _Loan, day: date) -> Told:
    return (occurrence("collateral.valued", day, amount=body.value, code=body.kind),)


def _closure(body: credit.Closure, loan: _Loan, day: date) -> Told:
    return (occurrence("loan.closed", day, code=body.cause),)


def _consent(body: sharing.Consent, loan: _Loan, day: date) -> Told:
    if body.step not in ("granted", "revoked"):
        return ()
    purpose = body.artefact.purpose.code if body.artefact is not None else ""
    return (occurrence(f"consent.{body.step}", day, code=purpose),)


def _score(body: sharing.Score, loan: _Loan, day: date) -> Told:
    return (occurrence("score.published", day, code=body.model, score=body.value),)


def _dispute(body: sharing.Dispute, loan: _Loan, day: date) -> Told:
    return (occurrence("dispute.opened", day, code=body.claim),) if body.state == "opened" else ()


def _alert(body: risk.Alert, loan: _Loan, day: date) -> Told:
    return (occurrence("alert.raised", day, code=body.rule, severity=body.severity),)


_TOLD: Final[dict[str, Callable[[Any, _Loan, date], Told]]] = {
    "alert": _alert, "application": _application, "closure": _closure, "collateral": _collateral,
    "consent": _consent, "disbursement": _disbursement, "dispute": _dispute, "enquiry": _enquiry,
    "repayment": _repayment, "reversal": _reversal, "score": _score,
}  # fmt: skip
TRIGGERING_KINDS: Final = frozenset(_TOLD)
"""Kinds of attestations, beside the tick, that may make a rule fire."""
