"""What became of a group that did not commit as it should: who is there already, who conflicts, who may try again.

    rest = await Aftermath(database, keeper, loans, sources).sort_out(group, acknowledged)

Rules
- A batch that is there gets its first answer; its id under another statement is a conflict, and so is an attestation's
  id that the tenant used before, or an idempotency key that another request was first to use.
- Nothing that was read is told before a later durable commit: what one read may itself not be durable yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ledger.errors import Conflict
from ledger.node.clock import Sources
from ledger.node.group_columns import acting_tenants
from ledger.node.head_keeper import HeadKeeper
from ledger.node.loan_cache import LoanCache
from ledger.node.pending import Committed, Pending
from ledger.store.attestation_rows import attestations_by_id
from ledger.store.database import Connection, Database
from ledger.store.idempotency_rows import IdempotencyRow, read_idempotency
from ledger.store.log_rows import entries_by_batch
from ledger.types import TenantId


class Aftermath:
    """Sorts groups out, for one committer."""

    def __init__(self, database: Database, keeper: HeadKeeper, loans: LoanCache, sources: Sources) -> None:
        self._database = database
        self._keeper = keeper
        self._loans = loans
        self._sources = sources

    async def sort_out(self, group: list[Pending], acknowledged: Callable[[], Awaitable[None]]) -> list[Pending]:
        """Answer what is there and what conflicts; gives the rest. ``acknowledged`` makes a durable commit: only after
        it may what was just read be told to anybody."""
        async with self._database.reading(tenants=acting_tenants(group)) as reading:
            known = await entries_by_batch(reading, [p.key[0] for p in group], [p.key[1] for p in group])
            await acknowledged()
            async with self._keeper.turn:
                self._loans.forget()
                await self._keeper.load(reading, self._sources.now())
            rest = []
            for pending in group:
                entry = known.get(pending.key)
                if entry is None:
                    rest.append(pending)
                elif entry.statement == pending.batch.token:
                    pending.succeed(Committed(entry, self._keeper.head, None, duplicate=True))
                else:
                    pending.fail(
                        Conflict("batch_differs", "this batch id was used for another statement", path="$.batch")
                    )
            return [pending for pending in rest if not await _repeats(reading, pending)]


async def _repeats(connection: Connection, pending: Pending) -> bool:
    """Answers a batch that repeats an attestation id or loses its idempotency key to another request."""
    ids = [a.envelope.id for a in pending.batch.attestations]
    stored = await attestations_by_id(connection, pending.key[0], ids)
    if stored:
        number = ids.index(stored[0].id)
        pending.fail(Conflict("attestation_duplicate", "an attestation with this id is on the ledger already",
                              path=f"$[{number}].id", found=stored[0].id))  # fmt: skip
    elif await _key_taken(connection, pending.idempotency):
        pending.fail(Conflict("idempotency_raced", "another request with this key was first",
                              advice="send the same request again to get its answer"))  # fmt: skip
    else:
        return False
    return True


async def _key_taken(connection: Connection, row: IdempotencyRow | None) -> bool:
    return row is not None and await read_idempotency(connection, TenantId(row.tenant), row.key) is not None
