"""A group of batches, folded over what is stored and on each other: who is accepted, who is refused, what changes.

    folded = await GroupFold(loans, executor, sources).fold(connection, group, base=head.size, cautious=False)

Rules
- Loans come from memory or the store; consents and contracts that the group is about are locked.
- A batch that is refused leaves the group; the others go on. A refusal that rests on memory is not given: ``Stale``.
- Where contracts are concerned, what they do follows its cause at once; ``base`` is then the index of the group's first
  entry, and each of its batches may get no other index than the one that was counted on.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from uuid import UUID

import asyncpg

from ledger.errors import TallystickError
from ledger.loan.state import decode_state
from ledger.loan.supersession import Told
from ledger.node.chains import Chains
from ledger.node.clock import Sources
from ledger.node.executor import Executor, Session
from ledger.node.loan_cache import CachedLoan, LoanCache, LoanKey, loan_key, split_key
from ledger.node.pending import Pending
from ledger.node.projection import HistoriesNeeded, Projection
from ledger.store.consent_rows import insert_consent, lock_consents, update_consent
from ledger.store.loan_rows import read_loans
from ledger.store.log_rows import entries_by_batch


class Stale(Exception):
    """A refusal rested on cached loans; they are dropped and the group is tried again."""


class BatchRefused(Exception):
    """One batch, or what belongs to its transaction, is refused: it fails alone."""

    def __init__(self, pending: Pending, error: TallystickError) -> None:
        super().__init__(error.code)
        self.pending = pending
        self.error = error


@dataclass
class Folded:
    """What became of a group. ``accepted`` holds also the batches that contracts added, each behind its cause."""

    accepted: list[Pending] = field(default_factory=list)
    refused: list[BatchRefused] = field(default_factory=list)
    changed: dict[LoanKey, CachedLoan] = field(default_factory=dict)


class GroupFold:
    """Folds groups for the committers of one process."""

    def __init__(self, loans: LoanCache, executor: Executor, chains: Chains, sources: Sources) -> None:
        self._loans = loans
        self._executor = executor
        self._chains = chains
        self._sources = sources

    async def fold(
        self, connection: Any, group: Sequence[Pending], *, base: int, cautious: bool,
        before_is_over: Callable[[], Awaitable[None]],
    ) -> Folded:  # fmt: skip
        """Fold a group inside its transaction. ``before_is_over`` waits until the groups before this one are committed.
        Raises Stale, and UniqueViolationError for a batch that came before."""
        watched = frozenset(key for pending in group if pending.concern for key in pending.concern.loans)
        loans, projection = await self._begin(connection, group, watched)
        session, folded = None, Folded()

        async def apply(pending: Pending) -> None:
            try:
                pending.chain = projection.apply(pending.batch, pending.keys, now)
            except HistoriesNeeded as needed:
                await before_is_over()  # a chain is read whole: what comes before must be in the store
                await _ensure_new(connection, pending, folded.accepted)  # a repetition need not be worked out again
                await self._teach(projection, needed.keys, loans, folded.accepted)
                pending.chain = projection.apply(pending.batch, pending.keys, now)

        if any(pending.concern for pending in group):
            session = await self._executor.open(connection, group)
        now = self._sources.now()
        for pending in group:
            try:
                await apply(pending)
                following: list[Pending] = []
                if session is not None:
                    pending.idx = base + len(folded.accepted)
                    following = await self._follow(session, projection, pending)
                folded.accepted.append(pending)
                for more in following:
                    await self._append(more, apply, folded, base)
                await asyncio.sleep(0)
            except TallystickError as error:
                await _ensure_new(connection, pending, folded.accepted)
                if not cautious:
                    raise Stale from None  # refused on the word of memory: ask the store, when all before is over
                folded.refused.append(BatchRefused(pending, error))
        await self._write_beside(connection, projection, session)
        folded.changed = projection.changed_loans()
        return folded

    async def _begin(
        self, connection: Any, group: Sequence[Pending], watched: frozenset[LoanKey]
    ) -> tuple[dict[LoanKey, CachedLoan], Projection]:
        loans, missing = self._loans.find([*chain.from_iterable(pending.keys for pending in group), *watched])
        consents: frozenset[UUID] = frozenset().union(*(pending.consents for pending in group))
        if missing:
            loans |= await read_cached(connection, missing)
        locked = await lock_consents(connection, sorted(consents)) if consents else {}
        return loans, Projection(loans, locked, watched)

    async def _follow(self, session: Session, projection: Projection, pending: Pending) -> list[Pending]:
        """The batches that contracts add behind one that was just applied."""
        if pending.concern is None or pending.idx is None:
            return []
        return await self._executor.follow(session, projection, pending, pending.idx)

    async def _append(
        self, more: Pending, apply: Callable[[Pending], Awaitable[None]], folded: Folded, base: int
    ) -> None:  # fmt: skip
        """A batch that contracts added. Events that their loans refuse after all are left out, each alone: a contract
        never holds its cause up, and no loan another's event."""
        more.idx = base + len(folded.accepted)
        try:
            await apply(more)
        except TallystickError:
            for half in await self._executor.halves(more):
                await self._append(half, apply, folded, base)
            return
        folded.accepted.append(more)

    async def _teach(
        self, projection: Projection, keys: Set[LoanKey], loans: Mapping[LoanKey, CachedLoan], accepted: list[Pending]
    ) -> None:
        """Give the projection the whole chains of these loans: what is stored, then what the group added."""
        stored = [key for key in keys if key in loans]
        starts = [(split_key(key)[0], *loans[key].last) for key in stored]
        chains = await self._chains.told(starts, tenants=sorted({start[0] for start in starts}))
        found = defaultdict[LoanKey, list[Told]](list, zip(stored, chains, strict=True))
        for pending in accepted:
            for attestation, key in zip(pending.batch.attestations, pending.keys, strict=True):
                if key is not None and key in keys:
                    found[key].append(Told(0, attestation))
        for key in keys:
            projection.learn(key, found[key])

    async def _write_beside(self, connection: Any, projection: Projection, session: Session | None) -> None:
        for row in projection.new_consents():
            await insert_consent(connection, row)
        for row in projection.changed_consents():
            await update_consent(connection, row)
        if session is not None:
            await self._executor.write(connection, session)


async def read_cached(connection: Any, keys: list[LoanKey]) -> dict[LoanKey, CachedLoan]:
    """Loans from the store, as the cache holds them."""
    rows = await read_loans(connection, [split_key(key) for key in keys])
    return {
        loan_key(*key): CachedLoan(version, (batch, position), decode_state(state))
        for key, version, batch, position, state in rows
    }


async def _ensure_new(connection: Any, pending: Pending, accepted: Sequence[Pending]) -> None:
    """A batch that does not fold: perhaps because it is there already, or twice in the group."""
    known = await entries_by_batch(connection, [pending.key[0]], [pending.key[1]])
    if pending.key in known or any(pending.key == other.key for other in accepted):
        raise asyncpg.UniqueViolationError("batch") from None
