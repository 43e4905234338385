"""A month is compared with the training rows, in integers that are the same everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.risk.drift import ALERT_BP, EMPTY_MONTH, Baseline, Drift, fold, psi_bp, read_baseline, report

BASELINE = Baseline(
    card="ab", features={"late": (900, 100), "paid": (300, 300, 400)}, score=(500, 500), score_cuts=(600,)
)


def test_the_same_spread_does_not_drift_and_another_does() -> None:
    assert psi_bp([500, 500], [500, 500]) == 0
    assert psi_bp([500, 500], [900, 100]) == 8_762
    assert psi_bp([500, 500], [0, 1_000]) > 20_000  # an empty bin is no infinity


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=12))
def test_the_index_is_that_of_the_formula(rows: list[tuple[int, int]]) -> None:
    def shares(counts: list[int]) -> list[float]:
        return [(count + 0.5) / (sum(counts) + len(counts) / 2) for count in counts]

    expected, actual = [a for a, _ in rows], [b for _, b in rows]
    plain = sum((b - a) * math.log(b / a) for a, b in zip(shares(expected), shares(actual), strict=True))
    assert abs(psi_bp(expected, actual) - plain * 10_000) <= 0.501
    assert psi_bp(expected, actual) == psi_bp(actual, expected) >= 0


def test_a_month_is_folded_borrower_by_borrower_and_an_alert_needs_two_hundred() -> None:
    month = EMPTY_MONTH
    for borrower in range(199):
        month = fold(month, BASELINE, 500 if borrower % 10 else 700, (1, 2))
    assert (month.people, month.score, month.features) == (199, (179, 20), ((0, 199), (0, 0, 199)))
    assert [each.name for each in report(BASELINE, month)] == ["score", "late", "paid"]
    assert not any(each.alert for each in report(BASELINE, month))
    month = fold(month, BASELINE, 599, (1, 2))
    found = report(BASELINE, month)
    assert all(each.psi_bp > ALERT_BP and each.alert for each in found)


def test_a_cut_of_the_score_belongs_to_the_bin_above_it() -> None:
    assert fold(EMPTY_MONTH, BASELINE, 600, (0, 0)).score == (0, 1)


def test_a_month_like_the_training_raises_nothing() -> None:
    month = EMPTY_MONTH
    for borrower in range(1_000):
        tenth = borrower % 10
        month = fold(month, BASELINE, 500 + borrower % 2 * 200, (int(tenth == 0), tenth // 3 if tenth < 9 else 2))
    assert report(BASELINE, month) == (Drift("score", 0, False), Drift("late", 0, False), Drift("paid", 0, False))


def test_an_empty_month_says_nothing() -> None:
    assert report(BASELINE, EMPTY_MONTH) == ()


@pytest.mark.parametrize("bins", [(0,), (0, 3), (-1, 0), (0, 0, 0)])
def test_the_bins_of_another_card_are_refused(bins: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        fold(EMPTY_MONTH, BASELINE, 1, bins)
    assert caught.value.code == "drift_bins"


@pytest.mark.parametrize(
    "data",
    [
        b"{}", b"[", b'{"card":"a","features":{},"score":[1,2],"score_cuts":[]}',
        b'{"card":"a","features":{},"score":[1,2,3],"score_cuts":[2,1]}',
        b'{"card":"a","features":{"x":[-1,2]},"score":[1,2],"score_cuts":[1]}',
    ],
)  # fmt: skip
def test_a_malformed_baseline_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_baseline(data)
    assert caught.value.code == "baseline_malformed"
