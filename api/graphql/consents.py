"""Consent: asked for by a consumer, decided by the borrower, seen by both and by nobody else.

Rules
- A consumer asks in its own name; a borrower decides over consents about their own pseudonym.
- The consumer never learns the pseudonym of somebody who did not consent: no field shows it.
- A change of terms is a new version of the same consent (``replaces``): until the borrower grants it, reads, pause,
  resume and revoke are about the version in force. Revoking also rejects what waits.
- Every step is an attestation; its order in the log decides races with reads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID as Uuid

import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import After, Connection, First, GlobalIdArgument, page_of
from api.graphql.consent_types import (
    Consent,
    ConsentRequestInput,
    ConsentStepInput,
    CreditCategory,
    OwnSignatureInput,
    SpanInput,
    consent_of,
)
from api.graphql.context import Context, Info
from api.graphql.errors import UserError
from api.graphql.fields import guarded_field, guarded_mutation, open_type
from api.graphql.payloads import Input, answered, errors_field, subject_of
from api.graphql.scalars import decode_global_id, page_size
from ledger.attestation.sharing_kinds import Artefact, Capture, Purpose
from ledger.attestation.sharing_kinds import Span as SpanBody
from ledger.errors import InvalidInput, NotFound
from ledger.node.consents import KnownConsent, OwnSignature
from ledger.node.idempotent import request_of
from ledger.store.attestation_rows import LAST_ID
from ledger.types import TenantId, UnixMillis

Payload = TypeVar("Payload")

_NOT_TERMS = frozenset({"borrower", "idempotency_key"})
"""Members of a request that its hash has by another name, or not at all."""


@strawberry.type
class ConsentPayload:
    """What the payload of every step holds."""

    consent: Consent | None = strawberry.field(description="The consent after the step.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to consentRequest.")
class ConsentRequestPayload(ConsentPayload):
    """The answer to consentRequest."""


@open_type(description="The answer to consentGrant.")
class ConsentGrantPayload(ConsentPayload):
    """The answer to consentGrant."""


@open_type(description="The answer to consentReject.")
class ConsentRejectPayload(ConsentPayload):
    """The answer to consentReject."""


@open_type(description="The answer to consentPause.")
class ConsentPausePayload(ConsentPayload):
    """The answer to consentPause."""


@open_type(description="The answer to consentResume.")
class ConsentResumePayload(ConsentPayload):
    """The answer to consentResume."""


@open_type(description="The answer to consentRevoke.")
class ConsentRevokePayload(ConsentPayload):
    """The answer to consentRevoke."""


def _step_mutation(description: str) -> Any:
    return guarded_mutation(permission=Permission.CONSENTS_DECIDE, description=description)


@strawberry.type
class ConsentMutation:
    """The steps of a consent."""

    @guarded_mutation(permission=Permission.CONSENTS_REQUEST, description="Ask a borrower for consent.")
    async def consent_request(self, info: Info, input: Input[ConsentRequestInput]) -> ConsentRequestPayload:
        """Ask a borrower for consent."""
        return await answered(ConsentRequestPayload, _request(info.context, input))

    @_step_mutation("Grant a consent that was requested.")
    async def consent_grant(self, info: Info, input: Input[ConsentStepInput]) -> ConsentGrantPayload:
        """Grant a consent."""
        return await _decide(ConsentGrantPayload, info.context, "granted", input)

    @_step_mutation("Say no to a consent that was requested.")
    async def consent_reject(self, info: Info, input: Input[ConsentStepInput]) -> ConsentRejectPayload:
        """Reject a consent."""
        return await _decide(ConsentRejectPayload, info.context, "rejected", input)

    @_step_mutation("Stop reads until the consent is resumed.")
    async def consent_pause(self, info: Info, input: Input[ConsentStepInput]) -> ConsentPausePayload:
        """Pause a consent."""
        return await _decide(ConsentPausePayload, info.context, "paused", input)

    @_step_mutation("Allow reads again after a pause.")
    async def consent_resume(self, info: Info, input: Input[ConsentStepInput]) -> ConsentResumePayload:
        """Resume a consent."""
        return await _decide(ConsentResumePayload, info.context, "resumed", input)

    @_step_mutation("End a consent: no read after this step's place in the log.")
    async def consent_revoke(self, info: Info, input: Input[ConsentStepInput]) -> ConsentRevokePayload:
        """Revoke a consent."""
        return await _decide(ConsentRevokePayload, info.context, "revoked", input)


@strawberry.type
class ConsentQuery:
    """Consents of the caller."""

    @guarded_field(
        permission=Permission.CONSENTS_READ,
        description="Consents of the caller, newest first: what a consumer asked for, or what a borrower decides over.",
    )
    async def consents(self, info: Info, first: First, after: After = None) -> Connection[Consent]:
        """Consents of the caller."""
        return await consent_page(info.context, first, after)

    @guarded_field(permission=Permission.CONSENTS_READ, description="A consent of the caller; null when there is none.")
    async def consent(self, info: Info, id: GlobalIdArgument) -> Consent | None:
        """A consent of the caller."""
        return await consent_by_key(info.context, consent_id(id))


def consent_id(text: str) -> Uuid:
    """The consent that a global id names. Raises InvalidInput ``global_id_*``."""
    try:
        return Uuid(decode_global_id(text, "Consent").key)
    except ValueError:
        raise InvalidInput("global_id_invalid", "not an id of this ledger") from None


async def consent_by_key(context: Context, consent: Uuid) -> Consent | None:
    """A consent as the caller may see it; None when it is not theirs."""
    try:
        return consent_of(await _seen(context, consent), context.node.sources.now())
    except NotFound:
        return None


async def _seen(context: Context, consent: Uuid) -> KnownConsent:
    consents = context.node.consents
    if context.principal is not None and context.principal.subject is not None:
        return await consents.seen_by_borrower(context.subject, consent)
    return await consents.seen_by_consumer(context.tenant, consent)


async def consent_page(context: Context, first: int, after: str | None) -> Any:
    """A page of the caller's consents, newest first."""
    size, cursors, node = page_size(first), context.services.cursors, context.node
    borrower = context.principal is not None and context.principal.subject is not None
    scope = f"consents/{context.subject.hex() if borrower else context.tenant}"
    before = LAST_ID if after is None else Uuid(str(cursors.decode(scope, after)[0]))
    if borrower:
        known = await node.consents.of_borrower(context.subject, before, size + 1)
    else:
        known = await node.consents.of_consumer(context.tenant, before, size + 1)
    now = node.sources.now()
    shown = [(cursors.encode(scope, str(each.current.consent)), consent_of(each, now)) for each in known[:size]]
    return page_of(shown, more=len(known) > size, after=after)


