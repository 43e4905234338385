"""Business-day conventions on month ends that fall on weekends, and what is calculated when."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from ledger.errors import InvalidInput
from ledger.loan.business_days import SHIFTS, BusinessDays, every_day, monday_to_friday, shifted

SATURDAY_END = date(2013, 8, 31)  # the next business day is in September
SUNDAY_START = date(2013, 9, 1)  # the one before is in August
SATURDAY_MIDNIGHT = datetime.fromisoformat("2013-08-31")
MIDDLE = date(2013, 9, 14)  # a Saturday inside its month


@pytest.mark.parametrize(
    ("rule", "at_end", "at_start", "inside"),
    [
        ("F", date(2013, 9, 2), date(2013, 9, 2), date(2013, 9, 16)),
        ("MF", date(2013, 8, 30), date(2013, 9, 2), date(2013, 9, 16)),
        ("P", date(2013, 8, 30), date(2013, 8, 30), date(2013, 9, 13)),
        ("MP", date(2013, 8, 30), date(2013, 9, 2), date(2013, 9, 13)),
        (None, SATURDAY_END, SUNDAY_START, MIDDLE),
    ],
)
def test_each_rule_moves_a_weekend_its_own_way(rule: str | None, at_end: date, at_start: date, inside: date) -> None:
    found = [shifted(day, rule, monday_to_friday) for day in (SATURDAY_END, SUNDAY_START, MIDDLE)]
    assert found == [at_end, at_start, inside]


@pytest.mark.parametrize("rule", sorted(SHIFTS))
def test_a_business_day_stays_where_it_is(rule: str) -> None:
    assert shifted(date(2013, 9, 3), rule, monday_to_friday) == date(2013, 9, 3)
    assert shifted(SATURDAY_END, rule, every_day) == SATURDAY_END


@pytest.mark.parametrize("rule", sorted(SHIFTS))
def test_shift_first_calculates_on_the_moved_day_and_calculate_first_on_the_unmoved(rule: str) -> None:
    at = SATURDAY_MIDNIGHT
    moved = datetime.combine(shifted(at.date(), rule, monday_to_friday), at.time())
    shift_first = BusinessDays(f"SC{rule}", monday_to_friday)
    calculate_first = BusinessDays(f"CS{rule}", monday_to_friday)
    assert (shift_first.event_time(at), shift_first.calculation_time(at)) == (moved, moved)
    assert (calculate_first.event_time(at), calculate_first.calculation_time(at)) == (moved, at)


@pytest.mark.parametrize("convention", [None, "NOS"])
def test_no_convention_moves_nothing(convention: str | None) -> None:
    days, at = BusinessDays(convention, monday_to_friday), SATURDAY_MIDNIGHT
    assert (days.event_time(at), days.calculation_time(at)) == (at, at)


def test_the_time_of_day_stays() -> None:
    moved = BusinessDays("SCF", monday_to_friday).event_time(datetime.fromisoformat("2013-08-31T23:59:59"))
    assert moved.isoformat() == "2013-09-02T23:59:59"


@pytest.mark.parametrize("convention", ["SC", "F", "SCX", "CSFM", "scf"])
def test_an_unknown_convention_is_refused(convention: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        BusinessDays(convention, every_day)
    assert refused.value.code == "convention_unknown"


def test_an_unknown_plain_rule_is_refused() -> None:
    with pytest.raises(InvalidInput, match="convention_unknown"):
        shifted(MIDDLE, "N", every_day)


def test_a_calendar_without_business_days_ends_the_search() -> None:
    with pytest.raises(InvalidInput) as refused:
        shifted(MIDDLE, "F", lambda day: False)
    assert refused.value.code == "calendar_unusable"
