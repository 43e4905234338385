"""What each lender may know at each decision point: the world's events, folded by the product's own features.

What it keeps true
- A reading is made from events that the ledger has learnt by the decision's day and from nothing else. An event is learnt
  the day after it happened. The fold and the reading are `ledger.risk`'s, not a copy of them.
- The own view holds what the lender knows by itself. The ledger view adds counts and dates from the other lenders.
- The late view adds the same counts and dates as they stood 45 days ago: what a bureau's file would say.
- A decision point is ten days before a due date of a loan, at a lender that this borrower has never missed. Its label:
  does this loan reach 90 days past due within 180 days?

Example
    table = read_points(make_world(plan), plan)
    table.own["drift_own"][0], table.ledger["misses_elsewhere_30"][0], table.labels[0]

What it does not do: learn anything, or look at the states that drive the world.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.risk.borrower import Counts, Own
from ledger.risk.features import FEATURES, Event, State, Vector, advance, fold, read
from ledger.risk.folding import LAG_EARLY_MAX, LAG_LATE_MAX
from ledger.risk.rings import FIXED_POINT
from tests.sim.world import NEVER, Borrower, Loan, WorldPlan

FIRST_DAY: Final = 737_425
"""The ordinal of the world's first day, 2020-01-01: the fold takes ordinals."""

ATTESTED_AFTER_DAYS: Final = 1
"""An event is on the ledger the next day."""

BUREAU_DELAY_DAYS: Final = 45
"""How old other lenders' news is in the late view: the middle of a bureau's 30 to 60 days."""

DECIDE_BEFORE_DAYS: Final = 10
WATCH_DAYS: Final = 180
DEFAULT_DAYS: Final = 90
FIRST_DECISION: Final = 90
"""No decisions in the first days of the world, when everybody's history is empty and a late view would have none."""

MISSED_AFTER_DAYS: Final = 3
"""As in `ledger.risk.folding`: a due date is missed when it is unmet three days later."""

FRESH_MISSES: Final = 2
"""A loan with no more misses than these has not been in trouble for long, nor is it always late."""

RECENT_DAYS: Final = 40
"""A payment older than this says nothing of how the borrower pays now."""

USUAL_PAYMENTS_MIN: Final = 3
"""Payments before there is a usual day of payment."""

OWN: Final = (
    *(name for name in FEATURES if name.endswith("_own") or "_own_" in name),
    "lag_own",
    "later_than_usual_own",
    "met_ahead_own",
    "grade_own",
)
"""The lender's own readings. `lag_own` is how late it is usually paid and `later_than_usual_own` how much later than that
the last payment came, both in 1/256 of a day; `met_ahead_own` says that the coming instalment is met already."""

ELSEWHERE: Final = (
    *(name for name in FEATURES if name not in OWN and name not in ("pledged_elsewhere", "guarantor_misses_90")),
    "behind_elsewhere",
    "fresh_behind_elsewhere",
    "longest_behind_elsewhere",
    "later_than_usual_elsewhere",
)
"""The readings that only a shared ledger gives. `behind_elsewhere` counts loans with an unmet instalment by now,
`fresh_behind_elsewhere` those that had missed at most two before, `longest_behind_elsewhere` is the days past due of the
worst, `later_than_usual_elsewhere` as above, of the lender for which it is most: counts and days, no figures. The world
has no pledges and no guarantors."""


def _columns(names: tuple[str, ...]) -> dict[str, array[int]]:
    return {name: array("q") for name in names}


Decision = tuple[int, int, int]
"""Day, loan and instalment (both by number) of a decision point."""


@dataclass(slots=True)
class Table:
    """The decision points, a row each, in order of borrower and day. Columns by feature.

    `lead` is the days from the decision to the lender's own first missed due date, NEVER when none comes.
    """

    own: dict[str, array[int]] = field(default_factory=lambda: _columns(OWN))
    ledger: dict[str, array[int]] = field(default_factory=lambda: _columns(ELSEWHERE))
    late: dict[str, array[int]] = field(default_factory=lambda: _columns(ELSEWHERE))
    labels: array[int] = field(default_factory=lambda: array("b"))
    lead: array[int] = field(default_factory=lambda: array("q"))
    borrowers: array[int] = field(default_factory=lambda: array("q"))


