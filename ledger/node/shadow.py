"""Challengers on one node: which one runs beside a card, what it made of each borrower, and how the two compare.

    challenger = await challenger_beside(connection, card_digest)           # the newest registered one, or None
    ppm = shadow_ppm(challenger, row, "KE", frozenset())                    # kept in the score's own transaction
    months = await Comparing(node).month("acacia", card_digest, 202611, cutoff=440, outcome_days=365)

Rules
- The newest challenger that was compared with a card runs beside it, from its registration on. It decides nothing, so it
  needs no approval; it reads the inputs that the card was scored on and nothing else.
- Where the law or the consent does not let one of its readings be used, it does not run; the score stands without it.
- A reading is a row of the lender's, not part of the score: neither the attestation nor the borrower's reasons show it.
- A comparison shows the caller's own borrowers alone; outcomes are the caller's own loans (ledger/risk/comparison.py).
"""

from __future__ import annotations

import asyncio
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

from ledger.errors import InvalidInput, NotFound, Refused
from ledger.jurisdiction.packs import pack_for
from ledger.jurisdiction.permissions import may_use
from ledger.loan.state import LoanState, decode_state
from ledger.node.node import Node
from ledger.risk.comparison import Comparison, Reading, compare, outcome
from ledger.risk.drift import Baseline, read_baseline
from ledger.risk.scorecard import RESTRICTED, Scorecard, load_card
from ledger.risk.trees import Trees, load_trees, probability_ppm
from ledger.store.database import Connection
from ledger.store.model_rows import ModelRow, read_model
from ledger.store.shadow_rows import NewestRow, loan_states, newest_of_days
from ledger.types import TenantId

BORROWERS_MAX: Final = 200_000
"""Borrowers of a month that are compared: a few seconds and some tens of megabytes."""

SUBJECTS_AT_ONCE: Final = 5_000
"""Borrowers whose loans are read together."""

OUTCOME_DAYS_MAX: Final = 1_830
"""Longest window of an outcome: five years."""

TREES_CACHED_MAX: Final = 64
"""Challengers kept ready to run, each for a country and a consent's kinds of data: about 100 kB each."""


class MonthComparison(NamedTuple):
    """A month of a lender's under one challenger (SHA-256); ``scores`` counts every score it ran beside."""

    challenger: bytes
    scores: int
    found: Comparison


@dataclass(frozen=True)
class _Read:
    """What a comparison reads of the store. ``over`` is the day before which a score's window has ended."""

    rows: Sequence[NewestRow]
    loans: dict[bytes, list[LoanState]]
    over: date
    window: timedelta
    baselines: dict[bytes, Baseline | None]


