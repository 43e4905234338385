"""Writes a Metro 2 file, one record at a time: header, records, and a trailer whose counts are true.

- What was imported can go out verbatim (`item`: the reader's items, with their own line ends), a trailer included.
- A trailer that is not given is computed from what this writer wrote.
- One file has one form; a record of the other form is refused (`form_mixed`), values.convert makes it fit.
- Nothing follows the trailer (`file_closed`).

    >>> writer = Writer(out)
    >>> writer.record(header_record({"activity_date": date(2026, 1, 31), "reporter_name": "FIRST LENDER"}))
    >>> for record in records: writer.record(record)
    >>> writer.trailer()

It does not judge records again: they come from rules.accept or values.assemble, which did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import BinaryIO

from crosschain.metro2.layout import TRAILER, Form
from crosschain.metro2.reader import Item, Reject
from crosschain.metro2.records import Record, encode
from crosschain.metro2.totals import Totals
from crosschain.metro2.values import Value, assemble, segment_of
from ledger.errors import InvalidInput


def header_record(values: Mapping[str, Value], form: Form = Form.CHARACTER) -> Record:
    """A header made of values (layout.HEADER names them). Raises InvalidInput as values.segment_of and assemble."""
    return assemble(segment_of("header", values), (), form)


def trailer_record(totals: Totals, form: Form = Form.CHARACTER) -> Record:
    """A trailer that states `totals` and counts itself as one more block. Raises InvalidInput past nine digits."""
    found = totals.found()
    return assemble(segment_of("trailer", {**found, "block_count": found["block_count"] + 1}), (), form)


class Writer:
    """Writes records to `out` and counts them; `ending` follows each record of the character form."""

    def __init__(self, out: BinaryIO, *, form: Form = Form.CHARACTER, ending: bytes = b"\n") -> None:
        self._out = out
        self._form = form
        self._ending = ending if form is Form.CHARACTER else b""
        self._closed = False
        self.totals = Totals()

    def record(self, record: Record, *, ending: bytes | None = None) -> None:
        """Write one record of any kind. Raises InvalidInput `form_mixed` or `file_closed`."""
        if self._closed:
            raise InvalidInput("file_closed", "nothing follows the trailer", path="line")
        if record.form is not self._form:
            found = record.form.value
            raise InvalidInput("form_mixed", "one file has one form", expected=self._form.value, found=found)
        self._out.write(encode(record) + (self._ending if ending is None else ending))
        self.totals.add(record)
        self._closed = record.base.kind == TRAILER.kind

    def item(self, item: Item) -> None:
        """Write back what the reader gave, byte for byte; a reject's raw bytes too. Raises as `record`."""
        if isinstance(item, Reject):
            self._out.write(item.raw + item.ending)
        else:
            self.record(item.record, ending=item.ending)

    def trailer(self) -> None:
        """Write a computed trailer. Raises as `record`."""
        self.record(trailer_record(self.totals, self._form))


def write_file(
    out: BinaryIO, header: Record, records: Iterable[Record], *, form: Form = Form.CHARACTER, ending: bytes = b"\n"
) -> Totals:
    """Header, records and a computed trailer; the counts that were written. Raises InvalidInput as Writer."""
    writer = Writer(out, form=form, ending=ending)
    writer.record(header)
    for record in records:
        writer.record(record)
    writer.trailer()
    return writer.totals
