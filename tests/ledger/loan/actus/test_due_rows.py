"""Due rows of every product form: exact rows of small loans, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.attestation.credit_kinds import ScheduleRow
from ledger.errors import InvalidInput, NotFound
from ledger.limits import SCHEDULE_ROWS_MAX
from ledger.loan.actus.due_rows import DueSchedule, due_rows, rounded
from ledger.loan.actus.engine import Observed
from ledger.loan.actus.loan_plan import CYCLES, LoanPlan, terms_of
from ledger.loan.calendars import business_days_in, calendar_named

LOAN: dict[str, Any] = {
    "principal": 100_000,
    "rate_ppm": 120_000,
    "disbursed": date(2024, 1, 15),
    "first_due": date(2024, 2, 15),
    "frequency": "monthly",
    "day_count": "30e/360",
}


def plan(form: str, **changed: Any) -> LoanPlan:
    return LoanPlan(form=form, **(LOAN | changed))  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def told(schedule: DueSchedule) -> list[str]:
    """Each row as ``YYMMDD principal+interest``."""
    return [f"{row.due:%y%m%d} {row.principal}+{row.interest}" for row in schedule.rows]


def test_an_annuity_is_level_and_its_last_row_takes_the_residue() -> None:
    assert told(due_rows(terms_of(plan("annuity", instalments=4)))) == [
        "240215 24628+1000",
        "240315 24874+754",
        "240415 25123+505",
        "240515 25375+254",
    ]


def test_a_given_annuity_payment_leaves_the_rest_to_the_last_row() -> None:
    rows = due_rows(terms_of(plan("annuity", instalments=3, payment=30_000))).rows
    assert [row.principal + row.interest for row in rows] == [30_000, 30_000, 42_127]


def test_equal_principal_rounds_each_part_and_the_last_absorbs() -> None:
    assert told(due_rows(terms_of(plan("equal_principal", instalments=3)))) == [
        "240215 33333+1000",
        "240315 33333+667",
        "240415 33334+333",
    ]


def test_a_bullet_pays_interest_as_it_falls_due_or_once() -> None:
    assert told(due_rows(terms_of(plan("bullet", instalments=2)))) == ["240215 0+1000", "240315 100000+1000"]
    once = plan("bullet", frequency="once", first_due=date(2024, 7, 15))
    assert told(due_rows(terms_of(once))) == ["240715 100000+6000"]


def test_negative_amortisation_counts_what_joined_the_principal() -> None:
    schedule = due_rows(terms_of(plan("negative_amortisation", instalments=3, payment=400)))
    assert told(schedule) == ["240215 0+400", "240315 0+400", "240415 101206+1012"]
    assert (schedule.principal, schedule.capitalised) == (100_000, 1_206)


def test_steps_last_until_the_next_one_and_the_loan_until_nothing_is_left() -> None:
    steps = ((date(2024, 2, 15), 20_000), (date(2024, 4, 15), 50_000))
    assert told(due_rows(terms_of(plan("step", parts=steps)))) == [
        "240215 20000+1000",
        "240315 20000+800",
        "240415 50000+600",
        "240515 10000+100",
    ]


def test_a_harvest_loan_is_due_when_the_harvest_is() -> None:
    parts = ((date(2024, 6, 30), 40_000), (date(2024, 11, 30), 60_000))
    assert told(due_rows(terms_of(plan("irregular", parts=parts)))) == ["240630 40000+5500", "241130 60000+3000"]


def test_an_on_demand_loan_is_due_when_it_was_called_for() -> None:
    terms = terms_of(plan("on_demand", frequency="once", first_due=None, notice_days=14))
    assert due_rows(terms) == DueSchedule((), 100_000, 0)
    called = due_rows(terms, observed=[Observed(time=at("2024-03-15"), type="XD")])
    assert told(called) == ["240329 100000+2000"]


def test_a_line_is_due_at_its_end_with_what_is_drawn_then() -> None:
    terms = terms_of(plan("revolving", first_due=None))
    moved = [
        Observed(time=at("2024-02-15"), type="PI", value=Fraction(50_000)),
        Observed(time=at("2024-03-15"), type="PR", value=Fraction(120_000)),
    ]
    schedule = due_rows(terms, until=at("2024-03-30"), observed=moved)
    assert told(schedule) == ["240330 32510+163"]
    assert (schedule.principal, schedule.capitalised) == (30_000, 2_510)


def test_prepayment_shortens_what_is_due() -> None:
    schedule = due_rows(
        terms_of(plan("equal_principal", instalments=2)),
        observed=[Observed(time=at("2024-02-15"), type="PP", value=Fraction(10_000))],
    )
    assert (schedule.principal, sum(row.principal for row in schedule.rows)) == (90_000, 90_000)


def test_fees_stand_in_their_own_column() -> None:
    terms = replace(terms_of(plan("bullet", instalments=2)), fee_basis="A", fee_rate=Fraction(150),
                    cycle_of_fee=CYCLES["monthly"])  # fmt: skip
    assert [(row.fee, row.interest) for row in due_rows(terms).rows] == [(150, 1000), (150, 1000)]


def test_due_days_are_business_days_of_the_calendar() -> None:
    october = plan("equal_principal", disbursed=date(2024, 9, 1), first_due=date(2024, 10, 1), instalments=2,
                   business_day_convention="SCF")  # fmt: skip
    moved = due_rows(terms_of(october), is_business_day=business_days_in("CN"))
    assert [row.due for row in moved.rows] == [date(2024, 10, 8), date(2024, 11, 1)]
    calculated_first = replace(october, business_day_convention="CSF")
    unmoved = due_rows(terms_of(calculated_first), is_business_day=business_days_in("CN"))
    assert [row.due for row in unmoved.rows] == [row.due for row in moved.rows]
    assert [row.interest for row in unmoved.rows] == [1000, 500] != [row.interest for row in moved.rows]


def test_a_make_up_working_day_is_a_due_day() -> None:
    sunday = plan("bullet", disbursed=date(2024, 1, 4), first_due=date(2024, 2, 4), business_day_convention="SCF")
    schedule = due_rows(terms_of(sunday), is_business_day=calendar_named("CN/2024").is_business_day)
    assert [row.due for row in schedule.rows] == [date(2024, 2, 4)]


def test_a_schedule_past_the_frozen_years_says_so() -> None:
    long = plan("annuity", instalments=60, business_day_convention="SCMF")
    with pytest.raises(NotFound) as missing:
        due_rows(terms_of(long), is_business_day=business_days_in("CN"))
    assert missing.value.code == "calendar_unknown" and str(missing.value.found) > "CN/2026"


def test_month_ends_stay_month_ends_where_the_plan_says_so() -> None:
    ends = plan(
        "equal_principal", disbursed=date(2024, 1, 31), first_due=date(2024, 2, 29), instalments=3, month_ends=True
    )
    assert [f"{row.due:%m%d}" for row in due_rows(terms_of(ends)).rows] == ["0229", "0331", "0430"]


def test_a_loan_without_interest_has_rows_of_principal_alone() -> None:
    assert told(due_rows(terms_of(plan("annuity", rate_ppm=0, instalments=3)))) == [
        "240215 33333+0",
        "240315 33333+0",
        "240415 33334+0",
    ]


def test_parts_below_a_minor_unit_never_add_up_to_more_than_the_principal() -> None:
    schedule = due_rows(terms_of(plan("equal_principal", principal=15, rate_ppm=0, instalments=10)))
    assert [row.principal for row in schedule.rows] == [2, 2, 2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(
    ("amount", "whole"), [("1/2", 0), ("3/2", 2), ("5/2", 2), ("-1/2", 0), ("49/100", 0), ("7", 7)]
)
def test_rounding_is_half_even(amount: str, whole: int) -> None:
    assert rounded(Fraction(amount)) == whole


@pytest.mark.parametrize(
    "changed",
    [
        {"form": "annuity", "first_due": None},
        {"form": "annuity", "first_due": date(2024, 1, 15)},
        {"form": "annuity", "frequency": "once", "instalments": 2},
        {"form": "annuity", "frequency": "semi_monthly", "instalments": 2},
        {"form": "annuity", "instalments": 0},
        {"form": "annuity", "principal": -1},
        {"form": "negative_amortisation"},
        {"form": "step"},
        {"form": "irregular"},
        {"form": "irregular", "parts": ((date(2024, 6, 30), 99_999),)},
        {"form": "irregular", "parts": ((date(2024, 6, 30), 50_000), (date(2024, 6, 30), 50_000))},
        {"form": "step", "parts": ((date(2024, 6, 30), 0),)},
    ],
)
def test_a_plan_that_no_schedule_follows_from_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        terms_of(plan(**changed))
    assert refused.value.code == "plan_unusable"


def test_more_rows_than_a_schedule_holds_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        due_rows(terms_of(plan("bullet", frequency="weekly", instalments=SCHEDULE_ROWS_MAX + 1)))
    assert refused.value.code == "terms_too_long"


def test_a_traded_or_index_linked_contract_has_no_due_rows() -> None:
    for changed in ({"purchase_date": at("2024-02-01")}, {"scaling_effect": "IOO"}):
        with pytest.raises(InvalidInput, match="plan_unusable"):
            due_rows(replace(terms_of(plan("bullet", instalments=2)), **changed))  # type: ignore[arg-type]


AMOUNTS = st.integers(1, 10**12)
AMORTISING = st.fixed_dictionaries(
    {
        "principal": AMOUNTS,
        "rate_ppm": st.integers(0, 3_000_000),
        "disbursed": st.dates(date(2015, 1, 1), date(2030, 12, 31)),
        "first_in_days": st.integers(1, 70),
        "frequency": st.sampled_from(sorted(CYCLES)),
        "instalments": st.integers(1, 40),
        "day_count": st.sampled_from(["actual/365", "actual/360", "actual/actual", "30e/360", "30/360"]),
        "month_ends": st.booleans(),
    }
)


def amortising(form: str, facts: dict[str, Any], **more: Any) -> LoanPlan:
    first = facts["disbursed"] + timedelta(days=facts["first_in_days"])
    kept = {name: value for name, value in facts.items() if name != "first_in_days"}
    return LoanPlan(form=form, first_due=first, **kept, **more)  # type: ignore[arg-type]


def check(schedule: DueSchedule, principal: int) -> tuple[ScheduleRow, ...]:
    """What holds for every schedule."""
    rows = schedule.rows
    assert schedule.principal == principal
    assert sum(row.principal for row in rows) == principal + schedule.capitalised
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))
    assert [row.due for row in rows] == sorted({row.due for row in rows})
    assert all(min(row.principal, row.interest, row.fee) >= 0 for row in rows)
    return rows


@settings(max_examples=60, deadline=None)
@given(facts=AMORTISING, form=st.sampled_from(["annuity", "equal_principal", "bullet"]))
def test_principal_parts_add_up_to_the_principal(facts: dict[str, Any], form: str) -> None:
    schedule = due_rows(terms_of(amortising(form, facts)))
    rows = check(schedule, facts["principal"])
    assert 1 <= len(rows) <= facts["instalments"]
    # a level payment over decades is hardly more than the interest, and less than that of the longest period
    assert schedule.capitalised == 0 or form == "annuity"
    if form == "annuity" and facts["principal"] >= 10_000:
        level = [row.principal + row.interest for row in rows]
        assert len(set(level[:-1])) <= 1
        assert abs(level[-1] - level[0]) <= len(rows)


@settings(max_examples=40, deadline=None)
@given(facts=AMORTISING, payment=AMOUNTS)
def test_interest_that_joined_the_principal_is_paid_back_too(facts: dict[str, Any], payment: int) -> None:
    # The debt grows with its interest; in forty years at 60 % still below the largest amount.
    facts = facts | {"principal": facts["principal"] % 10**7 + 1, "rate_ppm": facts["rate_ppm"] % 600_000}
    schedule = due_rows(terms_of(amortising("negative_amortisation", facts, payment=payment)))
    rows = check(schedule, facts["principal"])
    assert schedule.capitalised >= 0
    assert all(row.principal + row.interest <= payment for row in rows[:-1])


def test_a_debt_that_grows_past_the_largest_amount_is_refused() -> None:
    facts = {"principal": 2, "rate_ppm": 2_003_182, "disbursed": date(2015, 1, 1), "first_in_days": 68,
             "frequency": "annual", "instalments": 35, "day_count": "actual/365", "month_ends": False}  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        due_rows(terms_of(amortising("negative_amortisation", facts, payment=1)))
    assert caught.value.code == "amount_too_large"


@settings(max_examples=40, deadline=None)
@given(
    amounts=st.lists(st.integers(1, 10**9), min_size=1, max_size=12),
    gaps=st.lists(st.integers(1, 400), min_size=12, max_size=12),
    rate=st.integers(0, 1_000_000),
)
def test_irregular_parts_are_due_as_agreed(amounts: list[int], gaps: list[int], rate: int) -> None:
    days = [date(2024, 1, 15) + timedelta(days=sum(gaps[: place + 1])) for place in range(len(amounts))]
    parts = tuple(zip(days, amounts, strict=True))
    rows = check(
        due_rows(terms_of(plan("irregular", principal=sum(amounts), rate_ppm=rate, parts=parts))), sum(amounts)
    )
    assert [(row.due, row.principal) for row in rows] == list(parts)
