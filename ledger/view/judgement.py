"""What a country's rules that look at a loan's past make of it on a day, from nothing but its own events.

    found = judge(pack_for("DE"), told, as_of=date(2026, 6, 30))
    found.default.code, found.default.counter_days, found.default.probation_until
    classify(pack, with_past(standing, found))

Rules
- Default (the Union): days on end above the floors, the lender's own declarations, probation: ledger.jurisdiction.default
  over ledger.view.debt_history.
- Observation (China): a restructured loan is watched from the first due date under its new terms. That date is the first
  row of the plan that came with the newest restructuring with forbearance, moved by the terms; without such a plan the
  first due date after it; without any plan what the lender stated (``observationStart``), else the day itself.
- A bad loan that was cleared stays bad until its upgrade is allowed: bad is what the pack's first list calls so
  (``impaired``) by days past due. Arrears in between start the watch again.
- Due dates are those of the plan in force on the day, and count as met when nothing of them is open.
- A loan that does not run is not in default, on probation or watched: ``not_running``.
- Pure: the same chain gives the same answer for a day, whenever it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, Literal

from ledger.jurisdiction.default import DefaultStatus, default_status, may_cure
from ledger.jurisdiction.observation import Watch, may_upgrade
from ledger.jurisdiction.packs import Decision, Pack
from ledger.jurisdiction.standing import COUNTED_STAGES, Standing
from ledger.loan.account import Account, account
from ledger.loan.course import Passage, course
from ledger.loan.supersession import Told
from ledger.loan.terms import planned_rows
from ledger.view.debt_history import debts_of, steps_of

_DAY: Final = timedelta(days=1)
NOT_RUNNING: Final = DefaultStatus("not_running", 0, False)


@dataclass(frozen=True)
class Judgement:
    """What a loan's past makes of it on ``as_of``. ``cure`` says whether a cure may be attested; ``restructured_since`` is
    the first due date under the newest terms that came with forbearance, ``periods_since`` how many due dates have passed
    from it; ``bad`` whether a loan that was non-performing may not be called performing yet, by ``upgrade``."""

    as_of: date
    default: DefaultStatus
    cure: Decision
    restructured_since: date | None = None
    periods_since: int | None = None
    bad: bool = False
    upgrade: Watch | None = None


def looks_back(pack: Pack) -> bool:
    """Whether any rule of a country looks at a loan's past; without one no chain need be read."""
    document = pack.document
    return bool(document.default or document.restructuring or document.upgrade)


def judge(
    pack: Pack, told: Sequence[Told], *, as_of: date, retail: bool = True,
    portfolio: Literal["general", "card"] = "general",
) -> Judgement:  # fmt: skip
    """The rules of ``pack`` over a loan's chain, given in log order."""
    found, passages = account(told, as_of=as_of), course(told, as_of)
    if found.state.stage not in COUNTED_STAGES:
        return Judgement(as_of, NOT_RUNNING, may_cure(pack, NOT_RUNNING, as_of=as_of))
    steps = steps_of(told, passages, as_of)
    status = default_status(pack, steps, as_of=as_of, currency=found.state.currency, retail=retail)
    cure = may_cure(pack, status, as_of=as_of, past_due=found.arrears.amount or 0)
    since, periods = restructured_since(found)
    upgrade = _upgrade(pack, passages, found, _bad_from(pack, portfolio))
    return Judgement(as_of, status, cure, since, periods, upgrade is not None and not upgrade.over, upgrade)


def with_past(standing: Standing, found: Judgement) -> Standing:
    """A standing with what its loan's past adds. A country without rules of default keeps what the lender declared."""
    status = found.default
    if status.code in ("defaulted", "probation", "not_defaulted"):
        standing = replace(
            standing, material_days=status.counter_days, defaulted=status.defaulted,
            probation=status.code == "probation",
        )  # fmt: skip
    return replace(
        standing, restructured_since=found.restructured_since, periods_since=found.periods_since,
        facts=standing.facts | ({"impaired"} if found.bad else frozenset()),
    )  # fmt: skip


def restructured_since(found: Account) -> tuple[date | None, int | None]:
    """(first due date under the newest terms with forbearance, due dates that have passed from it on); the second is None
    where no plan is known."""
    told = [each for each in found.of_kind("restructure") if each.body.forborne]
    if not told:
        return None, None
    newest = max(told, key=_dated)
    on, dues = _dated(newest), due_dates(found)
    plans = [
        each for each in found.of_kind("schedule")
        if each.id == newest.body.schedule or (each.body.cause == "restructure" and _dated(each) >= on)
    ]  # fmt: skip
    if plans:
        first = min(row.due for row in planned_rows(plans[0].body.rows, found.state.terms))
    else:
        first = next((due for due in dues if due > on), newest.body.observation_start or on)
    return first, sum(first <= due <= found.as_of for due in dues) if dues else None


def due_dates(found: Account) -> list[date]:
    """The due dates of the plan in force, ascending; rows that a charge alone made are none."""
    return sorted({
        row.due for row in found.money.book.rows
        if row.kind == "instalment" and sum(row.owed) > sum(one.amount for one in row.charges)
    })  # fmt: skip


def _bad_from(pack: Pack, portfolio: str) -> int | None:
    """Days past due from which the pack's first list calls a loan impaired; None: the list has no such rule, is about
    other loans, or the pack lets a loan go without a watch."""
    scheme = next(iter(pack.document.classification.values()))
    rule = next((rule for rule in scheme.at_least if rule.when == "impaired"), None)
    if pack.document.upgrade is None or rule is None or scheme.portfolio not in ("any", portfolio):
        return None
    return next(band.from_days for band in scheme.bands if band.code == rule.code)


def _upgrade(pack: Pack, passages: Sequence[Passage], found: Account, bad_from: int | None) -> Watch | None:
    """The watch over a loan that was bad: over, as soon as one stretch without arrears after it lasted long enough. None
    where it never was."""
    if bad_from is None:
        return None
    last = max((day for day in _bad_days(passages, found.as_of, bad_from)), default=None)
    if last is None:
        return None
    open_now = {row.due for row in found.money.book.rows if row.open()}
    met, watch = [due for due in due_dates(found) if due < found.as_of or due not in open_now], None
    for cleared, until in _clear_stretches(passages, found.as_of):
        if cleared > last:
            watch = may_upgrade(pack, cleared=cleared, due_dates_met=met, as_of=until)
            if watch.over or until == found.as_of:
                return watch
    return may_upgrade(pack, cleared=None, due_dates_met=(), as_of=found.as_of)


def _bad_days(passages: Sequence[Passage], as_of: date, bad_from: int) -> Iterator[date]:
    """The last day of each passage that ends more than so many days past due."""
    ends = [after.day - _DAY for _, after in pairwise(passages)] + [as_of]
    for passage, end in zip(passages, ends, strict=True):
        if passage.late.since is not None and (end - passage.late.since).days >= bad_from:
            yield end


def _clear_stretches(passages: Sequence[Passage], as_of: date) -> Iterator[tuple[date, date]]:
    """(first day, last day) of each time after arrears in which nothing was overdue."""
    start, late = None, False
    for debt in debts_of(passages):
        if debt.past_due == 0:
            start = start or (debt.day if late else None)
            continue
        if start is not None:
            yield start, debt.day - _DAY
        start, late = None, True
    if start is not None:
        yield start, as_of


def _dated(told: Told) -> date:
    return told.attestation.envelope.effective_date
