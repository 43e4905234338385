"""The inputs of single events: one a kind, with the enums they speak in.

An input is what a lender says; ``body`` turns it into the attestation's typed body. The ledger's own rules (amounts,
currencies, sums that add up) are checked where the attestation is composed, and come back as refusals.
"""

from __future__ import annotations

from enum import Enum

import strawberry

from api.graphql.agreement_terms import AllocationSlot, BusinessDayConvention, ExcessRule
from api.graphql.payloads import IDEMPOTENCY, AccountInput, BorrowerInput
from api.graphql.scalars import UUID, Base64, Date
from ledger.attestation import credit_kinds as credit
from ledger.attestation.fields import Body
from ledger.attestation.sharing_kinds import Dispute
from ledger.types import MinorUnits

_CURRENCY = "ISO 4217 code of the loan."


@strawberry.enum(description="What kind of credit a loan is (Metro 2 portfolio types).")
class PortfolioType(Enum):
    """What kind of credit a loan is."""

    INSTALMENT = strawberry.enum_value("instalment", description="A fixed sum, repaid in instalments.")
    LINE_OF_CREDIT = strawberry.enum_value("line_of_credit", description="Drawn when needed, up to a limit.")
    MORTGAGE = strawberry.enum_value("mortgage", description="Secured by real estate.")
    OPEN = strawberry.enum_value("open", description="The whole balance is due each period.")
    REVOLVING = strawberry.enum_value("revolving", description="A card: at least a minimum is due each period.")


@strawberry.enum(description="How often an instalment is due.")
class Frequency(Enum):
    """How often an instalment is due."""

    ONCE = strawberry.enum_value("once", description="One payment.")
    WEEKLY = strawberry.enum_value("weekly", description="Every week.")
    FORTNIGHTLY = strawberry.enum_value("fortnightly", description="Every two weeks.")
    SEMI_MONTHLY = strawberry.enum_value("semi_monthly", description="Twice a month.")
    MONTHLY = strawberry.enum_value("monthly", description="Every month.")
    BIMONTHLY = strawberry.enum_value("bimonthly", description="Every two months.")
    QUARTERLY = strawberry.enum_value("quarterly", description="Every three months.")
    FOUR_MONTHLY = strawberry.enum_value("four_monthly", description="Every four months.")
    SEMI_ANNUAL = strawberry.enum_value("semi_annual", description="Every six months.")
    ANNUAL = strawberry.enum_value("annual", description="Every year.")
    DEFERRED = strawberry.enum_value("deferred", description="Not yet.")
    ON_DEMAND = strawberry.enum_value("on_demand", description="When the lender asks.")


@strawberry.enum(description="Why a repayment plan has a new version.")
class ScheduleCause(Enum):
    """Why a repayment plan has a new version."""

    INITIAL = strawberry.enum_value("initial", description="The first plan.")
    DISBURSEMENT = strawberry.enum_value("disbursement", description="More money went out.")
    RATE_CHANGE = strawberry.enum_value("rate_change", description="The rate changed.")
    RESTRUCTURE = strawberry.enum_value("restructure", description="The terms changed because of difficulty.")
    EARLY_PAYMENT = strawberry.enum_value("early_payment", description="The borrower paid ahead.")
    CORRECTION = strawberry.enum_value("correction", description="The earlier plan was wrong.")


@strawberry.enum(description="Why a repayment is taken back.")
class ReversalCause(Enum):
    """Why a repayment is taken back."""

    BOUNCED = strawberry.enum_value("bounced", description="The payment did not go through.")
    CHARGEBACK = strawberry.enum_value("chargeback", description="The payer's bank took it back.")
    ERROR = strawberry.enum_value("error", description="It was recorded by mistake.")
    REFUND = strawberry.enum_value("refund", description="It was more than was owed, and the rest was given back.")


@strawberry.enum(description="What a charge is for.")
class ChargeComponent(Enum):
    """What a charge is for."""

    FEE = strawberry.enum_value("fee", description="A fee.")
    INTEREST = strawberry.enum_value("interest", description="Interest outside the plan.")
    PENALTY = strawberry.enum_value("penalty", description="For being late.")


