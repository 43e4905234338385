"""Where a payment goes: twelve slots, across the instalments or slot by slot, and what money in advance does.

    Rules()                                             ours: past due, then due, then in advance;
                                                        each penalty, fee, interest, principal
    Rules(allocation=Allocation(order=..., excess="last"), across="vertical", overrides={"refund": Allocation(...)})

Rules
- A slot is {past due, due, in advance} x {penalty, fee, interest, principal}. A row is past due on a day when its due
  date is before it, due on its due date, in advance until then.
- Horizontal: the slots of one age (past due, due, advance) are taken together, in the order in which the twelve first
  name them; within it the oldest unmet row takes its components in order, then the next row.
- Vertical: each of the twelve slots in turn takes its component from every row, oldest first.
- Excess is money for rows in advance: ``next`` gives it to the next unmet row, ``last`` to the last,
  ``re_amortise`` in equal parts to all of them (half to even, the last takes what is left), round by round.
- A kind of payment may have its own order and excess rule (``overrides``); any other follows ``allocation``.
- With ``charges_due="on_their_day"`` a charge in a row to come that is due already is taken by the slots of its age
  (past due or due) before the row's slots in advance.

What this module does not do: decide in which order movements fold (fold.py) or what a plan looks like (plan.py).
Source: domain rule 3; the choices beyond ours are those of Apache Fineract's payment allocation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Generic, Literal, Protocol, TypeVar, get_args

from ledger.attestation.fields import AllocationSlot
from ledger.errors import InvalidInput
from ledger.loan.servicing.amounts import COMPONENTS, shares

Excess = Literal["next", "last", "re_amortise"]
Age = Literal["past_due", "due", "advance"]

OUR_ORDER: Final[tuple[AllocationSlot, ...]] = get_args(AllocationSlot)
"""Past due before due before advance; penalty, fee, interest, principal."""


@dataclass(frozen=True)
class Allocation:
    """An order of the twelve slots and the rule for money in advance."""

    order: tuple[AllocationSlot, ...] = OUR_ORDER
    excess: Excess = "next"

    def __post_init__(self) -> None:
        if sorted(self.order) != sorted(OUR_ORDER):
            raise InvalidInput(
                "allocation_order_wrong", "an allocation order names each of the twelve slots once",
                expected=12, found=len(set(self.order)),
            )  # fmt: skip

    def by_age(self) -> dict[Age, list[int]]:
        """The components of each age, ages and components in the order of the twelve."""
        ages: dict[Age, list[int]] = {}
        for slot in self.order:
            age, component = slot_parts(slot)
            ages.setdefault(age, []).append(component)
        return ages


def slot_parts(slot: AllocationSlot) -> tuple[Age, int]:
    """A slot's age and the index of its component in ``COMPONENTS``."""
    age, _, component = slot.rpartition("_")
    return age, COMPONENTS.index(component)  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the parties agreed about servicing; the defaults are ours.

    ``overrides``: kind of payment -> its own allocation. ``charges_from``: a charge counts from its own day
    (the earlier of its due date and its value date), or was there from the start. ``charges_due``: with the row it
    belongs to, or on its own day. ``credited``: a chargeback is owed as principal, or in the components of the
    payment it takes back, in the order of ``credit_order``. ``credit``: money that overpays meets what becomes due
    later by itself, or stays until a chargeback or refund eats it. ``extra_rows``: what is owed past the last row makes
    a row on its own day, or all of it shares one row whose due date moves. ``multiple``: minor units to which shares
    of a plan are rounded. ``grace_days`` and ``pause_counts``: see delinquency.py.
    """

    allocation: Allocation = field(default_factory=Allocation)
    across: Literal["horizontal", "vertical"] = "horizontal"
    overrides: Mapping[str, Allocation] = field(default_factory=dict)
    charges_from: Literal["own_day", "start"] = "own_day"
    charges_due: Literal["with_row", "on_their_day"] = "with_row"
    credited: Literal["principal", "as_paid"] = "principal"
    credit_order: tuple[str, ...] = ("principal", "interest", "fee", "penalty")
    credit: Literal["meets", "stays"] = "meets"
    extra_rows: Literal["each", "one"] = "each"
    multiple: int = 1
    grace_days: int = 0
    pause_counts: Literal["after_due", "whole"] = "after_due"

    def for_payment(self, kind: str) -> Allocation:
        """The allocation of one kind of payment."""
        return self.overrides.get(kind, self.allocation)


class Payable(Protocol):
    """A row that can be paid: see ``book.OpenRow``."""

    due: date

    def unmet(self, component: int) -> int:
        """What the row still owes in a component, minor units."""
        ...

    def open(self) -> bool:
        """Whether anything is unmet."""
        ...

    def owed_on_their_day(self, component: int, on: date) -> int:
        """Unmet charges of the row whose own due date has come."""
        ...


R = TypeVar("R", bound=Payable)


def age_of(due: date, on: date) -> Age:
    """What a row due on ``due`` is on a day."""
    return "past_due" if due < on else "due" if due == on else "advance"


@dataclass
class Spending(Generic[R]):
    """One payment while it is being spent: rows in order of their due dates, the day, the rules, what is left. ``pay``
    takes a row, a component and minor units: the one effect of an allocation."""

    rows: Sequence[R]
    on: date
    rules: Rules
    how: Allocation
    pay: Callable[[R, int, int], None]
    left: int
    ages: dict[Age, list[R]] | None = None

    def spend(self) -> int:
        """Give the money to rows by the rules; returns minor units that no row could take."""
        if self.rules.across == "vertical":
            for slot in self.how.order:
                self._slot_over_rows(*slot_parts(slot))
        else:
            for age, components in self.how.by_age().items():
                self._age_by_rows(age, components)
        return self.left

    def _take(self, row: R, component: int, at_most: int) -> int:
        """Pay a row's component as far as it goes."""
        part = min(at_most, row.unmet(component), self.left)
        if part > 0:
            self.pay(row, component, part)
            self.left -= part
        return max(part, 0)

    def _rows(self, age: Age, wanted: Callable[[R], object]) -> list[R]:
        """The rows that a slot of this age may pay now: all in ``re_amortise``, else one."""
        found = (row for row in self._of_age(age) if wanted(row))
        if age != "advance" or self.how.excess == "next":
            return [row for row in (next(found, None),) if row is not None]
        return list(found)[-1:] if self.how.excess == "last" else list(found)

    def _of_age(self, age: Age) -> Sequence[R]:
        """The rows of an age that were open when the money came, sorted out once."""
        if self.ages is None:
            self.ages = {"past_due": [], "due": [], "advance": []}
            for row in self.rows:
                if row.open():
                    self.ages[age_of(row.due, self.on)].append(row)
        return self.ages[age]

    def _age_by_rows(self, age: Age, components: list[int]) -> None:
        """Horizontal: row after row of one age, each in the order of its components."""
        taken = 1
        while self.left and taken:
            rows = self._rows(age, lambda row: row.open())
            taken = sum(self._round(rows, component) for component in components)
        if self.rules.charges_due == "on_their_day" and age == "due":
            self._charges_on_their_day(components)

    def _slot_over_rows(self, age: Age, component: int) -> None:
        """Vertical: one slot, row after row."""
        taken = 1
        while self.left and taken:
            taken = self._round(self._rows(age, lambda row: row.unmet(component)), component)

    def _round(self, rows: Sequence[R], component: int) -> int:
        """Equal parts of what is left to each row, as far as each can take it."""
        if not rows:
            return 0
        parts = shares(self.left, len(rows))
        return sum(self._take(row, component, part) for row, part in zip(rows, parts, strict=True))

    def _charges_on_their_day(self, components: Iterable[int]) -> None:
        """Charges that are due already in rows that are not."""
        for row in self.rows:
            if row.due > self.on:
                for component in components:
                    self._take(row, component, row.owed_on_their_day(component, self.on))
