"""The closed list of ways to make a feature of a scorecard from its inputs: integers in, one integer out.

    derivation("count_at_least", (0, 1, 2), at=2)((3, 0, 2))      # 2: two of the three are at least 2

Rules
- A card names one of these and its arguments; it cannot bring a formula of its own. So its document says the whole way
  from raw columns to points, and any language can follow it.
- All are exact. ``//`` rounds towards minus infinity, for negative numbers too (-1 // 2 is -1).
- Columns of months come newest first.

What this module does not do: know names of columns or check their values (scorecard.py).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final, NamedTuple

Derivation = Callable[[tuple[int, ...]], int]
"""From all inputs of a card, in the order of its document, to one feature."""

Places = tuple[int, ...]
"""Which inputs a derivation reads, by place."""


class Operation(NamedTuple):
    """What an operation takes: how many inputs (``most`` 0: any number), a threshold ``at``, a divisor ``over``."""

    make: Callable[[Places, int, int], Derivation]
    least: int
    most: int
    at: bool = False
    over: bool = False


def _several(places: Places) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    if len(places) == 1:
        only = places[0]
        return lambda row: (row[only],)
    return itemgetter(*places)


def _value(places: Places, at: int, over: int) -> Derivation:
    return itemgetter(places[0])


def _positive(places: Places, at: int, over: int) -> Derivation:
    place = places[0]
    return lambda row: row[place] if row[place] > 0 else 0


def _positive_rise(places: Places, at: int, over: int) -> Derivation:
    now, before = places
    return lambda row: max(row[now], 0) - max(row[before], 0) if row[now] > row[before] and row[now] > 0 else 0


def _sum(places: Places, at: int, over: int) -> Derivation:
    take = _several(places)
    return lambda row: sum(take(row))


def _min(places: Places, at: int, over: int) -> Derivation:
    take = _several(places)
    return lambda row: min(take(row))


def _max(places: Places, at: int, over: int) -> Derivation:
    take = _several(places)
    return lambda row: max(take(row))


def _count_at_least(places: Places, at: int, over: int) -> Derivation:
    take = _several(places)
    return lambda row: len([1 for value in take(row) if value >= at])


def _count_at_most(places: Places, at: int, over: int) -> Derivation:
    take = _several(places)
    return lambda row: len([1 for value in take(row) if value <= at])


def _first_at_least(places: Places, at: int, over: int) -> Derivation:
    steps = tuple(enumerate(places))

    def first(row: tuple[int, ...]) -> int:
        for position, place in steps:
            if row[place] >= at:
                return position
        return len(steps)

    return first


def _mean_share_bp(places: Places, at: int, over: int) -> Derivation:
    take, count = _several(places), len(places)
    return lambda row: sum(take(row)) * 10_000 // (count * row[over])


def _headroom(places: Places, at: int, over: int) -> Derivation:
    take = _several(places)
    return lambda row: row[over] - max(take(row))


OPERATIONS: Final[dict[str, Operation]] = {
    "count_at_least": Operation(_count_at_least, 1, 0, at=True),
    "count_at_most": Operation(_count_at_most, 1, 0, at=True),
    "first_at_least": Operation(_first_at_least, 1, 0, at=True),
    "headroom": Operation(_headroom, 1, 0, over=True),
    "max": Operation(_max, 1, 0),
    "mean_share_bp": Operation(_mean_share_bp, 1, 0, over=True),
    "min": Operation(_min, 1, 0),
    "positive": Operation(_positive, 1, 1),
    "positive_rise": Operation(_positive_rise, 2, 2),
    "sum": Operation(_sum, 1, 0),
    "value": Operation(_value, 1, 1),
}
"""Name -> what it takes.

- ``count_at_least``, ``count_at_most``: how many inputs reach ``at``, or do not exceed it.
- ``first_at_least``: the place (from 0) of the first input that reaches ``at``; the number of inputs when none does.
- ``headroom``: ``over`` less the greatest input.
- ``mean_share_bp``: the inputs' mean as a share of ``over``, in basis points: sum * 10000 // (count * over).
- ``positive``: the input, or 0 when it is negative. ``positive_rise``: by how much the
  positive of the first exceeds that of the second, or 0.
- ``max``, ``min``, ``sum``, ``value``: what they say.
"""


def derivation(name: str, places: Places, *, at: int = 0, over: int = 0) -> Derivation:
    """The named derivation over inputs at ``places``; ``over`` is a place too. The card's loader checked the rest.

    >>> derivation("first_at_least", (0, 1, 2), at=1)((0, 0, 3)), derivation("headroom", (0, 1), over=2)((4, 6, 10))
    (2, 4)
    """
    return OPERATIONS[name].make(places, at, over)
