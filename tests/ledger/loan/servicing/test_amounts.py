"""Division that loses nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.loan.servicing.amounts import Amounts, rounded, shares


def test_a_half_goes_to_the_even_multiple() -> None:
    assert [rounded(n, 2) for n in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]
    assert [rounded(n, 1, 100) for n in (50, 150, 149, 151)] == [0, 200, 100, 200]


def test_the_last_share_takes_what_is_left() -> None:
    assert shares(100_000, 3) == (33_333, 33_333, 33_334)
    assert shares(32_500, 6, 100) == (5_400, 5_400, 5_400, 5_400, 5_400, 5_500)


@given(st.integers(0, 10**12), st.integers(1, 400), st.sampled_from([1, 5, 100]))
def test_shares_add_up_and_are_equal_but_for_the_last(amount: int, count: int, multiple: int) -> None:
    parts = shares(amount, count, multiple)
    assert (len(parts), sum(parts)) == (count, amount)
    assert len(set(parts[:-1])) <= 1


def test_amounts_add_and_subtract_by_component() -> None:
    one, other = Amounts(1, 2, 3, 4), Amounts(principal=10)
    assert (one.plus(other), one.minus(other).principal, one.total) == (Amounts(1, 2, 3, 14), -6, 10)
