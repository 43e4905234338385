"""What the claims of one record say of its bytes, before the extension is asked: the outline of the record.

- The outline is made from agreement, snapshots, charge-off, dispute, transfer and closure alone, and from the kinds
  of the record's segments. It is what mapping.py compares a record with, and what it fills up again on the way back.
- Both ways use this one function, so a field that the outline gets wrong costs bytes in the extension, never truth.
- A month without a snapshot reads `B`; what nothing speaks of reads as absent: blanks in text, zeros in numbers.

    >>> outline(claims, [SEGMENTS["J1"]], Form.CHARACTER)[0][BASE.place_of["account_status"]]
    '11'

It does not read the extension's members by itself: `fill` puts them in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from crosschain.metro2 import codes
from crosschain.metro2.layout import BASE, SEGMENTS, Form, Kind, Layout
from ledger.attestation.credit_kinds import Agreement, ChargeOff, Closure, StatusSnapshot, Transfer
from ledger.attestation.fields import Body
from ledger.attestation.sharing_kinds import Dispute
from ledger.loan.history import month_of

_MONTHS: Final = 24
J_KINDS: Final = ("J1", "J2")
"""Segments that name another person on the account."""


class Claim(NamedTuple):
    """What one attestation will say: its kind, the day it is about, the subject's role, and its body."""

    kind: str
    effective_date: date
    role: str
    body: Body


def _blank(layout: Layout) -> list[str]:
    fixed = {"segment_identifier": layout.kind}
    return [fixed.get(field.name, (" " if field.kind is Kind.TEXT else "0") * field.length) for field in layout.fields]


_BLANKS: Final = {layout.kind: _blank(layout) for layout in (BASE, *SEGMENTS.values())}
_BASE_PLACES: Final = BASE.place_of


def outline(claims: Sequence[Claim], layouts: Sequence[Layout], form: Form) -> tuple[list[str], list[list[str]]]:
    """The texts that the claims determine without their extension: base, and each segment of the given layouts."""
    base, segments = _BLANKS[BASE.kind].copy(), [_BLANKS[layout.kind].copy() for layout in layouts]
    length = BASE.length if form is Form.CHARACTER else BASE.packed_length
    known = {"record_descriptor": f"{length + sum([layout.length for layout in layouts]):04d}"}
    history: dict[int, str] = {}
    for claim in claims:
        body = claim.body
        if isinstance(body, StatusSnapshot) and body.status is None:
            history[month_of(claim.effective_date)] = body.history_code or "D"
        elif isinstance(body, StatusSnapshot):
            known |= _snapshot_texts(claim.effective_date, body, history)
        elif isinstance(body, Agreement):
            known |= _agreement_texts(claim, body)
            _write_parties(body, layouts, segments)
        elif isinstance(body, ChargeOff):
            known["original_chargeoff_amount"] = _dollars(body.original_amount)
            known["date_of_first_delinquency"] = _digits(body.first_delinquency)
        elif isinstance(body, Dispute):
            known["compliance_condition_code"] = body.compliance_code or "  "
        elif isinstance(body, Transfer | Closure):
            known["date_closed"] = _digits(claim.effective_date)
            _write_buyer(body, layouts, segments)
    for name, value in known.items():
        base[_BASE_PLACES[name]] = value
    return base, segments


def _agreement_texts(claim: Claim, body: Agreement) -> dict[str, str]:
    terms = codes.UNLIMITED_TERMS.get(body.portfolio_type, "   ")
    return {
        "date_opened": _digits(claim.effective_date),
        "ecoa_code": codes.ROLE_CODES.get(claim.role, "1"),
        "portfolio_type": codes.PORTFOLIO_CODES[body.portfolio_type],
        "account_type": codes.PRODUCT_CODES.get(body.product or "", "  "),
        "credit_limit": _dollars(body.limit),
        "highest_credit": _dollars(body.principal),
        "terms_duration": terms if body.instalments is None else f"{body.instalments:03d}",
        "terms_frequency": codes.FREQUENCY_CODES.get(body.frequency or "", " "),
    }


def _snapshot_texts(day: date, body: StatusSnapshot, history: Mapping[int, str]) -> dict[str, str]:
    word = body.status or ""
    status = codes.STATUS_CODES[word, body.dpd if word == "past_due" else None]
    month, rated = month_of(day), status in codes.RATED_WITH_DAYS and body.dpd is not None
    return {
        "date_of_account_information": _digits(day),
        "account_status": status,
        "payment_rating": str((body.dpd or 0) // 30) if rated else " ",
        "payment_history_profile": "".join([history.get(month - back, "B") for back in range(1, _MONTHS + 1)]),
        "current_balance": _dollars(body.balance),
        "actual_payment": _dollars(body.paid),
        "amount_past_due": _dollars(body.past_due),
        "scheduled_monthly_payment": _dollars(body.scheduled),
    }


def _write_parties(body: Agreement, layouts: Sequence[Layout], segments: Sequence[list[str]]) -> None:
    named = [texts for layout, texts in zip(layouts, segments, strict=True) if layout.kind in J_KINDS]
    for texts, party in zip(named, body.parties, strict=False):
        place = SEGMENTS[texts[0]].place_of["ecoa_code"]
        texts[place] = codes.ROLE_CODES.get(party.role, " ")


def _write_buyer(body: Transfer | Closure, layouts: Sequence[Layout], segments: Sequence[list[str]]) -> None:
    bought = next((texts for layout, texts in zip(layouts, segments, strict=True) if layout.kind == "K2"), None)
    if bought is not None and isinstance(body, Transfer):
        bought[1:3] = ["2", body.buyer.ljust(30)]


def fill(layout: Layout, texts: list[str], kept: Mapping[str, str], prefix: str) -> None:
    """Put what the extension keeps into an outline."""
    whole = kept.get(prefix)
    if whole is not None:
        texts[:] = layout.split(whole.ljust(layout.length))
    for place, field in enumerate(layout.fields):
        value = kept.get(f"{prefix}.{field.name}")
        if value is not None:
            texts[place] = value.ljust(field.length)


# -- texts and values ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=16_384)
def day_of(digits: str) -> date | None:
    """A date field (MMDDYYYY) as a day; None for blanks and zeros."""
    if not digits.strip("0 "):
        return None
    return date(int(digits[4:8]), int(digits[:2]), int(digits[2:4]))


def _digits(day: date | None) -> str:
    return "00000000" if day is None else f"{day.month:02d}{day.day:02d}{day.year:04d}"


def cents_of(digits: str) -> int | None:
    """Whole dollars in minor units; None for what is blank or negative, which no claim can hold."""
    return int(digits) * 100 if digits.isdigit() else None


def _dollars(minor_units: int | None) -> str:
    return f"{(minor_units or 0) // 100:09d}"
