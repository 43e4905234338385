"""A plan computed anew when money comes, worked by hand: 1,200.00 at one per cent a month in three rows."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.annuity import Interest, declining
from ledger.loan.servicing.movements import Movement
from ledger.loan.servicing.plan import Terms
from ledger.loan.servicing.renewal import Late, renewed

LENT = 120_000
TERMS = Terms(start=date(2023, 9, 1), every=1, unit="months", count=3)
MONTHLY = Interest(rate_ppm=120_000, rest="due_day")
AS_PLANNED = [(39_603, 1_200), (39_999, 804), (40_398, 404)]


def rows(*paid: tuple[date, int], late: Late = "running_period", undone: int | None = None) -> list[tuple[int, int]]:
    """Principal and interest of each row after these payments."""
    movements = [Movement(kind="disbursement", on=TERMS.start, order=1, ref=b"out", amount=LENT)]
    for order, (on, amount) in enumerate(paid, 2):
        movements.append(Movement(kind="repayment", on=on, order=order, ref=bytes([order]), amount=amount))
    if undone is not None:
        movements.append(Movement(kind="reversal", on=date(2023, 12, 1), order=99, target=bytes([undone + 2])))
    return [(row.principal, row.interest) for row in renewed(TERMS, MONTHLY, LENT, Rules(), movements, late)]


def test_without_money_the_plan_stays_however_late_it_is() -> None:
    assert rows() == AS_PLANNED


def test_money_in_time_changes_nothing() -> None:
    assert rows((date(2023, 10, 1), 40_803), (date(2023, 11, 1), 40_803)) == AS_PLANNED


def test_late_money_makes_the_period_that_runs_bear_interest_on_what_was_out_when_it_began() -> None:
    assert rows((date(2023, 10, 15), 40_803)) == [(39_603, 1_200), (39_603, 1_200), (40_794, 408)]


def test_a_period_that_was_over_when_the_money_came_stays_as_it_was() -> None:
    assert rows((date(2023, 11, 20), 40_803)) == [(39_603, 1_200), (39_999, 804), (40_398, 1_200)]


def test_what_was_paid_before_the_period_began_is_not_out_then() -> None:
    paid = (date(2023, 9, 20), 21_200), (date(2023, 10, 15), 5_000)
    assert rows(*paid) == [(39_603, 1_200), (39_803, 1_000), (40_594, 406)]


def test_late_money_past_what_is_late_is_early_money() -> None:
    whole = 40_803 + 79_197
    assert rows((date(2023, 10, 15), whole))[1] == (79_197 - 1_200, 1_200)


def test_by_our_own_rule_lateness_does_not_change_the_plan() -> None:
    assert rows((date(2023, 10, 15), 40_803), late="as_planned") == AS_PLANNED


def test_a_payment_taken_back_leaves_the_plan_as_its_absence_would() -> None:
    assert rows((date(2023, 10, 15), 40_803), undone=0) == AS_PLANNED


@pytest.mark.parametrize("late", ["as_planned", "running_period"])
def test_all_principal_is_planned_whatever_comes(late: Late) -> None:
    paid = (date(2023, 9, 20), 777), (date(2023, 10, 15), 50_001), (date(2023, 11, 2), 3), (date(2023, 12, 9), 60_000)
    assert sum(principal for principal, _ in rows(*paid, late=late)) == LENT
    assert [row.principal for row in declining(TERMS, MONTHLY, LENT)] == [principal for principal, _ in AS_PLANNED]
