"""Plans from simple terms: due days, equal principal, down payments, tranches. Interest is in annuity.py.

    terms = Terms(start=date(2023, 1, 31), every=1, unit="months", count=3)
    due_days(terms)                                    28 February, 31 March, 30 April
    opening(terms, 100_000)                            33_333, 33_333, 33_334

Rules
- Months step from the start and are cut at a month's end, never from one cut day to the next.
- Equal principal: each row is rounded half to even to ``multiple``, the last takes the rest.
- A down payment is a row of its own, due on the day of its disbursement: ``down_payment_bp`` of it, rounded alike.
- A later tranche goes to the rows due after its day, on top of what they have; its down payment is a row of its own.
  ``share_of``: it is cut into as many parts as rows are left, or into as many as there were, the last taking the rest.

What this module does not do: business-day shifting and day counts (the schedules of the loan room).
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from ledger.errors import InvalidInput
from ledger.loan.servicing.amounts import rounded, shares
from ledger.loan.servicing.movements import Row

Unit = Literal["days", "weeks", "months", "years"]
BP: Final = 10_000
"""Basis points of a whole."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a simple plan follows from. ``down_payment_bp``: basis points of each disbursement; ``multiple``: minor units
    to which rows are rounded; ``share_of``: see the module."""

    start: date
    every: int
    unit: Unit
    count: int
    multiple: int = 1
    down_payment_bp: int = 0
    share_of: Literal["left", "all"] = "left"

    def __post_init__(self) -> None:
        if self.every < 1 or self.count < 1 or self.multiple < 1 or not 0 <= self.down_payment_bp <= BP:
            raise InvalidInput(
                "plan_terms_wrong",
                "a plan needs a period, rows and a multiple of at least 1, a down payment to 10,000 bp",
            )


def stepped(start: date, every: int, unit: Unit, times: int) -> date:
    """``start`` and ``times`` periods on; months and years are cut at the month's end."""
    if unit in ("days", "weeks"):
        return start + timedelta(days=every * times * (7 if unit == "weeks" else 1))
    months = start.month - 1 + every * times * (12 if unit == "years" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def due_days(terms: Terms) -> tuple[date, ...]:
    """The due day of each instalment."""
    return tuple(stepped(terms.start, terms.every, terms.unit, n) for n in range(1, terms.count + 1))


def down_payment(terms: Terms, amount: int) -> int:
    """What of a disbursement is due on its day, minor units."""
    return rounded(amount * terms.down_payment_bp, BP, terms.multiple)


def opening(terms: Terms, amount: int) -> tuple[Row, ...]:
    """The plan of a first disbursement on ``terms.start``."""
    return tranche(terms, amount, terms.start, due_days(terms))


def tranche(terms: Terms, amount: int, on: date, days: tuple[date, ...]) -> tuple[Row, ...]:
    """The rows that a disbursement adds to a plan with instalments due on ``days``."""
    down = down_payment(terms, amount)
    rows = [Row(n=0, due=on, principal=down, kind="down_payment")] if terms.down_payment_bp else []
    ahead = [(n, due) for n, due in enumerate(days, 1) if due > on] or [(len(days), days[-1])]
    parts = _parts(terms, amount - down, len(ahead), len(days))
    return (*rows, *(Row(n=n, due=due, principal=part) for (n, due), part in zip(ahead, parts, strict=True)))


def _parts(terms: Terms, amount: int, left: int, whole: int) -> tuple[int, ...]:
    if terms.share_of == "left":
        return shares(amount, left, terms.multiple)
    each = rounded(amount, whole, terms.multiple)
    return (each,) * (left - 1) + (amount - each * (left - 1),)
