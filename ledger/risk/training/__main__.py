"""``python -m ledger.risk.training --data UCI_Credit_Card.csv.gz``: fits, measures, and writes what the repository holds.

Needs the extra ``training``. Run from the checkout's root; about two minutes. Twice gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from typing import Any

import click
import msgspec

from ledger.errors import InvalidInput
from ledger.risk.model_rules import shadow
from ledger.risk.scorecard import Scorecard, card_bytes, load_card
from ledger.risk.training.challenger import COLUMNS, ROUNDS, SETTINGS, fit_challenger, probabilities_ppm
from ledger.risk.training.champion import CUTS, L2, cross_validated_auc_ppm, fit_card
from ledger.risk.training.measures import (
    DECLINE_SHARE,
    baseline_of,
    figures,
    quality,
    registration_figures,
    rows_digest,
    score_all,
    split_accounts,
)
from ledger.risk.training.model_card import model_card
from ledger.risk.training.split import stratified_split
from ledger.risk.training.taiwan import SHA256, SPLIT_SEED, TEST_SHARE, Account, read_accounts


def _accounts(data: bytes) -> list[Account]:
    whole = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if sha256(whole).hexdigest() != SHA256:
        raise InvalidInput("taiwan_file", "not the file that the card is fitted on", expected=SHA256)
    return read_accounts(whole)


def _challenger(card: Scorecard, train: list[Account], test: list[Account]) -> dict[str, Any]:
    fitted = fit_challenger(train)
    ppm = probabilities_ppm(fitted, test)
    beside = shadow([each.points for each in score_all(card, test)], ppm, decline_share=DECLINE_SHARE)
    return {
        "columns": [column.name for column in COLUMNS], "rounds": ROUNDS,
        "settings": {name: str(value) for name, value in sorted(SETTINGS.items())}, "sha256": fitted.digest,
        "shadow": beside._asdict() | {"differ_bp": beside.differ_bp},
        "test": quality([-each for each in ppm], ppm, test),
    }  # fmt: skip


@click.command()
@click.option("--data", required=True, type=click.File("rb"), help="The accounts, plain or gzip.")
@click.option("--models", default="ledger/risk/models", show_default=True, help="Folder of the card and its figures.")
@click.option("--page", default="docs/models/taiwan_card_v1.md", show_default=True, help="The model card's page.")
def main(data: Any, models: str, page: str) -> None:
    """Fit the champion and the challenger, and write card, figures, drift baseline and model card."""
    accounts = _accounts(data.read())
    train, test = split_accounts(accounts)
    card = load_card(card_bytes(fit_card(train)))
    held = stratified_split([each.defaulted for each in accounts], test_share=TEST_SHARE, seed=SPLIT_SEED)[1]
    found = figures(card, train, test) | {
        "challenger": _challenger(card, train, test), "cross_validated_auc_ppm": cross_validated_auc_ppm(train),
        "data_sha256": SHA256, "fit": {"cuts": CUTS, "l2": str(L2)}, "rows_sha256": rows_digest(held),
        "split_seed": SPLIT_SEED,
    }  # fmt: skip
    _write(f"{models}/taiwan_card_v1.json", card.data)
    _write(f"{models}/taiwan_card_v1.figures.json", (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
    _write(f"{models}/taiwan_card_v1.baseline.json", msgspec.json.encode(baseline_of(card, train)) + b"\n")
    text = model_card(card, found).encode()
    _write(page, text)
    _write(f"{models}/taiwan_card_v1.registration.json", msgspec.json.encode(registration_figures(found, text)) + b"\n")
    click.echo(json.dumps(found["test"] | {"card": found["card"]}))


def _write(name: str, data: bytes) -> None:
    with click.open_file(name, "wb") as file:
        file.write(data)


if __name__ == "__main__":
    main()
