"""The credit view: a borrower's loans across lenders, under consent, each figure provable; and the record of the look.

``creditView`` is a query that leaves a trace: every read is published on the ledger before its answer leaves, and uses
up one read of the consent. A client that repeats it reads again.
"""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import Node
from api.graphql.consent_types import ConsentDetail
from api.graphql.consents import consent_id
from api.graphql.context import Context, Info
from api.graphql.errors import UserError
from api.graphql.fields import guarded_field, guarded_type, open_type
from api.graphql.loans import AsOf, Tradeline, tradeline_of
from api.graphql.log import Entry, Receipt, entry_of, receipt_of
from api.graphql.payloads import answered, errors_field
from api.graphql.scalars import UUID, Base64, Date, encode_global_id
from api.graphql.tenants import Tenant, find_tenant
from ledger.node.reader import AccessSeen
from ledger.node.reader import CreditView as NodeView
from ledger.types import UnixMillis


@guarded_type(permission=Permission.VIEWS_READ, description="A borrower's loans, as far as the consent goes.")
class CreditView:
    """A borrower's loans across lenders."""

    consent: UUID = strawberry.field(description="The consent that allowed it.")
    detail: ConsentDetail = strawberry.field(description="How much of each loan it shows.")
    as_of: Date = strawberry.field(description="The day that the figures are for.")
    lines: list[Tradeline] = strawberry.field(description="The loans, at most 500.")
    evidence: int | None = strawberry.field(
        description="How many attestations the bundle discloses; null unless withBundle."
    )
    bundle: str | None = strawberry.field(
        description="The whole view with attestations, proofs and checkpoint, as the file that 'tallystick verify' "
        "checks offline; null unless withBundle."
    )
    access: Receipt = strawberry.field(description="Where the record of this read stands in the log.")


@open_type(description="The answer to creditView.")
class CreditViewPayload:
    """The answer to creditView."""

    view: CreditView | None = strawberry.field(description="The view; null when it was refused.", default=None)
    errors: list[UserError] = errors_field()


@guarded_type(permission=Permission.ACCESSES_READ, description="One reading of the caller's own data.")
class AccessRecord(Node):
    """One reading of a borrower's data."""

    access: UUID = strawberry.field(description="Id of its attestation.")
    consent: UUID | None = strawberry.field(description="The consent that allowed it.")
    detail: ConsentDetail = strawberry.field(description="How much of each loan was shown.")
    fields: list[str] = strawberry.field(description="Only these figures were shown; none: all of the detail.")
    lines: int = strawberry.field(description="How many loans were shown.")
    purpose: str = strawberry.field(description="Code of the consent's purpose.")
    read_at: UnixMillis = strawberry.field(description="When.")
    view_hash: Base64 = strawberry.field(description="SHA-256 of exactly the figures that were shown.")
    index: int = strawberry.field(description="Index of its log entry.")
    consumer_name: strawberry.Private[str]

    @strawberry.field(description="Who read.")
    async def consumer(self, info: Info) -> Tenant:
        """Who read."""
        return await find_tenant(info, self.consumer_name)

    @strawberry.field(description="The log entry that proves it.")
    async def entry(self, info: Info) -> Entry:
        """The log entry that proves it."""
        return entry_of(await info.context.services.publications.entry(self.index))


def access_of(seen: AccessSeen) -> AccessRecord:
    """An access record as the API shows it."""
    said = seen.access
    return AccessRecord(
        id=strawberry.ID(encode_global_id("AccessRecord", str(seen.id))),
        access=UUID(str(seen.id)),
        consent=None if said.consent is None else UUID(str(said.consent)),
        detail=ConsentDetail(said.detail),
        fields=list(said.fields),
        lines=said.lines,
        purpose=said.purpose,
        read_at=UnixMillis(said.read_at),
        view_hash=Base64(said.view_hash),
        index=seen.index,
        consumer_name=said.consumer,
    )


def view_of(view: NodeView, origin: str) -> CreditView:
    """A view as the API shows it."""
    return CreditView(
        consent=UUID(str(view.consent)),
        detail=ConsentDetail(view.detail),
        as_of=Date(view.as_of),
        lines=[tradeline_of(line) for line in view.lines],
        evidence=view.evidence if view.bundle else None,
        bundle=view.bundle.decode() if view.bundle else None,
        access=receipt_of(view.receipt, origin),
    )


@strawberry.type
class ViewQuery:
    """The consented read."""

    @guarded_field(
        permission=Permission.VIEWS_READ,
        description="Read a borrower's loans under a consent. The read is published on the ledger before the answer "
        "leaves and counts against the consent; asking again is another read.",
    )
    async def credit_view(
        self,
        info: Info,
        consent: Annotated[strawberry.ID, strawberry.argument(description="Global id of the consent.")],
        as_of: AsOf = None,
        with_bundle: Annotated[
            bool, strawberry.argument(description="Whether to add the file that proves every line.")
        ] = False,
    ) -> CreditViewPayload:
        """Read a borrower's loans under a consent."""
        return await answered(CreditViewPayload, _read(info.context, consent, as_of, with_bundle))


async def _read(context: Context, consent: str, as_of: Date | None, with_bundle: bool) -> CreditViewPayload:
    view = await context.node.reader.credit_view(
        context.tenant, consent_id(consent), as_of=as_of, with_bundle=with_bundle
    )
    return CreditViewPayload(view=view_of(view, context.node.origin))
