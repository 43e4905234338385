"""The operator's mutations: who takes part, whose keys and tokens count, and erasure.

Rules
- Each act is itself an attestation of the deployment's tenant (trust in token issuers apart: that is configuration).
- An idempotency key makes a repetition harmless; it is remembered for the operator's tenant, with the answer, in the
  transaction of the act: also after a crash the same request gets the first answer and nothing is done twice.
"""

from __future__ import annotations

from uuid import UUID as Uuid

import strawberry

from api.auth.issuers import check_issuer
from api.auth.permissions import Permission
from api.graphql.context import Context, Info
from api.graphql.errors import UserError
from api.graphql.fields import guarded_mutation, open_type
from api.graphql.log import Receipt, receipt_of
from api.graphql.payloads import IDEMPOTENCY, BorrowerInput, Input, answered, errors_field, subject_of
from api.graphql.scalars import Timestamp
from api.graphql.tenants import SigningKey, Tenant, TenantRole, find_tenant, signing_key
from ledger.attestation.keys import PublicKey
from ledger.errors import InvalidInput, NotFound, Refused
from ledger.node.authority import Erased
from ledger.node.idempotent import Request
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Receipt as NodeReceipt
from ledger.store.tenant_rows import TenantRow
from ledger.types import TenantId, UnixMillis

_TENANT_NAME = "Short name of the tenant: 1 to 63 of a-z, 0-9 and hyphen, a letter first."


@strawberry.input(description="A public key as a JSON Web Key (RFC 7517): Ed25519 or P-256.")
class JwkInput:
    """A public key."""

    kty: str = strawberry.field(description="OKP for Ed25519, EC for P-256.")
    crv: str = strawberry.field(description="Ed25519 or P-256.")
    x: str = strawberry.field(description="The key, or its x: 32 bytes in unpadded Base64url.")
    y: str | None = strawberry.field(description="Its y, for P-256 only.", default=None)


@strawberry.input(description="A tenant that is to take part.")
class TenantEnrolInput:
    """A tenant that is to take part."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    tenant: str = strawberry.field(description=_TENANT_NAME)
    display_name: str = strawberry.field(description="Name for people, 1 to 128 characters.")
    role: TenantRole = strawberry.field(description="Lender, app or bureau.")
    country: str = strawberry.field(description="ISO 3166 alpha-2 code of its jurisdiction.")
    jwk: JwkInput | None = strawberry.field(
        description="Its own public key; absent: the deployment makes and keeps one for it.", default=None
    )


@strawberry.input(description="A further signing key of a tenant.")
class KeyEnrolInput:
    """A further signing key of a tenant."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    tenant: str = strawberry.field(description=_TENANT_NAME)
    jwk: JwkInput | None = strawberry.field(
        description="The public key; absent: the deployment makes and keeps one.", default=None
    )


@strawberry.input(description="The end of a signing key.")
class KeyEndInput:
    """The end of a signing key."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    tenant: str = strawberry.field(description=_TENANT_NAME)
    kid: str = strawberry.field(description="The key's RFC 7638 thumbprint.")
    compromised_from: Timestamp | None = strawberry.field(
        description="Revoke it: statements timed from here on do not count. Absent: retire it now.", default=None
    )


@strawberry.input(description="A token issuer that may speak for a tenant.")
class IssuerTrustInput:
    """A token issuer that may speak for a tenant."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    tenant: str = strawberry.field(description=_TENANT_NAME)
    issuer: str = strawberry.field(description="Exactly the iss of its tokens: an https address.")
    jwks: str = strawberry.field(description="Its public key set (RFC 7517) as a JSON text.")
    roles: list[str] = strawberry.field(description="What it may grant: app, borrower, bureau, lender, operator.")


