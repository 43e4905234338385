from __future__ import annotations

import hashlib
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosschain.metro2.layout import Form
from crosschain.metro2.reader import Header, Item, Line, Reject, Trailer, open_input, read
from crosschain.metro2.records import encode
from crosschain.metro2.rules import RULES, warnings
from crosschain.metro2.totals import Totals
from crosschain.metro2.values import convert


def _items(data: bytes) -> list[Item]:
    return list(read(io.BytesIO(data)))


def _again(items: list[Item]) -> bytes:
    return b"".join((i.raw if isinstance(i, Reject) else encode(i.record)) + i.ending for i in items)


def _shape(items: list[Item]) -> str:
    return "".join(type(item).__name__[0] for item in items)


def _rejects(items: list[Item]) -> list[tuple[int, int, str, str]]:
    return [(item.line, item.offset, item.field, item.rule) for item in items if isinstance(item, Reject)]


def test_the_regulators_file_gives_1997_records_and_names_line_2(main_zip: Path, main_bytes: bytes) -> None:
    assert hashlib.sha256(main_bytes).hexdigest()[:8] == "a8279fb0"
    with open_input(main_zip) as stream:
        items = list(read(stream))
    assert _shape(items) == "HR" + "L" * 1997 + "T"
    assert items[1] == Reject(
        2, 427, "line", "line_length_unknown", "537 characters", main_bytes.split(b"\n")[1], b"\n"
    )


def test_the_regulators_file_comes_back_byte_for_byte(main_bytes: bytes) -> None:
    items = _items(main_bytes)
    assert hashlib.sha256(_again(items)).hexdigest() == hashlib.sha256(main_bytes).hexdigest()
    lines = main_bytes.split(b"\n")[2:1999]
    assert [encode(item.record) for item in items if isinstance(item, Line)] == lines


def test_the_regulators_trailer_is_held_against_what_was_read(main_bytes: bytes) -> None:
    totals, items = Totals(), _items(main_bytes)
    for item in items:
        if not isinstance(item, Reject):
            totals.add(item.record)
    trailer = items[-1]
    assert isinstance(trailer, Trailer)
    mismatches = {one.field: (one.declared, one.found) for one in totals.compare(trailer.record)}
    assert mismatches["total_base_records"] == (564_618, 1997)
    assert mismatches["total_j1_segments"] == (156_945, 395)
    assert mismatches["total_j2_segments"] == (53_206, 417)
    assert mismatches["total_status_97"] == (51_357, 1231)
    assert "block_count" not in mismatches


def test_the_natural_faults_of_the_regulators_file_are_warned_of(main_bytes: bytes) -> None:
    codes = [warning.code for i in _items(main_bytes) if isinstance(i, Line) for warning in warnings(i.record)]
    assert {code: codes.count(code) for code in codes} == {
        "current_with_past_due": 2,
        "delinquent_without_past_due": 5,
        "negative_amount": 1,
        "descriptor_differs": 1,
    }


@pytest.mark.parametrize(
    ("name", "shape", "rejects"),
    [
        ("test_previous_records/jan-2018.txt", "HLL", []),
        ("test_previous_records/feb-2018.txt", "HLL", []),
        ("test_previous_records/mar-2018.txt", "HLL", []),
        ("header_segment_1.txt", "H", []),
        # The made-up small files put a rating on statuses that take none.
        (
            "m2_file_bad_header.txt",
            "RRRRT",
            [
                (1, 0, "header.activity_date", "date_invalid"),
                (2, 432, "base.payment_rating", "rating_rule"),
                (3, 859, "base.payment_rating", "rating_rule"),
                (4, 1354, "base.payment_rating", "rating_rule"),
            ],
        ),
        (
            "m2_file_small_with_error.txt",
            "HRRRT",
            [
                (2, 427, "base.payment_rating", "rating_rule"),
                (3, 854, "base.payment_rating", "rating_rule"),
                (4, 1349, "line", "line_length_unknown"),
            ],
        ),
        ("j1_segment.txt", "R", [(1, 0, "line", "line_length_unknown")]),
        ("base_segment_1.txt", "R", [(1, 0, "base.payment_rating", "rating_rule")]),
    ],
)
def test_the_regulators_small_files_are_read_with_each_fault_named(
    cfpb: Path, name: str, shape: str, rejects: list[tuple[int, int, str, str]]
) -> None:
    items = _items((cfpb / name).read_bytes())
    assert (_shape(items), _rejects(items)) == (shape, rejects)


