"""The history is one character a month, newest first, with gaps and edges that mean one thing each."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.loan.history import ALPHABET, GRID_MONTHS_MAX, character_of, month_of, profile, with_month

JAN_2019 = 2019 * 12


def test_a_month_is_a_number_and_december_is_next_to_january() -> None:
    assert month_of(date(2019, 1, 31)) == JAN_2019
    assert month_of(date(2018, 12, 1)) == JAN_2019 - 1


@pytest.mark.parametrize(("status", "dpd", "character"), [
    ("current", 0, "0"), ("current", None, "0"), ("past_due", 29, "0"), ("past_due", 30, "1"), ("past_due", 59, "1"),
    ("past_due", 60, "2"), ("past_due", 180, "6"), ("past_due", 5_000, "6"), (None, None, "D"), (None, 90, "3"),
    ("charged_off", 400, "L"), ("collection", None, "G"), ("foreclosed", 0, "H"), ("surrendered", 0, "J"),
    ("repossessed", 0, "K"), ("closed", 0, "E"),
])  # fmt: skip
def test_a_snapshot_has_one_character(status: str | None, dpd: int | None, character: str) -> None:
    assert character_of(status, dpd) == character
    assert character in ALPHABET


def test_the_first_month_begins_a_grid() -> None:
    assert with_month(0, "", JAN_2019, "0") == (JAN_2019, "0")


def test_a_newer_month_goes_in_front_and_the_gap_reads_nothing_reported() -> None:
    assert with_month(JAN_2019, "01", JAN_2019 + 1, "2") == (JAN_2019 + 1, "201")
    assert with_month(JAN_2019, "01", JAN_2019 + 3, "2") == (JAN_2019 + 3, "2DD01")


def test_a_month_that_is_reported_again_is_replaced() -> None:
    assert with_month(JAN_2019, "012", JAN_2019 - 1, "6") == (JAN_2019, "062")


def test_an_older_month_goes_to_the_end_and_the_gap_reads_nothing_reported() -> None:
    assert with_month(JAN_2019, "0", JAN_2019 - 3, "4") == (JAN_2019, "0DD4")


def test_a_grid_keeps_seven_years_whichever_way_it_grows() -> None:
    full = "0" * GRID_MONTHS_MAX
    assert with_month(JAN_2019, full, JAN_2019 + 1, "1") == (JAN_2019 + 1, "1" + full[:-1])
    assert with_month(JAN_2019, full, JAN_2019 + 500, "1") == (JAN_2019 + 500, "1" + "D" * (GRID_MONTHS_MAX - 1))
    assert with_month(JAN_2019, "0", JAN_2019 - 500, "1") == (JAN_2019, "0" + "D" * (GRID_MONTHS_MAX - 1))


def test_a_profile_is_the_months_before_a_month_padded_before_the_first() -> None:
    assert profile(JAN_2019, "012", JAN_2019 + 1) == "012" + "B" * 21
    assert profile(JAN_2019, "012", JAN_2019) == "12" + "B" * 22


def test_months_after_the_newest_report_read_nothing_reported() -> None:
    assert profile(JAN_2019, "01", JAN_2019 + 3, months=5) == "DD01B"


def test_a_loan_without_reports_has_a_profile_before_its_history() -> None:
    assert profile(0, "", JAN_2019, months=3) == "BBB"
