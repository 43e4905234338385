"""The kinds that tell a loan's life: what a lender says about one account.

The date that an event is *about* (value date, date applied, as-of date) is always the envelope's ``effectiveDate``;
the subject is the envelope's ``subject``; what an event refers to is in the envelope's ``refs``.
Fields and units after the domain's usual minimum (Metro 2, Fineract, IFRS 9 and EBA definitions of the terms).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from ledger.attestation.fields import (
    AllocationSlot,
    BasisPoints,
    Body,
    Code,
    Component,
    Count,
    Currency,
    DayCount,
    Days,
    Frequency,
    Hash,
    Money,
    Name,
    RatePpm,
    Reasons,
    Role,
)
from ledger.limits import SCHEDULE_ROWS_MAX


class Application(Body, frozen=True, kw_only=True):
    """Someone asked for credit on ``effectiveDate``."""

    amount: Money
    channel: Code
    currency: Currency
    product: Code
    term_days: Days | None = None


class Enquiry(Body, frozen=True, kw_only=True):
    """A lender looked at a record; ``hard`` counts against the borrower, ``soft`` does not."""

    consent: UUID | None = None
    depth: Literal["hard", "soft"]
    purpose: Code
    view_hash: Hash | None = None


class Decision(Body, frozen=True, kw_only=True):
    """The answer to an application. At most four reason codes, a fifth when enquiries were one (ECOA, Reg B)."""

    amount: Money | None = None
    automated: bool
    currency: Currency | None = None
    model: Name | None = None
    outcome: Literal["approved", "declined", "countered", "withdrawn"]
    reasons: Reasons = ()


class Party(Body, frozen=True, kw_only=True):
    """Another subject on the same account."""

    role: Role
    subject: Hash


class Agreement(Body, frozen=True, kw_only=True):
    """The terms both sides signed. ``allocationOrder`` absent: past due before due before advance, each penalty, fee,
    interest, principal. ``instalments`` absent: no fixed number (revolving, on demand). ``businessDayConvention``
    moves due dates that fall on a holiday of ``calendar`` (F following, P preceding, M modified); absent: they stay.
    ``predecessor`` is the account at ``predecessorLender`` that this one continues after a transfer."""

    allocation_order: Annotated[tuple[AllocationSlot, ...], Meta(min_length=12, max_length=12)] | None = None
    business_day_convention: Literal["F", "MF", "P", "MP"] | None = None
    calendar: Code | None = None
    collateral: bool = False
    currency: Currency
    day_count: DayCount | None = None
    excess_rule: Literal["next", "last", "re_amortise"] | None = None
    first_due: date | None = None
    frequency: Frequency | None = None
    grace_days: Days = 0
    instalments: Count | None = None
    limit: Money | None = None
    parties: Annotated[tuple[Party, ...], Meta(max_length=32)] = ()
    portfolio_type: Literal["instalment", "line_of_credit", "mortgage", "open", "revolving"]
    predecessor: Hash | None = None
    predecessor_lender: Name | None = None
    principal: Money
    product: Code | None = None
    rate_ppm: RatePpm | None = None


class Disbursement(Body, frozen=True, kw_only=True):
    """Money went out; ``tranche`` counts from 1."""

    amount: Money
    currency: Currency
    tranche: Annotated[int, Meta(ge=1, le=1_000)]


class ScheduleRow(Body, frozen=True, kw_only=True):
    """One instalment; ``n`` counts from 1."""

    due: date
    fee: Money = 0
    interest: Money = 0
    n: Annotated[int, Meta(ge=1, le=SCHEDULE_ROWS_MAX)]
    principal: Money = 0


class Schedule(Body, frozen=True, kw_only=True):
    """A version of the repayment plan; a later version replaces the rows of an earlier one."""

    cause: Literal["initial", "disbursement", "rate_change", "restructure", "early_payment", "correction"]
    currency: Currency
    rows: Annotated[tuple[ScheduleRow, ...], Meta(min_length=1, max_length=SCHEDULE_ROWS_MAX)]
    version: Annotated[int, Meta(ge=1, le=10_000)]


class Charge(Body, frozen=True, kw_only=True):
    """An amount added to what is owed, due on ``due``."""

    amount: Money
    component: Literal["penalty", "fee", "interest"]
    currency: Currency
    due: date
    reason: Code


class Waiver(Body, frozen=True, kw_only=True):
    """An amount the lender no longer asks for."""

    amount: Money
    component: Component
    currency: Currency
    reason: Code


class Allocation(Body, frozen=True, kw_only=True):
    """Where a payment went; the members add up to the payment."""

    excess: Money = 0
    fee: Money = 0
    interest: Money = 0
    penalty: Money = 0
    principal: Money = 0

    def total(self) -> int:
        """Sum of all members, minor units."""
        return self.excess + self.fee + self.interest + self.penalty + self.principal


class Repayment(Body, frozen=True, kw_only=True):
    """Money came in with value date ``effectiveDate``. ``allocated`` absent: by the agreement's own order."""

    allocated: Allocation | None = None
    amount: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    channel: Code
    currency: Currency
    external_ref: Hash | None = None
    posting_date: date | None = None


