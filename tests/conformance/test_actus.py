"""ACTUS's own cases against the schedule engine: every row's date, type, payoff, state and currency, within 1e-8.

Runs every case of every ``actus-tests-*.json`` in ``$TALLYSTICK_SHARED/data/actus`` (default: ../shared beside the
repository). Point it at other files of the same form with ``TALLYSTICK_ACTUS=/folder/of/json``:

    TALLYSTICK_ACTUS=/elsewhere .venv/bin/python -m pytest tests/conformance/test_actus.py

The tolerance is relative above 1 and absolute below (upstream writes 10 to 15 decimals). Times are compared to the
second; ``T00:00`` and ``T00:00:00`` are the same.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ledger.loan.actus.engine import Observed, Row, evaluate
from ledger.loan.actus.terms import parse_moment, parse_number, parse_terms
from tests.support.vector_counts import count_vector

_SHARED = Path(os.environ.get("TALLYSTICK_SHARED") or Path(__file__).parents[2].parent / "shared")
FOLDER = Path(os.environ.get("TALLYSTICK_ACTUS") or _SHARED / "data" / "actus")
TOLERANCE = Fraction(1, 10**8)


def cases() -> list[Any]:
    """Every case of every file, or one that says why there is none."""
    files = sorted(FOLDER.glob("actus-tests-*.json")) if FOLDER.is_dir() else []
    found = [case for file in files for case in json.loads(file.read_text(encoding="utf-8")).values()]
    if not found:
        return [
            pytest.param(None, marks=pytest.mark.skip(reason=f"no ACTUS cases in {FOLDER} (set TALLYSTICK_SHARED)"))
        ]
    return [pytest.param(case, id=case["identifier"]) for case in found]


def evaluated(case: dict[str, Any]) -> list[Row]:
    """The engine's rows for a case's terms, market and observed events."""
    return evaluate(
        parse_terms(case["terms"]),
        until=parse_moment("to", case["to"]) if case["to"] else None,
        market={
            code: [(parse_moment(code, one["timestamp"]), parse_number(code, one["value"])) for one in series["data"]]
            for code, series in case["dataObserved"].items()
        },
        observed=[
            Observed(
                time=parse_moment("time", one["time"]),
                type=one["type"],
                value=parse_number("value", one.get("value") or 0),
            )
            for one in case["eventsObserved"]
        ],
    )


def difference(row: Row, expected: dict[str, Any]) -> str | None:
    """What of a row is not as expected."""
    if row.event_date != datetime.fromisoformat(expected["eventDate"]) or row.event_type != expected["eventType"]:
        return f"{row.event_date.isoformat()} {row.event_type} for {expected['eventDate']} {expected['eventType']}"
    if row.currency != expected["currency"]:
        return f"currency {row.currency} for {expected['currency']}"
    for name, found in (
        ("payoff", row.payoff),
        ("notionalPrincipal", row.notional_principal),
        ("nominalInterestRate", row.nominal_interest_rate),
        ("accruedInterest", row.accrued_interest),
    ):
        wanted = parse_number(name, expected[name])
        if abs(found - wanted) > TOLERANCE * max(1, abs(wanted)):
            return f"{row.event_date.date()} {row.event_type} {name}: {float(found)!r} for {expected[name]}"
    return None


def differences(case: dict[str, Any]) -> list[str]:
    """Every difference of a case, the count of rows first."""
    rows, expected = evaluated(case), case["results"]
    found = [f"{len(rows)} rows for {len(expected)}"] if len(rows) != len(expected) else []
    return found + [text for row, want in zip(rows, expected, strict=False) if (text := difference(row, want))]


@pytest.mark.parametrize("case", cases())
def test_every_row_is_what_actus_expects(case: dict[str, Any]) -> None:
    name = f"actus-{case['terms']['contractType'].lower()}"
    try:
        found = differences(case)
    except Exception as error:
        count_vector(name, met=False)
        raise AssertionError(f"{case['identifier']}: {error}") from error
    count_vector(name, met=not found)
    assert not found, f"{case['identifier']}: {found[:6]}"
