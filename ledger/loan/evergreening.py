"""Old debt paid with new debt: a loan that follows a clearing payment on a late account within days (domain rule 10).

    evergreened(clearings, openings)       [(clearing, opening), ...]

Rules
- A clearing is a repayment (or repayments of one day) that takes at least 80 % of what an account owed, where the
  account was past due at some time in the 30 days before it.
- It is evergreening when a loan to the same borrower begins from the day of the clearing to 7 days after, at any lender.
- The rule is stated once, in ``clears`` and ``follows``, on plain days: ``evergreened`` judges a list of what happened
  (an explanation, an independent recount), the early-warning fold (ledger.risk.folding) one event at a time. The fold
  counts besides a loan taken shortly before the clearing, which is the same money by another order of entries.
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


def clears(on: int, *, owed_before: int, paid: int, late_on: int | None) -> bool:
    """Whether what was paid on a day clears an account that was late shortly before. Days are ordinals, amounts minor
    units; ``late_on`` is the newest day up to then on which the account was past due, None: never.

    >>> clears(100, owed_before=1_000, paid=800, late_on=70), clears(100, owed_before=1_000, paid=799, late_on=70)
    (True, False)
    """
    enough = owed_before > 0 and paid * 10_000 >= owed_before * CLEARED_BP
    return enough and late_on is not None and 0 <= on - late_on <= LATE_WITHIN_DAYS


def follows(cleared: int, opened: int) -> bool:
    """Whether a loan that began on day ``opened`` follows a clearing on day ``cleared``; both are ordinals.

    >>> follows(100, 107), follows(100, 108), follows(100, 99)
    (True, False, False)
    """
    return 0 <= opened - cleared <= NEW_WITHIN_DAYS


def evergreened(clearings: Iterable[Clearing], openings: Iterable[Opening]) -> list[tuple[Clearing, Opening]]:
    """Every pair of a clearing and a loan that followed it, of one borrower; the loan is another account."""
    began = sorted(openings, key=lambda opening: (opening.on, opening.lender, opening.account))
    return [
        (payment, opening)
        for payment in clearings
        if _clears(payment)
        for opening in began
        if follows(payment.on.toordinal(), opening.on.toordinal())
        and (opening.lender, opening.account) != (payment.lender, payment.account)
    ]


def _clears(payment: Clearing) -> bool:
    late_on = None if payment.late_on is None else payment.late_on.toordinal()
    return clears(payment.on.toordinal(), owed_before=payment.owed_before, paid=payment.paid, late_on=late_on)