class Reversal(Body, frozen=True, kw_only=True):
    """Takes back the repayment named in ``refs``, or a part of it; days past due count from the original due date
    again. ``refund`` is money given back to the borrower, which an overpaid loan does not owe."""

    amount: Money
    cause: Literal["error", "chargeback", "bounced", "refund"]
    currency: Currency


AccountStatus = Literal[
    "current",
    "past_due",
    "closed",
    "transferred",
    "charged_off",
    "collection",
    "foreclosed",
    "surrendered",
    "repossessed",
    "government_claim",
    "deed_in_lieu",
    "paid_was_surrendered",
    "paid_was_collection",
    "paid_was_repossessed",
    "paid_was_charged_off",
    "paid_was_foreclosed",
    "deleted",
    "deleted_fraud",
]
"""What a snapshot says of an account, one word for each Metro 2 status (days past due are a number beside it)."""


class StatusSnapshot(Body, frozen=True, kw_only=True):
    """What the lender's books said of the account on ``effectiveDate``. ``historyCode`` is the month's character in the
    lender's own history alphabet (Metro 2 field 18). A month known only by its character has no amounts."""

    balance: Money | None = None
    currency: Currency | None = None
    dpd: Days | None = None
    history_code: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    paid: Money | None = None
    past_due: Money | None = None
    scheduled: Money | None = None
    status: AccountStatus | None = None


class Overdue(Body, frozen=True, kw_only=True):
    """What is overdue, by component."""

    fee: Money = 0
    interest: Money = 0
    penalty: Money = 0
    principal: Money = 0


class Delinquency(Body, frozen=True, kw_only=True):
    """Days past due moved from one integer to another."""

    currency: Currency
    dpd_from: Days
    dpd_to: Days
    overdue: Overdue
    since: date


class Pause(Body, frozen=True, kw_only=True):
    """Days from ``start`` to ``until`` do not count as delinquent (moratorium, disaster)."""

    cause: Code
    law_ref: Name | None = None
    start: date
    until: date


class Resume(Body, frozen=True, kw_only=True):
    """Ends a pause on ``effectiveDate``."""

    cause: Code


class Restructure(Body, frozen=True, kw_only=True):
    """Terms changed because of difficulty (or not: ``forborne`` says)."""

    forborne: bool
    loss_bp: BasisPoints
    observation_start: date | None = None
    schedule: UUID | None = None
    type: Literal["extend", "rate_cut", "re_age", "re_amortise", "haircut", "refinance"]


class Default(Body, frozen=True, kw_only=True):
    """Default declared on ``effectiveDate``."""

    evidence: Hash | None = None
    trigger: Literal["days_past_due", "unlikely_to_pay", "cross_default"]


class Cure(Body, frozen=True, kw_only=True):
    """Default ended; the pack's probation must be over."""

    evidence: Hash | None = None
    probation_end: date


class ChargeOff(Body, frozen=True, kw_only=True):
    """Accounting loss: the loan stays active and owed. ``firstDelinquency`` drives retention and is never re-aged."""

    amount: Money
    currency: Currency
    first_delinquency: date | None = None
    original_amount: Money


class Recovery(Body, frozen=True, kw_only=True):
    """Money recovered after default or loss."""

    cost: Money
    currency: Currency
    gross: Money
    source: Literal["cash", "collateral", "guarantor"]


class Transfer(Body, frozen=True, kw_only=True):
    """Sold or moved; the history follows the account named in ``newAccount``."""

    balance: Money
    buyer: Name
    currency: Currency
    new_account: Hash | None = None
    seller: Name


class Closure(Body, frozen=True, kw_only=True):
    """The account ended. ``newAccount`` is the one that took its place, where one did (refinanced, transferred)."""

    cause: Literal["paid", "settled_short", "refinanced", "written_off", "fraud", "transferred", "cancelled"]
    new_account: Hash | None = None


class Guarantee(Body, frozen=True, kw_only=True):
    """Someone answers for the debt, up to ``cap`` (absent: all of it), until ``released``."""

    cap: Money | None = None
    currency: Currency | None = None
    guarantor: Hash
    released: date | None = None
    type: Code


class Collateral(Body, frozen=True, kw_only=True):
    """Something secures the debt until ``released``; rank 1 is paid first. ``item`` is a hash that shows the same thing
    pledged twice."""

    currency: Currency
    item: Hash | None = None
    kind: Code
    lien_rank: Annotated[int, Meta(ge=1, le=100)]
    released: date | None = None
    value: Money
    valued_on: date


class Insolvency(Body, frozen=True, kw_only=True):
    """A court's or a register's fact about the subject."""

    court_ref: Hash | None = None
    discharged: date | None = None
    filed: date
    type: Code
