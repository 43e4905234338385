"""When a loan may leave default: not with a payment, but when the pack's probation is over (domain rule 8).

    may_leave_default(cleared_on=date(2026, 1, 10), as_of=date(2026, 4, 10), months=3)        True

Rules
- Probation begins on the day from which nothing is past due, or on which the observation of a restructuring starts,
  whichever is later, and lasts the pack's months (calendar months; the last day of a shorter month).
- Any day past due in between begins it anew: ``clean_since`` is then later.
- A cure attests when the probation ends; the ledger shows the loan in default until that day (facts.py).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date


def probation_end(clean_since: date, *, months: int, observation_start: date | None = None) -> date:
    """The day on which default may end."""
    start = max(clean_since, observation_start or clean_since)
    month = start.year * 12 + start.month - 1 + months
    year, place = divmod(month, 12)
    return date(year, place + 1, min(start.day, monthrange(year, place + 1)[1]))


def may_leave_default(
    *, clean_since: date | None, as_of: date, months: int, observation_start: date | None = None
) -> bool:
    """Whether default may end on ``as_of``; ``clean_since`` None: something is past due."""
    if clean_since is None:
        return False
    return as_of >= probation_end(clean_since, months=months, observation_start=observation_start)
