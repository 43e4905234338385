"""Counts over the last 7, 30 and 90 days, and a slow and a fast mean: the two shapes every feature is kept in.

    ring = Ring()
    add(ring, seen=739_000, day=738_999)      # one more, about yesterday
    window(ring, 739_020, 30)                 # how many in the 30 days up to 739,020

Rules
- A ring has one byte a day for 90 days, the newest last. It moves forward by one copy of 90 bytes however many days went
  by, so an event costs the same whenever it comes. The three sums are kept beside the bytes.
- A day belongs to its window as long as it is less than 7, 30 or 90 days old; a day to come counts as today.
- At most 255 a day: past that a borrower is beyond any rule's threshold, and the sums stop with the byte.
- Means are exponentially weighted in fixed point, in 1/256 of a day, by shifts: the same integers on every machine.

What this module does not do: know what is counted.
"""

from __future__ import annotations

from typing import Final

import msgspec

RING_DAYS: Final = 90
"""The longest window, days: what a bureau's file is late by, twice over."""

PER_DAY_MAX: Final = 255
"""The most that one day counts."""

FIXED_POINT: Final = 8
"""Bits behind the point of a mean: 1/256 of a day."""

FAST_SHIFT: Final = 2
"""The fast mean moves a quarter of the way at each payment."""

SLOW_SHIFT: Final = 5
"""The slow mean moves a thirty-second of the way at each payment: about two years of monthly ones."""


class Ring(msgspec.Struct, array_like=True, gc=False):
    """Counts by day up to ``last`` (an ordinal); ``slots`` is empty when there are none."""

    last: int = 0
    slots: bytearray = msgspec.field(default_factory=bytearray)
    week: int = 0
    month: int = 0
    quarter: int = 0


def forward(ring: Ring, day: int) -> None:
    """Let days pass until ``day``."""
    passed = day - ring.last
    if passed <= 0:
        return
    ring.last = day
    if not ring.slots:
        return
    if passed >= RING_DAYS:
        ring.slots = bytearray()
        ring.week = ring.month = ring.quarter = 0
        return
    slots = ring.slots[passed:] + bytes(passed)
    ring.quarter = sum(slots)
    ring.month = sum(slots[-30:])
    ring.week = sum(slots[-7:])
    ring.slots = slots if ring.quarter else bytearray()


def add(ring: Ring, *, seen: int, day: int) -> None:
    """Count one more about ``day``, learnt on ``seen``."""
    forward(ring, seen)
    age = max(ring.last - day, 0)
    if age >= RING_DAYS:
        return
    if not ring.slots:
        ring.slots = bytearray(RING_DAYS)
    at = RING_DAYS - 1 - age
    if ring.slots[at] == PER_DAY_MAX:
        return
    ring.slots[at] += 1
    ring.quarter += 1
    ring.month += age < 30
    ring.week += age < 7


def window(ring: Ring, day: int, days: int) -> int:
    """How many in the ``days`` (7, 30 or 90) up to ``day``; changes nothing."""
    passed = max(day - ring.last, 0)
    if not ring.slots or passed >= days:
        return 0
    if passed == 0:
        return ring.week if days == 7 else ring.month if days == 30 else ring.quarter
    return sum(ring.slots[RING_DAYS - days + passed :])


def towards(mean: int, value: int, shift: int) -> int:
    """The mean one step further towards ``value``, both in fixed point. Rounds down on both sides of zero."""
    return mean + ((value - mean) >> shift)
