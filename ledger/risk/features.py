"""What is known of a borrower for early warning, as a fold over events in the order in which the ledger learnt them.

    state = State()
    for event in events: fold(state, event)                   # in log order
    vector = as_of(state, "acacia", day)                      # what acacia may reckon with on that day
    vector.loans_elsewhere_30, vector.dpd_own

Rules
- **Point in time.** The state depends on the events folded so far and nothing else; ``as_of`` changes nothing. Events
  count on the day they are about, but from the day on which the ledger learnt them (``seen``).
- **Integers only**, so that a replay gives the same bytes. Days are proleptic ordinals, money minor units.
- **Walls by construction.** ``Shared`` holds counts and dates of every lender and no figure; ``Own`` holds one lender's
  figures. A vector is made from ``Shared`` and the reader's ``Own``, and no other lender's figures are at hand.
- Reading is O(lenders of the borrower); folding is O(1) an event (folding.py).

What this module does not do: turn attestations into events (events.py), compare with thresholds (signals.py), or decide
which lenders' counts a reader may hear of (``among`` says it).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from typing import Final

import msgspec

from ledger.risk.borrower import NEVER, Counts, Event, Loan, Own, Shared, State, decode_state, encode_state
from ledger.risk.folding import advance, dpd, due_day, fold, owed
from ledger.risk.rings import window

__all__ = ["FEATURES", "Event", "State", "Vector", "advance", "as_of", "decode_state", "encode_state", "fold", "read"]


class Vector(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The features of a borrower for one lender on one day. ``elsewhere``: at the other lenders it may hear of; counts,
    or days. ``own``: its own figures. Drifts are in 1/256 of a day, burdens in minor units or basis points."""

    day: int
    enquiries_elsewhere_7: int
    enquiries_elsewhere_30: int
    enquiries_elsewhere_90: int
    loans_elsewhere_7: int
    loans_elsewhere_30: int
    loans_elsewhere_90: int
    lenders_elsewhere: int
    open_elsewhere: int
    growth_elsewhere_90: int
    misses_elsewhere_30: int
    misses_elsewhere_90: int
    days_since_miss_elsewhere: int
    drift_elsewhere: int
    evergreens_90: int
    round_trips_90: int
    pledged_elsewhere: int
    guarantor_misses_90: int
    enquiries_own_30: int
    open_own: int
    debt_own: int
    burden_own: int
    burden_rise_bp: int
    drift_own: int
    payments_own: int
    misses_own_90: int
    missed_own: int
    cured_own: int
    dpd_own: int


FEATURES: Final[tuple[str, ...]] = Vector.__struct_fields__[1:]
"""The names of the features, in order."""


def as_of(state: State, lender: str, day: int, *, among: Collection[str] | None = None) -> Vector:
    """The features for ``lender`` on ``day``, which is no earlier than the newest event. ``among`` names the lenders whose
    counts it may hear of (None: all of them); the counts of all others are as if they did not exist. Evergreening and
    round trips join the dates of two lenders, so they count only for who may hear of all."""
    if day >= state.shared.wake:
        state = decode_state(encode_state(state))
        advance(state, day)
    return read(state.shared, state.own.get(lender) or Own(), lender, day, among=among)


def read(shared: Shared, own: Own, lender: str, day: int, *, among: Collection[str] | None = None) -> Vector:
    """The same of the two parts, when every day until ``day`` has passed in them."""
    mine = shared.by.get(lender) or _NO_COUNTS
    names = [name for name in shared.by if name != lender and (among is None or name in among)]
    others = [shared.by[name] for name in names]
    live = [loan for loan in own.loans.values() if loan.opened and not loan.ended]
    due = sum(_falls_due(loan, day, day + 30) for loan in live)
    was = sum(_falls_due(loan, day - 30, day) for loan in live)
    last_miss = max((each.last_miss for each in others), default=0)
    loans_90 = sum(window(each.loans, day, 90) for each in others)
    return Vector(
        day=day,
        enquiries_elsewhere_7=sum(window(each.enquiries, day, 7) for each in others),
        enquiries_elsewhere_30=sum(window(each.enquiries, day, 30) for each in others),
        enquiries_elsewhere_90=sum(window(each.enquiries, day, 90) for each in others),
        loans_elsewhere_7=sum(window(each.loans, day, 7) for each in others),
        loans_elsewhere_30=sum(window(each.loans, day, 30) for each in others),
        loans_elsewhere_90=loans_90,
        lenders_elsewhere=sum(each.opened > each.ended for each in others),
        open_elsewhere=sum(each.opened - each.ended for each in others),
        growth_elsewhere_90=loans_90 - sum(window(each.ends, day, 90) for each in others),
        misses_elsewhere_30=sum(window(each.misses, day, 30) for each in others),
        misses_elsewhere_90=sum(window(each.misses, day, 90) for each in others),
        days_since_miss_elsewhere=day - last_miss if last_miss else NEVER,
        drift_elsewhere=max((_drift(each) for each in others), default=0),
        evergreens_90=window(shared.total.evergreens, day, 90) if among is None else 0,
        round_trips_90=window(shared.total.round_trips, day, 90) if among is None else 0,
        pledged_elsewhere=sum(lender in held and any(name in held for name in names) for held in shared.items.values()),
        guarantor_misses_90=window(mine.guarantor, day, 90),
        enquiries_own_30=window(mine.enquiries, day, 30),
        open_own=len(live),
        debt_own=sum(max(owed(loan), 0) for loan in live),
        burden_own=due,
        burden_rise_bp=min(max(due - was, 0) * 10_000 // was, RISE_BP_MAX) if was else 0,
        drift_own=_drift(mine),
        payments_own=mine.payments,
        misses_own_90=window(mine.misses, day, 90),
        missed_own=mine.missed,
        cured_own=mine.cured,
        dpd_own=max((dpd(loan, day) for loan in live), default=0),
    )


RISE_BP_MAX: Final = 1_000_000
"""A burden that rose a hundredfold is as good as any larger one."""

AMOUNTS: Final = ("burden_own", "debt_own")
"""Features that are money: for a model, not for a rule, since what is ordinary depends on the loan."""

_NO_COUNTS: Final = Counts()

DRIFT_PAYMENTS_MIN: Final = 3
"""Payments before a drift says anything."""


def _drift(counts: Counts) -> int:
    return counts.fast - counts.slow if counts.payments >= DRIFT_PAYMENTS_MIN else 0


def _falls_due(loan: Loan, after: int, until: int) -> int:
    rows = loan.rows
    first, end = bisect_right(rows, after, key=due_day), bisect_right(rows, until, key=due_day)
    return sum(amount for _, amount in rows[first:end])
