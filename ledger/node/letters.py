"""Adverse-action letters under a country's own rules: what the pack says, turned into the letter's terms.

    letter = letter_for("US", ["arrears_now", "months_unpaid"], decided_on=day)

Rules
- Without a pack there is no letter of ours: nobody said what must stand in it.
- A pack without a greatest number of reasons gets the four that a score gives; one without a term has no last day.
- A term in business days, months or years is not counted here; the caller sees the pack's own words (``market rules``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ledger.errors import Refused
from ledger.jurisdiction.packs import Pack, pack_for
from ledger.risk.adverse_action import Action, Letter, Terms, adverse_action
from ledger.risk.scorecard import REASONS_MAX


def terms_of(pack: Pack, statements: Sequence[str] = ()) -> Terms:
    """What a pack asks of a letter; ``statements`` are the lender's own, word for word."""
    adverse = pack.document.adverse
    within = adverse.within
    return Terms(
        reasons_max=REASONS_MAX if adverse.reasons_max is None else adverse.reasons_max.value,
        within_days=within.value if within is not None and within.unit == "days" else None,
        statements=tuple(statements), enquiries_extra=adverse.enquiries_extra is not None,
    )  # fmt: skip


def letter_for(
    country: str, reasons: Sequence[str], *, decided_on: date, action: Action = "declined",
    statements: Sequence[str] = (),
) -> Letter:  # fmt: skip
    """The letter of a lender in ``country``. Raises Refused ``pack_unknown``, InvalidInput ``reason_*``, ``reasons_*``."""
    pack = pack_for(country)
    if pack is None:
        raise Refused("pack_unknown", "no jurisdiction pack for this country", path="$.country", found=country)
    return adverse_action(reasons, terms_of(pack, statements), decided_on=decided_on, action=action)
