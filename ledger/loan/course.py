"""A loan day by day, as far as anything changes: what a rule that counts days on end needs to know.

    passages = course(told, date(2026, 6, 30))
    [(passage.day, passage.late.amount) for passage in passages]        [(2026-01-01, 0), (2026-02-11, 110), ...]
    states_on(told, [date(2026, 3, 1), date(2026, 4, 1)])               the state on chosen days, ascending

Rules
- A passage holds from its day until the day before the next one's: between two of them neither the loan's state nor what
  is overdue changes (the count of days past due goes on, which nobody needs to be told).
- A state of a day is ``account(told, as_of=day).state``, to the byte: by all that is known now, without what is dated
  later. A test compares the two for every day of generated lives.
- Events in the order of their days are folded forwards, one step each; only an event that changes the past, or one that
  was recorded after events of later days, folds the chain again up to its day.
- Pure: the same chain gives the same passages, on any machine.

What this module does not do: say what a lateness means (ledger.jurisdiction).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from ledger.errors import Refused
from ledger.loan.arrears import Arrears, arrears
from ledger.loan.fold import fold
from ledger.loan.money import OURS
from ledger.loan.replay import Replay
from ledger.loan.servicing.allocation import Rules
from ledger.loan.state import LoanState, NeedsReplay
from ledger.loan.supersession import Told

_DAY: Final = timedelta(days=1)


class Passage(NamedTuple):
    """The loan from ``day`` on, until the next passage."""

    day: date
    state: LoanState
    late: Arrears


def course(told: Sequence[Told], until: date, usual: Rules = OURS) -> list[Passage]:
    """The passages of a loan up to ``until``, in the order of their days; the first is that of its first event."""
    found = list[Passage]()
    folded = list(_folded(told, usual, until))
    for (day, state), last in zip(folded, [*(day - _DAY for day, _ in folded[1:]), until], strict=False):
        days = [day, *(turn for turn in turns(state) if day < turn <= last)]
        found += [Passage(turn, state, arrears(state, turn)) for turn in days]
    return found[:1] + [after for before, after in pairwise(found) if _differ(before, after)]


def states_on(told: Sequence[Told], days: Sequence[date], usual: Rules = OURS) -> list[LoanState | None]:
    """The loan's state on each of ``days``, given in ascending order; None where it was not there yet."""
    found = list[LoanState | None]()
    steps, state = _folded(told, usual, max(days, default=date.min)), None
    ahead = next(steps, None)
    for day in days:
        while ahead is not None and ahead[0] <= day:
            state, ahead = ahead[1], next(steps, None)
        found.append(state)
    return found


def turns(state: LoanState) -> list[date]:
    """The days on which the arrears of a state change if nothing more happens: an instalment is late from the day after
    it is due."""
    found = {date.fromordinal(row[0]) + _DAY for row in state.schedule}
    if state.since is not None:
        found.add(state.since + _DAY)
    return sorted(found)


def _folded(told: Sequence[Told], usual: Rules, until: date) -> Iterator[tuple[date, LoanState]]:
    """(day, the state of all events until it) for each day that has events, up to ``until``."""
    places = sorted(range(len(told)), key=lambda place: (_dated(told[place]), place))
    state, newest, known = None, -1, set[int]()
    for day, group in groupby(places, key=lambda place: _dated(told[place])):
        if day > until:
            break
        new = list(group)
        known.update(new)
        ahead = _forwards(state, [told[place] for place in new]) if new[0] > newest else None
        newest = max(newest, *new)
        state = ahead or Replay([told[place] for place in sorted(known)], usual, strict=False).state()
        yield day, state


def _forwards(state: LoanState | None, new: Sequence[Told]) -> LoanState | None:
    """The state after events in their order; None where it takes the whole chain to say it."""
    try:
        for each in new:
            state = fold(state, each.attestation.envelope, each.body)
    except (NeedsReplay, Refused):
        return None
    return state


def _differ(before: Passage, after: Passage) -> bool:
    return after.state is not before.state or (after.late.since, after.late.amount) != (
        before.late.since, before.late.amount,
    )  # fmt: skip


def _dated(told: Told) -> date:
    return told.attestation.envelope.effective_date
