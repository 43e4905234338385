"""Default and its end: days on end above the floors, and a probation before it is over (EBA's rules; data elsewhere).

    status = default_status(pack_for("DE"), history, as_of=day, currency="EUR")
    status.counter_days, status.defaulted, status.probation_until

Rules
- The counter runs while the arrears are above *both* floors of materiality, one day each day, and starts again at 1
  when they were not in between. The day on which they are first above counts as day 1.
- Default begins on the first day on which the counter is above the pack's days (day 91 with more than 90), or at once
  on ``unlikely_to_pay``.
- Its conditions end on the day on which neither holds. Probation begins there and lasts the pack's time; for a forborne
  loan the longer one, from the latest of the conditions' end, the restructuring and the end of a grace period.
- Arrears above the floors during probation break it, however few days old they are: it begins again when they are gone.
  This is the careful reading of "the conditions cease to be met"; a reader that wants the other can see the counter.
- Default does not end by itself: somebody attests the cure (``DebtStep.cured``), which :func:`may_cure` allows only
  after the probation. One payment cures nothing.

The history is a step function: each entry holds from its day until the next one's. The caller makes it from the fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from ledger.errors import InvalidInput
from ledger.jurisdiction.classification import is_material
from ledger.jurisdiction.document import Default
from ledger.jurisdiction.packs import Decision, Pack, Ruling
from ledger.jurisdiction.periods import after


@dataclass(frozen=True, kw_only=True)
class DebtStep:
    """What held from the day ``since`` on, until the next step. Amounts are minor units of the floors' currency;
    ``cured`` says that a cure was attested on that day."""

    since: date
    past_due: int
    exposure: int
    unlikely_to_pay: bool = False
    forborne: bool = False
    cured: bool = False


@dataclass(frozen=True)
class DefaultStatus:
    """Default on a day. ``since`` is when it began, ``trigger`` ``days_past_due`` or ``unlikely_to_pay``; ``clear_since``
    when its conditions ended, and ``probation_until`` the first day on which a cure may be attested."""

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

    ``code`` is ``defaulted``, ``probation``, ``not_defaulted``, or ``value_*`` where the pack has no such rule.
    Raises InvalidInput ``history_disordered``, ``currency_unconverted``.
    """
    rules = pack.document.default
    if rules is None:
        return DefaultStatus(pack.why_absent("default"), 0, False)
    _check(rules, history, currency)
    run = _Run()
    for step, until in _spans(history, as_of):
        _walk(rules, run, step, until, is_material(pack, step.past_due, step.exposure, retail))
    counter = 0 if run.material_since is None else (as_of - run.material_since).days + 1
    ruling = pack.ruling(rules.days, "default.days")
    if run.since is None:
        return DefaultStatus("not_defaulted", counter, False, ruling=ruling)
    probation_until = _probation_end(rules, run, grace_end)
    code = "defaulted" if run.clear_since is None else "probation"
    return DefaultStatus(code, counter, True, run.since, run.trigger, run.clear_since, probation_until, ruling)


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


def _check(rules: Default, history: Sequence[DebtStep], currency: str) -> None:
    if any(later.since <= before.since for before, later in pairwise(history)):
        raise InvalidInput("history_disordered", "each step begins after the one before it", path="$.history")
    if currency != rules.absolute_retail.currency:
        raise InvalidInput("currency_unconverted", "the floors are in another currency", path="$.currency",
                           expected=rules.absolute_retail.currency, found=currency,
                           advice="convert the amounts at the rate that the authority sets, then ask again")  # fmt: skip


def _spans(history: Sequence[DebtStep], as_of: date) -> list[tuple[DebtStep, date]]:
    """(step, its last day) of every step that has begun by ``as_of``."""
    begun = [step for step in history if step.since <= as_of]
    ends = [later.since - timedelta(days=1) for later in begun[1:]]
    return list(zip(begun, [*ends, as_of], strict=True)) if begun else []


def _walk(rules: Default, run: _Run, step: DebtStep, until: date, material: bool) -> None:
    """Take one step's days into the run."""
    if step.cured:
        run.since = run.trigger = run.clear_since = None
    run.material_since = (run.material_since or step.since) if material else None
    if step.forborne and run.restructured is None:
        run.restructured = step.since
    if run.since is None:
        run.since, run.trigger = _began(rules, run, step, until)
    if run.since is None:
        return
    if material or step.unlikely_to_pay:
        run.clear_since = None
    elif run.clear_since is None:
        run.clear_since = step.since


def _began(rules: Default, run: _Run, step: DebtStep, until: date) -> tuple[date | None, str | None]:
    """(first day, trigger) of a default that begins in this step."""
    if step.unlikely_to_pay:
        return step.since, "unlikely_to_pay"
    if run.material_since is not None:
        first = run.material_since + timedelta(days=rules.days.value)
        if first <= until:
            return max(first, step.since), "days_past_due"
    return None, None


def _probation_end(rules: Default, run: _Run, grace_end: date | None) -> date | None:
    if run.clear_since is None:
        return None
    if run.restructured is None:
        return after(run.clear_since, rules.probation.value, rules.probation.unit)
    span = rules.probation_forborne
    return after(max(run.clear_since, run.restructured, grace_end or run.restructured), span.value, span.unit)