@strawberry.input(description="A borrower whose attestations are to be closed for ever.")
class SubjectEraseInput:
    """A borrower whose attestations are to be closed."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    borrower: BorrowerInput = strawberry.field(description="Who.")
    law: str = strawberry.field(description="The law it is done under; stands in the tombstone. 1 to 128 characters.")


@open_type(description="The answer to tenantEnrol.")
class TenantEnrolPayload:
    """The answer to tenantEnrol."""

    tenant: Tenant | None = strawberry.field(description="The tenant.", default=None)
    key: SigningKey | None = strawberry.field(description="Its key.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to keyEnrol.")
class KeyEnrolPayload:
    """The answer to keyEnrol."""

    key: SigningKey | None = strawberry.field(description="The key.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to keyEnd.")
class KeyEndPayload:
    """The answer to keyEnd."""

    receipt: Receipt | None = strawberry.field(description="Where the end stands in the log.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to issuerTrust.")
class IssuerTrustPayload:
    """The answer to issuerTrust."""

    trusted: bool = strawberry.field(description="Whether the issuer speaks for the tenant now.", default=False)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to subjectErase.")
class SubjectErasePayload:
    """The answer to subjectErase."""

    attestations: int | None = strawberry.field(description="How many attestations were closed.", default=None)
    receipt: Receipt | None = strawberry.field(description="Where the tombstone stands in the log.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type
class OperatorMutation:
    """The operator's mutations."""

    @guarded_mutation(permission=Permission.TENANTS_MANAGE, description="Let a tenant take part.")
    async def tenant_enrol(self, info: Info, input: Input[TenantEnrolInput]) -> TenantEnrolPayload:
        """Let a tenant take part."""
        return await answered(TenantEnrolPayload, _enrol_tenant(info, input))

    @guarded_mutation(permission=Permission.KEYS_MANAGE, description="Add a signing key to a tenant.")
    async def key_enrol(self, info: Info, input: Input[KeyEnrolInput]) -> KeyEnrolPayload:
        """Add a signing key to a tenant."""
        return await answered(KeyEnrolPayload, _enrol_key(info, input))

    @guarded_mutation(permission=Permission.KEYS_MANAGE, description="Retire a signing key, or revoke it from a time.")
    async def key_end(self, info: Info, input: Input[KeyEndInput]) -> KeyEndPayload:
        """Retire or revoke a signing key."""
        return await answered(KeyEndPayload, _end_key(info, input))

    @guarded_mutation(
        permission=Permission.TENANTS_MANAGE,
        description="Let a token issuer speak for a tenant, or change its keys and roles.",
    )
    async def issuer_trust(self, info: Info, input: Input[IssuerTrustInput]) -> IssuerTrustPayload:
        """Let a token issuer speak for a tenant."""
        return await answered(IssuerTrustPayload, _trust_issuer(info.context, input))

    @guarded_mutation(
        permission=Permission.SUBJECTS_ERASE,
        description="Destroy the key of a borrower's attestations. Every proof of every other line still verifies.",
    )
    async def subject_erase(self, info: Info, input: Input[SubjectEraseInput]) -> SubjectErasePayload:
        """Destroy the key of a borrower's attestations."""
        return await answered(SubjectErasePayload, _erase(info.context, input))


def _jwk_of(jwk: JwkInput | None) -> dict[str, object] | None:
    if jwk is None:
        return None
    return {"kty": jwk.kty, "crv": jwk.crv, "x": jwk.x} | ({} if jwk.y is None else {"y": jwk.y})


async def _enrol_tenant(info: Info, asked: TenantEnrolInput) -> TenantEnrolPayload:
    context, jwk = info.context, _jwk_of(asked.jwk)
    row = TenantRow(asked.tenant, asked.display_name, asked.role.value, asked.country)
    check_tenant(row)

    async def act(request: Request) -> PublicKey:
        return await context.node.authority.enrol_tenant(row, jwk, request=request)

    content = {"row": row, "jwk": jwk}
    kid = await context.services.events.once(context.tenant, asked.idempotency_key, "tenantEnrol", content, act)
    if context.services.dev_issuer is not None:
        context.services.dev_issuer.add_tenant(asked.tenant)
    return TenantEnrolPayload(tenant=await find_tenant(info, asked.tenant), key=await _key(context, asked.tenant, kid))


