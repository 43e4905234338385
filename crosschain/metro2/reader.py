"""Reads a Metro 2 file of any size, one record at a time, and says where each stood.

- The form is found from the first bytes: packed (binary descriptors), lines (each record ends in LF or CRLF), or framed
  (no line ends at all: only then the records' own length fields separate them).
- A bad record is a `Reject` with one of rules.RULES, and reading goes on. Only where nothing tells where the next one
  begins (`framing_lost`, `record_truncated`) does the rest of the file become one last reject.
- Memory: one chunk and one record, whatever the size of the file. A reject keeps at most 9,999 of its raw bytes.
- Nothing of the bytes is lost: `encode(item.record) + item.ending` and `reject.raw + reject.ending` are the file again
  (overlong lines and lost framing excepted).
- `open_input` opens a plain file or the single member of a zip, streamed; its bounds are in crosschain/limits.py.

    >>> for item in read(open_input("accounts.zip")):
    ...     match item:
    ...         case Line(record=record): ...
    ...         case Reject(line=2, rule="line_length_unknown"): ...

It does not judge a file as a whole: hold Totals against the Trailer for that (totals.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from crosschain.limits import METRO2_BLOCK_BYTES, METRO2_LINE_BYTES, READ_CHUNK_BYTES
from crosschain.metro2.layout import BASE, HEADER, Form
from crosschain.metro2.packed import descriptor_value
from crosschain.metro2.records import Record
from crosschain.metro2.rules import accept
from crosschain.metro2.unzip import open_input
from ledger.errors import InvalidInput

__all__ = ["Header", "Item", "Line", "Reject", "Trailer", "open_input", "read"]


class Header(NamedTuple):
    """The file's header record; `line` counts from 1, `offset` is bytes from 0, `ending` the line end that followed."""

    line: int
    offset: int
    record: Record
    ending: bytes


class Line(NamedTuple):
    """One accepted base record with its appended segments."""

    line: int
    offset: int
    record: Record
    ending: bytes


class Trailer(NamedTuple):
    """The file's trailer record."""

    line: int
    offset: int
    record: Record
    ending: bytes


class Reject(NamedTuple):
    """One record that was not accepted: the field and rule that refused it, and a value that is safe to show.

    `raw` is what stood there (its first 9,999 bytes), for a rejects file; it may hold personal data.
    """

    line: int
    offset: int
    field: str
    rule: str
    value: str
    raw: bytes
    ending: bytes


Item = Header | Line | Reject | Trailer
"""What a file consists of, in order."""


class _Frame(NamedTuple):
    """One record's bytes as cut from the stream; `rule` is set when the cutting itself failed."""

    offset: int
    data: bytes
    ending: bytes
    form: Form = Form.CHARACTER
    block: bool | None = None
    rule: str = ""


class _Source:
    """A stream with look-ahead and a position."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._start = 0
        self.offset = 0

    def peek(self, size: int) -> bytes:
        """The next `size` bytes without moving; fewer only at the end of the stream."""
        while len(self._buffer) - self._start < size:
            chunk = self._stream.read(READ_CHUNK_BYTES)
            if not chunk:
                break
            del self._buffer[: self._start]
            self._start = 0
            self._buffer += chunk
        return bytes(self._buffer[self._start : self._start + size])

    def take(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end of the stream."""
        data = self.peek(size)
        self._start += len(data)
        self.offset += len(data)
        return data

    def find_line_end(self) -> int:
        """Bytes up to and with the next LF within what may be one line, -1 when there is none."""
        place = self._buffer.find(b"\n", self._start, self._start + METRO2_LINE_BYTES + 2)
        if place < 0:
            self.peek(METRO2_LINE_BYTES + 2)
            place = self._buffer.find(b"\n", self._start, self._start + METRO2_LINE_BYTES + 2)
        return place - self._start + 1 if place >= 0 else -1

    def skip_line(self) -> None:
        """Move past the next LF, however far it is, keeping nothing."""
        while chunk := self.take(READ_CHUNK_BYTES):
            place = chunk.find(b"\n")
            if place >= 0:
                self._start -= len(chunk) - place - 1
                self.offset -= len(chunk) - place - 1
                return

    def drain(self) -> None:
        """Move to the end of the stream, keeping nothing."""
        while self.take(READ_CHUNK_BYTES):
            pass


