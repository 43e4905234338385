"""Consents: asked for by a consumer, decided by the borrower. Each step is an attestation of the deployment's tenant.

Rules
- A borrower decides only over consents about their own pseudonym, a consumer asks only in its own name.
- A grant is signed over the canonical artefact, by the borrower's own key when it sent a signature, else by the
  deployment, which authenticated the borrower; the attestation says which.
- Every request carries an idempotency key; the same one again gets the first answer.
- A consumer changes terms by asking for a new version of its own consent: same id, same borrower, the next number.
  Until the borrower grants it, everything goes on under the version in force; one such request waits at a time.
- Granting and rejecting are about the version that waits. Granting ends the version that it supersedes in the same
  batch, so that no read under the old terms has a later place in the log.
- Pausing, resuming and revoking are about the version in force. Revoking also rejects the version that waits, in the
  same batch: after it nothing is left that could be granted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from ledger.attestation.jws import sign_jws, verify_jws
from ledger.attestation.keys import ES256, KeyHistory, PrivateKey, admit_public_key
from ledger.attestation.sharing_kinds import Artefact, Capture, Consent
from ledger.consent.artefact import (
    CONSENT_TYPE,
    IN_FORCE,
    check_artefact,
    grant_payload,
    next_state,
    read_artefact,
    state_at,
    step_payload,
    version_in_force,
    version_requested,
)
from ledger.errors import Conflict, InvalidInput, NotFound, Refused
from ledger.limits import CONSENT_VERSIONS_MAX
from ledger.node.clock import Sources
from ledger.node.drafts import Draft
from ledger.node.idempotent import Request, earlier_answer, record_of
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Publisher
from ledger.store.consent_rows import ConsentRow, consent_versions, consents_of_consumer, consents_of_subject
from ledger.store.database import Database
from ledger.types import Subject, TenantId, UnixMillis

DECISIONS = ("granted", "rejected", "paused", "resumed", "revoked")
"""The steps that are the borrower's."""


@dataclass(frozen=True)
class OwnSignature:
    """A borrower's own signature: a compact JWS over ``grant_payload`` or ``step_payload``, and the public JWK."""

    jws: bytes
    jwk: Mapping[str, object]
    at: UnixMillis


@dataclass(frozen=True)
class KnownConsent:
    """A consent with every version of it, oldest first and at least one."""

    versions: tuple[ConsentRow, ...]

    @property
    def current(self) -> ConsentRow:
        """The version in force, or what there is instead (``version_in_force``)."""
        return version_in_force(self.versions)

    @property
    def requested(self) -> ConsentRow | None:
        """The version that waits for the borrower."""
        return version_requested(self.versions)

    @property
    def state(self) -> str:
        """The recorded state of the version in force."""
        return self.current.state


