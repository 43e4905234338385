"""One round of the watcher: opens what was committed, folds it borrower by borrower, and judges after each event.

    work = Round(node, book, law, participants, borrowers, ticks)
    taken = await work.take(found)            # how many attestations were taken in before there were alerts enough
    work.rows(), work.links, work.raised      # what the watcher writes and publishes, in one transaction
    work.keep()                               # it did: the states in memory are those of the store

Rules
- Every lender with a loan that is not ended is judged for after every event about its borrower, so that what is raised
  does not depend on how events fell into rounds.
- A guarantor's miss, and a thing pledged by somebody else, come to a borrower as events of their own, through links that
  guarantees and pledges made. A lender hears of its guarantor's misses elsewhere as it would of a borrower's.
- An active consent counts from the round after its step; the step itself is a reason to look again. What is told under
  a consent is told while it holds: it is looked at again, under its lock, in the transaction that publishes, so that no
  alert has a later place in the log than the revoke.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ledger.attestation.envelope import parse
from ledger.consent.artefact import read_artefact
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT, Participants
from ledger.risk.alerts import reach_of
from ledger.risk.borrower import NEVER, Event, Own, State, decode_own, decode_shared, encode_part
from ledger.risk.events import Link, event_of, links_of
from ledger.risk.features import advance, fold
from ledger.risk.signals import Reach, RuleBook, Signal, judge
from ledger.store import risk_rows
from ledger.store.database import Connection
from ledger.store.risk_rows import Found, LinkRow, PartRow, active_consents, hold_consents, links_to, read_parts
from ledger.types import TenantId

FOLLOWED_KINDS: Final = (
    "application", "closure", "collateral", "consent", "default", "delinquency", "disbursement", "enquiry", "guarantee",
    "repayment", "reversal", "schedule", "status_snapshot", "transfer",
)  # fmt: skip
"""Kinds that the watcher reads; a consent is only a reason to look again."""

ROUND_ALERTS_MAX: Final = 256
"""Alerts of one round from which on it takes in no more: their batch stays small."""

BORROWERS_CACHED_MAX: Final = 16_384
"""Borrowers kept in memory: about 100 MB of states."""


@dataclass(frozen=True)
class Raised:
    """A signal for one lender about one borrower, and on what ground that lender is told."""

    lender: str
    subject: bytes
    country: str
    lawful: bool
    signal: Signal


@dataclass
class Known:
    """A borrower in memory: the state, and the bytes of its rows as they are stored."""

    state: State
    stored: dict[str, bytes]
    wake: int | None = None


class Borrowers:
    """States in memory, the least recently used going first."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def forget(self) -> None:
        """Drop all of them."""
        self._known.clear()

    def get(self, subject: bytes) -> Known | None:
        """A borrower, if it is in memory."""
        known = self._known.get(subject)
        if known is not None:
            self._known.move_to_end(subject)
        return known

    def put(self, subject: bytes, known: Known) -> None:
        """Keep a borrower."""
        self._known[subject] = known

    def trim(self) -> None:
        """Let the least recently used go; only between rounds, since a round works on what is here."""
        while len(self._known) > BORROWERS_CACHED_MAX:
            self._known.popitem(last=False)


