"""Cycles and the times that they make: ACTUS's schedule function S(s, c, T) with stubs and month ends.

Rules (ACTUS technical specification, schedule, array schedule, end of month shift convention)
- A cycle is ``P<n><unit>L<stub>``: units D, W, M, Q (three months), H (six), Y; stub 0 is long, 1 is short.
- Times are anchor, anchor + c, anchor + 2c ...: always counted from the anchor, so that a month end cut short in
  February comes back in March.
- The schedule ends before T; T itself belongs to it only where the caller asks (interest, fees).
- A last period that does not fill a cycle is a stub. Short: it stands. Long: the last time before T goes, and its
  period with it; a schedule of one time keeps that one.
- ``EOM`` moves every time to the end of its month, when the anchor is one and the cycle is of months; ``SD`` keeps the
  anchor's day, cut to the month's length.

>>> from datetime import datetime
>>> monthly = Cycle.parse("P1ML0")
>>> [str(time.date()) for time in times(datetime(2013, 1, 31), monthly, datetime(2013, 4, 10), eom=False, with_end=True)]
['2013-01-31', '2013-02-28', '2013-04-10']
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.errors import InvalidInput

TIMES_MAX: Final = 4_000
"""Times of one schedule: ten years of days. A cycle of days over a century is a mistake in the terms."""

_CYCLE = re.compile(r"P(\d{1,4})([DWMQHY])(?:L([01]))?")
_MONTHS: Final = {"M": 1, "Q": 3, "H": 6, "Y": 12}
_DAYS: Final = {"D": 1, "W": 7}


@dataclass(frozen=True)
class Cycle:
    """A period with its stub rule; one of ``months`` and ``days`` is 0. Also a plain period (xDayNotice)."""

    months: int
    days: int
    long_stub: bool = False

    @classmethod
    def parse(cls, text: str) -> Cycle:
        """From ``P1ML0``, ``P2W``. Raises InvalidInput ``terms_malformed``."""
        found = _CYCLE.fullmatch(text)
        if found is None:
            raise InvalidInput("terms_malformed", "not a cycle", expected="P<n><D|W|M|Q|H|Y>L<0|1>", found=text)
        count, unit, stub = int(found[1]), found[2], found[3]
        return cls(count * _MONTHS.get(unit, 0), count * _DAYS.get(unit, 0), stub == "0")

    def after(self, start: datetime, periods: int = 1) -> datetime:
        """``start`` + ``periods`` of these (negative: before), its day of month cut to the month's length."""
        if not self.months:
            return start + timedelta(days=self.days * periods)
        year, month0 = divmod(start.year * 12 + start.month - 1 + self.months * periods, 12)
        return start.replace(year=year, month=month0 + 1, day=min(start.day, monthrange(year, month0 + 1)[1]))


def month_end(moment: datetime) -> datetime:
    """The last day of the month, same time of day."""
    return moment.replace(day=monthrange(moment.year, moment.month)[1])


def stepped(anchor: datetime, cycle: Cycle, periods: int, *, eom: bool) -> datetime:
    """anchor + periods x cycle under the end-of-month convention."""
    moment = cycle.after(anchor, periods)
    return month_end(moment) if eom and cycle.months and anchor == month_end(anchor) else moment


def times(anchor: datetime, cycle: Cycle | None, end: datetime, *, eom: bool, with_end: bool = False) -> list[datetime]:
    """S(anchor, cycle, end), ascending. Without a cycle: the anchor alone. Raises InvalidInput ``terms_too_long``."""
    if cycle is None:
        found, regular_end = [anchor] if anchor < end else [], end
    else:
        found, regular_end = _regular(anchor, cycle, end, eom)
        if cycle.long_stub and regular_end != end and len(found) > 1:
            found.pop()
    return [*found, end] if with_end else found


def _regular(anchor: datetime, cycle: Cycle, end: datetime, eom: bool) -> tuple[list[datetime], datetime]:
    """The regular times before ``end``, and the first at or after it."""
    if not cycle.months and not cycle.days:
        raise InvalidInput("terms_malformed", "a cycle of no length has no schedule", found="P0")
    found: list[datetime] = []
    moment = stepped(anchor, cycle, 0, eom=eom)
    while moment < end:
        if len(found) >= TIMES_MAX:
            raise InvalidInput("terms_too_long", "too many times in one schedule", expected=f"at most {TIMES_MAX}")
        found.append(moment)
        moment = stepped(anchor, cycle, len(found), eom=eom)
    return found, moment


def segments(
    anchors: Sequence[datetime], cycles: Sequence[Cycle | None], end: datetime, *, eom: bool
) -> list[list[datetime]]:
    """The array schedule, one list an anchor: each runs until the next anchor, the last one until ``end``."""
    following = [*anchors[1:], end][: len(anchors)]
    return [
        times(anchor, cycle, min(until, end), eom=eom)
        for anchor, cycle, until in zip(anchors, cycles, following, strict=True)
    ]
