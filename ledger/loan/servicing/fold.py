"""What each kind of movement does to the book: one function a kind, and the order in which movements fold.

Rules
- Movements fold by value date, and within a day by ``order``. A charge folds on the earlier of its due date and its
  value date, or first of all (``charges_from="start"``); so does the newest plan of scope ``whole``.
- A reversed movement is not folded. A reversal of a part folds the movement with what is left of it.
- A chargeback or a refund of credit first eats the credit. If that covers it, no row changes; if not, all of it is
  owed in the row to come, and the covered share counts as paid at once.
- After a movement by which a row owes more, credit meets it (``credit="meets"``).
- Past a write-off nothing is met: a repayment is a recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Final

from ledger.loan.servicing.amounts import COMPONENTS, NOTHING, Amounts, shares
from ledger.loan.servicing.book import PRINCIPAL, Book, OpenCharge, OpenRow, Outcome
from ledger.loan.servicing.movements import Kind, Movement

Splits = Mapping[bytes, Amounts]
"""What each payment so far met, for the chargeback that takes it back in kind."""


def folding_order(movements: Iterable[Movement], until: date, charges_from: str) -> list[Movement]:
    """The movements known on ``until`` that count, reversals taken out, in folding order."""
    known = [movement for movement in movements if movement.on <= until]
    taken_back: dict[bytes, int | None] = {}
    for movement in known:
        if movement.kind == "reversal":
            before = taken_back.get(movement.target, 0)
            taken_back[movement.target] = None if before is None or not movement.amount else before + movement.amount
    kept = [left for movement in known if (left := _left_of(movement, taken_back)) is not None]
    whole = max((m for m in kept if m.kind == "plan" and m.scope == "whole"), key=lambda m: m.order, default=None)
    kept = [m for m in kept if m is whole or not (whole and m.kind == "plan" and m.order < whole.order)]
    return sorted(kept, key=lambda movement: _place(movement, charges_from))


def _left_of(movement: Movement, taken_back: Mapping[bytes, int | None]) -> Movement | None:
    """The movement less what reversals took back; None where nothing is left of it."""
    if movement.kind == "reversal":
        return None
    if not movement.ref or movement.ref not in taken_back:
        return movement
    part = taken_back[movement.ref]
    if part is None or part >= movement.amount:
        return None
    return replace(movement, amount=movement.amount - part, split=None)


def _place(movement: Movement, charges_from: str) -> tuple[date, int, int]:
    """Where a movement folds: day, rank within the first of days, order."""
    if movement.kind == "plan" and movement.scope == "whole":
        return date.min, 0, movement.order
    if movement.kind == "charge":
        if charges_from == "start":
            return date.min, 1, movement.order
        return min(movement.on, movement.due or movement.on), 1, movement.order
    return movement.on, 1, movement.order


def disburse(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """Money went out; planned rows may come with it."""
    book.disbursed += movement.amount
    book.principal += movement.amount
    book.add_rows(movement.rows, movement.on)
    book.apply_credit(movement.on, outcome.from_credit)


def plan(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """A version of the plan replaces the rows; charges go with their rows, or to the row of their due date."""
    old, book.rows = book.rows, []
    if movement.scope != "rest":
        book.add_rows(movement.rows, movement.on)
    heirs = {id(row): book.row_due(row.due) if row.kind == "instalment" else None for row in old}
    homeless = [one for one in book.charges if not _moves_with_row(one, heirs.get(id(one.row)))]
    for row in old:
        _carry(book, row, heirs[id(row)], movement.on)
    if movement.scope == "rest":
        book.add_rows(movement.rows, movement.on)
    for one in homeless:
        _attach(one, book.row_for(one.due, on_due_date=True), movement.on)
    book.apply_credit(movement.on, outcome.from_credit)


def _moves_with_row(one: OpenCharge, heir: OpenRow | None) -> bool:
    """A charge whose row lives on starts anew there: what met it is met again; else False when it needs a row."""
    if heir is None:
        one.elsewhere = one.met
        return not one.unmet
    one.met = one.elsewhere
    one.row = heir
    heir.charges.append(one)
    heir.owed[one.component] += one.amount - one.elsewhere
    heir.waived[one.component] += one.waived
    heir.left_to_meet[one.component] += one.unmet
    return True


def _attach(one: OpenCharge, row: OpenRow, on: date) -> None:
    """Put what is unmet of a charge into a row."""
    one.row = row
    row.charges.append(one)
    row.owed[one.component] += one.waived
    row.waived[one.component] += one.waived
    row.owe(one.component, one.unmet, on)


def _carry(book: Book, row: OpenRow, heir: OpenRow | None, on: date) -> None:
    """What was met on an old row is met on its heir, as far as it goes; without one the row stays, cut to it."""
    if heir is not None:
        for ref, day, component, amount in row.met_by:
            part = min(amount, heir.unmet(component))
            if part:
                heir.pay(ref, day, component, part)
            book.keep(ref, amount - part)
            book.principal += amount - part if component == PRINCIPAL else 0
    elif row.met_by:
        row.owed = [row.met_in(component) for component in range(4)]
        row.left_to_meet, row.waived, row.charges = [0] * 4, [0] * 4, []
        row.settle(on)
        book.insert(row)


def charge(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """An amount is owed in the row of its due date."""
    component = COMPONENTS.index(movement.component or "fee")
    due = movement.due or movement.on
    row = book.row_for(due, on_due_date=True)
    one = OpenCharge(movement.ref, component, due, movement.amount, row)
    book.charges.append(one)
    row.charges.append(one)
    row.owe(component, movement.amount, movement.on)
    outcome.split[component] += movement.amount
    book.apply_credit(movement.on, outcome.from_credit)


def waive(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """The lender no longer asks for an amount: of one charge, or of a component, oldest row first."""
    aimed = next((one for one in book.charges if movement.target and one.ref == movement.target), None)
    if aimed is not None:
        part = min(movement.amount or aimed.unmet, aimed.unmet)
        aimed.waived += part
        _waive_on(book, aimed.row, aimed.component, part, movement.on, outcome)
        return
    component, left = COMPONENTS.index(movement.component or "fee"), movement.amount
    for row in book.rows:
        part = min(left, row.unmet(component))
        left -= part
        _waive_charges(row, component, part)
        _waive_on(book, row, component, part, movement.on, outcome)


def _waive_charges(row: OpenRow, component: int, left: int) -> None:
    for one in row.charges:
        if one.component == component:
            part = min(left, one.unmet)
            one.waived += part
            left -= part


def _waive_on(book: Book, row: OpenRow, component: int, part: int, on: date, outcome: Outcome) -> None:
    if part:
        row.give_up(row.waived, component, part, on)
        outcome.split[component] += part
        book.principal -= part if component == PRINCIPAL else 0


def repay(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """Money came in: to the charge it names, to where the lender says, or by the rules; the rest is credit."""
    if book.written_off_on is not None:
        recover(book, movement, outcome, splits)
        return
    left = movement.amount
    if movement.split is not None:
        left = _as_declared(book, movement, outcome)
    elif movement.target:
        left = _to_charge(book, movement, outcome)
    if movement.split is None:
        left = book.spend(movement.ref, movement.on, left, movement.payment, outcome.split)
    outcome.excess = left
    book.keep(movement.ref, left)


def _as_declared(book: Book, movement: Movement, outcome: Outcome) -> int:
    """Each component as the lender split it, oldest row first; what rows cannot take is left."""
    if movement.split is None:
        return movement.amount
    left = movement.amount
    for component, declared in enumerate(movement.split.amounts):
        rest = min(declared, left)
        for row in book.rows:
            part = min(rest, row.unmet(component))
            if part:
                book.pay(row, movement.ref, movement.on, component, part, outcome.split)
                rest, left = rest - part, left - part
        if component == PRINCIPAL and rest:
            part = max(min(rest, book.principal - sum(row.unmet(PRINCIPAL) for row in book.rows)), 0)
            book.principal -= part
            outcome.split[PRINCIPAL] += part
            left -= part
    return left


def _to_charge(book: Book, movement: Movement, outcome: Outcome) -> int:
    """The charge that a payment names takes the money first."""
    aimed = next((one for one in book.charges if one.ref == movement.target), None)
    if aimed is None:
        return movement.amount
    part = min(movement.amount, aimed.unmet)
    if part:
        book.pay(aimed.row, movement.ref, movement.on, aimed.component, part, outcome.split)
    return movement.amount - part


def credit_back(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """A chargeback or a refund of credit: eats the credit, and what it does not cover is owed again."""
    eaten = book.eat_credit(movement.amount)
    outcome.eaten = sum(part for _, part in eaten)
    if movement.kind == "credit_refund":
        book.refunded += movement.amount
    if outcome.eaten == movement.amount:
        return
    row = book.row_for(movement.on, on_due_date=False)
    owed = _owed_again(book, movement, splits)
    book.principal += owed[PRINCIPAL]
    row.credited += owed[PRINCIPAL]
    for component, amount in enumerate(owed):
        row.owe(component, amount, movement.on)
        outcome.split[component] += amount
    _covered(book, row, movement, eaten, outcome)


def _owed_again(book: Book, movement: Movement, splits: Splits) -> Amounts:
    """The components that a chargeback makes due again."""
    paid = splits.get(movement.target, NOTHING)
    if movement.kind != "chargeback" or book.rules.credited == "principal":
        return Amounts(principal=movement.amount)
    left, parts = movement.amount, [0] * 4
    for name in book.rules.credit_order:
        component = COMPONENTS.index(name)
        parts[component] = min(left, paid[component])
        left -= parts[component]
    parts[PRINCIPAL] += left
    return Amounts(*parts)


def _covered(book: Book, row: OpenRow, movement: Movement, eaten: list[tuple[bytes, int]], outcome: Outcome) -> None:
    """The share that the credit covered counts as paid, principal first."""
    for ref, amount in eaten:
        left = amount
        for component in reversed(range(4)):
            part = min(left, row.unmet(component))
            if part:
                book.pay(row, ref, movement.on, component, part, [0] * 4)
                outcome.split[component] -= part
                left -= part


def charge_off(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """An accounting loss: the loan stays owed, what was unmet is noted."""
    book.charged_off_on = movement.on
    outcome.split[:] = book.unmet()


def write_off(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """All that is unmet is given up."""
    book.written_off_on = movement.on
    for row in book.rows:
        for component in range(4):
            part = row.unmet(component)
            if part:
                row.give_up(row.written_off, component, part, movement.on)
                outcome.split[component] += part
    outcome.split[PRINCIPAL] += max(book.principal - outcome.split[PRINCIPAL], 0)
    book.principal = 0


def recover(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """Money after the loss."""
    book.recovered += movement.amount
    outcome.split[PRINCIPAL] = movement.amount


def re_age(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """Unmet principal moves to new due dates: days past due start anew."""
    if any(row.amounts.total for row in movement.rows):
        plan(book, replace(movement, scope="rest"), outcome, splits)
        return
    moved = _take_principal(book, book.rows, movement.on)
    outcome.split[PRINCIPAL] = moved
    parts = shares(moved, len(movement.rows), book.rules.multiple)
    filled = (replace(row, principal=part) for row, part in zip(movement.rows, parts, strict=True))
    book.add_rows(tuple(filled), movement.on)


def re_amortise(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """Unmet principal of rows due by now goes in equal parts to the rows after."""
    ahead = [row for row in book.rows if row.due > movement.on and row.kind == "instalment"]
    if not ahead:
        return
    moved = _take_principal(book, [row for row in book.rows if row.due <= movement.on], movement.on)
    outcome.split[PRINCIPAL] = moved
    for row, part in zip(ahead, shares(moved, len(ahead), book.rules.multiple), strict=True):
        row.owe(PRINCIPAL, part, movement.on)


def _take_principal(book: Book, rows: Iterable[OpenRow], on: date) -> int:
    moved = 0
    for row in rows:
        part = row.unmet(PRINCIPAL)
        if part:
            moved += part
            row.owe(PRINCIPAL, -part, on)
    return moved


def pause(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """Days from here on do not count as delinquent."""
    book.pauses.append((movement.on, movement.until))


def resume(book: Book, movement: Movement, outcome: Outcome, splits: Splits) -> None:
    """The pause that covers the day ends on it."""
    book.pauses = [
        (start, movement.on if start <= movement.on and (end is None or end > movement.on) else end)
        for start, end in book.pauses
    ]


FOLDS: Final[Mapping[Kind, Callable[[Book, Movement, Outcome, Splits], None]]] = MappingProxyType(
    {
        "disbursement": disburse,
        "plan": plan,
        "charge": charge,
        "waiver": waive,
        "repayment": repay,
        "chargeback": credit_back,
        "credit_refund": credit_back,
        "charge_off": charge_off,
        "write_off": write_off,
        "recovery": recover,
        "re_age": re_age,
        "re_amortise": re_amortise,
        "pause": pause,
        "resume": resume,
    }
)
"""Kind of movement -> what it does; a reversal is no movement of its own."""
