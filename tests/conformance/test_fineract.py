"""Loans of Apache Fineract's end-to-end scenarios, serviced by our engine: everything each scenario expects, exactly.

A scenario that an independent calculator recomputed must be met. Of the others, those in fineract_left_out.toml are not
met, each for the reason beside it; a listed one that is met, or is not there, fails. In a folder with more scenarios
than the one this list was made for, further ones that are not met are skipped by name.

Everything is compared, in its order, but for two things on which the source itself is silent: whether an accrual that
a closing transaction booked stands before or after it (it writes one pair both ways), and the exact day on which a range
ended of which the server kept no note (tests/support/fineract/history.py: it is then held between two days).
"""

from __future__ import annotations

import copy
import functools
import itertools
import json
import os
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.fineract.facts import NotReproduced
from tests.support.fineract.loan import Loan
from tests.support.fineract.views import differences, failures
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


SAYS_WHERE_TO_LOOK = ("after", "as_of")
"""Members of an expectation that are no expectation; ``n`` of ``nth_reverted`` is another."""
TRIED_EACH = 3
"""Members changed in each scenario, one by one."""


def _leaves(value: Any, kind: type, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all members of one type in what a scenario expects."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key not in SAYS_WHERE_TO_LOOK and (*path[-1:], key) != ("nth_reverted", "n"):
                yield from _leaves(member, kind, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _leaves(member, kind, (*path, index))
    elif type(value) is kind:
        yield path


def _changed(scenario: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """The expectation that holds a member, with that member changed."""
    index, *steps = path
    place = changed = copy.deepcopy(scenario["expected"][index])
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = _other(place[steps[-1]])
    return dict(changed)


@functools.cache
def _met() -> frozenset[str]:
    return frozenset(scenario["id"] for scenario in SCENARIOS if not _tried(scenario))


def _noticed(scenario: dict[str, Any], expectations: list[dict[str, Any]]) -> list[bool]:
    """Which of these expectations the loan does not meet: it is serviced once, as ``failures`` does, for all of them."""
    loan, noticed = Loan(scenario, CATALOGUE), [False] * len(expectations)
    for event in ({"n": 0}, *scenario["events"]):
        if event["n"]:
            loan.take(event)
        for index, expected in enumerate(expectations):
            if expected["after"] == event["n"]:
                noticed[index] = _differs(loan, expected)
    return noticed


def _differs(loan: Loan, expected: dict[str, Any]) -> bool:
    try:
        return any(differences(loan, expected))
    except NotReproduced:
        return True


def _other(value: int | str | None, days: int = 7) -> int | str:
    """A number one more, a yes for a no, a date a week later, a word with a letter more, a day where there was none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    try:
        return (date.fromisoformat(value or "2023-01-01") + timedelta(days=days)).isoformat()
    except ValueError:
        return f"{value}x"


@here
@pytest.mark.parametrize("kind", [int, str, bool, type(None)], ids=["a cent, a count", "a date, a word", "yes", "none"])
def test_a_change_of_what_is_expected_is_noticed_wherever_it_is(kind: type) -> None:
    tried = 0
    for number, scenario in enumerate(SCENARIOS):
        paths = list(_leaves(scenario["expected"], kind))
        if paths and scenario["id"] in _met():
            chosen = list({paths[(number + turn) * 7919 % len(paths)] for turn in range(TRIED_EACH)})
            noticed = _noticed(scenario, [_changed(scenario, path) for path in chosen])
            missed = [path for path, seen in zip(chosen, noticed, strict=True) if not seen]
            assert missed == [], f"{scenario['id']}: these were changed and not noticed"
            tried += len(chosen)
    assert tried > (20 if kind is bool else 600) * len(SCENARIOS) // LISTED_FOR


@here
def test_an_expectation_that_no_view_knows_is_not_passed_over() -> None:
    scenario = copy.deepcopy(next(s for s in SCENARIOS if s["recomputed"]))
    scenario["expected"][0]["moon_phase"] = "full"
    assert _tried(scenario) == ["not reproduced: expectation moon_phase"]


def _places(key: str) -> Iterator[tuple[dict[str, Any], int, list[Any]]]:
    """Recomputed scenarios with what one member expects, once for each place that expects it."""
    for scenario in SCENARIOS:
        for index, expected in enumerate(scenario["expected"]):
            if scenario["recomputed"] and key in expected:
                yield scenario, index, expected[key]["rows"] if key == "schedule" else expected[key]


@here
def test_a_day_more_or_less_in_a_delinquency_history_is_noticed_wherever_the_server_kept_a_note() -> None:
    passed_over, tried = set(), 0
    for scenario, index, history in _places("delinquency_history"):
        for line, entry in enumerate(history):
            for key, days in itertools.product(("added", "lifted"), (-1, 1)):
                if entry[key] is not None:
                    changed = copy.deepcopy(scenario)
                    changed["expected"][index]["delinquency_history"][line][key] = _other(entry[key], days)
                    tried += 1
                    if not _tried(changed):
                        passed_over.add((key, line))
    assert passed_over <= {("lifted", 1)}, "only the end of a range before the server's first note is held between days"
    assert tried >= 30 * len(SCENARIOS) // LISTED_FOR


@here
@pytest.mark.parametrize(("key", "day"), [("schedule", "due_date"), ("transactions", "date")])
def test_two_lines_of_one_day_that_change_places_are_noticed(key: str, day: str) -> None:
    passed_over, noticed = [], 0
    for scenario, index, lines in _places(key):
        for n, (one, next_one) in enumerate(itertools.pairwise(lines)):
            if one[day] == next_one[day] and one != next_one:
                changed = copy.deepcopy(scenario)
                place = changed["expected"][index][key]
                place = place["rows"] if key == "schedule" else place
                place[n : n + 2] = [next_one, one]
                if _tried(changed):
                    noticed += 1
                else:
                    passed_over.append({one["type"], next_one["type"]} if key == "transactions" else one)
                break
    assert [pair for pair in passed_over if key == "schedule" or pair != {"Accrual", "Repayment"}] == []
    assert noticed > 20
