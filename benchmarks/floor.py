"""The floor: the same rows and the same loan updates, put into identical tables without row-level security by COPY and
one UPDATE a batch, one durable transaction each, and nothing else: no HTTP, no checks, no seals, no log.
"""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

from benchmarks.workload import SOURCES, SignedBatch
from ledger.store.log_rows import LOG_ID

_MAKE = """
DROP SCHEMA IF EXISTS floor CASCADE;
CREATE SCHEMA floor;
CREATE TABLE floor.attestation (LIKE public.attestation INCLUDING ALL);
CREATE TABLE floor.loan (LIKE public.loan INCLUDING ALL) WITH (fillfactor = 70);
INSERT INTO floor.attestation SELECT * FROM public.attestation;
INSERT INTO floor.loan SELECT * FROM public.loan;
ANALYZE floor.attestation;
ANALYZE floor.loan
"""
_UPDATE = """
UPDATE floor.loan l SET version = l.version + 1, last_batch = u.last_batch, last_position = u.last_position,
       state = u.state
  FROM unnest($2::text[], $3::bytea[], $4::uuid[], $5::smallint[], $6::bytea[])
       AS u(tenant, account, last_batch, last_position, state)
 WHERE l.log_id = $1 AND l.tenant = u.tenant AND l.account = u.account
"""
_ONE = "INSERT INTO floor.attestation SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12"


class Floor:
    """The floor over one database, as full as the ledger's own tables at this moment."""

    def __init__(self, admin: Any, lender: str) -> None:
        self._admin = admin
        self._lender = lender
        self._state = b""

    async def fill(self) -> None:
        """Make the tables and copy into them what the ledger holds."""
        for statement in _MAKE.split(";"):
            await self._admin.execute(statement)
        self._state = await self._admin.fetchval("SELECT state FROM floor.loan LIMIT 1")

    def prepare(self, batch: SignedBatch, accounts: list[bytes]) -> tuple[Any, ...]:
        """Everything a batch writes, made before the clock runs: rows of the ledger's own widths."""
        batch_id = SOURCES.new_id()
        width = max(len(batch.attestations) - 1, 0).bit_length() * 32
        rows = [
            (LOG_ID, self._lender, batch_id, position, SOURCES.new_id(), a.envelope.kind, a.envelope.subject, batch_id,
             0, a.commitment, os.urandom(width), os.urandom(len(a.data) + 28))
            for position, a in enumerate(batch.attestations)
        ]  # fmt: skip
        count = len(rows)
        updates = (
            [self._lender] * count, [accounts[loan] for loan in batch.loans], [batch_id] * count, list(range(count)),
            [self._state] * count,
        )  # fmt: skip
        return rows, updates

    async def write(self, prepared: tuple[Any, ...]) -> None:
        """One batch, durable."""
        rows, updates = prepared
        async with self._admin.transaction():
            await self._admin.copy_records_to_table("attestation", schema_name="floor", records=rows)
            await self._admin.execute(_UPDATE, LOG_ID, *updates)

    async def write_one(self, subject: bytes) -> None:
        """A bare durable INSERT of one row."""
        first: UUID = SOURCES.new_id()
        await self._admin.execute(
            _ONE, LOG_ID, self._lender, first, 0, SOURCES.new_id(), "repayment", subject, first, 0, os.urandom(32), b"",
            os.urandom(490),
        )  # fmt: skip
