"""Lengths of time as laws state them, counted on the calendar.

    >>> after(date(2024, 1, 31), 1, "months"), after(date(2026, 11, 20), 5, "business_days")
    (datetime.date(2024, 2, 29), datetime.date(2026, 11, 27))

Rules
- Days are calendar days; the day of the event is not counted.
- Months and years end on the same day of the month, or on the month's last day where it has no such day.
- Business days are Monday to Friday without ``holidays``, which the caller gives: whose holidays count is the law's.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


def months_after(day: date, months: int) -> date:
    """The same day of the month ``months`` later, or that month's last day."""
    month = day.year * 12 + day.month - 1 + months
    year, number = month // 12, month % 12 + 1
    return date(year, number, min(day.day, monthrange(year, number)[1]))


def after(day: date, value: int, unit: str, *, holidays: Collection[date] = ()) -> date:
    """The last day of a period of ``value`` ``unit`` (days, business_days, months, years) that begins after ``day``."""
    if unit == "months":
        return months_after(day, value)
    if unit == "years":
        return months_after(day, value * 12)
    if unit == "business_days":
        return _business_days_after(day, value, holidays)
    return day + timedelta(days=value)


def _business_days_after(day: date, left: int, holidays: Collection[date]) -> date:
    while left:
        day += _DAY
        left -= day.weekday() < _SATURDAY and day not in holidays
    return day
