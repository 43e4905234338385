"""One prepared batch that waits for its commit, and the answer it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from ledger.attestation.batch import Batch
from ledger.node.contract_book import Concern
from ledger.node.loan_cache import LoanKey, Place
from ledger.store.database import Connection
from ledger.store.idempotency_rows import IdempotencyRow
from ledger.store.log_rows import EntryRow, Head
from ledger.types import TenantId

Effect = Callable[[Connection], Awaitable[None]]


class Committed(NamedTuple):
    """Where a batch stands in the log. ``path`` proves the entry in the tree at ``head``; None for a batch that was
    there already (read it from the tiles). ``text`` is the head's checkpoint, not signed yet; empty when it was not
    written ahead."""

    entry: EntryRow
    head: Head
    path: tuple[bytes, ...] | None
    text: bytes = b""
    duplicate: bool = False


@dataclass(slots=True)
class Pending:
    """One prepared batch that waits, with what else belongs to its transaction."""

    batch: Batch
    sealed: list[bytes]
    stored_digest: bytes
    epoch: int
    future: asyncio.Future[Committed]
    tenants: tuple[TenantId, ...] = ()
    keys: list[LoanKey | None] = field(default_factory=list)
    consents: frozenset[UUID] = frozenset()
    size_bytes: int = 0
    idempotency: IdempotencyRow | None = None
    effect: Effect | None = None
    voids_caches: bool = False
    concern: Concern | None = None
    idx: int | None = None
    """The only entry index that this batch may get: what contracts did names the index of its cause."""
    chain: list[Place | None] = field(default_factory=list)
    answered: bool = False

    @property
    def key(self) -> tuple[TenantId, UUID]:
        """The idempotency key of the batch itself."""
        return TenantId(self.batch.statement.tenant), self.batch.statement.batch

    def fail(self, error: BaseException) -> None:
        """Answer with an error, if anybody still waits."""
        self.answered = True
        if not self.future.done():
            self.future.set_exception(error)

    def succeed(self, committed: Committed) -> None:
        """Answer, if anybody still waits."""
        self.answered = True
        if not self.future.done():
            self.future.set_result(committed)
