"""A scorecard is read strictly, scores in integers, and gives reasons in one order."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.attestation.canonical import canonical
from ledger.errors import InvalidInput
from ledger.risk.scorecard import Scorecard, bins, card_bytes, derive, load_card, read_inputs, score

SMALL: dict[str, Any] = {
    "base": 100,
    "calibration": {"first": 100, "ppm": [1_000_000 - 10_000 * step for step in range(71)]},
    "features": [
        {
            "adverse": "higher", "cuts": [1, 3], "derive": {"op": "positive", "of": ["late"]}, "name": "lateness",
            "points": [40, 10, 0], "reason": "arrears_now",
        },
        {
            "adverse": "lower", "cuts": [0, 500], "derive": {"op": "value", "of": ["paid"]}, "name": "payment",
            "points": [0, 10, 30], "reason": "paid_last_month_little",
        },
    ],
    "format": "tallystick-scorecard/1",
    "inputs": [{"least": -5, "most": 50, "name": "late"}, {"least": -1_000, "most": 1_000_000, "name": "paid"}],
    "name": "small",
    "target": "The next payment is missed.",
    "version": 1,
}  # fmt: skip


def small(change: Callable[[dict[str, Any]], object] = lambda card: None) -> bytes:
    """The small card's bytes after a change."""
    card = deepcopy(SMALL)
    change(card)
    return canonical(card)


@pytest.fixture(scope="module")
def card() -> Scorecard:
    return load_card(small())


@pytest.mark.parametrize(
    ("late", "paid", "points", "reasons", "lost"),
    [
        (0, 500, 170, (), ()),
        (-5, 1_000_000, 170, (), ()),
        (1, 500, 140, ("arrears_now",), (30,)),
        (2, 499, 120, ("arrears_now", "paid_last_month_little"), (30, 20)),
        (3, 0, 110, ("arrears_now", "paid_last_month_little"), (40, 20)),
        (0, -1, 140, ("paid_last_month_little",), (30,)),
        # equal losses: the order of the document
        (1, -1, 110, ("arrears_now", "paid_last_month_little"), (30, 30)),
    ],
)
def test_a_cut_belongs_to_the_bin_above_it_and_reasons_go_by_points_lost(
    card: Scorecard, late: int, paid: int, points: int, reasons: tuple[str, ...], lost: tuple[int, ...]
) -> None:
    found = score(card, {"late": late, "paid": paid})
    assert found == (points, 1_000_000 - 10_000 * (points - 100), reasons, lost)


def test_the_scale_goes_from_the_worst_bins_to_the_best(card: Scorecard) -> None:
    assert (card.worst, card.best) == (100, 170)
    assert card.digest == sha256(small()).digest()
    assert card_bytes(card.document) == small()
    assert bins(card, derive(card, read_inputs(card, {"late": 3, "paid": 0}))) == (2, 1)


def test_no_more_than_four_reasons_are_given() -> None:
    names = ["arrears_now", "arrears_growing", "arrears_past", "credit_use_high", "months_unpaid"]

    def five(card: dict[str, Any]) -> None:
        card["features"] = [
            SMALL["features"][0] | {"name": name, "reason": name, "points": [40 + at, 10, 0]}
            for at, name in enumerate(names)
        ]
        card["calibration"]["ppm"] = [500_000] * 211

    found = score(load_card(small(five)), {"late": 9, "paid": 0})
    assert found.reasons == ("months_unpaid", "credit_use_high", "arrears_past", "arrears_growing")
    assert found.lost == (44, 43, 42, 41)


@given(late=st.integers(-5, 49), paid=st.integers(-1_000, 999_999))
def test_a_worse_reading_never_has_more_points_nor_a_lower_probability(late: int, paid: int) -> None:
    card = load_card(small())
    before, later = score(card, {"late": late, "paid": paid}), score(card, {"late": late + 1, "paid": paid})
    assert later.points <= before.points
    assert later.probability_ppm >= before.probability_ppm
    less = score(card, {"late": late, "paid": paid - 1 if paid > -1_000 else paid})
    assert less.points <= before.points


def feature(at: int, **change: Any) -> Callable[[dict[str, Any]], object]:
    return lambda card: card["features"][at].update(change)


