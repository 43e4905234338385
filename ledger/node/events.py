"""Single events under a key that the deployment keeps, each once: the lender's road when it signs no batches itself.

    recorded = await events.record(tenant, event, key="order-77")        # the same call again: the same answer

Rules
- One event is one attestation in a batch of one, signed with the tenant's managed key.
- The idempotency key is stored with the batch in one transaction: a repeated request gets the first receipt, another
  request under the same key is a conflict, and of two at once one wins and both get its answer.
- An event about a loan that is there needs no subject: the loan's own is taken.
- Acts that are not one batch of the caller's (enrolment, keys, issuers, erasure) go through ``once``, and record their
  key themselves, in the transaction in which they take effect. After a crash, and of two at once, there is one act and
  its one answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from ledger.attestation.envelope import encode_body
from ledger.attestation.fields import Body
from ledger.errors import Conflict, InvalidInput, InvariantBroken, TallystickError
from ledger.node.authority import Authority
from ledger.node.clock import Sources
from ledger.node.drafts import Draft
from ledger.node.idempotent import Request, earlier_answer, record_of, request_of
from ledger.node.publications import Publications
from ledger.node.publisher import Publisher, Receipt
from ledger.store.database import Database
from ledger.store.loan_rows import read_loan
from ledger.types import AccountRef, Subject, TenantId


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened to a loan. ``subject`` None: the loan's own; ``jurisdiction`` None: the tenant's country."""

    kind: str
    body: Body
    account: AccountRef
    effective_date: date
    subject: Subject | None = None
    refs: tuple[UUID, ...] = ()
    jurisdiction: str | None = None
    legal_basis: str = "contract"
    role: str = "borrower"

    def content(self) -> dict[str, Any]:
        """Everything that it says, for the idempotency key's hash."""
        return {
            "account": self.account, "body": encode_body(self.body), "date": self.effective_date,
            "jurisdiction": self.jurisdiction, "kind": self.kind, "legalBasis": self.legal_basis,
            "refs": self.refs, "role": self.role, "subject": self.subject,
        }  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """Where an event stands: its attestation's id, and its batch's receipt."""

    attestation: UUID
    receipt: Receipt


class Events:
    """Recording of single events on one node."""

    def __init__(
        self, database: Database, publisher: Publisher, authority: Authority, publications: Publications,
        sources: Sources,
    ) -> None:  # fmt: skip
        self._database = database
        self._publisher = publisher
        self._authority = authority
        self._publications = publications
        self._sources = sources

    async def record(self, tenant: TenantId, event: Event, *, key: str) -> Recorded:
        """Record an event of ``tenant`` once. Raises InvalidInput, Refused (``key_not_managed``, the loan's own
        refusals), Conflict ``idempotency_reused``, Unavailable."""
        request = request_of(tenant, key, "event", event.content())
        earlier = await self._earlier(tenant, request)
        if earlier is not None:
            return earlier
        signing = await self._authority.managed_key(tenant)
        draft = await self._draft(tenant, event)
        batch_id = self._sources.new_id()
        record = record_of(request, author=tenant, batch_id=batch_id, answer=event.kind, now=self._sources.now())
        try:
            receipt, (attestation,) = await self._publisher.publish_own(
                tenant, signing, [draft], idempotency=record, batch_id=batch_id
            )
        except Conflict as conflict:
            raced = await self._earlier(tenant, request) if conflict.code == "idempotency_raced" else None
            if raced is None:
                raise
            return raced
        return Recorded(attestation.envelope.id, receipt)

    async def once(
        self, tenant: TenantId, key: str, operation: str, content: dict[str, Any],
        act: Callable[[Request], Awaitable[object]],
    ) -> Any:  # fmt: skip
        """The recorded answer (plain JSON values) to a request; ``act`` acts and records it, unless that was done.

        Raises Conflict ``idempotency_reused``, and what ``act`` raises; then nothing is recorded.
        """
        request = request_of(tenant, key, operation, content)
        earlier = await earlier_answer(self._database, request)
        if earlier is None:
            refusal = await _refusal_of(act(request))
            earlier = await earlier_answer(self._database, request)
            if earlier is None:
                raise refusal or InvariantBroken("answer_missing", "an act took effect and did not record its answer")
        return msgspec.json.decode(earlier.answer)

    async def _earlier(self, tenant: TenantId, request: Request) -> Recorded | None:
        row = await earlier_answer(self._database, request)
        if row is None:
            return None
        receipt = await self._publications.receipt(tenant, row.batch_id)
        return Recorded(await self._publications.first_attestation(tenant, row.batch_id), receipt)

    async def _draft(self, tenant: TenantId, event: Event) -> Draft:
        participants = await self._publisher.participants()
        return Draft(
            kind=event.kind, body=event.body, effective_date=event.effective_date,
            jurisdiction=event.jurisdiction or participants.tenant(tenant).country, legal_basis=event.legal_basis,
            account=event.account, subject=event.subject or await self._subject_of(tenant, event), role=event.role,
            refs=event.refs,
        )  # fmt: skip

    async def _subject_of(self, tenant: TenantId, event: Event) -> Subject:
        async with self._database.reading(tenants=(tenant,)) as connection:
            found = await read_loan(connection, tenant, event.account)
        if found is None:
            raise InvalidInput("subject_missing", "a new loan names its borrower", path="$.borrower",
                               advice="Name the borrower, or an account that is on the ledger.")  # fmt: skip
        return Subject(found.subject)


async def _refusal_of(act: Awaitable[object]) -> TallystickError | None:
    """What an act was refused with: perhaps only because the same request, a moment earlier, took effect."""
    try:
        await act
    except TallystickError as refusal:
        return refusal
    return None
