"""Default and its end: days on end above the floors, and a probation before it is over (EBA's rules; data elsewhere).

    status = default_status(pack_for("DE"), history, as_of=day, currency="EUR")
    status.counter_days, status.defaulted, status.probation_until

Rules
- The counter runs while the arrears are above *both* floors of materiality, one day each day, and starts again at 1
  when they were not in between. The day on which they are first above counts as day 1.
- Default begins on the first day on which the counter is above the pack's days (day 91 with more than 90), or at once
  on ``unlikely_to_pay``, or where the lender declares it.
- Its conditions end on the day on which neither holds. Probation begins there and lasts the pack's time; for a forborne
  loan the longer one, from the latest of the conditions' end, the restructuring and the end of a grace period.
- Arrears above the floors during probation break it, however few days old they are: it begins again when they are gone.
  This is the careful reading of "the conditions cease to be met"; a reader that wants the other can see the counter.
- Default does not end by itself: somebody attests the cure (``DebtStep.cured``). A cure that comes before it is allowed
  (:func:`may_cure`) waits for the end of the probation; a condition that holds again before then voids it. One payment
  cures nothing.
- What is not known decides nothing in secret: where amounts are unknown, or in another currency than the floors, the
  history is walked twice, with them below the floors and above. Where both walks agree that is the answer (with the
  counter of the second), else the code says what is missing.

The history is a step function: each entry holds from its day until the next one's. ledger.view.debt_history makes it
from a loan's own events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from ledger.errors import InvalidInput
from ledger.jurisdiction.classification import is_material
from ledger.jurisdiction.document import Default
from ledger.jurisdiction.packs import Decision, Pack, Ruling
from ledger.jurisdiction.periods import after


@dataclass(frozen=True, kw_only=True)
class DebtStep:
    """What held from the day ``since`` on, until the next step. Amounts are minor units of the loan's currency, None:
    unknown. ``cured`` and ``declared`` say that a cure, a default was attested for that day; ``restructured`` is when a
    forborne loan got its newest terms (None: on the first day on which it is forborne)."""

    since: date
    past_due: int | None
    exposure: int | None
    unlikely_to_pay: bool = False
    declared: bool = False
    forborne: bool = False
    restructured: date | None = None
    cured: bool = False


@dataclass(frozen=True)
class DefaultStatus:
    """Default on a day. ``code`` is as :func:`default_status` says. ``since`` is when it began, ``trigger``
    ``days_past_due`` or ``unlikely_to_pay``; ``clear_since`` when its conditions ended, and ``probation_until`` the first
    day on which a cure may be attested."""

    code: str
    counter_days: int
    defaulted: bool
    since: date | None = None
    trigger: str | None = None
    clear_since: date | None = None
    probation_until: date | None = None
    ruling: Ruling | None = None


@dataclass
class _Run:
    """The state of the walk through a history."""

    material_since: date | None = None
    since: date | None = None
    trigger: str | None = None
    clear_since: date | None = None
    restructured: date | None = None
    cured: date | None = None
    grace_end: date | None = None


def default_status(
    pack: Pack,
    history: Sequence[DebtStep],
    *,
    as_of: date,
    currency: str,
    retail: bool = True,
    grace_end: date | None = None,
) -> DefaultStatus:
    """Is the debtor in default on ``as_of``, since when, and until when at least?

    ``code`` is ``defaulted``, ``probation``, ``not_defaulted``; ``value_*`` where the pack has no such rule;
    ``materiality_unknown`` or ``currency_unconverted`` where the answer hangs on what is not known.
    Raises InvalidInput ``history_disordered``.
    """
    rules = pack.document.default
    if rules is None:
        return DefaultStatus(pack.why_absent("default"), 0, False)
    if any(later.since <= before.since for before, later in pairwise(history)):
        raise InvalidInput("history_disordered", "each step begins after the one before it", path="$.history")
    converted = currency == rules.absolute_retail.currency
    material = [_material(pack, step, retail, converted) for step in history]
    few, many = (
        _walked(pack, rules, history, [unknown if one is None else one for one in material], as_of, grace_end)
        for unknown in (False, True)
    )
    if replace(few, counter_days=0) == replace(many, counter_days=0):
        return many
    return DefaultStatus("materiality_unknown" if converted else "currency_unconverted", 0, False, ruling=many.ruling)


def _material(pack: Pack, step: DebtStep, retail: bool, converted: bool) -> bool | None:
    """Whether a step's arrears are above both floors; None: not known."""
    if step.past_due == 0:
        return False
    if step.past_due is None or not converted:
        return None
    if step.exposure is None:  # no exposure: the absolute floor decides alone, if it does
        return None if is_material(pack, step.past_due, 0, retail) else False
    return is_material(pack, step.past_due, step.exposure, retail)


