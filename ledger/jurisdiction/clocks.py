"""The clocks that a country's law sets: how long a record is kept, when notices are due, how long a dispute may take.

    retention_until(pack, "negative", {"first_delinquency": date(2020, 2, 1)}).until
    dispute_deadline(pack, date(2026, 3, 2)).answer_due

Rules
- A clock is a pure function of the pack and of days: whoever asks gets the day and the rule that set it.
- What the pack does not say is not made up: the answer is None, with ``value_none``, ``value_national`` or
  ``value_unverified``. The caller keeps the record, or sends the notice at once, and asks a person.
- Retention counts from facts that cannot be moved: a first delinquency is never re-aged.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ledger.errors import InvalidInput
from ledger.jurisdiction.document import NoticeKind, RetentionKey, Span
from ledger.jurisdiction.packs import Pack, Ruling
from ledger.jurisdiction.periods import after


@dataclass(frozen=True)
class Retention:
    """The last day on which a record may be kept and shown. ``code``: ``until``, ``unlimited``, ``purpose`` (as long as
    its purpose lasts), ``anchor_unknown`` (the event it counts from has not happened, or is not known), ``value_*``."""

    code: str
    until: date | None = None
    anchor: str | None = None
    ruling: Ruling | None = None


@dataclass(frozen=True)
class DisputeClock:
    """The last days of a dispute's steps; None where the pack sets none. ``code`` is ``clock``, or ``value_*``."""

    code: str
    told_furnisher_due: date | None = None
    furnisher_due: date | None = None
    answer_due: date | None = None
    flagged: bool = True
    look_back_from: date | None = None
    ruling: Ruling | None = None


@dataclass(frozen=True)
class NoticeRule:
    """Whether a message is needed and its last day. ``code``: ``due``, ``undated`` (the law names no number of days),
    ``logged`` or ``on_request`` (none is sent), ``value_*``. ``timing`` is before, at or after the event."""

    code: str
    needed: bool
    timing: str | None = None
    due: date | None = None
    channels: tuple[str, ...] = ()
    ruling: Ruling | None = None


@dataclass(frozen=True)
class Compensation:
    """What a late answer costs so far: minor units of ``currency``. ``code``: ``owed``, ``in_time``, ``by_court``,
    ``value_*``."""

    code: str
    amount: int = 0
    currency: str | None = None
    days: int = 0
    ruling: Ruling | None = None


def retention_until(pack: Pack, record: RetentionKey, events: Mapping[str, date]) -> Retention:
    """How long a record may be kept; ``events`` are the days of the anchors that are known (document.Anchor)."""
    rule = pack.document.retention.get(record)
    if rule is None:
        return Retention(pack.why_absent(f"retention.{record}"))
    ruling = pack.ruling(rule, f"retention.{record}")
    if rule.unit in ("unlimited", "purpose"):
        return Retention(rule.unit, ruling=ruling)
    known = [(events[anchor], anchor) for anchor in rule.anchors if anchor in events]
    if not known:
        return Retention("anchor_unknown", ruling=ruling)
    day, anchor = max(known) if rule.pick == "latest" else min(known)
    until = after(day + timedelta(days=rule.after_days), rule.value, rule.unit)
    return Retention("until", until, anchor, ruling)


def dispute_deadline(
    pack: Pack, opened: date, *, extended: bool = False, holidays: Collection[date] = ()
) -> DisputeClock:
    """The last days of a dispute opened on ``opened``; ``extended`` where the pack's extension was claimed.

    A view flags the item whatever the pack says (a switch that a law leaves out costs nothing to grant).
    """
    rules = pack.document.dispute
    if rules.answer is None:
        return DisputeClock(pack.why_absent("dispute.answer"))
    answer = _due(opened, rules.answer, holidays)
    if extended and rules.extension is not None and answer is not None:
        answer = _due(answer, rules.extension, holidays)
    look_back = None
    if rules.look_back is not None:
        look_back = after(opened, -rules.look_back.value, rules.look_back.unit)
    return DisputeClock(
        "clock", _due(opened, rules.told_furnisher, holidays), _due(opened, rules.furnisher, holidays), answer,
        look_back_from=look_back, ruling=pack.ruling(rules.answer, "dispute.answer"),
    )  # fmt: skip


def compensation_due(pack: Pack, opened: date, until: date) -> Compensation:
    """What is owed for a dispute opened on ``opened`` and open, or answered, on ``until``."""
    rule = pack.document.compensation
    if rule is None:
        return Compensation(pack.why_absent("compensation"))
    ruling = pack.ruling(rule, "compensation")
    if rule.kind != "daily":
        return Compensation("by_court", ruling=ruling)
    days = max((until - opened).days - rule.after_days, 0)
    return Compensation("owed" if days else "in_time", days * rule.value, rule.currency, days, ruling)


def notice_due(pack: Pack, kind: NoticeKind, event: date) -> NoticeRule:
    """Is a notice of this kind needed for an event (listing, access, refusal) on ``event``, and by when?"""
    rule = pack.document.notice.get(kind)
    if rule is None:
        return NoticeRule(pack.why_absent(f"notice.{kind}"), False)
    ruling = pack.ruling(rule, f"notice.{kind}")
    if rule.timing in ("logged", "on_request"):
        return NoticeRule(rule.timing, False, ruling=ruling)
    if rule.timing == "at":
        return NoticeRule("due", True, "at", event, rule.channels, ruling)
    if rule.days is None:
        return NoticeRule("undated", True, rule.timing, None, rule.channels, ruling)
    sign = -1 if rule.timing == "before" else 1
    return NoticeRule("due", True, rule.timing, event + timedelta(days=sign * rule.days), rule.channels, ruling)


def next_cut(pack: Pack, day: date) -> tuple[date, date] | None:
    """(day as of which data are made up next, last day to file them), from ``day`` on; None without a calendar."""
    calendar = pack.document.update.calendar
    if calendar is None:
        return None
    last = monthrange(day.year, day.month)[1]
    for number in sorted(calendar.days):
        cut = day.replace(day=min(number, last))
        if cut >= day:
            return cut, cut + timedelta(days=calendar.file_within_days)
    following = after(day.replace(day=1), 1, "months")
    return next_cut(pack, following)


def reasons_allowed(pack: Pack, reasons: int, *, enquiries_counted: bool) -> bool:
    """Whether an adverse-action notice may name that many reasons; one more where enquiries were one of them.

    Raises InvalidInput ``out_of_range`` for fewer than one.
    """
    if reasons < 1:
        raise InvalidInput("out_of_range", "a refusal names at least one reason", path="$.reasons", found=reasons)
    rules = pack.document.adverse
    if rules.reasons_max is None:
        return True
    extra = rules.enquiries_extra.value if rules.enquiries_extra is not None and enquiries_counted else 0
    return reasons <= rules.reasons_max.value + extra


def _due(start: date, span: Span | None, holidays: Collection[date]) -> date | None:
    return None if span is None else after(start, span.value, span.unit, holidays=holidays)
