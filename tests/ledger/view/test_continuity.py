"""A sold loan goes on at its buyer: the history follows where both say so, and nowhere else."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from ledger.attestation import credit_kinds as credit
from ledger.loan.history import GRID_MONTHS_MAX, month_of
from ledger.loan.state import Links, LoanState
from ledger.view.continuity import (
    Holding,
    arrears_stand,
    first_delinquency_of,
    follows,
    grid_of,
    said_before,
    sold_in_arrears,
)
from ledger.view.credit_view import Continued, line_of
from tests.ledger.loan.lives import KES, Life, loan
from tests.verifier.small_ledger import agreement

A, B, C = b"\x0a" * 32, b"\x0b" * 32, b"\x0c" * 32
WHO = b"\x01" * 32


def month(text: str) -> int:
    """The number of a month."""
    return month_of(date.fromisoformat(text + "-01"))


def sold(newest: str, grid: str, on: str, to: tuple[str, bytes] = ("baobab", B), **more: Any) -> LoanState:
    """A loan with these months that was sold on a day."""
    links = Links(successor=to[1], buyer=to[0])
    facts = {"stage": "sold", "subject": WHO, "closed": date.fromisoformat(on), "links": links}
    return LoanState(**(facts | {"grid_newest": month(newest), "grid": grid} | more))


def bought(newest: str = "", grid: str = "", **more: Any) -> LoanState:
    """A loan with these months that was bought from acacia."""
    links = Links(predecessor=A, predecessor_lender="acacia")
    facts = {"stage": "active", "subject": WHO, "links": links, "grid": grid}
    return LoanState(**(facts | {"grid_newest": month(newest) if newest else 0} | more))


def test_a_link_holds_when_both_name_each_other() -> None:
    seller, buyer = Holding("acacia", A, sold("2019-02", "10", "2019-03-01")), Holding("baobab", B, bought())
    assert said_before(buyer) == ("acacia", A)
    assert said_before(seller) is None
    assert follows(seller, buyer)


@pytest.mark.parametrize("change", [
    {"stage": "active"}, {"subject": b"\x02" * 32}, {"links": None},
    {"links": Links(successor=B, buyer="cedar")}, {"links": Links(successor=C, buyer="baobab")},
    {"links": Links(successor=B)},
])  # fmt: skip
def test_a_link_that_the_seller_does_not_say_does_not_hold(change: dict[str, Any]) -> None:
    state = msgspec.structs.replace(sold("2019-02", "10", "2019-03-01"), **change)
    assert not follows(Holding("acacia", A, state), Holding("baobab", B, bought()))


@pytest.mark.parametrize("links", [
    None, Links(predecessor=A), Links(predecessor=C, predecessor_lender="acacia"),
    Links(predecessor=A, predecessor_lender="cedar"),
])  # fmt: skip
def test_a_link_that_the_buyer_does_not_say_does_not_hold(links: Links | None) -> None:
    seller = Holding("acacia", A, sold("2019-02", "10", "2019-03-01"))
    assert not follows(seller, Holding("baobab", B, bought(links=links)))


@pytest.mark.parametrize(("own", "expected"), [
    (("2019-05", "32"), ("2019-05", "32D10")),  # March: nobody reported
    (("2019-03", "2"), ("2019-03", "210")),
    (("2019-02", "4"), ("2019-02", "40")),  # the buyer's word on a month that both reported
    (("2018-12", "0"), ("2018-12", "0")),
    (("", ""), ("2019-02", "10")),
])  # fmt: skip
def test_the_sellers_months_come_before_the_buyers_own(own: tuple[str, str], expected: tuple[str, str]) -> None:
    seller = Holding("acacia", A, sold("2019-02", "10", "2019-03-01"))
    newest, grid = grid_of(bought(*own), [seller])
    assert (newest, grid) == (month(expected[0]), expected[1])


def test_what_the_seller_reported_after_the_sale_is_not_the_loans_history() -> None:
    seller = Holding("acacia", A, sold("2019-06", "EE3210", "2019-04-15"))
    assert grid_of(bought("2019-06", "4"), [seller]) == (month("2019-06"), "4D3210")
    assert grid_of(bought(), [seller]) == (month("2019-04"), "3210")


def test_of_two_sales_the_months_of_all_three_are_one_history() -> None:
    first = Holding("acacia", A, sold("2018-12", "100", "2018-12-20"))
    second = Holding(
        "baobab", B, sold("2019-02", "32", "2019-03-01", ("cedar", C), links=Links(A, "acacia", C, "cedar"))
    )
    third = bought("2019-03", "4", links=Links(B, "baobab"))
    assert follows(first, second)
    assert follows(second, Holding("cedar", C, third))
    assert grid_of(third, [second, first]) == (month("2019-03"), "432100")
    unreported = second._replace(state=msgspec.structs.replace(second.state, grid="", grid_newest=0))
    assert grid_of(third, [unreported, first]) == (month("2019-03"), "4DD100")


def test_a_history_keeps_seven_years_across_a_sale() -> None:
    seller = Holding("acacia", A, sold("2019-02", "1" * GRID_MONTHS_MAX, "2019-03-01"))
    assert grid_of(bought("2019-03", "2"), [seller])[1] == "2" + "1" * (GRID_MONTHS_MAX - 1)


def test_a_sale_does_not_re_age_the_date_of_first_delinquency() -> None:
    early, late = date(2018, 5, 1), date(2019, 5, 1)
    seller = Holding("acacia", A, sold("2019-02", "L", "2019-03-01", first_delinquency=early))
    assert first_delinquency_of(bought(), [seller]) == early
    assert first_delinquency_of(bought(first_delinquency=late), [seller]) == early
    assert first_delinquency_of(bought(first_delinquency=late), []) == late
    assert first_delinquency_of(bought(), []) is None


def test_a_line_shows_the_months_the_first_delinquency_and_the_account_before_and_no_figure_of_the_seller() -> None:
    early = date(2018, 5, 1)
    seller = Holding("acacia", A, sold("2019-02", "L1", "2019-03-01", first_delinquency=early, balance=330, paid=9,
                                       last_paid=date(2019, 2, 1), charged_off=early, principal=7))  # fmt: skip
    alone = line_of(bought(), lender="baobab", account=B, as_of=date(2019, 4, 2))
    found = line_of(bought(), lender="baobab", account=B, as_of=date(2019, 4, 2), earlier=[seller])
    assert found == msgspec.structs.replace(
        alone, continues=Continued(account=A, lender="acacia"), first_delinquency=early, history="DL1" + "B" * 21,
        history_from="2019-03",
    )  # fmt: skip


# -- a loan that is sold in arrears without a charge-off -----------------------------------------------------------------


def sold_late(on: str = "2019-03-01", **more: Any) -> LoanState:
    """The state of a loan of 330 of which 220 were overdue since 10 January when it was sold."""
    life = loan()
    life.say(credit.Transfer(balance=330, buyer="baobab", new_account=B, seller="acacia", **KES), on)
    return msgspec.structs.replace(life.on(on).state, **more)


def bought_on(day: str = "2019-03-01") -> Life:
    """Its buyer's account with a plan of its own."""
    life = Life()
    life.say(agreement(grace_days=0, predecessor=A, predecessor_lender="acacia", principal=330), day)
    life.say(credit.Disbursement(amount=330, tranche=1, **KES), day)
    life.plans(day, ("2019-04-10", 165, 0), ("2019-05-10", 165, 0))
    return life


