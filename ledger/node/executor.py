"""What contracts do to a batch, in the transaction that commits it.

    session = await executor.open(connection, group)              # contracts locked, in hand
    more = await executor.follow(session, projection, pending, idx)
    await executor.write(connection, session)                     # memories, effects, ticks

For each batch that concerns contracts three kinds of batches may follow, right behind it in the log:
- one of the deployment's with an ``effect`` attestation for each effect: the record that a replay must give again;
- with those for a lender's attention one more, with an ``alert`` for each: it stands in the lender's list;
- one for each lender with what the effects mean for its loans (a charge, a pause, a notice, ...), signed with the key that
  the deployment keeps for it, each referring to its effect. These fold like any other event of the loan.

Rules
- Contracts are locked until the transaction ends and their memories move with it: a crash leaves the cause and all that
  it did, or nothing.
- An effect names the log index of its cause, so it is worked out when all groups before are over; should another process
  commit meanwhile, the commit fails and everything is worked out anew.
- The consents of the contracts' borrowers are read as they were before the group; those of the group are seen in it, since
  they concern the contract.
- An event that its loan refuses is left out, and its effect stands: the cause is never held up by a contract.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from ledger.attestation.contract_kinds import Effect, Tick
from ledger.attestation.envelope import Attestation
from ledger.attestation.risk_kinds import Alert, AlertCause
from ledger.consent.artefact import read_artefact
from ledger.contract.docket import ContractKey, Docket, Held, LoanRef, Placed
from ledger.contract.landing import CONTRACT_RULE, Landing, alert_of, landed
from ledger.contract.memory import decode_memory, encode_memory
from ledger.contract.routing import hears_consents, hears_ticks, landing_day
from ledger.errors import InvariantBroken, Refused
from ledger.limits import BATCH_ATTESTATIONS_MAX
from ledger.loan.state import LoanState
from ledger.node.clock import Sources
from ledger.node.contract_book import Concern, ContractBook
from ledger.node.drafts import Draft, finish
from ledger.node.loan_cache import LoanKey, loan_key
from ledger.node.participants import DEPLOYMENT
from ledger.node.pending import Pending
from ledger.node.projection import Projection
from ledger.store.consent_rows import consents_given
from ledger.store.contract_rows import (
    ContractRow,
    EffectRow,
    insert_contract,
    insert_effects,
    insert_tick,
    last_tick,
    lock_contracts,
    update_contracts,
)
from ledger.store.database import Connection
from ledger.store.risk_rows import NewAlert, insert_alerts, last_episode
from ledger.types import TenantId

Prepare = Callable[[TenantId, Sequence[Attestation]], Awaitable[Pending]]
"""Signs and seals a batch of the deployment's or of a lender's managed key."""


@dataclass
class Session:
    """The contracts of one group, and what they did so far."""

    connection: Connection
    docket: Docket
    stored: set[ContractKey]
    effects: list[EffectRow] = field(default_factory=list)
    ticks: list[tuple[Tick, int]] = field(default_factory=list)

    def begin(self, tick: Tick, idx: int) -> None:
        """A day begins at an entry. Raises Refused ``day_began``: of two that begin it at once the log has one."""
        if tick.day.toordinal() <= self.docket.today:
            raise day_began(tick.day)
        self.ticks.append((tick, idx))

    episodes: dict[tuple[str, bytes, bytes], int] = field(default_factory=dict)

    async def next_episode(self, lender: str, subject: bytes, account: bytes) -> int:
        """The number of the next alert of a contract about this account."""
        key = lender, subject, account
        if key not in self.episodes:
            self.episodes[key] = await last_episode(self.connection, lender, CONTRACT_RULE, subject, account)
        self.episodes[key] += 1
        return self.episodes[key]


class Executor:
    """Runs contracts inside commits."""

    def __init__(self, prepare: Prepare, book: ContractBook, sources: Sources) -> None:
        self._prepare = prepare
        self._book = book
        self._sources = sources

    async def open(self, connection: Connection, group: Sequence[Pending]) -> Session:
        """Lock the contracts that a group may move and take them in hand."""
        keys = sorted({key for pending in group if pending.concern for key in pending.concern.contracts})
        last = await last_tick(connection)
        session = Session(connection, Docket(DEPLOYMENT, 0 if last is None else last.toordinal()), set())
        for row in await lock_contracts(connection, keys):
            key = ContractKey(row.tenant, row.contract)
            session.stored.add(key)
            held = Held(row.document, row.subject, decode_memory(row.memory))
            session.docket.put(key, held)
            if held.in_force and (held.contract is None or not hears_ticks(held.contract)):
                self._book.note_dayless(key)
        await _learn_consents(connection, session.docket)
        return session

    async def follow(self, session: Session, projection: Projection, pending: Pending, idx: int) -> list[Pending]:
        """The batches that follow ``pending``, which was applied to ``projection`` and gets the entry index ``idx``.

        Raises Refused and InvalidInput ``contract_*`` when the batch is a contract's own step that is not possible.
        """
        batch, done = pending.batch.statement.batch, list[tuple[Effect, Attestation]]()
        states = _before(projection, pending)

        def loan(ref: LoanRef) -> LoanState | None:
            key = loan_key(ref.lender, ref.account)
            return states[key] if key in states else projection.state(key)

        for position, attestation in enumerate(pending.batch.attestations):
            if isinstance(attestation.body, Tick):
                session.begin(attestation.body, idx)
            key, before, after = projection.passed.get((batch, position), (None, None, None))
            if key is not None:
                states[key] = after
            placed = Placed(idx, batch, position, attestation, before)
            done += [(effect, attestation) for effect in session.docket.take(placed, loan)]
        return await self._batches(session, projection, done, idx + 1) if done else []

    async def _batches(
        self, session: Session, projection: Projection, done: list[tuple[Effect, Attestation]], idx: int
    ) -> list[Pending]:
        """Effects and the events they mean, as batches whose first gets the entry index ``idx``."""
        records: list[Attestation] = []
        events: dict[TenantId, list[Attestation]] = {}
        states: dict[LoanKey, LoanState] = {}
        for effect, cause in done:
            held = session.docket.held(ContractKey(effect.lender, effect.contract))
            if held is None:
                raise InvariantBroken("contract_lost", "an effect of a contract that is not in hand")
            day = landing_day(cause, session.docket.today)
            records.append(finish(DEPLOYMENT, _record(effect, cause, day, held.subject), self._sources))
            for landing in landed(effect, held.document, day, self._sources.now()):
                draft = _event(landing, records[-1], held)
                event = finish(TenantId(effect.lender), draft, self._sources)
                if projection.takes(event, loan_key(effect.lender, held.document.account), states):
                    events.setdefault(TenantId(effect.lender), []).append(event)
        batches = [await self._prepare(DEPLOYMENT, part) for part in _parts(records)]
        for number, pending in enumerate(batches):
            _place(session, pending, idx + number)
        batches += await self._alerts(session, batches, idx)
        for lender, those in sorted(events.items()):
            batches += [await self._prepare(lender, part) for part in _parts(those)]
        return batches

    async def _alerts(self, session: Session, records: Sequence[Pending], idx: int) -> list[Pending]:
        """The alerts that the effects in ``records`` raise, as batches with their rows."""
        drafts: list[Draft] = []
        for number, pending in enumerate(records):
            for position, record in enumerate(pending.batch.attestations):
                if isinstance(record.body, Effect) and record.body.effect == "alert.raise":
                    place = AlertCause(
                        batch=pending.batch.statement.batch, commitment=record.commitment, index=idx + number,
                        position=position,
                    )  # fmt: skip
                    drafts += await _alert(session, record, record.body, place)
        alerts = [finish(DEPLOYMENT, draft, self._sources) for draft in drafts]
        batches = [await self._prepare(DEPLOYMENT, part) for part in _parts(alerts)]
        for pending in batches:
            pending.effect = _rows_of_alerts(pending)
        return batches

    async def halves(self, refused: Pending) -> list[Pending]:
        """The two halves of a batch of events that was refused as a whole; nothing, where it was one event."""
        events, tenant = refused.batch.attestations, refused.key[0]
        middle = len(events) // 2
        return [await self._prepare(tenant, part) for part in (events[:middle], events[middle:])] if middle else []

    async def write(self, connection: Connection, session: Session) -> None:
        """Store what contracts remember, where their effects lie, and the days that began."""
        now, moved = self._sources.now(), []
        for key, held in session.docket.changed():
            if held.memory is None:
                continue
            row = ContractRow(
                key.lender, key.hash, held.document.account, held.subject, held.memory.state,
                held.data, encode_memory(held.memory), now, held.document.parties.guarantor,
            )  # fmt: skip
            if key in session.stored:
                moved.append(row)
            else:
                await insert_contract(connection, row)
        if moved:
            await update_contracts(connection, moved)
        if session.effects:
            await insert_effects(connection, session.effects)
        for tick, idx in session.ticks:
            await insert_tick(connection, tick.day, idx)


def day_began(day: date) -> Refused:
    """What a second tick of a day, or one of a day before the last, is refused with."""
    return Refused("day_began", "that day, or one after it, began already", path="day", found=day.isoformat())


def tenants_of(concern: Concern | None) -> tuple[TenantId, ...]:
    """The tenants whose rows contracts may write besides."""
    return () if concern is None else (DEPLOYMENT, *concern.tenants)


async def _learn_consents(connection: Connection, docket: Docket) -> None:
    """Tell contracts that wait for consents, or listen to them, what their borrowers gave before this group."""
    listening = {
        (held.subject, key.lender) for key, held in docket.contracts.items()
        if held.in_force and held.contract is not None and hears_consents(held.contract)
    }  # fmt: skip
    if not listening:
        return
    subjects, lenders = (sorted(set(each)) for each in zip(*listening, strict=True))
    for row in await consents_given(connection, subjects, lenders):
        docket.learn_consent(read_artefact(row.artefact), row.state)


def _before(projection: Projection, pending: Pending) -> dict[LoanKey, LoanState | None]:
    """The loans that a batch moves and contracts look at, as they were before it."""
    states: dict[LoanKey, LoanState | None] = {}
    for position in range(len(pending.batch.attestations)):
        passed = projection.passed.get((pending.batch.statement.batch, position))
        if passed is not None:
            states.setdefault(passed[0], passed[1])
    return states


def _record(effect: Effect, cause: Attestation, day: date, subject: bytes) -> Draft:
    return Draft(
        kind="effect", body=effect, effective_date=day, jurisdiction=cause.envelope.jurisdiction, subject=subject,
        role="borrower",
    )  # fmt: skip


async def _alert(session: Session, record: Attestation, effect: Effect, place: AlertCause) -> list[Draft]:
    envelope, subject = record.envelope, record.envelope.subject or b""
    body = alert_of(effect, place, episode=1)
    if body is None:
        return []
    episode = await session.next_episode(effect.lender, subject, effect.account)
    return [Draft(
        kind="alert", body=msgspec.structs.replace(body, episode=episode), effective_date=envelope.effective_date,
        jurisdiction=envelope.jurisdiction, subject=subject, role="borrower", refs=(envelope.id,),
    )]  # fmt: skip


def _rows_of_alerts(pending: Pending) -> Callable[[Connection], Awaitable[None]]:
    """Writes the rows of a batch of alerts, once its attestations are there."""
    rows = [
        NewAlert(body.audience, envelope.subject or b"", body.account, body.rule, body.episode, body.severity)
        for envelope, body in ((one.envelope, one.body) for one in pending.batch.attestations)
        if isinstance(body, Alert)
    ]

    async def write(connection: Connection) -> None:
        await insert_alerts(connection, DEPLOYMENT, pending.batch.statement.batch, rows)

    return write


def _event(landing: Landing, record: Attestation, held: Held) -> Draft:
    envelope = record.envelope
    return Draft(
        kind=landing.kind, body=landing.body, effective_date=envelope.effective_date,
        jurisdiction=envelope.jurisdiction, account=held.document.account if landing.about_loan else None,
        subject=held.subject, role="borrower", refs=(envelope.id,),
    )  # fmt: skip


def _parts(attestations: Sequence[Attestation]) -> list[Sequence[Attestation]]:
    return [
        attestations[at : at + BATCH_ATTESTATIONS_MAX] for at in range(0, len(attestations), BATCH_ATTESTATIONS_MAX)
    ]


def _place(session: Session, pending: Pending, idx: int) -> None:
    """Note where the effects of a batch lie."""
    for position, attestation in enumerate(pending.batch.attestations):
        body = attestation.body
        if isinstance(body, Effect) and attestation.envelope.subject is not None:
            held = session.docket.held(ContractKey(body.lender, body.contract))
            session.effects.append(EffectRow(
                body.lender, body.id, body.contract, attestation.envelope.subject, idx, pending.batch.statement.batch,
                position, None if held is None else held.document.parties.guarantor,
            ))  # fmt: skip
