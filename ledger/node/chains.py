"""Accounts' chains, opened: what a fold of the whole account needs, oldest first.

    chains = Chains(database, sealer)
    (told,) = await chains.told([(tenant, last_batch, last_position)], tenants=(tenant,))

Rules
- A chain is walked backwards from an account's last attestation, which its row names.
- What was erased (a co-borrower's part) is left out: nobody can read it any more.
- What is about a borrower and no account (an insolvency) has no chain: it is found by the subject, a tenant's own alone.
- ``indexed`` gives each attestation the log index of its batch; a replay does without, and saves a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from ledger.attestation.envelope import parse
from ledger.errors import Refused
from ledger.limits import ACCOUNT_ATTESTATIONS_MAX
from ledger.loan.supersession import Told
from ledger.node.sealer import Sealer
from ledger.store.attestation_rows import AttestationRow, about_subject, chains
from ledger.store.database import Database
from ledger.store.log_rows import entries_by_batch
from ledger.types import Subject, TenantId

SUBJECT_TOLD_MAX: Final = 64
"""Attestations of one kind about one borrower that are read beside an account."""

Start = tuple[TenantId, UUID, int]
"""(tenant, batch, position) of an account's last attestation."""


class Chains:
    """Reads and opens chains."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def told(
        self, starts: Sequence[Start], *, tenants: Sequence[TenantId] = (), subject: Subject | None = None,
        indexed: bool = False,
    ) -> list[list[Told]]:  # fmt: skip
        """The chains of several accounts. Raises Refused ``account_too_long`` past ACCOUNT_ATTESTATIONS_MAX together."""
        if not starts:
            return []
        async with self._database.reading(tenants=tenants, subject=subject) as connection:
            found = await chains(connection, starts, ACCOUNT_ATTESTATIONS_MAX + 1)
            if sum(map(len, found)) > ACCOUNT_ATTESTATIONS_MAX:
                raise Refused("account_too_long", "too many attestations to fold again at once",
                              expected=f"<= {ACCOUNT_ATTESTATIONS_MAX}")  # fmt: skip
            keys = sorted({(TenantId(row.tenant), row.batch_id) for chain in found for row in chain}) if indexed else []
            entries = await entries_by_batch(connection, [key[0] for key in keys], [key[1] for key in keys])
        indexes = {key: entry.idx for key, entry in entries.items()}
        return [await self._opened(chain[::-1], indexes) for chain in found]

    async def about(self, subject: Subject, kind: str, *, tenant: TenantId) -> list[Told]:
        """What a tenant attested of a borrower, of one kind that is about no account: the newest SUBJECT_TOLD_MAX, in
        log order."""
        async with self._database.reading(tenants=(tenant,)) as connection:
            rows = await about_subject(connection, subject, kind, limit=SUBJECT_TOLD_MAX)
            entries = await entries_by_batch(connection, [tenant] * len(rows), [row.batch_id for row in rows])
        indexes = {key: entry.idx for key, entry in entries.items()}
        rows.sort(key=lambda row: (indexes.get((tenant, row.batch_id), 0), row.position))
        return await self._opened(rows, indexes)

    async def _opened(self, rows: list[AttestationRow], indexes: Mapping[tuple[TenantId, UUID], int]) -> list[Told]:
        data = await self._sealer.open(rows)
        return [
            Told(indexes.get((TenantId(row.tenant), row.batch_id), 0), parse(found))
            for row, found in zip(rows, data, strict=True)
            if found is not None
        ]
