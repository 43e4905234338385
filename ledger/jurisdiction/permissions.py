"""What a country's law lets a lender list and use: amounts too small to list, data that must not be looked at.

    may_use(pack_for("DE"), "social_network").allowed      # False: the Union's law forbids it
    may_list(pack_for("KE"), amount=90_000, currency="KES", notified=day).code     # below_floor

Rules
- Data kinds are a closed list; what is not on it is refused as unknown, not waved through.
- ``forbidden`` cannot be consented to. ``consent`` and ``warned_consent`` (written, after a warning of the
  consequences) need the caller to hold that consent.
- Social-network data is a switch that every pack sets. Without a pack it is off.
- A listing needs an amount above the floor, and the notice before it where the law asks for one.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from ledger.errors import InvalidInput
from ledger.jurisdiction.packs import Decision, Pack
from ledger.jurisdiction.words import DATA_KINDS

Consented = Literal["none", "plain", "warned"]


def may_use(pack: Pack | None, data_kind: str, *, consented: Consented = "none") -> Decision:
    """May this kind of data be used in a credit decision? Codes: ``allowed``, ``unrestricted`` (the pack does not speak
    of it), ``forbidden``, ``consent_needed``, ``warned_consent_needed``, ``pack_unknown``.

    Raises InvalidInput ``data_kind_unknown``.
    """
    if data_kind not in DATA_KINDS:
        raise InvalidInput("data_kind_unknown", "no such kind of data", path="$.data_kind", found=data_kind)
    if pack is None:
        return Decision(False, "pack_unknown")
    rule = pack.document.data.get(data_kind)  # type: ignore[call-overload]
    if rule is None:
        return Decision(True, "unrestricted")
    ruling = pack.ruling(rule, f"data.{data_kind}")
    if rule.use == "forbidden":
        return Decision(False, "forbidden", ruling)
    if rule.use == "warned_consent" and consented != "warned":
        return Decision(False, "warned_consent_needed", ruling)
    if rule.use == "consent" and consented == "none":
        return Decision(False, "consent_needed", ruling)
    return Decision(True, "allowed", ruling)


def may_list(
    pack: Pack | None,
    *,
    amount: int,
    currency: str,
    on: date,
    exposure: int | None = None,
    notified: date | None = None,
) -> Decision:
    """May arrears of ``amount`` minor units be listed on ``on``? ``notified`` is when the borrower was told.

    Codes: ``allowed``, ``below_floor``, ``currency_unconverted``, ``exposure_unknown``, ``notice_missing``,
    ``notice_short``, ``pack_unknown``.
    """
    if pack is None:
        return Decision(False, "pack_unknown")
    return _above_floor(pack, amount, currency, exposure) or _told(pack, on, notified) or Decision(True, "allowed")


def _above_floor(pack: Pack, amount: int, currency: str, exposure: int | None) -> Decision | None:
    floor, relative = pack.document.listing.floor, pack.document.listing.relative
    if floor is not None:
        ruling = pack.ruling(floor, "listing.floor")
        if currency != floor.currency:
            return Decision(False, "currency_unconverted", ruling)
        if amount <= floor.value:
            return Decision(False, "below_floor", ruling)
    if relative is not None:
        ruling = pack.ruling(relative, "listing.relative")
        if exposure is None:
            return Decision(False, "exposure_unknown", ruling)
        if amount * 10_000 <= exposure * relative.value:
            return Decision(False, "below_floor", ruling)
    return None


def _told(pack: Pack, on: date, notified: date | None) -> Decision | None:
    rule = pack.document.notice.get("pre_negative")
    if rule is None or rule.timing not in ("before", "at"):
        return None
    ruling = pack.ruling(rule, "notice.pre_negative")
    if notified is None or notified > on:
        return Decision(False, "notice_missing", ruling)
    if rule.timing == "before" and on - notified < timedelta(days=rule.days or 0):
        return Decision(False, "notice_short", ruling)
    return None
