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

REDRAWS: Final = 400
"""Redraws of the bootstrap."""

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
    """One view's figures: shares of 1, AUC, and the median lead in days of the alerts that came true.

    `hits` are the alerts that came true by borrower, in fractions where the last place was shared.
    """

    precision: float
    recall: float
    auc: float
    lead: float
    hits: dict[int, float]


def lift(other: Figures, own: Figures) -> float:
    """How much more precise than the own view, as a share: 0.3 is 1.3 times."""
    return other.precision / own.precision - 1 if own.precision else 0.0


def lift_interval(other: Figures, own: Figures, *, seed: int) -> tuple[float, float]:
    """Where the lift lies in 95 of 100 redraws of the borrowers who were rightly alerted of (the bootstrap)."""
    rng = Random(seed)
    pairs = [(other.hits.get(who, 0.0), own.hits.get(who, 0.0)) for who in sorted(other.hits | own.hits)]
    drawn = sorted(_redrawn(rng.choices(pairs, k=len(pairs))) for _ in range(REDRAWS)) if pairs else [0.0]
    return drawn[len(drawn) * 25 // 1000], drawn[len(drawn) * 975 // 1000]


def _redrawn(pairs: Sequence[tuple[float, float]]) -> float:
    own = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / own - 1 if own else 0.0


def measure(
    table: Table,
    *,
    seed: int,
    views: Sequence[str] = ("own", "ledger", "late"),
    alerts_per_thousand: int = ALERTS_PER_THOUSAND,
) -> dict[str, Figures]:
    """The figures of the named views: `own`, `ledger`, `late`, or `without <signal>`."""
    return {view: _figures(table, _scores(columns_of(table, view), table, seed), alerts_per_thousand) for view in views}


def shuffled(table: Table, *, seed: int) -> float:
    """The AUC of the ledger view when all labels were dealt out at random: on other borrowers it must be chance's.

    The learner's guard against noise is off, for with it the scorecard would be empty and the control say nothing; so
    are the directions. Whoever ranks these labels has seen them.
    """
    dealt = table.labels[:]
    Random(seed).shuffle(dealt)
    scores = _scores(columns_of(table, "ledger"), table, seed, dealt)
    return _auc_by_half(scores, dealt, _halves(table))


def _halves(table: Table) -> list[list[int]]:
    return [[row for row, borrower in enumerate(table.borrowers) if borrower % 2 == half] for half in (0, 1)]


def _auc_by_half(scores: Sequence[int], labels: Sequence[int], halves: Sequence[Sequence[int]]) -> float:
    return sum(auc_of([scores[row] for row in rows], [labels[row] for row in rows]) for rows in halves) / 2


def columns_of(table: Table, view: str) -> Columns:
    """The readings of a view."""
    if view == "own":
        return table.own
    if view == "late":
        return table.own | table.late
    left_out = SIGNALS[view.removeprefix("without ")] if view.startswith("without ") else ()
    return table.own | {name: column for name, column in table.ledger.items() if name not in left_out}


def learn(columns: Columns, table: Table, half: int, seed: int, dealt: Sequence[int] | None = None) -> Scorecard:
    """The scorecard from the borrowers of one half; from `dealt` labels instead of the true ones for the control."""
    labels = table.labels if dealt is None else dealt
    mine = [row for row, borrower in enumerate(table.borrowers) if borrower % 2 == half]
    bad = [row for row in mine if labels[row]]
    good = [row for row in mine if not labels[row]]
    rows = sorted(bad + Random(seed).sample(good, min(len(good), NEGATIVES_A_POSITIVE * len(bad))))
    readings = {name: [column[row] for row in rows] for name, column in columns.items()}
    targets = [labels[row] for row in rows]
    return fit(readings, targets, DIRECTIONS) if dealt is None else fit(readings, targets, {}, noise_a_bin=0.0)


def _scores(columns: Columns, table: Table, seed: int, dealt: Sequence[int] | None = None) -> list[int]:
    rows = len(table.labels)
    by_half = [score(learn(columns, table, 1 - half, seed, dealt), columns, rows) for half in (0, 1)]
    return [by_half[borrower % 2][row] for row, borrower in enumerate(table.borrowers)]


def _figures(table: Table, scores: Sequence[int], alerts_per_thousand: int) -> Figures:
    halves = _halves(table)
    raised = [share for rows in halves for share in _alerts(scores, rows, alerts_per_thousand)]
    true = [(row, share) for row, share in raised if table.labels[row]]
    hits: dict[int, float] = {}
    for row, share in true:
        hits[table.borrowers[row]] = hits.get(table.borrowers[row], 0.0) + share
    came_true = sum(hits.values())
    leads = [table.lead[row] for row, share in true if share == 1 and table.lead[row] < NEVER]
    return Figures(
        precision=came_true / sum(share for _, share in raised),
        recall=came_true / max(1, sum(table.labels)),
        auc=_auc_by_half(scores, table.labels, halves),
        lead=median(leads) if leads else 0.0,
        hits=hits,
    )


def _alerts(scores: Sequence[int], rows: Sequence[int], alerts_per_thousand: int) -> list[tuple[int, float]]:
    """The rows that the budget pays for. Those tied in the last place each get their share of what is left of it."""
    budget = max(1, len(rows) * alerts_per_thousand // 1000)
    ranked = sorted(rows, key=lambda row: -scores[row])
    last = scores[ranked[budget - 1]]
    above = [row for row in ranked[:budget] if scores[row] > last]
    tied = [row for row in rows if scores[row] == last]
    share = (budget - len(above)) / len(tied)
    return [(row, 1.0) for row in above] + [(row, share) for row in tied]


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
