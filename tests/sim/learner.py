"""A scorecard learnt from binned integer readings: additive, monotone where a direction is known, and of integer points.

What it keeps true
- The score is a sum of integer points, one a feature, so that every alert has its reasons and any language repeats it.
- A feature with a direction never gives fewer points for a worse bin (pool adjacent violators after every step).
- A feature that the data do not support beyond chance is left alone: each step must raise the likelihood by more than
  its bins' worth of noise. Features of pure noise therefore leave a model as it was, which the placebo depends on.
- The same rows give the same model: no randomness, ties broken by the order of the features.

Example
    model = fit(columns, labels, directions)
    scores = score(model, columns)

What it does not do: interactions, missing values (a reading that is not there is a bin of its own, named by its maker).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

Columns = Mapping[str, Sequence[int]]
"""Readings by feature, one a row."""

PASSES = 8
STEP = 0.6
RIDGE = 12.0
MOST_BINS = 10
SMALLEST_BIN = 60
NOISE_A_BIN = 4.0
"""Likelihood gain that a bin must bring for its feature to move: twice what chance brings, and a margin."""
POINTS = 100
"""Points of one unit of log odds."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """`cuts[feature]` are the lower bounds of bins 1 on; `points[feature]` has one more entry than the cuts."""

    cuts: dict[str, tuple[int, ...]]
    points: dict[str, tuple[int, ...]]


def cuts_of(values: Sequence[int]) -> tuple[int, ...]:
    """Lower bounds of bins that hold about as many rows each, and never fewer than `SMALLEST_BIN`."""
    counts: dict[int, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    wanted = len(values) / MOST_BINS
    # a reading that fills bins by itself would starve the others: share the rest among the rest
    heavy = sum(1 for count in counts.values() if count > wanted)
    rest = sum(count for count in counts.values() if count <= wanted)
    wanted = max(SMALLEST_BIN, rest / max(1, MOST_BINS - heavy))
    cuts, held = [], 0
    ordered = sorted(counts)
    left = len(values)
    for value, following in pairwise(ordered):
        held += counts[value]
        left -= counts[value]
        if held >= SMALLEST_BIN and left >= SMALLEST_BIN and (held >= wanted or counts[following] > wanted):
            cuts.append(following)
            held = 0
    return tuple(cuts)


def bins_of(values: Sequence[int], cuts: tuple[int, ...]) -> bytes:
    """The bin of each value."""
    where: dict[int, int] = {}
    for value in set(values):
        where[value] = sum(1 for cut in cuts if value >= cut)
    return bytes([where[value] for value in values])


def _pooled(levels: list[float], weights: list[float], direction: int) -> list[float]:
    """The nearest levels that run in `direction` (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for level, weight in zip(levels, weights, strict=True):
        blocks.append([level * direction, max(weight, 1e-9), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            upper, lower = blocks.pop(), blocks.pop()
            weight_of_both = lower[1] + upper[1]
            mean = (lower[0] * lower[1] + upper[0] * upper[1]) / weight_of_both
            blocks.append([mean, weight_of_both, lower[2] + upper[2]])
    return [block[0] * direction for block in blocks for _ in range(int(block[2]))]


@dataclass(slots=True)
class _Feature:
    """A feature while it is learnt: rows away from its commonest bin, by bin, so that a sparse one costs little."""

    name: str
    direction: int
    cuts: tuple[int, ...]
    common: int
    rows: list[list[int]]
    levels: list[float]


def _feature(name: str, values: Sequence[int], direction: int) -> _Feature:
    cuts = cuts_of(values)
    bins = bins_of(values, cuts)
    rows: list[list[int]] = [[] for _ in range(len(cuts) + 1)]
    for row, place in enumerate(bins):
        rows[place].append(row)
    common = max(range(len(rows)), key=lambda place: len(rows[place]))
    rows[common] = []
    return _Feature(name, direction, cuts, common, rows, [0.0] * len(rows))


def _step(feature: _Feature, pull: list[float], stiffness: list[float], noise_a_bin: float) -> list[float] | None:
    """What each bin's level should move by, relative to the commonest bin; None when it is no more than noise."""
    pulls = [sum([pull[row] for row in rows]) for rows in feature.rows]
    weights = [sum([stiffness[row] for row in rows]) for rows in feature.rows]
    pulls[feature.common] = sum(pull) - sum(pulls)
    weights[feature.common] = sum(stiffness) - sum(weights)
    wished = [
        level + STEP * force / (weight + RIDGE)
        for level, force, weight in zip(feature.levels, pulls, weights, strict=True)
    ]
    if feature.direction:
        wished = _pooled(wished, weights, feature.direction)
    base = wished[feature.common]
    moved = [wish - base - level for wish, level in zip(wished, feature.levels, strict=True)]
    worth = sum(
        move * force - move * move * weight / 2 for move, force, weight in zip(moved, pulls, weights, strict=True)
    )
    fresh = not any(feature.levels)
    if fresh and worth < noise_a_bin * STEP * len(moved):
        return None
    return moved


def _forces(logits: list[float], labels: Sequence[int]) -> tuple[list[float], list[float]]:
    """The slope and the curvature of each row's likelihood."""
    chances = [1 / (1 + exp(-logit)) for logit in logits]
    pull = [label - chance for label, chance in zip(labels, chances, strict=True)]
    return pull, [chance * (1 - chance) for chance in chances]


def fit(
    columns: Columns, labels: Sequence[int], directions: Mapping[str, int], *, noise_a_bin: float = NOISE_A_BIN
) -> Scorecard:
    """A scorecard for `labels` (0 or 1) from the readings.

    `directions[feature]` is 1 when more is worse, -1 when more is better, 0 or absent when that is not known.
    With `noise_a_bin` 0 every feature moves, by chance or not; the control of shuffled labels asks for that.
    """
    features = [_feature(name, values, directions.get(name, 0)) for name, values in columns.items()]
    share = (sum(labels) + 1) / (len(labels) + 2)
    logits = [log(share / (1 - share))] * len(labels)
    pull, stiffness = _forces(logits, labels)
    for _ in range(PASSES):
        changed = False
        for feature in features:
            moved = _step(feature, pull, stiffness, noise_a_bin)
            if moved is None:
                continue
            changed = True
            for place, move in enumerate(moved):
                feature.levels[place] += move
                for row in feature.rows[place]:
                    logits[row] += move
            pull, stiffness = _forces(logits, labels)
        if not changed:
            break
    used = [feature for feature in features if any(feature.levels)]
    return Scorecard(
        {feature.name: feature.cuts for feature in used},
        {feature.name: tuple(round(level * POINTS) for level in feature.levels) for feature in used},
    )


def score(model: Scorecard, columns: Columns, rows: int) -> list[int]:
    """The points of each row; more is likelier to go wrong."""
    totals = [0] * rows
    for name, points in model.points.items():
        where = {value: points[sum(1 for cut in model.cuts[name] if value >= cut)] for value in set(columns[name])}
        totals = [total + where[value] for total, value in zip(totals, columns[name], strict=True)]
    return totals
