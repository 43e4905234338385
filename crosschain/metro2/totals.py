"""The trailer's counts, recounted: what the writer puts in, and what the reader holds against a file's own claim.

- Everything is counted over accepted records only; a file whose rejects are not empty may therefore differ by them.
- National ids, birth dates and telephone numbers count where they are neither blank nor zeros, over base, J1 and J2.
- `block_count` is the number of records with header and trailer; zero in a trailer means that it makes no claim.

    >>> totals = Totals(); totals.add(record); totals.found()["total_base_records"]
    1
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from crosschain.metro2.layout import BASE, J1, J2, TRAILER, Kind
from crosschain.metro2.records import Record, Segment

COUNTED: Final = tuple(field.name for field in TRAILER.fields if field.kind is Kind.NUMBER)
"""Names of the trailer's counts, in order."""

_PEOPLE: Final = {layout.kind: layout for layout in (BASE, J1, J2)}
_PERSONAL_COUNTS: Final = (
    ("social_security_number", "total_social_security_numbers"),
    ("date_of_birth", "total_dates_of_birth"),
)


class Mismatch(NamedTuple):
    """One count of the trailer that is not what was read: field, number declared (None: blank), number found."""

    field: str
    declared: int | None
    found: int


class Totals:
    """Running counts over records; memory does not grow with the file."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """Count one record; header and trailer count as blocks only."""
        counts = self._counts
        counts["block_count"] += 1
        if record.base.kind != BASE.kind:
            return
        counts["total_base_records"] += 1
        counts[f"total_status_{record.base.text_of('account_status').lower()}"] += 1
        self._add_person(record.base)
        for segment in record.segments:
            counts[f"total_{segment.kind.lower()}_segments"] += 1
            if segment.kind in _PEOPLE:
                self._add_person(segment)

    def found(self) -> dict[str, int]:
        """Every count of the trailer by name, in the trailer's order."""
        return {name: self._counts[name] for name in COUNTED}

    def compare(self, trailer: Record) -> tuple[Mismatch, ...]:
        """The counts in which `trailer` (parsed, and itself counted or not) differs from what was added."""
        return tuple(
            Mismatch(name, declared, found)
            for name, found in self.found().items()
            if (declared := _declared(trailer.base, name)) != found and not (name == "block_count" and not declared)
        )

    def _add_person(self, segment: Segment) -> None:
        index, fields, kind = _PEOPLE[segment.kind].place_of, segment.fields, segment.kind.lower()
        for name, count in _PERSONAL_COUNTS:
            if fields[index[name]].strip("0 "):
                self._counts[count] += 1
                self._counts[f"{count}_{kind}"] += 1
        if fields[index["telephone_number"]].strip("0 "):
            self._counts["total_telephone_numbers"] += 1
        if fields[index["ecoa_code"]] == "Z":
            self._counts["total_ecoa_z"] += 1


def _declared(trailer: Segment, name: str) -> int | None:
    digits = trailer.text_of(name).strip(" ")
    return int(digits) if digits else None
