"""A sold loan goes on at its buyer: the history follows where both say so, and nowhere else."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from ledger.loan.history import GRID_MONTHS_MAX, month_of
from ledger.loan.state import Links, LoanState
from ledger.view.continuity import Holding, first_delinquency_of, follows, grid_of, said_before
from ledger.view.credit_view import Continued, line_of

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
