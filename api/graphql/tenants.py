"""Who takes part: public names and signing keys."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import After, Connection, First, Node, page_of
from api.graphql.context import Info
from api.graphql.fields import guarded_field, guarded_type
from api.graphql.scalars import Base64, encode_global_id, page_size
from ledger.attestation.keys import PublicKey
from ledger.errors import NotFound
from ledger.store.tenant_rows import TenantRow
from ledger.types import UnixMillis


@strawberry.enum(description="What a tenant is on this ledger.")
class TenantRole(Enum):
    """What a tenant is on this ledger."""

    APP = strawberry.enum_value("app", description="Reads views under consent.")
    BUREAU = strawberry.enum_value("bureau", description="Reads views under consent, and may publish credit data.")
    DEPLOYMENT = strawberry.enum_value("deployment", description="The ledger itself: consents, accesses, keys.")
    LENDER = strawberry.enum_value("lender", description="Publishes its own loans.")


@guarded_type(permission=Permission.LEDGER_READ, description="A key that signs a tenant's batches.")
class SigningKey:
    """A key that signs a tenant's batches."""

    kid: str = strawberry.field(description="The key's RFC 7638 thumbprint; stands in the header of each statement.")
    alg: str = strawberry.field(description="EdDSA (Ed25519) or ES256 (P-256).")
    public_key: Base64 = strawberry.field(description="Raw: 32 bytes for EdDSA, x and y (64 bytes) for ES256.")
    not_before: UnixMillis = strawberry.field(description="Signs statements timed from here on.")
    not_after: UnixMillis | None = strawberry.field(description="Signs no statement timed from here on; null: no end.")
    compromised_from: UnixMillis | None = strawberry.field(
        description="Statements timed from here on do not count; null: not compromised."
    )


@guarded_type(permission=Permission.LEDGER_READ, description="A participant of the ledger.")
class Tenant(Node):
    """A participant of the ledger."""

    name: str = strawberry.field(description="Short name, unique: it stands in each statement in the log.")
    display_name: str = strawberry.field(description="Name for people.")
    role: TenantRole = strawberry.field(description="What it is on this ledger.")
    country: str = strawberry.field(description="ISO 3166 alpha-2 code of its jurisdiction.")

    @strawberry.field(description="Every signing key it ever had, ended ones included.")
    async def keys(self, info: Info) -> list[SigningKey]:
        """Its keys."""
        participants = await info.context.node.publisher.participants()
        return [signing_key(key) for key in participants.keys_of(self.name)]


def signing_key(key: PublicKey) -> SigningKey:
    """A key as the API shows it."""
    return SigningKey(
        kid=key.kid,
        alg=key.alg,
        public_key=Base64(key.raw),
        not_before=key.not_before_ms,
        not_after=key.not_after_ms,
        compromised_from=key.revoked_from_ms,
    )


def tenant_of(row: TenantRow) -> Tenant:
    """A participant as the API shows it."""
    return Tenant(
        id=strawberry.ID(encode_global_id("Tenant", row.tenant)),
        name=row.tenant,
        display_name=row.name,
        role=TenantRole(row.role),
        country=row.country,
    )


async def find_tenant(info: Info, name: str) -> Tenant:
    """A participant by its short name. Raises NotFound ``tenant_unknown``."""
    row = (await info.context.node.publisher.participants()).tenants.get(name)
    if row is None:
        raise NotFound("tenant_unknown", "no such tenant takes part in this ledger")
    return tenant_of(row)


@strawberry.type
class TenantQuery:
    """Who takes part."""

    @guarded_field(permission=Permission.LEDGER_READ, description="Everybody who takes part, by short name.")
    async def tenants(self, info: Info, first: First, after: After = None) -> Connection[Tenant]:
        """Everybody who takes part."""
        size, cursors = page_size(first), info.context.services.cursors
        start = "" if after is None else str(cursors.decode("tenants", after)[0])
        rows: dict[str, Any] = (await info.context.node.publisher.participants()).tenants
        names = sorted(name for name in rows if name > start)
        shown = [(cursors.encode("tenants", name), tenant_of(rows[name])) for name in names[:size]]
        return page_of(shown, more=len(names) > size, after=after)  # type: ignore[no-any-return]
