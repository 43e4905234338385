"""What makes a Metro 2 record acceptable, and what is merely odd about it.

A record is rejected when it cannot be read with certainty; the first rule broken, in the order of the fields, names it:

- `descriptor_invalid`: the record's length field is not four digits (its value is not believed, see reader.py).
- `number_invalid`: neither digits (with at most a leading minus) nor wholly blank.
- `date_invalid`: not MMDDYYYY of a day that exists, zeros, or blank.
- `account_missing`, `date_missing`: no account number; no date of account information.
- `code_unknown`: account status or portfolio type outside the standard. `history_invalid`: a character of the 24-month
  history outside `0-6 B D E G H J K L Z`.
- `rating_rule`: a payment rating on a status that takes none (only 05 13 65 88 89 94 95 do).
- `not_reproducible`: the bytes would not come back the same.

Contradictions that real lenders send stay, because the lender says them: `warnings` lists them.

    >>> accept(line).base.text_of("account_status")
    '11'

Not judged: free text, and codes that the standard extends from year to year (special comment, compliance condition).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from crosschain.limits import METRO2_SHOWN_CHARACTERS
from crosschain.metro2.layout import BASE, LAYOUTS, STATUS_TOTALS, Field, Form, Kind
from crosschain.metro2.records import Record, Segment, encode, parse
from ledger.errors import InvalidInput

STATUSES: Final = frozenset((*STATUS_TOTALS, "DF"))
"""Account statuses of the standard."""

RATED_STATUSES: Final = frozenset(["05", "13", "65", "88", "89", "94", "95"])
"""Statuses that carry a payment rating; every other leaves it blank."""

RATINGS: Final = frozenset(" 0123456GL")
"""Payment ratings; blank is none."""

PORTFOLIO_TYPES: Final = frozenset("CIMOR")
"""Line of credit, instalment, mortgage, open, revolving."""

HISTORY_CHARACTERS: Final = "0123456BDEGHJKLZ"
"""Alphabet of the payment history profile, newest month first."""

DELINQUENT_STATUSES: Final = frozenset(["71", "78", "80", "82", "83", "84"])
"""Statuses that say a payment is 30 days late or more, by 30 days each."""

AMOUNTS: Final = (
    "credit_limit",
    "highest_credit",
    "scheduled_monthly_payment",
    "actual_payment",
    "current_balance",
    "amount_past_due",
    "original_chargeoff_amount",
)
"""Money fields of the base segment, in whole dollars."""

RULES: Final[Mapping[str, str]] = {
    "account_missing": "a base record names its account",
    "code_unknown": "account status, portfolio type and payment rating are codes of the standard",
    "date_invalid": "a date is MMDDYYYY of a day that exists, zeros, or blank",
    "date_missing": "a base record says as of which day it speaks",
    "descriptor_invalid": "a record begins with its length in four digits, or two bytes and two zero bytes",
    "framing_lost": "each record's length leads to the next record",
    "history_invalid": "the payment history has 24 characters of its alphabet",
    "line_empty": "no line is empty",
    "line_length_unknown": "a record is 426 characters and whole segments",
    "line_too_long": "no record is longer than 9,999 bytes",
    "not_ascii": "only printable ASCII stands in a record",
    "not_reproducible": "an accepted record is written back as the same bytes",
    "number_invalid": "a number is digits, with at most a leading minus, or blank",
    "rating_rule": "a payment rating stands only with status 05 13 65 88 89 94 95",
    "record_truncated": "the file ends where its last record ends",
    "segment_unknown": "an appended segment begins with J1 J2 K1 K2 K3 K4 L1 or N1",
    "segments_too_many": "a record has at most 64 appended segments",
}
"""Every code that a reject can carry, and what it stands for: the codes are stable, the sentences may change."""

_HISTORY: Final = re.compile(f"[{HISTORY_CHARACTERS}]{{24}}")


class RecordWarning(NamedTuple):
    """One contradiction inside an accepted record: a stable code, and the field that disagrees with the rest."""

    code: str
    field: str


class _Check(NamedTuple):
    place: int
    holds: Callable[[str], object]
    rule: str


@lru_cache(maxsize=16_384)
def is_date(text: str) -> bool:
    """Whether `text` is MMDDYYYY of a day that exists, or no date (zeros or blanks)."""
    if not text.isdigit():
        return not text.strip(" ")
    if text == "00000000":
        return True
    try:
        date(int(text[4:]), int(text[:2]), int(text[2:4]))
    except ValueError:
        return False
    return True


def _is_day(text: str) -> bool:
    return is_date(text) and text.strip("0 ") != ""


def _is_timestamp(text: str) -> bool:
    if not text.isdigit():
        return not text.strip(" ")
    return is_date(text[:8]) and text[8:10] < "24" and text[10:12] < "60" and text[12:] < "60"


def _is_number(text: str) -> bool:
    # Real files hold amounts such as -99999999: a leading minus is read, and reported as a warning.
    return text.isdigit() or not text.strip(" ") or (text[0] == "-" and text[1:].isdigit())


_BY_KIND: Final[dict[Kind, tuple[Callable[[str], object], str]]] = {
    Kind.NUMBER: (_is_number, "number_invalid"),
    Kind.DATE: (is_date, "date_invalid"),
    Kind.TIMESTAMP: (_is_timestamp, "date_invalid"),
}

_BY_NAME: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "record_descriptor": (str.isdigit, "descriptor_invalid"),
    "consumer_account_number": (str.split, "account_missing"),
    "portfolio_type": (PORTFOLIO_TYPES.__contains__, "code_unknown"),
    "account_status": (STATUSES.__contains__, "code_unknown"),
    "payment_rating": (RATINGS.__contains__, "code_unknown"),
    "payment_history_profile": (_HISTORY.fullmatch, "history_invalid"),
}


def _checks_of(kind: str) -> tuple[_Check, ...]:
    """The flat column of checks of one layout, in the order of its fields."""
    checks = []
    for place, field in enumerate(LAYOUTS[kind].fields):
        if kind == BASE.kind and field.name in _BY_NAME:
            checks.append(_Check(place, *_BY_NAME[field.name]))
        elif field.kind in _BY_KIND:
            checks.append(_Check(place, *_BY_KIND[field.kind]))
        if kind == BASE.kind and field.name == "date_of_account_information":
            checks.append(_Check(place, _is_day, "date_missing"))
    return tuple(checks)


_CHECKS: Final = {kind: _checks_of(kind) for kind in LAYOUTS}
_STATUS: Final = BASE.place_of["account_status"]
_RATING: Final = BASE.place_of["payment_rating"]


def accept(line: bytes, form: Form = Form.CHARACTER, *, block: bool | None = None) -> Record:
    """Parse and judge one record; None for `block` finds out whether a block descriptor comes first.

    Raises InvalidInput: `code` is the rule, `path` the field (with its segment's kind), `found` a value safe to show.
    """
    if block is not None:
        return _accept(line, form, block)
    try:
        return _accept(line, form, False)
    except InvalidInput:
        # A record that makes sense four digits further on has a block descriptor; otherwise the first fault stands.
        if form is Form.CHARACTER and line[:8].isdigit():
            found = _accept_blocked(line)
            if found is not None:
                return found
        raise


def check(record: Record) -> None:
    """Judge a parsed record by the rules above. Raises InvalidInput as `accept` does."""
    base = record.base
    _check_segment(base, base.kind)
    for number, segment in enumerate(record.segments):
        _check_segment(segment, f"{segment.kind}[{number}]")
    if base.kind == BASE.kind and base.fields[_RATING] != " " and base.fields[_STATUS] not in RATED_STATUSES:
        raise InvalidInput(
            "rating_rule",
            "a payment rating stands only with status 05 13 65 88 89 94 95",
            path="base.payment_rating",
            expected="blank",
            found=f"{base.fields[_RATING]} with status {base.fields[_STATUS]}",
        )


def shown(field: Field, value: str) -> str:
    """A value as a report may show it: only its length where it could point to a person, letters and digits of a broken
    number as `a` and `9`, everything else shortened."""
    if field.personal or len(value) > METRO2_SHOWN_CHARACTERS:
        return f"<{len(value)} characters>"
    if field.kind is Kind.NUMBER:
        return "".join("9" if sign.isdigit() else "a" if sign.isalpha() else sign for sign in value)
    return value


def warnings(record: Record) -> list[RecordWarning]:
    """Contradictions of an accepted base record that are kept as the lender sent them; none for header and trailer.

    `current_with_past_due`, `delinquent_without_past_due`, `chargeoff_without_amount`, `delinquent_without_first_date`,
    `rating_missing`, `date_opened_missing`, `negative_amount`, `descriptor_differs`.
    """
    if record.base.kind != BASE.kind:
        return []
    text = record.base.text_of
    status, late = text("account_status"), text("amount_past_due").strip("-0 ")
    delinquent = status in DELINQUENT_STATUSES
    length = len(encode(record)) - (4 if record.block else 0)
    negative = next((name for name in AMOUNTS if text(name).startswith("-")), "")
    flat = (
        (status == "11" and late, "current_with_past_due", "amount_past_due"),
        (delinquent and not late, "delinquent_without_past_due", "amount_past_due"),
        (
            status == "97" and not text("original_chargeoff_amount").strip("0 "),
            "chargeoff_without_amount",
            "original_chargeoff_amount",
        ),
        (
            delinquent and not text("date_of_first_delinquency").strip("0 "),
            "delinquent_without_first_date",
            "date_of_first_delinquency",
        ),
        (status in RATED_STATUSES and text("payment_rating") == " ", "rating_missing", "payment_rating"),
        (not text("date_opened").strip("0 "), "date_opened_missing", "date_opened"),
        (negative, "negative_amount", negative),
        (int(text("record_descriptor")) != length, "descriptor_differs", "record_descriptor"),
    )
    return [RecordWarning(code, field) for holds, code, field in flat if holds]


def _accept(line: bytes, form: Form, block: bool) -> Record:
    record = parse(line, form, block=block)
    check(record)
    if encode(record) != line:
        raise InvalidInput("not_reproducible", "these bytes would not come back the same", path="line")
    return record


def _accept_blocked(line: bytes) -> Record | None:
    try:
        return _accept(line, Form.CHARACTER, True)
    except InvalidInput:
        return None


def _check_segment(segment: Segment, path: str) -> None:
    fields = segment.fields
    for place, holds, rule in _CHECKS[segment.kind]:
        if not holds(fields[place]):
            field = LAYOUTS[segment.kind].fields[place]
            raise InvalidInput(
                rule, "the field breaks the rule", path=f"{path}.{field.name}", found=shown(field, fields[place])
            )
