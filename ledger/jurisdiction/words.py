"""The closed lists of words that packs and their readers share: facts beside the days past due, and kinds of data.

A pack that names another word is refused when it is read; a caller that does is refused when it asks. A new word is
added here first, with somebody who computes it.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Fact = Literal[
    "asset_paid", "bad_debt", "before_history", "charged_off", "closed", "collection", "deed_in_lieu", "defaulted",
    "deleted", "deleted_fraud", "ended", "forborne", "foreclosed", "government_claim", "guarantor_paid", "impaired",
    "no_data", "none_due", "not_open", "observed", "paid_was_charged_off", "paid_was_collection",
    "paid_was_foreclosed", "paid_was_repossessed", "paid_was_surrendered", "probation", "pulled_lender",
    "pulled_market", "repossessed", "settled", "surrendered", "too_new", "transferred", "unknown", "written_off",
    "zero_balance",
]  # fmt: skip
"""What may stand beside the days and change a code: closed, so that a pack cannot name what nobody computes."""

FACTS: Final = frozenset(get_args(Fact))

DataKind = Literal[
    "age", "blood_type", "colour", "deposits", "ethnicity", "fingerprints", "genes", "health", "income", "insurance",
    "marital_status", "national_origin", "phone_contacts", "politics", "positive_deposits", "public_assistance", "race",
    "real_estate", "religion", "securities", "sex", "sexual_orientation", "social_network", "tax", "union",
]  # fmt: skip
"""Kinds of data that some country's law restricts in credit."""

DATA_KINDS: Final = frozenset(get_args(DataKind))