class Round:
    """The work of one round over the states in memory. Whoever abandons it must make ``borrowers`` forget."""

    def __init__(
        self, node: Node, book: RuleBook, law: Callable[[str], bool], participants: Participants, borrowers: Borrowers,
        ticks: Sequence[tuple[int, int]] = (),
    ) -> None:  # fmt: skip
        self._node = node
        self._book = book
        self._law = law
        self._participants = participants
        self._everybody = sorted(TenantId(name) for name in participants.tenants)
        self._borrowers = borrowers
        self._ticks = ticks
        self._touched: dict[bytes, Known] = {}
        self._reaches: dict[bytes, dict[str, Reach]] = {}
        self._given: dict[tuple[bytes, str], list[bytes]] = {}
        self._rows: list[PartRow] | None = None
        self.links: list[LinkRow] = []
        self.raised: list[Raised] = []

    # -- taking in ------------------------------------------------------------------------------------------------

    async def take(self, found: Sequence[Found]) -> int:
        """Take attestations in, in log order, until there are ROUND_ALERTS_MAX alerts; gives how many."""
        opened = await self._opened(found)
        await self._load({each.row.subject for each in found if each.row.subject})
        for taken, (each, data) in enumerate(zip(found, opened, strict=True), 1):
            if data is not None and each.row.subject is not None:
                await self._take_one(each, each.row.subject, data)
            if len(self.raised) >= ROUND_ALERTS_MAX:
                return taken
        return len(found)

    async def _opened(self, found: Sequence[Found]) -> list[bytes | None]:
        """The bytes of each; None where its subject was erased, nothing at all of a consent."""
        opened = iter(await self._node.sealer.open([each.row for each in found if each.row.kind != "consent"]))
        return [b"" if each.row.kind == "consent" else next(opened) for each in found]

    async def wake(self, subjects: Sequence[bytes], day: int) -> None:
        """A day began: let it pass for these borrowers, and judge."""
        await self._load(set(subjects))
        for subject in subjects:
            await self._happen(subject, Event("tick", day, day))

    async def _take_one(self, found: Found, subject: bytes, data: bytes) -> None:
        day = datetime.fromtimestamp(found.committed_at / 1000, UTC).date().toordinal()
        if found.row.kind == "consent":
            self._judge(subject, max(day, self._state(subject).shared.day))
            return
        attestation = parse(data)
        envelope = attestation.envelope
        if envelope.role not in (None, "borrower"):
            return  # a co-borrower's or a guarantor's copy of the event: counted once, for its borrower
        event = event_of(
            envelope, attestation.body, seen=day, index=found.entry, position=found.row.position,
            told=self._ledger_day(found.entry),
        )  # fmt: skip
        link = links_of(envelope, attestation.body)
        if event is not None:
            await self._happen(subject, event)
        if link is not None:
            await self._linked(link, subject, envelope.tenant, envelope.account or b"", day)

    def _ledger_day(self, entry: int) -> int:
        """The newest day that had begun on the ledger before an entry; 0: none."""
        before = bisect_left(self._ticks, (entry, 0))
        return self._ticks[before - 1][1] if before else 0

    async def _happen(self, subject: bytes, event: Event) -> None:
        """Fold an event, judge, and tell the borrowers whom it concerns as well."""
        waiting = deque([(subject, event)])
        while waiting:
            subject, event = waiting.popleft()
            shared = self._state(subject).shared
            missed, ended = shared.total.missed, shared.total.ended
            fold(self._state(subject), event)
            self._judge(subject, shared.day)
            if shared.total.missed > missed:
                waiting += await self._guaranteed(subject, event)
            if event.kind == "closure" and shared.total.ended > ended:
                waiting += await self._released(subject, event)

    # -- what concerns another borrower ---------------------------------------------------------------------------

    async def _linked(self, link: Link, subject: bytes, lender: str, account: bytes, day: int) -> None:
        row = LinkRow(lender, link.kind, link.target, subject, account)
        others = await self._links(link.kind, link.target) if link.kind == "item" else []
        self.links.append(row)
        for other in others:
            if other.subject == subject or other.tenant == lender:
                continue
            await self._load({other.subject})
            for about, whose, where in ((subject, other.tenant, other.account), (other.subject, lender, account)):
                await self._happen(about, Event("pledged_elsewhere", day, day, whose, where, item=link.target))

    async def _guaranteed(self, guarantor: bytes, event: Event) -> list[tuple[bytes, Event]]:
        """A miss of a guarantor, as events of those for whom it answers, where the lender may hear of it."""
        links = await self._links("guarantor", guarantor)
        if not links:
            return []
        state = self._state(guarantor)
        miss = next((trace for trace in reversed(state.shared.trail) if trace.kind in ("miss", "arrears")), None)
        if miss is None:
            return []
        reaches = await self._reaches_about(guarantor, {link.tenant for link in links})
        day = state.shared.day
        told = [link for link in links if miss.lender == link.tenant or reaches[link.tenant].counts(miss.lender)]
        await self._load({link.subject for link in told})
        return [
            (link.subject, Event("guarantor_miss", day, miss.day, link.tenant, link.account))
            for link in told if link.subject != guarantor
        ]  # fmt: skip

    async def _released(self, subject: bytes, event: Event) -> list[tuple[bytes, Event]]:
        """A closed loan holds no pledge: told to whoever pledged the same thing."""
        async with self._node.database.reading(tenants=self._everybody) as connection:
            own = [*await risk_rows.links_of(connection, subject), *self.links]
        mine = {link.target for link in own if link.kind == "item" and link[3:] == (subject, event.account)}
        found: dict[bytes, Event] = {}
        for target in sorted(mine):
            for other in await self._links("item", target):
                if other.subject != subject and other.tenant != event.lender:
                    found[other.subject] = Event("closure", event.seen, event.day, event.lender, event.account)
        await self._load(set(found))
        return list(found.items())

    async def _links(self, kind: str, target: bytes) -> list[LinkRow]:
        async with self._node.database.reading(tenants=self._everybody) as connection:
            stored = await links_to(connection, kind, [target])
        fresh = (link for link in self.links if (link.kind, link.target) == (kind, target))
        return sorted({*stored, *fresh})  # in one order, however the log fell into rounds: fsck folds it again

    # -- judging --------------------------------------------------------------------------------------------------

    def _judge(self, subject: bytes, day: int) -> None:
        state = self._state(subject)
        advance(state, day)
        for lender, own in state.own.items():
            if not any(loan.opened and not loan.ended for loan in own.loans.values()):
                continue
            tenant = self._participants.tenants.get(lender)
            country = "" if tenant is None else tenant.country
            reach = self._reaches[subject].get(lender) or self._default(country)
            self.raised += [
                Raised(lender, subject, country, self._law(country), signal)
                for signal in judge(self._book, state, lender, day, reach)
            ]

    def _default(self, country: str) -> Reach:
        return reach_of("", (), lawful=self._law(country), now=0)

    async def _reaches_about(self, subject: bytes, lenders: set[str]) -> dict[str, Reach]:
        await self._load({subject})
        known, tenants = self._reaches[subject], self._participants.tenants
        return {lender: known.get(lender) or self._default(tenants[lender].country) for lender in lenders}

    # -- states ---------------------------------------------------------------------------------------------------

    def _state(self, subject: bytes) -> State:
        return self._touched[subject].state

    async def _load(self, subjects: set[bytes]) -> None:
        """Bring borrowers and the consents about them into the round."""
        fresh = sorted(subjects - self._touched.keys())
        if not fresh:
            return
        missing = [subject for subject in fresh if self._borrowers.get(subject) is None]
        async with self._node.database.reading(tenants=self._everybody) as connection:
            rows = await read_parts(connection, missing) if missing else []
            consents = await active_consents(connection, fresh)
        for subject in missing:
            self._borrowers.put(subject, Known(State(), {}))
        for row in rows:
            _adopt(self._borrowers.get(row.subject), row)
        for subject in fresh:
            known = self._borrowers.get(subject)
            if known is not None:
                self._touched[subject] = known
            self._reaches[subject] = {}
        self._hear(consents)

    def _hear(self, consents: Sequence[tuple[str, bytes, bytes]]) -> None:
        now, given = self._node.sources.now(), _by_lender(consents)
        self._given |= given
        for (subject, lender), artefacts in given.items():
            tenant = self._participants.tenants.get(lender)
            lawful = tenant is not None and self._law(tenant.country)
            self._reaches[subject][lender] = reach_of(lender, map(read_artefact, artefacts), lawful=lawful, now=now)

    async def consents_hold(self, connection: Connection) -> bool:
        """Whether every consent under which something is told is still what it was; holds them until the commit."""
        told = {
            (each.subject, each.lender) for each in self.raised
            if each.signal.rule.hears == "elsewhere" and not each.lawful
        }  # fmt: skip
        if not told:
            return True
        held = _by_lender(await hold_consents(connection, sorted({subject for subject, _ in told})))
        return all(held.get(key) == self._given.get(key) for key in told)

    # -- what comes of it -----------------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether there is anything to write besides the cursor."""
        return bool(self.rows() or self.links)

    @property
    def tenants(self) -> tuple[TenantId, ...]:
        """Whose rows are written."""
        names = {row.tenant for row in self.rows()} | {link.tenant for link in self.links}
        return tuple(
            sorted(TenantId(name) for name in names | {raised.lender for raised in self.raised} | {DEPLOYMENT})
        )

    def rows(self) -> list[PartRow]:
        """The parts that changed, as rows."""
        if self._rows is None:
            self._rows = [row for subject, known in self._touched.items() for row in _changed(subject, known)]
        return self._rows

    def keep(self) -> None:
        """The rows are committed."""
        for row in self.rows():
            known = self._touched[row.subject]
            known.stored[row.tenant] = row.part
            if row.tenant == DEPLOYMENT:
                known.wake = row.wake
        self._borrowers.trim()


