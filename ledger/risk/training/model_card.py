"""Prints the model cards of a scorecard and its challenger: purpose, data, figures, limits, fairness, and each in words."""

from __future__ import annotations

from typing import Any, Final

from ledger.risk.reasons import REASONS
from ledger.risk.scorecard import Derive, Feature, Scorecard
from ledger.risk.training.measures import ATTRIBUTES
from ledger.risk.training.taiwan import SHA256, SPLIT_SEED
from ledger.risk.trees import Trees

_HEAD: Final = """# taiwan_card, version 1

A monotone integer scorecard for credit-card accounts. Model hash (SHA-256 of
`ledger/risk/models/taiwan_card_v1.json`): `{card}`.

Written by `python -m ledger.risk.training`; a test takes the figures again from the data, without the tools that fit.

## Purpose

It estimates the probability that the next monthly payment is missed, from six months of delays, bills and payments and
the credit limit. It shows what the ledger's scoring does, end to end, on data that anybody may have. **It is not fit
for decisions about other borrowers**: one bank, one country, one half-year twenty years ago, in a card-debt crisis.

## Data

I-Cheng Yeh, "Default of Credit Card Clients", UCI Machine Learning Repository, 2009, doi 10.24432/C55S3H; licence CC BY
4.0. 30,000 accounts of one Taiwanese bank, April to September 2005. SHA-256 of the uncompressed file:
`{data}`.
{rows_train} accounts train, {rows_test} are held out: stratified, seed {seed} (`ledger/risk/training/split.py`).
SHA-256 of the held-out row numbers: `{rows}`.

Sex, age, education and marital status are not read by the card. They are used to look at its outcomes, below.

## Figures on the held-out accounts

| figure | card | challenger | goal for the card |
| --- | --- | --- | --- |
| area under the curve | {auc} | {challenger_auc} | 0.780, better 0.785 |
| expected calibration error, 10 bins of equal width | {ece_width} | {challenger_ece_width} | 0.015 |
| the same, 10 bins of equal count | {ece_count} | {challenger_ece_count} | 0.015 |
| Brier score | {brier} | {challenger_brier} | |

Cross-validated on the training accounts, the card's area is {cv}: the held-out ones are easier, and a bootstrap of the
held-out area spreads by about 0.011 to either side. [The challenger](taiwan_trees_v1.md) is monotone gradient-boosted
trees. It runs in shadow and never acts. SHA-256 of `ledger/risk/models/taiwan_trees_v1.json`:
`{challenger}`.
Were each to decline its own worst fifth, the two would treat {differ} of the {rows_test} accounts differently: {only_card}
are declined by the card alone, {only_challenger} by the challenger alone.

## Fairness

The worst fifth is declined. The ratio is a group's approval rate against the best rate of a group of at least 100
people; four fifths (0.80) is the mark below which adverse impact is presumed (29 CFR 1607.4(D)).

| attribute | group | accounts | approved | ratio | area under the curve |
| --- | --- | --- | --- | --- | --- |
{fairness}

Areas differ by group: the card separates least among those with other or unstated education, of whom there are few.

## The card

{base} points, plus the points of each feature's bin; {worst} to {best} in all. 500 points are even odds of paying, and
each 40 points more double the odds. A cut belongs to the bin above it. Within each feature points never rise towards
the worse side, and no two features give the same reason.

| feature | from | cuts | points |
| --- | --- | --- | --- |
{features}

## Reasons

A reason is a feature that lost points against its best bin; the four largest losses are given, equal ones in the order
of the table.

| reason | sentence for the borrower |
| --- | --- |
{reasons}

## Limits

- A delay is counted in whole months, and the file's first month late is mostly recorded as 2.
- Amounts are New Taiwan dollars of 2005: in another currency or year the cuts mean something else.
- Whoever used the card little, owed little and so paid little loses points for paying little, though in good standing.
- Accounts that were closed or written off before are not in the data. Nothing is known of debts elsewhere.
- Use it for another population only after fitting it again, with a card, figures and a fairness table of its own.
"""

_CHALLENGER: Final = """# taiwan_trees, version 1

Monotone gradient-boosted trees: the challenger of [taiwan_card](taiwan_card_v1.md), whose inputs, purpose, data and
limits are its own too. Model hash (SHA-256 of `ledger/risk/models/taiwan_trees_v1.json`):
`{challenger}`.

Written by `python -m ledger.risk.training`; a test takes the figures again from the data, without the tools that fit.

## Role

It runs in shadow on the same snapshot as the card and **never decides**: its format has no other role, it cannot be
promoted, and it has no reasons to give. Its readings are kept for the lender to compare.

## How it is written

{trees} trees of at most {leaves} leaves over {features} readings, {bytes:,} bytes of canonical JSON, integers throughout.
Readings are integers, so that cuts are exact. Leaves are millionths of log-odds; the curve from log-odds to probability
is a table with straight lines between. Rounding can move a probability by at most {bound} parts per million against the
model as it was fitted; on the held-out accounts it moves it by less than {apart}.

Fitted with LightGBM {lightgbm}, deterministic; SHA-256 of its own file:
`{lightgbm_sha256}`.

## Figures on the held-out accounts

| figure | challenger | card |
| --- | --- | --- |
| area under the curve | {auc} | {card_auc} |
| the same, cross-validated on the training accounts | {cv} | {card_cv} |
| expected calibration error, 10 bins of equal width | {ece_width} | {card_ece_width} |
| the same, 10 bins of equal count | {ece_count} | {card_ece_count} |
| Brier score | {brier} | {card_brier} |

Lowest approval ratio of a group when the worst fifth is declined, of which 0.80 is the mark:
{ratios}.

## Directions

Each reading may count in one direction only, and the loader refuses a document in which one does not.

| reading | from | worse |
| --- | --- | --- |
{rows}
"""

