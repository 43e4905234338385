from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosschain.metro2.layout import LAYOUTS, Form, Kind
from crosschain.metro2.reader import Reject, open_input, read
from crosschain.metro2.records import Record, Segment, encode, kind_of, parse
from ledger.errors import InvalidInput

# The other project's names where they are not ours in another spelling.
RENAMED = {
    "actual_payment_amount": "actual_payment",
    "scheduled_monthly_payment_amount": "scheduled_monthly_payment",
    "record_descriptor_word": "record_descriptor",
    "date_account_information": "date_of_account_information",
    "date_first_delinquency": "date_of_first_delinquency",
    "date_last_payment": "date_of_last_payment",
    "date_birth": "date_of_birth",
    "interest_type_indicator": "interest_type",
    "first_line_address": "address_line_1",
    "second_line_address": "address_line_2",
    "first_line_employer_address": "employer_address_line_1",
    "second_line_employer_address": "employer_address_line_2",
    "purchased_indicator": "portfolio_indicator",
    "purchased_name": "purchased_or_sold_name",
    "trans_union_program_identifier": "transunion_program_identifier",
    "total_consumer_segments_j1": "total_j1_segments",
    "total_consumer_segments_j2": "total_j2_segments",
    "total_employment_segments": "total_n1_segments",
    "total_original_creditor_segments": "total_k1_segments",
    "total_purchased_to_segments": "total_k2_segments",
    "total_mortgage_information_segments": "total_k3_segments",
    "total_payment_information_segments": "total_k4_segments",
    "total_change_segments": "total_l1_segments",
    "total_ecoacode_z": "total_ecoa_z",
    "total_social_numbers_all_segments": "total_social_security_numbers",
    "total_dates_birth_all_segments": "total_dates_of_birth",
    "total_telephone_numbers_all_segments": "total_telephone_numbers",
}


def _our_name(kind: str, theirs: str) -> str:
    name = re.sub(r"(?<=[a-z])(?=[0-9])|(?<=[a-z0-9])(?=[A-Z])", "_", theirs).lower()
    if name == "zip_code":
        return "employer_postal_code" if kind == "N1" else "postal_code"
    if match := re.fullmatch(r"total_status_code_(\w\w)", name):
        return f"total_status_{match[1]}"
    if match := re.fullmatch(r"total_(social_numbers|dates_birth)_(base|j1|j2)_segments", name):
        what = {"social_numbers": "social_security_numbers", "dates_birth": "dates_of_birth"}[match[1]]
        return f"total_{what}_{match[2]}"
    return RENAMED.get(name, name)


def _as_theirs(kind: Kind, text: str, shape: object) -> object:
    """Our text in the shape in which the JSON tells it."""
    if isinstance(shape, int):
        return int(text)
    if kind is Kind.DATE:
        return f"{text[4:]}-{text[:2]}-{text[2:4]}T00:00:00Z"
    if kind is Kind.TIMESTAMP:
        return f"{text[4:8]}-{text[:2]}-{text[2:4]}T{text[8:10]}:{text[10:12]}:{text[12:]}Z"
    return text.rstrip()


def _compare(segment: Segment, told: dict[str, Any]) -> None:
    layout, seen = LAYOUTS[segment.kind], {"record_descriptor"}
    for theirs, value in told.items():
        if theirs in ("blockDescriptorWord", "recordDescriptorWord"):
            continue
        name = _our_name(segment.kind, theirs)
        seen.add(name)
        assert _as_theirs(layout.field(name).kind, segment.text_of(name), value) == value, name
    # What the JSON leaves out is blank or zero in the file.
    for name, text in segment.as_dict().items():
        assert name in seen or not text.strip("0 "), name


FILES = ("packed_file", "unpacked_fixed_file", "unpacked_variable_file")


def _records(path: Path) -> list[Record]:
    with open_input(path) as stream:
        items = list(read(stream))
    assert not [item for item in items if isinstance(item, Reject)]
    return [item.record for item in items if not isinstance(item, Reject)]


@pytest.mark.parametrize("name", FILES)
def test_every_field_reads_as_the_json_beside_the_file_tells_it(moov: Path, name: str) -> None:
    told = json.loads((moov / f"{name}.json").read_text())
    header, line, trailer = _records(moov / f"{name}.dat")
    _compare(header.base, told["header"])
    _compare(trailer.base, told["trailer"])
    body = told["data"][0]
    _compare(line.base, body["base"])
    expected = [(kind.upper(), one) for kind in body if kind != "base" for one in _listed(body[kind])]
    assert [segment.kind for segment in line.segments] == [kind for kind, _ in expected]
    for segment, (_, one) in zip(line.segments, expected, strict=True):
        _compare(segment, one)


