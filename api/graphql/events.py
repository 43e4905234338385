"""Publishing: a signed batch as it is, or single events under a key that the deployment keeps for the lender.

Rules
- A batch's own id is its idempotency key; each event carries one.
- An expected refusal is in ``errors``; what was recorded is in ``receipt``, with its proof.
- Bulk goes to ``POST /v1/batches``: a GraphQL request holds 1 MiB, with the quotes of the batch escaped.
"""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID as Uuid

import strawberry

from api.auth.permissions import Permission
from api.graphql.context import Context, Info
from api.graphql.errors import UserError
from api.graphql.event_inputs import (
    AgreementRecordInput,
    ChargeRecordInput,
    ClosureRecordInput,
    DisbursementRecordInput,
    DisputeOpenInput,
    LoanEventInput,
    RepaymentRecordInput,
    ReversalRecordInput,
    ScheduleRecordInput,
    StatusRecordInput,
    TransferRecordInput,
)
from api.graphql.fields import guarded_mutation, open_type
from api.graphql.log import Receipt, receipt_of
from api.graphql.payloads import Input, account_of, answered, errors_field, subject_of
from api.graphql.scalars import UUID
from ledger.node.events import Event
from ledger.types import TenantId

Payload = TypeVar("Payload")


@strawberry.input(description="A batch that the tenant signed itself.")
class AttestationsPublishInput:
    """A batch that the tenant signed itself."""

    statement: str = strawberry.field(description="The batch statement: a compact JWS.")
    ndjson: str = strawberry.field(
        description="1 to 4,096 canonical attestations, one a line, in the order under the root. The whole request "
        "holds 1 MiB; larger batches go to POST /v1/batches."
    )


