"""Frozen holiday calendars: known days, hashes, and what is not there."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from importlib.resources import files

import pytest

from ledger.errors import InvariantBroken, NotFound
from ledger.loan.calendars import (
    HASHES,
    business_days_in,
    business_days_of,
    calendar_named,
    read_calendar,
    years_of,
)


@pytest.mark.parametrize(
    ("country", "closed", "opened"),
    [
        ("CN", "2024-02-12 2025-01-28 2025-10-08 2026-02-23", "2024-02-04 2024-02-18 2025-01-26 2026-02-14 2025-10-09"),
        ("IN", "2025-08-15 2026-01-26 2024-10-02", "2025-08-14 2026-01-27"),
        ("KE", "2024-05-10 2025-12-12 2026-06-01", "2024-06-03 2025-12-11"),
        ("US", "2024-07-04 2025-11-27 2026-07-03 2027-01-18", "2024-07-05 2025-11-28"),
        ("DE", "2024-03-29 2025-04-21 2025-05-01 2024-12-26", "2025-10-03 2024-05-20"),
    ],
)
def test_days_known_from_the_notices(country: str, closed: str, opened: str) -> None:
    is_business_day = business_days_in(country)
    assert [day for day in closed.split() if is_business_day(date.fromisoformat(day))] == []
    assert [day for day in opened.split() if not is_business_day(date.fromisoformat(day))] == []


def test_the_years_that_are_frozen() -> None:
    assert {country: years_of(country) for country in ("CN", "IN", "KE", "US", "DE", "FR")} == {
        "CN": (2024, 2025, 2026),
        "IN": (2024, 2025, 2026, 2027),
        "KE": (2024, 2025, 2026, 2027),
        "US": (2024, 2025, 2026, 2027),
        "DE": (2024, 2025, 2026, 2027),
        "FR": (),
    }


def test_china_had_251_business_days_in_2024_and_248_in_2025() -> None:
    def count(year: int) -> int:
        calendar = calendar_named(f"CN/{year}")
        days = (date(year, 1, 1) + timedelta(days=place) for place in range(366))
        return sum(calendar.is_business_day(day) for day in days if day.year == year)

    assert (count(2024), count(2025)) == (251, 248)


@pytest.mark.parametrize("name", sorted(HASHES))
def test_a_document_is_canonical_and_says_where_it_is_from(name: str) -> None:
    document = files("ledger.loan").joinpath("calendars_data", f"{name.replace('/', '-')}.json").read_bytes()
    values = json.loads(document)
    assert json.dumps(values, sort_keys=True, separators=(",", ":")).encode() == document
    calendar = calendar_named(f"{name}#{hashlib.sha256(document).hexdigest()}")
    assert (f"{calendar.country}/{calendar.year}", calendar.name) == (name, f"{name}#{HASHES[name]}")
    assert calendar.source and calendar.as_of >= date(2026, 1, 1)
    assert {day.year for day in calendar.closed | calendar.opened} == {calendar.year}
    assert all(day.weekday() < 5 for day in calendar.closed) and all(day.weekday() > 4 for day in calendar.opened)


def test_an_altered_document_breaks_the_invariant() -> None:
    document = files("ledger.loan").joinpath("calendars_data", "CN-2026.json").read_bytes()
    with pytest.raises(InvariantBroken) as broken:
        read_calendar(document.replace(b"2026-10-01", b"2026-10-08"), HASHES["CN/2026"])
    assert broken.value.code == "calendar_altered"


@pytest.mark.parametrize("name", ["CN/2027", "FR/2025", "CN", "", "CN/2026#" + "0" * 64, "../CN/2026"])
def test_what_is_not_frozen_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as missing:
        calendar_named(name)
    assert missing.value.code == "calendar_unknown"


def test_a_day_outside_the_years_named_is_not_found() -> None:
    with pytest.raises(NotFound) as missing:
        business_days_of(["CN/2024"])(date(2025, 1, 1))
    assert (missing.value.code, missing.value.found) == ("calendar_unknown", "CN/2025")
    with pytest.raises(NotFound):
        calendar_named("CN/2024").is_business_day(date(2023, 12, 29))
    with pytest.raises(NotFound):
        business_days_in("FR")
