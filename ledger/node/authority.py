"""The deployment's own acts: its first entry, tenants and keys coming and going, erasure. Each is an attestation, and
what it changes in the store is in the same transaction.

Rules
- The deployment's tenant and key enter the ledger with its first entry.
- A tenant's public key is admitted strictly (attestation.keys), published as a ``key`` attestation, and known to every
  process from the next commit on, since the epoch moves with it.
- A managed key is made here, wrapped under the deployment's wrapping key, and used only for its tenant.
- An act may carry a request with an idempotency key: its answer is recorded in the transaction of the act itself, so
  that after a crash the repetition finds either both or neither.
- Erasure destroys the subject's salt and deletes its projections in the transaction that publishes the tombstone. The
  tombstone names the law, not the subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ledger.attestation.keys import EDDSA, ES256, PrivateKey, PublicKey, admit_public_key
from ledger.attestation.sharing_kinds import Erasure, KeyEvent
from ledger.errors import Conflict, NotFound, Untrusted
from ledger.node.clock import Sources
from ledger.node.drafts import Draft
from ledger.node.idempotent import Request, record_of
from ledger.node.managed_keys import ManagedKeys
from ledger.node.participants import DEPLOYMENT
from ledger.node.pending import Effect
from ledger.node.publisher import Publisher, Receipt
from ledger.store.attestation_rows import count_of_subject
from ledger.store.consent_rows import erase_consents
from ledger.store.contract_rows import erase_contracts
from ledger.store.database import Connection, Database, focus
from ledger.store.idempotency_rows import IdempotencyRow, insert_idempotency
from ledger.store.loan_rows import erase_loans
from ledger.store.risk_rows import erase_risk
from ledger.store.subject_rows import destroy_salt
from ledger.store.tenant_rows import (
    KeyRow,
    TenantRow,
    end_key,
    insert_key,
    insert_managed_key,
    insert_tenant,
    put_issuer,
)
from ledger.types import Subject, TenantId, UnixMillis


@dataclass(frozen=True)
class Erased:
    """What an erasure closed."""

    receipt: Receipt
    attestations: int


class Authority:
    """The operator's acts on one deployment."""

    def __init__(
        self, database: Database, publisher: Publisher, keys: ManagedKeys, sources: Sources, country: str
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._operator = keys.operator
        self._keys = keys
        self._sources = sources
        self._country = country

    @property
    def operator(self) -> PrivateKey:
        """The deployment tenant's batch key."""
        return self._operator

    async def found(self) -> None:
        """Make the deployment's tenant and publish its key, unless that was done."""
        participants = await self._publisher.participants()
        if DEPLOYMENT not in participants.tenants:
            row = TenantRow(DEPLOYMENT, "Tallystick deployment", "deployment", self._country)
            key = admit_public_key(self._operator.public_jwk(), not_before_ms=UnixMillis(0))
            await self._enrol(row, key, None)
        elif self._operator.kid not in {key.kid for key in participants.keys_of(DEPLOYMENT)}:
            raise Untrusted(
                "operator_key_differs", "this keyring is not the one that the ledger was founded with",
                advice="restore the keyring file of this deployment",
            )  # fmt: skip

    async def enrol_tenant(
        self, row: TenantRow, jwk: Mapping[str, object] | None, *, request: Request | None = None
    ) -> PublicKey:
        """Let a tenant take part, with its own public key, or (``jwk`` None) with one that the deployment keeps. The
        recorded answer to ``request`` is the key's kid.

        Raises InvalidInput (``jwk_*``, ``key_*``), Conflict ``tenant_exists``.
        """
        if row.tenant in (await self._publisher.participants()).tenants:
            raise Conflict("tenant_exists", "a tenant of this name takes part already", found=row.tenant)
        key, wrapped = self._new_key(row.tenant) if jwk is None else (self._admit(jwk), None)
        await self._enrol(row, key, wrapped, fresh=True, request=request)
        return key

    async def enrol_key(
        self, tenant: TenantId, jwk: Mapping[str, object] | None, *, request: Request | None = None
    ) -> PublicKey:
        """Add a key to a tenant: its own, or (None) a managed one. The recorded answer to ``request`` is the key's kid.
        Raises Conflict ``key_exists``."""
        row = (await self._publisher.participants(tenant)).tenant(tenant)
        key, wrapped = self._new_key(tenant) if jwk is None else (self._admit(jwk), None)
        await self._enrol(row, key, wrapped, request=request)
        return key

    async def end_key(
        self, tenant: TenantId, kid: str, *, compromised_from: UnixMillis | None, request: Request | None = None
    ) -> Receipt:
        """Retire a key now, or revoke it from a date on. The recorded answer to ``request`` is the batch's id. Raises
        NotFound ``key_unknown``."""
        keys = {key.kid: key for key in (await self._publisher.participants(tenant)).keys_of(tenant)}
        if kid not in keys:
            raise NotFound("key_unknown", "that tenant has no such key")
        key, now = keys[kid], self._sources.now()
        ended = now if compromised_from is None else None

        async def effect(connection: Connection) -> None:
            await end_key(connection, tenant, kid, not_after=ended, compromised_from=compromised_from)

        body = _key_event(
            key, tenant, step="retired" if compromised_from is None else "revoked", not_after=ended,
            compromised_from=compromised_from,
        )  # fmt: skip
        batch = self._sources.new_id()
        return await self._publish("key", body, effect, batch, request, str(batch), tenant)

    async def managed_key(self, tenant: TenantId) -> PrivateKey:
        """A tenant's managed key that signs now. Raises Refused ``key_not_managed``."""
        await self._publisher.participants()
        return await self._keys.of(tenant)

    async def trust_issuer(
        self, tenant: TenantId, issuer: str, jwks: str, roles: list[str], *, request: Request | None = None
    ) -> None:
        """Let a token issuer speak for a tenant. The recorded answer to ``request`` is true. Raises Conflict
        ``idempotency_raced``."""
        record = self._record(request, self._sources.new_id(), True)
        tenants = (tenant,) if request is None else (tenant, request.tenant)
        async with self._database.writing(tenants=tenants) as connection:
            if record is not None and not await insert_idempotency(connection, record):
                raise Conflict("idempotency_raced", "another request with this key was first",
                               advice="send the same request again to get its answer")  # fmt: skip
            await put_issuer(connection, tenant, issuer, jwks, roles)

    async def erase(self, subject: Subject, law: str, *, request: Request | None = None) -> Erased:
        """Destroy what opens a subject's attestations, under ``law``. The recorded answer to ``request`` is their
        number and the batch's id. Raises NotFound ``subject_unknown``."""
        async with self._database.reading(subject=subject) as connection:
            count = await count_of_subject(connection, subject)

        async def effect(connection: Connection) -> None:
            if not await destroy_salt(connection, subject):
                raise NotFound("subject_unknown", "nothing is sealed under such a subject")
            await focus(connection, subject)
            await erase_loans(connection, subject)
            await erase_consents(connection, subject)
            await erase_contracts(connection, subject)
            await erase_risk(connection, subject)

        body = Erasure(attestations=min(count, 1_000_000), law=law, request=self._sources.new_id())
        batch = self._sources.new_id()
        receipt = await self._publish("erasure", body, effect, batch, request, [count, str(batch)])
        return Erased(receipt, count)

    async def _enrol(
        self, row: TenantRow, key: PublicKey, wrapped: bytes | None, *, fresh: bool = False,
        request: Request | None = None,
    ) -> None:  # fmt: skip
        tenant = TenantId(row.tenant)
        known = {other.kid for other in (await self._publisher.participants()).keys_of(tenant)}
        if key.kid in known:
            raise Conflict("key_exists", "this key is enrolled already", found=key.kid)

        async def effect(connection: Connection) -> None:
            if not await insert_tenant(connection, row) and fresh:
                raise Conflict("tenant_exists", "a tenant of this name takes part already", found=row.tenant)
            stored = KeyRow(tenant, key.kid, key.alg, key.raw, key.not_before_ms, key.not_after_ms, None)
            if not await insert_key(connection, stored):
                raise Conflict("key_exists", "this key is enrolled already", found=key.kid)
            if wrapped is not None:
                await insert_managed_key(connection, tenant, key.kid, wrapped)

        event = _key_event(key, tenant, step="enrolled")
        await self._publish("key", event, effect, self._sources.new_id(), request, key.kid, tenant)

    async def _publish(
        self, kind: str, body: KeyEvent | Erasure, effect: Effect, batch: UUID, request: Request | None, answer: Any,
        *tenants: TenantId,
    ) -> Receipt:  # fmt: skip
        """One act: its attestation, its effect, and the answer to its request, in one transaction."""
        if request is not None:
            tenants = (*tenants, request.tenant)
        receipt, _ = await self._publisher.publish_own(
            DEPLOYMENT, self._operator, [self._draft(kind, body)], tenants=tenants, effect=effect, voids_caches=True,
            idempotency=self._record(request, batch, answer), batch_id=batch,
        )  # fmt: skip
        return receipt

    def _record(self, request: Request | None, batch: UUID, answer: Any) -> IdempotencyRow | None:
        if request is None:
            return None
        return record_of(request, author=DEPLOYMENT, batch_id=batch, answer=answer, now=self._sources.now())

    def _draft(self, kind: str, body: KeyEvent | Erasure) -> Draft:
        today = datetime.fromtimestamp(self._sources.now() / 1000, UTC).date()
        return Draft(kind=kind, body=body, effective_date=today, jurisdiction=self._country, legal_basis="contract")

    def _admit(self, jwk: Mapping[str, object]) -> PublicKey:
        return admit_public_key(jwk, not_before_ms=self._sources.now())

    def _new_key(self, tenant: str) -> tuple[PublicKey, bytes]:
        secret = self._sources.random(32)
        key = PrivateKey.from_random(EDDSA, secret)
        return self._admit(key.public_jwk()), self._keys.wrapped(tenant, key, secret)


def _key_event(key: PublicKey, owner: str, *, step: str, **ends: UnixMillis | None) -> KeyEvent:
    raw = b"\x04" + key.raw if key.alg == ES256 else key.raw
    return KeyEvent(
        alg=key.alg, kid=key.kid, not_before=key.not_before_ms, owner=owner, public_key=raw, step=step, **ends  # type: ignore[arg-type]
    )  # fmt: skip