@pytest.mark.parametrize(
    ("name", "shape", "rejects"),
    [
        ("packed_file.dat", "HLT", []),
        ("unpacked_fixed_file.dat", "HLT", []),
        ("unpacked_variable_file.dat", "HLT", []),
        ("unpacked_fixed_request.dat", "HLT", []),
        ("packed_base_segment.dat", "L", []),
        ("packed_header_record.dat", "H", []),
        ("packed_trailer_record.dat", "T", []),
        ("crashers/095fc33da8989029f8de95581227c9408d15eed6", "HLR", [(3, 1480, "line", "framing_lost")]),
        ("crashers/0a80c2ffa71f7b3655f5f50f3e72ff28e4ef092f", "R", [(1, 0, "byte[377]", "not_ascii")]),
        ("crashers/10c935414cdc13f9358b71f97c819e455cc01ace", "HR", [(2, 370, "line", "record_truncated")]),
        ("crashers/616e90a06df85c12530b6d9f48b83562b3ff9fe8", "HR", [(2, 370, "line", "record_truncated")]),
    ],
)
def test_the_other_projects_files_and_crashers_are_read_with_each_fault_named(
    moov: Path, name: str, shape: str, rejects: list[tuple[int, int, str, str]]
) -> None:
    items = _items((moov / name).read_bytes())
    assert (_shape(items), _rejects(items)) == (shape, rejects)


@pytest.mark.parametrize("folder", ["cfpb-metro2", "moov-metro2"])
def test_every_sample_whatever_it_is_can_be_put_together_again_from_its_items(
    folder: str, cfpb: Path, moov: Path
) -> None:
    root = {"cfpb-metro2": cfpb, "moov-metro2": moov}[folder]
    paths = [path for path in root.rglob("*") if path.is_file()]
    assert len(paths) >= 24
    for path in paths:
        with open_input(path) as stream:
            whole = stream.read()
        assert _again(_items(whole)) == whole, path.name


@pytest.mark.parametrize("path", ["fuzz/FuzzJSON/1b557a3a811c2d1b", "fuzz/FuzzReader/0b50fec11361504c"])
def test_fuzz_seeds_are_all_rejects(moov: Path, path: str) -> None:
    assert _shape(_items((moov / path).read_bytes())) == "RR"


def test_a_bad_line_never_stops_the_file_and_keeps_its_bytes(invented_lines: list[bytes]) -> None:
    bad = invented_lines[2].replace(b"0131", b"0231", 1)
    items = _items(b"\r\n".join([*invented_lines[:2], bad, b"", *invented_lines[3:]]))
    assert _shape(items) == "HLRR" + "L" * 298 + "T"
    assert isinstance(items[2], Reject) and (items[2].rule, items[2].raw) == ("date_invalid", bad)
    assert isinstance(items[3], Reject) and items[3].rule == "line_empty"
    assert (items[1].ending, items[-1].ending) == (b"\r\n", b"")
    assert [item.line for item in items] == list(range(1, 304))
    assert items[4].offset == sum(len(line) + 2 for line in [*invented_lines[:2], bad, b""])


def test_an_overlong_line_is_one_reject_and_the_next_line_is_read(invented_lines: list[bytes]) -> None:
    long = b"x" * 700_000
    items = _items(b"\n".join([invented_lines[0], long, invented_lines[1]]) + b"\n")
    assert _shape(items) == "HRL"
    assert isinstance(items[1], Reject)
    assert (items[1].rule, len(items[1].raw), items[2].offset) == ("line_too_long", 9_999, 427 + 700_001)


