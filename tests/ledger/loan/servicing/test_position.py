"""What movements do to a small loan: exact splits, rows, credit, and the same answer in whatever order they come."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.loan.servicing.allocation import Allocation, Rules
from ledger.loan.servicing.amounts import Amounts
from ledger.loan.servicing.movements import Movement, Row, Split
from ledger.loan.servicing.position import Position, service

START = date(2024, 1, 1)
END = date(2024, 12, 31)
ROWS = tuple(Row(n=n, due=date(2024, n + 1, 1), principal=10_000, interest=100) for n in (1, 2, 3))
OPENING = (
    Movement(kind="disbursement", on=START, order=1, ref=b"out", amount=30_000),
    Movement(kind="plan", on=START, order=2, ref=b"plan", rows=ROWS),
)


def pay(amount: int, on: date, order: int = 10, ref: bytes = b"pay", **more: object) -> Movement:
    return Movement(kind="repayment", on=on, order=order, ref=ref, amount=amount, **more)  # type: ignore[arg-type]


def after(*movements: Movement, rules: Rules | None = None, until: date = END) -> Position:
    return service(rules or Rules(), (*OPENING, *movements), until)


def test_interest_is_met_before_principal_by_default() -> None:
    position = after(pay(5_000, date(2024, 2, 1)))
    assert position.effects[-1].split == Amounts(interest=100, principal=4_900)
    assert position.principal == 25_100
    assert position.rows[0].on_time == Amounts(interest=100, principal=4_900)


def test_a_part_payment_reduces_what_is_overdue_and_not_the_oldest_unmet_row() -> None:
    position = after(pay(10_099, date(2024, 2, 20)))
    oldest = position.oldest_unmet(date(2024, 3, 2))
    assert oldest is not None
    assert (oldest.n, oldest.unmet.total, position.overdue(date(2024, 3, 2)).total) == (1, 1, 10_101)
    met = after(pay(10_100, date(2024, 2, 20))).oldest_unmet(date(2024, 3, 2))
    assert met is not None
    assert met.n == 2


def test_money_in_advance_goes_to_the_next_the_last_or_all_rows() -> None:
    def ahead(excess: str) -> list[int]:
        how = Rules(allocation=Allocation(excess=excess))  # type: ignore[arg-type]
        return [row.met.total for row in after(pay(3_000, date(2024, 1, 10)), rules=how).rows]

    assert ahead("next") == [3_000, 0, 0]
    assert ahead("last") == [0, 0, 3_000]
    assert ahead("re_amortise") == [1_000, 1_000, 1_000]


def test_vertical_pays_interest_of_all_past_due_rows_before_principal_of_any() -> None:
    rows = after(pay(250, date(2024, 3, 15)), rules=Rules(across="vertical")).rows
    assert [row.late for row in rows] == [Amounts(interest=100, principal=50), Amounts(interest=100), Amounts()]


def test_a_row_says_which_movements_met_it() -> None:
    row = after(pay(100, date(2024, 2, 1), ref=b"a"), pay(10_000, date(2024, 2, 2), 11, ref=b"b")).rows[0]
    assert [(part.ref, part.on, part.amounts.total) for part in row.met_by] == [
        (b"a", date(2024, 2, 1), 100),
        (b"b", date(2024, 2, 2), 10_000),
    ]
    assert row.met_on == date(2024, 2, 2)


def test_a_declared_split_is_followed_where_rows_can_take_it() -> None:
    declared = Split(Amounts(interest=50, principal=450))
    position = after(pay(500, date(2024, 2, 1), split=declared))
    assert position.effects[-1].split == declared.amounts


def test_a_chargeback_that_credit_covers_changes_no_row() -> None:
    back = Movement(kind="chargeback", on=date(2024, 2, 5), order=20, amount=700, target=b"pay")
    position = after(pay(31_000, date(2024, 2, 1)), back)
    assert (position.overpaid, position.unmet.total, position.standing) == (0, 0, "paid")


def test_a_chargeback_beyond_the_credit_is_owed_whole_and_the_covered_share_counts_as_paid() -> None:
    back = Movement(kind="chargeback", on=date(2024, 2, 5), order=20, amount=1_000, target=b"pay")
    position = after(pay(31_000, date(2024, 2, 1)), back)
    assert position.rows[1].owed.principal == 11_000
    assert (position.overpaid, position.unmet.total, position.principal) == (0, 300, 300)


def test_credit_meets_a_later_charge_and_the_row_names_the_payment() -> None:
    fee = Movement(kind="charge", on=date(2024, 6, 1), order=20, ref=b"fee", amount=500, component="fee")
    position = after(pay(30_800, date(2024, 2, 1)), fee)
    assert position.effects[-1].from_credit == Amounts(fee=500)
    assert (position.overpaid, position.rows[-1].kind, position.rows[-1].met_by[0].ref) == (0, "extra", b"pay")


def test_money_without_a_plan_meets_principal() -> None:
    position = service(Rules(), (OPENING[0], pay(12_000, date(2024, 2, 1))), END)
    assert (position.principal, position.outstanding, position.overpaid) == (18_000, 18_000, 0)


def test_a_plan_from_here_keeps_what_was_met_on_a_row_of_the_same_day() -> None:
    rows = (Row(n=1, due=date(2024, 2, 1), principal=4_000), Row(n=2, due=date(2024, 8, 1), principal=26_000))
    new = Movement(kind="plan", on=date(2024, 1, 20), order=20, rows=rows)
    position = after(pay(5_000, date(2024, 1, 10)), new)
    assert [(row.due.month, row.met.total, row.unmet.total) for row in position.rows] == [
        (2, 4_000, 0),
        (8, 1_000, 25_000),
    ]
    assert position.principal == 25_000


def test_a_plan_of_the_rest_ends_old_rows_with_what_was_met_on_them() -> None:
    rest = Movement(
        kind="plan",
        on=date(2024, 2, 10),
        order=20,
        scope="rest",
        rows=(Row(n=4, due=date(2024, 9, 1), principal=25_100),),
    )
    position = after(pay(5_000, date(2024, 2, 1)), rest)
    assert [(row.n, row.owed.total, row.unmet.total) for row in position.rows] == [(1, 5_000, 0), (4, 25_100, 25_100)]
    assert position.oldest_unmet(date(2024, 8, 1)) is None


def test_re_age_moves_unmet_principal_to_new_days_in_equal_parts() -> None:
    rows = tuple(Row(n=3 + n, due=date(2024, 5 + n, 1)) for n in (1, 2, 3))
    position = after(
        Movement(kind="re_age", on=date(2024, 4, 10), order=20, rows=rows), pay(300, date(2024, 4, 11), 21)
    )
    assert [row.owed.principal for row in position.rows] == [0, 0, 0, 10_000, 10_000, 10_000]
    assert position.overdue(date(2024, 5, 1)).total == 0


def test_a_write_off_gives_all_up_and_later_money_is_a_recovery() -> None:
    off = Movement(kind="write_off", on=date(2024, 6, 1), order=20)
    position = after(off, pay(900, date(2024, 7, 1), 30))
    assert (position.outstanding, position.recovered, position.standing) == (0, 900, "written_off")


def test_a_reversal_of_a_part_leaves_the_rest() -> None:
    back = Movement(kind="reversal", on=date(2024, 2, 9), order=20, target=b"pay", amount=4_000)
    position = after(pay(5_000, date(2024, 2, 1)), back)
    assert position.effects[-1].split == Amounts(interest=100, principal=900)


def test_a_reversal_counts_from_its_own_day_when_an_earlier_day_is_asked_for() -> None:
    back = Movement(kind="reversal", on=date(2024, 2, 9), order=20, target=b"pay")
    paid = pay(5_000, date(2024, 2, 1))
    assert after(paid, back, until=date(2024, 2, 8)).principal == 25_100
    assert after(paid, back, until=date(2024, 2, 9)).principal == 30_000


def test_a_chargeback_may_be_owed_in_the_components_that_were_paid() -> None:
    back = Movement(kind="chargeback", on=date(2024, 2, 5), order=20, amount=150, target=b"pay")
    rules = Rules(credited="as_paid", credit_order=("interest", "fee", "penalty", "principal"))
    assert after(pay(5_000, date(2024, 2, 1)), back, rules=rules).rows[1].owed == Amounts(
        interest=200, principal=10_050
    )


def test_a_charge_belongs_to_the_row_of_its_due_date_and_may_be_waived_whole() -> None:
    fee = Movement(
        kind="charge", on=date(2024, 1, 5), order=20, ref=b"fee", amount=500, component="fee", due=date(2024, 2, 2)
    )
    waived = Movement(kind="waiver", on=date(2024, 2, 9), order=21, target=b"fee")
    assert after(fee).rows[1].owed.fee == 500
    position = after(fee, waived)
    assert (position.rows[1].unmet.fee, position.rows[1].waived.fee, position.charges[0].unmet) == (0, 500, 0)


def test_a_charge_past_the_last_row_makes_a_row_on_its_own_day_or_all_share_one() -> None:
    charges = [
        Movement(kind="charge", on=day, order=20 + n, ref=bytes([n]), amount=500, component="penalty")
        for n, day in enumerate((date(2024, 6, 1), date(2024, 7, 1)))
    ]
    own = [row.due for row in after(*charges).rows if row.kind == "extra"]
    shared = [row.due for row in after(*charges, rules=Rules(extra_rows="one")).rows if row.kind == "extra"]
    assert (own, shared) == ([date(2024, 6, 1), date(2024, 7, 1)], [date(2024, 7, 1)])


def test_a_corrected_plan_was_so_from_the_first_day() -> None:
    rows = tuple(Row(n=n, due=date(2024, n + 1, 15), principal=15_000) for n in (1, 2))
    new = Movement(kind="plan", on=date(2024, 5, 1), order=30, rows=rows, scope="whole")
    position = after(pay(15_000, date(2024, 2, 10)), new)
    assert [(row.due.day, row.in_advance.total, row.unmet.total) for row in position.rows] == [
        (15, 15_000, 0),
        (15, 0, 15_000),
    ]


def test_a_tranche_adds_to_the_rows_of_its_days_and_credit_meets_it() -> None:
    rows = (Row(n=3, due=date(2024, 4, 1), principal=5_000), Row(n=4, due=date(2024, 6, 1), principal=5_000))
    more = Movement(kind="disbursement", on=date(2024, 2, 2), order=20, ref=b"more", amount=10_000, rows=rows)
    position = after(pay(32_300, date(2024, 2, 1)), more)
    assert [row.owed.principal for row in position.rows] == [10_000, 10_000, 15_000, 5_000]
    assert (position.effects[-1].from_credit.principal, position.principal) == (2_000, 8_000)


def test_re_amortise_spreads_what_is_behind_over_what_is_ahead() -> None:
    position = after(Movement(kind="re_amortise", on=date(2024, 2, 10), order=20))
    assert [row.owed.principal for row in position.rows] == [0, 15_000, 15_000]
    assert position.overdue(date(2024, 2, 20)) == Amounts(interest=100)


def test_a_payment_may_name_the_charge_that_takes_it_first() -> None:
    fee = Movement(kind="charge", on=START, order=5, ref=b"fee", amount=500, component="fee", due=date(2024, 4, 1))
    position = after(fee, pay(700, date(2024, 2, 1), target=b"fee"))
    assert position.effects[-1].split == Amounts(fee=500, interest=100, principal=100)


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        after(pay(-1, START))
    assert refused.value.code == "movement_amount_wrong"


DAYS = st.integers(0, 200).map(lambda day: START + timedelta(days=day))
KINDS = st.sampled_from(
    ["repayment", "repayment", "charge", "waiver", "chargeback", "credit_refund", "reversal", "plan"]
)
RULES = st.builds(
    Rules,
    allocation=st.builds(
        Allocation,
        order=st.permutations(Allocation().order).map(tuple),
        excess=st.sampled_from(["next", "last", "re_amortise"]),
    ),
    across=st.sampled_from(["horizontal", "vertical"]),
    charges_from=st.sampled_from(["own_day", "start"]),
    charges_due=st.sampled_from(["with_row", "on_their_day"]),
    credited=st.sampled_from(["principal", "as_paid"]),
    credit=st.sampled_from(["meets", "stays"]),
    extra_rows=st.sampled_from(["each", "one"]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Movement]:
    """Some movements of a loan, with refs of their own and targets that exist."""
    found: list[Movement] = []
    for number in range(draw(st.integers(1, 12))):
        kind = draw(KINDS)
        rows: tuple[Row, ...] = ()
        if kind == "plan":
            months = draw(st.lists(st.integers(2, 12), min_size=1, max_size=4, unique=True))
            rows = tuple(
                Row(n=n, due=date(2024, month, draw(st.sampled_from([1, 15]))), principal=draw(st.integers(0, 15_000)))
                for n, month in enumerate(sorted(months), 1)
            )
        paid = [movement.ref for movement in found if movement.kind == "repayment"]
        aims = kind in ("chargeback", "reversal")
        found.append(
            Movement(
                kind=kind,
                on=draw(DAYS),
                order=10 + number,
                ref=bytes([number]),
                amount=draw(st.integers(1, 20_000)),
                component=draw(st.sampled_from(["penalty", "fee"])),
                due=draw(DAYS),
                rows=rows,
                scope=draw(st.sampled_from(["from_here", "rest", "whole"])),
                target=draw(st.sampled_from(paid or [b"none"])) if aims else b"",
            )
        )
    return found


@given(RULES, lives())
def test_no_money_is_lost(rules: Rules, life: list[Movement]) -> None:
    position = service(rules, (*OPENING, *life), END)
    for effect in position.effects:
        if effect.kind == "repayment":
            assert effect.split.total + effect.excess == effect.amount
    for row in position.rows:
        assert row.met.plus(row.unmet).plus(row.waived) == row.owed
        assert min(row.unmet) >= 0
        assert sum(part.amounts.total for part in row.met_by) == row.met.total
        assert (row.met_on is None) or not row.unmet.total
    for charge in position.charges:
        assert charge.unmet >= 0


@given(RULES, lives())
def test_credit_is_what_overpaid_less_what_was_eaten_or_met_later(rules: Rules, life: list[Movement]) -> None:
    position = service(rules, (*OPENING, *(movement for movement in life if movement.kind != "plan")), END)
    kept = sum(e.excess - e.eaten - e.from_credit.total for e in position.effects)
    assert position.overpaid == kept
    assert position.unmet.principal == position.principal or position.unmet.principal == 0


@given(RULES, lives(), st.randoms(use_true_random=False))
def test_the_order_in_which_movements_are_handed_over_does_not_matter(
    rules: Rules, life: list[Movement], dice: object
) -> None:
    shuffled = [*OPENING, *life]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert service(rules, shuffled, END) == service(rules, (*OPENING, *life), END)


@given(RULES, lives(), DAYS, st.integers(1, 9_000))
def test_a_reversed_payment_was_never_there(rules: Rules, life: list[Movement], day: date, amount: int) -> None:
    undone = (
        Movement(kind="repayment", on=day, order=90, ref=b"undone", amount=amount),
        Movement(kind="reversal", on=day, order=91, target=b"undone"),
    )
    assert service(rules, (*OPENING, *life, *undone), END) == service(rules, (*OPENING, *life), END)


@given(RULES, st.lists(st.tuples(DAYS, st.integers(1, 9_000)), max_size=6), st.integers(0, 5))
def test_a_back_dated_payment_counts_as_if_entered_in_time(
    rules: Rules, payments: list[tuple[date, int]], late: int
) -> None:
    in_time = sorted(payments, key=lambda payment: payment[0])
    entered = [pay(amount, on, 10 + n, bytes([n])) for n, (on, amount) in enumerate(in_time)]
    late_ones = entered[late:] + entered[:late]
    days = {movement.on for movement in entered}
    if len(days) == len(entered):
        reordered = [
            Movement(kind="repayment", on=m.on, order=50 + n, ref=m.ref, amount=m.amount)
            for n, m in enumerate(late_ones)
        ]
        first, second = after(*entered, rules=rules), after(*reordered, rules=rules)
        assert (first.rows, first.principal, first.overpaid) == (second.rows, second.principal, second.overpaid)
