"""Why a loan stands where it stands: instalment, rules, attestations; for any day and any log index.

Rules
- Only the loan's lender asks: the reasons name its own attestations.
- ``knownAt`` is a log index: the answer is the one that could be given when that entry was the log's newest.
"""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.auth.permissions import Permission
from api.graphql.continuity import EarlierAccount, earlier_account_of
from api.graphql.fields import guarded_type
from api.graphql.scalars import UUID, Base64, Date
from ledger.attestation.credit_kinds import Insolvency
from ledger.loan.account import Account
from ledger.loan.explain import Reason, UnmetInstalment, explain
from ledger.types import MinorUnits
from ledger.view.credit_view import Line

KnownAt = Annotated[
    int | None,
    strawberry.argument(description="A log index: by what was known when it was the newest entry; absent: everything."),
]


@guarded_type(
    permission=Permission.LOANS_READ, name="UnmetInstalment", description="The oldest instalment that is not fully met."
)
class UnmetInstalmentOut:
    """The oldest instalment that is not fully met."""

    n: int | None = strawberry.field(description="Its number; null when only the lender's books tell of it.")
    due: Date = strawberry.field(description="Its due date: days past due count from here.")
    missing: MinorUnits = strawberry.field(description="What is missing of it in all.")
    penalty: MinorUnits = strawberry.field(description="Missing penalties.")
    fee: MinorUnits = strawberry.field(description="Missing fees.")
    interest: MinorUnits = strawberry.field(description="Missing interest.")
    principal: MinorUnits = strawberry.field(description="Missing principal.")


@guarded_type(permission=Permission.LOANS_READ, description="An attestation that a reason rests on.")
class Cause:
    """An attestation that a reason rests on."""

    attestation: UUID = strawberry.field(description="Its id.")
    kind: str = strawberry.field(description="What it says something of.")
    index: int = strawberry.field(description="Index of its batch in the log.")


@guarded_type(permission=Permission.LOANS_READ, name="Reason", description="One rule as it applies to this loan.")
class ReasonOut:
    """One rule as it applies to this loan."""

    rule: int = strawberry.field(description="0: the table of stages; 1 to 11: the rules of docs/loan-lifecycle.md.")
    sentence: str = strawberry.field(description="What the rule comes to here.")
    causes: list[Cause] = strawberry.field(description="The attestations that it rests on, in log order.")


@guarded_type(permission=Permission.LOANS_READ, description="An insolvency of the borrower that is not discharged.")
class OpenInsolvency:
    """An insolvency of the borrower that is not discharged."""

    type: str = strawberry.field(description="Which kind of proceeding.")
    filed: Date = strawberry.field(description="When it was filed.")
    court_reference: Base64 | None = strawberry.field(description="SHA-256 of the court's reference, 32 bytes.")


@guarded_type(permission=Permission.LOANS_READ, description="A loan's stage and days past due, with their reasons.")
class Explanation:
    """A loan's stage and days past due, with their reasons."""

    as_of: Date = strawberry.field(description="The day.")
    known_at: int | None = strawberry.field(description="The log index; null: everything that is known.")
    stage: str = strawberry.field(description="Where the loan is in its life.")
    days_past_due: int = strawberry.field(description="Days since the oldest due date that is not met.")
    delinquent_days: int = strawberry.field(description="The same, days of grace and of pauses left out.")
    instalment: UnmetInstalmentOut | None = strawberry.field(
        description="The instalment that days past due count from; null when nothing is overdue."
    )
    reasons: list[ReasonOut] = strawberry.field(description="Every rule that applies, with what it rests on.")
    guarantors: list[Base64] = strawberry.field(description="Pseudonyms of those who answer for the debt on the day.")
    collateral_ranks: list[int] = strawberry.field(description="Lien ranks of what secures it on the day.")
    successor: Base64 | None = strawberry.field(description="The account that took this one's place.")
    predecessor: Base64 | None = strawberry.field(description="The account whose place this one took.")
    continues: EarlierAccount | None = strawberry.field(
        description="The same with its lender, once both lenders attest the sale."
    )
    first_delinquency: Date | None = strawberry.field(
        description="The date of first delinquency that a charge-off fixed, here or before a sale."
    )
    history: str | None = strawberry.field(
        description="24 months of payment history, newest first, those before a sale among them."
    )
    insolvencies: list[OpenInsolvency] = strawberry.field(
        description="Insolvencies of the borrower that this lender attested and that are not discharged on the day."
    )


def explanation_of(account: Account, line: Line) -> Explanation:
    """The explanation of an account, as its lender sees it; ``line`` is the account's by the same knowledge."""
    found, predecessor = explain(account), account.predecessor
    return Explanation(
        as_of=account.as_of,
        known_at=account.known_at,
        stage=found.stage,
        days_past_due=found.days_past_due,
        delinquent_days=found.delinquent_days,
        instalment=None if found.instalment is None else _instalment(found.instalment),
        reasons=[_reason(reason) for reason in found.reasons],
        guarantors=[Base64(body.guarantor) for body in account.guarantees],
        collateral_ranks=[body.lien_rank for body in account.collateral],
        successor=None if account.successor is None else Base64(account.successor),
        predecessor=None if predecessor is None else Base64(predecessor[1]),
        continues=earlier_account_of(line),
        first_delinquency=None if line.first_delinquency is None else Date(line.first_delinquency),
        history=line.history,
        insolvencies=[_insolvency(body) for body in account.insolvencies],
    )


def _insolvency(body: Insolvency) -> OpenInsolvency:
    court = None if body.court_ref is None else Base64(body.court_ref)
    return OpenInsolvency(type=body.type, filed=Date(body.filed), court_reference=court)


def _instalment(found: UnmetInstalment) -> UnmetInstalmentOut:
    amounts = {name: MinorUnits(amount) for name, amount in found.missing._asdict().items()}
    return UnmetInstalmentOut(n=found.n, due=found.due, missing=MinorUnits(found.total), **amounts)


def _reason(reason: Reason) -> ReasonOut:
    causes = [Cause(attestation=UUID(str(each.id)), kind=each.kind, index=each.entry) for each in reason.attestations]
    return ReasonOut(rule=reason.rule, sentence=reason.sentence, causes=causes)
