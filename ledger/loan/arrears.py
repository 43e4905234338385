"""How late a loan is on a day: one integer, from which every country's codes are derived at read time.

Rules (numbers after the domain's list)
1. Days past due on a day = the day less the due date of the oldest instalment not fully met, 0 if there is none. A part
   payment reduces arrears and never the days, until that instalment is met.
4. Delinquent days = days past due - grace - paused days, floor 0. Grace never changes the days past due.
11. After a charge-off or a write-off the count stops; so it does for the seller of a loan when it is sold.
- The books' own count goes on from the day they counted from, until what they called overdue is paid.
- The count grows with no event: it is computed for a day and never stored as truth.
- A state answers for days from its newest event on; for an earlier day the account is folded for that day (account.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledger.loan.lifecycle import Stage
from ledger.loan.state import LoanState, unmet_of

_COUNTING = frozenset({Stage.ACTIVE.value, Stage.RECOVERED.value, Stage.SOLD.value, Stage.WRITTEN_OFF.value})


@dataclass(frozen=True)
class Arrears:
    """Days and money past due on ``as_of``. ``amount`` is minor units; None where the books never said."""

    as_of: date
    days: int
    delinquent_days: int
    since: date | None
    amount: int | None


def oldest_unmet(state: LoanState, as_of: date) -> tuple[date | None, int]:
    """(due date of the oldest instalment due before ``as_of`` and not fully met, amount overdue in all), by the plan."""
    since, overdue, today = None, 0, as_of.toordinal()
    for row in state.schedule:
        if row[0] >= today:
            break
        unmet = unmet_of(row)
        if unmet:
            since = since or row[0]
            overdue += unmet
    return (None if since is None else date.fromordinal(since)), overdue


def last_counted_day(state: LoanState, as_of: date) -> date:
    """The day up to which days past due are counted: ``as_of``, or the day on which the count stopped."""
    stops = [day for day in (state.charged_off, state.closed if state.stage in _COUNTING else None) if day is not None]
    return min([as_of, *stops])


def arrears(state: LoanState, as_of: date) -> Arrears:
    """How late the loan is on ``as_of``."""
    if state.stage not in _COUNTING:
        return Arrears(as_of, 0, 0, None, 0)
    last = last_counted_day(state, as_of)
    planned, overdue = oldest_unmet(state, last)
    since = min((day for day in (planned, state.since) if day is not None), default=None)
    known = state.planned_until or overdue or state.past_due is not None
    amount = overdue + (state.past_due or 0) if known else None
    if since is None or since >= last:
        return Arrears(as_of, 0, 0, None, amount)
    days = (last - since).days
    return Arrears(as_of, days, max(days - state.grace_days - paused_days(state, since, last), 0), since, amount)


def paused_days(state: LoanState, since: date, until: date) -> int:
    """Days between ``since`` and ``until`` that a pause covers; days before the due date do not count, and a day that
    two pauses cover counts once."""
    first, last, covered = since.toordinal(), until.toordinal(), 0
    for start, end in sorted(state.pauses):
        start, end = max(start, first), min(end, last)
        covered += max(end - start, 0)
        first = max(first, end)
    return covered