async def _request(context: Context, asked: ConsentRequestInput) -> ConsentRequestPayload:
    subject = subject_of(context, asked.borrower)
    terms = {name: value for name, value in strawberry.asdict(asked).items() if name not in _NOT_TERMS}
    request = request_of(context.tenant, asked.idempotency_key, "consentRequest", {"terms": terms, "subject": subject})
    artefact = await _artefact(context, asked, subject)
    replaces = None if asked.replaces is None else Uuid(asked.replaces)
    known = await context.node.consents.request(artefact, request, replaces=replaces)
    return ConsentRequestPayload(consent=consent_of(known, context.node.sources.now()))


async def _artefact(context: Context, asked: ConsentRequestInput, subject: bytes) -> Artefact:
    consumer = (await context.node.publisher.participants()).tenant(context.tenant)
    categories = tuple(CreditCategory) if asked.categories is None else asked.categories
    return Artefact(
        accounts=tuple(asked.accounts),
        categories=tuple(category.value for category in categories),
        consent=context.node.sources.new_id(),
        consumer=context.tenant,
        data_from=asked.data_from,
        data_life=_span(asked.data_life, 1, "MONTH"),
        data_to=asked.data_to,
        detail=asked.detail.value,
        expiry=asked.expires_at,
        fetch=asked.fetch.value,
        fields=tuple(asked.fields),
        frequency=_span(asked.frequency, 1, "DAY"),
        jurisdiction=asked.jurisdiction or consumer.country,
        legal_basis="consent",
        mode="VIEW",
        providers=tuple(TenantId(name) for name in asked.providers),
        purpose=Purpose(category=asked.purpose.category, code=asked.purpose.code, text=asked.purpose.text),
        start=asked.starts_at if asked.starts_at is not None else context.node.sources.now(),
        subject=subject,
        version=1,
    )


def _span(span: SpanInput | None, n: int, unit: Any) -> SpanBody:
    return SpanBody(n=n, unit=unit) if span is None else span.body()


async def _decide(payload: type[Payload], context: Context, step: str, asked: ConsentStepInput) -> Payload:
    async def act() -> Payload:
        consent = consent_id(asked.consent)
        content = {"consent": str(consent), "signature": asked.signature and strawberry.asdict(asked.signature)}
        request = request_of(context.tenant, asked.idempotency_key, f"consent/{step}", content)
        # Borrowers share a tenant: each has keys of their own.
        request = replace(request, key=f"{context.subject.hex()}/{request.key}")
        capture = Capture(at=context.node.sources.now(), authenticator=asked.authenticator, channel=asked.channel)
        known = await context.node.consents.decide(
            context.subject, consent, step, request, capture=capture, own=own_signature(asked.signature)
        )
        return payload(consent=consent_of(known, context.node.sources.now()))  # type: ignore[call-arg]

    return await answered(payload, act())


def own_signature(signature: OwnSignatureInput | None) -> OwnSignature | None:
    """A party's own signature, when it sent one."""
    if signature is None:
        return None
    jwk: dict[str, object] = {"kty": signature.kty, "crv": signature.crv, "x": signature.x}
    jwk |= {} if signature.y is None else {"y": signature.y}
    return OwnSignature(signature.jws.encode(), jwk, UnixMillis(signature.at))
