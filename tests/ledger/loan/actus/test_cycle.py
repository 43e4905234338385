"""Cycles and schedules: stubs, month ends, arrays, and what is no cycle."""

from __future__ import annotations

from datetime import datetime

import pytest

from ledger.errors import InvalidInput
from ledger.loan.actus.cycle import TIMES_MAX, Cycle, segments, times


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def days(anchor: str, cycle: str | None, end: str, *, eom: bool = False, with_end: bool = True) -> str:
    found = times(at(anchor), cycle and Cycle.parse(cycle), at(end), eom=eom, with_end=with_end)
    return " ".join(f"{day:%y%m%d}" for day in found)


@pytest.mark.parametrize(
    ("text", "months", "in_days", "long_stub"),
    [
        ("P1ML0", 1, 0, True),
        ("P1ML1", 1, 0, False),
        ("P2WL0", 0, 14, True),
        ("P27DL1", 0, 27, False),
        ("P1QL1", 3, 0, False),
        ("P1HL1", 6, 0, False),
        ("P2YL1", 24, 0, False),
        ("P31D", 0, 31, False),
    ],
)
def test_every_unit_is_months_or_days(text: str, months: int, in_days: int, long_stub: bool) -> None:
    assert Cycle.parse(text) == Cycle(months, in_days, long_stub)


@pytest.mark.parametrize("text", ["", "1M", "P1M1", "PT1H", "P1ML2", "P-1ML0", "P1.5ML1", "P99999D"])
def test_what_is_no_cycle_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="terms_malformed"):
        Cycle.parse(text)


def test_a_whole_last_period_has_no_stub() -> None:
    assert days("2024-01-15", "P1ML0", "2024-04-15") == days("2024-01-15", "P1ML1", "2024-04-15")
    assert days("2024-01-15", "P1ML0", "2024-04-15") == "240115 240215 240315 240415"


def test_a_short_stub_stands_and_a_long_one_swallows_the_period_before() -> None:
    assert days("2024-01-15", "P1ML1", "2024-04-02") == "240115 240215 240315 240402"
    assert days("2024-01-15", "P1ML0", "2024-04-02") == "240115 240215 240402"


def test_a_long_stub_leaves_a_single_time_alone() -> None:
    assert days("2024-01-15", "P1ML0", "2024-02-02") == "240115 240202"


def test_the_end_belongs_to_the_schedule_only_where_asked_for() -> None:
    assert days("2024-01-15", "P1ML1", "2024-03-15", with_end=False) == "240115 240215"
    assert days("2024-01-15", None, "2024-03-15", with_end=False) == "240115"
    assert days("2024-03-15", None, "2024-03-15") == "240315"


def test_a_month_end_cut_in_february_comes_back_in_march() -> None:
    assert days("2024-01-31", "P1ML1", "2024-05-31", with_end=False) == "240131 240229 240331 240430"
    assert days("2024-01-30", "P1ML1", "2024-05-30", eom=True, with_end=False) == "240130 240229 240330 240430"


def test_end_of_month_holds_from_a_short_month_on() -> None:
    assert days("2024-02-29", "P1ML1", "2024-06-30", eom=True, with_end=False) == "240229 240331 240430 240531"
    assert days("2024-02-29", "P1ML1", "2024-06-30", with_end=False) == "240229 240329 240429 240529 240629"


def test_end_of_month_means_nothing_to_weeks() -> None:
    assert days("2024-01-31", "P2WL1", "2024-03-01", eom=True, with_end=False) == "240131 240214 240228"


def test_segments_run_until_the_next_anchor() -> None:
    anchors = [at("2024-01-01"), at("2024-03-01")]
    cycles = [Cycle.parse("P1ML1"), Cycle.parse("P2WL1")]
    found = segments(anchors, cycles, at("2024-04-01"), eom=False)
    assert [[f"{day:%m%d}" for day in part] for part in found] == [["0101", "0201"], ["0301", "0315", "0329"]]
    assert segments([], [], at("2024-04-01"), eom=False) == []


def test_a_schedule_without_end_is_refused_and_so_is_one_that_stands_still() -> None:
    with pytest.raises(InvalidInput) as too_long:
        days("2024-01-01", "P1DL1", "2044-01-01")
    assert (too_long.value.code, too_long.value.expected) == ("terms_too_long", f"at most {TIMES_MAX}")
    with pytest.raises(InvalidInput, match="terms_malformed"):
        days("2024-01-01", "P0DL1", "2044-01-01")
