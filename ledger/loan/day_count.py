"""Day counts: which part of a year lies between two days, as an exact rational.

Rules
- ``actual/365``: days / 365 (ISDA 2006 section 4.16 (d), Actual/365 Fixed).
- ``actual/360``: days / 360 (4.16 (e)).
- ``actual/actual``: days in leap years / 366 + days in other years / 365 (4.16 (b), Actual/Actual ISDA).
- ``30e/360``: every month has 30 days, both ends capped at 30 (4.16 (g), Eurobond basis).
- ``30/360``: the American bond basis, month ends of February included (SIFMA, Standard Securities Calculation
  Methods): a start on the last of February counts as the 30th; an end on the last of February counts as the 30th when
  the start was one too; an end on the 31st counts as the 30th when the start is the 30th or later.
- The fraction over an empty span is 0; from a later day to an earlier one it is the negative of the way back.

>>> from datetime import date
>>> year_fraction("30e/360", date(2024, 1, 31), date(2024, 2, 29))
Fraction(29, 360)

The names are those of an agreement's ``dayCount``; ``ledger.loan.actus.terms`` maps ACTUS's own. No business-day
counting (BUS/252): no calendar belongs to a day count here.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import Final

from ledger.errors import InvalidInput

YearFraction = Callable[[date, date], Fraction]
"""Fraction of a year from the first day to the second; the first is not after the second."""


def _actual_365(start: date, end: date) -> Fraction:
    return Fraction((end - start).days, 365)


def _actual_360(start: date, end: date) -> Fraction:
    return Fraction((end - start).days, 360)


def _actual_actual(start: date, end: date) -> Fraction:
    total = Fraction(0)
    for year in range(start.year, end.year + 1):
        first, following = date(year, 1, 1), date(year + 1, 1, 1) if year < date.max.year else date.max
        days = (min(end, following) - max(start, first)).days
        total += Fraction(days, (following - first).days)
    return total


def _thirty_e_360(start: date, end: date) -> Fraction:
    return _thirty_360_days(start, end, min(start.day, 30), min(end.day, 30))


def _thirty_360_us(start: date, end: date) -> Fraction:
    start_day, end_day = start.day, end.day
    if _ends_february(start):
        start_day = 30
        end_day = 30 if _ends_february(end) else end_day
    if end_day == 31 and start_day >= 30:
        end_day = 30
    return _thirty_360_days(start, end, min(start_day, 30), end_day)


def _thirty_360_days(start: date, end: date, start_day: int, end_day: int) -> Fraction:
    days = 360 * (end.year - start.year) + 30 * (end.month - start.month) + end_day - start_day
    return Fraction(days, 360)


def _ends_february(day: date) -> bool:
    return day.month == 2 and day.day == monthrange(day.year, 2)[1]


DAY_COUNTS: Final[dict[str, YearFraction]] = {
    "actual/365": _actual_365,
    "actual/360": _actual_360,
    "actual/actual": _actual_actual,
    "30e/360": _thirty_e_360,
    "30/360": _thirty_360_us,
}
"""Name of a day count (``ledger.attestation.fields.DayCount``) -> its rule."""


def year_fraction(day_count: str, start: date, end: date) -> Fraction:
    """Fraction of a year from ``start`` to ``end`` under ``day_count``.

    Raises InvalidInput ``day_count_unknown``.
    """
    rule = DAY_COUNTS.get(day_count)
    if rule is None:
        raise InvalidInput(
            "day_count_unknown", "no such day count", expected=", ".join(sorted(DAY_COUNTS)), found=day_count
        )
    return rule(start, end) if start <= end else -rule(end, start)