def _by_lender(consents: Sequence[tuple[str, bytes, bytes]]) -> dict[tuple[bytes, str], list[bytes]]:
    """(subject, consumer) -> the artefacts, in one order."""
    given: dict[tuple[bytes, str], list[bytes]] = {}
    for consumer, subject, artefact in sorted(consents):
        given.setdefault((subject, consumer), []).append(artefact)
    return given


def _adopt(known: Known | None, row: PartRow) -> None:
    if known is None:
        return
    known.stored[row.tenant] = row.part
    if row.tenant == DEPLOYMENT:
        known.state.shared, known.wake = decode_shared(row.part), row.wake
    else:
        known.state.own[row.tenant] = decode_own(row.part)


def _changed(subject: bytes, known: Known) -> list[PartRow]:
    if not known.stored and not known.state.shared.by:
        return []  # only a consent was about this borrower
    shared, wake = encode_part(known.state.shared), wake_of(known.state)
    rows = []
    if known.stored.get(DEPLOYMENT) != shared or known.wake != wake:
        rows.append(PartRow(DEPLOYMENT, subject, wake, shared))
    for lender, own in known.state.own.items():
        part = encode_part(own)
        if known.stored.get(lender) != part:
            rows.append(PartRow(lender, subject, None, part))
    return rows


def wake_of(state: State) -> int | None:
    """The next day on which anything can change by itself."""
    due = state.shared.wake
    if any(_restless(own) for own in state.own.values()):
        due = min(due, state.shared.day + 1)
    return None if due == NEVER else due


def _restless(own: Own) -> bool:
    """Whether a rule is raised, which may come down by itself, or a loan grows older in arrears."""
    return bool(own.raised) or any(loan.judged > loan.met and not loan.ended for loan in own.loans.values())
