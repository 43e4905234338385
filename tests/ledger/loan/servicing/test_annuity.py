"""Interest in simple plans, worked by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ledger.loan.servicing.annuity import Interest, declining, flat, instalment
from ledger.loan.servicing.plan import Terms

YEAR = Interest(rate_ppm=120_000)


def terms(count: int, multiple: int = 100) -> Terms:
    return Terms(start=date(2023, 9, 1), every=1, unit="months", count=count, multiple=multiple)


def test_flat_interest_is_the_same_in_every_row() -> None:
    assert [(row.principal, row.interest) for row in flat(terms(3), YEAR, 100_000)] == [
        (33_300, 1_000),
        (33_300, 1_000),
        (33_400, 1_000),
    ]


def test_an_instalment_repays_what_it_should() -> None:
    assert instalment(100_000, Fraction(1, 100), 12, 1) == 8_885
    assert instalment(90_000, Fraction(0), 3, 1) == 30_000


def test_declining_interest_is_that_of_the_balance_before_the_row() -> None:
    interest = Interest(rate_ppm=150_000)
    assert [(row.principal, row.interest) for row in declining(terms(4), interest, 125_000)] == [
        (30_638, 1_562),
        (31_020, 1_180),
        (31_408, 792),
        (31_934, 399),
    ]


def test_daily_interest_counts_the_days_of_each_period() -> None:
    rows = declining(terms(2), Interest(rate_ppm=120_000, daily=True), 500_000)
    assert [row.interest for row in rows] == [4_932, 2_561]


def test_grace_on_principal_leaves_interest_and_grace_on_interest_defers_it() -> None:
    interest = Interest(rate_ppm=120_000, grace_principal=2, grace_interest=1)
    rows = declining(terms(4), interest, 100_000)
    assert [(row.principal, row.interest) for row in rows] == [(0, 0), (0, 2_000), (49_800, 1_000), (50_200, 502)]


def test_early_money_lowers_the_balance_from_its_day_and_the_instalments_after() -> None:
    daily = Interest(rate_ppm=120_000, daily=True)
    six = Terms(start=date(2022, 11, 1), every=1, unit="months", count=6, multiple=100)
    rows = declining(six, daily, 500_000, [(date(2022, 11, 27), 86_300)])
    assert [(row.principal, row.interest) for row in rows[:2]] == [(86_300, 4_818), (80_984, 4_216)]
    assert len(rows) == 6


def test_or_the_loan_ends_earlier() -> None:
    fewer = Interest(rate_ppm=120_000, daily=True, early="fewer_rows")
    six = Terms(start=date(2022, 11, 1), every=1, unit="months", count=6, multiple=100)
    paid = [(date(2022, 12, 1), 100_000), (date(2023, 1, 1), 200_000)]
    assert [row.principal + row.interest for row in declining(six, fewer, 500_000, paid)] == [
        100_000, 200_000, 86_200, 86_200, 40_348,
    ]  # fmt: skip


def test_with_rest_on_due_days_early_money_lowers_the_balance_only_from_the_next_due_day() -> None:
    early = [(date(2023, 9, 11), 60_000)]
    own_day = declining(terms(3, 1), Interest(rate_ppm=120_000, daily=True), 120_000, early)
    due_day = declining(terms(3, 1), Interest(rate_ppm=120_000, daily=True, rest="due_day"), 120_000, early)
    assert [(row.principal, row.interest) for row in own_day[:2]] == [(60_000, 789), (29_833, 612)]
    assert [(row.principal, row.interest) for row in due_day[:2]] == [(58_816, 1_184), (30_421, 624)]


def test_a_period_bears_interest_on_the_principal_in_fact_and_the_plan_goes_on() -> None:
    rows = declining(terms(3, 1), YEAR, 120_000, in_fact={date(2023, 10, 1): 120_000})
    assert [(row.principal, row.interest) for row in rows] == [(39_603, 1_200), (39_603, 1_200), (40_794, 408)]


def test_no_row_asks_for_less_than_nothing_where_the_interest_is_more_than_the_instalment() -> None:
    rows = declining(terms(3, 1), YEAR, 120_000, in_fact={date(2023, 10, 1): 10_000_000})
    assert [(row.principal, row.interest) for row in rows[1:]] == [(0, 100_000), (80_397, 804)]


@given(st.integers(1, 10**9), st.integers(1, 120), st.integers(0, 900_000), st.booleans())
def test_principal_adds_up_and_interest_is_not_negative(amount: int, count: int, rate: int, daily: bool) -> None:
    rows = declining(terms(count, 1), Interest(rate_ppm=rate, daily=daily), amount)
    assert sum(row.principal for row in rows) == amount
    assert min(row.interest for row in rows) >= 0
