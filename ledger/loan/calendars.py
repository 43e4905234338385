"""Holiday calendars, frozen: one document a country and year, known by the hash of its bytes.

    CN/2026#a0490a98766f...       the name that a contract pins

Rules
- A document is canonical JSON (RFC 8785) in ``calendars_data/``: weekend days, weekdays that are closed, weekend days
  that are open (China's make-up working days), its source and the date it was taken.
- It never changes: a correction is another document with another hash. A file whose bytes do not have the hash recorded
  here breaks an invariant; a name that pins a hash which is not here is not found.
- A day outside the calendars at hand is not found, never a guess: a schedule that reaches into a year not yet frozen
  says so.
- ``DE`` is the TARGET calendar of the European Central Bank, by which euro payments settle.
- Holidays that hang on a sighting of the moon (India, Kenya) are as announced or forecast on the document's date.

>>> calendar_named("CN/2026").is_business_day(date(2026, 2, 14))
True

The calendars without holidays are functions of ``ledger.loan.business_days``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

from ledger.errors import InvariantBroken, NotFound
from ledger.loan.business_days import IsBusinessDay

HASHES: Final[dict[str, str]] = {
    "CN/2024": "814556311311d4c5805c79e1379ea98a869b2c03bc843fc01081b1a6436848a9",
    "CN/2025": "c421eb2a36b2204984f3124a1dd4fe043cf8962cdc31ae63c70eca0bc4093385",
    "CN/2026": "a0490a98766f048473d84d37bd42e06d9c1cf62166a2c5d3bcf797e59e258c8b",
    "DE/2024": "b34bf1653be294068da541b715d4b91fde334aacc96f5d6e73aeeb8919b3ff21",
    "DE/2025": "5958d561c6119ce2f95e46176437ddf8f3983d861829cd8127d206e191b0ddd3",
    "DE/2026": "6acce88fc236c00b99933077c720c340aeac5d85c62647119a8a07feef3a93ff",
    "DE/2027": "dd57d4e3acdeac49910e77253920a611cce0b2bdc1d3d43a6ea4186b5a9cc470",
    "IN/2024": "aea25eb1a836ed62bd009f83b8c0410dbfc83ad47d9dfa5fbc4d44a935843195",
    "IN/2025": "1286549dd1e8ac801bf8b17d5ccdbaaf1d9b4429da4ba8a76a0bd8faa93d5f78",
    "IN/2026": "4aecc71ad2551f2f1b7a6081f5b595f6298802ed0090cc12b5647fd85a19c9f3",
    "IN/2027": "8da3fdd6e321672c0445c15edf0e3e2e9ec55fba31917eedf0fc2bf3e132d8b6",
    "KE/2024": "72e6e0469edd3cd7b4080c6c9d7ff6187631fa8d70fab19491cd75e144c7313a",
    "KE/2025": "638ab2bf16b5d0766d4c608cfd4869c0a1aab6a481eb23b281fa9038cccdeb3e",
    "KE/2026": "5df2f7f29d3f2f441be946bbc03155e8fe34b54c4d1ec0f27fd98c9a6a19d655",
    "KE/2027": "935c80d21652e795c5551779b052e4dcd1d9b29e3f0dd26649a051424da48fbc",
    "US/2024": "e53353b4cc3f68afab59173bee2430ad16b46b3f8fa14c6e08b7defbc5179d94",
    "US/2025": "6e6ce7978fb1dde3345b05b04271d5635b6da291b0cc578c799c065cceff190d",
    "US/2026": "a993cfb7e505e69b1509c816f8e948655fc601afa045adfeb37304e4ef70ff28",
    "US/2027": "e7add570dfe2a3323e3aaa1e6d4102f15e687a88c1a72c53818f59c65203253c",
}
"""Country/year -> SHA-256 of its document, hexadecimal. Adding a year is one file and one line."""

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class HolidayCalendar:
    """One country's business days of one year."""

    country: str
    year: int
    sha256: str
    weekend: frozenset[int]
    closed: frozenset[date]
    opened: frozenset[date]
    source: str
    as_of: date

    @property
    def name(self) -> str:
        """What a contract pins: country/year#hash."""
        return f"{self.country}/{self.year}#{self.sha256}"

    def is_business_day(self, day: date) -> bool:
        """Whether ``day`` is one. Raises NotFound ``calendar_unknown`` outside the year."""
        if day.year != self.year:
            raise _unknown(f"{self.country}/{day.year}")
        return day in self.opened or (day.weekday() not in self.weekend and day not in self.closed)


@cache
def calendar_named(name: str) -> HolidayCalendar:
    """The calendar of a name, with or without its hash.

    Raises NotFound ``calendar_unknown``, InvariantBroken ``calendar_altered``.
    """
    key, _, pinned = name.partition("#")
    recorded = HASHES.get(key)
    if recorded is None or pinned not in ("", recorded):
        raise _unknown(name)
    document = files("ledger.loan").joinpath("calendars_data", f"{key.replace('/', '-')}.json").read_bytes()
    return read_calendar(document, recorded)


def read_calendar(document: bytes, sha256: str) -> HolidayCalendar:
    """The calendar in a document, whose hash must be ``sha256``. Raises InvariantBroken ``calendar_altered``."""
    found = hashlib.sha256(document).hexdigest()
    if found != sha256:
        raise InvariantBroken(
            "calendar_altered", "a holiday calendar is not the one that was frozen", expected=sha256, found=found,
            advice="Restore the file from the release; a corrected calendar is a new document.",
        )  # fmt: skip
    values = json.loads(document)
    return HolidayCalendar(
        country=values["calendar"],
        year=values["year"],
        sha256=sha256,
        weekend=frozenset(_WEEKDAYS.index(day) for day in values["weekend"]),
        closed=frozenset(date.fromisoformat(day["date"]) for day in values["closed"]),
        opened=frozenset(date.fromisoformat(day) for day in values["open"]),
        source=values["source"],
        as_of=date.fromisoformat(values["asOf"]),
    )


def years_of(country: str) -> tuple[int, ...]:
    """The years frozen for a country, ascending; empty when there is none."""
    return tuple(sorted(int(key[3:]) for key in HASHES if key[:2] == country))


def business_days_of(names: Sequence[str]) -> IsBusinessDay:
    """Business days by the calendars named, one a year. A day of no such year: NotFound ``calendar_unknown``."""
    by_year = {found.year: found for found in map(calendar_named, names)}
    country = next((found.country for found in by_year.values()), "")

    def is_business_day(day: date) -> bool:
        if day.year not in by_year:
            raise _unknown(f"{country}/{day.year}")
        return by_year[day.year].is_business_day(day)

    return is_business_day


def business_days_in(country: str) -> IsBusinessDay:
    """Business days by every calendar frozen for a country. Raises NotFound ``calendar_unknown``."""
    if not years_of(country):
        raise _unknown(country)
    return business_days_of([f"{country}/{year}" for year in years_of(country)])


def _unknown(name: str) -> NotFound:
    return NotFound(
        "calendar_unknown", "no frozen holiday calendar has this name", found=name,
        advice="Name a country and year that are frozen, or add the year's document.",
    )  # fmt: skip
