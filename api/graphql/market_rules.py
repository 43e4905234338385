"""Rules that look at a debtor's debts at every lender, answered with counts: China's rule of the overdue fifth.

``pulledAcrossLenders`` is a query that leaves a trace: it is published on the ledger before its answer leaves, and the
borrower sees it, whether it rests on a consent or on the law of the lender's country.
"""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.auth.permissions import Permission
from api.graphql.consents import consent_id
from api.graphql.context import Info
from api.graphql.fields import guarded_field, guarded_type
from api.graphql.payloads import AccountInput, account_of
from ledger.jurisdiction.pulling import PullAnswer as Answer


@guarded_type(permission=Permission.LOANS_READ, description="What a lender learns of a rule across lenders.")
class PullAnswer:
    """What a lender learns of a rule across lenders: no amount, no name, no share."""

    code: str = strawberry.field(
        description="applied, not_applied, retail_exempt, disclosure_refused, no_claim or value_none."
    )
    applied: bool | None = strawberry.field(description="Whether the rule applied; null: not to be known.")
    at_least: str | None = strawberry.field(description="The class that every claim on the debtor has at least.")
    claims_counted: int | None = strawberry.field(description="How many claims; null with fewer than three lenders.")
    claims_bad: int | None = strawberry.field(description="How many of them are bad; null likewise.")
    lenders_counted: int | None = strawberry.field(description="How many lenders; null likewise.")
    basis: str = strawberry.field(description="consent, law, or nothing.")
    evidence: str = strawberry.field(description="The consent, or the provision.")
    source: str | None = strawberry.field(description="The text that the rule is taken from.")
    clause: str | None = strawberry.field(description="Where in that text.")


def _shown(answer: Answer) -> PullAnswer:
    ruling = answer.ruling
    return PullAnswer(
        code=answer.code, applied=answer.applied, at_least=answer.at_least, claims_counted=answer.claims_counted,
        claims_bad=answer.claims_bad, lenders_counted=answer.lenders_counted, basis=answer.basis,
        evidence=answer.evidence, source=ruling and ruling.source, clause=ruling and ruling.at,
    )  # fmt: skip


@strawberry.type
class MarketRuleQuery:
    """Rules across lenders."""

    @guarded_field(
        permission=Permission.LOANS_READ,
        description="Whether the borrower's debts at all lenders pull the class of one of the caller's loans. The look "
        "is published on the ledger before the answer leaves.",
    )
    async def pulled_across_lenders(
        self,
        info: Info,
        account: Annotated[AccountInput, strawberry.argument(description="One of the caller's loans.")],
        consent: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The borrower's consent; absent: the law of the caller's country."),
        ] = None,
        retail: Annotated[bool, strawberry.argument(description="Whether the borrower is a consumer.")] = False,
    ) -> PullAnswer:
        """Whether the rule applied."""
        context = info.context
        answer = await context.node.market_rules.pulled(
            context.tenant, account_of(context, account), retail=retail,
            consent=None if consent is None else consent_id(consent),
        )  # fmt: skip
        return _shown(answer)
