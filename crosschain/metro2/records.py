"""One Metro 2 record as a value, and back to the very bytes it came from.

A record is a base segment (or a header, or a trailer), then appended segments, then perhaps blanks that fill it up to
a fixed length. A field's value is the text that stood there, blanks and zeros included; in the packed form a binary
field is given as the digits that the character form would hold, so that readers of fields need not know the form.

- `encode(parse(line)) == line` for every line that rules.accept lets through.
- A segment is found by the two characters that begin it and has a fixed length; the order is free, repeats are kept.
- The record's own length field is kept but believed only where nothing else separates records (reader.py).
- A header or trailer may lack its reserved tail, as some real files do: the last field is then shorter.
- `block` is the number of a block descriptor that stood before the record, "" where there was none.

    >>> record = parse(line)
    >>> record.base.kind, record.base.text_of("account_status"), [segment.kind for segment in record.segments]
    ('base', '11', ['J1'])

Cutting is all that happens here: alphabets, dates and codes are judged in rules.py, meanings are given in values.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Final, NamedTuple

from crosschain.limits import METRO2_LINE_BYTES, METRO2_SEGMENTS
from crosschain.metro2.layout import BASE, HEADER, LAYOUTS, RECORDS, SEGMENTS, TRAILER, Field, Form, Layout
from crosschain.metro2.packed import pack, unpack
from ledger.errors import InvalidInput


class Segment(NamedTuple):
    """One segment: its kind ("header", "base", "trailer", "J1" ... "N1") and its fields' texts in layout order."""

    kind: str
    fields: tuple[str, ...]

    def text_of(self, name: str) -> str:
        """What stood in the field, blanks included. Raises InvalidInput `field_unknown`."""
        place = LAYOUTS[self.kind].place_of.get(name)
        if place is None:
            raise InvalidInput("field_unknown", f"a {self.kind} segment has no such field", path=name)
        return self.fields[place]

    def as_dict(self) -> dict[str, str]:
        """Every field by name, in order, exactly as it stood."""
        return dict(zip(LAYOUTS[self.kind].place_of, self.fields, strict=True))


class Record(NamedTuple):
    """One record. `block` is the decimal text of a block descriptor or ""; `padding` the blanks after the segments."""

    form: Form
    block: str
    base: Segment
    segments: tuple[Segment, ...]
    padding: str


_MISSING_TAIL: Final = {HEADER.kind, TRAILER.kind}


def _reachable_lengths() -> frozenset[int]:
    """Lengths that a base record with up to eight appended segments can have without padding."""
    lengths = sorted({layout.length for layout in SEGMENTS.values()})
    return frozenset(BASE.length + sum(some) for n in range(9) for some in combinations_with_replacement(lengths, n))


_REACHABLE: Final = _reachable_lengths()


def kind_of(line: bytes, *, block: bool = False) -> str:
    """Which record begins here: "header" or "trailer" by the identifier after the descriptor(s), else "base"."""
    start = 8 if block else 4
    if line.startswith(b"HEADER", start):
        return HEADER.kind
    return TRAILER.kind if line.startswith(b"TRAILER", start) else BASE.kind


def parse(line: bytes, form: Form = Form.CHARACTER, *, block: bool = False) -> Record:
    """Cut one record, without line ending, into its fields; `block`: a block descriptor comes first.

    Raises InvalidInput with `line_too_long`, `line_length_unknown`, `segment_unknown`, `segments_too_many`,
    `not_ascii`, and in the packed form also `descriptor_invalid`, `number_invalid`, `date_invalid`.
    """
    if len(line) > METRO2_LINE_BYTES:
        raise InvalidInput(
            "line_too_long", "longer than any record", path="line", expected=METRO2_LINE_BYTES, found=len(line)
        )
    layout = RECORDS[kind_of(line, block=block)]
    descriptor, body = (line[:4], line[4:]) if block else (b"", line)
    if form is Form.PACKED:
        return _parse_packed(layout, descriptor, body)
    return _parse_text(layout, _text(descriptor), _text(body))


