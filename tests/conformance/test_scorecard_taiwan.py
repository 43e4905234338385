"""The committed card on all 9,000 held-out Taiwanese accounts: its figures, and the same points from a second reading."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ledger.risk.fairness import FOUR_FIFTHS_BP, auc_ppm, by_group, calibration_error_ppm, cutoff
from ledger.risk.scorecard import PROTECTED, Scorecard, Scored, load_card, score
from ledger.risk.training.measures import (
    baseline_of,
    figures,
    registration_figures,
    rows_digest,
    split_accounts,
)
from ledger.risk.training.model_card import model_card
from ledger.risk.training.split import stratified_split
from ledger.risk.training.taiwan import SHA256, SPLIT_SEED, TEST_SHARE, Account, read_accounts
from tests.support.vector_counts import count_vector

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "ledger" / "risk" / "models"
FIGURES = json.loads((MODELS / "taiwan_card_v1.figures.json").read_text())


@pytest.fixture(scope="module")
def accounts(shared: Path) -> list[Account]:
    file = shared / "data" / "taiwan-default" / "UCI_Credit_Card.csv.gz"
    if not file.is_file():
        pytest.skip(f"the shared accounts are not here: {file} (set TALLYSTICK_SHARED)")
    data = gzip.decompress(file.read_bytes())
    assert sha256(data).hexdigest() == SHA256
    return read_accounts(data)


@pytest.fixture(scope="module")
def card() -> Scorecard:
    return load_card((MODELS / "taiwan_card_v1.json").read_bytes())


@pytest.fixture(scope="module")
def held_out(accounts: list[Account]) -> list[Account]:
    return split_accounts(accounts)[1]


@pytest.fixture(scope="module")
def scored(card: Scorecard, held_out: list[Account]) -> list[Scored]:
    return [score(card, account.inputs) for account in held_out]


@pytest.fixture(scope="module")
def second() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tallystick_score", ROOT / "verifier" / "tallystick_score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def labels(rows: list[Account]) -> list[int]:
    return [account.defaulted for account in rows]


def area_by_pairs(points: list[int], defaulted: list[int]) -> float:
    """The area again, by its definition: every payer against every defaulter, grouped by score."""
    good, bad = {}, {}
    for value, label in zip(points, defaulted, strict=True):
        side = bad if label else good
        side[value] = side.get(value, 0) + 1
    won = sum(g * b * (1 if p > q else 0.5 if p == q else 0) for p, g in good.items() for q, b in bad.items())
    return won / (sum(good.values()) * sum(bad.values()))


def test_the_rows_are_those_of_the_fixed_split(accounts: list[Account], held_out: list[Account]) -> None:
    assert (len(accounts), len(held_out), sum(labels(held_out))) == (30_000, 9_000, 1_991)
    rows = stratified_split(labels(accounts), test_share=TEST_SHARE, seed=SPLIT_SEED)[1]
    assert rows_digest(rows) == "0010e61a2f1042441d19fc9a5c00c9ba7dc290924a0f6b79ff7e617d916c06d1"


def test_the_area_under_the_curve_meets_the_goal(scored: list[Scored], held_out: list[Account]) -> None:
    points = [each.points for each in scored]
    area = auc_ppm(points, labels(held_out))
    assert area >= 785_000
    assert area == pytest.approx(area_by_pairs(points, labels(held_out)) * 1_000_000, abs=1)


def test_the_probabilities_are_calibrated(scored: list[Scored], held_out: list[Account]) -> None:
    ppm = [each.probability_ppm for each in scored]
    assert calibration_error_ppm(ppm, labels(held_out), by="width") <= 15_000
    assert calibration_error_ppm(ppm, labels(held_out), by="count") <= 15_000


@pytest.mark.parametrize("attribute", ["sex", "age", "education", "marriage"])
def test_every_group_is_approved_at_four_fifths_of_the_best_groups_rate(
    scored: list[Scored], held_out: list[Account], attribute: str
) -> None:
    points = [each.points for each in scored]
    cut = cutoff(points, decline_share=(1, 5))
    rows = by_group(points, labels(held_out), [account.groups[attribute] for account in held_out], cut)
    assert sum(row.people for row in rows) == 9_000
    assert sum(row.people for row in rows if not row.judged) == 0
    assert 0.19 < 1 - sum(row.approved for row in rows) / 9_000 <= 0.2
    assert min(row.ratio_bp for row in rows) >= FOUR_FIFTHS_BP


def test_a_second_implementation_gives_the_same_points_and_reasons_on_all_rows(
    card: Scorecard, scored: list[Scored], held_out: list[Account], second: ModuleType
) -> None:
    document = json.loads(card.data)
    for first, account in zip(scored, held_out, strict=True):
        other = second.evaluate(document, account.inputs)
        same = (first.points, first.probability_ppm, list(zip(first.reasons, first.lost, strict=True))) == (
            other["points"], other["probability_ppm"], [(each["reason"], each["lost"]) for each in other["reasons"]],
        )  # fmt: skip
        count_vector("scorecard, second implementation", met=same)
        assert same, account.inputs


def test_no_protected_attribute_is_an_input(card: Scorecard) -> None:
    assert {each.name for each in card.document.inputs} & (PROTECTED | {"sex", "age", "education", "marriage"}) == set()


def test_reasons_are_true_of_who_gets_them(scored: list[Scored], held_out: list[Account]) -> None:
    holds = {
        "arrears_now": lambda a: a["delay_1"] >= 2,
        "arrears_growing": lambda a: a["delay_1"] > max(a["delay_2"], 0),
        "arrears_past": lambda a: any(a[f"delay_{month}"] >= 2 for month in range(1, 7)),
        "arrears_recent": lambda a: any(a[f"delay_{month}"] >= 1 for month in range(1, 4)),
        "months_unpaid": lambda a: any(a[f"paid_{month}"] == 0 for month in range(1, 7)),
        "credit_use_high": lambda a: sum(a[f"bill_{month}"] for month in range(1, 7)) >= 6 * 0.4 * a["limit"],
    }
    told: dict[str, int] = {}
    for each, account in zip(scored, held_out, strict=True):
        for reason in each.reasons:
            told[reason] = told.get(reason, 0) + 1
            assert holds.get(reason, lambda a: True)(account.inputs), (reason, account.inputs)
    assert holds.keys() <= told.keys()


def test_the_committed_figures_and_baseline_are_those_of_the_card(card: Scorecard, accounts: list[Account]) -> None:
    train, test = split_accounts(accounts)
    again: dict[str, Any] = json.loads(json.dumps(figures(card, train, test)))
    assert {name: FIGURES[name] for name in again} == again
    assert FIGURES["data_sha256"] == SHA256
    baseline = json.loads((MODELS / "taiwan_card_v1.baseline.json").read_text())
    assert baseline == json.loads(json.dumps(_plain(baseline_of(card, train))))


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def test_the_model_card_is_printed_from_the_figures(card: Scorecard) -> None:
    assert (ROOT / "docs" / "models" / "taiwan_card_v1.md").read_text() == model_card(card, FIGURES)


def test_the_registration_is_that_of_the_card_its_figures_and_its_page() -> None:
    page = (ROOT / "docs" / "models" / "taiwan_card_v1.md").read_bytes()
    stored = json.loads((MODELS / "taiwan_card_v1.registration.json").read_text())
    assert stored == _plain(registration_figures(FIGURES, page))
