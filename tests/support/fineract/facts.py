"""What is written down of a scenario's loan: lines of its transaction list, its charges, its tranches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledger.loan.servicing.amounts import NOTHING, Amounts


class NotReproduced(Exception):
    """The scenario has something that the adaptor does not say in our words; the text says what."""


@dataclass
class Line:
    """A line of the transaction list. ``step`` orders the accruals of one batch; ``closing``: an accrual that the
    transaction of its ``order`` booked because it closed the loan."""

    order: int
    title: str
    on: date
    amount: int
    ref: bytes
    reverted: bool = False
    split: Amounts = NOTHING
    balance: int = 0
    excess: int = 0
    booked: bool = True
    step: int = 0
    closing: bool = False

    @property
    def place(self) -> tuple[date, int, int]:
        """Where the line stands in the list: by value date, then as it was booked."""
        return self.on, self.order, self.step


@dataclass
class ChargeFact:
    """A charge that was added."""

    n: int
    kind: str
    due: date
    amount: int
    added: date
    accrued: bool = False


@dataclass
class Tranche:
    """A disbursement and the down payment that came with it."""

    n: int
    on: date
    amount: int