@strawberry.enum(description="How an account ended.")
class ClosureCause(Enum):
    """How an account ended."""

    CANCELLED = strawberry.enum_value("cancelled", description="Before money went out.")
    FRAUD = strawberry.enum_value("fraud", description="It was never the borrower's.")
    PAID = strawberry.enum_value("paid", description="Everything was paid.")
    REFINANCED = strawberry.enum_value("refinanced", description="Another loan took its place.")
    SETTLED_SHORT = strawberry.enum_value("settled_short", description="Less than everything was accepted.")
    TRANSFERRED = strawberry.enum_value("transferred", description="Another lender holds it.")
    WRITTEN_OFF = strawberry.enum_value("written_off", description="The rest is no longer asked for.")


@strawberry.enum(description="What the lender's books say of an account.")
class AccountStatus(Enum):
    """What the lender's books say of an account."""

    CURRENT = strawberry.enum_value("current", description="Paid as agreed.")
    PAST_DUE = strawberry.enum_value("past_due", description="Something is overdue.")
    CLOSED = strawberry.enum_value("closed", description="Paid or closed.")
    TRANSFERRED = strawberry.enum_value("transferred", description="Another lender holds it.")
    CHARGED_OFF = strawberry.enum_value("charged_off", description="A loss in the lender's books.")
    COLLECTION = strawberry.enum_value("collection", description="With a collector.")


@strawberry.input(description="What every event about a loan says.")
class LoanEventInput:
    """What every event about a loan says; each kind adds its own members."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    account: AccountInput = strawberry.field(description="The loan's account.")
    effective_date: Date = strawberry.field(description="The day that the event is about, in the lender's own zone.")
    jurisdiction: str | None = strawberry.field(
        description="ISO 3166 alpha-2 code; absent: the tenant's country.", default=None
    )


@strawberry.input(description="The terms that both sides signed; a new loan begins with them.")
class AgreementRecordInput(LoanEventInput):
    """The terms that both sides signed."""

    borrower: BorrowerInput = strawberry.field(description="Who owes.")
    currency: str = strawberry.field(description=_CURRENCY)
    principal: MinorUnits = strawberry.field(description="What is lent.")
    portfolio_type: PortfolioType = strawberry.field(description="What kind of credit it is.")
    product: str | None = strawberry.field(description="The lender's product code, 1 to 32 characters.", default=None)
    rate_ppm: int | None = strawberry.field(description="Yearly rate in parts per million.", default=None)
    instalments: int | None = strawberry.field(description="How many; absent: no fixed number.", default=None)
    frequency: Frequency | None = strawberry.field(description="How often an instalment is due.", default=None)
    first_due: Date | None = strawberry.field(description="When the first instalment is due.", default=None)
    limit: MinorUnits | None = strawberry.field(description="Credit limit.", default=None)
    grace_days: int = strawberry.field(description="Days after the due date that do not count as late.", default=0)
    collateral: bool = strawberry.field(description="Whether something secures it.", default=False)
    allocation_order: list[AllocationSlot] | None = strawberry.field(
        description="The order in which payments meet what is owed, each of the twelve slots once; absent: past due, due, "
        "in advance, each penalty, fee, interest, principal.",
        default=None,
    )
    excess_rule: ExcessRule | None = strawberry.field(
        description="Where money in advance goes; absent: to the next instalment.", default=None
    )
    business_day_convention: BusinessDayConvention | None = strawberry.field(
        description="Where a due date on a holiday goes; absent: it stays.", default=None
    )
    calendar: str | None = strawberry.field(
        description="Whose holidays count, such as KE; absent: weekends alone.", default=None
    )
    predecessor: Base64 | None = strawberry.field(
        description="The seller's keyed reference of the account that this one continues, 32 bytes.", default=None
    )
    predecessor_lender: str | None = strawberry.field(description="Short name of that seller.", default=None)

    def body(self) -> Body:
        """The attestation's body."""
        order, convention, excess = self.allocation_order, self.business_day_convention, self.excess_rule
        return credit.Agreement(
            allocation_order=None if order is None else tuple(slot.value for slot in order),
            business_day_convention=None if convention is None else convention.value,
            calendar=self.calendar,
            collateral=self.collateral,
            currency=self.currency,
            excess_rule=None if excess is None else excess.value,
            first_due=self.first_due,
            frequency=None if self.frequency is None else self.frequency.value,
            grace_days=self.grace_days,
            instalments=self.instalments,
            limit=self.limit,
            portfolio_type=self.portfolio_type.value,
            predecessor=self.predecessor,
            predecessor_lender=self.predecessor_lender,
            principal=self.principal,
            product=self.product,
            rate_ppm=self.rate_ppm,
        )


