"""Due rows: a contract's schedule as the integers that go on the ledger.

    plan = LoanPlan(form="annuity", principal=10_000_00, rate_ppm=240_000, disbursed=date(2024, 1, 15),
                    first_due=date(2024, 2, 15), frequency="monthly", instalments=12)
    due_rows(terms_of(plan)).rows[0]          # ScheduleRow(due=date(2024, 2, 15), interest=..., n=1, principal=...)

Rules
- The schedule is exact; each due amount is rounded half-even to the minor unit, once. Where the payment is level
  (ANN, NAM) the whole payment is rounded, and principal is what interest leaves of it; elsewhere each part is rounded.
- The last row's principal absorbs the residue: principal parts add up to the principal exactly, plus the interest that
  was capitalised on the way (0 unless the terms capitalise or the payment falls short of the interest).
- What is due on one day is one row. A day on which nothing is due has none. Due days are business days where the terms
  name a convention.
- A called loan has one row, at its settlement; an on-demand loan that nobody called has none. A line has one, at its
  end: what is drawn then; what was repaid on it came off the principal first.

It says what is due by plan. What was paid, and how late, is ``ledger.loan.state``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Final

from ledger.attestation.credit_kinds import ScheduleRow
from ledger.errors import InvalidInput
from ledger.limits import MINOR_UNITS_MAX, SCHEDULE_ROWS_MAX
from ledger.loan.actus.engine import Observed, Row, evaluate
from ledger.loan.actus.state import EventType, Series
from ledger.loan.actus.terms import Terms
from ledger.loan.business_days import IsBusinessDay

_LEVEL: Final = frozenset({"ANN", "NAM"})
_PRINCIPAL: Final = frozenset({EventType.PR, EventType.MD, EventType.STD})
_DRAWN: Final = frozenset({EventType.IED, EventType.PI})


@dataclass(frozen=True)
class DueSchedule:
    """``rows`` ascending by day; ``principal`` paid out and ``capitalised`` interest add up to their principal parts.
    All minor units."""

    rows: tuple[ScheduleRow, ...]
    principal: int
    capitalised: int


@dataclass(frozen=True)
class _Due:
    """What is due on one day, exactly."""

    principal: Fraction = Fraction(0)
    interest: Fraction = Fraction(0)
    fee: Fraction = Fraction(0)


def due_rows(
    terms: Terms,
    *,
    until: datetime | None = None,
    market: Mapping[str, Series] | None = None,
    observed: Sequence[Observed] = (),
    is_business_day: IsBusinessDay | None = None,
) -> DueSchedule:
    """The rows of a contract whose terms are in minor units, seen from the lender.

    ``until`` ends a line; ``observed`` carries its draws and repayments, a call, prepayments. Raises InvalidInput
    ``plan_unusable``, ``terms_incomplete``, ``terms_too_long``, ``amount_too_large``; NotFound ``calendar_unknown``.
    """
    if terms.purchase_date or terms.termination_date or {"I", "N"} & set(terms.scaling_effect):
        raise InvalidInput("plan_unusable", "a traded or index-linked contract has no due rows", path="$.terms")
    lent = replace(terms, contract_role="RPA")
    if terms.contract_type == "UMP" and until is not None:
        observed = [*observed, Observed(time=until, type=EventType.AD)]
    if terms.contract_type == "CLM" and terms.maturity_date is None and not _called(observed):
        return DueSchedule((), rounded(terms.notional_principal), 0)
    rows = evaluate(lent, until=until, market=market, observed=observed, is_business_day=is_business_day)
    kept = _paid_out(rows) - _returned_early(rows)
    principal, total = max(rounded(kept), 0), rounded(kept + _capitalised(rows))
    dues = _dues(rows, of_line=terms.contract_type == "UMP")
    return DueSchedule(_whole_rows(dues, total, level=terms.contract_type in _LEVEL), principal, total - principal)


def rounded(amount: Fraction) -> int:
    """Half-even to a whole minor unit. Raises InvalidInput ``amount_too_large``."""
    whole = round(amount)
    if abs(whole) > MINOR_UNITS_MAX:
        raise InvalidInput("amount_too_large", "an amount of the schedule is too large", expected=str(MINOR_UNITS_MAX))
    return whole


def _dues(rows: Sequence[Row], *, of_line: bool) -> list[tuple[date, _Due]]:
    """What is due, day by day. A payment short of the interest is all interest; of a line nothing is before its end."""
    found: dict[date, _Due] = {}
    rows = [row for row in rows if not of_line or row.event_type in (EventType.AD, EventType.FP)]
    for row in rows:
        day, before = row.event_date.date(), found.get(row.event_date.date(), _Due())
        if row.event_type in _PRINCIPAL and row.payoff >= 0:
            found[day] = replace(before, principal=before.principal + row.payoff)
        elif row.event_type in (EventType.IP, EventType.PR):
            found[day] = replace(before, interest=before.interest + row.payoff)
        elif row.event_type is EventType.FP:
            found[day] = replace(before, fee=before.fee + row.payoff)
        elif row.event_type is EventType.AD:
            found[day] = replace(before, principal=row.notional_principal, interest=row.accrued_interest)
    return sorted(found.items())


def _whole_rows(dues: Sequence[tuple[date, _Due]], principal: int, *, level: bool) -> tuple[ScheduleRow, ...]:
    """The rounded rows; the last takes what is left of the principal."""
    rows: list[ScheduleRow] = []
    left = principal
    for place, (day, due) in enumerate(dues):
        interest, fee = rounded(due.interest), rounded(due.fee)
        part = rounded(due.principal + due.interest) - interest if level else rounded(due.principal)
        part = left if place + 1 == len(dues) else min(part, left)
        left -= part
        if part or interest or fee:
            rows.append(ScheduleRow(due=day, fee=fee, interest=interest, n=_next(rows), principal=part))
    return tuple(rows)


def _next(rows: Sequence[ScheduleRow]) -> int:
    if len(rows) >= SCHEDULE_ROWS_MAX:
        raise InvalidInput("terms_too_long", "too many instalments", expected=f"at most {SCHEDULE_ROWS_MAX}")
    return len(rows) + 1


def _paid_out(rows: Sequence[Row]) -> Fraction:
    """Principal that went out: the first disbursement at par, and every draw."""
    return sum((_grown(rows, place) for place, row in enumerate(rows) if row.event_type in _DRAWN), Fraction(0))


def _returned_early(rows: Sequence[Row]) -> Fraction:
    """Principal that came back outside the plan: prepayments, and what was repaid on a line."""
    of_line = any(row.event_type is EventType.AD for row in rows)
    early = {EventType.PP, EventType.PR} if of_line else {EventType.PP}
    return -sum((_grown(rows, place) for place, row in enumerate(rows) if row.event_type in early), Fraction(0))


def _capitalised(rows: Sequence[Row]) -> Fraction:
    """Interest that joined the principal: capitalisation, and payments short of the interest."""
    grown = (
        _grown(rows, place)
        for place, row in enumerate(rows)
        if row.event_type is EventType.IPCI or (row.event_type is EventType.PR and row.payoff < 0)
    )
    return sum(grown, Fraction(0))


def _grown(rows: Sequence[Row], place: int) -> Fraction:
    """How much the notional grew with this event."""
    return rows[place].notional_principal - (rows[place - 1].notional_principal if place else 0)


def _called(observed: Sequence[Observed]) -> bool:
    return any(seen.type == EventType.XD for seen in observed)
