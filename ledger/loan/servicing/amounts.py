"""Four amounts that always travel together, and exact division of one amount over several.

    >>> Amounts(penalty=3, principal=100).total
    103
    >>> shares(100, 3)
    (33, 33, 34)

Rules
- Amounts are minor units of one currency; which one is the caller's to know.
- A division loses nothing: each share is rounded half to even to a multiple, the last takes what is left.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COMPONENTS: Final = ("penalty", "fee", "interest", "principal")
"""The components of a debt, in the order in which this package writes them."""


class Amounts(NamedTuple):
    """Minor units by component."""

    penalty: int = 0
    fee: int = 0
    interest: int = 0
    principal: int = 0

    @property
    def total(self) -> int:
        """Sum of the four, minor units."""
        return self.penalty + self.fee + self.interest + self.principal

    def plus(self, other: Amounts) -> Amounts:
        """Component by component."""
        return Amounts(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Amounts) -> Amounts:
        """Component by component; a member may fall below zero."""
        return Amounts(*(a - b for a, b in zip(self, other, strict=True)))


NOTHING: Final = Amounts()
"""No amount in any component."""


def rounded(numerator: int, denominator: int, multiple: int = 1) -> int:
    """``numerator / denominator`` to the nearest multiple, half to even; ``denominator`` above zero."""
    whole, rest = divmod(numerator, denominator * multiple)
    twice = 2 * rest
    up = twice > denominator * multiple or (twice == denominator * multiple and whole % 2 == 1)
    return (whole + up) * multiple


def shares(amount: int, count: int, multiple: int = 1) -> tuple[int, ...]:
    """``amount`` in ``count`` parts: equal, each rounded to ``multiple``, the last takes what is left."""
    each = rounded(amount, count, multiple)
    return (each,) * (count - 1) + (amount - each * (count - 1),)