def test_an_empty_stream_has_no_items() -> None:
    assert _items(b"") == []


def test_records_without_line_ends_are_told_apart_by_their_own_length(invented_lines: list[bytes]) -> None:
    items = _items(b"".join(invented_lines))
    assert _shape(items) == "H" + "L" * 300 + "T"
    assert _again(items) == b"".join(invented_lines)


def test_a_broken_length_without_line_ends_loses_the_rest_in_one_reject(invented_lines: list[bytes]) -> None:
    items = _items(b"".join(invented_lines[:3]) + b"????" + b"".join(invented_lines[3:]))
    assert (_shape(items), _rejects(items)[0][3]) == ("HLLR", "framing_lost")


def test_packed_blocks_may_hold_many_records(invented_lines: list[bytes]) -> None:
    records = [
        convert(item.record, Form.PACKED) for item in _items(b"\n".join(invented_lines[1:5])) if isinstance(item, Line)
    ]
    bodies = [encode(record._replace(block="")) for record in records]
    block = (sum(map(len, bodies)) + 4).to_bytes(2) + b"\0\0" + b"".join(bodies)
    items = _items(block + encode(records[0]))
    assert _shape(items) == "LLLLL"
    assert [item.record.block for item in items if isinstance(item, Line)] == [
        str(len(block)),
        "",
        "",
        "",
        records[0].block,
    ]
    assert _again(items) == block + encode(records[0])


def test_a_bad_record_in_a_packed_file_does_not_stop_it(invented_lines: list[bytes]) -> None:
    records = [
        convert(item.record, Form.PACKED)
        for item in _items(b"\n".join(invented_lines[:4]))
        if not isinstance(item, Reject)
    ]
    data = [encode(record) for record in records]
    data[1] = data[1].replace(b"\x73", b"\x74", 1)
    items = _items(b"".join(data))
    assert _shape(items) == "HRLL"
    assert isinstance(items[1], Reject) and (items[1].field, items[1].rule) == ("time_stamp", "date_invalid")


@given(st.binary(max_size=2000))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    items = _items(data)
    assert _again(items) == data
    assert {rule for _, _, _, rule in _rejects(items)} <= RULES.keys()


@given(st.data())
def test_damaged_packed_files_are_read_to_their_end(invented_lines: list[bytes], data: st.DataObject) -> None:
    items = _items(b"\n".join(invented_lines[:4]))
    whole = b"".join(encode(convert(item.record, Form.PACKED)) for item in items if isinstance(item, Header | Line))
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    assert _again(_items(damaged)) == damaged


class _Endless:
    """A stream of `lines` repeated up to `size` bytes that never holds more than one chunk."""

    def __init__(self, lines: list[bytes], size: int) -> None:
        self._part = b"\n".join(lines) + b"\n"
        self.left = size // len(self._part)
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest and self.left:
            self._rest, self.left = self._part, self.left - 1
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _count(items: Iterator[Item]) -> int:
    return sum(1 for _ in items)


def _peak(lines: list[bytes], size: int) -> tuple[int, int]:
    """Lines read of a file of that size, and the most memory that was held meanwhile."""
    stream = _Endless(lines, size)
    expected = stream.left * len(lines)
    tracemalloc.start()
    try:
        assert _count(read(cast(BinaryIO, stream))) == expected
        return expected, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_under_four_megabytes_however_long_the_file(invented_lines: list[bytes]) -> None:
    lines, peak = _peak(invented_lines[1:-1], 2_000_000)
    more_lines, more = _peak(invented_lines[1:-1], 6_000_000)
    assert max(peak, more) < 4_000_000
    assert (lines, more_lines) == (4_200, 12_600)
    assert more < peak + 8_400 * 40  # of a line of 300 bytes or more not even forty are kept