def _listed(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize(
    ("name", "descriptors"),
    [
        ("packed_file", [("370", "0366"), ("1008", "1004"), ("", "0366")]),
        # The JSON says 426 for this header; the file itself says 470, and so do we.
        ("unpacked_fixed_file", [("", "0470"), ("", "1000"), ("", "0426")]),
        ("unpacked_variable_file", [("0496", "0426"), ("0426", "1000"), ("", "0426")]),
    ],
)
def test_block_and_record_descriptors_are_kept_as_they_stood(
    moov: Path, name: str, descriptors: list[tuple[str, str]]
) -> None:
    records = _records(moov / f"{name}.dat")
    assert [(record.block, record.base.text_of("record_descriptor")) for record in records] == descriptors


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_all_three_kinds_come_back_byte_for_byte(moov: Path, name: str) -> None:
    whole = (moov / f"{name}.dat").read_bytes()
    ending = b"\n" if "variable" in name else b""
    assert ending.join(encode(record) for record in _records(moov / f"{name}.dat")) == whole


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("m2_file_small.txt", [["J1", "J1"], ["K1", "K2"], ["L1", "J2"]]),
        ("m2_file_small_no_header.txt", [[], ["K1", "K2"], ["L1"]]),
        ("m2_extra_extra_segments.txt", [["J1"] * 4 + ["J2"] * 4 + ["K1", "K2", "K3", "K4", "L1", "N1"]] * 3),
    ],
)
def test_the_regulators_small_files_cut_into_their_segments_and_back(
    cfpb: Path, name: str, kinds: list[list[str]]
) -> None:
    lines = (cfpb / name).read_bytes().splitlines()
    records = [parse(line) for line in lines]
    assert [encode(record) for record in records] == lines
    found = [[part.kind for part in record.segments] for record in records if record.base.kind == "base"]
    assert found == kinds


def test_a_record_is_told_by_its_identifier() -> None:
    assert kind_of(b"0426HEADER") == "header"
    assert kind_of(b"04960426HEADER", block=True) == "header"
    assert kind_of(b"0426TRAILER") == "trailer"
    assert kind_of(b"0426TRAILOR") == "base"


def test_header_and_trailer_may_lack_their_reserved_tail(invented_lines: list[bytes]) -> None:
    header, trailer = invented_lines[0][:280], invented_lines[-1][:407]
    assert parse(header).base.text_of("reserved") == ""
    assert encode(parse(header)) == header
    assert encode(parse(trailer)) == trailer


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (lambda line: line[:425], "line_length_unknown", "line"),
        (lambda line: line + b"J1", "line_length_unknown", "line"),
        (lambda line: line + b"X1" + b" " * 98, "segment_unknown", "segment[0]"),
        (lambda line: line + b"J1" + b" " * 98 + b"?" * 34, "segment_unknown", "segment[1]"),
        (lambda line: line + b"!", "line_length_unknown", "line"),
        (lambda line: line[:50] + b"\xe9" + line[51:], "not_ascii", "byte[50]"),
        (lambda line: line[:60] + b"\t" + line[61:], "not_ascii", "byte[60]"),
        (lambda line: line + b"K4" * 5_000, "line_too_long", "line"),
        (lambda line: line + (b"K4" + b" " * 28) * 65, "segments_too_many", "line"),
        (lambda line: b"", "line_length_unknown", "line"),
    ],
)
def test_a_line_that_cannot_be_cut_is_refused_by_name(
    invented_lines: list[bytes], change: Any, code: str, path: str
) -> None:
    base = next(line for line in invented_lines[1:-1] if len(line) == 426)
    with pytest.raises(InvalidInput) as caught:
        parse(change(base))
    assert (caught.value.code, caught.value.path) == (code, path)


def test_blanks_after_the_last_segment_are_padding_and_are_kept(invented_lines: list[bytes]) -> None:
    base = next(line for line in invented_lines[1:-1] if len(line) == 426) + b" " * 34
    record = parse(base)
    assert (record.segments, record.padding) == ((), " " * 34)
    assert encode(record) == base


@given(st.binary(max_size=1200), st.sampled_from(Form), st.booleans())
def test_no_bytes_make_the_parser_raise_anything_but_invalid_input(data: bytes, form: Form, block: bool) -> None:
    try:
        record = parse(data, form, block=block)
    except InvalidInput:
        return
    assert record.base.kind in ("header", "base", "trailer")


def test_a_field_that_a_segment_does_not_have_is_refused(invented_lines: list[bytes]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(invented_lines[1]).base.text_of("employer_name")
    assert caught.value.code == "field_unknown"
