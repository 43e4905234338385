"""The door for everything that goes on the ledger: check, seal, queue, commit, answer with proof.

    receipt = await publisher.publish(tenant, token, body)                 # a batch that the tenant signed
    receipt = await publisher.publish_own(tenant, drafts, ...)             # signed with a key the deployment keeps

Rules
- Checking and sealing happen before the queue, so that the transaction only waits for the database.
- The queue is bounded in batches and bytes; past it the caller gets Unavailable ``queue_full`` and Retry-After.
- Several committers take what waits, in the order of arrival; the line (commit_line.py) keeps that order.
- The answer comes after COMMIT and carries the entry's index, its proof and a checkpoint signed over that committed head.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from ledger.attestation.batch import Batch, Statement, assemble, read_head, verify_statement
from ledger.attestation.envelope import Attestation, parse_lines
from ledger.attestation.keys import PrivateKey
from ledger.errors import Refused, Unavailable, Untrusted
from ledger.limits import (
    BREATH_ATTESTATIONS,
    COPY_ATTESTATIONS_MIN,
    GROUP_ATTESTATIONS_MAX,
    GROUP_BATCHES_MAX,
    QUEUE_BATCHES_MAX,
    QUEUE_BYTES_MAX,
)
from ledger.node.chains import Chains
from ledger.node.clock import Sources
from ledger.node.commit_line import CommitLine
from ledger.node.committer import Committer
from ledger.node.contract_book import ContractBook
from ledger.node.drafts import Draft, finish, own_batch
from ledger.node.executor import Executor
from ledger.node.head_keeper import HeadKeeper
from ledger.node.loan_cache import LoanCache
from ledger.node.log_reader import LogReader
from ledger.node.managed_keys import ManagedKeys
from ledger.node.participants import DEPLOYMENT, Participants, load_participants
from ledger.node.pending import Committed, Effect, Pending
from ledger.node.projection import consent_ids, ensure_may_publish, loan_keys
from ledger.node.sealer import Sealer
from ledger.store.database import Database
from ledger.store.idempotency_rows import IdempotencyRow
from ledger.types import TenantId, UnixMillis

COMMITTERS: Final = 3
"""Groups under way at once: while PostgreSQL works on one, the other is folded here."""


_Prepared = TypeVar("_Prepared")


class Receipt(msgspec.Struct, frozen=True):
    """The answer to a publication: where the batch stands, and the proof. ``checkpoint`` is a signed note over
    ``tree_size`` entries; ``path`` leads from the entry's leaf hash to its root."""

    index: int
    tree_size: int
    batch_id: UUID
    leaf_hash: bytes
    root: bytes
    count: int
    committed_at: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    statement: bytes
    duplicate: bool


