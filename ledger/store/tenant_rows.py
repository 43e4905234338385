"""Rows of tenants, their keys and token issuers."""

from __future__ import annotations

from typing import NamedTuple

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import TenantId


class TenantRow(NamedTuple):
    """One participant. ``role``: lender, app, bureau or deployment."""

    tenant: str
    name: str
    role: str
    country: str


class KeyRow(NamedTuple):
    """One signing key of a tenant; ``public_key`` as attestation.keys keeps it, times UTC milliseconds."""

    tenant: str
    kid: str
    alg: str
    public_key: bytes
    not_before: int
    not_after: int | None
    compromised_from: int | None


_INSERT_TENANT = (
    "INSERT INTO tenant (log_id, tenant, name, role, country) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
)


async def insert_tenant(connection: Connection, row: TenantRow) -> bool:
    """Add a participant; False when the name is taken."""
    status: str = await connection.execute(_INSERT_TENANT, LOG_ID, *row)
    return status == "INSERT 0 1"


_TENANTS = "SELECT tenant, name, role, country FROM tenant WHERE log_id = $1 ORDER BY tenant"


async def read_tenants(connection: Connection) -> list[TenantRow]:
    """Every participant."""
    return [TenantRow(*row) for row in await connection.fetch(_TENANTS, LOG_ID)]


_KEYS = """
SELECT tenant, kid, alg, public_key, not_before, not_after, compromised_from FROM signing_key
 WHERE log_id = $1 ORDER BY tenant, kid
"""


async def read_keys(connection: Connection) -> list[KeyRow]:
    """Every signing key that was ever enrolled."""
    return [KeyRow(*row) for row in await connection.fetch(_KEYS, LOG_ID)]


_INSERT_KEY = """
INSERT INTO signing_key (log_id, tenant, kid, alg, public_key, not_before, not_after, compromised_from)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""


async def insert_key(connection: Connection, row: KeyRow) -> bool:
    """Enrol a key; False when it is enrolled already."""
    status: str = await connection.execute(_INSERT_KEY, LOG_ID, *row)
    return status == "INSERT 0 1"


_END_KEY = """
UPDATE signing_key SET not_after = least(not_after, $4), compromised_from = least(compromised_from, $5)
 WHERE log_id = $1 AND tenant = $2 AND kid = $3
"""


async def end_key(
    connection: Connection, tenant: TenantId, kid: str, *, not_after: int | None, compromised_from: int | None
) -> bool:
    """Retire or revoke a key; an earlier date that is recorded stays. False when there is no such key."""
    status: str = await connection.execute(_END_KEY, LOG_ID, tenant, kid, not_after, compromised_from)
    return status == "UPDATE 1"


_INSERT_MANAGED = "INSERT INTO managed_key (log_id, tenant, kid, wrapped) VALUES ($1, $2, $3, $4)"


async def insert_managed_key(connection: Connection, tenant: TenantId, kid: str, wrapped: bytes) -> None:
    """Keep a wrapped private key for a tenant."""
    await connection.execute(_INSERT_MANAGED, LOG_ID, tenant, kid, wrapped)


_MANAGED = """
SELECT m.kid, m.wrapped FROM managed_key m JOIN signing_key k USING (log_id, tenant, kid)
 WHERE m.log_id = $1 AND m.tenant = $2 AND k.compromised_from IS NULL AND (k.not_after IS NULL OR k.not_after > $3)
 ORDER BY k.not_before DESC LIMIT 1
"""


async def managed_key(connection: Connection, tenant: TenantId, now: int) -> tuple[str, bytes] | None:
    """(kid, wrapped private key) of a tenant's newest managed key that still signs."""
    row = await connection.fetchrow(_MANAGED, LOG_ID, tenant, now)
    return None if row is None else (row["kid"], row["wrapped"])


_INSERT_ISSUER = """
INSERT INTO token_issuer (log_id, tenant, issuer, jwks, roles) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (log_id, tenant, issuer) DO UPDATE SET jwks = excluded.jwks, roles = excluded.roles
"""


async def put_issuer(connection: Connection, tenant: TenantId, issuer: str, jwks: str, roles: list[str]) -> None:
    """Let an issuer speak for a tenant, with these keys and at most these roles."""
    await connection.execute(_INSERT_ISSUER, LOG_ID, tenant, issuer, jwks, roles)


_ISSUERS = "SELECT tenant, issuer, jwks, roles FROM token_issuer WHERE log_id = $1 AND issuer = $2 ORDER BY tenant"


async def read_issuer(connection: Connection, issuer: str) -> list[tuple[str, str, str, list[str]]]:
    """(tenant, issuer, jwks, roles) of every tenant that trusts an issuer."""
    return [tuple(row) for row in await connection.fetch(_ISSUERS, LOG_ID, issuer)]


_ANY_ISSUER = "SELECT EXISTS (SELECT FROM token_issuer WHERE log_id = $1)"


async def any_issuer(connection: Connection) -> bool:
    """Whether anybody's tokens are trusted."""
    return await connection.fetchval(_ANY_ISSUER, LOG_ID)  # type: ignore[no-any-return]
