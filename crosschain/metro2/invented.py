"""Invented people for the synthetic file, and the small generator of numbers behind them.

- `Draw` is SplitMix64 (Steele, Lea, Flood 2014) started from a hash of the seed, a purpose and a number: the n-th
  person or account is the same however many others there are, on every Python version.
- Names are two or three syllables; towns likewise. National ids begin with 9 and have 10 to 39 in the middle, so they
  never were anybody's; telephone numbers are 555-01xx, kept free for fiction.

    >>> person_of(7, 0) == person_of(7, 0)
    True
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T")
_MASK: Final = (1 << 64) - 1
_SYLLABLES: Final = [
    "BA",
    "DO",
    "KEL",
    "MI",
    "RA",
    "SON",
    "TU",
    "VEN",
    "LI",
    "NOR",
    "PA",
    "QUI",
    "SA",
    "TES",
    "WO",
    "ZAN",
    "FE",
    "GAR",
    "HU",
    "JO",
]
_STREETS: Final = ("OAK LANE", "MILL ROAD", "HILL STREET", "RIVER WAY", "STATION ROAD", "MARKET SQUARE")
_STATES: Final = ["AL", "CA", "CO", "FL", "GA", "IL", "KY", "MD", "MI", "NC", "NY", "OH", "OR", "TX", "VA", "WA"]
_JOBS: Final = ("CARPENTER", "TEACHER", "NURSE", "DRIVER", "COOK", "CLERK")


class Draw:
    """A stream of reproducible numbers for one purpose."""

    def __init__(self, seed: int, purpose: str, number: int) -> None:
        digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
        self._state = int.from_bytes(digest[:8])

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1; the bias of the modulus is below 2**-30 for our bounds."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) % bound

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, per_mille: int) -> bool:
        """True `per_mille` times in a thousand."""
        return self.below(1000) < per_mille

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of `choices`."""
        return choices[self.below(len(choices))]

    def word(self) -> str:
        """A pronounceable word of two or three syllables."""
        return "".join([self.pick(_SYLLABLES) for _ in range(self.between(2, 3))])


class Person(NamedTuple):
    """One invented borrower."""

    surname: str
    first_name: str
    social_security_number: int
    date_of_birth: date
    telephone_number: int
    street: str
    city: str
    state: str
    postal_code: str
    employer: str
    occupation: str

    def fields(self, *, address: bool = True) -> dict[str, str | int | date | None]:
        """The person's fields of a base, J1 (no address) or J2 segment."""
        named: dict[str, str | int | date | None] = {
            "surname": self.surname,
            "first_name": self.first_name,
            "social_security_number": self.social_security_number,
            "date_of_birth": self.date_of_birth,
            "telephone_number": self.telephone_number,
        }
        where: dict[str, str | int | date | None] = {
            "country_code": "US",
            "address_line_1": self.street,
            "city": self.city,
            "state": self.state,
            "postal_code": self.postal_code,
            "address_indicator": "Y",
        }
        return named | where if address else named

    def employer_fields(self) -> dict[str, str | int | date | None]:
        """The fields of an N1 segment."""
        return {
            "employer_name": self.employer,
            "employer_city": self.city,
            "employer_state": self.state,
            "employer_postal_code": self.postal_code,
            "occupation": self.occupation,
        }


def person_of(seed: int, number: int) -> Person:
    """The `number`-th invented person of a seed; distinct numbers below 30,000,000 have distinct national ids."""
    draw = Draw(seed, "person", number)
    return Person(
        surname=draw.word() + draw.word(),
        first_name=draw.word(),
        social_security_number=_never_issued(seed, number),
        date_of_birth=date(1940, 1, 1) + timedelta(days=draw.below(23_000)),
        telephone_number=5_555_550_100 + draw.below(100),
        street=f"{draw.between(1, 999)} {draw.pick(_STREETS)}",
        city=draw.word(),
        state=draw.pick(_STATES),
        postal_code=f"{draw.below(100_000):05d}",
        employer=f"{draw.word()} LTD",
        occupation=draw.pick(_JOBS),
    )


def _never_issued(seed: int, number: int) -> int:
    # A multiplier prime to 30,000,000 spreads neighbours apart and keeps distinct numbers distinct.
    place = (number * 7_654_321 + seed) % 30_000_000
    area, rest = divmod(place, 300_000)
    group, serial = divmod(rest, 10_000)
    return 900_000_000 + area * 1_000_000 + (10 + group) * 10_000 + serial
