"""``python -m ledger.risk.training --data UCI_Credit_Card.csv.gz``: fits, measures, and writes what the repository holds.

Needs the extra ``training``. Run from the checkout's root; about two minutes. Twice gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from math import ceil
from typing import Any

import click
import lightgbm
import msgspec

from ledger.errors import InvalidInput
from ledger.risk.drift import Baseline
from ledger.risk.model_rules import Figures
from ledger.risk.scorecard import Scorecard, card_bytes, load_card
from ledger.risk.training.challenger import (
    ROUNDS,
    SETTINGS,
    bound_ppm,
    cross_validated_challenger_ppm,
    fit_challenger,
    fitted_ppm,
    tree_document,
)
from ledger.risk.training.champion import CUTS, L2, cross_validated_auc_ppm, fit_card
from ledger.risk.training.columns import CHALLENGER
from ledger.risk.training.measures import (
    baseline_of,
    challenger_baseline,
    challenger_figures,
    challenger_registration,
    figures,
    registration_figures,
    rows_digest,
    run_all,
    split_accounts,
)
from ledger.risk.training.model_card import challenger_page, model_card
from ledger.risk.training.split import stratified_split
from ledger.risk.training.taiwan import SHA256, SPLIT_SEED, TEST_SHARE, Account, read_accounts
from ledger.risk.trees import Trees, load_trees, trees_bytes


def _accounts(data: bytes) -> list[Account]:
    whole = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if sha256(whole).hexdigest() != SHA256:
        raise InvalidInput("taiwan_file", "not the file that the card is fitted on", expected=SHA256)
    return read_accounts(whole)


def _challenger(card: Scorecard, train: list[Account], test: list[Account]) -> tuple[Trees, dict[str, Any]]:
    fitted = fit_challenger(train)
    document = tree_document(fitted)
    trees = load_trees(trees_bytes(document))
    apart = zip(run_all(trees, test), fitted_ppm(fitted, test), strict=True)
    return trees, challenger_figures(trees, card, test) | {
        "bound_ppm": bound_ppm(document), "columns": [column.name for column in CHALLENGER],
        "cross_validated_auc_ppm": cross_validated_challenger_ppm(train),
        "largest_difference_ppm": ceil(max(abs(ours - theirs) for ours, theirs in apart)),
        "lightgbm": lightgbm.__version__, "lightgbm_sha256": fitted.digest, "rounds": ROUNDS,
        "settings": {name: str(value) for name, value in sorted(SETTINGS.items())},
    }  # fmt: skip


@click.command()
@click.option("--data", required=True, type=click.File("rb"), help="The accounts, plain or gzip.")
@click.option("--models", default="ledger/risk/models", show_default=True, help="Folder of the card and its figures.")
@click.option("--pages", default="docs/models", show_default=True, help="Folder of the two model cards.")
def main(data: Any, models: str, pages: str) -> None:
    """Fit the champion and the challenger, and write both with figures, drift baselines and model cards."""
    accounts = _accounts(data.read())
    train, test = split_accounts(accounts)
    card = load_card(card_bytes(fit_card(train)))
    held = stratified_split([each.defaulted for each in accounts], test_share=TEST_SHARE, seed=SPLIT_SEED)[1]
    trees, challenger = _challenger(card, train, test)
    found = figures(card, train, test) | {
        "challenger": challenger, "cross_validated_auc_ppm": cross_validated_auc_ppm(train),
        "data_sha256": SHA256, "fit": {"cuts": CUTS, "l2": str(L2)}, "rows_sha256": rows_digest(held),
        "split_seed": SPLIT_SEED,
    }  # fmt: skip
    _write(f"{models}/taiwan_card_v1.figures.json", (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
    page = model_card(card, found).encode()
    _write_model(models, pages, "taiwan_card_v1", card.data, baseline_of(card, train), page,
                 registration_figures(found, page))  # fmt: skip
    page = challenger_page(trees, found).encode()
    _write_model(models, pages, "taiwan_trees_v1", trees.data, challenger_baseline(trees, train), page,
                 challenger_registration(found, page))  # fmt: skip
    click.echo(json.dumps({"card": found["test"], "challenger": challenger["test"]}))


def _write_model(
    models: str, pages: str, name: str, document: bytes, baseline: Baseline, page: bytes, registered: Figures
) -> None:
    _write(f"{models}/{name}.json", document)
    _write(f"{models}/{name}.baseline.json", msgspec.json.encode(baseline) + b"\n")
    _write(f"{models}/{name}.registration.json", msgspec.json.encode(registered) + b"\n")
    _write(f"{pages}/{name}.md", page)


def _write(name: str, data: bytes) -> None:
    with click.open_file(name, "wb") as file:
        file.write(data)


if __name__ == "__main__":
    main()
