"""One fold over a whole chain: supersession, then stages and facts in log order, then money in value-date order.

    replay = Replay(told, Rules(), strict=True)
    replay.state()          the projection's state
    replay.money            the open book behind it

Rules
- ``strict`` refuses what could not have happened; else an event that has no place yet is passed over (an earlier day).
- A statement of the books (money.py) is made in the belief of its moment. When something after it in the chain is about
  the time before it, the account is folded once more as its maker knew it; the difference between that and what is known
  now is put on top of the statement: instalments that a reversal opened again are open from their original due dates
  (domain rule 9), money that came late meets what the books called overdue.
- A closure as paid is a statement that the account ended, not money: whenever it was told, the books of a later day know
  of it already. So it is never news to them, and where something else is, they are believed to have known the closure.
- A payment or a waiver of the time before a closure as paid that is told after it is what the closure rested on: its maker
  is believed to have known it, as far as something was owed without it. What goes beyond that is more than was owed.

What this module does not do: choose a day or a log index (account.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

from ledger.errors import Refused
from ledger.loan.facts import FACTS
from ledger.loan.fold import REPLAYED, ensure_same_loan, event_of, is_money, settle
from ledger.loan.lifecycle import Stage, next_stage
from ledger.loan.money import Money, Position, day_of
from ledger.loan.servicing.allocation import Rules
from ledger.loan.state import NEW_LOAN, LoanState
from ledger.loan.supersession import Counted, Told, effective
from ledger.loan.terms import terms_of


class Moving(NamedTuple):
    """An event that moves money: when it folds (its value date, then its place in the chain), and what it is."""

    day: date
    place: int
    told: Told


class Belief(NamedTuple):
    """What decides how much the maker of a statement knew: the statement, how many of the chain came before it and are
    dated by its day, and the lender's own earlier statements that it knew of before they were told."""

    statement: UUID
    known: int
    own: tuple[UUID, ...]


