"""A challenger is read strictly, adds up integers, and can only count in the direction that it declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.attestation.canonical import canonical
from ledger.errors import InvalidInput
from ledger.risk.trees import Trees, load_trees, log_odds, on_curve, probability_ppm, trees_bytes

MODELS = Path(__file__).resolve().parents[3] / "ledger" / "risk" / "models"
COMMITTED = load_trees((MODELS / "taiwan_trees_v1.json").read_bytes())

SMALL: dict[str, Any] = {
    "curve": {"first": -1_000_000, "ppm": [0, 250_000, 500_001, 900_000], "step": 1_000_000},
    "features": [
        {"adverse": "higher", "derive": {"of": ["late"], "op": "positive"}, "name": "lateness"},
        {"adverse": "lower", "derive": {"of": ["paid"], "op": "value"}, "name": "payment"},
    ],
    "format": "tallystick-trees/1",
    "inputs": [{"least": -5, "most": 50, "name": "late"}, {"least": -1_000, "most": 1_000_000, "name": "paid"}],
    "name": "small_trees",
    "role": "challenger",
    "target": "The next payment is missed.",
    "trees": [
        {"cuts": [2, 500], "features": [0, 1], "high": [-1, -2], "leaves": [900_000, -400_000, 100_000], "low": [1, -3]},
        {"cuts": [0], "features": [1], "high": [-1], "leaves": [-300_000, 600_000], "low": [-2]},
    ],
    "unit": "micro_log_odds",
    "version": 1,
}  # fmt: skip


def small(change: Callable[[dict[str, Any]], object] = lambda document: None) -> bytes:
    """The small challenger's bytes after a change."""
    document = deepcopy(SMALL)
    change(document)
    return canonical(document)


@pytest.fixture(scope="module")
def trees() -> Trees:
    return load_trees(small())


@pytest.mark.parametrize(
    ("late", "paid", "odds", "ppm"),
    [
        (2, 500, 600_000, 400_000),      # 900,000 - 300,000: three fifths of the way from 250,000 to 500,001
        (1, 500, -700_000, 75_000),
        (1, 499, -200_000, 200_000),
        (0, -1, 700_000, 425_000),
        (50, -1, 1_500_000, 700_000),    # the worst of each tree; rounded down from 700,000.5
        (-5, 1_000_000, -700_000, 75_000),
    ],
)  # fmt: skip
def test_a_leaf_of_each_tree_is_added_and_read_off_the_curve(
    trees: Trees, late: int, paid: int, odds: int, ppm: int
) -> None:
    assert (log_odds(trees, (late, paid)), probability_ppm(trees, (late, paid))) == (odds, ppm)


def test_a_cut_belongs_to_the_side_above_it_and_the_curves_ends_are_its_own(trees: Trees) -> None:
    assert log_odds(trees, (1, 500)) < log_odds(trees, (1, 499)) < log_odds(trees, (2, 499))
    assert (trees.least, trees.most) == (-700_000, 1_500_000)
    curve = trees.document.curve
    assert [on_curve(curve, at) for at in (-1_000_000, 0, 1_000_000, 2_000_000)] == [0, 250_000, 500_001, 900_000]


