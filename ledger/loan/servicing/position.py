"""Where a loan stands on a day: rows with what is due and met, what each movement did, balances, oldest unmet row.

    position = service(Rules(), movements, until=date(2024, 3, 1))
    position.oldest_unmet(date(2024, 3, 1))          the row from which days past due count, None if there is none
    position.overdue(date(2024, 3, 1)).total         minor units past due

Rules
- ``service`` is pure: the same rules and movements give the same position, in whatever order they are handed over.
- A back-dated movement gives what its entry in time would have given; a reversed one what its absence would have.
- Conservation: what payments brought = what rows met + principal met that no row plans + overpaid + refunded.
- A part payment reduces what is overdue and never changes which row is the oldest unmet (domain rule 1).
- Movements dated after ``until`` are not folded; rows due after it are there, unmet.

What this module does not do: count days (delinquency.py), make plans (plan.py), read attestations (the account's fold).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ledger.errors import InvalidInput
from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.amounts import NOTHING, Amounts
from ledger.loan.servicing.book import Book, OpenCharge, OpenRow, Outcome
from ledger.loan.servicing.fold import FOLDS, folding_order
from ledger.loan.servicing.movements import Kind, Movement, RowKind

Standing = Literal["none", "active", "paid", "overpaid", "written_off"]


@dataclass(frozen=True, slots=True)
class MetBy:
    """A part of a row that one movement met, on the movement's or the application's day."""

    ref: bytes
    on: date
    amounts: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalment:
    """One row of the plan as it stands. ``met`` = ``on_time`` + ``in_advance`` + ``late``; ``met_on`` is the day on
    which nothing of it was unmet any more; ``credited`` is principal that chargebacks put here. Amounts in minor units
    by component."""

    n: int
    due: date
    kind: RowKind
    owed: Amounts
    on_time: Amounts
    in_advance: Amounts
    late: Amounts
    waived: Amounts
    written_off: Amounts
    met_on: date | None
    met_by: tuple[MetBy, ...]
    credited: int = 0

    @property
    def met(self) -> Amounts:
        """All that was paid on the row."""
        return self.on_time.plus(self.in_advance).plus(self.late)

    @property
    def unmet(self) -> Amounts:
        """What is still owed."""
        return self.owed.minus(self.met).minus(self.waived).minus(self.written_off)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine:
    """One charge as it stands, minor units; ``component`` is penalty, fee or interest."""

    ref: bytes
    component: int
    due: date
    amount: int
    met: int
    waived: int

    @property
    def unmet(self) -> int:
        """What is still owed of it."""
        return self.amount - self.met - self.waived


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one movement did. ``split``: what a payment met, a charge, waiver, write-off or chargeback moved.
    ``excess``: what overpaid. ``eaten``: credit that a chargeback or refund took. ``from_credit``: what older credit
    met because of this movement. ``principal_after``: principal outstanding after it."""

    ref: bytes
    kind: Kind
    on: date
    order: int
    amount: int
    split: Amounts
    excess: int
    eaten: int
    from_credit: Amounts
    principal_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A loan on ``until``. Pauses are (first day, day on which counting goes on, None while open)."""

    until: date
    rows: tuple[Instalment, ...]
    charges: tuple[ChargeLine, ...]
    effects: tuple[Effect, ...]
    principal: int
    unmet: Amounts
    disbursed: int
    overpaid: int
    refunded: int
    recovered: int
    charged_off_on: date | None
    written_off_on: date | None
    pauses: tuple[tuple[date, date | None], ...]

    @property
    def outstanding(self) -> int:
        """All that is owed: what rows still owe, and principal out that no row plans."""
        return self.unmet.total + max(self.principal - self.unmet.principal, 0)

    @property
    def standing(self) -> Standing:
        """In a word, from the money alone."""
        if self.written_off_on is not None:
            return "written_off"
        if self.outstanding:
            return "active"
        if self.overpaid:
            return "overpaid"
        return "paid" if self.disbursed or self.rows else "none"

    def oldest_unmet(self, on: date) -> Instalment | None:
        """The oldest row due before ``on`` that is not fully met."""
        return next((row for row in self.rows if row.due < on and row.unmet.total), None)

    def overdue(self, on: date) -> Amounts:
        """What is unmet of rows due before ``on``, by component."""
        late = (row.unmet for row in self.rows if row.due < on)
        total = NOTHING
        for unmet in late:
            total = total.plus(unmet)
        return total

    def effect_of(self, ref: bytes) -> Effect | None:
        """What the movement with this ref did; None where it was not folded (reversed, or later)."""
        return next((effect for effect in self.effects if effect.ref == ref), None)


def service(rules: Rules, movements: Iterable[Movement], until: date) -> Position:
    """Fold the movements by the rules; raises InvalidInput ``movement_amount_wrong`` for a negative amount."""
    book = Book(rules)
    splits: dict[bytes, Amounts] = {}
    effects: list[Effect] = []
    for movement in folding_order(movements, until, rules.charges_from):
        if movement.amount < 0:
            raise InvalidInput(
                "movement_amount_wrong", "a movement's amount is not negative", expected=">= 0", found=movement.amount
            )
        outcome = Outcome()
        FOLDS[movement.kind](book, movement, outcome, splits)
        splits[movement.ref] = Amounts(*outcome.split)
        effects.append(_effect(movement, outcome, book.principal))
    return _closed(book, effects, until)


def _effect(movement: Movement, outcome: Outcome, principal: int) -> Effect:
    return Effect(
        ref=movement.ref,
        kind=movement.kind,
        on=movement.on,
        order=movement.order,
        amount=movement.amount,
        split=Amounts(*outcome.split),
        excess=outcome.excess,
        eaten=outcome.eaten,
        from_credit=Amounts(*outcome.from_credit),
        principal_after=principal,
    )


def _closed(book: Book, effects: list[Effect], until: date) -> Position:
    """The book as values that do not change any more."""
    return Position(
        until=until,
        rows=tuple(_instalment(row) for row in book.rows),
        charges=tuple(_charge_line(charge) for charge in book.charges),
        effects=tuple(effects),
        principal=book.principal,
        unmet=book.unmet(),
        disbursed=book.disbursed,
        overpaid=book.overpaid,
        refunded=book.refunded,
        recovered=book.recovered,
        charged_off_on=book.charged_off_on,
        written_off_on=book.written_off_on,
        pauses=tuple(book.pauses),
    )


def _instalment(row: OpenRow) -> Instalment:
    by: dict[tuple[bytes, date], list[int]] = {}
    for ref, on, component, amount in row.met_by:
        by.setdefault((ref, on), [0] * 4)[component] += amount
    return Instalment(
        n=row.n,
        due=row.due,
        kind=row.kind,
        owed=Amounts(*row.owed),
        on_time=Amounts(*row.met["due"]),
        in_advance=Amounts(*row.met["advance"]),
        late=Amounts(*row.met["past_due"]),
        waived=Amounts(*row.waived),
        written_off=Amounts(*row.written_off),
        met_on=row.met_on,
        met_by=tuple(MetBy(ref, on, Amounts(*amounts)) for (ref, on), amounts in by.items()),
        credited=row.credited,
    )


def _charge_line(charge: OpenCharge) -> ChargeLine:
    return ChargeLine(
        ref=charge.ref,
        component=charge.component,
        due=charge.due,
        amount=charge.amount,
        met=charge.met,
        waived=charge.waived,
    )
