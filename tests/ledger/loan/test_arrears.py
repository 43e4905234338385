"""Days past due by the domain's rules 1, 4 and 11, and by the books where there is no schedule."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.loan.arrears import Arrears, arrears, oldest_unmet
from ledger.loan.state import LoanState, OpenInstalment

DUE = [date(2019, 1, 10), date(2019, 2, 10), date(2019, 3, 10)]


def plan(*unmet: int) -> tuple[OpenInstalment, ...]:
    """Instalments due on DUE of which this much is unmet."""
    return tuple((day.toordinal(), 0, 0, 0, amount) for day, amount in zip(DUE, unmet, strict=True))


def loan(*unmet: int, **changed: Any) -> LoanState:
    rows = plan(*(unmet or (100, 100, 100)))
    facts: dict[str, Any] = {"stage": "active", "schedule": rows, "planned_until": DUE[2].toordinal()}
    return LoanState(**(facts | changed))


def days_of(state: LoanState, as_of: date) -> tuple[int, int]:
    late = arrears(state, as_of)
    return late.days, late.delinquent_days


def test_rule_1_days_count_from_the_oldest_instalment_that_is_not_fully_met() -> None:
    assert days_of(loan(), DUE[0]) == (0, 0)
    assert days_of(loan(), date(2019, 1, 11)) == (1, 1)
    assert days_of(loan(), date(2019, 3, 11)) == (60, 60)
    assert days_of(loan(0, 100, 100), date(2019, 3, 11)) == (29, 29)
    assert days_of(loan(0, 0, 100), DUE[2]) == (0, 0)


def test_rule_1_a_part_payment_reduces_the_arrears_and_never_the_days() -> None:
    before, after = arrears(loan(), date(2019, 2, 20)), arrears(loan(1, 100, 100), date(2019, 2, 20))
    assert (before.days, before.amount) == (41, 200)
    assert (after.days, after.amount) == (41, 101)
    assert arrears(loan(0, 100, 100), date(2019, 2, 20)) == Arrears(date(2019, 2, 20), 10, 10, DUE[1], 100)


def test_the_oldest_of_books_and_plan_counts_and_their_amounts_add_up() -> None:
    books = loan(since=date(2018, 12, 1), past_due=7)
    assert arrears(books, date(2019, 1, 20)) == Arrears(date(2019, 1, 20), 50, 50, date(2018, 12, 1), 107)


def test_rule_4_grace_and_pauses_lessen_delinquent_days_and_never_the_days_past_due() -> None:
    pause = (date(2019, 1, 15).toordinal(), date(2019, 1, 20).toordinal())
    assert days_of(loan(grace_days=3), date(2019, 1, 12)) == (2, 0)
    assert days_of(loan(grace_days=3), date(2019, 1, 15)) == (5, 2)
    assert days_of(loan(pauses=(pause,)), date(2019, 1, 18)) == (8, 5)
    assert days_of(loan(grace_days=3, pauses=(pause,)), date(2019, 1, 30)) == (20, 12)


def test_rule_4_a_day_that_two_pauses_cover_counts_once() -> None:
    first = (date(2019, 1, 15).toordinal(), date(2019, 1, 20).toordinal())
    second = (date(2019, 1, 12).toordinal(), date(2019, 1, 18).toordinal())
    assert days_of(loan(pauses=(first, second)), date(2019, 1, 30)) == (20, 12)


def test_rule_4_a_pause_before_the_due_date_or_after_the_day_changes_nothing() -> None:
    early = (date(2018, 12, 1).toordinal(), date(2019, 1, 5).toordinal())
    later = (date(2019, 5, 1).toordinal(), date(2019, 6, 1).toordinal())
    assert days_of(loan(pauses=(early, later)), date(2019, 1, 20)) == (10, 10)


def test_rule_11_the_count_stops_at_the_charge_off() -> None:
    state = loan(charged_off=date(2019, 2, 1))
    assert days_of(state, date(2019, 1, 31)) == (21, 21)
    assert days_of(state, date(2030, 1, 1)) == (22, 22)
    assert arrears(state, date(2030, 1, 1)).amount == 100


@pytest.mark.parametrize("stage", ["approved", "paid", "overpaid", "refinanced", "settled_short"])
def test_a_loan_that_is_not_running_is_not_late(stage: str) -> None:
    as_of = date(2019, 6, 1)
    assert arrears(loan(stage=stage), as_of) == Arrears(as_of, 0, 0, None, 0)


@pytest.mark.parametrize("stage", ["sold", "written_off", "recovered"])
def test_rule_11_the_count_stops_where_the_loan_ended_late(stage: str) -> None:
    ended = loan(stage=stage, closed=date(2019, 1, 20))
    assert (days_of(ended, date(2019, 1, 15)), days_of(ended, date(2024, 1, 1))) == ((5, 5), (10, 10))


def test_without_a_schedule_the_count_of_the_books_goes_on() -> None:
    books = loan(schedule=(), planned_until=0, since=date(2019, 1, 1), past_due=50)
    assert arrears(books, date(2019, 2, 1)) == Arrears(date(2019, 2, 1), 31, 31, date(2019, 1, 1), 50)
    assert arrears(loan(schedule=(), planned_until=0, past_due=None), date(2019, 2, 1)).amount is None


def test_nothing_is_unmet_before_the_first_due_date() -> None:
    assert oldest_unmet(loan(), DUE[0]) == (None, 0)
    assert oldest_unmet(loan(), date(2019, 3, 11)) == (DUE[0], 300)


def test_instalments_of_nothing_are_always_met() -> None:
    assert oldest_unmet(loan(0, 7, 100), date(2019, 3, 1)) == (DUE[1], 7)
