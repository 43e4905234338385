"""Tenants and their keys as one process knows them, good for one epoch of the head row.

Rules
- A change of keys moves the epoch in the same transaction; the commit's compare-and-swap names the epoch, so a process
  with an older picture cannot commit and reloads first.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.attestation.keys import KeyHistory, PublicKey
from ledger.errors import Refused
from ledger.store.database import Database
from ledger.store.tenant_rows import KeyRow, TenantRow, read_keys, read_tenants
from ledger.types import TenantId, UnixMillis

DEPLOYMENT = TenantId("tallystick")
"""The tenant that the ledger itself publishes as: consents, access records, keys, tombstones."""


@dataclass(frozen=True)
class Participants:
    """Everybody, at one moment."""

    tenants: dict[str, TenantRow]
    keys: dict[str, KeyHistory]

    def tenant(self, name: str) -> TenantRow:
        """A participant. Raises Refused ``tenant_unknown``."""
        row = self.tenants.get(name)
        if row is None:
            raise Refused("tenant_unknown", "no such tenant takes part in this ledger", path="$.tenant")
        return row

    def keys_of(self, name: str) -> KeyHistory:
        """All keys that a tenant ever had."""
        return self.keys.get(name, KeyHistory())


def public_key_of(row: KeyRow) -> PublicKey:
    """A stored key as the verifier takes it."""
    return PublicKey(
        row.kid, row.alg, row.public_key, UnixMillis(row.not_before),
        None if row.not_after is None else UnixMillis(row.not_after),
        None if row.compromised_from is None else UnixMillis(row.compromised_from),
    )  # fmt: skip


async def load_participants(database: Database) -> Participants:
    """Read everybody from the store."""
    async with database.reading() as connection:
        tenants = {row.tenant: row for row in await read_tenants(connection)}
        grouped: dict[str, list[PublicKey]] = {}
        for row in await read_keys(connection):
            grouped.setdefault(row.tenant, []).append(public_key_of(row))
    return Participants(tenants, {name: KeyHistory(keys) for name, keys in grouped.items()})
