"""Fits the champion: a logistic regression on steps that may only count against the borrower, rounded to integers.

    document = fit_card(train_accounts)

How
- Every reading is cut at quantiles of the training rows (``CUTS``), to two significant digits, so that a person can read
  the card. Each cut is one indicator: "at or past this cut, in the worse direction".
- Weights of all indicators are fitted together under L2 and *none may be negative*: hence each feature's points are
  monotone, and each sign is the declared one, by construction and not by selection.
- ``POINTS_TO_DOUBLE`` points double the odds of paying; ``EVEN_ODDS`` points are even odds. Losses are rounded after
  summing over the steps, so rounding errors do not add up within a feature. What rounds away is left out.
- The table of probabilities is the logistic curve at each whole score, in parts per million.

``cross_validated_auc_ppm`` is what the choices above were made by: five folds of the training rows. The test rows are
not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize

from ledger.risk.derivations import derivation
from ledger.risk.fairness import auc_ppm
from ledger.risk.scorecard import FORMAT, Calibration, Document, Feature, card_bytes, load_card, score
from ledger.risk.training.columns import CHAMPION, INPUTS, Column
from ledger.risk.training.split import mersenne_words, shuffled
from ledger.risk.training.taiwan import Account

CUTS: Final = 14
"""Quantile bins of a reading with more than ten different values."""

L2: Final = 3.0
"""Penalty on the squared weights."""

POINTS_TO_DOUBLE: Final = 40
EVEN_ODDS: Final = 500
FOLDS: Final = 5
FOLD_SEED: Final = 7

Array = Any
"""A NumPy array; its own stubs are not part of the product's type check."""


def readings(accounts: Sequence[Account], columns: Sequence[Column]) -> Array:
    """A matrix of integers: one row an account, one column a reading."""
    place = {each.name: at for at, each in enumerate(INPUTS)}
    makers = [
        derivation(
            column.derive.op, tuple(place[name] for name in column.derive.of), at=column.derive.at or 0,
            over=place[column.derive.over] if column.derive.over else 0,
        )
        for column in columns
    ]  # fmt: skip
    rows = [tuple(account.inputs[each.name] for each in INPUTS) for account in accounts]
    return np.array([[make(row) for make in makers] for row in rows], dtype=np.int64)


def fit_card(accounts: Sequence[Account]) -> Document:
    """The card of these accounts, by the rules above."""
    matrix, labels = readings(accounts, CHAMPION), _labels(accounts)
    cuts = [_cuts(matrix[:, at]) for at in range(len(CHAMPION))]
    intercept, weights = _fit(_steps(matrix, cuts), labels)
    scale = POINTS_TO_DOUBLE / np.log(2)
    features, used = [], 0
    for column, ours in zip(CHAMPION, cuts, strict=True):
        features.append(_feature(column, ours, weights[used : used + len(ours)] * scale))
        used += len(ours)
    features = [feature for feature in features if feature.cuts]
    best = EVEN_ODDS - round(float(intercept * scale))
    return _document(features, best)


def cross_validated_auc_ppm(accounts: Sequence[Account]) -> int:
    """Mean AUC of the integer points over five folds, each scored by a card that has not seen it."""
    found: list[int] = []
    for fitting, rest in folds(accounts):
        card = load_card(card_bytes(fit_card(fitting)))
        found.append(auc_ppm([score(card, a.inputs).points for a in rest], [a.defaulted for a in rest]))
    return sum(found) // FOLDS


def folds(accounts: Sequence[Account]) -> Iterator[tuple[list[Account], list[Account]]]:
    """Five times: four fifths of the accounts, and the fifth that was left out."""
    order = shuffled(len(accounts), mersenne_words(FOLD_SEED))
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS])
        yield [a for at, a in enumerate(accounts) if at not in held], [accounts[at] for at in sorted(held)]


def _labels(accounts: Sequence[Account]) -> Array:
    return np.array([account.defaulted for account in accounts], dtype=np.float64)


def _cuts(values: Array) -> list[int]:
    distinct = np.unique(values)
    if len(distinct) <= 10:
        return [int(value) for value in distinct[1:]]
    quantiles = np.quantile(values, np.linspace(0, 1, CUTS + 1)[1:-1])
    rounded = {_two_digits(int(value)) for value in quantiles}
    return sorted(cut for cut in rounded if distinct[0] < cut <= distinct[-1])


def _two_digits(value: int) -> int:
    unit = int(10 ** max(len(str(abs(value))) - 2, 0))
    return round(value / unit) * unit


def _steps(matrix: Array, cuts: Sequence[Sequence[int]]) -> Array:
    columns = [
        matrix[:, at] >= cut if CHAMPION[at].adverse == "higher" else matrix[:, at] < cut
        for at, ours in enumerate(cuts)
        for cut in ours
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _fit(steps: Array, labels: Array) -> tuple[Any, Array]:
    def loss(weights: Array) -> tuple[Any, Array]:
        odds = steps @ weights[1:] + weights[0]
        value = np.logaddexp(0, odds).sum() - labels @ odds + L2 / 2 * (weights[1:] @ weights[1:])
        wrong = 1 / (1 + np.exp(-odds)) - labels
        return value, np.concatenate([[wrong.sum()], steps.T @ wrong + L2 * weights[1:]])

    start = np.full(steps.shape[1] + 1, 0.05)
    bounds = [(None, None)] + [(0, None)] * steps.shape[1]
    options = {"maxiter": 2_000, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return found.x[0], found.x[1:]


def _feature(column: Column, cuts: Sequence[int], weights: Array) -> Feature:
    """Losses add up from the best bin; a cut where the rounded loss does not move is no cut."""
    upwards = column.adverse == "higher"
    order = range(len(cuts)) if upwards else range(len(cuts) - 1, -1, -1)
    losses, kept, total = [0], [], 0.0
    for at in order:
        total += float(weights[at])
        if round(total) > losses[-1]:
            losses.append(round(total))
            kept.append(cuts[at])
    worst = losses[-1]
    points = [worst - loss for loss in losses]
    if not upwards:
        kept, points = kept[::-1], points[::-1]
    return Feature(
        adverse=column.adverse, cuts=tuple(kept), derive=column.derive, name=column.name, points=tuple(points),
        reason=column.reason,
    )  # fmt: skip


def _document(features: Sequence[Feature], best: int) -> Document:
    worst = best - sum(max(feature.points) for feature in features)
    odds = [(points - EVEN_ODDS) * np.log(2) / POINTS_TO_DOUBLE for points in range(worst, best + 1)]
    table = tuple(round(float(1_000_000 / (1 + np.exp(each)))) for each in odds)
    return Document(
        base=worst, calibration=Calibration(first=worst, ppm=table), features=tuple(features), format=FORMAT,
        inputs=INPUTS, name="taiwan_card", target="The next monthly payment is missed.", version=1,
    )  # fmt: skip
