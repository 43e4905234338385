"""The fold: one event changes what is known of a borrower.

    fold(state, event)            in log order
    advance(state, day)           days pass; what was due and stayed unmet is missed

Rules
- **O(1) an event**, amortised: rings of fixed length, and each instalment is met once and judged once.
- Days pass by themselves: an instalment unmet MISS_AFTER_DAYS after its due date is a miss *dated on that day*, whenever
  the fold comes to know that the day has passed. So day ticks may come often, seldom or never: the state is the same.
- A plan that is told late names due dates that are past, and what was paid on them is told after it. So nothing is judged
  on the day on which a first plan is learnt, and no plan makes a loan later that day than it was known to be: what was
  told by the time the next day begins counts. The misses that are left then keep their own dates. A plan told on a day of
  the ledger that none of its due dates is before was not told late, however far that day is behind the clock.
- Evergreening is domain rule 10 as ledger.loan.evergreening states it: a new loan within 7 days of a repayment that
  clears 80 % or more of what an account owes that was late in the last 30 days, at any lender. Here whichever of the two
  came first: who takes the loan a day before the payment does the same. A round trip: an instalment paid days
  after a loan from another lender that was taken just before it was due.
- What was believed stays in the means: a reversal makes an instalment unmet again, it does not unlearn a payment's lag.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from ledger.loan.evergreening import clears, follows
from ledger.risk.borrower import (
    ITEMS_MAX,
    LOANS_MAX,
    NEVER,
    TRAIL_MAX,
    Counts,
    Event,
    Loan,
    Own,
    Shared,
    State,
    Trace,
)
from ledger.risk.rings import FAST_SHIFT, FIXED_POINT, SLOW_SHIFT, add, towards

MISS_AFTER_DAYS: Final = 3
"""An instalment is missed when it is unmet so many days after it was due: 95 of 100 real payments come by then."""

LAG_EARLY_MAX: Final = 30
"""Days of a payment before its due date that the drift reckons with: who prepays a year is not thirty times earlier."""

LAG_LATE_MAX: Final = 90
"""Days of a payment after its due date that the drift reckons with: past that other rules speak."""

ROUND_TRIP_DAYS: Final = 5
"""A loan taken at most so many days before an instalment elsewhere, which is then paid."""


def fold(state: State, event: Event) -> State:
    """Take one event in. The state given is changed and given back: whoever needs the old one keeps its bytes."""
    shared = state.shared
    if event.seen > shared.day:
        advance(state, event.seen)
    kind = event.kind
    if kind != "tick":
        counts = shared.by.get(event.lender)
        if counts is None:
            counts = shared.by[event.lender] = Counts()
        _FOLDS[kind](state, counts, event)
    return state


def advance(state: State, day: int) -> None:
    """Let days pass: what was due and stayed unmet is missed. ``advance(a); advance(b)`` is ``advance(b)``."""
    shared = state.shared
    if day <= shared.day:
        return
    shared.day = day
    if day < shared.wake:
        return
    for lender, own in state.own.items():
        for account, loan in own.loans.items():
            _judge(shared, lender, account, loan)
    shared.wake = min((_wakes(loan) for own in state.own.values() for loan in own.loans.values()), default=NEVER)


def _judge(shared: Shared, lender: str, account: bytes, loan: Loan) -> None:
    """Count the instalments of a loan whose day of judgement has come."""
    while loan.judged < len(loan.rows) and not loan.ended:
        if _wakes(loan) > shared.day:
            return
        on = loan.rows[loan.judged][0] + MISS_AFTER_DAYS + 1
        loan.judged += 1
        if loan.judged > loan.met:
            loan.missed += 1
            loan.late = max(loan.late, on)
            _miss(shared, Trace("miss", on, lender, account, loan.entry, loan.position))


def _wakes(loan: Loan) -> int:
    """The day on which the next instalment is judged, which is later than that on which there first was a plan."""
    if loan.ended or loan.judged >= len(loan.rows):
        return NEVER
    return max(loan.rows[loan.judged][0] + MISS_AFTER_DAYS + 1, loan.planned + 1)


def _miss(shared: Shared, trace: Trace) -> None:
    day = trace.day
    for counts in (shared.total, shared.by[trace.lender]):
        add(counts.misses, seen=day, day=day)  # whenever it is found out: the ring is the same
        counts.missed += 1
        counts.last_miss = max(counts.last_miss, day)
        counts.first_miss = min(counts.first_miss or day, day)
    _note(shared, trace)


def _note(shared: Shared, trace: Trace) -> None:
    """Keep a possible cause; in the order of its day, so that a miss stands where it stood whenever it was found."""
    trail = shared.trail
    at = len(trail)
    while at and trail[at - 1].day > trace.day:
        at -= 1
    trail.insert(at, trace)
    if len(trail) > TRAIL_MAX:
        del trail[0]


def _cause(shared: Shared, event: Event) -> None:
    _note(shared, Trace(event.kind, event.day, event.lender, event.account, event.index, event.position))


def _loan(state: State, event: Event) -> Loan:
    own = state.own.get(event.lender)
    if own is None:
        own = state.own[event.lender] = Own()
    loan = own.loans.get(event.account)
    if loan is None:
        if len(own.loans) >= LOANS_MAX:
            _drop_one(own)
        loan = own.loans[event.account] = Loan()
    return loan


def _drop_one(own: Own) -> None:
    """Stop following the oldest loan that ended, or the oldest."""
    account = next((key for key, loan in own.loans.items() if loan.ended), next(iter(own.loans)))
    del own.loans[account]
    for keys in (own.raised, own.episodes):
        for key in [key for key in keys if key.endswith(":" + account.hex())]:
            del keys[key]


def _known(state: State, event: Event) -> Loan | None:
    own = state.own.get(event.lender)
    return None if own is None else own.loans.get(event.account)


def _enquiry(state: State, counts: Counts, event: Event) -> None:
    shared = state.shared
    for each in (shared.total, counts):
        add(each.enquiries, seen=shared.day, day=event.day)
        each.last_enquiry = max(each.last_enquiry, event.day)
    _cause(shared, event)


def _disbursement(state: State, counts: Counts, event: Event) -> None:
    shared, loan = state.shared, _loan(state, event)
    loan.disbursed += event.amount
    if loan.opened:
        return  # a later tranche
    loan.opened = event.day
    for each in (shared.total, counts):
        add(each.loans, seen=shared.day, day=event.day)
        each.opened += 1
        each.last_loan = max(each.last_loan, event.day)
    _cause(shared, event)
    if shared.cleared and follows(shared.cleared, event.day):
        _evergreen(shared, counts, event)


def _evergreen(shared: Shared, counts: Counts, event: Event) -> None:
    shared.cleared = 0  # one clearing, one sign
    for each in (shared.total, counts):
        add(each.evergreens, seen=shared.day, day=event.day)


def _schedule(state: State, counts: Counts, event: Event) -> None:
    shared, loan = state.shared, _loan(state, event)
    new = not loan.rows or loan.planned == shared.day
    if not _in_time(event, shared.day):
        loan.planned = shared.day if new else loan.planned
        loan.held, loan.learnt = dpd(loan, shared.day), shared.day
    loan.rows, loan.met, loan.toward = event.rows, 0, loan.paid
    loan.entry, loan.position = event.index, event.position
    loan.payable = sum(amount for _, amount in event.rows)
    while loan.met < len(loan.rows) and loan.toward >= loan.rows[loan.met][1]:
        loan.toward -= loan.rows[loan.met][1]
        loan.met += 1
    # What an earlier version was judged for is not judged again under this one.
    loan.judged = 0 if new else bisect_right(loan.rows, shared.day - MISS_AFTER_DAYS - 1, key=due_day)
    _judge(shared, event.lender, event.account, loan)
    shared.wake = min(shared.wake, _wakes(loan))


def _in_time(plan: Event, today: int) -> bool:
    """Whether a plan was told before its first instalment was due, by a ledger whose own days are behind the clock."""
    return bool(plan.told) and plan.told < today and plan.rows[0][0] >= plan.told


def _repayment(state: State, counts: Counts, event: Event) -> None:
    shared, loan = state.shared, _loan(state, event)
    owing, late_on = owed(loan), _late_on(loan, event.day)
    loan.paid += event.amount
    loan.toward += event.amount
    first, behind = loan.met, loan.judged > loan.met
    while loan.met < len(loan.rows) and loan.toward >= loan.rows[loan.met][1]:
        due, amount = loan.rows[loan.met]
        loan.toward -= amount
        loan.met += 1
        _learn_lag(counts, event.day - due)
        if event.day > due:
            loan.late = max(loan.late, event.day)
    if behind and loan.met >= loan.judged:
        counts.cured += 1
        shared.total.cured += 1
    _cause(shared, event)
    if loan.met > first:
        _round_trip(shared, counts, event, loan.rows[first][0])
    if clears(event.day, owed_before=owing, paid=event.amount, late_on=late_on):
        shared.cleared = event.day
        newest = shared.total.last_loan
        if newest != loan.opened and follows(newest, event.day):  # the other order: the loan first
            _evergreen(shared, counts, event)


def _learn_lag(counts: Counts, lag_days: int) -> None:
    lag = max(-LAG_EARLY_MAX, min(lag_days, LAG_LATE_MAX)) << FIXED_POINT
    first = counts.payments == 0
    counts.fast = lag if first else towards(counts.fast, lag, FAST_SHIFT)
    counts.slow = lag if first else towards(counts.slow, lag, SLOW_SHIFT)
    counts.payments += 1


def _round_trip(shared: Shared, counts: Counts, event: Event, due: int) -> None:
    """An instalment was met days after a loan from another lender that was taken just before it was due."""
    taken = max((each.last_loan for name, each in shared.by.items() if name != event.lender), default=0)
    if taken and 0 <= due - taken <= ROUND_TRIP_DAYS and 0 <= event.day - taken <= ROUND_TRIP_DAYS:
        for each in (shared.total, counts):
            add(each.round_trips, seen=shared.day, day=event.day)


def owed(loan: Loan) -> int:
    """What a loan still owes by its schedule, else what was paid out and not back; minor units."""
    return (loan.payable or loan.disbursed) - loan.paid


def _late_on(loan: Loan, day: int) -> int | None:
    """The newest day up to ``day`` on which a loan was late, as far as is known; None: never."""
    return day if _overdue(loan, day) > 0 else min(loan.late, day) or None


def _reversal(state: State, counts: Counts, event: Event) -> None:
    shared, loan = state.shared, _known(state, event)
    if loan is None:
        return
    loan.paid -= event.amount
    loan.toward -= event.amount
    while loan.toward < 0 and loan.met:
        loan.met -= 1
        loan.toward += loan.rows[loan.met][1]
    if loan.ended:
        loan.ended = 0
        counts.ended -= 1
        shared.total.ended -= 1
        _judge(shared, event.lender, event.account, loan)
    shared.wake = min(shared.wake, _wakes(loan))
    _cause(shared, event)


def _arrears(state: State, counts: Counts, event: Event) -> None:
    """Days past due as the lender reports them: they count as a miss where no schedule tells better."""
    shared, loan = state.shared, _loan(state, event)
    worse = event.amount > MISS_AFTER_DAYS and loan.reported <= MISS_AFTER_DAYS
    better = loan.reported > MISS_AFTER_DAYS and event.amount == 0
    loan.reported, loan.reported_day = event.amount, event.day
    if event.amount:
        loan.late = max(loan.late, event.day)
    _cause(shared, event)
    if loan.rows:
        return
    if worse:
        loan.missed += 1
        _miss(shared, Trace("miss", event.day, event.lender, event.account, event.index, event.position))
    if better:
        counts.cured += 1
        shared.total.cured += 1


def _closure(state: State, counts: Counts, event: Event) -> None:
    shared, loan = state.shared, _known(state, event)
    for item in [item for item, held in shared.items.items() if held.get(event.lender) == event.account]:
        del shared.items[item][event.lender]
        if not shared.items[item]:
            del shared.items[item]
    if loan is None or loan.ended:
        return
    loan.ended = event.day
    for each in (shared.total, counts):
        add(each.ends, seen=shared.day, day=event.day)
        each.ended += 1


def _collateral(state: State, counts: Counts, event: Event) -> None:
    shared = state.shared
    if not event.item:
        return
    if event.item not in shared.items and len(shared.items) >= ITEMS_MAX:
        del shared.items[next(iter(shared.items))]
    shared.items.setdefault(event.item, {})[event.lender] = event.account
    _cause(shared, event)


def _guarantor(state: State, counts: Counts, event: Event) -> None:
    add(counts.guarantor, seen=state.shared.day, day=event.day)
    _cause(state.shared, event)


def _application(state: State, counts: Counts, event: Event) -> None:
    _cause(state.shared, event)


def _nothing(state: State, counts: Counts, event: Event) -> None:
    """A day began, or a trace of a miss: nothing that the passing of days has not done."""


_FOLDS: Final[dict[str, Callable[[State, Counts, Event], None]]] = {
    "application": _application, "arrears": _arrears, "closure": _closure, "collateral": _collateral,
    "disbursement": _disbursement, "enquiry": _enquiry, "guarantor_miss": _guarantor, "miss": _nothing,
    "pledged_elsewhere": _collateral, "repayment": _repayment, "reversal": _reversal, "schedule": _schedule,
    "tick": _nothing,
}  # fmt: skip


def due_day(row: tuple[int, int]) -> int:
    """The day of a schedule's row."""
    return row[0]


def dpd(loan: Loan, day: int) -> int:
    """Days past due of the oldest instalment not fully met; by the lender's report where there is no schedule. On the day
    on which a plan was learnt no more than was known before it: payments that it asks for may still be told."""
    days = _overdue(loan, day)
    return days if day > loan.learnt else min(days, loan.held)


def _overdue(loan: Loan, day: int) -> int:
    if loan.met < len(loan.rows):
        return max(day - loan.rows[loan.met][0], 0)
    return loan.reported + max(day - loan.reported_day, 0) if loan.reported and not loan.rows else 0
