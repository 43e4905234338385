"""Fields as the values they mean, and records made from values: the door for whoever maps Metro 2 to something else.

- Money is whole dollars (int), a date is `datetime.date`; what is blank or all zeros where zeros mean absence is None.
- `assemble` pads and orders fields, and computes the record's own length fields; it judges the result like any input.
- A value that does not fit its field raises InvalidInput `value_too_long`, `value_invalid` or `field_unknown`.

    >>> base = segment_of("base", {"account_status": "11", "current_balance": 1200})
    >>> number(base, "current_balance"), day(base, "date_closed")
    (1200, None)

It knows nothing of attestations: what a status means to the ledger is the mapping's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final

from crosschain.limits import METRO2_LINE_BYTES
from crosschain.metro2.layout import LAYOUTS, SEGMENTS, Field, Form, Kind
from crosschain.metro2.records import Record, Segment, encode
from crosschain.metro2.rules import check
from ledger.errors import InvalidInput

Value = str | int | date | None
"""What a field can be made from; a time stamp takes a `datetime`."""

_FIXED: Final[dict[str, dict[str, Value]]] = {
    "header": {"record_identifier": "HEADER"},
    "trailer": {"record_identifier": "TRAILER"},
    **{kind: {"segment_identifier": kind} for kind in SEGMENTS},
}


def field(record: Record, name: str) -> str:
    """The text of a field of the base segment, trailing blanks removed. Raises InvalidInput `field_unknown`."""
    return record.base.text_of(name).rstrip(" ")


def text(segment: Segment, name: str) -> str:
    """The text of a field, trailing blanks removed. Raises InvalidInput `field_unknown`."""
    return segment.text_of(name).rstrip(" ")


def number(segment: Segment, name: str) -> int | None:
    """A number field as int (whole dollars for money); None when blank. Raises InvalidInput `value_invalid`."""
    digits = segment.text_of(name).strip(" ")
    if not digits:
        return None
    if not digits.removeprefix("-").isdigit():
        raise InvalidInput("value_invalid", "the field holds no number", path=name)
    return int(digits)


def day(segment: Segment, name: str) -> date | None:
    """A date field; None when blank or zeros. Raises InvalidInput `value_invalid` when no such day exists."""
    digits = segment.text_of(name)
    if not digits.strip("0 "):
        return None
    try:
        return date(int(digits[4:8]), int(digits[:2]), int(digits[2:4]))
    except ValueError:
        raise InvalidInput("value_invalid", "the field holds no date", path=name) from None


def identity(segment: Segment, name: str) -> str | None:
    """A number that names somebody (national id, telephone); None when blank or zeros, as in de-identified files."""
    digits = segment.text_of(name).strip(" ")
    return digits if digits.strip("0") else None


def segments_of(record: Record, *kinds: str) -> tuple[Segment, ...]:
    """The appended segments of the given kinds, in the order in which they stand."""
    return tuple(segment for segment in record.segments if segment.kind in kinds)


def segment_of(kind: str, values: Mapping[str, Value]) -> Segment:
    """A segment made of values: what is not given is zeros in dates and numbers, blanks in text.

    Raises InvalidInput `segment_unknown`, `field_unknown`, `value_too_long`, `value_invalid`.
    """
    if kind not in LAYOUTS:
        raise InvalidInput("segment_unknown", "no such kind of record or segment", path=kind)
    layout = LAYOUTS[kind]
    for name in values:
        layout.field(name)
    given = {**values, **_FIXED.get(kind, {})}
    return Segment(kind, tuple([_written(row, given.get(row.name)) for row in layout.fields]))


def assemble(base: Segment, segments: Iterable[Segment] = (), form: Form = Form.CHARACTER) -> Record:
    """A whole record with its own length fields computed, judged by rules.check.

    Raises InvalidInput with the rule broken, or `value_invalid` where the packed form cannot hold a field.
    """
    appended = tuple(segments)
    layout = LAYOUTS[base.kind]
    total = (layout.length if form is Form.CHARACTER else layout.packed_length) + sum(
        LAYOUTS[segment.kind].length for segment in appended
    )
    if total > METRO2_LINE_BYTES:
        raise InvalidInput("line_too_long", "longer than any record", path="line", found=total)
    texts = [f"{total:04d}", *base.fields[1:]]
    if form is Form.PACKED:
        texts = [_packable(row, stood) for row, stood in zip(layout.fields, texts, strict=True)]
    # Packed files put a block descriptor before every record but the trailer, four bytes longer than the record.
    block = str(total + 4) if form is Form.PACKED and base.kind != "trailer" else ""
    record = Record(form, block, Segment(base.kind, tuple(texts)), appended, "")
    check(record)
    encode(record)
    return record


def convert(record: Record, form: Form) -> Record:
    """The same facts in the other form; padding and block descriptors are not carried over. Raises as `assemble`."""
    rows = LAYOUTS[record.base.kind].fields
    fields = [_fitted(row, stood, row.length) for row, stood in zip(rows, record.base.fields, strict=True)]
    return assemble(Segment(record.base.kind, tuple(fields)), record.segments, form)


def _written(row: Field, value: Value) -> str:
    if value is None:
        return (" " if row.kind is Kind.TEXT else "0") * row.length
    written = _fitted(row, _as_text(row, value), row.length)
    if not (written.isascii() and written.isprintable()):
        raise InvalidInput("value_invalid", "only printable ASCII may stand here", path=row.name)
    return written


def _as_text(row: Field, value: str | int | date) -> str:
    if isinstance(value, datetime):
        return value.strftime("%m%d") + f"{value.year:04d}" + value.strftime("%H%M%S")
    if isinstance(value, date):
        return value.strftime("%m%d") + f"{value.year:04d}"
    if isinstance(value, int):
        if isinstance(value, bool) or row.kind in (Kind.DATE, Kind.TIMESTAMP):
            raise InvalidInput("value_invalid", "not a value of this field's kind", path=row.name)
        return f"{value:0{row.length}d}"
    return value


def _packable(row: Field, stood: str) -> str:
    """A text that the packed form can hold: absent numbers become zeros, reserved text is cut to its packed width."""
    if row.is_binary:
        return stood if stood.strip(" ") else "0" * row.length
    return _fitted(row, stood, row.packed_length)


def _fitted(row: Field, value: str, length: int) -> str:
    """`value` filled up with blanks, or freed of trailing blanks, to `length`; nothing else is ever cut off."""
    if value[length:].strip(" "):
        raise InvalidInput("value_too_long", "longer than its field", path=row.name, expected=length, found=len(value))
    return value[:length].ljust(length)
