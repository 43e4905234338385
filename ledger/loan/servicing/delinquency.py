"""Days: how long a loan is past due on a day, how many of them count as delinquent, and the range they fall into.

    late = lateness(position, Rules(grace_days=3), on=date(2024, 3, 1))
    late.days_past_due, late.delinquent_days, late.since

Rules
- Days past due = the day less the due date of the oldest row not fully met; 0 if there is none (domain rule 1).
- Delinquent days = days past due - grace - paused days, floor 0; grace and pauses never change days past due (rule 4).
- A pause counts the days on which it ran since that due date, a day in two pauses once. ``pause_counts="whole"``: all
  days of all pauses so far, even those before the due date (Apache Fineract's way; ours is ``after_due``).
- After a charge-off or write-off the count stops on its day (rule 11).
- Each past-due row may be counted by itself: without grace, with the pauses, while the loan counts as delinquent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.position import Instalment, Position


@dataclass(frozen=True)
class Range:
    """A named span of delinquent days; ``last`` None: without end."""

    name: str
    first: int
    last: int | None

    def holds(self, days: int) -> bool:
        """Whether a count of days falls into the range."""
        return self.first <= days and (self.last is None or days <= self.last)


@dataclass(frozen=True)
class Lateness:
    """How late a loan is on ``on``. ``since``: the oldest unmet row's due date and the grace; ``amount``: minor units
    past due; ``oldest``: that row."""

    on: date
    days_past_due: int
    delinquent_days: int
    since: date | None
    amount: int
    oldest: Instalment | None


def paused_days(position: Position, rules: Rules, due: date, on: date) -> int:
    """Days up to ``on`` that do not count for a row due on ``due``; a day in two pauses counts once."""
    if rules.pause_counts == "whole":
        return sum(max((min(on, end or on) - start).days, 0) for start, end in position.pauses)
    counted, total = due, 0
    for start, end in sorted(position.pauses, key=lambda pause: pause[0]):
        first, last = max(start, counted), min(on, end or on)
        total += max((last - first).days, 0)
        counted = max(counted, last)
    return total


def lateness(position: Position, rules: Rules, on: date) -> Lateness:
    """Days past due and delinquent days on a day, from the position of that day."""
    counted_to = min(day for day in (on, position.charged_off_on, position.written_off_on) if day is not None)
    oldest = position.oldest_unmet(counted_to)
    if oldest is None:
        return Lateness(on, 0, 0, None, 0, None)
    days = (counted_to - oldest.due).days
    counted = max(days - rules.grace_days - paused_days(position, rules, oldest.due, counted_to), 0)
    since = oldest.due + timedelta(days=rules.grace_days)
    return Lateness(on, days, counted, since, position.overdue(counted_to).total, oldest)


def range_of(ranges: Sequence[Range], days: int) -> Range | None:
    """The range that a count of delinquent days falls into; None below the first."""
    return next((one for one in ranges if one.holds(days)), None)


def by_instalment(position: Position, rules: Rules, ranges: Sequence[Range], on: date) -> dict[str, int]:
    """Range name -> minor units past due of the rows in it, row by row, ranges in their order."""
    if not lateness(position, rules, on).delinquent_days:
        return {}
    sums = {one.name: 0 for one in ranges}
    for row in position.rows:
        if row.due < on and row.unmet.total:
            days = (on - row.due).days - paused_days(position, rules, row.due, on)
            found = range_of(ranges, days)
            if found is not None:
                sums[found.name] += row.unmet.total
    return {name: amount for name, amount in sums.items() if amount}
