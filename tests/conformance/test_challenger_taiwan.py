"""The committed challenger on all 9,000 held-out Taiwanese accounts: its figures, a second reading, and the trees it was
made from, where the tools that fit are installed."""

from __future__ import annotations

import gzip
import importlib.util
import json
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from ledger.risk.fairness import auc_ppm, calibration_error_ppm
from ledger.risk.scorecard import load_card
from ledger.risk.training.measures import (
    challenger_baseline,
    challenger_figures,
    challenger_registration,
    run_all,
    split_accounts,
)
from ledger.risk.training.model_card import challenger_page
from ledger.risk.training.taiwan import SHA256, Account, read_accounts
from ledger.risk.trees import Trees, load_trees
from tests.support.vector_counts import count_vector

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "ledger" / "risk" / "models"
FIGURES = json.loads((MODELS / "taiwan_card_v1.figures.json").read_text())
OURS: dict[str, Any] = FIGURES["challenger"]


@pytest.fixture(scope="module")
def parts(shared: Path) -> tuple[list[Account], list[Account]]:
    file = shared / "data" / "taiwan-default" / "UCI_Credit_Card.csv.gz"
    if not file.is_file():
        pytest.skip(f"the shared accounts are not here: {file} (set TALLYSTICK_SHARED)")
    data = gzip.decompress(file.read_bytes())
    assert sha256(data).hexdigest() == SHA256
    return split_accounts(read_accounts(data))


@pytest.fixture(scope="module")
def trees() -> Trees:
    return load_trees((MODELS / "taiwan_trees_v1.json").read_bytes())


@pytest.fixture(scope="module")
def ppm(trees: Trees, parts: tuple[list[Account], list[Account]]) -> list[int]:
    return run_all(trees, parts[1])


def test_its_area_is_ahead_of_the_cards_by_less_than_the_goal(
    ppm: list[int], parts: tuple[list[Account], list[Account]]
) -> None:
    defaulted = [account.defaulted for account in parts[1]]
    area = auc_ppm([-each for each in ppm], defaulted)
    assert len(ppm) == 9_000
    assert area >= 794_000
    assert 0 < area - FIGURES["test"]["auc_ppm"] <= 12_000
    assert calibration_error_ppm(ppm, defaulted) <= 15_000


def test_a_second_implementation_gives_the_same_probability_on_all_rows(
    trees: Trees, ppm: list[int], parts: tuple[list[Account], list[Account]]
) -> None:
    document, derived = json.loads(trees.data), offline_scorer()
    for first, account in zip(ppm, parts[1], strict=True):
        readings = [derived.reading(feature["derive"], account.inputs) for feature in document["features"]]
        same = first == second(document, readings)
        count_vector("challenger, second implementation", met=same)
        assert same, account.inputs


def offline_scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tallystick_score_again", ROOT / "verifier" / "tallystick_score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def second(document: dict[str, Any], readings: list[int]) -> int:
    """A probability again, from the format's description: the curve point by point."""
    odds = 0
    for tree in document["trees"]:
        place = 0
        while place >= 0:
            side = "low" if readings[tree["features"][place]] < tree["cuts"][place] else "high"
            place = tree[side][place]
        odds += tree["leaves"][abs(place) - 1]
    at, curve = 0, document["curve"]
    while odds >= curve["first"] + curve["step"] * (at + 1):
        at += 1
    beyond = odds - curve["first"] - curve["step"] * at
    rise = 0 if beyond == 0 else curve["ppm"][at + 1] - curve["ppm"][at]
    found: int = curve["ppm"][at] + rise * beyond // curve["step"]
    return found


def test_the_committed_figures_baseline_and_registration_are_those_of_the_document(
    trees: Trees, parts: tuple[list[Account], list[Account]]
) -> None:
    card = load_card((MODELS / "taiwan_card_v1.json").read_bytes())
    again = json.loads(json.dumps(challenger_figures(trees, card, parts[1])))
    assert {name: OURS[name] for name in again} == again
    baseline = json.loads((MODELS / "taiwan_trees_v1.baseline.json").read_text())
    assert baseline == json.loads(json.dumps(msgspec.to_builtins(challenger_baseline(trees, parts[0]))))
    page = challenger_page(trees, FIGURES)
    assert (ROOT / "docs" / "models" / "taiwan_trees_v1.md").read_text() == page
    stored = json.loads((MODELS / "taiwan_trees_v1.registration.json").read_text())
    assert stored == msgspec.to_builtins(challenger_registration(FIGURES, page.encode()))


def test_the_card_was_compared_with_this_challenger_and_the_challenger_with_the_card(trees: Trees) -> None:
    card, ours = (
        json.loads((MODELS / f"taiwan_{name}_v1.registration.json").read_text()) for name in ("card", "trees")
    )
    assert (card["challenger"], ours["challenger"]) == (trees.digest.hex(), card["model"])
    assert (card["challenger_auc_bp"], ours["challenger_auc_bp"]) == (
        ours["metrics_bp"]["auc"],
        card["metrics_bp"]["auc"],
    )


def test_the_integers_are_the_fitted_trees_predictions_within_the_stated_bound(
    parts: tuple[list[Account], list[Account]], trees: Trees, ppm: list[int]
) -> None:
    if importlib.util.find_spec("lightgbm") is None or importlib.util.find_spec("scipy") is None:
        pytest.skip("the extra 'training' is not installed: pip install 'tallystick[training]'")
    import lightgbm

    from ledger.risk.training.challenger import bound_ppm, fit_challenger, fitted_ppm, tree_document
    from ledger.risk.trees import trees_bytes

    fitted = fit_challenger(parts[0])
    document = tree_document(fitted)
    exported = load_trees(trees_bytes(document))
    assert bound_ppm(document) == OURS["bound_ppm"] == 21
    pairs = zip(run_all(exported, parts[1]), fitted_ppm(fitted, parts[1]), strict=True)
    assert max(abs(ours - theirs) for ours, theirs in pairs) <= bound_ppm(document)
    if lightgbm.__version__ == OURS["lightgbm"]:
        assert (exported.digest, fitted.digest) == (trees.digest, OURS["lightgbm_sha256"])
        assert run_all(exported, parts[1]) == ppm
