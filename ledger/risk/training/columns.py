"""The readings that are tried on the Taiwanese accounts, each with the direction that is the worse one.

The champion's were chosen on the training rows alone: from 45 candidates those were dropped, least effect first, whose
loss did not lower the AUC of a five-fold cross-validation. The challenger gets the candidates with months one by one
besides; it may combine them, which a scorecard may not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.risk.reasons import Adverse
from ledger.risk.scorecard import Derive, Input

_DELAYS = tuple(f"delay_{month}" for month in range(1, 7))
_BILLS = tuple(f"bill_{month}" for month in range(1, 7))
_PAID = tuple(f"paid_{month}" for month in range(1, 7))

INPUTS: Final = (
    *(Input(name=name, least=-10_000_000_000, most=10_000_000_000) for name in _BILLS),
    *(Input(name=name, least=-2, most=1_200) for name in _DELAYS),
    Input(name="limit", least=1, most=10_000_000_000),
    *(Input(name=name, least=0, most=10_000_000_000) for name in _PAID),
)
"""Whole New Taiwan dollars; delays in months, 0 and below not late."""


class Column(NamedTuple):
    """A reading before it is cut into bins. ``reason`` is empty for the challenger's."""

    name: str
    adverse: Adverse
    derive: Derive
    reason: str = ""


CHAMPION: Final = (
    Column("arrears_now", "higher", Derive(op="positive", of=("delay_1",)), "arrears_now"),
    Column("arrears_growth", "higher", Derive(op="positive_rise", of=("delay_1", "delay_2")), "arrears_growing"),
    Column("months_late_2", "higher", Derive(op="count_at_least", of=_DELAYS, at=2), "arrears_past"),
    Column("months_since_late", "lower", Derive(op="first_at_least", of=_DELAYS, at=1), "arrears_recent"),
    Column("months_unpaid", "higher", Derive(op="count_at_most", of=_PAID, at=0), "months_unpaid"),
    Column("paid_total", "lower", Derive(op="sum", of=_PAID), "paid_total_little"),
    Column("paid_smallest", "lower", Derive(op="min", of=_PAID), "paid_smallest_little"),
    Column("paid_last", "lower", Derive(op="value", of=("paid_1",)), "paid_last_month_little"),
    Column("paid_third", "lower", Derive(op="value", of=("paid_3",)), "paid_third_month_little"),
    Column("credit_use_bp", "higher", Derive(op="mean_share_bp", of=_BILLS, over="limit"), "credit_use_high"),
    Column("headroom", "lower", Derive(op="headroom", of=_BILLS, over="limit"), "headroom_small"),
)
"""In the order in which equal losses are told."""

_MONTHS: Final = (
    *(Column(name, "higher", Derive(op="value", of=(name,))) for name in _DELAYS),
    *(Column(name, "lower", Derive(op="value", of=(name,))) for name in _PAID[1:]),
    *(Column(f"use_{name[-1]}_bp", "higher", Derive(op="mean_share_bp", of=(name,), over="limit")) for name in _BILLS),
)

CHALLENGER: Final = (
    *CHAMPION,
    *_MONTHS,
    Column("limit", "lower", Derive(op="value", of=("limit",))),
    Column("arrears_worst", "higher", Derive(op="max", of=_DELAYS)),
    Column("arrears_before", "higher", Derive(op="max", of=_DELAYS[1:])),
    Column("months_late_1", "higher", Derive(op="count_at_least", of=_DELAYS, at=1)),
    Column("since_late_2", "lower", Derive(op="first_at_least", of=_DELAYS, at=2)),
    Column("revolving", "higher", Derive(op="count_at_least", of=_DELAYS, at=0)),
    Column("paid_quarter", "lower", Derive(op="sum", of=_PAID[:3])),
    Column("paid_most", "lower", Derive(op="max", of=_PAID)),
    *(Column(name, "lower", Derive(op="value", of=(name,))) for name in _BILLS),
)
"""That much is owed is read against the limit (``use_*``, ``headroom``); a large bill alone says that much was lent."""
