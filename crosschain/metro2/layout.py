"""Where every field of a Metro 2 file stands: the standard's field tables as data.

A file is a header record, base records with appended segments, and a trailer record. Each is a row of fields of fixed
width: the tables below are in the order of the bytes, so a field's start is the sum of the lengths before it.

- Two forms. `character`: digits and letters. `packed`: base and trailer keep descriptors, amounts, counts, dates,
  national ids and telephone numbers in binary; appended segments are the same in both.
- Kinds of field: TEXT (padded right with blanks), NUMBER (digits), DATE (MMDDYYYY), TIMESTAMP (MMDDYYYYhhmmss),
  DESCRIPTOR (a record's own length).
- `packed_length` is the width in the packed form; a field is binary there exactly when its kind is not TEXT and its
  width differs (a DESCRIPTOR always is).
- `personal` marks what can point to a person: such values are never shown, only their length.

    >>> field_of("base", "account_status")[1:4]
    (124, 2, <Kind.TEXT: 'text'>)

It does not say which values are allowed (rules.py) nor how they are turned into bytes (records.py, packed.py).
Source of the positions: the regulator's evaluator (cfpb/Metro2, CC0) for the character form, moov-io/metro2 for the
packed one.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from operator import itemgetter
from typing import Final, NamedTuple, cast

from ledger.errors import InvalidInput


class Kind(Enum):
    """What a field holds, which decides its alphabet and its packed form."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIMESTAMP = "timestamp"
    DESCRIPTOR = "descriptor"


class Form(Enum):
    """The two encodings of the same fields."""

    CHARACTER = "character"
    PACKED = "packed"


class Field(NamedTuple):
    """One field: `start` counts from 1 as the standard does, lengths are bytes."""

    name: str
    start: int
    length: int
    kind: Kind
    packed_start: int
    packed_length: int
    personal: bool

    @property
    def is_binary(self) -> bool:
        """Whether the packed form keeps this field in binary."""
        return self.kind is Kind.DESCRIPTOR or (self.kind is not Kind.TEXT and self.packed_length != self.length)


class Layout(NamedTuple):
    """One record or segment kind: its fields in order, its length in both forms, and a field's place by name."""

    kind: str
    fields: tuple[Field, ...]
    length: int
    packed_length: int
    place_of: dict[str, int]
    split: Callable[[str], tuple[str, ...]]
    """Cuts the text of a segment into the texts of its fields, in order."""

    def field(self, name: str) -> Field:
        """The field called `name`. Raises InvalidInput `field_unknown`."""
        if name not in self.place_of:
            raise InvalidInput("field_unknown", f"a {self.kind} segment has no such field", path=name)
        return self.fields[self.place_of[name]]


_T, _N, _D, _S, _W = Kind.TEXT, Kind.NUMBER, Kind.DATE, Kind.TIMESTAMP, Kind.DESCRIPTOR

_Row = tuple[str, int, Kind] | tuple[str, int, Kind, int]

_PERSONAL: Final = frozenset(
    [
        "identification_number",
        "consumer_account_number",
        "surname",
        "first_name",
        "middle_name",
        "generation_code",
        "social_security_number",
        "date_of_birth",
        "telephone_number",
        "address_line_1",
        "address_line_2",
        "city",
        "state",
        "postal_code",
        "agency_account_number",
        "mortgage_identification_number",
        "new_consumer_account_number",
        "new_identification_number",
        "employer_name",
        "employer_address_line_1",
        "employer_address_line_2",
        "employer_city",
        "employer_state",
        "employer_postal_code",
        "occupation",
    ]
)