def stands(*lives: Life, day: str = "2019-12-31", seller: LoanState | None = None) -> bool:
    """Whether the arrears stand on a day."""
    return arrears_stand(seller or sold_late(), [life.told for life in lives], date.fromisoformat(day))


def test_a_sale_in_arrears_fixes_the_date_that_days_counted_from() -> None:
    late = sold_in_arrears(sold_late())
    assert late is not None and (late.since, late.amount, late.days) == (date(2019, 1, 10), 220, 50)
    assert sold_in_arrears(sold_late(on="2019-01-10")) is None, "nothing was overdue yet"
    assert sold_in_arrears(sold_late(first_delinquency=date(2018, 1, 1))) is None, "a charge-off says it"
    assert sold_in_arrears(loan().on("2019-03-01").state) is None, "it was not sold"
    seller = Holding("acacia", A, sold_late(), arrears_stand=True)
    assert first_delinquency_of(bought(), [seller]) == date(2019, 1, 10)
    assert first_delinquency_of(bought(), [seller._replace(arrears_stand=False)]) is None
    assert first_delinquency_of(bought(first_delinquency=date(2019, 6, 1)), [seller]) == date(2019, 1, 10)


def test_a_new_plan_and_a_word_do_not_re_age_what_was_bought() -> None:
    life = bought_on()
    life.books("2019-03-31", balance=330, dpd=0, past_due=0)
    assert stands(life)
    life.plans("2019-04-05", ("2019-08-10", 330, 0), cause="restructure")
    assert stands(life)


def test_what_was_overdue_is_made_good_by_money_from_that_day_on() -> None:
    life = bought_on()
    life.pays(219, "2019-04-10")
    assert stands(life)
    paid = life.pays(1, "2019-05-01")
    assert [stands(life, day=day) for day in ("2019-04-30", "2019-05-01", "2019-12-31")] == [True, False, False]
    life.takes_back(paid, 1, "2019-06-01")
    assert stands(life), "what went back never made it good"


def test_what_the_books_say_was_paid_counts_and_is_not_added_to_the_payments() -> None:
    life = bought_on()
    life.pays(110, "2019-04-10")
    life.books("2019-04-30", paid=110, balance=220, dpd=0, past_due=0)
    assert stands(life)
    life.books("2019-05-31", paid=110, balance=110, dpd=0, past_due=0)
    assert not stands(life)


def test_a_charge_off_before_that_fixes_the_date_for_good() -> None:
    life = bought_on()
    life.say(credit.ChargeOff(amount=330, original_amount=330, **KES), "2019-09-01")
    life.pays(330, "2019-10-01")
    assert stands(life)
    assert stands(bought_on(), seller=sold_late(charged_off=date(2019, 2, 20)))


def test_a_loan_that_ended_as_paid_has_no_open_delinquency() -> None:
    life = bought_on()
    life.say(credit.Closure(cause="paid"), "2019-06-01")
    assert not stands(life)
    assert stands(life, day="2019-05-31")


def test_payments_at_all_later_owners_count_together() -> None:
    second, third = bought_on(), bought_on("2019-07-01")
    second.pays(110, "2019-04-10")
    third.pays(109, "2019-08-10")
    assert stands(second, third)
    third.pays(1, "2019-08-11")
    assert not stands(second, third)


def test_arrears_whose_amount_nobody_stated_stand_until_the_loan_is_paid() -> None:
    unknown = sold_late(schedule=(), planned_until=0, past_due=None, since=date(2019, 1, 10))
    life = bought_on()
    life.pays(329, "2019-04-10")
    assert stands(life, seller=unknown)
    life.pays(1, "2019-04-11")
    assert not stands(life, seller=unknown)
