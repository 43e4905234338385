"""Every derivation by small cases, and the second reading of each agrees on any numbers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.risk.derivations import OPERATIONS, derivation

SCRIPT = Path(__file__).resolve().parents[3] / "verifier" / "tallystick_score.py"
_SPEC = importlib.util.spec_from_file_location("tallystick_score_readings", SCRIPT)
assert _SPEC is not None and _SPEC.loader is not None
SECOND = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(SECOND)


@pytest.mark.parametrize(
    ("name", "row", "at", "found"),
    [
        ("value", (7, 1, 9), 0, 7),
        ("positive", (-7, 1, 9), 0, 0),
        ("positive", (7, 1, 9), 0, 7),
        ("positive_rise", (3, 1, 9), 0, 2),
        ("positive_rise", (3, -2, 9), 0, 3),
        ("positive_rise", (-1, -2, 9), 0, 0),
        ("positive_rise", (1, 3, 9), 0, 0),
        ("sum", (3, -1, 9), 0, 2),
        ("min", (3, -1, 9), 0, -1),
        ("max", (3, -1, 9), 0, 3),
        ("count_at_least", (3, 2, 9), 3, 1),
        ("count_at_most", (3, 2, 9), 2, 1),
        ("first_at_least", (1, 2, 9), 2, 1),
        ("first_at_least", (1, 1, 9), 2, 2),
        ("mean_share_bp", (3, 2, 9), 0, 2_777),
        ("mean_share_bp", (-3, -2, 9), 0, -2_778),
        ("headroom", (3, 12, 9), 0, -3),
    ],
)
def test_a_derivation_gives_what_it_says(name: str, row: tuple[int, ...], at: int, found: int) -> None:
    places = (0, 1) if OPERATIONS[name].most != 1 else (0,)
    assert derivation(name, places, at=at, over=2)(row) == found


MONEY = st.integers(-(10**15), 10**15)


@given(
    name=st.sampled_from(sorted(OPERATIONS)), values=st.lists(MONEY, min_size=2, max_size=6), over=st.integers(1, 10**15),
    at=MONEY,
)  # fmt: skip
def test_the_offline_scorer_reads_the_same(name: str, values: list[int], over: int, at: int) -> None:
    operation = OPERATIONS[name]
    used = values[: operation.most or len(values)]
    rule = {"op": name, "of": [f"c{at}" for at in range(len(used))]}
    rule |= ({"at": at} if operation.at else {}) | ({"over": "over"} if operation.over else {})
    inputs = {f"c{at}": value for at, value in enumerate(used)} | {"over": over}
    ours = derivation(name, tuple(range(len(used))), at=at, over=len(used))((*used, over))
    assert ours == SECOND.reading(rule, inputs)


def test_the_offline_scorer_knows_every_derivation_and_no_other() -> None:
    with pytest.raises(ValueError, match="no such derivation"):
        SECOND.reading({"op": "median", "of": []}, {})