def _packed_length(row: _Row) -> int:
    if len(row) == 4:
        return row[3]
    _, length, kind = row
    # Nine digits take five bytes, ten take six; a date has three between zero and mark, a time stamp six.
    return {_N: length // 2 + 1, _D: 5, _S: 8}.get(kind, length)


def _layout(kind: str, rows: tuple[_Row, ...]) -> Layout:
    fields, start, packed_start = [], 1, 1
    for row in rows:
        name, length = row[0], row[1]
        fields.append(Field(name, start, length, row[2], packed_start, _packed_length(row), name in _PERSONAL))
        start, packed_start = start + length, packed_start + _packed_length(row)
    cut = itemgetter(*[slice(field.start - 1, field.start - 1 + field.length) for field in fields])
    index = {field.name: place for place, field in enumerate(fields)}
    return Layout(kind, tuple(fields), start - 1, packed_start - 1, index, cast(Callable[[str], tuple[str, ...]], cut))


def _plain(*rows: tuple[str, int, Kind]) -> tuple[_Row, ...]:
    """Rows of which the packed form is the character form: the appended segments and most of the header."""
    return tuple((name, length, kind, length) for name, length, kind in rows)


_PERSON: Final = (
    ("surname", 25, _T),
    ("first_name", 20, _T),
    ("middle_name", 20, _T),
    ("generation_code", 1, _T),
    ("social_security_number", 9, _N),
    ("date_of_birth", 8, _D),
    ("telephone_number", 10, _N),
    ("ecoa_code", 1, _T),
    ("consumer_information_indicator", 2, _T),
)

_ADDRESS: Final = (
    ("country_code", 2, _T),
    ("address_line_1", 32, _T),
    ("address_line_2", 32, _T),
    ("city", 20, _T),
    ("state", 2, _T),
    ("postal_code", 9, _T),
    ("address_indicator", 1, _T),
    ("residence_code", 1, _T),
)

HEADER: Final = _layout(
    "header",
    (
        ("record_descriptor", 4, _W),
        *_plain(
            ("record_identifier", 6, _T),
            ("cycle_identifier", 2, _T),
            ("innovis_program_identifier", 10, _T),
            ("equifax_program_identifier", 10, _T),
            ("experian_program_identifier", 5, _T),
            ("transunion_program_identifier", 10, _T),
            ("activity_date", 8, _D),
            ("date_created", 8, _D),
            ("program_date", 8, _D),
            ("program_revision_date", 8, _D),
            ("reporter_name", 40, _T),
            ("reporter_address", 96, _T),
            ("reporter_telephone_number", 10, _T),
            ("software_vendor_name", 40, _T),
            ("software_version_number", 5, _T),
            ("prbc_program_identifier", 10, _T),
        ),
        ("reserved", 146, _T, 86),
    ),
)

BASE: Final = _layout(
    "base",
    (
        ("record_descriptor", 4, _W),
        ("processing_indicator", 1, _T),
        ("time_stamp", 14, _S),
        ("correction_indicator", 1, _T),
        ("identification_number", 20, _T),
        ("cycle_identifier", 2, _T),
        ("consumer_account_number", 30, _T),
        ("portfolio_type", 1, _T),
        ("account_type", 2, _T),
        ("date_opened", 8, _D),
        ("credit_limit", 9, _N),
        ("highest_credit", 9, _N),
        ("terms_duration", 3, _T),
        ("terms_frequency", 1, _T),
        ("scheduled_monthly_payment", 9, _N),
        ("actual_payment", 9, _N),
        ("account_status", 2, _T),
        ("payment_rating", 1, _T),
        ("payment_history_profile", 24, _T),
        ("special_comment", 2, _T),
        ("compliance_condition_code", 2, _T),
        ("current_balance", 9, _N),
        ("amount_past_due", 9, _N),
        ("original_chargeoff_amount", 9, _N),
        ("date_of_account_information", 8, _D),
        ("date_of_first_delinquency", 8, _D),
        ("date_closed", 8, _D),
        ("date_of_last_payment", 8, _D),
        ("interest_type", 1, _T),
        ("reserved", 16, _T),
        ("consumer_transaction_type", 1, _T),
        *_PERSON,
        *_ADDRESS,
    ),
)

J1: Final = _layout(
    "J1",
    _plain(
        ("segment_identifier", 2, _T),
        ("consumer_transaction_type", 1, _T),
        *_PERSON,
        ("reserved", 1, _T),
    ),
)

J2: Final = _layout(
    "J2",
    _plain(
        ("segment_identifier", 2, _T),
        ("consumer_transaction_type", 1, _T),
        *_PERSON,
        *_ADDRESS,
        ("reserved", 2, _T),
    ),
)

K1: Final = _layout(
    "K1",
    _plain(("segment_identifier", 2, _T), ("original_creditor_name", 30, _T), ("creditor_classification", 2, _N)),
)

K2: Final = _layout(
    "K2",
    _plain(
        ("segment_identifier", 2, _T),
        ("portfolio_indicator", 1, _T),
        ("purchased_or_sold_name", 30, _T),
        ("reserved", 1, _T),
    ),
)

K3: Final = _layout(
    "K3",
    _plain(
        ("segment_identifier", 2, _T),
        ("agency_identifier", 2, _T),
        ("agency_account_number", 18, _T),
        ("mortgage_identification_number", 18, _T),
    ),
)

K4: Final = _layout(
    "K4",
    _plain(
        ("segment_identifier", 2, _T),
        ("specialized_payment_indicator", 2, _T),
        ("deferred_payment_start_date", 8, _D),
        ("balloon_payment_due_date", 8, _D),
        ("balloon_payment_amount", 9, _N),
        ("reserved", 1, _T),
    ),
)

L1: Final = _layout(
    "L1",
    _plain(
        ("segment_identifier", 2, _T),
        ("change_indicator", 1, _T),
        ("new_consumer_account_number", 30, _T),
        ("new_identification_number", 20, _T),
        ("reserved", 1, _T),
    ),
)

N1: Final = _layout(
    "N1",
    _plain(
        ("segment_identifier", 2, _T),
        ("employer_name", 30, _T),
        ("employer_address_line_1", 32, _T),
        ("employer_address_line_2", 32, _T),
        ("employer_city", 20, _T),
        ("employer_state", 2, _T),
        ("employer_postal_code", 9, _T),
        ("occupation", 18, _T),
        ("reserved", 1, _T),
    ),
)

STATUS_TOTALS: Final = (
    "DA",
    "05",
    "11",
    "13",
    "61",
    "62",
    "63",
    "64",
    "65",
    "71",
    "78",
    "80",
    "82",
    "83",
    "84",
    "88",
    "89",
    "93",
    "94",
    "95",
    "96",
    "97",
)
"""Account statuses that the trailer counts one after the other; `DF` is counted too, but stands earlier."""

TRAILER: Final = _layout(
    "trailer",
    (
        ("record_descriptor", 4, _W),
        ("record_identifier", 7, _T),
        ("total_base_records", 9, _N),
        ("reserved_1", 9, _T, 5),
        ("total_status_df", 9, _N),
        ("total_j1_segments", 9, _N),
        ("total_j2_segments", 9, _N),
        ("block_count", 9, _N),
        *((f"total_status_{status.lower()}", 9, _N) for status in STATUS_TOTALS),
        ("total_ecoa_z", 9, _N),
        ("total_n1_segments", 9, _N),
        ("total_k1_segments", 9, _N),
        ("total_k2_segments", 9, _N),
        ("total_k3_segments", 9, _N),
        ("total_k4_segments", 9, _N),
        ("total_l1_segments", 9, _N),
        ("total_social_security_numbers", 9, _N),
        ("total_social_security_numbers_base", 9, _N),
        ("total_social_security_numbers_j1", 9, _N),
        ("total_social_security_numbers_j2", 9, _N),
        ("total_dates_of_birth", 9, _N),
        ("total_dates_of_birth_base", 9, _N),
        ("total_dates_of_birth_j1", 9, _N),
        ("total_dates_of_birth_j2", 9, _N),
        ("total_telephone_numbers", 9, _N),
        ("reserved", 19, _T, 135),
    ),
)

RECORDS: Final = {layout.kind: layout for layout in (HEADER, BASE, TRAILER)}
"""Layouts that begin a record, by kind."""

SEGMENTS: Final = {layout.kind: layout for layout in (J1, J2, K1, K2, K3, K4, L1, N1)}
"""Layouts of appended segments, by the two characters that begin them."""

LAYOUTS: Final = RECORDS | SEGMENTS
"""Every layout by kind."""


def field_of(kind: str, name: str) -> Field:
    """The table row of one field. Raises InvalidInput `segment_unknown` or `field_unknown`."""
    if kind not in LAYOUTS:
        raise InvalidInput("segment_unknown", "no such kind of record or segment", path=kind)
    return LAYOUTS[kind].field(name)
