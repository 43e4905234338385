"""The terms of an agreement that money follows, as one short text that a loan's state keeps.

    terms_of(agreement)            ""          everything as usual
    terms_of(agreement)            "eabcdfghijkl/last/MF/KE/"
    rules_of("")                   servicing's own defaults

Rules
- A text is empty when nothing differs from the usual: past due before due before advance, each penalty, fee, interest,
  principal; money in advance to the next instalment; due dates as they are; a loan that ends when it is paid.
- The twelve slots are the letters a to l in their usual order.
- A revolving line is never paid off by a payment: it ends when its lender says so.
- A due date that falls on a holiday moves by the agreement's convention before anything is counted (domain rule 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple, cast

from ledger.attestation.credit_kinds import Agreement, ScheduleRow
from ledger.loan.business_days import monday_to_friday, shifted
from ledger.loan.calendars import business_days_in
from ledger.loan.servicing.allocation import OUR_ORDER, Allocation, Excess, Rules
from ledger.loan.servicing.movements import Row

REVOLVING: Final = frozenset({"line_of_credit", "open", "revolving"})
_LETTERS: Final = dict(zip(OUR_ORDER, "abcdefghijkl", strict=True))
_SLOTS: Final = {letter: slot for slot, letter in _LETTERS.items()}


class Terms(NamedTuple):
    """What a text says. ``convention`` and ``calendar`` are empty when due dates stay."""

    order: str = ""
    excess: str = ""
    convention: str = ""
    calendar: str = ""
    revolving: str = ""


def terms_of(body: Agreement) -> str:
    """The text of an agreement's terms; empty for the usual ones."""
    order = "".join(_LETTERS[slot] for slot in body.allocation_order or OUR_ORDER)
    terms = Terms(
        "" if order == "abcdefghijkl" else order,
        "" if body.excess_rule in (None, "next") else str(body.excess_rule),
        body.business_day_convention or "",
        (body.calendar or "") if body.business_day_convention else "",
        "revolving" if body.portfolio_type in REVOLVING else "",
    )
    return "/".join(terms) if any(terms) else ""


@lru_cache(maxsize=256)
def read_terms(text: str) -> Terms:
    """The terms of a text."""
    return Terms(*text.split("/")) if text else Terms()


@lru_cache(maxsize=256)
def _allocation_of(text: str) -> Allocation:
    terms = read_terms(text)
    order = tuple(_SLOTS[letter] for letter in terms.order) or OUR_ORDER
    return Allocation(order, cast(Excess, terms.excess or "next"))


def rules_of(text: str, usual: Rules) -> Rules:
    """The rules of servicing by a text; what it does not say is as ``usual``."""
    terms = read_terms(text)
    if not (terms.order or terms.excess):
        return usual
    return replace(usual, allocation=_allocation_of(text))


def planned_rows(rows: Sequence[ScheduleRow], text: str) -> tuple[Row, ...]:
    """A schedule's rows as servicing takes them, due dates moved by the terms. Raises NotFound ``calendar_unknown``."""
    terms = read_terms(text)
    if not terms.convention:
        return tuple(Row(n=r.n, due=r.due, principal=r.principal, interest=r.interest, fee=r.fee) for r in rows)
    is_business_day = business_days_in(terms.calendar) if terms.calendar else monday_to_friday
    return tuple(
        Row(
            n=row.n, due=shifted(row.due, terms.convention, is_business_day), principal=row.principal,
            interest=row.interest, fee=row.fee,
        )
        for row in rows
    )  # fmt: skip
