"""What a loan owed and what was overdue, day by day, as the rules of default ask for it: made from its own events.

    history = debt_history(told, date(2026, 6, 30))
    default_status(pack_for("DE"), history, as_of=date(2026, 6, 30), currency="EUR")

Rules
- Every step is the fold of its day by all that is known now (ledger.loan.course): a payment that is told late counts from
  its value date. The same chain gives the same steps.
- What an event says of the days before it is put on top: when it raises what is overdue on its own day, by arrears that
  began earlier, those days get the instalments that are unmet by it (a payment that went back never counted: domain rule
  9). The lender's books name a first day and one amount: it counts from the day after that one, as far as nothing was
  known to be overdue in between. What was known to be overdue stays.
- A declared default for another reason than days past due is a condition that lasts until a cure is attested; one for days
  past due begins the default, and its condition is the arrears. A charge-off is a condition that lasts.
- A cure counts from the day that it names as the end of the probation, not before its own day.
- Only a restructuring with forbearance makes a loan forborne; the newest one begins the longer probation.
- The loan's own balance stands for the exposure; a debtor's other loans are not in it.
- What nobody stated is None, never zero; a loan of which nobody said that something is overdue has nothing overdue.

What this module does not do: apply a country's floors or clocks (ledger.jurisdiction.default).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from ledger.jurisdiction.default import DebtStep
from ledger.jurisdiction.standing import COUNTED_STAGES
from ledger.loan.arrears import arrears, oldest_unmet
from ledger.loan.course import Passage, course, turns
from ledger.loan.state import LoanState
from ledger.loan.supersession import Told, effective

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Debt:
    """What was owed from a day on, minor units; None: not known."""

    day: date
    past_due: int | None
    exposure: int | None


def debt_history(told: Sequence[Told], until: date) -> list[DebtStep]:
    """The steps of a loan up to ``until``, in the order of their days; none where it did not exist yet."""
    return steps_of(told, course(told, until), until)


def steps_of(told: Sequence[Told], passages: Sequence[Passage], until: date) -> list[DebtStep]:
    """The same of passages that are at hand."""
    debts, said = debts_of(passages), _Said(told, until)
    if not debts:
        return []
    lost = next((each.state.charged_off for each in reversed(passages) if each.state.charged_off), None)
    days = sorted({debt.day for debt in debts} | {day for day in said.days if debts[0].day <= day <= until})
    starts = [debt.day for debt in debts]
    found = list[DebtStep]()
    for day in days:
        debt = debts[bisect_right(starts, day) - 1]
        restructured = said.restructured_by(day)
        found.append(DebtStep(
            since=day, past_due=debt.past_due, exposure=debt.exposure,
            unlikely_to_pay=said.unlikely_on(day) or (lost is not None and lost <= day),
            declared=day in said.declared, forborne=restructured is not None, restructured=restructured,
            cured=day in said.cured,
        ))  # fmt: skip
    return found


def debts_of(passages: Sequence[Passage]) -> list[Debt]:
    """What was overdue and owed, in the order of the days, with what later events say of earlier days."""
    debts = list[Debt]()
    for at, each in enumerate(passages):
        if _is_news(passages[at - 1] if at else None, each):
            debts = _told_back(debts, each)
        debts.append(_debt(each))
    return debts


def _debt(passage: Passage) -> Debt:
    state, late = passage.state, passage.late
    if state.stage not in COUNTED_STAGES:
        return Debt(passage.day, 0, None)
    unsaid = None if late.since is not None else 0
    return Debt(passage.day, unsaid if late.amount is None else late.amount, state.balance)


def _is_news(before: Passage | None, each: Passage) -> bool:
    """Whether an event says of days before its own that more was overdue than was known."""
    late = each.late
    if late.since is None or late.since + _DAY >= each.day:
        return False
    if before is None or before.state is each.state:
        return before is None
    then = arrears(before.state, each.day)
    if then.since is None or late.since < then.since or then.amount is None or late.amount is None:
        return True
    return late.amount > then.amount


def _told_back(debts: Sequence[Debt], news: Passage) -> list[Debt]:
    """The debts with what the news says of the days before it."""
    first = (news.late.since or news.day) + _DAY
    days = {first, *turns(news.state), *(debt.day for debt in debts)}
    before = [debt for debt in debts if debt.day < first]
    known, there = before[-1] if before else Debt(first, 0, None), {debt.day: debt for debt in debts}
    for day in sorted(day for day in days if first <= day < news.day):
        known = there.get(day, known)
        exposure = news.state.balance if known.exposure is None else known.exposure
        before.append(Debt(day, _overdue_by(news.state, known.past_due, day), exposure))
    return before


def _overdue_by(state: LoanState, known: int | None, day: date) -> int | None:
    """What was overdue on a day by a later state and by what was ``known``; the books' amount where that was nothing."""
    planned = oldest_unmet(state, day)[1]
    if known != 0:
        return None if known is None else max(known, planned)
    if state.since is None or day <= state.since:
        return planned
    return None if state.past_due is None else planned + state.past_due


class _Said:
    """What the lender attested beside the money, by what counts of days up to ``until``."""

    def __init__(self, told: Sequence[Told], until: date) -> None:
        known = [each for each in told if _dated(each) <= until]
        counted = [each.told for each in effective(known)]
        self._turns = sorted(
            (_dated(each), each.kind == "default")
            for each in counted
            if each.kind == "cure" or (each.kind == "default" and each.body.trigger != "days_past_due")
        )
        self._restructured = sorted(_dated(each) for each in counted if _is_forborne(each))
        self.declared = {
            _dated(each) for each in counted if each.kind == "default" and each.body.trigger == "days_past_due"
        }
        self.cured = {max(_dated(each), each.body.probation_end) for each in counted if each.kind == "cure"}

    @property
    def days(self) -> Iterable[date]:
        """The days on which any of it begins."""
        return {day for day, _ in self._turns} | {*self._restructured} | self.declared | self.cured

    def unlikely_on(self, day: date) -> bool:
        """Whether the newest word by a day is a default for another reason than days; on one day a default wins."""
        return next((is_default for on, is_default in reversed(self._turns) if on <= day), False)

    def restructured_by(self, day: date) -> date | None:
        """The newest forbearance by a day."""
        return next((on for on in reversed(self._restructured) if on <= day), None)


def _is_forborne(each: Told) -> bool:
    return each.kind == "restructure" and bool(each.body.forborne)


def _dated(told: Told) -> date:
    return told.attestation.envelope.effective_date
