"""What a Fineract product means in the words of our rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.attestation.fields import AllocationSlot
from ledger.loan.servicing.allocation import Allocation, Excess, Rules
from ledger.loan.servicing.delinquency import Range

Json = Mapping[str, Any]

AGES = ("past_due", "due", "advance")
CUMULATIVE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER": (
        ("penalty", "fee", "interest", "principal"),
        ("penalty", "fee", "interest", "principal"),
    ),
    "DUE_PENALTY_FEE_INTEREST_PRINCIPAL_IN_ADVANCE_PRINCIPAL_PENALTY_FEE_INTEREST": (
        ("penalty", "fee", "interest", "principal"),
        ("principal", "penalty", "fee", "interest"),
    ),
    "DUE_PENALTY_INTEREST_PRINCIPAL_FEE_IN_ADVANCE_PENALTY_INTEREST_PRINCIPAL_FEE": (
        ("penalty", "interest", "principal", "fee"),
        ("penalty", "interest", "principal", "fee"),
    ),
}
"""Strategy -> order of the components of a row that is due, and of one in advance."""

EXCESS: dict[str, Excess] = {
    "NEXT_INSTALLMENT": "next",
    "LAST_INSTALLMENT": "last",
    "REAMORTIZATION": "re_amortise",
}
PAYMENTS = {
    "GOODWILL_CREDIT": "goodwill_credit",
    "MERCHANT_ISSUED_REFUND": "merchant_refund",
    "PAYOUT_REFUND": "payout_refund",
    "REPAYMENT": "repayment",
    "DOWN_PAYMENT": "down_payment",
}


def rules_of(terms: Json, product: Json, orders: Json) -> Rules:
    """The rule set of a loan: the product's, with what the loan itself says."""
    strategy = terms.get("strategy") or product["strategy"]
    common: dict[str, Any] = {
        "multiple": 100 * (product["installment_amount_in_multiples_of"] or 0) or 1,
        "grace_days": product["grace_on_arrears_days"],
        "pause_counts": "whole",
        "extra_rows": "one",
    }
    if strategy in CUMULATIVE:
        due, ahead = CUMULATIVE[strategy]
        order = [f"{age}_{component}" for age in AGES for component in (ahead if age == "advance" else due)]
        split = strategy != "PENALTIES_FEES_INTEREST_PRINCIPAL_ORDER"
        return Rules(
            allocation=Allocation(order=tuple(order)),  # type: ignore[arg-type]
            charges_from="start",
            charges_due="on_their_day" if split else "with_row",
            **common,
        )
    allocations = {
        kind: _allocation(rule, orders, terms.get("future_installments", {}).get(kind))
        for kind, rule in product["payment_allocation"].items()
    }
    credit = product.get("credit_allocation", {}).get("CHARGEBACK")
    return Rules(
        allocation=allocations["DEFAULT"],
        overrides={PAYMENTS[kind]: rule for kind, rule in allocations.items() if kind != "DEFAULT"},
        across="vertical" if product["schedule_processing"] == "VERTICAL" else "horizontal",
        credited="as_paid" if credit else "principal",
        credit_order=tuple(name.lower() for name in credit or ("PRINCIPAL",)),
        **common,
    )


def _allocation(rule: Json, orders: Json, excess: str | None) -> Allocation:
    order: tuple[AllocationSlot, ...] = tuple(
        slot.lower().replace("in_advance", "advance") for slot in orders[rule["order"]]
    )
    return Allocation(order=order, excess=EXCESS[excess or rule["future_installments"]])


def ranges_of(bucket: list[Json]) -> tuple[Range, ...]:
    """Delinquency ranges in their order."""
    return tuple(Range(one["range"], one["min_days"], one["max_days"]) for one in bucket)