def _walked(
    pack: Pack, rules: Default, history: Sequence[DebtStep], material: Sequence[bool], as_of: date,
    grace_end: date | None,
) -> DefaultStatus:  # fmt: skip
    """The status on ``as_of``, with each step's arrears above the floors or not."""
    run = _Run(grace_end=grace_end)
    for (step, until), above in zip(_spans(history, as_of), material, strict=False):
        _walk(rules, run, step, until, above)
    counter = 0 if run.material_since is None else (as_of - run.material_since).days + 1
    ruling = pack.ruling(rules.days, "default.days")
    if run.since is None:
        return DefaultStatus("not_defaulted", counter, False, ruling=ruling)
    code = "defaulted" if run.clear_since is None else "probation"
    until_day = _probation_end(rules, run)
    return DefaultStatus(code, counter, True, run.since, run.trigger, run.clear_since, until_day, ruling)


def may_cure(pack: Pack, status: DefaultStatus, *, as_of: date, past_due: int = 0) -> Decision:
    """May a cure be attested on ``as_of``? Codes: ``cure_allowed``, ``not_defaulted``, ``conditions_hold``,
    ``arrears_open`` (a forborne loan with anything overdue), ``probation_runs``, ``value_*``.
    """
    rules = pack.document.default
    if rules is None:
        return Decision(False, pack.why_absent("default"))
    probation = pack.ruling(rules.probation, "default.probation")
    if not status.defaulted:
        return Decision(False, "not_defaulted", probation)
    if status.clear_since is None or status.probation_until is None:
        return Decision(False, "conditions_hold", pack.ruling(rules.days, "default.days"))
    if past_due > 0:
        return Decision(False, "arrears_open", probation)
    if as_of < status.probation_until:
        return Decision(False, "probation_runs", probation)
    return Decision(True, "cure_allowed", probation)


def _spans(history: Sequence[DebtStep], as_of: date) -> list[tuple[DebtStep, date]]:
    """(step, its last day) of every step that has begun by ``as_of``."""
    begun = [step for step in history if step.since <= as_of]
    ends = [later.since - timedelta(days=1) for later in begun[1:]]
    return list(zip(begun, [*ends, as_of], strict=True)) if begun else []


def _walk(rules: Default, run: _Run, step: DebtStep, until: date, material: bool) -> None:
    """Take one step's days into the run."""
    run.material_since = (run.material_since or step.since) if material else None
    if step.forborne:
        run.restructured = step.restructured or run.restructured or step.since
    if run.since is None:
        run.since, run.trigger = _began(rules, run, step, until)
    if run.since is None:
        return
    run.cured = step.since if step.cured else run.cured
    if material or step.unlikely_to_pay:
        run.clear_since = run.cured = None
        return
    run.clear_since = run.clear_since or step.since
    ends = _probation_end(rules, run)
    if run.cured is not None and step.past_due == 0 and ends is not None and max(ends, run.cured) <= until:
        run.since = run.trigger = run.clear_since = run.cured = None


def _began(rules: Default, run: _Run, step: DebtStep, until: date) -> tuple[date | None, str | None]:
    """(first day, trigger) of a default that begins in this step."""
    if step.unlikely_to_pay:
        return step.since, "unlikely_to_pay"
    if step.declared:
        return step.since, "days_past_due"
    if run.material_since is not None:
        first = run.material_since + timedelta(days=rules.days.value)
        if first <= until:
            return max(first, step.since), "days_past_due"
    return None, None


def _probation_end(rules: Default, run: _Run) -> date | None:
    if run.clear_since is None:
        return None
    if run.restructured is None:
        return after(run.clear_since, rules.probation.value, rules.probation.unit)
    span = rules.probation_forborne
    return after(max(run.clear_since, run.restructured, run.grace_end or run.restructured), span.value, span.unit)