async def _enrol_key(info: Info, asked: KeyEnrolInput) -> KeyEnrolPayload:
    context, jwk = info.context, _jwk_of(asked.jwk)
    await find_tenant(info, asked.tenant)

    async def act(request: Request) -> PublicKey:
        return await context.node.authority.enrol_key(TenantId(asked.tenant), jwk, request=request)

    content = {"tenant": asked.tenant, "jwk": jwk}
    kid = await context.services.events.once(context.tenant, asked.idempotency_key, "keyEnrol", content, act)
    return KeyEnrolPayload(key=await _key(context, asked.tenant, kid))


async def _end_key(info: Info, asked: KeyEndInput) -> KeyEndPayload:
    context = info.context
    tenant, since = TenantId(asked.tenant), asked.compromised_from

    async def act(request: Request) -> NodeReceipt:
        end = None if since is None else UnixMillis(since)
        return await context.node.authority.end_key(tenant, asked.kid, compromised_from=end, request=request)

    content = {"tenant": tenant, "kid": asked.kid, "compromisedFrom": since}
    batch = await context.services.events.once(context.tenant, asked.idempotency_key, "keyEnd", content, act)
    return KeyEndPayload(receipt=await _own_receipt(context, batch))


async def _trust_issuer(context: Context, asked: IssuerTrustInput) -> IssuerTrustPayload:
    if asked.tenant not in (await context.node.publisher.participants()).tenants:
        raise NotFound("tenant_unknown", "no such tenant takes part in this ledger", path="$.tenant")
    check_issuer(asked.tenant, asked.issuer, asked.jwks, asked.roles)
    terms = (asked.issuer, asked.jwks, asked.roles)

    async def act(request: Request) -> None:
        await context.node.authority.trust_issuer(TenantId(asked.tenant), *terms, request=request)

    content = {"tenant": asked.tenant, "terms": terms}
    await context.services.events.once(context.tenant, asked.idempotency_key, "issuerTrust", content, act)
    context.services.issuers.forget()
    return IssuerTrustPayload(trusted=True)


async def _erase(context: Context, asked: SubjectEraseInput) -> SubjectErasePayload:
    subject = subject_of(context, asked.borrower)
    if not 1 <= len(asked.law) <= 128:
        raise InvalidInput("law_length", "names a law in 1 to 128 characters", path="$.law")

    async def act(request: Request) -> Erased:
        return await context.node.authority.erase(subject, asked.law, request=request)

    content = {"subject": subject, "law": asked.law}
    count, batch = await context.services.events.once(
        context.tenant, asked.idempotency_key, "subjectErase", content, act
    )
    return SubjectErasePayload(attestations=count, receipt=await _own_receipt(context, batch))


def check_tenant(row: TenantRow) -> None:
    """The rules of a participant. Raises InvalidInput ``tenant_*``, Refused ``tenant_reserved``."""
    name = row.tenant
    letters = set("abcdefghijklmnopqrstuvwxyz")
    if not 1 <= len(name) <= 63 or name[0] not in letters or not set(name) <= letters | set("0123456789-"):
        raise InvalidInput("tenant_malformed", "not a tenant's name", path="$.tenant", expected="a-z, 0-9, hyphen")
    if name == DEPLOYMENT or row.role == "deployment":
        raise Refused("tenant_reserved", "the deployment enrols itself", path="$.tenant")
    if not 1 <= len(row.name) <= 128 or not row.name.isprintable():
        raise InvalidInput("tenant_name", "a printable name of 1 to 128 characters", path="$.displayName")
    if len(row.country) != 2 or not row.country.isascii() or not row.country.isupper():
        raise InvalidInput("jurisdiction_unknown", "an ISO 3166 alpha-2 code", path="$.country")


async def _key(context: Context, tenant: str, kid: str) -> SigningKey | None:
    keys = (await context.node.publisher.participants()).keys_of(tenant)
    return next((signing_key(key) for key in keys if key.kid == kid), None)


async def _own_receipt(context: Context, batch: str) -> Receipt:
    return receipt_of(await context.services.publications.receipt(DEPLOYMENT, Uuid(batch)), context.node.origin)
