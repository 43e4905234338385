"""The challenger: gradient-boosted trees under the same directions as the card, scored in shadow and never acting.

Every reading of columns.CHALLENGER enters with its monotone constraint, those of UNSIGNED with none. ``deterministic``
and one thread: fitting twice gives the same file, so its hash is a fact about the training data. The file itself is not
kept in the repository; its hash and its figures are (models/).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import lightgbm
import numpy as np

from ledger.risk.training.champion import readings
from ledger.risk.training.columns import CHALLENGER, UNSIGNED
from ledger.risk.training.taiwan import Account

COLUMNS: Final = (*CHALLENGER, *UNSIGNED)
ROUNDS: Final = 230
SETTINGS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 20240101,
    "verbose": -1,
}
"""Chosen by cross-validation on the training rows."""


class Challenger(NamedTuple):
    """A fitted challenger: its text as LightGBM writes it, and the SHA-256 of that text, hex."""

    text: str
    digest: str


def fit_challenger(accounts: Sequence[Account]) -> Challenger:
    """The challenger of these accounts."""
    signs = [1 if column.adverse == "higher" else -1 for column in CHALLENGER] + [0] * len(UNSIGNED)
    labels = np.array([account.defaulted for account in accounts])
    data = lightgbm.Dataset(readings(accounts, COLUMNS), labels, feature_name=[c.name for c in COLUMNS])
    model = lightgbm.train({**SETTINGS, "monotone_constraints": signs}, data, ROUNDS)
    text = str(model.model_to_string())
    return Challenger(text, sha256(text.encode()).hexdigest())


def probabilities_ppm(challenger: Challenger, accounts: Sequence[Account]) -> list[int]:
    """The challenger's probability of default of each account, in parts per million."""
    model = lightgbm.Booster(model_str=challenger.text)
    return [round(float(value) * 1_000_000) for value in model.predict(readings(accounts, COLUMNS))]
