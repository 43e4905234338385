"""Does the ledger warn earlier than a lender alone? The same scorecard learnt on both views, at one budget of alerts.

What it keeps true
- Borrowers are split in two halves; each half is scored by a scorecard learnt on the other. No borrower is on both sides.
- Both views get the same learner with the same settings, on the same rows.
- The budget is ten alerts for a thousand decision points. Where the last place is tied, the tied rows share it.
- Lead is counted back from the alerting lender's own first missed due date, over alerts that came true.

Example
    figures = measure(read_points(make_world(plan), plan), seed=7)
    figures["ledger"].precision / figures["own"].precision

What it does not do: choose among models, or report (evidence.py does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Final

from tests.sim.learner import Columns, Scorecard, fit, score
from tests.sim.views import Table
from tests.sim.world import NEVER

ALERTS_PER_THOUSAND: Final = 10
NEGATIVES_A_POSITIVE: Final = 8
"""Rows that went well are sampled for learning; ranking is indifferent to it."""

SIGNALS: Final[dict[str, tuple[str, ...]]] = {
    "misses elsewhere": (
        "misses_elsewhere_30",
        "misses_elsewhere_90",
        "days_since_miss_elsewhere",
        "behind_elsewhere",
        "fresh_behind_elsewhere",
        "longest_behind_elsewhere",
    ),
    "enquiries": ("enquiries_elsewhere_7", "enquiries_elsewhere_30", "enquiries_elsewhere_90"),
    "indebtedness": (
        "loans_elsewhere_7",
        "loans_elsewhere_30",
        "loans_elsewhere_90",
        "lenders_elsewhere",
        "open_elsewhere",
        "growth_elsewhere_90",
    ),
    "payment drift": ("drift_elsewhere", "later_than_usual_elsewhere"),
    "evergreening": ("evergreens_90", "round_trips_90"),
}
"""The readings of each signal, for the ablation."""

DIRECTIONS: Final[dict[str, int]] = {
    **dict.fromkeys((*SIGNALS["misses elsewhere"], *SIGNALS["enquiries"], *SIGNALS["payment drift"]), 1),
    "longest_behind_elsewhere": 0,
    **dict.fromkeys(SIGNALS["evergreening"], 1),
    "days_since_miss_elsewhere": -1,
    "drift_own": 1,
    "lag_own": 1,
    "later_than_usual_own": 1,
    "grade_own": 1,
    "enquiries_own_30": 1,
    "met_ahead_own": -1,
}
"""Which way a reading is worse, where trade and law agree on it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One view's figures: shares of 1, AUC, and the median lead in days of alerts that came true."""

    precision: float
    recall: float
    auc: float
    lead: float


def measure(table: Table, *, seed: int, views: Sequence[str] = ("own", "ledger", "late")) -> dict[str, Figures]:
    """The figures of the named views: `own`, `ledger`, `late`, or `without <signal>`."""
    return {view: _figures(table, _scores(columns_of(table, view), table, seed)) for view in views}


def shuffled(table: Table, *, seed: int) -> Figures:
    """The ledger view's figures when it has learnt from labels dealt out at random: it must rank no better than chance."""
    labels = table.labels[:]
    Random(seed).shuffle(labels)
    return _figures(table, _scores(columns_of(table, "ledger"), table, seed, labels))


def columns_of(table: Table, view: str) -> Columns:
    """The readings of a view."""
    if view == "own":
        return table.own
    if view == "late":
        return table.own | table.late
    left_out = SIGNALS[view.removeprefix("without ")] if view.startswith("without ") else ()
    return table.own | {name: column for name, column in table.ledger.items() if name not in left_out}


def learn(columns: Columns, table: Table, half: int, seed: int, labels: Sequence[int] | None = None) -> Scorecard:
    """The scorecard from the borrowers of one half."""
    labels = table.labels if labels is None else labels
    mine = [row for row, borrower in enumerate(table.borrowers) if borrower % 2 == half]
    bad = [row for row in mine if labels[row]]
    good = [row for row in mine if not labels[row]]
    rows = sorted(bad + Random(seed).sample(good, min(len(good), NEGATIVES_A_POSITIVE * len(bad))))
    readings = {name: [column[row] for row in rows] for name, column in columns.items()}
    return fit(readings, [labels[row] for row in rows], DIRECTIONS)


def _scores(columns: Columns, table: Table, seed: int, labels: Sequence[int] | None = None) -> list[int]:
    rows = len(table.labels)
    by_half = [score(learn(columns, table, 1 - half, seed, labels), columns, rows) for half in (0, 1)]
    return [by_half[borrower % 2][row] for row, borrower in enumerate(table.borrowers)]


def _figures(table: Table, scores: Sequence[int]) -> Figures:
    halves = [[row for row, borrower in enumerate(table.borrowers) if borrower % 2 == half] for half in (0, 1)]
    hits, alerts, leads = 0.0, 0, []
    for rows in halves:
        budget = len(rows) * ALERTS_PER_THOUSAND // 1000
        found, led = _alerts(table, scores, rows, budget)
        hits, alerts, leads = hits + found, alerts + budget, leads + led
    bad = sum(table.labels)
    auc = sum(auc_of([scores[row] for row in rows], [table.labels[row] for row in rows]) for rows in halves) / 2
    return Figures(hits / alerts, hits / bad, auc, median(leads) if leads else 0.0)


def _alerts(table: Table, scores: Sequence[int], rows: Sequence[int], budget: int) -> tuple[float, list[int]]:
    """How many of the budget's alerts came true, and the leads of those that did."""
    ranked = sorted(rows, key=lambda row: -scores[row])
    last = scores[ranked[budget - 1]]
    above = [row for row in ranked[:budget] if scores[row] > last]
    tied = [row for row in rows if scores[row] == last]
    share = (budget - len(above)) / len(tied)
    hits = sum(table.labels[row] for row in above) + share * sum(table.labels[row] for row in tied)
    return hits, [table.lead[row] for row in above if table.labels[row] and table.lead[row] < NEVER]


def auc_of(scores: Sequence[int], labels: Sequence[int]) -> float:
    """The chance that a loan that went wrong has more points than one that went well; ties count half."""
    counts: dict[int, list[int]] = {}
    for points, label in zip(scores, labels, strict=True):
        counts.setdefault(points, [0, 0])[label] += 1
    below, area, bad = 0, 0.0, 0
    for points in sorted(counts):
        well, wrong = counts[points]
        area += wrong * (below + well / 2)
        below, bad = below + well, bad + wrong
    return area / (below * bad) if below and bad else 0.5
