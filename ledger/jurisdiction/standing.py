"""How a loan stands on a day, as the plain values that a country's rules ask for.

    standing = Standing(as_of=date(2026, 3, 31), dpd=47, currency="KES", amount_past_due=250_000)

Rules
- Days, amounts in minor units and words from closed lists; nothing here is looked up, and nothing is stored.
- ``facts`` name what stands beside the days (words.Fact). Those that follow from other members are added by
  :func:`facts_of`: a caller need not say them twice.
- What is not known is None, never zero: a rule that needs it then gives no code and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from ledger.errors import InvalidInput
from ledger.jurisdiction.words import FACTS

_STATUS_FACTS: Final = {
    "charged_off", "closed", "collection", "deed_in_lieu", "deleted", "deleted_fraud", "foreclosed", "government_claim",
    "paid_was_charged_off", "paid_was_collection", "paid_was_foreclosed", "paid_was_repossessed",
    "paid_was_surrendered", "repossessed", "surrendered", "transferred",
}  # fmt: skip
_STAGE_FACTS: Final[dict[str, tuple[str, ...]]] = {
    "new": ("not_open",), "applied": ("not_open",), "approved": ("not_open",),
    "paid": ("closed", "settled", "zero_balance"), "overpaid": ("settled", "zero_balance"),
    "settled_short": ("closed", "ended", "zero_balance"), "refinanced": ("closed", "settled", "zero_balance"),
    "written_off": ("written_off", "charged_off", "bad_debt"), "recovered": ("written_off", "charged_off", "bad_debt"),
    "sold": ("transferred", "ended"), "fraud": ("closed", "ended"), "cancelled": ("closed", "ended"),
}  # fmt: skip
COUNTED_STAGES: Final = frozenset({"active"})
"""Stages in which days past due mean something; in every other only a fact gives a code."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One loan on ``as_of``. Amounts are minor units of ``currency``; ``days`` are days past due.

    ``material_days`` is the count of days on end above the floors of materiality, where the history was folded
    (default.py); without it the days past due stand in, if the arrears are above the floors on ``as_of``.
    ``restructured_since`` is the first due date under the new terms; ``periods_since`` how many due dates have passed
    from it, itself included. ``rebutted`` holds rules, as ``scheme:code``, that the lender has shown not to apply.
    """

    as_of: date
    dpd: int
    delinquent_days: int | None = None
    material_days: int | None = None
    amount_past_due: int | None = None
    exposure: int | None = None
    currency: str = ""
    portfolio: Literal["general", "card"] = "general"
    lender: Literal["bank", "microfinance"] = "bank"
    retail: bool = True
    stage: str = "active"
    status: str | None = None
    defaulted: bool = False
    probation: bool = False
    forborne: bool = False
    charged_off: bool = False
    restructured_since: date | None = None
    periods_since: int | None = None
    facts: frozenset[str] = frozenset()
    rebutted: frozenset[str] = frozenset()


def facts_of(standing: Standing) -> frozenset[str]:
    """Everything that stands beside the days, said or implied. Raises InvalidInput ``fact_unknown``."""
    unknown = standing.facts - FACTS
    if unknown:
        raise InvalidInput("fact_unknown", "no pack asks for such a fact", path="$.facts", found=sorted(unknown)[0])
    flags = {
        "charged_off": standing.charged_off,
        "defaulted": standing.defaulted,
        "forborne": standing.forborne,
        "probation": standing.probation,
        "zero_balance": standing.exposure == 0 and standing.stage in COUNTED_STAGES and not standing.charged_off,
    }
    found = set(standing.facts) | {name for name, holds in flags.items() if holds}
    found |= set(_STAGE_FACTS.get(standing.stage, ()))
    found |= {standing.status} & _STATUS_FACTS if standing.status else set()
    found |= {"charged_off"} if "paid_was_charged_off" in found else set()
    return frozenset(found | _paid_after_loss(found))


def _paid_after_loss(found: set[str]) -> set[str]:
    """A loan paid after its charge-off says so, whatever word the books use."""
    paid_after = {name for name in found if name.startswith("paid_was_")}
    if paid_after:
        return {"closed", "zero_balance"}
    return {"paid_was_charged_off"} if {"charged_off", "settled"} <= found else set()
