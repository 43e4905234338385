"""Day counts against exact fractions, each worked out from its convention."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.loan.day_count import DAY_COUNTS, year_fraction

NAMES = ("actual/365", "actual/360", "actual/actual", "30e/360", "30/360")
CASES = [
    ("2024-01-31", "2024-02-29", "29/365", "29/360", "29/366", "29/360", "29/360"),
    ("2024-02-29", "2025-02-28", "1", "73/72", "133283/133590", "359/360", "1"),
    ("2023-12-15", "2024-03-15", "91/365", "91/360", "16616/66795", "1/4", "1/4"),
    ("2024-02-28", "2024-03-31", "32/365", "4/45", "16/183", "4/45", "11/120"),
    ("2023-02-28", "2023-08-31", "184/365", "23/45", "184/365", "91/180", "1/2"),
    ("2024-01-30", "2024-03-31", "61/365", "61/360", "1/6", "1/6", "1/6"),
    ("2024-03-31", "2024-04-30", "6/73", "1/12", "5/61", "1/12", "1/12"),
    ("2022-06-01", "2025-06-01", "1096/365", "137/45", "3", "3", "3"),
    ("2024-08-31", "2024-08-31", "0", "0", "0", "0", "0"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}..{case[1]}")
def test_every_convention_gives_its_exact_fraction(case: tuple[str, ...]) -> None:
    start, end = date.fromisoformat(case[0]), date.fromisoformat(case[1])
    assert {name: year_fraction(name, start, end) for name in NAMES} == dict(
        zip(NAMES, map(Fraction, case[2:]), strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_way_back_is_the_negative_of_the_way_there(name: str) -> None:
    start, end = date(2023, 11, 30), date(2024, 5, 31)
    assert year_fraction(name, end, start) == -year_fraction(name, start, end)


@given(st.lists(st.dates(date(2000, 1, 1), date(2099, 12, 31)), min_size=3, max_size=3).map(sorted))
def test_actual_conventions_add_up_over_adjoining_spans(days: list[date]) -> None:
    for name in ("actual/365", "actual/360", "actual/actual"):
        parts = year_fraction(name, days[0], days[1]) + year_fraction(name, days[1], days[2])
        assert parts == year_fraction(name, days[0], days[2])


def test_actual_actual_reaches_the_last_day_there_is() -> None:
    assert year_fraction("actual/actual", date(9999, 1, 1), date(9999, 12, 31)) == Fraction(364, 364)


def test_an_unknown_convention_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as refused:
        year_fraction("actual/364", date(2024, 1, 1), date(2024, 2, 1))
    assert (refused.value.code, refused.value.expected) == ("day_count_unknown", ", ".join(sorted(DAY_COUNTS)))
