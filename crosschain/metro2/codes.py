"""What the codes of Metro 2 mean in the ledger's words: the tables that the mapping reads, in both directions.

- Every table is one to one, so that a word leads back to the code it came from; what has no word here stays a code in
  the record's extension.
- A delinquent status is a bucket of days: the ledger keeps its lower bound, for that is all the code says.
- Dispute codes say where a dispute stands: under investigation is `opened`; investigated, whether or not the consumer
  agrees, is `verified`; the code that takes the last one back is `withdrawn`.

    >>> STATUS_WORDS["97"], STATUS_WORDS["80"], STATUS_CODES["past_due", 90]
    (('charged_off', None), ('past_due', 90), '80')

It does not decide which attestations a record becomes (mapping.py).
Source of the meanings: the field definitions published with the regulator's evaluator.
"""

from __future__ import annotations

from typing import Final

STATUS_WORDS: Final[dict[str, tuple[str, int | None]]] = {
    "05": ("transferred", None),
    "11": ("current", 0),
    "13": ("closed", 0),
    "61": ("paid_was_surrendered", None),
    "62": ("paid_was_collection", None),
    "63": ("paid_was_repossessed", None),
    "64": ("paid_was_charged_off", None),
    "65": ("paid_was_foreclosed", None),
    "71": ("past_due", 30),
    "78": ("past_due", 60),
    "80": ("past_due", 90),
    "82": ("past_due", 120),
    "83": ("past_due", 150),
    "84": ("past_due", 180),
    "88": ("government_claim", None),
    "89": ("deed_in_lieu", None),
    "93": ("collection", None),
    "94": ("foreclosed", None),
    "95": ("surrendered", None),
    "96": ("repossessed", None),
    "97": ("charged_off", None),
    "DA": ("deleted", None),
    "DF": ("deleted_fraud", None),
}
"""Account status -> the snapshot's word, and the fewest days past due that the code allows (None: it says nothing)."""

STATUS_CODES: Final = {
    (word, days if word == "past_due" else None): code for code, (word, days) in STATUS_WORDS.items()
}
"""(word, days when the word is past_due) -> account status."""

RATED_WITH_DAYS: Final = frozenset(["05", "88", "89", "94", "95"])
"""Statuses of a debt that goes on, where a payment rating of 0 to 6 says how late it was, in steps of 30 days."""

CHARGED_OFF: Final = frozenset(["64", "97"])
"""Statuses that say the account was charged off; a payment rating of L says it too."""

PAID_AND_CLOSED: Final = frozenset(["13", "61", "62", "63", "64", "65"])
"""Statuses of an account that ended with nothing owed."""

SETTLED_COMMENT: Final = "AU"
"""Special comment: paid in full for less than the full balance."""

DISPUTES: Final = {
    "XB": "opened",
    "XC": "verified",
    "XD": "opened",
    "XE": "verified",
    "XF": "opened",
    "XG": "opened",
    "XH": "verified",
    "XJ": "verified",
    "XR": "withdrawn",
}
"""Compliance condition code -> state of the dispute. XA (closed by the consumer) tells of no dispute."""

DISPUTE_CLAIM: Final = "account_information"
"""What a dispute is about, as far as a compliance condition code says."""

PORTFOLIOS: Final = {"C": "line_of_credit", "I": "instalment", "M": "mortgage", "O": "open", "R": "revolving"}
"""Portfolio type -> the agreement's word."""

PORTFOLIO_CODES: Final = {word: code for code, word in PORTFOLIOS.items()}
"""The agreement's word -> portfolio type."""

PRODUCTS: Final = {
    "00": "auto",
    "01": "unsecured",
    "02": "secured",
    "03": "partially_secured",
    "04": "home_improvement",
    "05": "fha_home_improvement",
    "06": "instalment_sales_contract",
    "07": "charge_account",
    "08": "real_estate",
    "0A": "time_share",
    "0F": "construction",
    "11": "recreational_merchandise",
    "12": "education",
    "13": "lease",
    "15": "line_of_credit",
    "17": "manufactured_housing",
    "18": "credit_card",
    "19": "fha_mortgage",
    "20": "note",
    "25": "va_mortgage",
    "26": "conventional_mortgage",
    "29": "rental_agreement",
    "2A": "secured_credit_card",
    "37": "combined_credit_plan",
    "47": "secured_credit_line",
    "48": "collection_agency",
    "89": "home_equity_line",
    "90": "medical_debt",
    "91": "debt_consolidation",
    "92": "utility",
    "93": "child_support",
}
"""Account type -> the agreement's product; types that are not here stay codes in the extension."""

PRODUCT_CODES: Final = {word: code for code, word in PRODUCTS.items()}
"""The agreement's product -> account type."""

SECURED_TYPES: Final = frozenset(["00", "02", "03", "05", "08", "0F", "11", "17", "19", "25", "26", "2A", "47", "89"])
"""Account types of a debt that something stands for."""

FREQUENCIES: Final = {
    "B": "fortnightly",
    "D": "deferred",
    "E": "semi_monthly",
    "L": "bimonthly",
    "M": "monthly",
    "P": "once",
    "Q": "quarterly",
    "S": "semi_annual",
    "T": "four_monthly",
    "W": "weekly",
    "Y": "annual",
}
"""Terms frequency -> the agreement's frequency."""

FREQUENCY_CODES: Final = {word: code for code, word in FREQUENCIES.items()}
"""The agreement's frequency -> terms frequency."""

ROLES: Final = {
    "1": "borrower",
    "2": "joint_contractual",
    "3": "authorised_user",
    "4": "shared_unspecified",
    "5": "guarantor",
    "6": "on_behalf_of",
    "7": "maker",
    "T": "terminated",
    "W": "business",
    "X": "deceased",
}
"""ECOA code -> role on the account; any other code is taken for a borrower and kept in the extension."""

ROLE_CODES: Final = {word: code for code, word in ROLES.items()}
"""Role -> ECOA code."""

UNLIMITED_TERMS: Final = {"line_of_credit": "LOC", "revolving": "REV"}
"""Terms duration of an agreement without a number of instalments, by portfolio."""
