"""Plans from simple terms: due days, equal principal, down payments, tranches. Interest is in annuity.py.

    terms = Terms(start=date(2023, 1, 31), every=1, unit="months", count=3)
    due_days(terms)                                    28 February, 31 March, 30 April
    opening(terms, 100_000)                            33_333, 33_333, 33_334

Rules
- Months step from the start and are cut at a month's end, never from one cut day to the next.
- Equal principal: each row is rounded half to even to ``multiple``, the last takes the rest.
- A down payment is a row of its own, due on the day of its disbursement: ``down_payment_bp`` of it, rounded alike.
- A later tranche goes to the rows due after its day (``same_day``: and to one due on it), on top of what they have; its
  down payment is a row of its own. ``share_of``: it is cut into as many parts as rows are left, or into as many as
  there were; a row is rounded with what it had, the last takes the rest. Past the last row it makes a row one period
  later.
- A reschedule moves the row due on a day, and those after it step on from there; extra rows cut what is planned from
  that row on into equal parts anew.

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
    to which rows are rounded; ``share_of`` and ``same_day``: see the module."""

    start: date
    every: int
    unit: Unit
    count: int
    multiple: int = 1
    down_payment_bp: int = 0
    share_of: Literal["left", "all"] = "left"
    same_day: bool = False

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
    return tranche(terms, amount, terms.start, tuple(Row(n=n, due=due) for n, due in enumerate(due_days(terms), 1)))


def tranche(terms: Terms, amount: int, on: date, planned: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows that a disbursement adds to the instalments that are planned."""
    down = down_payment(terms, amount)
    rows = [Row(n=0, due=on, principal=down, kind="down_payment")] if terms.down_payment_bp else []
    ahead = [row for row in planned if row.due > on or (terms.same_day and row.due == on)]
    if not ahead:
        ahead = [Row(n=len(planned) + 1, due=stepped(planned[-1].due, terms.every, terms.unit, 1))]
    parts = _parts(terms, amount - down, [row.principal for row in ahead], len(planned))
    return (*rows, *(Row(n=row.n, due=row.due, principal=part) for row, part in zip(ahead, parts, strict=True)))


def _parts(terms: Terms, amount: int, had: list[int], whole: int) -> list[int]:
    """What each row ahead gets: its share of the amount, rounded together with what it had."""
    count = len(had) if terms.share_of == "left" else whole
    parts = [rounded(before * count + amount, count, terms.multiple) - before for before in had[:-1]]
    return [*parts, amount - sum(parts)]


@dataclass(frozen=True, kw_only=True)
class Reschedule:
    """A change of a plan from the row due on ``from_due`` on: to another day, with more rows, or both."""

    from_due: date
    to: date | None = None
    extra: int = 0


def rescheduled(terms: Terms, rows: tuple[Row, ...], change: Reschedule) -> tuple[Row, ...]:
    """The plan's rows after a reschedule; down payments stay as they are."""
    kept = [row for row in rows if row.kind == "down_payment" or row.due < change.from_due]
    moved = [row for row in rows if row.kind != "down_payment" and row.due >= change.from_due]
    if not moved:
        return rows
    first = change.to or moved[0].due
    count = len(moved) + change.extra
    days = [stepped(first, terms.every, terms.unit, times) for times in range(count)]
    parts = [row.principal for row in moved]
    if change.extra:
        parts = list(shares(sum(parts), count, terms.multiple))
    ahead = (Row(n=moved[0].n + k, due=days[k], principal=parts[k]) for k in range(count))
    return tuple(sorted((*kept, *ahead), key=lambda row: row.due))
