"""The contracts of the storm: the library's, with terms under which they often do something, and one that waits."""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from ledger.contract import library
from ledger.contract.document import Document, Parties, Rule
from ledger.contract.vocabulary import Role

TERMS: Final[dict[str, dict[str, int | bool | str]]] = {
    "collateral-release": {}, "disaster-grace": {"region": "KE-30"},
    "late-fee": {"grace_days": 0, "fee_bp": 50},
    "payment-closure": {}, "pre-negative-notice": {"notice_days": 2},
    "rate-step-down": {"every": 1, "floor_ppm": 20_000}, "restructuring-offer": {"early_days": 1},
}  # fmt: skip
"""Contracts of the library between two parties, with terms under which they often do something."""

ASKS_FIRST: Final = Rule(
    id="asks-first", prose="A missed instalment: a discount for who lets us look, a warning for who does not.",
    on=("repayment.missed",), when="true", once="per-instalment",
    do=({"effect": "consent.require", "code": "103", "days": 4},
        {"effect": "discount.apply", "amount": 100, "code": "thanks"}),
    otherwise=({"effect": "alert.raise", "code": "NO_CONSENT", "severity": 2, "to": "lender"},),
)  # fmt: skip
"""The one rule of a contract ``asks-first``, which waits for a consent that some borrowers give."""

PAIRS: Final = (
    ("late-fee", "payment-closure"), ("pre-negative-notice", "rate-step-down"), ("late-fee", "asks-first"),
    ("restructuring-offer", "pre-negative-notice"), ("disaster-grace", "collateral-release"),
)  # fmt: skip
"""Which contracts a loan has, loan after loan."""


def agreed_on(name: str, account: bytes, parties: Parties) -> Document:
    """The contract of this name on an account, between these parties."""
    template = "late-fee" if name == "asks-first" else name
    agreed = library.agree(
        library.load(template).document, account=account, currency="KES", expires=date(2032, 1, 1),
        terms=TERMS[template], parties=parties,
    )  # fmt: skip
    if template == name:
        return agreed
    both: tuple[Role, ...] = ("lender", "borrower")
    granted = {"alert.raise": both[:1], "consent.require": both, "discount.apply": both[:1]}
    return msgspec.structs.replace(agreed, rules=(ASKS_FIRST,), authority=granted, title="Asking first")