FAULTS: list[tuple[Callable[[dict[str, Any]], object], str, str]] = [
    (feature(0, points=[10, 40, 0]), "card_not_monotone", "$.features[0].points"),
    (feature(1, points=[30, 10, 0]), "card_not_monotone", "$.features[1].points"),
    (feature(0, adverse="lower", points=[0, 10, 40]), "card_wrong_sign", "$.features[0].adverse"),
    (feature(0, points=[5, 5, 5]), "card_feature_idle", "$.features[0].points"),
    (feature(0, points=[40, 0]), "card_points_count", "$.features[0].points"),
    (feature(0, cuts=[3, 1]), "card_cuts_order", "$.features[0].cuts"),
    (feature(0, cuts=[1, 1]), "card_cuts_order", "$.features[0].cuts"),
    (feature(0, reason="bad_luck"), "card_reason_unknown", "$.features[0].reason"),
    (feature(1, name="lateness"), "card_name_twice", "$.features[1]"),
    (feature(0, derive={"op": "positive", "of": ["income"]}), "card_input_unknown", "$.features[0].derive"),
    (feature(0, derive={"op": "exec", "of": ["late"]}), "card_derivation_unknown", "$.features[0].derive.op"),
    (feature(0, derive={"op": "value", "of": ["late", "paid"]}), "card_derivation_inputs", "$.features[0].derive.of"),
    (feature(0, derive={"op": "value", "of": ["late"], "at": 1}), "card_derivation_inputs", "$.features[0].derive.at"),
    (feature(0, derive={"op": "count_at_least", "of": ["late"]}), "card_derivation_inputs", "$.features[0].derive.at"),
    (feature(0, derive={"op": "headroom", "of": ["late"]}), "card_derivation_inputs", "$.features[0].derive.over"),
    (
        feature(0, derive={"op": "headroom", "of": ["late"], "over": "paid"}),
        "card_divisor_zero", "$.features[0].derive.over",
    ),
    (feature(0, data="social_network"), "card_data_forbidden", "$.features[0].data"),
    (feature(0, data="income"), "card_data_forbidden", "$.features[0].data"),
    (lambda card: card["inputs"][0].update(name="sex"), "card_input_protected", "$.inputs[0].name"),
    (lambda card: card["inputs"][1].update(name="late"), "card_name_twice", "$.inputs[1].name"),
    (lambda card: card["inputs"][0].update(most=-6), "card_bounds_reversed", "$.inputs[0].most"),
    (lambda card: card["calibration"].update(first=99), "card_calibration_range", "$.calibration"),
    (lambda card: card["calibration"]["ppm"].pop(), "card_calibration_range", "$.calibration"),
    (lambda card: card["calibration"]["ppm"].reverse(), "card_not_monotone", "$.calibration.ppm"),
    (feature(0, points=[5_000, 10, 0]), "card_scale_wide", "$.features"),
    (feature(0, points=[10_001, 10, 0]), "card_malformed", "$"),
    (lambda card: card.update(surprise=1), "card_malformed", "$"),
    (lambda card: card.update(format="tallystick-scorecard/2"), "card_malformed", "$"),
    (lambda card: card.update(base=1.5), "card_malformed", "$"),
    (lambda card: card.pop("target"), "card_malformed", "$"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "path"), FAULTS, ids=lambda value: value if isinstance(value, str) else "")
def test_each_fault_of_a_card_is_named_with_its_path(
    change: Callable[[dict[str, Any]], object], code: str, path: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_card(small(change))
    assert (caught.value.code, caught.value.path) == (code, path)


def test_restricted_data_is_read_when_the_law_permits_it_and_then_only_that_kind() -> None:
    social = small(feature(0, data="social_network"))
    assert load_card(social, allowed={"social_network"}).document.features[0].data == "social_network"
    with pytest.raises(InvalidInput, match="does not let this data be used"):
        load_card(social, allowed={"income"})


def test_another_spelling_of_the_same_card_or_a_long_one_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_card(json.dumps(SMALL, indent=1).encode())
    assert caught.value.code == "json_not_canonical"
    with pytest.raises(InvalidInput) as caught:
        load_card(b" " * 65_537)
    assert caught.value.code == "card_long"


@pytest.mark.parametrize(
    ("inputs", "code", "path"),
    [
        ({"late": 0}, "input_missing", "$.inputs.paid"),
        ({"late": 0, "paid": 0, "more": 1}, "input_unknown", "$.inputs"),
        ({"late": True, "paid": 0}, "input_not_integer", "$.inputs.late"),
        ({"late": 0.0, "paid": 0}, "input_not_integer", "$.inputs.late"),
        ({"late": 51, "paid": 0}, "input_range", "$.inputs.late"),
        ({"late": 0, "paid": -1_001}, "input_range", "$.inputs.paid"),
    ],
)
def test_inputs_that_the_card_was_not_made_for_are_refused(
    card: Scorecard, inputs: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        score(card, inputs)
    assert (caught.value.code, caught.value.path) == (code, path)
