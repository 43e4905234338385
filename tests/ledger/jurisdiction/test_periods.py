"""Periods on the calendar."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.jurisdiction.periods import after


@pytest.mark.parametrize(
    ("start", "value", "unit", "end"),
    [
        (date(2026, 3, 2), 20, "days", date(2026, 3, 22)),
        (date(2024, 1, 31), 1, "months", date(2024, 2, 29)),
        (date(2025, 1, 31), 1, "months", date(2025, 2, 28)),
        (date(2026, 11, 30), 3, "months", date(2027, 2, 28)),
        (date(2024, 2, 29), 1, "years", date(2025, 2, 28)),
        (date(2024, 2, 29), 4, "years", date(2028, 2, 29)),
        (date(2026, 8, 31), -6, "months", date(2026, 2, 28)),
        (date(2026, 11, 20), 5, "business_days", date(2026, 11, 27)),
        (date(2026, 11, 21), 1, "business_days", date(2026, 11, 23)),
    ],
)
def test_a_period_ends_where_the_calendar_says(start: date, value: int, unit: str, end: date) -> None:
    assert after(start, value, unit) == end


def test_a_holiday_is_no_business_day() -> None:
    thanksgiving = date(2026, 11, 26)
    assert after(date(2026, 11, 20), 5, "business_days", holidays={thanksgiving}) == date(2026, 11, 30)
