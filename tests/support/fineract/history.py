"""Ranges a loan was in: what a server noted when it looked, and what every single day gives.

A source writes the history that its author had in mind, but compares only as many of its lines as the server noted. Of
a loan whose first batch runs late, or that no batch ever saw, the server noted less: days before its first look are not
in its memory. Lines beyond its memory are therefore held against the days themselves, as far as they say the same: such
a line's range and first day are those of the daily ranges; it was lifted when the days had left the range, and not
after the line that follows it was added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from ledger.loan.servicing.delinquency import lateness, range_of
from ledger.loan.servicing.position import service
from tests.support.fineract.loan import Loan

Json = Mapping[str, Any]
DAY = timedelta(days=1)
Spell = tuple[str, date, date | None]
"""A range, the day on which it was added, the day on which it was lifted."""


def daily_spells(loan: Loan) -> list[Spell]:
    """The ranges of all days from the first disbursement to today, newest first."""
    spells: list[Spell] = []
    movements = loan.all_movements()
    on = min((one.on for one in loan.tranches), default=loan.today)
    while on <= loan.today:
        late = lateness(service(loan.rules, movements, on), loan.rules, on)
        found = range_of(loan.ranges, late.delinquent_days)
        running = spells[0][0] if spells and spells[0][2] is None else None
        if running and (found is None or found.name != running):
            spells[0] = (spells[0][0], spells[0][1], on)
        if found and found.name != running:
            spells.insert(0, (found.name, on, None))
        on += DAY
    return spells


def history_as_written(loan: Loan, want: Sequence[Json]) -> bool:
    """Whether all lines of a history, newest first, are what the server noted and, beyond that, what the days give."""
    wanted = [_as_spell(line) for line in want]
    noted: list[Spell] = [(name, added, lifted) for name, added, lifted in loan.history]
    if wanted[: len(noted)] != noted or len(want) < len(noted):
        return False
    beyond = wanted[len(noted) :]
    days = daily_spells(loan)[len(want) - len(beyond) :] if beyond else []
    if len(days) != len(beyond):
        return False
    follows = [noted[-1][1] if noted else loan.today, *(added for _, added, _ in beyond)]
    return all(
        (name, added) == (day_name, first) and left is not None and lifted is not None and left <= lifted <= after
        for (name, added, lifted), (day_name, first, left), after in zip(beyond, days, follows, strict=False)
    )


def _as_spell(line: Json) -> Spell:
    lifted = line["lifted"]
    return line["range"], date.fromisoformat(line["added"]), date.fromisoformat(lifted) if lifted else None