class Publisher:
    """The publishing half of a node."""

    def __init__(
        self,
        database: Database,
        keeper: HeadKeeper,
        log: LogReader,
        sealer: Sealer,
        keys: ManagedKeys,
        sources: Sources,
        origin: str,
    ) -> None:
        self._database = database
        self._keeper = keeper
        self._log = log
        self._sealer = sealer
        self._keys = keys
        self._sources = sources
        self._origin = origin
        self._participants = Participants({}, {})
        self._epoch = -1
        self._waiting: deque[Pending] = deque()
        self._waiting_bytes = 0
        self._preparing = asyncio.Lock()
        self._small_under_way = False
        self._under_way: set[asyncio.Task[None]] = set()
        self._open = False
        self._loans = LoanCache()
        line, chains = CommitLine(), Chains(database, sealer)
        self._book = ContractBook(database)
        executor = Executor(self._follow_up, self._book, sources)
        self._committers = [
            Committer(database, keeper, self._loans, line, sources, self._renew, executor, chains)
            for _ in range(COMMITTERS)
        ]
        self._idle = list(self._committers)

    async def start(self) -> None:
        """Begin to commit. The keeper must be loaded."""
        await self.refresh()
        self._open = True

    @property
    def running(self) -> bool:
        """Whether what is published now will be committed."""
        return self._open

    async def stop(self) -> None:
        """Finish what is under way, answer what waits with Unavailable, close the connections."""
        self._open = False
        waiting, self._waiting = list(self._waiting), deque()
        for pending in waiting:
            pending.fail(_stopping())
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for committer in self._committers:
            await committer.close()

    async def participants(self, *named: str) -> Participants:
        """Tenants and keys under the newest epoch that this process knows; a tenant among ``named`` that it does not
        know may have been enrolled through another process, so then it asks the store first."""
        if self._epoch != self._keeper.head.epoch:
            await self.refresh()
        if not self._participants.tenants.keys() >= set(named):
            await self._catch_up()
        return self._participants

    async def _catch_up(self) -> bool:
        """Learn what other processes committed; False when no key changed meanwhile."""
        async with self._database.reading() as connection, self._keeper.turn:
            head = await self._keeper.load(connection, self._sources.now())
        if head.epoch == self._epoch:
            return False
        await self.refresh()
        return True

    async def refresh(self) -> None:
        """Read tenants and keys anew, and drop data keys and loans: the epoch moved, perhaps by an erasure."""
        epoch = self._keeper.head.epoch
        self._participants = await load_participants(self._database)
        self._sealer.forget()
        self._loans.forget()
        self._keys.forget()
        await self._book.load([TenantId(tenant) for tenant in self._participants.tenants])
        self._epoch = epoch

    async def publish(self, tenant: TenantId, token: bytes, body: bytes) -> Receipt:
        """Publish a batch that ``tenant`` signed: ``token`` is the statement (compact JWS), ``body`` its NDJSON.

        Raises InvalidInput, Untrusted, Refused, Conflict (``batch_differs``, ``attestation_duplicate``), Unavailable.
        """
        self._ensure_room(len(body))
        participants = await self.participants(tenant)
        try:
            epoch, (statement, kid, lines) = self._epoch, self._head_of(tenant, token, body)
        except Untrusted as error:
            if error.code != "key_unknown" or not await self._catch_up():
                raise
            epoch, (statement, kid, lines) = self._epoch, self._head_of(tenant, token, body)
        batch = await self._in_turn(len(lines), self._assembled(statement, token, kid, lines))
        row = participants.tenant(tenant)
        if batch.statement.tenant != tenant:
            raise Refused("tenant_differs", "the statement is another tenant's", path="$.tenant")
        ensure_may_publish(batch, row.role)
        return await self._submit(batch, epoch, size_bytes=len(body))

    async def publish_own(
        self,
        tenant: TenantId,
        key: PrivateKey,
        drafts: Sequence[Draft],
        *,
        tenants: tuple[TenantId, ...] = (),
        idempotency: IdempotencyRow | None = None,
        effect: Effect | None = None,
        voids_caches: bool = False,
        batch_id: UUID | None = None,
    ) -> tuple[Receipt, list[Attestation]]:
        """Publish drafts under a key of ``tenant`` that the deployment holds, together with ``effect`` in the same
        transaction. ``tenants`` are those whose rows the effect or the projections write besides."""
        participants = await self.participants()
        attestations = [finish(tenant, draft, self._sources) for draft in drafts]
        batch = own_batch(tenant, key, attestations, self._sources, self._origin, batch_id)
        if tenant != DEPLOYMENT:
            participants.keys_of(tenant).verifying_key(key.kid, UnixMillis(batch.statement.time))
        ensure_may_publish(batch, participants.tenant(tenant).role if tenant in participants.tenants else "deployment")
        receipt = await self._submit(
            batch, self._epoch, size_bytes=sum(len(a.data) for a in attestations), tenants=tenants, idempotency=idempotency,
            effect=effect, voids_caches=voids_caches,
        )  # fmt: skip
        return receipt, attestations

    def _head_of(self, tenant: TenantId, token: bytes, body: bytes) -> tuple[Statement, str, list[bytes]]:
        keys = self._participants.keys_of(self._participants.tenant(tenant).tenant)
        return read_head(token, body, keys, now=self._sources.now())

    async def _follow_up(self, tenant: TenantId, attestations: Sequence[Attestation]) -> Pending:
        """A batch that goes with another in one transaction: what contracts did. Nobody waits for its answer."""
        key = await self._keys.of(tenant)
        batch = own_batch(tenant, key, attestations, self._sources, self._origin)
        if tenant != DEPLOYMENT:
            self._participants.keys_of(tenant).verifying_key(key.kid, UnixMillis(batch.statement.time))
        return await self._prepared(batch, self._epoch)

    async def _submit(self, batch: Batch, epoch: int, *, size_bytes: int, **rest: Any) -> Receipt:
        """Seal, queue and wait. ``epoch`` is the one under which the batch was found good."""
        self._ensure_room(size_bytes)
        if self._log.frozen:
            raise Unavailable("signing_frozen", self._log.frozen, advice="run './tallystick fsck'")
        preparing = self._prepared(batch, epoch, size_bytes=size_bytes, **rest)
        pending = await self._in_turn(len(batch.attestations), preparing)
        self._ensure_room(size_bytes)  # others came while this one was sealed
        self._waiting.append(pending)
        self._waiting_bytes += size_bytes
        self._set_to_work()
        return await self._receipt(pending, await pending.future)

    async def _assembled(self, statement: Statement, token: bytes, kid: str, lines: list[bytes]) -> Batch:
        return assemble(statement, token, kid, await _parsed(lines), self._origin)

    async def _prepared(self, batch: Batch, epoch: int, **rest: Any) -> Pending:
        """Seal a batch, and find out what it is about."""
        sealed, digest = await self._sealer.seal(batch.attestations)
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        keys = loan_keys(batch)
        return Pending(
            batch, sealed, digest, epoch, future, keys=keys, consents=consent_ids(batch),
            concern=self._book.concern(batch, keys), **rest,
        )  # fmt: skip

    async def _in_turn(self, attestations: int, preparing: Awaitable[_Prepared]) -> _Prepared:
        """Large batches are prepared one after the other: the first is at the database while the second is read. Side by
        side they would all be ready at the same late moment, and the database idle until then."""
        if attestations <= BREATH_ATTESTATIONS:
            return await preparing
        async with self._preparing:
            return await preparing

    def _ensure_room(self, size_bytes: int) -> None:
        if not self._open:
            raise _stopping()
        if len(self._waiting) >= QUEUE_BATCHES_MAX or self._waiting_bytes + size_bytes > QUEUE_BYTES_MAX:
            raise Unavailable("queue_full", "too much waits to be committed", retry_after_s=1)

    async def _receipt(self, pending: Pending, committed: Committed) -> Receipt:
        entry, head, path = committed.entry, committed.head, committed.path
        if path is None:
            path = tuple(await self._log.inclusion(entry.idx, head.size))
        return Receipt(
            entry.idx, head.size, entry.batch_id, entry.leaf_hash, entry.root, entry.count, entry.committed_at, path,
            self._log.signed(head, committed.text), pending.batch.token, committed.duplicate,
        )  # fmt: skip

    async def _renew(self, pending: Pending) -> None:
        """The epoch moved since this batch was prepared: is its key still good, and seal it under today's keys."""
        participants = await self.participants()
        statement = pending.batch.statement
        if statement.tenant != DEPLOYMENT:
            verify_statement(pending.batch.token, participants.keys_of(statement.tenant), now=self._sources.now())
        pending.epoch, pending.concern = self._epoch, self._book.concern(pending.batch, pending.keys)
        pending.sealed, pending.stored_digest = await self._sealer.seal(pending.batch.attestations)

    def _set_to_work(self) -> None:
        """Give what waits to idle committers, first to the one that was busy last: its server process is still warm."""
        while self._idle and (group := self._take()):
            small = _is_small(group)
            self._small_under_way |= small
            task = asyncio.create_task(self._commit(self._idle.pop(), group, small=small))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _commit(self, committer: Committer, group: list[Pending], *, small: bool) -> None:
        try:
            await committer.commit(group)
        finally:
            if small:
                self._small_under_way = False
            self._idle.append(committer)
            self._set_to_work()

    def _take(self) -> list[Pending]:
        """The next group, in order of arrival. While one small group is at the database, few attestations wait for each
        other: their commits would stand in line anyway, and together they are one."""
        if self._small_under_way and _is_small(self._waiting):
            return []
        group: list[Pending] = []
        count = 0
        while self._waiting and len(group) < GROUP_BATCHES_MAX:
            size = len(self._waiting[0].sealed)
            if group and count + size > GROUP_ATTESTATIONS_MAX:
                break
            pending = self._waiting.popleft()
            group.append(pending)
            count += size
            self._waiting_bytes -= pending.size_bytes
        # What ends a key or a salt comes last: the others were signed and sealed while it was good.
        group.sort(key=lambda pending: pending.voids_caches)
        return group


def _stopping() -> Unavailable:
    return Unavailable("ledger_stopping", "the ledger is stopping", retry_after_s=2)


def _is_small(waiting: Iterable[Pending]) -> bool:
    """Whether these are few enough for one statement."""
    count = 0
    for pending in waiting:
        count += len(pending.sealed)
        if count >= COPY_ATTESTATIONS_MIN:
            return False
    return True


async def _parsed(lines: list[bytes]) -> list[Attestation]:
    """The attestations of a batch's lines, with a breath now and then for the committers and for other callers."""
    attestations = parse_lines(lines[:BREATH_ATTESTATIONS])
    for first in range(BREATH_ATTESTATIONS, len(lines), BREATH_ATTESTATIONS):
        await asyncio.sleep(0)
        attestations += parse_lines(lines[first : first + BREATH_ATTESTATIONS], first)
    return attestations