def encode(record: Record) -> bytes:
    """The bytes of a record, without line ending. Raises InvalidInput where the packed form cannot hold a value."""
    text = "".join(["".join(segment.fields) for segment in record.segments]) + record.padding
    if record.form is Form.CHARACTER:
        return (record.block + "".join(record.base.fields) + text).encode("ascii")
    layout = LAYOUTS[record.base.kind]
    descriptor = int(record.block).to_bytes(2) + b"\0\0" if record.block else b""
    return descriptor + b"".join(_packed_fields(layout, record.base.fields)) + text.encode("ascii")


def _text(data: bytes) -> str:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise _not_ascii(data, error.start) from None
    if not text.isprintable():
        raise _not_ascii(data, next(place for place, byte in enumerate(data) if not 0x20 <= byte < 0x7F))
    return text


def _not_ascii(data: bytes, place: int) -> InvalidInput:
    message = "only printable ASCII may stand here"
    return InvalidInput("not_ascii", message, path=f"byte[{place}]", found=f"0x{data[place]:02x}")


def _parse_text(layout: Layout, block: str, body: str) -> Record:
    length = layout.length
    if len(body) < length and not _only_tail_missing(layout, body):
        raise _wrong_length(len(body))
    segments, padding = _appended(body, length) if layout is BASE else ((), body[length:])
    if padding and layout is not BASE and padding.strip(" "):
        raise _wrong_length(len(body))
    return Record(Form.CHARACTER, block, Segment(layout.kind, layout.split(body)), segments, padding)


def _parse_packed(layout: Layout, block: bytes, body: bytes) -> Record:
    if len(body) < layout.packed_length:
        raise _wrong_length(len(body))
    fields = tuple([_unpacked(field, body) for field in layout.fields])
    rest = _text(body[layout.packed_length :])
    segments, padding = _appended(rest, 0) if layout is BASE else ((), rest)
    number = str(int.from_bytes(block[:2])) if block else ""
    return Record(Form.PACKED, number, Segment(layout.kind, fields), segments, padding)


def _unpacked(field: Field, body: bytes) -> str:
    start = field.packed_start - 1
    data = body[start : start + field.packed_length]
    return unpack(field, data) if field.is_binary else _text(data)


def _packed_fields(layout: Layout, fields: tuple[str, ...]) -> Iterator[bytes]:
    for field, text in zip(layout.fields, fields, strict=True):
        yield pack(field, text) if field.is_binary else text.encode("ascii")


def _appended(body: str, start: int) -> tuple[tuple[Segment, ...], str]:
    """The segments from `start` on, and the blanks that follow the last one."""
    if start == len(body):
        return (), ""
    segments: list[Segment] = []
    while start < len(body):
        layout = SEGMENTS.get(body[start : start + 2])
        if layout is None:
            break
        if start + layout.length > len(body):
            raise _wrong_length(len(body))
        segments.append(Segment(layout.kind, layout.split(body[start : start + layout.length])))
        start += layout.length
    _check_rest(body, start, len(segments))
    return tuple(segments), body[start:]


def _check_rest(body: str, start: int, count: int) -> None:
    if count > METRO2_SEGMENTS:
        raise InvalidInput(
            "segments_too_many", "more appended segments than a record can have", path="line", found=count
        )
    if not body[start:].strip(" "):
        return
    if len(body) not in _REACHABLE:
        raise _wrong_length(len(body))
    place = f"at character {start + 1}"
    raise InvalidInput(
        "segment_unknown", "no segment begins with what stands here", path=f"segment[{count}]", found=place
    )


def _only_tail_missing(layout: Layout, body: str) -> bool:
    """Whether only (part of) the reserved last field is absent, as in files cut by a trimming editor."""
    return layout.kind in _MISSING_TAIL and len(body) >= layout.fields[-1].start - 1


def _wrong_length(length: int) -> InvalidInput:
    return InvalidInput(
        "line_length_unknown",
        "no base record with whole segments has this length",
        path="line",
        expected=f"{BASE.length} and whole segments",
        found=f"{length} characters",
    )
