"""The figures of a fitted card, as one plain JSON value: what is registered, and what the model card is printed from.

Standard library only, so that a test can take the same figures again without the tools that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from ledger.risk.drift import Baseline
from ledger.risk.fairness import GroupRow, auc_ppm, by_group, calibration_error_ppm, cutoff, worst_ratio_bp
from ledger.risk.model_rules import Figures
from ledger.risk.scorecard import Scorecard, Scored, bins, derive, read_inputs, score_features
from ledger.risk.training.split import stratified_split
from ledger.risk.training.taiwan import SPLIT_SEED, TEST_SHARE, Account

DECLINE_SHARE: Final = (1, 5)
"""The worst fifth is declined when approvals are compared by group."""

ATTRIBUTES: Final = ("sex", "age", "education", "marriage")
SCORE_BINS: Final = 10


def split_accounts(accounts: Sequence[Account]) -> tuple[list[Account], list[Account]]:
    """The accounts that train, and those that are held out."""
    labels = [account.defaulted for account in accounts]
    train, test = stratified_split(labels, test_share=TEST_SHARE, seed=SPLIT_SEED)
    return [accounts[row] for row in train], [accounts[row] for row in test]


def rows_digest(rows: Sequence[int]) -> str:
    """SHA-256, hex, of row numbers from 0 in ascending order, one a line."""
    return sha256("".join(f"{row}\n" for row in rows).encode()).hexdigest()


def score_all(card: Scorecard, accounts: Sequence[Account]) -> list[Scored]:
    """Every account's score."""
    return [score_features(card, derive(card, read_inputs(card, account.inputs))) for account in accounts]


def quality(points: Sequence[int], probabilities_ppm: Sequence[int], accounts: Sequence[Account]) -> dict[str, int]:
    """Separation and calibration of scores on these accounts, in parts per million."""
    defaulted = [account.defaulted for account in accounts]
    return {
        "auc_ppm": auc_ppm(points, defaulted),
        "brier_ppm": _brier_ppm(probabilities_ppm, defaulted),
        "ece10_count_ppm": calibration_error_ppm(probabilities_ppm, defaulted, by="count"),
        "ece10_width_ppm": calibration_error_ppm(probabilities_ppm, defaulted, by="width"),
        "rows": len(accounts),
    }


def _brier_ppm(probabilities_ppm: Sequence[int], defaulted: Sequence[int]) -> int:
    squares = sum((ppm - 1_000_000 * label) ** 2 for ppm, label in zip(probabilities_ppm, defaulted, strict=True))
    return squares // (1_000_000 * len(defaulted))


def fairness(points: Sequence[int], accounts: Sequence[Account]) -> dict[str, tuple[GroupRow, ...]]:
    """Approvals by group of each attribute, when the worst fifth of these accounts is declined."""
    defaulted, cut = [account.defaulted for account in accounts], cutoff(points, decline_share=DECLINE_SHARE)
    return {
        attribute: by_group(points, defaulted, [account.groups[attribute] for account in accounts], cut)
        for attribute in ATTRIBUTES
    }


def approval_ratios_bp(table: dict[str, tuple[GroupRow, ...]]) -> dict[str, int]:
    """The lowest approval ratio of each attribute, in basis points."""
    return {attribute: worst_ratio_bp(rows) for attribute, rows in table.items()}


def baseline_of(card: Scorecard, accounts: Sequence[Account]) -> Baseline:
    """The histograms that later months are compared with: the score in tenths, and each feature by its bins."""
    features = card.document.features
    counts = [[0] * len(feature.points) for feature in features]
    points = []
    for account in accounts:
        readings = derive(card, read_inputs(card, account.inputs))
        points.append(score_features(card, readings).points)
        for row, place in zip(counts, bins(card, readings), strict=True):
            row[place] += 1
    ranked = sorted(points)
    cuts = sorted({ranked[len(ranked) * part // SCORE_BINS] for part in range(1, SCORE_BINS)})
    tally = [sum(low <= each < high for each in points) for low, high in _bands(cuts)]
    return Baseline(
        card=card.digest.hex(), features={f.name: tuple(row) for f, row in zip(features, counts, strict=True)},
        score=tuple(tally), score_cuts=tuple(cuts),
    )  # fmt: skip


def _bands(cuts: Sequence[int]) -> list[tuple[int, int]]:
    edges = [-(2**53), *cuts, 2**53]
    return list(pairwise(edges))


def figures(card: Scorecard, train: Sequence[Account], test: Sequence[Account]) -> dict[str, Any]:
    """What can be measured of a card alone: quality on both parts, fairness and its summary on the held-out one."""
    fitted, held = score_all(card, train), score_all(card, test)
    table = fairness([each.points for each in held], test)
    return {
        "approval_ratio_bp": approval_ratios_bp(table),
        "card": card.digest.hex(),
        "fairness": {attribute: [row._asdict() for row in rows] for attribute, rows in table.items()},
        "test": quality([each.points for each in held], [each.probability_ppm for each in held], test),
        "train": quality([each.points for each in fitted], [each.probability_ppm for each in fitted], train),
    }


def registration_figures(found: dict[str, Any], page: bytes) -> Figures:
    """What a model is registered with (model_rules.Figures), from its figures and its model card's bytes."""
    return Figures(
        approval_ratio_bp=found["approval_ratio_bp"], challenger=found["challenger"]["sha256"],
        challenger_auc_bp=found["challenger"]["test"]["auc_ppm"] // 100, data=found["data_sha256"],
        metrics_bp={
            "auc": found["test"]["auc_ppm"] // 100, "brier": found["test"]["brier_ppm"] // 100,
            "ece": -(-found["test"]["ece10_width_ppm"] // 100),
        },
        model=found["card"], model_card=sha256(page).hexdigest(), split_seed=SPLIT_SEED,
    )  # fmt: skip