@open_type(description="The answer to attestationsPublish.")
class AttestationsPublishPayload:
    """The answer to attestationsPublish."""

    receipt: Receipt | None = strawberry.field(description="Where the batch stands.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type
class EventPayload:
    """What every event's payload holds."""

    attestation: UUID | None = strawberry.field(description="Id of the attestation.", default=None)
    receipt: Receipt | None = strawberry.field(description="Where its batch stands.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to agreementRecord.")
class AgreementRecordPayload(EventPayload):
    """The answer to agreementRecord."""


@open_type(description="The answer to disbursementRecord.")
class DisbursementRecordPayload(EventPayload):
    """The answer to disbursementRecord."""


@open_type(description="The answer to scheduleRecord.")
class ScheduleRecordPayload(EventPayload):
    """The answer to scheduleRecord."""


@open_type(description="The answer to repaymentRecord.")
class RepaymentRecordPayload(EventPayload):
    """The answer to repaymentRecord."""


@open_type(description="The answer to reversalRecord.")
class ReversalRecordPayload(EventPayload):
    """The answer to reversalRecord."""


@open_type(description="The answer to chargeRecord.")
class ChargeRecordPayload(EventPayload):
    """The answer to chargeRecord."""


@open_type(description="The answer to statusRecord.")
class StatusRecordPayload(EventPayload):
    """The answer to statusRecord."""


@open_type(description="The answer to closureRecord.")
class ClosureRecordPayload(EventPayload):
    """The answer to closureRecord."""


@open_type(description="The answer to transferRecord.")
class TransferRecordPayload(EventPayload):
    """The answer to transferRecord."""


@open_type(description="The answer to disputeOpen.")
class DisputeOpenPayload(EventPayload):
    """The answer to disputeOpen."""


def _event_mutation(description: str) -> Any:
    return guarded_mutation(permission=Permission.EVENTS_RECORD, description=description)


@strawberry.type
class EventMutation:
    """A lender's mutations."""

    @guarded_mutation(
        permission=Permission.ATTESTATIONS_PUBLISH,
        description="Publish a signed batch. The same batch again gets the first answer, with duplicate true.",
    )
    async def attestations_publish(
        self, info: Info, input: Input[AttestationsPublishInput]
    ) -> AttestationsPublishPayload:
        """Publish a signed batch."""
        return await answered(AttestationsPublishPayload, _publish(info.context, input))

    @_event_mutation("Record the terms of a new loan, or new terms of one.")
    async def agreement_record(self, info: Info, input: Input[AgreementRecordInput]) -> AgreementRecordPayload:
        """Record an agreement."""
        return await _record(AgreementRecordPayload, info.context, "agreement", input)

    @_event_mutation("Record that money went out.")
    async def disbursement_record(self, info: Info, input: Input[DisbursementRecordInput]) -> DisbursementRecordPayload:
        """Record a disbursement."""
        return await _record(DisbursementRecordPayload, info.context, "disbursement", input)

    @_event_mutation("Record a version of the repayment plan.")
    async def schedule_record(self, info: Info, input: Input[ScheduleRecordInput]) -> ScheduleRecordPayload:
        """Record a schedule."""
        return await _record(ScheduleRecordPayload, info.context, "schedule", input)

    @_event_mutation("Record that money came in.")
    async def repayment_record(self, info: Info, input: Input[RepaymentRecordInput]) -> RepaymentRecordPayload:
        """Record a repayment."""
        return await _record(RepaymentRecordPayload, info.context, "repayment", input)

    @_event_mutation("Record that a repayment was taken back.")
    async def reversal_record(self, info: Info, input: Input[ReversalRecordInput]) -> ReversalRecordPayload:
        """Record a reversal."""
        return await _record(ReversalRecordPayload, info.context, "reversal", input, refs=(input.repayment,))

    @_event_mutation("Record a fee, a penalty or interest outside the plan.")
    async def charge_record(self, info: Info, input: Input[ChargeRecordInput]) -> ChargeRecordPayload:
        """Record a charge."""
        return await _record(ChargeRecordPayload, info.context, "charge", input)

    @_event_mutation("Record what the lender's books say of an account.")
    async def status_record(self, info: Info, input: Input[StatusRecordInput]) -> StatusRecordPayload:
        """Record a snapshot."""
        return await _record(StatusRecordPayload, info.context, "status_snapshot", input)

    @_event_mutation("Record that an account ended.")
    async def closure_record(self, info: Info, input: Input[ClosureRecordInput]) -> ClosureRecordPayload:
        """Record a closure."""
        return await _record(ClosureRecordPayload, info.context, "closure", input)

    @_event_mutation(
        "Record that the caller sold a loan to another lender. The buyer says so too: its agreementRecord names this "
        "account as predecessor, and the caller as predecessorLender."
    )
    async def transfer_record(self, info: Info, input: Input[TransferRecordInput]) -> TransferRecordPayload:
        """Record a sale."""
        context = info.context
        input.seller = context.tenant

        async def act() -> TransferRecordPayload:
            if input.new_account is not None:  # an account on the ledger is a participant's
                (await context.node.publisher.participants()).tenant(TenantId(input.buyer))
            return await _recorded(TransferRecordPayload, context, "transfer", input)

        return await answered(TransferRecordPayload, act())

    @_event_mutation("Record that the borrower contests what is recorded.")
    async def dispute_open(self, info: Info, input: Input[DisputeOpenInput]) -> DisputeOpenPayload:
        """Open a dispute."""
        return await _record(DisputeOpenPayload, info.context, "dispute", input, refs=tuple(input.about))


async def _publish(context: Context, asked: AttestationsPublishInput) -> AttestationsPublishPayload:
    token, body = asked.statement.encode(), asked.ndjson.encode()
    receipt = await context.node.publisher.publish(context.tenant, token, body)
    return AttestationsPublishPayload(receipt=receipt_of(receipt, context.node.origin))


async def _record(
    payload: type[Payload], context: Context, kind: str, asked: LoanEventInput, *, refs: tuple[str, ...] = ()
) -> Payload:
    return await answered(payload, _recorded(payload, context, kind, asked, refs))


async def _recorded(
    payload: type[Payload], context: Context, kind: str, asked: LoanEventInput, refs: tuple[str, ...] = ()
) -> Payload:
    borrower = getattr(asked, "borrower", None)
    event = Event(
        kind=kind,
        body=asked.body(),  # type: ignore[attr-defined]
        account=account_of(context, asked.account),
        subject=None if borrower is None else subject_of(context, borrower),
        effective_date=asked.effective_date,
        refs=tuple(Uuid(ref) for ref in refs),
        jurisdiction=asked.jurisdiction,
    )
    found = await context.services.events.record(context.tenant, event, key=asked.idempotency_key)
    receipt = receipt_of(found.receipt, context.node.origin)
    return payload(attestation=UUID(str(found.attestation)), receipt=receipt)  # type: ignore[call-arg]
