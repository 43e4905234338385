"""How late a loan is on a day: one integer, from which every country's codes are derived at read time.

Rules (numbers after the domain's list)
1. Days past due on a day = the day less the due date of the oldest instalment not fully met, 0 if there is none. A part
   payment reduces arrears and never the days, until that instalment is met.
4. Delinquent days = days past due - grace - paused days, floor 0. Grace never changes the days past due.
11. After a charge-off the count stops.
- Where no schedule is known the books' own count goes on from the day they counted from.
- The count grows with no event: it is computed for a day and never stored as truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledger.loan.lifecycle import Stage
from ledger.loan.state import LoanState

_COUNTING = frozenset({Stage.ACTIVE.value, Stage.SOLD.value})


@dataclass(frozen=True)
class Arrears:
    """Days and money past due on ``as_of``. ``amount`` is minor units; None where the books never said."""

    as_of: date
    days: int
    delinquent_days: int
    since: date | None
    amount: int | None


def oldest_unmet(state: LoanState, as_of: date) -> tuple[date | None, int]:
    """(due date of the oldest instalment due before ``as_of`` and not fully met, amount overdue in all)."""
    left = state.paid - state.charges
    since, overdue, today = None, 0, as_of.toordinal()
    for due, amount in state.schedule:
        if due >= today:
            break
        met = min(max(left, 0), amount)
        left -= amount
        if met < amount:
            since = since or due
            overdue += amount - met
    return (None if since is None else date.fromordinal(since)), overdue


def arrears(state: LoanState, as_of: date) -> Arrears:
    """How late the loan is on ``as_of``."""
    if state.stage not in _COUNTING:
        return Arrears(as_of, 0, 0, None, 0)
    last_counted = as_of if state.charged_off is None else min(as_of, state.charged_off)
    by_books = state.since, state.past_due
    since, amount = oldest_unmet(state, last_counted) if state.schedule else by_books
    if since is None or since >= last_counted:
        return Arrears(as_of, 0, 0, None, amount)
    days = (last_counted - since).days
    return Arrears(as_of, days, max(days - state.grace_days - _paused(state, since, last_counted), 0), since, amount)


def _paused(state: LoanState, since: date, until: date) -> int:
    """Days between ``since`` and ``until`` that a pause covers; days before the due date do not count."""
    first, last = since.toordinal(), until.toordinal()
    return sum(max(min(end, last) - max(start, first), 0) for start, end in state.pauses)
