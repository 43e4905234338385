"""The terms of an agreement that say how its money is counted, as enums: allocation, excess, business days.

Rules
- Each value is the word that the attestation holds; what is not said is as usual (docs/loan-lifecycle.md, rules 3 and 5).
- An allocation order names each of the twelve slots once, or it is refused with ``allocation_order_wrong``.
"""

from __future__ import annotations

from enum import Enum

import strawberry


@strawberry.enum(
    description="One of the twelve places that a payment may go: past due, due or in advance, each penalty, fee, "
    "interest or principal."
)
class AllocationSlot(Enum):
    """One of the twelve places that a payment may go."""

    PAST_DUE_PENALTY = strawberry.enum_value("past_due_penalty", description="Penalties that were due before.")
    PAST_DUE_FEE = strawberry.enum_value("past_due_fee", description="Fees that were due before.")
    PAST_DUE_INTEREST = strawberry.enum_value("past_due_interest", description="Interest that was due before.")
    PAST_DUE_PRINCIPAL = strawberry.enum_value("past_due_principal", description="Principal that was due before.")
    DUE_PENALTY = strawberry.enum_value("due_penalty", description="Penalties due on the day.")
    DUE_FEE = strawberry.enum_value("due_fee", description="Fees due on the day.")
    DUE_INTEREST = strawberry.enum_value("due_interest", description="Interest due on the day.")
    DUE_PRINCIPAL = strawberry.enum_value("due_principal", description="Principal due on the day.")
    ADVANCE_PENALTY = strawberry.enum_value("advance_penalty", description="Penalties due later.")
    ADVANCE_FEE = strawberry.enum_value("advance_fee", description="Fees due later.")
    ADVANCE_INTEREST = strawberry.enum_value("advance_interest", description="Interest due later.")
    ADVANCE_PRINCIPAL = strawberry.enum_value("advance_principal", description="Principal due later.")


@strawberry.enum(description="Where money goes that is more than what is due.")
class ExcessRule(Enum):
    """Where money goes that is more than what is due."""

    NEXT = strawberry.enum_value("next", description="To the next instalment.")
    LAST = strawberry.enum_value("last", description="To the last instalment.")
    RE_AMORTISE = strawberry.enum_value("re_amortise", description="To all instalments that are left.")


@strawberry.enum(description="Where a due date goes that falls on a holiday.")
class BusinessDayConvention(Enum):
    """Where a due date goes that falls on a holiday."""

    FOLLOWING = strawberry.enum_value("F", description="To the next business day.")
    MODIFIED_FOLLOWING = strawberry.enum_value(
        "MF", description="To the next business day, unless it is in another month: then to the one before."
    )
    PRECEDING = strawberry.enum_value("P", description="To the business day before.")
    MODIFIED_PRECEDING = strawberry.enum_value(
        "MP", description="To the business day before, unless it is in another month: then to the next."
    )