def test_its_name_is_the_hash_of_its_bytes(trees: Trees) -> None:
    assert trees.digest == sha256(small()).digest()
    assert trees_bytes(trees.document) == small()


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another role": (lambda d: d.update(role="champion"), "trees_malformed"),
    "another unit": (lambda d: d.update(unit="log_odds"), "trees_malformed"),
    "a fraction": (lambda d: d["trees"][0]["cuts"].__setitem__(0, 1.5), "trees_malformed"),
    "a member too many": (lambda d: d["trees"][0].update(base=1), "trees_malformed"),
    "no tree": (lambda d: d.update(trees=[]), "trees_malformed"),
    "a leaf too few": (lambda d: d["trees"][0]["leaves"].pop(), "trees_shape"),
    "a cut too many": (lambda d: d["trees"][0]["cuts"].append(7), "trees_shape"),
    "a split that leads to itself": (lambda d: d["trees"][0]["low"].__setitem__(0, 0), "trees_shape"),
    "a split after what it leads to": (
        lambda d: d["trees"].__setitem__(
            0, {"cuts": [2, 500, 3], "features": [0, 1, 0], "high": [-1, 2, -2], "leaves": [1, 1, 1, 1],
                "low": [-3, 1, -4]},
        ), "trees_shape"),
    "a leaf twice": (lambda d: d["trees"][1]["low"].__setitem__(0, -1), "trees_shape"),
    "no such feature": (lambda d: d["trees"][1]["features"].__setitem__(0, 2), "trees_shape"),
    "the other sign": (lambda d: d["features"][0].update(adverse="lower"), "trees_not_monotone"),
    "a leaf above the worse side": (lambda d: d["trees"][0]["leaves"].__setitem__(2, 900_001), "trees_not_monotone"),
    "a falling curve": (lambda d: d["curve"]["ppm"].__setitem__(1, 600_000), "trees_not_monotone"),
    "a curve that begins too late": (lambda d: d["curve"].update(first=-699_999), "trees_curve_range"),
    "a curve that ends too soon": (lambda d: d["curve"]["ppm"].__delitem__(slice(2, None)), "trees_curve_range"),
    "a name twice": (lambda d: d["features"][1].update(name="lateness"), "card_name_twice"),
    "an unknown input": (lambda d: d["features"][0]["derive"].update(of=["limit"]), "card_input_unknown"),
    "an unknown derivation": (lambda d: d["features"][0]["derive"].update(op="some"), "card_derivation_unknown"),
    "a protected input": (lambda d: d["inputs"][0].update(name="sex"), "card_input_protected"),
    "restricted data": (lambda d: d["features"][0].update(data="social_network"), "card_data_forbidden"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_document_is_named(fault: str) -> None:
    change, code = FAULTS[fault]
    with pytest.raises(InvalidInput) as caught:
        load_trees(small(change))
    assert caught.value.code == code


def test_restricted_data_loads_where_the_law_allows_it() -> None:
    data = small(lambda d: d["features"][0].update(data="social_network"))
    assert load_trees(data, allowed={"social_network"}).document.features[0].data == "social_network"


def test_bytes_in_another_form_or_too_many_are_refused() -> None:
    with pytest.raises(InvalidInput) as loose:
        load_trees(json.dumps(SMALL, indent=1).encode())
    with pytest.raises(InvalidInput) as long:
        load_trees(b" " * (256 * 1024 + 1))
    assert (loose.value.code, long.value.code) == ("json_not_canonical", "trees_long")


def _borrowers() -> st.SearchStrategy[dict[str, int]]:
    amounts = st.integers(-5_000, 600_000) | st.sampled_from(_cuts_of("value"))
    fields = {f"bill_{month}": amounts for month in range(1, 7)}
    fields |= {f"paid_{month}": amounts.map(abs) for month in range(1, 7)}
    fields |= {f"delay_{month}": st.integers(-2, 9) for month in range(1, 7)}
    return st.fixed_dictionaries(fields | {"limit": st.integers(1, 900_000)})


def _cuts_of(op: str) -> list[int]:
    """Cuts of the committed document where a plain input is read: where a borrower changes sides."""
    features = COMMITTED.document.features
    return sorted({
        cut for tree in COMMITTED.document.trees for place, cut in zip(tree.features, tree.cuts, strict=True)
        if features[place].derive.op == op
    })  # fmt: skip


def _row(inputs: dict[str, int]) -> tuple[int, ...]:
    return tuple(inputs[each.name] for each in COMMITTED.document.inputs)


def _by_readings(readings: list[int]) -> int:
    """The committed trees over readings as they are, without derivations."""
    total = 0
    for tree in COMMITTED.document.trees:
        at = 0
        while at >= 0:
            at = tree.high[at] if readings[tree.features[at]] >= tree.cuts[at] else tree.low[at]
        total += tree.leaves[-1 - at]
    return total


@given(_borrowers(), st.data())
def test_no_reading_that_gets_worse_ever_lowers_the_odds_of_default(
    inputs: dict[str, int], data: st.DataObject
) -> None:
    readings = [make(_row(inputs)) for make in COMMITTED.derivations]
    assert _by_readings(readings) == log_odds(COMMITTED, _row(inputs))
    place = data.draw(st.integers(0, len(readings) - 1))
    cuts = [
        cut for tree in COMMITTED.document.trees for at, cut in zip(tree.features, tree.cuts, strict=True)
        if at == place
    ]  # fmt: skip
    worse = list(readings)
    moved = data.draw(st.sampled_from(cuts)) - data.draw(st.integers(0, 1))
    if COMMITTED.document.features[place].adverse == "higher":
        worse[place] = max(moved, readings[place])
    else:
        worse[place] = min(moved, readings[place])
    assert _by_readings(worse) >= _by_readings(readings)


# A later second month alone makes the newest one less of a rise, so it is no change for the worse in every reading.
@given(_borrowers(), st.sampled_from((1, 3, 4, 5, 6)), st.integers(1, 200_000))
def test_neither_paying_less_nor_being_later_ever_lowers_the_probability(
    inputs: dict[str, int], month: int, less: int
) -> None:
    before = probability_ppm(COMMITTED, _row(inputs))
    paid, delay = f"paid_{month}", f"delay_{month}"
    assert probability_ppm(COMMITTED, _row(inputs | {paid: max(inputs[paid] - less, 0)})) >= before
    assert probability_ppm(COMMITTED, _row(inputs | {delay: max(inputs[delay], 0) + less % 5})) >= before


def test_the_committed_challenger_has_the_cards_inputs_and_reads_every_feature_it_names() -> None:
    card = json.loads((MODELS / "taiwan_card_v1.json").read_bytes())
    document = json.loads(COMMITTED.data)
    assert document["inputs"] == card["inputs"]
    used = {place for tree in COMMITTED.document.trees for place in tree.features}
    assert used == set(range(len(COMMITTED.document.features)))
