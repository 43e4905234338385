"""The open book of one loan while movements fold: rows that can be paid, charges, credit, principal outstanding.

Everything here changes in place and lives for one call of ``service``; what callers see is position.py.

Rules
- Money is never lost: what a payment brings is met on rows, meets principal that no row plans, or is credit.
- A row is met on the day on which nothing of it is unmet; a row that owes again is not met.
- What is met before a row's due date is in advance, after it late, by the due date the row has on that day.
- A payment on a row's penalties or fees meets what the plan has of it first, then the row's charges, oldest due first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from ledger.loan.servicing.allocation import Age, Rules, Spending, age_of
from ledger.loan.servicing.amounts import COMPONENTS, Amounts
from ledger.loan.servicing.movements import Row, RowKind

PRINCIPAL: Final = COMPONENTS.index("principal")


@dataclass(slots=True, eq=False)
class OpenCharge:
    """One charge: what of it is met and waived, minor units; ``elsewhere`` is met on a row of an older plan."""

    ref: bytes
    component: int
    due: date
    amount: int
    row: OpenRow
    met: int = 0
    waived: int = 0
    elsewhere: int = 0

    @property
    def unmet(self) -> int:
        """What is still owed of it."""
        return self.amount - self.met - self.waived


@dataclass(slots=True, eq=False)
class OpenRow:
    """One instalment while it is being met. Lists hold minor units by component."""

    n: int
    due: date
    kind: RowKind
    owed: list[int]
    met: dict[Age, list[int]] = field(default_factory=lambda: {"past_due": [0] * 4, "due": [0] * 4, "advance": [0] * 4})
    waived: list[int] = field(default_factory=lambda: [0] * 4)
    written_off: list[int] = field(default_factory=lambda: [0] * 4)
    met_on: date | None = None
    met_by: list[tuple[bytes, date, int, int]] = field(default_factory=list)
    charges: list[OpenCharge] = field(default_factory=list)
    left_to_meet: list[int] = field(default_factory=list)
    credited: int = 0

    def __post_init__(self) -> None:
        self.left_to_meet = list(self.owed)

    def unmet(self, component: int) -> int:
        """What the row still owes in a component."""
        return self.left_to_meet[component]

    def open(self) -> bool:
        """Whether anything is unmet."""
        return any(self.left_to_meet)

    def owed_on_their_day(self, component: int, on: date) -> int:
        """Unmet charges of the row whose own due date has come."""
        return sum(c.unmet for c in self.charges if c.component == component and c.due <= on)

    def met_in(self, component: int) -> int:
        """What is met of a component, at whatever time."""
        return sum(part[component] for part in self.met.values())

    def owe(self, component: int, amount: int, on: date) -> None:
        """The row owes more, or with a negative amount less."""
        self.owed[component] += amount
        self.left_to_meet[component] += amount
        self.settle(on)

    def pay(self, ref: bytes, on: date, component: int, amount: int) -> None:
        """Meet a part of a component."""
        self.left_to_meet[component] -= amount
        self.met[age_of(self.due, on)][component] += amount
        self.met_by.append((ref, on, component, amount))
        self._pay_charges(component, amount)
        self.settle(on)

    def _pay_charges(self, component: int, amount: int) -> None:
        charges = [charge for charge in self.charges if charge.component == component]
        planned = self.met_in(component) - amount - sum(charge.met - charge.elsewhere for charge in charges)
        of_charges = sum(charge.amount - charge.elsewhere for charge in charges)
        of_plan = self.owed[component] - of_charges - self.waived_of_plan(component)
        left = amount - max(min(amount, of_plan - planned), 0)
        for charge in sorted(charges, key=lambda c: c.due):
            part = min(left, charge.unmet)
            charge.met += part
            left -= part

    def waived_of_plan(self, component: int) -> int:
        """What is waived of a component beside the row's charges."""
        return self.waived[component] - sum(c.waived for c in self.charges if c.component == component)

    def give_up(self, into: list[int], component: int, amount: int, on: date) -> None:
        """Waive or write off a part of a component; ``into`` is the list that counts it."""
        self.left_to_meet[component] -= amount
        into[component] += amount
        self.settle(on)

    def settle(self, on: date) -> None:
        """Note the day on which the row came to be met, or that it is not."""
        if self.open():
            self.met_on = None
        elif self.met_on is None:
            self.met_on = on


@dataclass(slots=True)
class Outcome:
    """What one movement did, as it happens."""

    split: list[int] = field(default_factory=lambda: [0] * 4)
    excess: int = 0
    eaten: int = 0
    from_credit: list[int] = field(default_factory=lambda: [0] * 4)