class Consents:
    """The life of consents on one node."""

    def __init__(self, database: Database, publisher: Publisher, operator: PrivateKey, sources: Sources) -> None:
        self._database = database
        self._publisher = publisher
        self._operator = operator
        self._sources = sources

    async def request(self, artefact: Artefact, request: Request, *, replaces: UUID | None = None) -> KnownConsent:
        """A consumer asks. ``artefact.consumer`` must be the caller's tenant. ``replaces`` names a consent of its own
        with the same borrower whose terms are to change: then the artefact gets that id and the next version.

        Raises InvalidInput, Refused (``consent_not_in_force``, ``consent_versions_full``), NotFound
        ``consent_unknown``, Conflict (``consent_exists``, ``consent_pending``).
        """
        earlier = await earlier_answer(self._database, request)
        if earlier is not None:
            return await self.seen_by_consumer(TenantId(artefact.consumer), UUID(earlier.answer[1:-1].decode()))
        participants = await self._publisher.participants(artefact.consumer, *artefact.providers)
        participants.tenant(artefact.consumer)
        for provider in artefact.providers:
            participants.tenant(provider)
        if replaces is None:
            await self._ensure_own_id(artefact)
        else:
            artefact = self._next_version(artefact, await self.seen_by_consumer(TenantId(artefact.consumer), replaces))
        check_artefact(artefact, self._sources.now())
        body = Consent(
            artefact=artefact, consent=artefact.consent, signed_by="consumer", step="requested",
            version=artefact.version,
        )  # fmt: skip
        await self._publish([body], artefact, request)
        return await self.seen_by_consumer(TenantId(artefact.consumer), artefact.consent)

    async def decide(
        self, subject: Subject, consent: UUID, step: str, request: Request, *, capture: Capture,
        own: OwnSignature | None = None,
    ) -> KnownConsent:  # fmt: skip
        """The borrower decides. Raises NotFound ``consent_unknown``, Refused ``consent_step_refused``, Untrusted."""
        if step not in DECISIONS:
            raise InvalidInput("consent_step_unknown", "not a step of the borrower's", expected=DECISIONS)
        if await earlier_answer(self._database, request) is not None:
            return await self.seen_by_borrower(subject, consent)
        known = await self.seen_by_borrower(subject, consent)
        waiting, now = known.requested, self._sources.now()
        row = waiting if waiting is not None and step in ("granted", "rejected") else known.current
        artefact = read_artefact(row.artefact)
        next_state(state_at(row.state, artefact, now), step)
        bodies = [*self._ends_superseded(artefact, step, capture), self._signed(artefact, step, capture, own)]
        if step == "revoked" and waiting is not None:
            bodies.append(self._signed(read_artefact(waiting.artefact), "rejected", capture, None))
        await self._publish(bodies, artefact, request)
        return await self.seen_by_borrower(subject, consent)

    async def seen_by_consumer(self, consumer: TenantId, consent: UUID) -> KnownConsent:
        """A consent as its consumer may see it. Raises NotFound ``consent_unknown``."""
        async with self._database.reading(tenants=(consumer,)) as connection:
            return _found(await consent_versions(connection, consent))

    async def seen_by_borrower(self, subject: Subject, consent: UUID) -> KnownConsent:
        """A consent as the borrower may see it. Raises NotFound ``consent_unknown``."""
        async with self._database.reading(subject=subject) as connection:
            return _found(await consent_versions(connection, consent))

    async def of_borrower(self, subject: Subject, before: UUID, limit: int) -> list[KnownConsent]:
        """A borrower's consents, newest first."""
        async with self._database.reading(subject=subject) as connection:
            return list(map(_found, await consents_of_subject(connection, subject, before, limit)))

    async def of_consumer(self, consumer: TenantId, before: UUID, limit: int) -> list[KnownConsent]:
        """What a consumer asked for, newest first."""
        async with self._database.reading(tenants=(consumer,)) as connection:
            return list(map(_found, await consents_of_consumer(connection, consumer, before, limit)))

    async def _ensure_own_id(self, artefact: Artefact) -> None:
        """A borrower's consent ids name one consumer each, else a revoke could be led to another's consent."""
        async with self._database.reading(subject=Subject(artefact.subject)) as connection:
            known = await consent_versions(connection, artefact.consent)
        if any(row.tenant != artefact.consumer for row in known):
            raise Conflict("consent_exists", "this consent id is taken", path="$.consent",
                           advice="choose a fresh UUIDv7")  # fmt: skip

    def _next_version(self, artefact: Artefact, known: KnownConsent) -> Artefact:
        """The artefact as the next version of a consent. What may change until it is committed (the state of the
        version in force) is looked at again then, under the lock."""
        current = known.current
        terms = read_artefact(current.artefact)
        if terms.subject != artefact.subject:
            raise Refused("consent_not_in_force", "that consent is another borrower's", path="$.replaces",
                          advice="ask for a new consent")  # fmt: skip
        if known.requested is not None:
            raise Conflict("consent_pending", "a version of this consent waits for the borrower already",
                           path="$.replaces", advice="wait for the borrower's decision")  # fmt: skip
        if state_at(current.state, terms, self._sources.now()) not in IN_FORCE:
            raise Refused("consent_not_in_force", "a consent that ended is not replaced", path="$.replaces",
                          advice="ask for a new consent")  # fmt: skip
        version = known.versions[-1].version + 1
        if version > CONSENT_VERSIONS_MAX:
            raise Refused("consent_versions_full", "this consent has as many versions as there may be",
                          path="$.replaces", expected=f"at most {CONSENT_VERSIONS_MAX}",
                          advice="ask for a new consent")  # fmt: skip
        return replace(artefact, consent=current.consent, version=version, supersedes=current.version)

    def _signed(self, artefact: Artefact, step: str, capture: Capture, own: OwnSignature | None) -> Consent:
        now = self._sources.now()
        at = own.at if own is not None else now
        granted = step == "granted"
        payload = grant_payload(artefact) if granted else step_payload(artefact.consent, artefact.version, step, at)
        fields: dict[str, Any] = {
            "artefact": artefact if granted else None, "capture": capture, "consent": artefact.consent, "step": step,
            "version": artefact.version,
        }  # fmt: skip
        if own is None:
            signature = sign_jws(payload, self._operator, CONSENT_TYPE).decode()
            return Consent(signature=signature, signed_by="deployment", **fields)
        key = admit_public_key(own.jwk, not_before_ms=UnixMillis(0))
        if verify_jws(own.jws, KeyHistory([key]), typ=CONSENT_TYPE, at_ms=now).payload != payload:
            raise InvalidInput("consent_signature_differs", "the signature is over something else",
                               path="signature", advice="sign exactly the bytes of toSign")  # fmt: skip
        raw = b"\x04" + key.raw if key.alg == ES256 else key.raw
        return Consent(signature=own.jws.decode(), signed_by="borrower", signer_key=raw, **fields)

    def _ends_superseded(self, artefact: Artefact, step: str, capture: Capture) -> list[Consent]:
        if step != "granted" or artefact.supersedes is None:
            return []
        old = step_payload(artefact.consent, artefact.supersedes, "superseded", self._sources.now())
        return [Consent(
            capture=capture, consent=artefact.consent, signature=sign_jws(old, self._operator, CONSENT_TYPE).decode(),
            signed_by="deployment", step="superseded", version=artefact.supersedes,
        )]  # fmt: skip

    async def _publish(self, bodies: list[Consent], artefact: Artefact, request: Request) -> None:
        today = datetime.fromtimestamp(self._sources.now() / 1000, UTC).date()
        drafts = [
            Draft(
                kind="consent", body=body, effective_date=today, jurisdiction=artefact.jurisdiction,
                legal_basis=artefact.legal_basis, subject=artefact.subject, role="borrower",
            )
            for body in bodies
        ]  # fmt: skip
        batch_id = self._sources.new_id()
        record = record_of(
            request, author=DEPLOYMENT, batch_id=batch_id, answer=str(artefact.consent), now=self._sources.now()
        )
        await self._publisher.publish_own(
            DEPLOYMENT, self._operator, drafts, tenants=(TenantId(artefact.consumer), request.tenant),
            idempotency=record, batch_id=batch_id,
        )  # fmt: skip


def _found(versions: Sequence[ConsentRow]) -> KnownConsent:
    if not versions:
        raise NotFound("consent_unknown", "no such consent")
    return KnownConsent(tuple(versions))
