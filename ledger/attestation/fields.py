"""The field types that attestation kinds are made of: one spelling for each unit.

- Money is an integer of minor units (``Money``, ``SignedMoney``) beside a ``Currency``.
- Rates are parts per million a year, ratios basis points, terms days or months: always integers.
- Dates are calendar days in the lender's business zone (``YYYY-MM-DD``); instants are UTC milliseconds.
- Binary values are standard base64 with padding; 32 bytes for hashes, pseudonyms and account references.

``Body`` fixes how every structure behaves: members in ASCII order (so that encoding *is* RFC 8785), camelCase names,
absent rather than null, nothing unknown. A subclass must declare its fields in the order of their encoded names;
``registry.py`` refuses to load otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ledger.limits import DAYS_MAX, MINOR_UNITS_MAX, RATE_PPM_MAX


class Body(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    rename="camel",
):
    """What one kind of attestation says, without the envelope around it."""


Money = Annotated[int, Meta(ge=0, le=MINOR_UNITS_MAX)]
SignedMoney = Annotated[int, Meta(ge=-MINOR_UNITS_MAX, le=MINOR_UNITS_MAX)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
RatePpm = Annotated[int, Meta(ge=0, le=RATE_PPM_MAX)]
BasisPoints = Annotated[int, Meta(ge=0, le=1_000_000)]
Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Millis = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Code = Annotated[str, Meta(min_length=1, max_length=32)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=2_000)]
Reasons = Annotated[tuple[Code, ...], Meta(max_length=5)]

Component = Literal["penalty", "fee", "interest", "principal"]
Frequency = Literal[
    "once",
    "weekly",
    "fortnightly",
    "semi_monthly",
    "monthly",
    "bimonthly",
    "quarterly",
    "four_monthly",
    "semi_annual",
    "annual",
    "deferred",
    "on_demand",
]
DayCount = Literal["actual/365", "actual/360", "actual/actual", "30/360", "30e/360"]
Role = Literal[
    "borrower",
    "co_borrower",
    "joint_contractual",
    "authorised_user",
    "guarantor",
    "maker",
    "on_behalf_of",
    "shared_unspecified",
    "business",
    "terminated",
    "deceased",
]

AllocationSlot = Literal[
    "past_due_penalty",
    "past_due_fee",
    "past_due_interest",
    "past_due_principal",
    "due_penalty",
    "due_fee",
    "due_interest",
    "due_principal",
    "advance_penalty",
    "advance_fee",
    "advance_interest",
    "advance_principal",
]
"""One of the twelve places a payment may go: {past due, due, in advance} x {penalty, fee, interest, principal}."""
