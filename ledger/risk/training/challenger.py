"""The challenger: gradient-boosted trees under the same directions as the card, run in shadow and never acting.

    fitted = fit_challenger(train_accounts)
    document = tree_document(fitted)               # integers (ledger/risk/trees.py): what is registered and what runs

How
- Every reading of columns.CHALLENGER enters with its monotone constraint; the loader of the document checks it again.
- ``deterministic`` and one thread: fitting twice gives the same file.
- **Exported exactly, but for rounding.** Readings are integers, so ``reading <= 3.5`` is ``reading < 4`` and a cut loses
  nothing. Leaves are rounded to millionths of log-odds and the logistic curve is tabulated in steps of ``STEP``;
  ``bound_ppm`` is how far that can move a probability at most, and a test compares on every held-out account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from hashlib import sha256
from math import floor
from typing import Any, Final

import lightgbm
import numpy as np

from ledger.risk.fairness import auc_ppm
from ledger.risk.training.champion import folds, readings
from ledger.risk.training.columns import CHALLENGER, INPUTS, Column
from ledger.risk.training.taiwan import Account
from ledger.risk.trees import FORMAT, Curve, Tree, TreeDocument, TreeFeature

ROUNDS: Final = 110
SETTINGS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.08,
    "num_leaves": 8,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 20240101,
    "verbose": -1,
}
"""Chosen by cross-validation on the training rows: half the trees and half the leaves of the best setting cost 0.0004."""

MICRO: Final = 1_000_000
STEP: Final = 20_000
"""Millionths of log-odds between two points of the curve: a straight line is then within 5 ppm of it."""

_EXACT: Final = Context(prec=34, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Challenger:
    """A fitted challenger: its text as LightGBM writes it, and the SHA-256 of that text, hex."""

    text: str
    digest: str


def fit_challenger(accounts: Sequence[Account]) -> Challenger:
    """The challenger of these accounts."""
    signs = [1 if column.adverse == "higher" else -1 for column in CHALLENGER]
    labels = np.array([account.defaulted for account in accounts])
    data = lightgbm.Dataset(readings(accounts, CHALLENGER), labels, feature_name=[c.name for c in CHALLENGER])
    model = lightgbm.train({**SETTINGS, "monotone_constraints": signs}, data, ROUNDS)
    text = str(model.model_to_string())
    return Challenger(text, sha256(text.encode()).hexdigest())


def fitted_ppm(challenger: Challenger, accounts: Sequence[Account]) -> list[float]:
    """What LightGBM itself predicts for each account, in parts per million and not rounded."""
    model = lightgbm.Booster(model_str=challenger.text)
    return [float(value) * 1_000_000 for value in model.predict(readings(accounts, CHALLENGER))]


def tree_document(challenger: Challenger) -> TreeDocument:
    """The challenger as a document of integers; readings that no tree splits by are left out."""
    whole = lightgbm.Booster(model_str=challenger.text).dump_model()
    found = [_Splits().of(each["tree_structure"]) for each in whole["tree_info"]]
    used = sorted({place for tree in found for place in tree.features})
    trees = tuple(_renumbered(tree, used) for tree in found)
    ends = sum(min(tree.leaves) for tree in trees), sum(max(tree.leaves) for tree in trees)
    return TreeDocument(
        curve=_curve(*ends), features=tuple(_feature(CHALLENGER[place]) for place in used), format=FORMAT, inputs=INPUTS,
        name="taiwan_trees", role="challenger", target="The next monthly payment is missed.", trees=trees,
        unit="micro_log_odds", version=1,
    )  # fmt: skip


def cross_validated_challenger_ppm(accounts: Sequence[Account]) -> int:
    """Mean AUC over the folds that the card's was taken on, each predicted by trees that have not seen it."""
    found: list[int] = []
    for fitting, rest in folds(accounts):
        nano = [-round(ppm * 1_000) for ppm in fitted_ppm(fit_challenger(fitting), rest)]
        found.append(auc_ppm(nano, [account.defaulted for account in rest]))
    return sum(found) // len(found)


def bound_ppm(document: TreeDocument) -> int:
    """How far a document's probability can be from that of the trees it was made from, in parts per million: half a
    millionth a leaf on a curve that is nowhere steeper than 1/4, the line against the curve, and two roundings."""
    leaves = -(-len(document.trees) // 8)
    line = -(-(document.curve.step**2) * 97 // (8 * 1_000 * MICRO))  # the second derivative is below 0.097
    return leaves + line + 2


class _Splits:
    """Walks one tree of LightGBM's into lists, a split before what it leads to."""

    def __init__(self) -> None:
        self.features: list[int] = []
        self.cuts: list[int] = []
        self.sides: list[list[int]] = []
        self.leaves: list[int] = []

    def of(self, root: dict[str, Any]) -> Tree:
        self._visit(root)
        return Tree(
            cuts=tuple(self.cuts), features=tuple(self.features), high=tuple(high for _, high in self.sides),
            leaves=tuple(self.leaves), low=tuple(low for low, _ in self.sides),
        )  # fmt: skip

    def _visit(self, node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            self.leaves.append(round(float(node["leaf_value"]) * MICRO))
            return -len(self.leaves)
        place = len(self.cuts)
        self.features.append(node["split_feature"])
        self.cuts.append(floor(node["threshold"]) + 1)
        self.sides.append([0, 0])
        self.sides[place] = [self._visit(node["left_child"]), self._visit(node["right_child"])]
        return place


def _renumbered(tree: Tree, used: Sequence[int]) -> Tree:
    places = tuple(used.index(place) for place in tree.features)
    return Tree(cuts=tree.cuts, features=places, high=tree.high, leaves=tree.leaves, low=tree.low)


def _feature(column: Column) -> TreeFeature:
    return TreeFeature(adverse=column.adverse, derive=column.derive, name=column.name)


def _curve(least: int, most: int) -> Curve:
    first = least // STEP * STEP
    points = range(first, most + STEP, STEP)
    with localcontext(_EXACT):
        odds = [(Decimal(-point) / MICRO).exp() for point in points]
        ppm = tuple(int((MICRO / (1 + each)).to_integral_value()) for each in odds)
    return Curve(first=first, ppm=ppm, step=STEP)
