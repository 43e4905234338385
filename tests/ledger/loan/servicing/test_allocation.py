"""Twelve slots: which row and component a payment reaches first, and what stays."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.errors import InvalidInput
from ledger.loan.servicing.allocation import OUR_ORDER, Allocation, Rules, age_of, slot_parts
from ledger.loan.servicing.amounts import Amounts
from ledger.loan.servicing.movements import Movement, Row
from ledger.loan.servicing.position import Instalment, service

DUE = (date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1), date(2024, 5, 1))
ROWS = tuple(Row(n=n, due=due, penalty=10, fee=20, interest=30, principal=100) for n, due in enumerate(DUE, 1))
ON = date(2024, 3, 1)
"""The first row is past due, the second due, two are in advance."""


def rows_after(amount: int, rules: Rules, payment: str = "repayment", on: date = ON) -> tuple[Instalment, ...]:
    movements = (
        Movement(kind="disbursement", on=date(2024, 1, 1), order=1, amount=400),
        Movement(kind="plan", on=date(2024, 1, 1), order=2, rows=ROWS),
        Movement(kind="repayment", on=on, order=3, amount=amount, payment=payment),
    )
    return service(rules, movements, date(2024, 6, 1)).rows


def in_order(*components: str) -> Allocation:
    return Allocation(order=tuple(f"{age}_{c}" for age in ("past_due", "due", "advance") for c in components))  # type: ignore[arg-type]


def test_our_order_is_past_due_due_advance_each_penalty_fee_interest_principal() -> None:
    assert [slot_parts(slot) for slot in OUR_ORDER] == [
        (age, component) for age in ("past_due", "due", "advance") for component in range(4)
    ]


def test_a_row_is_past_due_the_day_after_its_due_date() -> None:
    assert [age_of(date(2024, 2, 1), date(2024, 2, day)) for day in (1, 2)] == ["due", "past_due"]
    assert age_of(date(2024, 2, 1), date(2024, 1, 31)) == "advance"


def test_horizontal_fills_the_oldest_row_before_the_next() -> None:
    rows = rows_after(200, Rules())
    assert [row.met for row in rows[:2]] == [Amounts(10, 20, 30, 100), Amounts(10, 20, 10, 0)]


def test_vertical_takes_each_slot_in_turn() -> None:
    order = in_order("principal", "interest", "fee", "penalty")
    rows = rows_after(170, Rules(allocation=order, across="vertical"), on=date(2024, 3, 2))
    assert [row.met for row in rows[:2]] == [Amounts(principal=100), Amounts(principal=70)]


def test_components_of_a_row_are_taken_in_the_agreed_order() -> None:
    assert rows_after(120, Rules(allocation=in_order("principal", "fee", "interest", "penalty")))[0].met == Amounts(
        fee=20, principal=100
    )


def test_advance_before_past_due_is_possible_where_it_was_agreed() -> None:
    order = (*OUR_ORDER[8:], *OUR_ORDER[:8])
    assert [row.met.total for row in rows_after(200, Rules(allocation=Allocation(order=order)))] == [0, 0, 160, 40]


@pytest.mark.parametrize(
    ("excess", "met"), [("next", [160, 160, 81, 0]), ("last", [160, 160, 0, 81]), ("re_amortise", [160, 160, 40, 41])]
)
def test_money_past_what_is_due_follows_the_excess_rule(excess: str, met: list[int]) -> None:
    rules = Rules(allocation=Allocation(excess=excess))  # type: ignore[arg-type]
    assert [row.met.total for row in rows_after(401, rules)] == met


def test_re_amortise_goes_round_until_the_money_is_spent() -> None:
    rules = Rules(allocation=Allocation(excess="re_amortise"))
    assert [row.unmet.total for row in rows_after(320 + 319, rules)] == [0, 0, 0, 1]


def test_a_kind_of_payment_may_have_its_own_rule() -> None:
    rules = Rules(overrides={"goodwill": Allocation(excess="last")})
    assert [row.met.total for row in rows_after(330, rules, "goodwill")] == [160, 160, 0, 10]
    assert [row.met.total for row in rows_after(330, rules)] == [160, 160, 10, 0]


def test_an_order_that_leaves_a_slot_out_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        Allocation(order=(*OUR_ORDER[:-1], OUR_ORDER[0]))
    assert refused.value.code == "allocation_order_wrong"


def test_a_charge_on_its_own_day_is_taken_before_what_its_row_asks_in_advance() -> None:
    order = Allocation(
        order=(*OUR_ORDER[:8], "advance_principal", "advance_penalty", "advance_fee", "advance_interest")
    )
    movements = (
        Movement(kind="disbursement", on=date(2024, 1, 1), order=1, amount=100),
        Movement(kind="plan", on=date(2024, 1, 1), order=2, rows=(Row(n=1, due=DUE[0], principal=100),)),
        Movement(kind="charge", on=date(2024, 1, 5), order=3, amount=7, component="fee"),
        Movement(kind="charge", on=date(2024, 1, 5), order=4, amount=9, component="fee", due=date(2024, 1, 20)),
        Movement(kind="repayment", on=date(2024, 1, 10), order=5, amount=50),
    )
    own_day = service(Rules(allocation=order, charges_due="on_their_day"), movements, DUE[0])
    with_row = service(Rules(allocation=order), movements, DUE[0])
    assert own_day.rows[0].met == Amounts(fee=7, principal=43)
    assert with_row.rows[0].met == Amounts(principal=50)
