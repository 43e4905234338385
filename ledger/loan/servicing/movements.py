"""What goes into servicing: planned rows and movements, plain values with no identity but their ``ref``.

    Movement(kind="disbursement", on=date(2024, 1, 1), order=1, amount=90_000)
    Movement(kind="plan", on=date(2024, 1, 1), order=2, rows=(Row(n=1, due=date(2024, 2, 1), principal=90_000),))
    Movement(kind="repayment", on=date(2024, 2, 1), order=3, ref=b"...", amount=30_000)

Kinds and the members they read (every kind reads ``on``, ``order`` and ``ref``)
- disbursement: amount; rows (optional) are added to the plan: to the row of the same due date, or as rows of their own.
- plan: rows, a version that replaces the plan; ``scope`` says how. ``from_here``: the rows are the whole plan from now
  on; what was met on a row of the same due date stays met there, and what it cannot hold is credit again.
  ``rest``: the rows are what is still owed; old rows end with what was met on them. ``whole``: the plan was so from
  the first day (a correction), and the movements fold over it anew.
- charge: component, amount, due (absent: ``on``). It belongs to the first row due on or after its due date;
  past the last row it makes a row of its own.
- waiver: amount with component; or target, a charge, with amount 0 for all of it.
- repayment: amount; ``payment`` names its kind for the rules' overrides; split (optional) is what the lender declared.
  target (optional): a charge that takes the money first.
- reversal: target, a movement that counts as if it had never been; amount below the movement's takes back that part.
- chargeback: amount, target (the payment it takes back); credit_refund: amount. Both first eat an overpayment.
- charge_off: nothing changes but the day is kept. write_off: all that is unmet is given up.
- recovery: amount, after a write-off; no row is met by it.
- re_age: rows, the new due dates. Amounts absent (all 0): what principal is unmet, in equal parts.
- re_amortise: unmet principal of rows due on or before ``on`` goes in equal parts to the rows after it.
- pause: on until ``until``; resume: ends a pause on ``on``.

Source: domain 2.3 (kinds and their fields).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from ledger.loan.servicing.amounts import NOTHING, Amounts

Kind = Literal[
    "disbursement",
    "plan",
    "charge",
    "waiver",
    "repayment",
    "reversal",
    "chargeback",
    "credit_refund",
    "charge_off",
    "write_off",
    "recovery",
    "re_age",
    "re_amortise",
    "pause",
    "resume",
]
Component = Literal["penalty", "fee", "interest", "principal"]
RowKind = Literal["instalment", "down_payment", "extra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One planned instalment, minor units. ``kind``: extra rows are those that a charge or chargeback made."""

    n: int
    due: date
    principal: int = 0
    interest: int = 0
    fee: int = 0
    penalty: int = 0
    kind: RowKind = "instalment"

    @property
    def amounts(self) -> Amounts:
        """The row's amounts by component."""
        return Amounts(self.penalty, self.fee, self.interest, self.principal)


@dataclass(frozen=True, slots=True)
class Split:
    """Where a payment went by the lender's own word; ``excess`` is what overpaid."""

    amounts: Amounts = NOTHING
    excess: int = 0

    @property
    def total(self) -> int:
        """All of it, minor units."""
        return self.amounts.total + self.excess


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Something that happened to a loan on value date ``on``; ``order`` (log order) settles a day's order."""

    kind: Kind
    on: date
    order: int
    ref: bytes = b""
    amount: int = 0
    target: bytes = b""
    component: Component | None = None
    due: date | None = None
    until: date | None = None
    payment: str = "repayment"
    split: Split | None = None
    rows: tuple[Row, ...] = ()
    scope: Literal["from_here", "rest", "whole"] = "from_here"