def read(stream: BinaryIO) -> Iterator[Item]:
    """Every record of a Metro 2 file in order, accepted or rejected.

    Raises InvalidInput only for what is wrong with the container (`zip_damaged`); an empty stream yields nothing.
    """
    for number, frame in enumerate(_frames(_Source(stream)), start=1):
        yield _item(number, frame)


def _item(number: int, frame: _Frame) -> Item:
    if frame.rule:
        return Reject(number, frame.offset, "line", frame.rule, f"{len(frame.data)} bytes", frame.data, frame.ending)
    try:
        record = accept(frame.data, frame.form, block=frame.block)
    except InvalidInput as fault:
        value = "" if fault.found is None else str(fault.found)
        return Reject(number, frame.offset, fault.path or "line", fault.code, value, frame.data, frame.ending)
    kind = record.base.kind
    made = Line if kind == BASE.kind else Header if kind == HEADER.kind else Trailer
    return made(number, frame.offset, record, frame.ending)


def _frames(source: _Source) -> Iterator[_Frame]:
    if descriptor_value(source.peek(4)) is not None:
        return _packed_frames(source)
    return _framed_frames(source) if _is_framed(source) else _line_frames(source)


def _is_framed(source: _Source) -> bool:
    """No line end within two records' reach, and the first length field leads exactly to another or to the end."""
    window = source.peek(METRO2_LINE_BYTES + 2)
    length = _stated_length(window)
    if length is None or b"\n" in window[:METRO2_LINE_BYTES]:
        return False
    return length == len(window) or _stated_length(window[length:]) is not None


def _stated_length(data: bytes) -> int | None:
    digits = data[:4]
    if len(digits) < 4 or not digits.isdigit() or int(digits) < BASE.length:
        return None
    return int(digits)


def _line_frames(source: _Source) -> Iterator[_Frame]:
    while True:
        offset, size = source.offset, source.find_line_end()
        data = source.take(size if size >= 0 else METRO2_LINE_BYTES + 2)
        if not data:
            return
        if size < 0 and len(data) > METRO2_LINE_BYTES:
            source.skip_line()
            yield _Frame(offset, data[:METRO2_LINE_BYTES], b"\n", rule="line_too_long")
            continue
        line = data if size < 0 else data[:-2] if data.endswith(b"\r\n") else data[:-1]
        yield _Frame(offset, line, data[len(line) :], rule="" if line else "line_empty")


def _framed_frames(source: _Source) -> Iterator[_Frame]:
    while head := source.peek(4):
        offset, length = source.offset, _stated_length(head)
        if length is None:
            yield _lost(source, "framing_lost")
            return
        data = source.take(length)
        yield _Frame(offset, data, b"", block=False, rule="" if len(data) == length else "record_truncated")


def _packed_frames(source: _Source) -> Iterator[_Frame]:
    left = 0
    while source.peek(1):
        blocked = left == 0 and _begins_block(source.peek(8))
        head = source.peek(8)
        size = descriptor_value(head[4:8] if blocked else head[:4])
        if size is None or not 4 < size <= METRO2_LINE_BYTES:
            yield _lost(source, "framing_lost")
            return
        if blocked:
            left = int.from_bytes(head[:2]) - 4
        offset, whole = source.offset, size + (4 if blocked else 0)
        data = source.take(whole)
        left = max(0, left - size)
        yield _Frame(offset, data, b"", Form.PACKED, blocked, "" if len(data) == whole else "record_truncated")


def _begins_block(head: bytes) -> bool:
    """Two descriptors in a row, the second inside the first. A record's own content never looks like the second: a base
    record goes on with a printable digit, which as a length would exceed every record's bound."""
    outer, inner = descriptor_value(head[:4]), descriptor_value(head[4:8])
    if outer is None or inner is None:
        return False
    return inner + 4 <= outer <= METRO2_BLOCK_BYTES and inner <= METRO2_LINE_BYTES


def _lost(source: _Source, rule: str) -> _Frame:
    """The rest of the stream as one reject: nothing tells where the next record would begin."""
    offset, data = source.offset, source.take(METRO2_LINE_BYTES)
    source.drain()
    return _Frame(offset, data, b"", rule=rule)
