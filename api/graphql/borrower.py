"""A borrower's own page: every loan, every consent, everybody who looked. And any object by its global id."""

from __future__ import annotations

from uuid import UUID as Uuid

import strawberry

from api.auth.permissions import Permission, require
from api.graphql.alerts import BorrowerAlert, alert_by_key, borrower_alerts
from api.graphql.connections import After, Connection, First, GlobalIdArgument, Node, page_of
from api.graphql.consent_types import Consent
from api.graphql.consents import consent_by_key, consent_page
from api.graphql.context import Info
from api.graphql.fields import guarded_field, guarded_type
from api.graphql.loans import AsOf, Tradeline, loan_by_key, tradeline_of
from api.graphql.log import entry_of
from api.graphql.scalars import Base64, decode_global_id, page_size
from api.graphql.tenants import find_tenant
from api.graphql.views import AccessRecord, access_of
from ledger.errors import InvalidInput, NotFound
from ledger.store.attestation_rows import LAST_ID


@guarded_type(permission=Permission.BORROWER_READ, description="The borrower who calls.")
class Borrower:
    """The borrower who calls."""

    subject: Base64 = strawberry.field(description="The borrower's pseudonym, 32 bytes.")

    @strawberry.field(description="Every loan at every lender, at most 500. Reading one's own leaves no record.")
    async def lines(self, info: Info, as_of: AsOf = None) -> list[Tradeline]:
        """Every loan."""
        lines = await info.context.node.reader.own_lines(info.context.subject, as_of=as_of)
        return [tradeline_of(line) for line in lines]

    @guarded_field(permission=Permission.CONSENTS_READ, description="Every consent, newest first.")
    async def consents(self, info: Info, first: First, after: After = None) -> Connection[Consent]:
        """Every consent."""
        return await consent_page(info.context, first, after)  # type: ignore[no-any-return]

    @guarded_field(permission=Permission.ACCESSES_READ, description="Everybody who looked, newest first.")
    async def accesses(self, info: Info, first: First, after: After = None) -> Connection[AccessRecord]:
        """Everybody who looked."""
        context, size = info.context, page_size(first)
        cursors, scope = context.services.cursors, f"accesses/{context.subject.hex()}"
        before = LAST_ID if after is None else Uuid(str(cursors.decode(scope, after)[0]))
        seen = await context.node.reader.accesses(context.subject, before=before, limit=size + 1)
        shown = [(cursors.encode(scope, str(each.id)), access_of(each)) for each in seen[:size]]
        return page_of(shown, more=len(seen) > size, after=after)  # type: ignore[no-any-return]

    @strawberry.field(description="Every warning about the caller that a lender got, newest first.")
    async def alerts(self, info: Info, first: First, after: After = None) -> Connection[BorrowerAlert]:
        """Every warning."""
        return await borrower_alerts(info.context, first, after)  # type: ignore[no-any-return]


@strawberry.type
class BorrowerQuery:
    """A borrower's own page, and the node field."""

    @guarded_field(permission=Permission.BORROWER_READ, description="The borrower who calls.")
    async def me(self, info: Info) -> Borrower:
        """The borrower who calls."""
        return Borrower(subject=Base64(info.context.subject))

    @guarded_field(
        permission=Permission.PUBLIC,
        description="An object by its global id; null when it is not there or not for the caller to see.",
    )
    async def node(self, info: Info, id: GlobalIdArgument) -> Node | None:
        """An object by its global id."""
        kind, key = decode_global_id(id, *_FINDERS)
        try:
            return await _FINDERS[kind](info, key)
        except NotFound:
            return None


async def _access(info: Info, key: str) -> Node | None:
    require(info.context.principal, Permission.ACCESSES_READ)
    wanted = _uuid(key)
    # The list goes backwards from an exclusive end: the one right before the id's successor is the id itself, or not.
    before = Uuid(int=min(wanted.int + 1, LAST_ID.int))
    seen = await info.context.node.reader.accesses(info.context.subject, before=before, limit=1)
    return access_of(seen[0]) if seen and seen[0].id == wanted else None


async def _alert(info: Info, key: str) -> Node | None:
    require(info.context.principal, Permission.ALERTS_READ)
    return await alert_by_key(info.context, key)


async def _consent(info: Info, key: str) -> Node | None:
    require(info.context.principal, Permission.CONSENTS_READ)
    return await consent_by_key(info.context, _uuid(key))


async def _loan(info: Info, key: str) -> Node | None:
    require(info.context.principal, Permission.LOANS_READ)
    return await loan_by_key(info.context, key)


async def _entry(info: Info, key: str) -> Node | None:
    require(info.context.principal, Permission.LEDGER_READ)
    index = int(key) if key.isascii() and key.isdigit() and len(key) < 19 else -1
    return entry_of(await info.context.services.publications.entry(index))


async def _tenant(info: Info, key: str) -> Node | None:
    require(info.context.principal, Permission.LEDGER_READ)
    return await find_tenant(info, key)


def _uuid(key: str) -> Uuid:
    try:
        return Uuid(key)
    except ValueError:
        raise InvalidInput("global_id_invalid", "not an id of this ledger", path="$.id") from None


_FINDERS = {
    "AccessRecord": _access, "Alert": _alert, "Consent": _consent, "Entry": _entry, "Loan": _loan, "Tenant": _tenant,
}  # fmt: skip
"""Type of a global id -> who finds the object, for this caller."""