@strawberry.input(description="Money went out to the borrower.")
class DisbursementRecordInput(LoanEventInput):
    """Money went out."""

    amount: MinorUnits = strawberry.field(description="How much.")
    currency: str = strawberry.field(description=_CURRENCY)
    tranche: int = strawberry.field(description="Which part of the loan, from 1.", default=1)

    def body(self) -> Body:
        """The attestation's body."""
        return credit.Disbursement(amount=self.amount, currency=self.currency, tranche=self.tranche)


@strawberry.input(description="One instalment of a repayment plan.")
class InstalmentInput:
    """One instalment."""

    due: Date = strawberry.field(description="When it is due.")
    principal: MinorUnits = strawberry.field(description="Principal in it.", default=MinorUnits(0))
    interest: MinorUnits = strawberry.field(description="Interest in it.", default=MinorUnits(0))
    fee: MinorUnits = strawberry.field(description="Fees in it.", default=MinorUnits(0))


@strawberry.input(description="A version of the repayment plan.")
class ScheduleRecordInput(LoanEventInput):
    """A version of the repayment plan."""

    currency: str = strawberry.field(description=_CURRENCY)
    cause: ScheduleCause = strawberry.field(description="Why there is a new version.")
    version: int = strawberry.field(description="Its number, from 1.")
    rows: list[InstalmentInput] = strawberry.field(description="1 to 480 instalments, by due date.")

    def body(self) -> Body:
        """The attestation's body."""
        rows = tuple(
            credit.ScheduleRow(due=row.due, fee=row.fee, interest=row.interest, n=number, principal=row.principal)
            for number, row in enumerate(self.rows, start=1)
        )
        return credit.Schedule(cause=self.cause.value, currency=self.currency, rows=rows, version=self.version)


@strawberry.input(description="Where a repayment went; the members add up to its amount.")
class AllocationInput:
    """Where a repayment went."""

    principal: MinorUnits = strawberry.field(description="To principal.", default=MinorUnits(0))
    interest: MinorUnits = strawberry.field(description="To interest.", default=MinorUnits(0))
    fee: MinorUnits = strawberry.field(description="To fees.", default=MinorUnits(0))
    penalty: MinorUnits = strawberry.field(description="To penalties.", default=MinorUnits(0))
    excess: MinorUnits = strawberry.field(description="More than was owed.", default=MinorUnits(0))


@strawberry.input(description="Money came in.")
class RepaymentRecordInput(LoanEventInput):
    """Money came in."""

    amount: MinorUnits = strawberry.field(description="How much, at least 1.")
    currency: str = strawberry.field(description=_CURRENCY)
    channel: str = strawberry.field(description="How it came: mobile, cash, bank and so on, 1 to 32 characters.")
    allocated: AllocationInput | None = strawberry.field(
        description="Where it went; absent: by the agreement's own order.", default=None
    )
    external_reference: Base64 | None = strawberry.field(
        description="SHA-256 of the payment system's reference, 32 bytes.", default=None
    )
    posting_date: Date | None = strawberry.field(description="When it was booked, if on another day.", default=None)

    def body(self) -> Body:
        """The attestation's body."""
        parts = self.allocated
        allocated = None if parts is None else credit.Allocation(
            excess=parts.excess, fee=parts.fee, interest=parts.interest, penalty=parts.penalty,
            principal=parts.principal,
        )  # fmt: skip
        return credit.Repayment(
            allocated=allocated,
            amount=self.amount,
            channel=self.channel,
            currency=self.currency,
            external_ref=self.external_reference,
            posting_date=self.posting_date,
        )


