"""Which attestations of an account count: corrections and deletions supersede, and nothing is rewritten.

    told = [Told(entry, attestation), ...]            the account's chain in log order
    effective(told)                                   those that count, each at the place it counts from

Rules
- A ``deletion`` takes what its ``refs`` name out of the account. A ``correction`` does too, and puts its
  ``replacement`` at the place of the first of them: so a corrected disbursement stays before the payments that followed.
- Both reach only what was there before them. Names of what is not on the account (an enquiry, a score) change nothing
  here: they are about the record.
- A deletion can itself be deleted, and a correction corrected: then what it took out counts again. The newest is
  judged first.
- What is superseded stays on the log, in the chain, and in every view of a log index before.
- A replacement that is not on the account yet is refused (``replacement_unknown``): the right statement comes first, or
  in the same batch before the correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger.attestation.envelope import Attestation
from ledger.attestation.sharing_kinds import Correction
from ledger.errors import Refused

SUPERSEDING: Final = frozenset({"correction", "deletion"})


class Told(NamedTuple):
    """One attestation of an account with the log index of its batch."""

    entry: int
    attestation: Attestation

    @property
    def id(self) -> UUID:
        """The attestation's own id."""
        return self.attestation.envelope.id

    @property
    def kind(self) -> str:
        """What it says something of."""
        return self.attestation.envelope.kind

    @property
    def body(self) -> Any:
        """What it says; of the type that its kind has."""
        return self.attestation.body


class Counted(NamedTuple):
    """An attestation that counts, and the place in the chain (from 0) that it counts from."""

    place: int
    told: Told


def effective(told: Sequence[Told]) -> list[Counted]:
    """The attestations that count, in the order of their places; corrections and deletions themselves included."""
    if not any(each.kind in SUPERSEDING for each in told):
        return [Counted(place, each) for place, each in enumerate(told)]
    places = {each.id: place for place, each in enumerate(told)}
    gone, moved = set[int](), dict[int, int]()
    for place in range(len(told) - 1, -1, -1):
        each = told[place]
        if place in gone or each.kind not in SUPERSEDING:
            continue
        targets = _targets(each, place, places)
        gone.update(targets)
        if isinstance(each.body, Correction) and each.body.replacement is not None and targets:
            moved[places.get(each.body.replacement, place)] = targets[0]
    counted = [Counted(_first_place(place, moved), each) for place, each in enumerate(told) if place not in gone]
    return sorted(counted, key=lambda each: each.place)


def ensure_replacements(told: Sequence[Told]) -> None:
    """Raises Refused ``replacement_unknown`` when a correction names what was not on the account before it."""
    known = set[UUID]()
    for each in told:
        replacement = each.body.replacement if isinstance(each.body, Correction) else None
        if replacement is not None and replacement not in known:
            raise Refused(
                "replacement_unknown", "the account has no such attestation yet", path="$.body.replacement",
                found=replacement, advice="publish what is right first, then the correction that names it",
            )  # fmt: skip
        known.add(each.id)


def _targets(each: Told, place: int, places: dict[UUID, int]) -> list[int]:
    """The places that it supersedes: those before it, never what it replaces them by."""
    replacement = getattr(each.body, "replacement", None)
    named = (places.get(ref, place) for ref in each.attestation.envelope.refs if ref != replacement)
    return [target for target in named if target < place]


def _first_place(place: int, moved: dict[int, int]) -> int:
    """Where a replacement of a replacement begins."""
    while moved.get(place, place) < place:
        place = moved[place]
    return place
