"""Rows of idempotency keys: which batch answered which request."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import TenantId


class IdempotencyRow(NamedTuple):
    """A request that was answered. ``author`` is the tenant whose batch it became, ``answer`` canonical JSON."""

    tenant: str
    key: str
    request_hash: bytes
    author: str
    batch_id: UUID
    answer: bytes
    created_at: int


_READ = """
SELECT tenant, key, request_hash, author, batch_id, answer, created_at FROM idempotency
 WHERE log_id = $1 AND tenant = $2 AND key = $3
"""


async def read_idempotency(connection: Connection, tenant: TenantId, key: str) -> IdempotencyRow | None:
    """What a key was used for."""
    row = await connection.fetchrow(_READ, LOG_ID, tenant, key)
    return None if row is None else IdempotencyRow(*row)


_INSERT = """
INSERT INTO idempotency (log_id, tenant, key, request_hash, author, batch_id, answer, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""


async def insert_idempotency(connection: Connection, row: IdempotencyRow) -> bool:
    """Record a key with the batch that answers it; False when the key is taken."""
    status: str = await connection.execute(_INSERT, LOG_ID, *row)
    return status == "INSERT 0 1"
