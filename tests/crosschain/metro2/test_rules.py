from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosschain.metro2.layout import BASE, Form, field_of
from crosschain.metro2.records import encode, parse
from crosschain.metro2.rules import RULES, accept, is_date, shown, warnings
from crosschain.metro2.values import convert
from ledger.errors import InvalidInput


def _line(lines: list[bytes], status: str) -> bytes:
    return next(line for line in lines[1:-1] if line[123:125] == status.encode() and len(line) == 426)


def _with(line: bytes, **fields: str) -> bytes:
    for name, text in fields.items():
        field = BASE.field(name)
        assert len(text) == field.length
        line = line[: field.start - 1] + text.encode() + line[field.start - 1 + field.length :]
    return line


@pytest.mark.parametrize(
    ("fields", "code", "path", "found"),
    [
        ({"record_descriptor": "04x6"}, "descriptor_invalid", "base.record_descriptor", "04x6"),
        ({"time_stamp": "01312026240000"}, "date_invalid", "base.time_stamp", "01312026240000"),
        ({"consumer_account_number": " " * 30}, "account_missing", "base.consumer_account_number", "<30 characters>"),
        ({"portfolio_type": "Q"}, "code_unknown", "base.portfolio_type", "Q"),
        ({"date_opened": "02302020"}, "date_invalid", "base.date_opened", "02302020"),
        ({"current_balance": "12a4 -789"}, "number_invalid", "base.current_balance", "99a9 -999"),
        ({"account_status": "12"}, "code_unknown", "base.account_status", "12"),
        ({"payment_rating": "7"}, "code_unknown", "base.payment_rating", "7"),
        ({"payment_rating": "1"}, "rating_rule", "base.payment_rating", "1 with status 11"),
        (
            {"payment_history_profile": "0" * 23 + "8"},
            "history_invalid",
            "base.payment_history_profile",
            "0" * 23 + "8",
        ),
        (
            {"payment_history_profile": "0" * 23 + " "},
            "history_invalid",
            "base.payment_history_profile",
            "0" * 23 + " ",
        ),
        ({"date_of_account_information": "0" * 8}, "date_missing", "base.date_of_account_information", "0" * 8),
        ({"date_of_first_delinquency": "13012020"}, "date_invalid", "base.date_of_first_delinquency", "13012020"),
        ({"social_security_number": "12345678x"}, "number_invalid", "base.social_security_number", "<9 characters>"),
        ({"date_of_birth": "02301980"}, "date_invalid", "base.date_of_birth", "<8 characters>"),
    ],
)
def test_each_rule_names_itself_its_field_and_a_value_that_is_safe_to_show(
    invented_lines: list[bytes], fields: dict[str, str], code: str, path: str, found: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        accept(_with(_line(invented_lines, "11"), **fields))
    assert (caught.value.code, caught.value.path, caught.value.found) == (code, path, found)


def test_a_fault_in_an_appended_segment_names_the_segment(invented_lines: list[bytes]) -> None:
    line = _line(invented_lines, "11") + b"K4" + b"02" + b"02302026" + b"0" * 17 + b" "
    with pytest.raises(InvalidInput) as caught:
        accept(line)
    assert (caught.value.code, caught.value.path) == ("date_invalid", "K4[0].deferred_payment_start_date")


@pytest.mark.parametrize("status", ["05", "13", "65", "88", "89", "94", "95"])
def test_the_statuses_that_carry_a_rating_are_accepted_with_one(invented_lines: list[bytes], status: str) -> None:
    line = _with(_line(invented_lines, "11"), account_status=status, payment_rating="3")
    assert accept(line).base.text_of("payment_rating") == "3"


@pytest.mark.parametrize(
    ("status", "fields", "codes"),
    [
        ("11", {}, []),
        ("11", {"amount_past_due": "000000001"}, ["current_with_past_due"]),
        ("71", {"amount_past_due": "000000000"}, ["delinquent_without_past_due"]),
        ("71", {"date_of_first_delinquency": "00000000"}, ["delinquent_without_first_date"]),
        ("97", {"original_chargeoff_amount": "000000000"}, ["chargeoff_without_amount"]),
        ("13", {"payment_rating": " "}, ["rating_missing"]),
        ("11", {"date_opened": "        "}, ["date_opened_missing"]),
        ("11", {"actual_payment": "-00000005"}, ["negative_amount"]),
        ("11", {"record_descriptor": "0006"}, ["descriptor_differs"]),
    ],
)
def test_contradictions_are_kept_and_listed(
    invented_lines: list[bytes], status: str, fields: dict[str, str], codes: list[str]
) -> None:
    record = accept(_with(_line(invented_lines, status), **fields))
    assert [warning.code for warning in warnings(record)] == codes


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("02292024", True),
        ("02292023", False),
        ("00000000", True),
        ("        ", True),
        ("01010000", False),
        ("0101 020", False),
    ],
)
def test_a_date_exists_or_is_absent(text: str, holds: bool) -> None:
    assert is_date(text) is holds


def test_what_points_to_a_person_is_shown_as_a_length_only() -> None:
    assert shown(field_of("base", "surname"), "SOMEBODY") == "<8 characters>"
    assert shown(field_of("base", "account_status"), "1?") == "1?"


def test_a_block_descriptor_before_a_record_is_found_out(invented_lines: list[bytes]) -> None:
    record = accept(b"0430" + _line(invented_lines, "11"))
    assert (record.block, record.base.text_of("record_descriptor")) == ("0430", "0426")


def test_a_packed_record_that_would_not_come_back_is_refused(invented_lines: list[bytes]) -> None:
    packed = encode(convert(parse(_line(invented_lines, "11")), Form.PACKED))
    field = BASE.field("date_closed")
    start = 4 + field.packed_start - 1
    mark_without_date = packed[:start] + b"\0\0\0\0\x73" + packed[start + 5 :]
    assert encode(accept(packed, Form.PACKED, block=True)) == packed
    with pytest.raises(InvalidInput) as caught:
        accept(mark_without_date, Form.PACKED, block=True)
    assert caught.value.code == "not_reproducible"


@given(data=st.data())
def test_flipped_bytes_give_a_named_refusal_or_a_record_that_comes_back_the_same(
    invented_lines: list[bytes], data: Any
) -> None:
    line = bytearray(data.draw(st.sampled_from(invented_lines)))
    form = data.draw(st.sampled_from(Form))
    if form is Form.PACKED:
        line = bytearray(encode(convert(parse(bytes(line)), Form.PACKED)))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(line) - 1), st.integers(0, 255)), max_size=4)):
        line[place] = value
    for block in (None, False, True) if form is Form.CHARACTER else (False, True):
        try:
            record = accept(bytes(line), form, block=block)
        except InvalidInput as refusal:
            assert refusal.code in RULES
            assert refusal.path
        else:
            assert encode(record) == bytes(line)