class Replay:
    """One fold over a chain."""

    def __init__(
        self, told: Sequence[Told], usual: Rules, *, strict: bool, believed: dict[Belief, Money] | None = None
    ) -> None:
        self.told = told
        self.counted: list[Counted] = effective(told)
        self.turned: list[Told] = []
        self.restructured: tuple[date, int] | None = None
        self._usual = usual
        self._strict = strict
        self._believed = {} if believed is None else believed
        self._left = self._left_of_repayments()
        self._news = _news(told)
        self.money = self._fold_money()

    # -- facts and stages, in log order ----------------------------------------------------------------------------

    def state(self) -> LoanState:
        """The state of the chain. Raises, when strict, what the transition table refuses."""
        state = NEW_LOAN
        for _, each in self.counted:
            state = self._with_facts(state, each)
        changes = self.money.changes()
        if state.stage == Stage.ACTIVE.value:
            stage, changes["closed"] = settle(self.money.balance, self.money.cleared)
            changes["stage"] = stage.value
        if self.restructured is not None:
            changes["restructured"], changes["restructured_dpd"] = self.restructured
        days = (each.attestation.envelope.effective_date.toordinal() for each in self.told)
        terms = {terms_of(each.body) for _, each in self.counted if each.kind == "agreement"}
        return msgspec.structs.replace(
            state, **changes, moved=max(days, default=0), events=len(self.told), terms_vary=len(terms) > 1
        )

    def _with_facts(self, state: LoanState, each: Told) -> LoanState:
        envelope, body = each.attestation.envelope, each.body
        try:
            ensure_same_loan(state, envelope, body)
            stage = next_stage(state.stage, event_of(each.kind, body))
        except Refused:
            if self._strict:
                raise
            stage = Stage(state.stage)
        changes = FACTS[each.kind](state, envelope, body)
        if stage.value != state.stage:
            self.turned.append(each)
        if not state.subject:
            changes["subject"] = envelope.subject
        return msgspec.structs.replace(state, stage=stage.value, **changes)

    # -- money, in value-date order --------------------------------------------------------------------------------

    def _left_of_repayments(self) -> dict[int, int]:
        """Place of a repayment -> what reversals left of it. Raises Refused ``reversal_unknown``, ``reversal_exceeds``."""
        there = {each.id: (place, each.body.amount) for place, each in self.counted if each.kind == "repayment"}
        left: dict[int, int] = {}
        for place, each in self.counted:
            if each.kind != "reversal":
                continue
            named = [there[ref] for ref in each.attestation.envelope.refs if ref in there and there[ref][0] < place]
            if not named and self._strict:
                raise Refused("reversal_unknown", "the account has no such repayment", path="$.refs",
                              advice="name the repayment that is taken back")  # fmt: skip
            amount = 0 if each.body.cause == "refund" else each.body.amount
            for target, whole in named:
                part = min(amount, left.get(target, whole))
                left[target] = left.get(target, whole) - part
                amount -= part
            if amount and self._strict:
                raise Refused("reversal_exceeds", "takes back more than is left of the repayment", path="$.body.amount",
                              expected=f"<= {each.body.amount - amount}", found=each.body.amount)  # fmt: skip
        return left

    def _stream(self) -> list[Moving]:
        """What moves money, in value-date order; a corrected plan was so from the first day."""
        moving = [
            Moving(_day(each), place, each)
            for place, each in self.counted
            if each.kind in ("restructure", "reversal") or is_money(each.kind, each.body)
        ]
        corrections = (at.place for at in moving if at.told.kind == "schedule" and at.told.body.cause == "correction")
        corrected = max(corrections, default=-1)
        kept = [
            at._replace(day=date.min) if at.place == corrected else at
            for at in moving
            if at.told.kind != "schedule" or at.place >= corrected
        ]
        return sorted(kept, key=lambda at: at[:2])

    def _fold_money(self) -> Money:
        money = Money(self._usual)
        renewing = {each.body.schedule for _, each in self.counted if each.kind == "restructure"}
        for at in self._stream():
            kind, body, ref = at.told.kind, at.told.body, at.told.id.bytes
            renews = kind == "schedule" and (body.cause == "restructure" or at.told.id in renewing)
            if renews or kind == "restructure":
                self._note_restructuring(money, at.day)
            if kind == "repayment":
                if self._left.get(at.place) != 0:
                    money.repayment(body, at.day, ref, self._left.get(at.place))
            elif kind == "reversal":
                money.refund(body.amount if body.cause == "refund" else 0, at.day, ref)
            elif renews:
                money.plan(body, at.day, ref, restructures=True)
            elif kind in ("closure", "delinquency", "status_snapshot"):
                self._statement(money, at)
            elif kind != "restructure":
                money.apply(kind, body, at.day, ref)
            money.note_open()
        return money

    def _note_restructuring(self, money: Money, day: date) -> None:
        """The days past due at the restructuring are kept, whichever of its two attestations comes first."""
        if self.restructured is None or self.restructured[0] != day:
            late = [row.due for row in money.book.rows if row.due < day and row.open()]
            since = min([*late, *([] if money.since is None else [money.since])], default=day)
            self.restructured = day, (day - since).days

    # -- statements, and what became known after them ----------------------------------------------------------------

    def _statement(self, money: Money, at: Moving) -> None:
        """The books' word, and on top of it what their maker could not know of the time before."""
        if not self._has_news_for(at):
            money.apply(at.told.kind, at.told.body, at.day, at.told.id.bytes)
            return
        news = Position.of(money).less(self._believed_before(at))
        money.apply(at.told.kind, at.told.body, at.day, at.told.id.bytes)
        until = date.max if at.told.kind == "closure" else at.day
        money.set_right(news, at.day, until=until, restated=_states_balance(at.told))

    def _believed_before(self, at: Moving) -> Position:
        """What the maker of a statement believed to be open before it."""
        known = Position.of(self._as_known(at, ("status_snapshot",)))
        if at.told.kind != "closure":
            return known
        grounds = Position.of(self._as_known(at, ("repayment", "status_snapshot", "waiver")))
        beyond = min(grounds.balance, 0) - min(known.balance, 0)  # nobody closes a loan because more was paid than owed
        return grounds._replace(balance=grounds.balance - beyond)

    def _has_news_for(self, at: Moving) -> bool:
        """Whether something recorded after a statement, or dated after it, is about the time before it."""
        return any(
            (n > at.place and (kind in REPLAYED or day < at.day))
            or (n < at.place and kind in REPLAYED and day > at.day)
            for n, kind, day in self._news
        )

    def _as_known(self, at: Moving, told_later: tuple[str, ...]) -> Money:
        """The money before a statement by what was in the chain before it and dated by its day, by the closure, and by what
        of these kinds was told later."""
        place = next(n for n, each in enumerate(self.told) if each.id == at.told.id)
        before = [each for each in self.told[:place] if each.attestation.envelope.effective_date <= at.day]
        own = self._own_told_later(at, place, told_later)
        belief = Belief(at.told.id, len(before), tuple(each.id for each in own))
        if belief not in self._believed:
            then = Replay([*before, *own], self._usual, strict=False, believed=self._believed)
            self._believed[belief] = then.money
        return self._believed[belief]

    def _own_told_later(self, at: Moving, place: int, kinds: tuple[str, ...]) -> list[Told]:
        """What was said in these kinds of the days before a statement, told after it: its maker knew them. Of closures as
        paid the newest day's alone, since those before it say no more than it does."""
        known = {each.id for each in self.told[: place + 1]}
        earlier = [each for _, each in self.counted if _day(each) < at.day]
        newest = max(filter(_is_paid, earlier), key=_day, default=None)
        own = [each for each in earlier if each.kind in kinds or each is newest]
        return [each for each in own if each.id not in known]


def _news(told: Sequence[Told]) -> list[tuple[int, str, date]]:
    """(place, kind, value date) of what may be news of a time before it."""
    found, newest = [], date.min
    for n, each in enumerate(told):
        day = _day(each)
        corrects = each.kind == "schedule" and each.body.cause == "correction"  # it was so from the first day
        if corrects or each.kind in REPLAYED or (_moves_late(each) and day < newest):
            found.append((n, "correction" if corrects else each.kind, day))
        newest = max(newest, day)
    return found


def _moves_late(each: Told) -> bool:
    """Whether it moves money that a statement of a later day may not know of."""
    return is_money(each.kind, each.body) and each.kind not in ("closure", "status_snapshot")


def _is_paid(each: Told) -> bool:
    return each.kind == "closure" and is_money(each.kind, each.body)


def _day(each: Told) -> date:
    return day_of(each.kind, each.body, each.attestation.envelope.effective_date)


def _states_balance(each: Told) -> bool:
    return each.kind == "closure" or getattr(each.body, "balance", None) is not None