class Comparing:
    """Cards against challengers on one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def month(
        self, lender: TenantId, digest: bytes, month: int, *, cutoff: int, outcome_days: int
    ) -> list[MonthComparison]:
        """A lender's month (year * 100 + month) under a card, one line for each challenger that ran in it.

        Raises NotFound ``model_unknown``; InvalidInput ``model_challenger``, ``month_invalid``, ``cutoff_range``,
        ``outcome_days``; Refused ``comparison_large``.
        """
        days = _days_of(month)
        if not 1 <= outcome_days <= OUTCOME_DAYS_MAX:
            raise InvalidInput("outcome_days", "no such window", path="$.outcomeDays",
                               expected=f"1 to {OUTCOME_DAYS_MAX}", found=outcome_days)  # fmt: skip
        today = datetime.fromtimestamp(self._node.sources.now() / 1000, UTC).date()
        async with self._node.database.reading(tenants=(lender,)) as connection:
            cutoff_ppm = _probability_at(await read_model(connection, digest), cutoff)
            read = await _read(connection, lender, digest, days, today, timedelta(days=outcome_days))
        return await asyncio.to_thread(_compared, read, digest, cutoff, cutoff_ppm)


def shadow_ppm(challenger: ModelRow, row: tuple[int, ...], country: str, named: frozenset[str]) -> int | None:
    """What a challenger makes of the inputs that its card was scored on, in parts per million; None where the law of
    ``country``, under a consent that names these kinds of data, does not let it run."""
    trees = _trees(challenger.document, country, named)
    return None if trees is None else probability_ppm(trees, row)


def allowed_kinds(country: str, named: frozenset[str]) -> frozenset[str]:
    """The restricted kinds of data that a model may read in a country, when the consent names some of them."""
    pack = pack_for(country)
    return frozenset(
        kind for kind in RESTRICTED if may_use(pack, kind, consented="plain" if kind in named else "none").allowed
    )


@lru_cache(maxsize=TREES_CACHED_MAX)
def _trees(document: bytes, country: str, named: frozenset[str]) -> Trees | None:
    try:
        return load_trees(document, allowed=allowed_kinds(country, named))
    except InvalidInput as error:
        if error.code != "card_data_forbidden":
            raise
        return None


async def _read(
    connection: Connection, lender: TenantId, digest: bytes, days: tuple[date, date], today: date, window: timedelta
) -> _Read:
    rows = await newest_of_days(connection, lender, digest, days, BORROWERS_MAX + 1)
    if len(rows) > BORROWERS_MAX:
        raise Refused("comparison_large", "too many borrowers in this month", path="$.month",
                      expected=f"<= {BORROWERS_MAX}")  # fmt: skip
    over = today - window
    loans: dict[bytes, list[LoanState]] = {}
    ended = [each.subject for each in rows if each.scored_on < over]
    for first in range(0, len(ended), SUBJECTS_AT_ONCE):
        for subject, state in await loan_states(connection, lender, ended[first : first + SUBJECTS_AT_ONCE]):
            loans.setdefault(subject, []).append(decode_state(state))
    models = {digest, *(row.challenger for row in rows)}
    return _Read(rows, loans, over, window, {each: await _baseline(connection, each) for each in sorted(models)})


async def _baseline(connection: Connection, digest: bytes) -> Baseline | None:
    row = await read_model(connection, digest)
    return None if row is None or row.baseline is None else read_baseline(row.baseline)


def _compared(read: _Read, digest: bytes, cutoff: int, cutoff_ppm: int) -> list[MonthComparison]:
    found = []
    for challenger, group in groupby(read.rows, key=lambda each: each.challenger):
        rows = list(group)
        compared = compare(
            [_reading(row, read) for row in rows], cutoff=cutoff, cutoff_ppm=cutoff_ppm, card=read.baselines[digest],
            challenger=read.baselines[challenger],
        )  # fmt: skip
        found.append(MonthComparison(challenger, rows[0].scores, compared))
    return found


def _reading(row: NewestRow, read: _Read) -> Reading:
    ended = row.scored_on < read.over
    known = outcome(read.loans.get(row.subject, ()), row.scored_on, row.scored_on + read.window) if ended else None
    return Reading(row.points, row.challenger_ppm, known)


def _probability_at(row: ModelRow | None, cutoff: int) -> int:
    """The probability that a card's table has for a number of points."""
    if row is None:
        raise NotFound("model_unknown", "no such model is registered", path="$.model")
    if row.beside is not None:
        raise InvalidInput("model_challenger", "a challenger is compared through its card", path="$.model")
    card: Scorecard = load_card(row.document, allowed=RESTRICTED)
    if not card.worst <= cutoff <= card.best:
        raise InvalidInput("cutoff_range", "not points of this card", path="$.cutoff",
                           expected=f"{card.worst} to {card.best}", found=cutoff)  # fmt: skip
    return card.document.calibration.ppm[cutoff - card.worst]


def _days_of(month: int) -> tuple[date, date]:
    year, number = divmod(month, 100)
    if not (1900 <= year <= 9998 and 1 <= number <= 12):
        raise InvalidInput("month_invalid", "not a month", path="$.month", expected="such as 202611", found=month)
    return date(year, number, 1), date(year, number, monthrange(year, number)[1])
