"""Old debt paid with new debt: a loan that follows a clearing payment on a late account within days (domain rule 10).

    evergreened(clearings, openings)       [(clearing, opening), ...]

Rules
- A clearing is a repayment (or repayments of one day) that takes at least 80 % of what an account owed, where the
  account was past due at some time in the 30 days before it.
- It is evergreening when a loan to the same borrower begins from the day of the clearing to 7 days after, at any lender.
- Counts, days and ratios only: which lender learns of which part is the caller's to decide by consent and law.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

CLEARED_BP: Final = 8_000
"""Least share of what was owed that a clearing takes, in basis points."""

LATE_WITHIN_DAYS: Final = 30
"""How long before the clearing the account was past due at the latest."""

NEW_WITHIN_DAYS: Final = 7
"""How long after the clearing the new loan begins at the latest."""


@dataclass(frozen=True)
class Clearing:
    """One day's repayments on one account: what was owed before and what was paid, minor units; ``late_on`` is the
    newest day up to then on which the account was past due, None: never."""

    lender: str
    account: bytes
    on: date
    owed_before: int
    paid: int
    late_on: date | None


@dataclass(frozen=True)
class Opening:
    """A loan that began: money went out, or its agreement where that is all that is known."""

    lender: str
    account: bytes
    on: date


def clears(payment: Clearing) -> bool:
    """Whether a payment clears an account that was late shortly before."""
    enough = payment.owed_before > 0 and payment.paid * 10_000 >= payment.owed_before * CLEARED_BP
    return enough and payment.late_on is not None and 0 <= (payment.on - payment.late_on).days <= LATE_WITHIN_DAYS


def evergreened(clearings: Iterable[Clearing], openings: Iterable[Opening]) -> list[tuple[Clearing, Opening]]:
    """Every pair of a clearing and a loan that followed it, of one borrower; the loan is another account."""
    began = sorted(openings, key=lambda opening: (opening.on, opening.lender, opening.account))
    return [
        (payment, opening)
        for payment in clearings
        if clears(payment)
        for opening in began
        if 0 <= (opening.on - payment.on).days <= NEW_WITHIN_DAYS
        and (opening.lender, opening.account) != (payment.lender, payment.account)
    ]