@strawberry.input(description="A repayment is taken back.")
class ReversalRecordInput(LoanEventInput):
    """A repayment is taken back."""

    repayment: UUID = strawberry.field(description="Id of the repayment's attestation.")
    amount: MinorUnits = strawberry.field(description="How much of it.")
    currency: str = strawberry.field(description=_CURRENCY)
    cause: ReversalCause = strawberry.field(description="Why.")

    def body(self) -> Body:
        """The attestation's body."""
        return credit.Reversal(amount=self.amount, cause=self.cause.value, currency=self.currency)


@strawberry.input(description="An amount is added to what is owed.")
class ChargeRecordInput(LoanEventInput):
    """An amount is added to what is owed."""

    amount: MinorUnits = strawberry.field(description="How much.")
    currency: str = strawberry.field(description=_CURRENCY)
    component: ChargeComponent = strawberry.field(description="What it is for.")
    due: Date = strawberry.field(description="When it is due.")
    reason: str = strawberry.field(description="The lender's reason code, 1 to 32 characters.")

    def body(self) -> Body:
        """The attestation's body."""
        return credit.Charge(
            amount=self.amount,
            component=self.component.value,
            currency=self.currency,
            due=self.due,
            reason=self.reason,
        )


@strawberry.input(description="What the lender's books say of the account on the effective date.")
class StatusRecordInput(LoanEventInput):
    """What the lender's books say."""

    currency: str | None = strawberry.field(description=_CURRENCY, default=None)
    status: AccountStatus | None = strawberry.field(description="The account's status.", default=None)
    balance: MinorUnits | None = strawberry.field(description="What is owed.", default=None)
    past_due: MinorUnits | None = strawberry.field(description="What is overdue.", default=None)
    paid: MinorUnits | None = strawberry.field(description="What was paid this month.", default=None)
    scheduled: MinorUnits | None = strawberry.field(description="What is due each period.", default=None)
    days_past_due: int | None = strawberry.field(description="Days since the oldest unmet due date.", default=None)

    def body(self) -> Body:
        """The attestation's body."""
        return credit.StatusSnapshot(
            balance=self.balance,
            currency=self.currency,
            dpd=self.days_past_due,
            paid=self.paid,
            past_due=self.past_due,
            scheduled=self.scheduled,
            status=None if self.status is None else self.status.value,
        )


@strawberry.input(description="The account ended.")
class ClosureRecordInput(LoanEventInput):
    """The account ended."""

    cause: ClosureCause = strawberry.field(description="How.")

    def body(self) -> Body:
        """The attestation's body."""
        return credit.Closure(cause=self.cause.value)


@strawberry.input(description="The loan was sold to another lender.")
class TransferRecordInput(LoanEventInput):
    """The loan was sold."""

    buyer: str = strawberry.field(description="Short name of the lender that bought it.")
    balance: MinorUnits = strawberry.field(description="What was owed on the day of the sale.")
    currency: str = strawberry.field(description=_CURRENCY)
    new_account: Base64 | None = strawberry.field(
        description="The buyer's keyed reference of its account, 32 bytes: the history follows once the buyer's agreement "
        "names this account as its predecessor. Absent: the buyer keeps its loans elsewhere, or told no account yet.",
        default=None,
    )
    seller: strawberry.Private[str] = ""

    def body(self) -> Body:
        """The attestation's body."""
        return credit.Transfer(
            balance=self.balance,
            buyer=self.buyer,
            currency=self.currency,
            new_account=self.new_account,
            seller=self.seller,
        )


@strawberry.input(description="The borrower contests what is recorded.")
class DisputeOpenInput(LoanEventInput):
    """The borrower contests what is recorded."""

    claim: str = strawberry.field(description="What the borrower claims, as a code of 1 to 32 characters.")
    about: list[UUID] = strawberry.field(
        description="Ids of the attestations that are contested, at most 64; none: the whole account.",
        default_factory=list,
    )

    def body(self) -> Body:
        """The attestation's body."""
        return Dispute(claim=self.claim, state="opened")
