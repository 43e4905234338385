"""Business-day conventions: what becomes of a date that falls on a holiday.

Rules (ISDA 2006 section 4.12; ACTUS technical specification, business day shift convention)
- ``F`` following: the next business day. ``P`` preceding: the one before.
- ``MF`` modified following: following, unless that leaves the month: then preceding. ``MP`` the mirror image.
- ACTUS puts in front which comes first: ``SC`` shift, then calculate: interest runs to the shifted day; ``CS``
  calculate, then shift: the amount is that of the unshifted day, only its payment moves.
- ``NOS`` and None: no shift.

>>> from datetime import date
>>> saturday = date(2013, 8, 31)
>>> shifted(saturday, "MF", lambda day: day.weekday() < 5)
datetime.date(2013, 8, 30)

Which days are business days is an argument: see ``ledger.loan.calendars``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from ledger.errors import InvalidInput

IsBusinessDay = Callable[[date], bool]
"""True on a business day. May raise NotFound for a day its calendar does not cover."""

SHIFT_DAYS_MAX: Final = 31
"""Days in a row that may be no business days: the longest closure on record is a fortnight."""


def every_day(_: date) -> bool:
    """The calendar without holidays."""
    return True


def monday_to_friday(day: date) -> bool:
    """The calendar of weekdays alone."""
    return day.weekday() < 5


def following(day: date, is_business_day: IsBusinessDay) -> date:
    """``day`` itself when it is a business day, else the next one."""
    return _search(day, is_business_day, 1)


def preceding(day: date, is_business_day: IsBusinessDay) -> date:
    """``day`` itself when it is a business day, else the one before."""
    return _search(day, is_business_day, -1)


def modified_following(day: date, is_business_day: IsBusinessDay) -> date:
    """Following; preceding where following would leave the month."""
    found = following(day, is_business_day)
    return found if found.month == day.month else preceding(day, is_business_day)


def modified_preceding(day: date, is_business_day: IsBusinessDay) -> date:
    """Preceding; following where preceding would leave the month."""
    found = preceding(day, is_business_day)
    return found if found.month == day.month else following(day, is_business_day)


def _search(day: date, is_business_day: IsBusinessDay, step: int) -> date:
    for distance in range(SHIFT_DAYS_MAX + 1):
        candidate = day + timedelta(days=step * distance)
        if is_business_day(candidate):
            return candidate
    raise InvalidInput(
        "calendar_unusable", "the calendar has no business day near this one", found=day.isoformat(),
        expected=f"one within {SHIFT_DAYS_MAX} days",
    )  # fmt: skip


SHIFTS: Final[dict[str, Callable[[date, IsBusinessDay], date]]] = {
    "F": following,
    "MF": modified_following,
    "P": preceding,
    "MP": modified_preceding,
}
"""Abbreviation of a rule -> the rule."""


def shifted(day: date, rule: str | None, is_business_day: IsBusinessDay) -> date:
    """``day`` moved by a plain rule (F, MF, P, MP; None: not at all). Raises InvalidInput ``convention_unknown``."""
    if rule is None:
        return day
    if rule not in SHIFTS:
        raise InvalidInput("convention_unknown", "no such rule", expected=", ".join(sorted(SHIFTS)), found=rule)
    return SHIFTS[rule](day, is_business_day)


@dataclass(frozen=True)
class BusinessDays:
    """One contract's convention with its calendar: when an event happens, and as of when it is calculated."""

    convention: str | None
    is_business_day: IsBusinessDay

    def __post_init__(self) -> None:
        if self.convention in (None, "NOS"):
            return
        if self.convention[:2] not in ("SC", "CS") or self.convention[2:] not in SHIFTS:
            raise InvalidInput(
                "convention_unknown", "no such business day convention", path="$.businessDayConvention",
                expected="NOS, or SC or CS with F, MF, P or MP", found=self.convention,
            )  # fmt: skip

    def event_time(self, moment: datetime) -> datetime:
        """When an event scheduled at ``moment`` happens."""
        if self.convention in (None, "NOS"):
            return moment
        return datetime.combine(shifted(moment.date(), self.convention[2:], self.is_business_day), moment.time())

    def calculation_time(self, moment: datetime) -> datetime:
        """As of when an event scheduled at ``moment`` is calculated."""
        shifts_first = self.convention is not None and self.convention.startswith("SC")
        return self.event_time(moment) if shifts_first else moment