def lender_name(number: int) -> str:
    """The tenant's name of a lender of the world."""
    return f"lender-{number}"


def events_of(person: Borrower, plan: WorldPlan) -> list[Event]:
    """What the lenders publish of a borrower, in the order in which the ledger learns it."""
    events = [_event("enquiry", day, lender) for day, lender in person.enquiries]
    for number, loan in enumerate(person.loans):
        events += _loan_events(loan, bytes([number]))
    last = FIRST_DAY + plan.days
    return sorted((event for event in events if event.seen <= last), key=lambda event: event.seen)


def _event(kind: str, day: int, lender: int, **rest: object) -> Event:
    on = FIRST_DAY + day
    return Event(kind=kind, seen=on + ATTESTED_AFTER_DAYS, day=on, lender=lender_name(lender), **rest)


def _loan_events(loan: Loan, account: bytes) -> Iterable[Event]:
    rows = tuple((FIRST_DAY + due, loan.instalment) for due in loan.dues)
    yield _event("disbursement", loan.opened, loan.lender, account=account, amount=loan.principal)
    yield _event("schedule", loan.opened, loan.lender, account=account, rows=rows)
    for day in loan.paid:
        if day < NEVER:
            yield _event("repayment", day, loan.lender, account=account, amount=loan.instalment)
    if loan.closed < NEVER:
        yield _event("closure", loan.closed, loan.lender, account=account)


def reaches_default(loan: Loan, day: int) -> bool:
    """Whether the loan comes to 90 days past due in the 180 days after `day`."""
    return any(
        day < due + DEFAULT_DAYS <= day + WATCH_DAYS and paid >= due + DEFAULT_DAYS
        for due, paid in zip(loan.dues, loan.paid, strict=True)
    )


def first_miss(loans: Sequence[Loan], lender: int) -> int:
    """The lender's own first missed due date of this borrower, NEVER without one."""
    return min(
        (
            due
            for loan in loans
            if loan.lender == lender
            for due, paid in zip(loan.dues, loan.paid, strict=True)
            if paid > due + MISSED_AFTER_DAYS and loan.closed > due + MISSED_AFTER_DAYS
        ),
        default=NEVER,
    )


def decision_days(person: Borrower, plan: WorldPlan) -> list[Decision]:
    """Each decision about a borrower, by day: no loan of theirs at this lender has been missed by then."""
    last = plan.days - WATCH_DAYS
    misses = {loan.lender: first_miss(person.loans, loan.lender) for loan in person.loans}
    return sorted(
        (due - DECIDE_BEFORE_DAYS, number, instalment)
        for number, loan in enumerate(person.loans)
        for instalment, due in enumerate(loan.dues)
        if FIRST_DECISION <= due - DECIDE_BEFORE_DAYS < last
        and loan.opened + ATTESTED_AFTER_DAYS <= due - DECIDE_BEFORE_DAYS < loan.closed
        and due - DECIDE_BEFORE_DAYS <= misses[loan.lender] + MISSED_AFTER_DAYS
    )


