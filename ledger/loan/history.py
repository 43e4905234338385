"""The payment history of a loan, one character a month, newest first.

The alphabet is Metro 2 field 18: ``0`` current, ``1``-``6`` 30 to 180 days past due in steps of 30, ``B`` before the
history begins, ``D`` nothing reported that month, ``E`` zero balance, ``G`` collection, ``H`` foreclosed, ``J``
surrendered, ``K`` repossessed, ``L`` charged off, ``Z`` too new.

A month is an integer: year * 12 + month - 1. A grid is ``(newest month, characters newest first)``; months that nobody
reported inside it read ``D``, months before it ``B``.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from ledger.limits import HISTORY_MONTHS

ALPHABET: Final = "0123456BDEGHJKLZ"
GRID_MONTHS_MAX: Final = 84
"""Months kept in a loan's projection: seven years, the longest retention of the packs. Older ones stay on the log."""

_BY_STATUS: Final = {
    "charged_off": "L", "collection": "G", "foreclosed": "H", "surrendered": "J", "repossessed": "K", "closed": "E",
}  # fmt: skip


def month_of(day: date) -> int:
    """The month number of a day."""
    return day.year * 12 + day.month - 1


def character_of(status: str | None, dpd_days: int | None) -> str:
    """The history character of a snapshot that does not state one.

    >>> character_of("past_due", 61), character_of("charged_off", None), character_of("current", 0)
    ('2', 'L', '0')
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if dpd_days is None and status is None:
        return "D"
    return str(min((dpd_days or 0) // 30, 6))


def with_month(newest: int, grid: str, month: int, character: str) -> tuple[int, str]:
    """The grid with one month set; grows at either end, at most GRID_MONTHS_MAX long."""
    if not grid:
        return month, character
    if month > newest:
        gap = min(month - newest - 1, GRID_MONTHS_MAX)
        return month, (character + "D" * gap + grid)[:GRID_MONTHS_MAX]
    place = newest - month
    if place < len(grid):
        return newest, grid[:place] + character + grid[place + 1 :]
    return newest, (grid + "D" * (place - len(grid)) + character)[:GRID_MONTHS_MAX]


def profile(newest: int, grid: str, before: int, months: int = HISTORY_MONTHS) -> str:
    """The ``months`` characters of the months just before month ``before``, newest first, padded with ``B``."""
    shown = []
    for month in range(before - 1, before - 1 - months, -1):
        place = newest - month
        inside = bool(grid) and place < len(grid)
        shown.append("B" if not inside else "D" if place < 0 else grid[place])
    return "".join(shown)
