"""The account that a loan was before it was sold to its lender.

Rules
- Shown once both lenders attest the sale of that account to this one, of the same borrower; a claim of one shows nothing.
- The sale conveys the months' characters and the date of first delinquency, which are the loan's own figures from then
  on. Nothing else of the seller's is shown.
"""

from __future__ import annotations

import strawberry

from api.graphql.context import Info
from api.graphql.fields import open_type
from api.graphql.scalars import Base64
from api.graphql.tenants import Tenant, find_tenant
from ledger.view.credit_view import Line


@open_type(description="The account that a loan was before it was sold to its lender.")
class EarlierAccount:
    """The account that a loan was before it was sold to its lender."""

    account: Base64 = strawberry.field(description="The seller's keyed reference of the account, 32 bytes.")
    lender_name: strawberry.Private[str]

    @strawberry.field(description="Who sold it.")
    async def lender(self, info: Info) -> Tenant:
        """Who sold it."""
        return await find_tenant(info, self.lender_name)


def earlier_account_of(line: Line) -> EarlierAccount | None:
    """What a line continues; None where that is nothing, or not consented."""
    found = line.continues
    return None if found is None else EarlierAccount(account=Base64(found.account), lender_name=found.lender)