class Desk:
    """One borrower's state as the ledger learns it, and the readings taken from it.

    Beside the product's fold it keeps each lender's newest payment as (day, days after due).
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._state = State()
        self._stream = iter(events)
        self._next = next(self._stream, None)
        self._last_payment: dict[str, tuple[int, int]] = {}

    def learn_until(self, day: int) -> None:
        """Take in what the ledger has learnt by the end of that day of the world."""
        on = FIRST_DAY + day
        while self._next is not None and self._next.seen <= on:
            event = self._next
            fold(self._state, event)
            if event.kind == "repayment":
                self._note_payment(event)
            self._next = next(self._stream, None)
        advance(self._state, on)

    def _note_payment(self, event: Event) -> None:
        loan = self._state.own[event.lender].loans[event.account]
        if loan.met:
            self._last_payment[event.lender] = (event.day, event.day - loan.rows[loan.met - 1][0])

    def read(self, lender: str, account: bytes, instalment: int, grade: int, day: int) -> tuple[list[int], list[int]]:
        """The lender's own readings on a day, and those from elsewhere, in the orders of `OWN` and `ELSEWHERE`."""
        state = self._state
        own = state.own.get(lender) or Own()
        vector = read(state.shared, own, lender, FIRST_DAY + day)
        return self._own(vector, own, lender, account, instalment, grade), self._elsewhere(vector, lender)

    def _own(self, vector: Vector, own: Own, lender: str, account: bytes, instalment: int, grade: int) -> list[int]:
        counts = self._state.shared.by.get(lender) or Counts()
        loan = own.loans.get(account)
        return [
            *(getattr(vector, name) for name in OWN[:-4]),
            counts.fast,
            self._later_than_usual(lender, vector.day),
            int(loan is not None and loan.met > instalment),
            grade,
        ]

    def _elsewhere(self, vector: Vector, lender: str) -> list[int]:
        behind = [
            loan
            for name, own in self._state.own.items()
            if name != lender
            for loan in own.loans.values()
            if loan.judged > loan.met and not loan.ended
        ]
        others = [name for name in self._last_payment if name != lender]
        return [
            *(getattr(vector, name) for name in ELSEWHERE[:-4]),
            len(behind),
            sum(loan.missed <= FRESH_MISSES for loan in behind),
            max((vector.day - loan.rows[loan.met][0] for loan in behind), default=0),
            max((self._later_than_usual(name, vector.day) for name in others), default=0),
        ]

    def _later_than_usual(self, lender: str, on: int) -> int:
        counts = self._state.shared.by.get(lender)
        paid = self._last_payment.get(lender)
        if counts is None or paid is None or counts.payments < USUAL_PAYMENTS_MIN or on - paid[0] >= RECENT_DAYS:
            return 0
        lag = max(-LAG_EARLY_MAX, min(paid[1], LAG_LATE_MAX))
        return (lag << FIXED_POINT) - counts.slow


def read_points(people: Iterable[Borrower], plan: WorldPlan, *, late: bool = True) -> Table:
    """Every decision point of a world with its readings, its label and its lead; without the late view if so asked."""
    table = Table()
    for person in people:
        decisions = decision_days(person, plan)
        if decisions:
            _read_person(table, person, decisions, events_of(person, plan), late=late)
    return table


def read_decision(person: Borrower, decision: Decision, events: Iterable[Event]) -> tuple[list[int], ...]:
    """Own, ledger and late readings of one decision from a list of events; what the poison test compares."""
    table = Table()
    _read_person(table, person, [decision], events, late=True)
    return tuple([column[0] for column in columns.values()] for columns in (table.own, table.ledger, table.late))


def _read_person(
    table: Table, person: Borrower, decisions: Sequence[Decision], events: Iterable[Event], *, late: bool
) -> None:
    # a bureau that is late by 45 days knows what the ledger knew when events of 45 days ago were a day old
    file_age = BUREAU_DELAY_DAYS - ATTESTED_AFTER_DAYS
    asked = sorted(
        [(day - file_age, False, number, instalment) for day, number, instalment in decisions if late]
        + [(day, True, number, instalment) for day, number, instalment in decisions]
    )
    desk = Desk(events)
    misses = {loan.lender: first_miss(person.loans, loan.lender) for loan in person.loans}
    file: dict[tuple[int, int], list[int]] = {}
    for day, decides, number, instalment in asked:
        loan = person.loans[number]
        desk.learn_until(day)
        own, elsewhere = desk.read(lender_name(loan.lender), bytes([number]), instalment, loan.grade, day)
        if not decides:
            file[number, instalment] = elsewhere
            continue
        _append(table.own, own)
        _append(table.ledger, elsewhere)
        if late:
            _append(table.late, file[number, instalment])
        table.labels.append(int(reaches_default(loan, day)))
        lead = misses[loan.lender]
        table.lead.append(lead - day if lead < NEVER else NEVER)
        table.borrowers.append(person.number)


def _append(columns: dict[str, array[int]], readings: Sequence[int]) -> None:
    for column, reading in zip(columns.values(), readings, strict=True):
        column.append(reading)
