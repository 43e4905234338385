"""Rings count what a list of days counts, and means move by shifts."""

from __future__ import annotations

import random

import pytest

from ledger.risk.rings import PER_DAY_MAX, Ring, add, forward, towards, window


@pytest.mark.parametrize("seed", range(30))
def test_a_ring_counts_what_a_list_of_days_counts(seed: int) -> None:
    chance, ring, today, days = random.Random(seed), Ring(), 739_000, list[int]()
    for _ in range(200):
        today += chance.choice((0, 0, 1, 2, 9, 40, 95))
        day = today - chance.choice((0, 0, 1, 6, 7, 29, 30, 89, 90, 200))
        add(ring, seen=today, day=day)
        days.append(day)
        for later in (today, today + 1, today + 23, today + 90):
            for length in (7, 30, 90):
                # What was learnt stays in its window by its own day; nothing older than 90 days at the time comes in.
                expected = sum(later - length < known <= later for known in days)
                assert window(ring, later, length) == expected


def test_a_day_to_come_counts_as_today() -> None:
    ring = Ring()
    add(ring, seen=739_000, day=739_010)
    assert window(ring, 739_000, 7) == 1
    assert window(ring, 739_007, 7) == 0


def test_a_day_holds_at_most_its_byte() -> None:
    ring = Ring()
    for _ in range(PER_DAY_MAX + 3):
        add(ring, seen=739_000, day=739_000)
    assert [window(ring, 739_000, days) for days in (7, 30, 90)] == [PER_DAY_MAX] * 3


def test_going_back_changes_nothing_and_an_empty_ring_keeps_no_bytes() -> None:
    ring = Ring()
    add(ring, seen=739_000, day=739_000)
    forward(ring, 738_000)
    assert (ring.last, window(ring, 739_000, 7)) == (739_000, 1)
    forward(ring, 739_090)
    assert (bytes(ring.slots), ring.week, ring.month, ring.quarter) == (b"", 0, 0, 0)


def test_a_ring_of_days_moved_one_by_one_equals_one_moved_at_once() -> None:
    one, other = Ring(), Ring()
    for ring in (one, other):
        add(ring, seen=739_000, day=738_990)
    for day in range(739_001, 739_060):
        forward(one, day)
    forward(other, 739_059)
    assert one == other


@pytest.mark.parametrize(
    ("mean", "value", "shift", "expected"),
    [(0, 256, 2, 64), (0, -256, 2, -64), (10, 11, 2, 10), (10, 9, 2, 9), (0, 31, 5, 0)],
)
def test_a_mean_moves_by_its_shift_and_rounds_down(mean: int, value: int, shift: int, expected: int) -> None:
    assert towards(mean, value, shift) == expected
