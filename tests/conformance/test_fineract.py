"""Loans of Apache Fineract's end-to-end scenarios, serviced by our engine: everything each scenario expects, exactly.

A scenario that an independent calculator recomputed must be met. Of the others, those in fineract_left_out.toml are not
met, each for the reason beside it; a listed one that is met, or is not there, fails. In a folder with more scenarios
than the one this list was made for, further ones that are not met are skipped by name.

Two things are not compared, because they are a server's and not a loan's: where an accrual stands among the
transactions of its day, and on which day a nightly batch moved a loan from one delinquency range to the next (the
ranges, the first day and the last are compared).
"""

from __future__ import annotations

import copy
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fineract.facts import NotReproduced
from tests.support.fineract.views import failures
from tests.support.vector_counts import count_vector

_SHARED = Path(os.environ.get("TALLYSTICK_SHARED") or Path(__file__).parents[2].parent / "shared")
_FOLDER = _SHARED / "data" / "fineract-scenarios"
LEFT_OUT: dict[str, str] = tomllib.loads(
    (Path(__file__).parent / "fineract_left_out.toml").read_text(encoding="utf-8")
)["left_out"]
LISTED_FOR = 324
"""How many scenarios the folder held for which the list of those left out was made."""


def _scenarios() -> list[dict[str, Any]]:
    file = _FOLDER / "scenarios.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


SCENARIOS = _scenarios()
CATALOGUE = json.loads((_FOLDER / "products.json").read_text(encoding="utf-8")) if SCENARIOS else {}

here = pytest.mark.skipif(not SCENARIOS, reason=f"the scenarios are not here: {_FOLDER} (set TALLYSTICK_SHARED)")


def _tried(scenario: dict[str, Any]) -> list[str]:
    try:
        return failures(scenario, CATALOGUE)
    except NotReproduced as missing:
        return [f"not reproduced: {missing}"]


@here
@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s["recomputed"]], ids=lambda s: s["id"])
def test_a_recomputed_scenario_is_met_exactly(scenario: dict[str, Any]) -> None:
    found = _tried(scenario)
    count_vector("fineract-recomputed", met=not found)
    assert found == []


@here
@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if not s["recomputed"]], ids=lambda s: s["id"])
def test_another_scenario_is_met_or_named_with_its_reason(scenario: dict[str, Any]) -> None:
    try:
        found = _tried(scenario)
    except Exception as unknown:
        if len(SCENARIOS) <= LISTED_FOR:
            raise
        found = [repr(unknown)]
    count_vector("fineract-other", met=not found)
    if scenario["id"] in LEFT_OUT:
        assert found, f"{scenario['id']} is met: take it off the list of those left out"
    elif found and len(SCENARIOS) > LISTED_FOR:
        pytest.skip(f"{scenario['id']} not reproduced: {found[0]}")
    else:
        assert found == []


@here
def test_the_list_of_those_left_out_names_scenarios_that_are_there() -> None:
    others = {scenario["id"] for scenario in SCENARIOS if not scenario["recomputed"]}
    assert set(LEFT_OUT) - others == set()
    assert [name for name, reason in LEFT_OUT.items() if len(reason) < 20] == []


NOT_COMPARED = ("after", "as_of", "nth_reverted", "name", "added", "lifted")
"""Members that say when to look, or that the module's docstring leaves to the server."""


def _leaves(value: Any, kind: type, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all members of one type in what a scenario expects."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key not in NOT_COMPARED:
                yield from _leaves(member, kind, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _leaves(member, kind, (*path, index))
    elif type(value) is kind:
        yield path


def _changed(scenario: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """The scenario with one expected member changed: a number by one, a word or day by a letter."""
    changed = copy.deepcopy(scenario)
    place: Any = changed["expected"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] += 1 if isinstance(place[path[-1]], int) else "x"
    return changed


@here
@pytest.mark.parametrize("kind", [int, str], ids=["a cent, a day", "a word"])
def test_a_change_of_what_is_expected_is_noticed_wherever_it_is(kind: type) -> None:
    tried = 0
    for number, scenario in enumerate(SCENARIOS):
        paths = list(_leaves(scenario["expected"], kind))
        if scenario["recomputed"] and paths:
            path = paths[number * 7919 % len(paths)]
            assert _tried(_changed(scenario, path)), f"{scenario['id']}: {path} was changed and not noticed"
            tried += 1
    assert tried > 100 * len(SCENARIOS) // LISTED_FOR


@here
def test_an_expectation_that_no_view_knows_is_not_passed_over() -> None:
    scenario = copy.deepcopy(next(s for s in SCENARIOS if s["recomputed"]))
    scenario["expected"][0]["moon_phase"] = "full"
    assert _tried(scenario) == ["not reproduced: expectation moon_phase"]
