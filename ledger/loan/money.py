"""What each kind of attestation does to a loan's money, in value-date order: instalments, books, balance, credit.

    money = Money.of(state)                  from a state, for one more event in order
    money = Money(usual)                     empty, for a replay (account.py)
    money.apply("repayment", body, day, ref)
    money.changes()                          the members of LoanState that follow

Rules
- Instalments are servicing's: a payment meets them by the agreement's order, or as the lender split it.
- Newest evidence by its day wins. A statement (``status_snapshot``, ``delinquency``, a closure as paid) settles every
  instalment due up to its day: from there on the books' own arrears count, and the plan's instalments that fall due
  later. What a statement does not say stays as it was. A plan laid after a statement does not ask again for what was due
  before it.
- The books' arrears take a payment first, then the instalments in their order.
- The balance is the newest word on it, moved by what came after: a plan says what its instalments and the principal in
  none of them come to; a snapshot what the books say.
- A version of the plan leaves alone what was due before its first instalment, unless it is a restructuring: then all
  that is unmet moves to the new rows, and days past due start anew (domain rule 7). A correction was so from the start.
- Declared interest, fees and penalties that nothing on the ledger made due are the lender's income: where there is no
  plan they reduce no debt.
- A loan is cleared on the day on which a payment or a waiver leaves nothing owed; a revolving line is not.

What this module does not do: order events or take reversals out (account.py), or count days (arrears.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from ledger.attestation import credit_kinds as credit
from ledger.attestation.fields import Body
from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.amounts import Amounts
from ledger.loan.servicing.book import PRINCIPAL, Book, OpenRow, Outcome
from ledger.loan.servicing.fold import FOLDS
from ledger.loan.servicing.movements import Movement, Split
from ledger.loan.state import LoanState, NeedsReplay, OpenInstalment
from ledger.loan.terms import planned_rows, read_terms, rules_of, terms_of

OURS: Final = Rules()
DAY: Final = timedelta(days=1)
_PREPAID: Final = b""
"""Whose money a credit was is not kept in a state."""


class Position(NamedTuple):
    """What is open at a moment, or the difference between two such: minor units by due date and component, the books'
    own arrears, the balance."""

    rows: dict[date, tuple[int, ...]]
    past_due: int
    since: date | None
    balance: int

    @classmethod
    def of(cls, money: Money) -> Position:
        """The position of the money as it is."""
        rows: dict[date, tuple[int, ...]] = {}
        for row in money.book.rows:
            there = rows.get(row.due, (0, 0, 0, 0))
            rows[row.due] = tuple(a + b for a, b in zip(there, row.left_to_meet, strict=True))
        return cls(rows, money.past_due or 0, money.since, money.balance or 0)

    def less(self, other: Position) -> Position:
        """This less another."""
        dues = sorted(self.rows.keys() | other.rows.keys())
        nothing = (0, 0, 0, 0)
        rows = {
            due: tuple(a - b for a, b in zip(self.rows.get(due, nothing), other.rows.get(due, nothing), strict=True))
            for due in dues
        }
        return Position(rows, self.past_due - other.past_due, self.since, self.balance - other.balance)


class Money:
    """A loan's money while events are applied to it; changes in place."""

    def __init__(self, usual: Rules = OURS) -> None:
        self.usual = usual
        self.terms = ""
        self.book = Book(usual)
        self.balance: int | None = None
        self.past_due: int | None = None
        self.since: date | None = None
        self.stated = self.cleared = self.met_rows = self.met_until = self.planned_until = 0
        self.paid = 0
        self.last_paid: date | None = None
        self.as_of: date | None = None
        self.status = ""
        self.scheduled: int | None = None
        self.said: dict[str, bytes] = {}
        """What of it rests on which attestation: terms, plan, books."""

    @classmethod
    def of(cls, state: LoanState, usual: Rules = OURS) -> Money:
        """The money of a state: its open instalments and what stands beside them."""
        money = cls(usual)
        for name in ("terms", "balance", "past_due", "since", "stated", "cleared", "met_rows", "met_until", "planned_until",
                     "paid", "last_paid", "as_of", "status", "scheduled"):  # fmt: skip
            setattr(money, name, getattr(state, name))
        book = money.book
        book.rules, book.disbursed = rules_of(state.terms, usual), state.disbursed
        for n, (due, *owed) in enumerate(state.schedule):
            kind: Any = "instalment" if due <= state.planned_until else "extra"
            book.rows.append(OpenRow(n, date.fromordinal(due), kind, owed))
        book.principal = state.loose + sum(row.unmet(PRINCIPAL) for row in book.rows)
        book.keep(_PREPAID, state.credit)
        return money

    def changes(self) -> dict[str, Any]:
        """The members of LoanState that the money determines: one spelling for one situation."""
        met_rows, met_until, rows = self.met_rows, self.met_until, list[OpenInstalment]()
        for row in self.book.rows:
            penalty, fee, interest, principal = row.left_to_meet
            if rows or penalty or fee or interest or principal:
                rows.append((row.due.toordinal(), penalty, fee, interest, principal))
            else:
                met_rows, met_until = met_rows + 1, row.due.toordinal()
        return {
            "as_of": self.as_of, "balance": self.balance, "cleared": self.cleared, "credit": self.book.overpaid,
            "disbursed": self.book.disbursed, "last_paid": self.last_paid, "loose": self.loose, "met_rows": met_rows,
            "met_until": met_until, "paid": self.paid, "past_due": self.past_due, "planned_until": self.planned_until,
            "schedule": tuple(rows), "scheduled": self.scheduled, "since": self.since, "stated": self.stated,
            "status": self.status, "terms": self.terms,
        }  # fmt: skip

    @property
    def loose(self) -> int:
        """Principal out that no instalment asks for, minor units; below zero where it was never said to go out."""
        return self.book.principal - sum(row.unmet(PRINCIPAL) for row in self.book.rows)

    def apply(self, kind: str, body: Any, day: date, ref: bytes = b"") -> None:
        """Take one event in. Raises NeedsReplay, where a state's open instalments do not tell what it does."""
        _APPLY[kind](self, body, day, ref)
        self.note_open()

    def note_open(self) -> None:
        """A loan that is owed is not cleared."""
        if self.balance is not None and self.balance > 0:
            self.cleared = 0

    # -- terms and plans -------------------------------------------------------------------------------------------

    def agreement(self, body: credit.Agreement, day: date, ref: bytes) -> None:
        """The terms from here on."""
        self.terms, self.said["terms"] = terms_of(body), ref
        self.book.rules = rules_of(self.terms, self.usual)

    def plan(self, body: credit.Schedule, day: date, ref: bytes, *, restructures: bool = False) -> None:
        """A version of the plan; ``restructures`` also when its own cause does not say so."""
        rows = planned_rows(body.rows, self.terms)
        rest = restructures or body.cause == "restructure"
        first = date.min if body.cause == "correction" else rows[0].due
        before = [] if rest else [row for row in self.book.rows if row.due < first]
        theirs = [one for one in self.book.charges if one.row in before]
        self.book.rows = [row for row in self.book.rows if row not in before]
        self.book.charges = [one for one in self.book.charges if one not in theirs]
        self._move(Movement(kind="plan", on=day, order=0, rows=rows, scope="rest" if rest else "from_here"))
        self.book.rows[:0], self.book.charges[:0] = before, theirs
        self.planned_until, self.said["plan"] = rows[-1].due.toordinal(), ref
        for row in self.book.rows:
            row.kind = "instalment" if row.due <= rows[-1].due else "extra"
        if not rest:
            self._settle_rows(self.stated)
        elif self.past_due or self.since:
            self.past_due, self.since = 0, None
        owed = self.book.unmet().total + max(self.loose, 0)
        self.balance = owed + (self.past_due or 0) - self.book.overpaid

    # -- money out, money asked for --------------------------------------------------------------------------------

    def disbursement(self, body: credit.Disbursement, day: date, ref: bytes) -> None:
        """Money went out: owed, as far as no plan asks for it already."""
        planned = min(self.loose, 0)
        self._move(Movement(kind="disbursement", on=day, order=0, ref=ref, amount=body.amount))
        self.balance = (self.balance or 0) + max(body.amount + planned, 0)

    def charge(self, body: credit.Charge, day: date, ref: bytes) -> None:
        """An amount is owed with the instalment of its due date."""
        if body.due.toordinal() <= self.met_until:
            raise NeedsReplay
        self._move(Movement(
            kind="charge", on=day, order=0, ref=ref, amount=body.amount, component=body.component, due=body.due
        ))  # fmt: skip
        self._owe(body.amount)

    def waiver(self, body: credit.Waiver, day: date, ref: bytes) -> None:
        """The lender no longer asks for an amount; what nobody asked for is not waived."""
        done = self._move(Movement(
            kind="waiver", on=day, order=0, ref=ref, amount=body.amount, component=body.component
        ))  # fmt: skip
        left = body.amount - sum(done.split)
        if body.component == "principal" and left:
            self.book.principal -= min(left, max(self.loose, 0))
        self._owe(-body.amount)
        self._note_cleared(day)

    # -- money in --------------------------------------------------------------------------------------------------

    def repayment(self, body: credit.Repayment, day: date, ref: bytes, left: int | None = None) -> None:
        """Money came in; ``left`` is what reversals left of it, minor units (then its split no longer holds)."""
        amount, split = body.amount if left is None else left, body.allocated if left is None else None
        self.paid += amount
        self.last_paid = day if self.last_paid is None else max(self.last_paid, day)
        amount -= self._income(split) if split is not None and not self.planned_until else 0
        self._owe(-amount)
        amount -= self._pay_books(amount)
        self._move(Movement(
            kind="repayment", on=day, order=0, ref=ref, amount=amount, split=None if split is None else _split(split)
        ))  # fmt: skip
        self._note_cleared(day)

    def refund(self, amount: int, day: date, ref: bytes) -> None:
        """Money given back: out of what was overpaid first; the rest is owed again."""
        self.book.refunded += amount
        eaten = sum(part for _, part in self.book.eat_credit(amount))
        self.book.principal += amount - eaten
        self._owe(amount)

    def _income(self, split: credit.Allocation) -> int:
        """What of a declared split no instalment asks for and is not principal, minor units."""
        open_ = self.book.unmet()
        return (
            max(split.penalty - open_.penalty, 0) + max(split.fee - open_.fee, 0)
            + max(split.interest - open_.interest, 0)
        )  # fmt: skip

    def _pay_books(self, amount: int) -> int:
        """The books' own arrears take a payment first; returns how much."""
        if self.past_due is None:
            return 0
        part = min(self.past_due, amount)
        self.past_due -= part
        if self.past_due == 0:
            self.since = None
        return part

    # -- the lender's word -----------------------------------------------------------------------------------------

    def snapshot(self, body: credit.StatusSnapshot, day: date, ref: bytes) -> None:
        """The books on a day."""
        self.as_of, self.status = day, body.status or ""
        self.scheduled = self.scheduled if body.scheduled is None else body.scheduled
        if body.dpd is not None or body.past_due is not None or body.status == "current":
            late = sum(sum(row.left_to_meet) for row in self.book.rows if row.due <= day)
            said = said_past_due(body, (self.past_due or 0) + late if late else self.past_due)
            self._state(day, day - DAY * body.dpd if body.dpd else None, said, ref)
        if body.balance is not None:
            self.balance = body.balance
            self._rest_on_balance(body.balance)

    def delinquency(self, body: credit.Delinquency, day: date, ref: bytes) -> None:
        """The lender's own count of days, and what is overdue."""
        overdue = body.overdue
        total = overdue.fee + overdue.interest + overdue.penalty + overdue.principal
        self._state(day, body.since if body.dpd_to else None, total, ref)

    def closure(self, body: credit.Closure, day: date, ref: bytes) -> None:
        """Closed as paid: the lender says that nothing is owed."""
        if body.cause != "paid":
            return
        self._state(day, None, 0, ref)
        self._settle_rows(date.max.toordinal())
        self.book.principal, self.book.credit = 0, []
        self.balance, self.cleared = 0, day.toordinal()

    def _state(self, day: date, since: date | None, past_due: int | None, ref: bytes) -> None:
        self.since, self.past_due, self.stated, self.said["books"] = since, past_due, day.toordinal(), ref
        self._settle_rows(self.stated)

    def _settle_rows(self, until: int) -> None:
        """Instalments due on or before a day (ordinal) ask for nothing more."""
        for row in self.book.rows:
            if row.due.toordinal() <= until and row.open():
                self.book.principal -= row.unmet(PRINCIPAL)
                for component in range(4):
                    row.give_up(row.written_off, component, row.unmet(component), row.due)

    def _rest_on_balance(self, balance: int) -> None:
        """What the balance has beyond instalments and the books' arrears is principal that nothing asks for yet."""
        rows = self.book.unmet()
        self.book.principal = rows.principal + max(balance - rows.total - (self.past_due or 0), 0)
        self.book.credit = []
        self.book.keep(_PREPAID, max(-balance, 0))

    def set_right(self, news: Position, day: date, *, until: date, restated: bool) -> None:
        """Put on top of a statement of ``day`` what its maker could not know: ``news`` is what is known now less what
        was believed; the statement settled what is due ``until`` a day, and ``restated`` says that it set the balance."""
        money_late = 0
        for due, amounts in news.rows.items():
            row = next((row for row in self.book.rows if row.due == due), None)
            for component, amount in enumerate(amounts):
                if amount > 0 and row is not None and due <= until:
                    row.owe(component, amount, day)
                    self.book.principal += amount if component == PRINCIPAL else 0
                elif due <= until:
                    money_late -= min(amount, 0)
        if news.past_due > 0:
            self.past_due = (self.past_due or 0) + news.past_due
            self.since = min((one for one in (self.since, news.since) if one is not None), default=None)
        money_late -= min(news.past_due, 0)
        if money_late:
            money_late -= self._pay_books(money_late)
            self._move(Movement(kind="repayment", on=day, order=0, amount=money_late))
        if restated and news.balance and self.balance is not None:
            self.balance += news.balance
            self._rest_on_balance(self.balance)
            if news.balance < 0:
                self._note_cleared(day)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _move(self, movement: Movement) -> Outcome:
        outcome = Outcome()
        FOLDS[movement.kind](self.book, movement, outcome, {})
        return outcome

    def _owe(self, amount: int) -> None:
        self.balance = None if self.balance is None else self.balance + amount

    def _note_cleared(self, day: date) -> None:
        if self.balance is not None and self.balance <= 0 and not self.cleared and not read_terms(self.terms).revolving:
            self.cleared = day.toordinal()


def _split(told: credit.Allocation) -> Split:
    return Split(Amounts(told.penalty, told.fee, told.interest, told.principal), told.excess)


_APPLY: Final[dict[str, Callable[[Money, Any, date, bytes], None]]] = {
    "agreement": Money.agreement, "charge": Money.charge, "closure": Money.closure, "delinquency": Money.delinquency,
    "disbursement": Money.disbursement, "repayment": Money.repayment, "schedule": Money.plan,
    "status_snapshot": Money.snapshot, "waiver": Money.waiver,
}  # fmt: skip


def said_past_due(body: credit.StatusSnapshot, known: int | None) -> int | None:
    """What is past due by a snapshot: its own word, else nothing on a current loan, else what was ``known`` before."""
    if body.past_due is not None:
        return body.past_due
    return known if body.dpd or known is None else 0


def day_of(kind: str, body: Body, effective: date) -> date:
    """The value date of an event: a charge counts from its due date when that is earlier."""
    return min(effective, body.due) if isinstance(body, credit.Charge) else effective