@dataclass(slots=True)
class Book:
    """The state between two movements."""

    rules: Rules
    rows: list[OpenRow] = field(default_factory=list)
    charges: list[OpenCharge] = field(default_factory=list)
    credit: list[tuple[bytes, int]] = field(default_factory=list)
    principal: int = 0
    disbursed: int = 0
    recovered: int = 0
    refunded: int = 0
    charged_off_on: date | None = None
    written_off_on: date | None = None
    pauses: list[tuple[date, date | None]] = field(default_factory=list)

    # -- rows ------------------------------------------------------------------------------------------------------

    def add_rows(self, rows: tuple[Row, ...], on: date) -> None:
        """Add planned rows: to the instalment of the same due date, or as rows of their own."""
        for row in rows:
            there = self.row_due(row.due) if row.kind == "instalment" else None
            if there is None:
                self.insert(OpenRow(row.n, row.due, row.kind, list(row.amounts)))
            else:
                for component, amount in enumerate(row.amounts):
                    there.owe(component, amount, on)

    def row_due(self, due: date) -> OpenRow | None:
        """The planned instalment due on a day."""
        return next((row for row in self.rows if row.due == due and row.kind == "instalment"), None)

    def insert(self, row: OpenRow) -> OpenRow:
        """In order of due dates; on one day in the order in which they came, extra rows last."""
        self.rows.append(row)
        self.rows.sort(key=lambda r: (r.due, r.kind == "extra"))
        return row

    def extra_row(self, due: date) -> OpenRow:
        """The row for what is owed past the last planned one."""
        extras = [row for row in self.rows if row.kind == "extra"]
        if self.rules.extra_rows == "one" and extras:
            extras[0].due = max(extras[0].due, due)
            self.rows.sort(key=lambda r: r.due)
            return extras[0]
        same = next((row for row in extras if row.due == due), None)
        return same or self.insert(OpenRow(max((r.n for r in self.rows), default=0) + 1, due, "extra", [0] * 4))

    def row_for(self, day: date, *, on_due_date: bool) -> OpenRow:
        """The first row to come for something of a day; ``on_due_date``: a row due that very day takes it. Of that day
        itself only the last planned row takes what no other can, where no extra row is there to take all."""
        planned = [row for row in self.rows if row.kind == "instalment"]
        for row in planned:
            if row.due > day or (row.due == day and on_due_date):
                return row
        shared = self.rules.extra_rows == "one" and any(row.kind == "extra" for row in self.rows)
        if planned and planned[-1].due == day and not shared:
            return planned[-1]
        return self.extra_row(day)

    # -- money -----------------------------------------------------------------------------------------------------

    def spend(self, ref: bytes, on: date, amount: int, kind: str, into: list[int]) -> int:
        """Give money to rows by the rules, then to principal that no row plans; returns what is left."""

        def pay(row: OpenRow, component: int, part: int) -> None:
            self.pay(row, ref, on, component, part, into)

        left = Spending(self.rows, on, self.rules, self.rules.for_payment(kind), pay, amount).spend()
        return self._meet_unplanned(left, into) if left else 0

    def pay(self, row: OpenRow, ref: bytes, on: date, component: int, amount: int, into: list[int]) -> None:
        """Meet a part of one row."""
        row.pay(ref, on, component, amount)
        into[component] += amount
        if component == PRINCIPAL:
            self.principal -= amount

    def _meet_unplanned(self, left: int, into: list[int]) -> int:
        """Principal that is out and in no row (revolving credit, no schedule) takes what is left."""
        unplanned = self.principal - sum(row.unmet(PRINCIPAL) for row in self.rows)
        part = max(min(left, unplanned), 0)
        into[PRINCIPAL] += part
        self.principal -= part
        return left - part

    @property
    def overpaid(self) -> int:
        """Credit of the borrower, minor units."""
        return sum(amount for _, amount in self.credit)

    def keep(self, ref: bytes, amount: int) -> None:
        """Money that no row could take."""
        if amount:
            self.credit.append((ref, amount))

    def eat_credit(self, amount: int) -> list[tuple[bytes, int]]:
        """Take up to ``amount`` out of the credit, oldest first; returns whose money it was."""
        eaten, kept = [], []
        for ref, there in self.credit:
            part = min(there, amount)
            amount -= part
            eaten += [(ref, part)] if part else []
            kept += [(ref, there - part)] if there > part else []
        self.credit = kept
        return eaten

    def apply_credit(self, on: date, into: list[int]) -> None:
        """Let credit meet what is owed now (``credit="meets"``)."""
        if self.rules.credit == "meets" and self.credit:
            for ref, amount in self.eat_credit(self.overpaid):
                self.keep(ref, self.spend(ref, on, amount, "credit", into))

    def unmet(self) -> Amounts:
        """All that rows still owe."""
        return Amounts(*(sum(row.unmet(component) for row in self.rows) for component in range(4)))
