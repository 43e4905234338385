"""Areas, calibration errors and approval ratios, against small cases worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.risk.fairness import auc_ppm, by_group, calibration_error_ppm, cutoff, ks_ppm, worst_ratio_bp


@pytest.mark.parametrize(
    ("points", "defaulted", "ppm"),
    [
        ([1, 2], [1, 0], 1_000_000), ([2, 1], [1, 0], 0), ([1, 1], [1, 0], 500_000),
        ([1, 2, 3, 3], [1, 0, 0, 1], 625_000), ([5, 5, 5, 9], [1, 1, 0, 0], 750_000),
    ],
)  # fmt: skip
def test_the_area_counts_pairs_and_equal_points_by_half(points: list[int], defaulted: list[int], ppm: int) -> None:
    assert auc_ppm(points, defaulted) == ppm


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=2, max_size=60))
def test_the_area_is_that_of_all_pairs(rows: list[tuple[int, int]]) -> None:
    good = [points for points, label in rows if not label]
    bad = [points for points, label in rows if label]
    if not good or not bad:
        with pytest.raises(InvalidInput):
            auc_ppm([points for points, _ in rows], [label for _, label in rows])
        return
    won = sum(2 if g > b else g == b for g in good for b in bad)
    found = auc_ppm([points for points, _ in rows], [label for _, label in rows])
    assert abs(found * 2 * len(good) * len(bad) - won * 1_000_000) <= len(good) * len(bad)


def test_calibration_errors_are_weighed_by_borrowers() -> None:
    ppm, labels = [50_000] * 9 + [950_000], [0] * 9 + [0]
    assert calibration_error_ppm(ppm, labels) == (9 * 50_000 + 950_000) // 10
    assert calibration_error_ppm([1_000_000, 0], [1, 0]) == 0
    # by count: five and five, whatever the width
    assert calibration_error_ppm([10_000] * 10, [0] * 5 + [1] * 5, bins=2, by="count") == 500_000
    assert calibration_error_ppm([500_000] * 10, [0, 1] * 5, bins=2) == 0


def test_the_cutoff_declines_at_most_the_share() -> None:
    assert cutoff([1, 2, 3, 4, 5], decline_share=(1, 5)) == 2
    assert cutoff([3, 3, 3, 3, 5], decline_share=(1, 5)) == 3  # equal points go together
    assert cutoff([9], decline_share=(1, 5)) == 9


def test_ratios_are_against_the_best_group_that_is_large_enough() -> None:
    groups = ["a"] * 200 + ["b"] * 100 + ["c"] * 10
    points = [9] * 180 + [0] * 20 + [9] * 72 + [0] * 28 + [9] * 10
    labels = [0] * 180 + [1] * 20 + [0, 1] * 50 + [0] * 10
    rows = {row.group: row for row in by_group(points, labels, groups, 5)}
    assert (rows["a"].rate_bp, rows["a"].ratio_bp, rows["a"].auc_ppm) == (9_000, 10_000, 1_000_000)
    assert (rows["b"].approved, rows["b"].rate_bp, rows["b"].ratio_bp) == (72, 7_200, 8_000)
    assert (rows["c"].rate_bp, rows["c"].judged, rows["c"].auc_ppm) == (10_000, False, None)
    assert worst_ratio_bp(list(rows.values())) == 8_000


def test_without_a_group_that_is_large_enough_nothing_is_judged() -> None:
    with pytest.raises(InvalidInput) as caught:
        by_group([1], [0], ["a"], 0)
    assert caught.value.code == "groups_small"


@pytest.mark.parametrize(
    ("points", "defaulted", "expected"),
    [
        ([1, 2, 3, 4], [1, 1, 0, 0], 1_000_000), ([1, 1, 1, 1], [1, 0, 1, 0], 0), ([1, 2, 3, 3], [1, 0, 0, 1], 500_000),
        ([4, 3, 2, 1], [1, 1, 0, 0], 0), ([1, 2, 3, 4, 5], [1, 0, 1, 0, 0], 666_667),
    ],
)  # fmt: skip
def test_the_distance_is_the_widest_gap_between_defaulters_and_payers(
    points: list[int], defaulted: list[int], expected: int
) -> None:
    assert ks_ppm(points, defaulted) == expected
    with pytest.raises(InvalidInput, match="needs payers"):
        ks_ppm(points, [0] * len(points))
