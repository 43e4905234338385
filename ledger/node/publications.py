"""Looks up what was published: entries by index or batch, receipts again, a tenant's own attestations.

    receipt = await publications.receipt(tenant, batch_id)        # the first answer, with a fresh proof
    page = await publications.own_attestations(tenant, (0, -1), 1000)

Rules
- Entries are public; attestations are read for their tenant alone, in log order, and erased ones are left out.
- A proof is over the head at the time of asking: an old receipt and a new one prove the same entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ledger.errors import NotFound
from ledger.node.log_reader import LogReader
from ledger.node.publisher import Receipt
from ledger.node.sealer import Sealer
from ledger.store.attestation_rows import (
    AttestationRow,
    attestations_by_id,
    attestations_of_batch,
    attestations_of_tenant,
)
from ledger.store.database import Database
from ledger.store.log_rows import EntryRow, entries_by_batch, read_entries
from ledger.types import TenantId

Place = tuple[int, int]
"""(entry index, position in its batch) of an attestation."""

BEGINNING: Place = (0, -1)
"""Before the first attestation."""

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Where a page of attestations ends, whatever was asked for: many readers at once stay within a process's memory."""

ROWS_AT_ONCE: Final = 512
"""Rows read in one statement: at most 8 MiB past that end."""


@dataclass(frozen=True)
class Stored:
    """An attestation of the caller's tenant: its exact bytes, and its path from its commitment to its batch's root."""

    row: AttestationRow
    data: bytes
    entry: EntryRow

    @property
    def path(self) -> list[bytes]:
        """The path's nodes, lowest first."""
        return [self.row.path[at : at + 32] for at in range(0, len(self.row.path), 32)]


@dataclass(frozen=True)
class Page:
    """Attestations in log order; ``next`` is None at the end of what there is."""

    lines: list[bytes]
    next: Place | None


class Publications:
    """Look-ups over one node's log and store."""

    def __init__(self, database: Database, log: LogReader, sealer: Sealer) -> None:
        self._database = database
        self._log = log
        self._sealer = sealer

    async def entry(self, index: int) -> EntryRow:
        """An entry of the log. Raises NotFound ``entry_unknown``."""
        found = []
        if 0 <= index < 2**63 - 1:
            async with self._database.reading() as connection:
                found = await read_entries(connection, index, index + 1)
        if not found:
            raise NotFound("entry_unknown", "the log has no such entry")
        return found[0]

    async def batch(self, tenant: TenantId, batch: UUID) -> EntryRow:
        """The entry of a tenant's batch. Raises NotFound ``batch_unknown``."""
        async with self._database.reading(tenants=(tenant,)) as connection:
            found = await entries_by_batch(connection, [tenant], [batch])
        if (tenant, batch) not in found:
            raise NotFound("batch_unknown", "no such batch of this tenant")
        return found[tenant, batch]

    async def receipt(self, tenant: TenantId, batch: UUID) -> Receipt:
        """The receipt of a batch that was published before, with a proof to the head of now. Raises NotFound."""
        entry = await self.batch(tenant, batch)
        head = await self._log.head()
        path = tuple(await self._log.inclusion(entry.idx, head.size))
        return Receipt(
            entry.idx, head.size, entry.batch_id, entry.leaf_hash, entry.root, entry.count, entry.committed_at, path,
            self._log.signed(head), entry.statement, duplicate=True,
        )  # fmt: skip

    async def first_attestation(self, tenant: TenantId, batch: UUID) -> UUID:
        """The id of a batch's first attestation. Raises NotFound ``batch_unknown``."""
        async with self._database.reading(tenants=(tenant,)) as connection:
            rows = await attestations_of_batch(connection, tenant, batch)
        if not rows:
            raise NotFound("batch_unknown", "no such batch of this tenant")
        return rows[0].id

    async def attestation(self, tenant: TenantId, attestation: UUID) -> Stored:
        """One of a tenant's own attestations. Raises NotFound ``attestation_unknown``, also when it was erased."""
        async with self._database.reading(tenants=(tenant,)) as connection:
            rows = await attestations_by_id(connection, tenant, [attestation])
            entries = await entries_by_batch(connection, [tenant] * len(rows), [row.batch_id for row in rows])
        data = (await self._sealer.open(rows))[0] if rows else None
        if data is None:
            raise NotFound("attestation_unknown", "no such attestation of this tenant")
        return Stored(rows[0], data, entries[tenant, rows[0].batch_id])

    async def own_attestations(self, tenant: TenantId, after: Place, limit: int) -> Page:
        """A tenant's attestations after a place, in log order, erased ones left out: ``limit`` of them, or fewer once
        they pass PAGE_BYTES_MAX."""
        found: list[tuple[int, AttestationRow]] = []
        size, asked = 0, 0
        async with self._database.reading(tenants=(tenant,)) as connection:
            while size < PAGE_BYTES_MAX and len(found) == asked and asked <= limit:
                wanted = min(ROWS_AT_ONCE, limit + 1 - asked)
                rows = await attestations_of_tenant(connection, tenant, _place(found, after), wanted)
                found += rows
                asked += wanted
                size += sum(len(row.sealed) for _, row in rows)
        shown = found[:limit]
        opened = await self._sealer.open([row for _, row in shown])
        more = len(found) > limit or size >= PAGE_BYTES_MAX
        return Page([data for data in opened if data is not None], _place(shown, after) if more else None)


def _place(found: list[tuple[int, AttestationRow]], before: Place) -> Place:
    return (found[-1][0], found[-1][1].position) if found else before
