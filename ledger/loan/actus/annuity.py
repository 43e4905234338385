"""The annuity amount: the level payment that redeems a notional by the last of its redemption times.

Source: ACTUS technical specification, annuity amount function A(s, T, n, a, r):

    (n + a) x product(1 + r Y(t_i, t_i+1)) / (1 + sum over i of product from i on)

- n is the notional at s, a the interest that will have accrued at the first redemption time after s, r the rate;
  t_1 .. t_m are the redemption times after s, the last of them maturity (or the amortisation date where one is given).
- The products are folded from the end, so that the whole is linear in m and exact.
- The amount has no sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from ledger.errors import InvalidInput
from ledger.loan.actus.state import Contract, State


def annuity_amount(contract: Contract, state: State) -> Fraction:
    """A(s, T, n, a, r) for s = ``state.status_date``. Raises InvalidInput ``terms_incomplete``."""
    remaining = [moment for moment in contract.redemption_times if moment > state.status_date]
    if not remaining:
        raise InvalidInput(
            "terms_incomplete", "no redemption is left to fix an amount for", path="$.cycleOfPrincipalRedemption"
        )
    until_first = contract.year_fraction(state.status_date, remaining[0])
    interest = state.accrued_interest + until_first * state.nominal_interest_rate * state.notional_principal
    growth, annuity_factor = _products(contract, remaining, state.nominal_interest_rate)
    return abs(state.notional_principal + interest) * growth / annuity_factor


def _products(contract: Contract, moments: Sequence[datetime], rate: Fraction) -> tuple[Fraction, Fraction]:
    """(product of all growth factors, 1 + the sum of the products from each time on)."""
    product, total = Fraction(1), Fraction(1)
    for start, end in reversed(list(pairwise(moments))):
        product *= 1 + rate * contract.year_fraction(start, end)
        total += product
    return product, total