_SAID: Final = {
    "value": "{of}",
    "positive": "{of}, or 0 when negative",
    "positive_rise": "by how much the first of {of} exceeds the second, neither below 0",
    "sum": "sum of {of}",
    "min": "least of {of}",
    "max": "greatest of {of}",
    "count_at_least": "how many of {of} are at least {at}",
    "count_at_most": "how many of {of} are at most {at}",
    "first_at_least": "place, from 0, of the first of {of} that is at least {at}",
    "mean_share_bp": "mean of {of} over {over}, in basis points",
    "headroom": "{over} less the greatest of {of}",
}


def model_card(card: Scorecard, found: dict[str, Any]) -> str:
    """The card's page, from its figures (measures.figures, with ``challenger``, ``cross_validated_auc_ppm`` and
    ``rows_sha256`` beside them)."""
    other, ours, document = found["challenger"]["test"], found["test"], card.document
    return _HEAD.format(
        card=card.digest.hex(), data=SHA256, seed=SPLIT_SEED, rows=found["rows_sha256"],
        rows_train=f"{found['train']['rows']:,}", rows_test=f"{ours['rows']:,}",
        auc=_share(ours["auc_ppm"]), challenger_auc=_share(other["auc_ppm"]),
        ece_width=_share(ours["ece10_width_ppm"]), challenger_ece_width=_share(other["ece10_width_ppm"]),
        ece_count=_share(ours["ece10_count_ppm"]), challenger_ece_count=_share(other["ece10_count_ppm"]),
        brier=_share(ours["brier_ppm"]), challenger_brier=_share(other["brier_ppm"]),
        **_shadow(found["challenger"]["shadow"]),
        cv=_share(found["cross_validated_auc_ppm"]), challenger=found["challenger"]["sha256"],
        fairness="\n".join(_fairness_rows(found["fairness"])), base=document.base, worst=card.worst, best=card.best,
        features="\n".join(_feature_row(feature) for feature in document.features),
        reasons="\n".join(f"| `{f.reason}` | {REASONS[f.reason].sentence} |" for f in document.features),
    )  # fmt: skip


def challenger_page(trees: Trees, found: dict[str, Any]) -> str:
    """The challenger's page, from the same figures."""
    ours, card, other = found["challenger"]["test"], found["test"], found["challenger"]
    ratios = ", ".join(f"{name} {other['approval_ratio_bp'][name] / 10_000:.3f}" for name in ATTRIBUTES)
    return _CHALLENGER.format(
        challenger=trees.digest.hex(), trees=other["trees"], features=other["features"], bytes=other["bytes"],
        leaves=max(len(tree.leaves) for tree in trees.document.trees), bound=other["bound_ppm"],
        apart=other["largest_difference_ppm"], lightgbm=other["lightgbm"], lightgbm_sha256=other["lightgbm_sha256"],
        auc=_share(ours["auc_ppm"]), card_auc=_share(card["auc_ppm"]),
        cv=_share(other["cross_validated_auc_ppm"]), card_cv=_share(found["cross_validated_auc_ppm"]),
        ece_width=_share(ours["ece10_width_ppm"]), card_ece_width=_share(card["ece10_width_ppm"]),
        ece_count=_share(ours["ece10_count_ppm"]), card_ece_count=_share(card["ece10_count_ppm"]),
        brier=_share(ours["brier_ppm"]), card_brier=_share(card["brier_ppm"]), ratios=ratios,
        rows="\n".join(
            f"| `{each.name}` | {_source(each.derive)} | {each.adverse} |" for each in trees.document.features
        ),
    )  # fmt: skip


def _shadow(counts: dict[str, int]) -> dict[str, str]:
    differ = counts["only_card"] + counts["only_challenger"]
    only = {name: f"{counts[name]:,}" for name in ("only_card", "only_challenger")}
    return {"differ": f"{differ:,}"} | only


def _share(ppm: int) -> str:
    return f"{ppm / 1_000_000:.4f}"


def _fairness_rows(table: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [
        f"| {attribute} | {row['group']} | {row['people']:,} | {row['approved']:,} | {row['ratio_bp'] / 10_000:.3f} | "
        f"{'none' if row['auc_ppm'] is None else _share(row['auc_ppm'])} |"
        for attribute in ATTRIBUTES
        for row in table[attribute]
    ]


def _feature_row(feature: Feature) -> str:
    cuts = ", ".join(f"{cut:,}" if abs(cut) < 1_000 else f"{cut:_}" for cut in feature.cuts)
    points = ", ".join(str(each) for each in feature.points)
    return f"| `{feature.name}` | {_source(feature.derive)} | {cuts} | {points} |"


def _source(rule: Derive) -> str:
    of = rule.of[0] if len(rule.of) == 1 else ", ".join(rule.of)
    if len(rule.of) > 2:
        of = f"{rule.of[0]} to {rule.of[-1]}"
    return _SAID[rule.op].format(of=of, at=rule.at, over=rule.over)
