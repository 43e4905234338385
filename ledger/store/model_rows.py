"""Rows of scoring models and challengers, and of a lender's months under a model."""

from __future__ import annotations

from typing import NamedTuple

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import TenantId


class ModelRow(NamedTuple):
    """A model. ``digest`` is the SHA-256 of ``document``; times are UTC milliseconds; ``baseline`` is for drift;
    ``beside`` is the card that a challenger runs beside, None for a card."""

    digest: bytes
    name: str
    version: int
    document: bytes
    figures: bytes
    baseline: bytes | None
    registered_at: int
    promoted_at: int | None
    beside: bytes | None = None


_COLUMNS = "digest, name, version, document, figures, baseline, registered_at, promoted_at, beside"
_ONE = f"SELECT {_COLUMNS} FROM model WHERE log_id = $1 AND digest = $2"
_ALL = f"SELECT {_COLUMNS} FROM model WHERE log_id = $1 ORDER BY name, version LIMIT $2"


async def read_model(connection: Connection, digest: bytes) -> ModelRow | None:
    """One model by its hash."""
    row = await connection.fetchrow(_ONE, LOG_ID, digest)
    return None if row is None else ModelRow(*row)


async def read_models(connection: Connection, limit: int) -> list[ModelRow]:
    """Models by name and version."""
    return [ModelRow(*row) for row in await connection.fetch(_ALL, LOG_ID, limit)]


_BESIDE = f"""
SELECT {_COLUMNS} FROM model WHERE log_id = $1 AND beside = $2 ORDER BY registered_at DESC, version DESC LIMIT 1
"""


async def challenger_beside(connection: Connection, card: bytes) -> ModelRow | None:
    """The newest challenger that was registered beside a card."""
    row = await connection.fetchrow(_BESIDE, LOG_ID, card)
    return None if row is None else ModelRow(*row)


_INSERT = f"""
INSERT INTO model (log_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING
"""


async def insert_model(connection: Connection, row: ModelRow) -> bool:
    """Add a model; False when its hash, or its name and version, are taken."""
    status: str = await connection.execute(_INSERT, LOG_ID, *row)
    return status == "INSERT 0 1"


_PROMOTE = "UPDATE model SET promoted_at = $3 WHERE log_id = $1 AND digest = $2 AND promoted_at IS NULL"


async def promote_model(connection: Connection, digest: bytes, now: int) -> bool:
    """Let a model decide; False when it does already, or is not there."""
    status: str = await connection.execute(_PROMOTE, LOG_ID, digest, now)
    return status == "UPDATE 1"


_MANAGED = "SELECT kid FROM managed_key WHERE log_id = $1 AND tenant = $2"


async def managed_kids(connection: Connection, tenant: TenantId) -> set[str]:
    """The keys of a tenant that the deployment keeps, and so could sign with."""
    return {row["kid"] for row in await connection.fetch(_MANAGED, LOG_ID, tenant)}


_MONTH = "SELECT counts FROM score_month WHERE log_id = $1 AND tenant = $2 AND model = $3 AND month = $4"
_FIRST = """
INSERT INTO score_month (log_id, tenant, model, month, counts) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_NEXT = "UPDATE score_month SET counts = $5 WHERE log_id = $1 AND tenant = $2 AND model = $3 AND month = $4"


async def read_month(connection: Connection, tenant: TenantId, model: bytes, month: int) -> bytes | None:
    """A lender's month under a model."""
    found: bytes | None = await connection.fetchval(_MONTH, LOG_ID, tenant, model, month)
    return found


async def lock_month(connection: Connection, tenant: TenantId, model: bytes, month: int, empty: bytes) -> bytes:
    """The same, made when it is not there, and locked until the transaction ends: scores at once are all counted."""
    await connection.execute(_FIRST, LOG_ID, tenant, model, month, empty)
    found: bytes = await connection.fetchval(_MONTH + " FOR UPDATE", LOG_ID, tenant, model, month)
    return found


async def write_month(connection: Connection, tenant: TenantId, model: bytes, month: int, counts: bytes) -> None:
    """Write a locked month."""
    await connection.execute(_NEXT, LOG_ID, tenant, model, month, counts)
