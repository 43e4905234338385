"""How long a bad or restructured loan is watched before it may be called good again (China's rules; data elsewhere).

Rules
- Upgrade: every arrear paid, then the pack's due periods met *and* its time passed, the longer of the two. A payment
  missed in between starts both again. A pack that asks for cleared arrears alone is content with them.
- Restructured: watched from the first due date under the new terms, for the pack's time and its due periods at least.
- The answer names the earliest day on which it can be yes if every payment until then is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ledger.jurisdiction.packs import Pack, Ruling
from ledger.jurisdiction.periods import after
from ledger.jurisdiction.standing import Standing


@dataclass(frozen=True)
class Watch:
    """Whether the watch is over, why not, and the earliest day on which it can be (None: not to be said yet)."""

    over: bool
    code: str
    earliest: date | None = None
    ruling: Ruling | None = None


def may_upgrade(
    pack: Pack, *, cleared: date | None, due_dates_met: Sequence[date], as_of: date, other_impaired: bool = False
) -> Watch:
    """May a non-performing loan be called performing on ``as_of``?

    ``cleared`` is the day on which nothing was overdue any more (None: something is); ``due_dates_met`` the due dates
    since then that were met. Codes: ``upgrade_allowed``, ``arrears_open``, ``other_claim_impaired``,
    ``periods_short``, ``time_short``, or ``value_*`` where the pack has no such rule.
    """
    rules = pack.document.upgrade
    if rules is None:
        return Watch(False, pack.why_absent("upgrade"))
    ruling = pack.ruling(rules.arrears_cleared, "upgrade.arrears_cleared")
    if cleared is None:
        return Watch(False, "arrears_open", None, ruling)
    if other_impaired:
        return Watch(False, "other_claim_impaired", None, ruling)
    met = sorted(day for day in due_dates_met if cleared < day <= as_of)
    needed = rules.periods.value if rules.periods else 0
    earliest = after(cleared, rules.at_least.value, rules.at_least.unit) if rules.at_least else cleared
    if len(met) < needed:
        return Watch(False, "periods_short", None, ruling)
    if needed:
        earliest = max(earliest, met[needed - 1])
    if as_of < earliest:
        return Watch(False, "time_short", earliest, ruling)
    return Watch(True, "upgrade_allowed", earliest, ruling)


def under_observation(pack: Pack, standing: Standing) -> bool:
    """Is the loan restructured, and its observation not over? A pack without such a rule watches nothing.

    It is watched before the first new due date too. Due periods that nobody counted do not end the observation.
    """
    rules, since = pack.document.restructuring, standing.restructured_since
    if rules is None or since is None:
        return False
    until = after(since, rules.observation.value, rules.observation.unit)
    return standing.as_of < until or (standing.periods_since or 0) < rules.periods.value
