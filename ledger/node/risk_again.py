"""Early warning folded again from attestations alone: what the watcher's rows must say of a group of borrowers.

    again = RiskAgain(ticks)
    for placed in sorted_attestations: again.take(placed)      # in log order, as far as the watcher's cursor
    again.pass_days(subject, until)                            # as far as the watcher looked at the borrower
    again.states[subject], again.links

Rules
- The same fold as the watcher's (ledger/risk/folding.py), the same events, links and order; no rule is judged and
  nothing is told to anybody.
- A group is closed one step wide: borrowers, who answers for them, and who pledged the same things. What the others know
  from yet others does not reach the group's own states.
- When a guarantor's miss was told, and whether, followed from the watcher's clock, from the consents of that moment and
  from what its operator says of the law. So it is not folded here; ``missed_days`` says which misses there were to tell.

What this module does not do: read anything, or compare (fsck_risk.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ledger.attestation.envelope import Attestation
from ledger.risk.borrower import Event, State
from ledger.risk.events import Link, event_of, links_of
from ledger.risk.features import advance, fold
from ledger.store.risk_rows import LinkRow


class Placed(NamedTuple):
    """An attestation where it stands; ``attestation`` is None for a consent, which is only a reason to look."""

    entry: int
    position: int
    committed_at: int
    subject: bytes
    attestation: Attestation | None


class RiskAgain:
    """States of a group of borrowers, from the beginning. ``ticks`` are (entry, day as an ordinal), ascending."""

    def __init__(self, ticks: Sequence[tuple[int, int]]) -> None:
        self._ticks = ticks
        self.states: dict[bytes, State] = defaultdict(State)
        self.links: dict[LinkRow, int] = {}
        """Each link, with the entry that made it."""
        self._by_target: dict[bytes, set[LinkRow]] = defaultdict(set)
        self.missed_days: dict[bytes, set[int]] = defaultdict(set)
        """The days of a borrower's misses and arrears."""

    def take(self, placed: Placed) -> None:
        """Take one attestation in."""
        day = datetime.fromtimestamp(placed.committed_at / 1000, UTC).date().toordinal()
        subject, attestation = placed.subject, placed.attestation
        if attestation is None:
            self.pass_days(subject, day)
            return
        envelope = attestation.envelope
        if envelope.role not in (None, "borrower"):
            return
        told = bisect_left(self._ticks, (placed.entry, 0))
        event = event_of(
            envelope, attestation.body, seen=day, index=placed.entry, position=placed.position,
            told=self._ticks[told - 1][1] if told else 0,
        )  # fmt: skip
        link = links_of(envelope, attestation.body)
        if event is not None:
            self._happen(subject, event)
        if link is not None:
            self._link(link, LinkRow(envelope.tenant, *link, subject, envelope.account or b""), day, placed.entry)

    def pass_days(self, subject: bytes, day: int) -> None:
        """Let days pass for a borrower, one day of judgement after the other."""
        state = self.states[subject]
        while state.shared.day < state.shared.wake <= day:
            advance(state, state.shared.wake)
            self._note_misses(subject, state)
        advance(state, day)
        self._note_misses(subject, state)

    def _note_misses(self, subject: bytes, state: State) -> None:
        self.missed_days[subject].update(
            trace.day for trace in state.shared.trail if trace.kind in ("miss", "arrears")
        )  # fmt: skip

    def _happen(self, subject: bytes, event: Event) -> None:
        state = self.states[subject]
        self.pass_days(subject, event.seen)
        ended = state.shared.total.ended
        fold(state, event)
        self._note_misses(subject, state)
        if event.kind == "closure" and state.shared.total.ended > ended:
            self._release(subject, event)

    def _link(self, link: Link, row: LinkRow, day: int, index: int) -> None:
        others = self._linked_to(link.target) if link.kind == "item" else []
        self.links.setdefault(row, index)
        self._by_target[link.target].add(row)
        for other in others:
            if other.subject == row.subject or other.tenant == row.tenant:
                continue
            for about, whose in ((row.subject, other), (other.subject, row)):
                event = Event("pledged_elsewhere", day, day, whose.tenant, whose.account, item=link.target)
                self._happen(about, event)

    def _release(self, subject: bytes, event: Event) -> None:
        mine = {link.target for link in self.links if link.kind == "item" and link[3:] == (subject, event.account)}
        found = {
            other.subject for target in mine for other in self._linked_to(target)
            if other.subject != subject and other.tenant != event.lender
        }  # fmt: skip
        for other in found:
            self._happen(other, Event("closure", event.seen, event.day, event.lender, event.account))

    def _linked_to(self, target: bytes) -> list[LinkRow]:
        return sorted(link for link in self._by_target[target] if link.kind == "item")
