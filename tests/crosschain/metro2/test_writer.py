from __future__ import annotations

import io
from datetime import date

import pytest

from crosschain.metro2.layout import Form
from crosschain.metro2.reader import Line, read
from crosschain.metro2.records import parse
from crosschain.metro2.values import convert
from crosschain.metro2.writer import Writer, header_record, write_file
from ledger.errors import InvalidInput


def test_an_imported_file_goes_out_again_verbatim_rejects_and_false_trailer_included(main_bytes: bytes) -> None:
    out = io.BytesIO()
    writer = Writer(out)
    for item in read(io.BytesIO(main_bytes)):
        writer.item(item)
    assert out.getvalue() == main_bytes
    assert writer.totals.found()["total_base_records"] == 1997


def test_a_fresh_file_has_header_records_and_true_trailer(invented_lines: list[bytes]) -> None:
    out = io.BytesIO()
    header = header_record({"activity_date": date(2026, 1, 31), "reporter_name": "FIRST LENDER"})
    write_file(out, header, (parse(line) for line in invented_lines[1:-1]), ending=b"\r\n")
    lines = out.getvalue().split(b"\r\n")
    assert lines[0].startswith(b"0426HEADER") and lines[0][47:55] == b"01312026"
    assert lines[1:] == [*invented_lines[1:], b""]


def test_a_file_written_packed_reads_as_the_same_facts(invented_lines: list[bytes]) -> None:
    out = io.BytesIO()
    records = [parse(line) for line in invented_lines]
    packed = (convert(record, Form.PACKED) for record in records[1:-1])
    write_file(out, convert(records[0], Form.PACKED), packed, form=Form.PACKED)
    items = list(read(io.BytesIO(out.getvalue())))
    lines = [item.record for item in items if isinstance(item, Line)]
    assert [convert(record, Form.CHARACTER) for record in lines] == records[1:-1]
    assert len(items) == 302


def test_mixed_forms_and_records_after_the_trailer_are_refused(invented_lines: list[bytes]) -> None:
    out = io.BytesIO()
    writer = Writer(out)
    with pytest.raises(InvalidInput) as caught:
        writer.record(convert(parse(invented_lines[1]), Form.PACKED))
    assert (caught.value.code, out.getvalue()) == ("form_mixed", b"")
    writer.trailer()
    with pytest.raises(InvalidInput) as caught:
        writer.record(parse(invented_lines[1]))
    assert caught.value.code == "file_closed"
