"""What is written down of a scenario's loan: lines of its transaction list, its charges, its tranches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledger.loan.servicing.amounts import NOTHING, Amounts


class NotReproduced(Exception):
    """The scenario has something that the adaptor does not say in our words; the text says what."""


@dataclass
class Line:
    """A line of the transaction list."""

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
