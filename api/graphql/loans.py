"""Loans: a lender's own, and the tradelines that a borrower or a consented reader sees.

Rules
- The figures are those of ``ledger.view``: null is unknown, or not covered by the consent, never zero.
- A lender sees its own tenant's loans and nobody else's; the database enforces it besides.
- A loan that was bought shows the seller's months, its date of first delinquency and where they come from, once both
  lenders attest the sale of that account to this one; no other figure of the seller's.
- Money is in minor units of the line's currency.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import strawberry

from api.auth.permissions import Permission
from api.graphql.classification import Classified
from api.graphql.classification_past import Judged
from api.graphql.connections import After, Connection, First, Node, page_of
from api.graphql.context import Context, Info
from api.graphql.continuity import EarlierAccount, earlier_account_of
from api.graphql.explanations import Explanation, KnownAt, explanation_of
from api.graphql.fields import guarded_field, guarded_type, open_type
from api.graphql.payloads import AccountInput, account_of
from api.graphql.scalars import Base64, Date, encode_global_id, page_size
from api.graphql.tenants import Tenant, find_tenant
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import NotFound
from ledger.types import AccountRef, MinorUnits
from ledger.view.credit_view import Line

AsOf = Annotated[
    Date | None, strawberry.argument(description="The day that the figures are for; absent: today in UTC.")
]


@strawberry.type
class Figures(Classified):
    """The figures of one loan on one day; the types below say who may see them."""

    account: Base64 = strawberry.field(description="The lender's keyed reference of the account, 32 bytes.")
    as_of: Date = strawberry.field(description="The day that the figures are for.")
    portfolio_type: str | None = strawberry.field(
        description="instalment, line_of_credit, mortgage, open or revolving."
    )
    product: str | None = strawberry.field(description="The lender's own product code.")
    currency: str | None = strawberry.field(description="ISO 4217 code of all amounts.")
    opened: Date | None = strawberry.field(description="When the loan was opened.")
    closed: Date | None = strawberry.field(description="When it was closed; null while it is open.")
    principal: MinorUnits | None = strawberry.field(description="What was lent, or the highest balance.")
    limit: MinorUnits | None = strawberry.field(description="Credit limit.")
    rate_ppm: int | None = strawberry.field(description="Yearly rate in parts per million.")
    frequency: str | None = strawberry.field(description="How often an instalment is due, as in an agreement.")
    instalments: int | None = strawberry.field(description="How many instalments were agreed.")
    collateral: bool | None = strawberry.field(description="Whether something secures it.")
    balance: MinorUnits | None = strawberry.field(description="What is owed.")
    scheduled: MinorUnits | None = strawberry.field(description="What is due each period.")
    past_due: MinorUnits | None = strawberry.field(description="What is overdue.")
    days_past_due: int | None = strawberry.field(description="Days since the oldest due date that is not met.")
    delinquent_days: int | None = strawberry.field(description="The same, days of grace and of pauses left out.")
    since: Date | None = strawberry.field(description="The oldest due date that is not met.")
    last_paid: Date | None = strawberry.field(description="Value date of the newest repayment.")
    stage: str | None = strawberry.field(description="Where the loan is in its life: applied, active, paid and so on.")
    status: str | None = strawberry.field(description="The newest status in the lender's books.")
    flags: list[str] | None = strawberry.field(
        description="What stands beside the stage: charged_off, closed, defaulted, disputed, forborne, paused."
    )
    history: str | None = strawberry.field(
        description="24 months of payment history, newest first, one character each (Metro 2 field 18)."
    )
    first_delinquency: Date | None = strawberry.field(
        description="The date of first delinquency: fixed by a charge-off, here or before a sale, or by a sale in arrears "
        "that were not made good since."
    )
    continues: EarlierAccount | None = strawberry.field(
        description="The account that this loan was before a sale which both lenders attest; its months are in the "
        "history."
    )
    history_from: str | None = strawberry.field(description="Month of the first character: YYYY-MM.")
    lender_name: strawberry.Private[str]

    @strawberry.field(description="Who lent.")
    async def lender(self, info: Info) -> Tenant:
        """Who lent."""
        return await find_tenant(info, self.lender_name)


@guarded_type(permission=Permission.LOANS_READ, description="A loan of the caller's tenant.")
class Loan(Judged, Figures, Node):
    """A loan of the caller's tenant."""

    @strawberry.field(
        description="Why it stands where it stands on the day of its figures: instalment, rules, attestations. Null when "
        "the loan was not known at that log index."
    )
    async def explanation(self, info: Info, known_at: KnownAt = None) -> Explanation | None:
        """Why it stands where it stands."""
        context = info.context
        try:
            account, line = await context.node.reader.lender_account(
                context.tenant, AccountRef(self.account), as_of=self.as_of, known_at=known_at
            )
        except NotFound:
            return None
        return explanation_of(account, line)


@open_type(description="One loan in a credit view, or in the borrower's own list.")
class Tradeline(Figures):
    """One loan as its borrower or a consented reader sees it."""


def figures_of(line: Line) -> dict[str, Any]:
    """The members of ``Figures`` for a line."""
    shown = {name: getattr(line, name) for name in line.__struct_fields__}
    shown["continues"] = earlier_account_of(line)
    shown["days_past_due"] = shown.pop("dpd")
    shown["lender_name"], shown["line"] = shown.pop("lender"), line
    shown["flags"] = None if line.flags is None else list(line.flags)
    return shown


def tradeline_of(line: Line) -> Tradeline:
    """A line as its borrower or a consented reader sees it."""
    return Tradeline(**figures_of(line))


def loan_of(line: Line) -> Loan:
    """A line as its lender sees it."""
    key = f"{line.lender}:{encode_url(line.account)}"
    return Loan(id=strawberry.ID(encode_global_id("Loan", key)), **figures_of(line))


async def loan_by_key(context: Context, key: str) -> Loan | None:
    """The loan of a global id's key; None when it is not the caller's tenant's."""
    tenant, _, account = key.partition(":")
    if tenant != context.tenant:
        return None
    return await _loan(context, AccountRef(decode_url(account)), None)


async def _loan(context: Context, account: AccountRef, as_of: date | None) -> Loan | None:
    try:
        return loan_of(await context.node.reader.lender_loan(context.tenant, account, as_of=as_of))
    except NotFound:
        return None


@strawberry.type
class LoanQuery:
    """A lender's own loans."""

    @guarded_field(permission=Permission.LOANS_READ, description="The caller's loans, by account reference.")
    async def loans(self, info: Info, first: First, after: After = None, as_of: AsOf = None) -> Connection[Loan]:
        """The caller's loans."""
        context, size = info.context, page_size(first)
        cursors, scope = context.services.cursors, f"loans/{context.tenant}"
        start = b"" if after is None else decode_url(str(cursors.decode(scope, after)[0]))
        lines = await context.node.reader.lender_loans(context.tenant, after=start, limit=size + 1, as_of=as_of)
        shown = [(cursors.encode(scope, encode_url(line.account)), loan_of(line)) for line in lines[:size]]
        return page_of(shown, more=len(lines) > size, after=after)  # type: ignore[no-any-return]

    @guarded_field(
        permission=Permission.LOANS_READ,
        description="One of the caller's loans; null when there is none. For a past day its events are folded again.",
    )
    async def loan(
        self,
        info: Info,
        account: Annotated[AccountInput, strawberry.argument(description="Which account.")],
        as_of: AsOf = None,
    ) -> Loan | None:
        """One of the caller's loans."""
        return await _loan(info.context, account_of(info.context, account), as_of)
