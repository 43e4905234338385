"""The figures of a fitted card and of its challenger, as one plain JSON value: what is registered, and what the model
cards are printed from.

Standard library only, so that a test can take the same figures again without the tools that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from ledger.risk.drift import Baseline
from ledger.risk.fairness import GroupRow, auc_ppm, by_group, calibration_error_ppm, cutoff, worst_ratio_bp
from ledger.risk.model_rules import Figures, shadow
from ledger.risk.scorecard import Scorecard, Scored, bins, derive, read_inputs, score_features
from ledger.risk.training.split import stratified_split
from ledger.risk.training.taiwan import SPLIT_SEED, TEST_SHARE, Account
from ledger.risk.trees import Trees, probability_ppm

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
    cuts = _tenths(points)
    tally = [sum(low <= each < high for each in points) for low, high in _bands(cuts)]
    return Baseline(
        card=card.digest.hex(), features={f.name: tuple(row) for f, row in zip(features, counts, strict=True)},
        score=tuple(tally), score_cuts=tuple(cuts),
    )  # fmt: skip


def _tenths(values: Sequence[int]) -> list[int]:
    ranked = sorted(values)
    return sorted({ranked[len(ranked) * part // SCORE_BINS] for part in range(1, SCORE_BINS)})


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


def run_all(trees: Trees, accounts: Sequence[Account]) -> list[int]:
    """The challenger's probability of default of each account, in parts per million."""
    names = [each.name for each in trees.document.inputs]
    return [probability_ppm(trees, tuple([account.inputs[name] for name in names])) for account in accounts]


def challenger_figures(trees: Trees, card: Scorecard, test: Sequence[Account]) -> dict[str, Any]:
    """What can be measured of a challenger's document alone, on the held-out accounts, and beside the card."""
    ppm = run_all(trees, test)
    beside = shadow([each.points for each in score_all(card, test)], ppm, decline_share=DECLINE_SHARE)
    return {
        "approval_ratio_bp": approval_ratios_bp(fairness([-each for each in ppm], test)),
        "bytes": len(trees.data),
        "features": len(trees.document.features),
        "sha256": trees.digest.hex(),
        "shadow": beside._asdict() | {"differ_bp": beside.differ_bp},
        "test": quality([-each for each in ppm], ppm, test),
        "trees": len(trees.document.trees),
    }


def challenger_baseline(trees: Trees, accounts: Sequence[Account]) -> Baseline:
    """The histogram that a challenger's later months are compared with: its probability in tenths."""
    ppm = run_all(trees, accounts)
    cuts = _tenths(ppm)
    tally = [sum(low <= each < high for each in ppm) for low, high in _bands(cuts)]
    return Baseline(card=trees.digest.hex(), features={}, score=tuple(tally), score_cuts=tuple(cuts))


def registration_figures(found: dict[str, Any], page: bytes) -> Figures:
    """What the card is registered with (model_rules.Figures), from its figures and its model card's bytes."""
    return _registered(found | {"sha256": found["card"]}, found["challenger"], found, page)


def challenger_registration(found: dict[str, Any], page: bytes) -> Figures:
    """What the challenger is registered with: it was compared with the card."""
    return _registered(found["challenger"], found | {"sha256": found["card"]}, found, page)


def _registered(ours: dict[str, Any], other: dict[str, Any], found: dict[str, Any], page: bytes) -> Figures:
    return Figures(
        approval_ratio_bp=ours["approval_ratio_bp"], challenger=other["sha256"],
        challenger_auc_bp=other["test"]["auc_ppm"] // 100, data=found["data_sha256"],
        metrics_bp={
            "auc": ours["test"]["auc_ppm"] // 100, "brier": ours["test"]["brier_ppm"] // 100,
            "ece": -(-ours["test"]["ece10_width_ppm"] // 100),
        },
        model=ours["sha256"], model_card=sha256(page).hexdigest(), split_seed=SPLIT_SEED,
    )  # fmt: skip
