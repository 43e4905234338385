from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from crosschain.metro2.layout import Form
from crosschain.metro2.records import Segment, encode, parse
from crosschain.metro2.rules import accept
from crosschain.metro2.values import assemble, convert, day, field, identity, number, segment_of, segments_of, text
from ledger.errors import InvalidInput

BASE: dict[str, Any] = {
    "time_stamp": datetime(2026, 1, 31, 23, 5, 9, tzinfo=UTC),
    "consumer_account_number": "A1",
    "portfolio_type": "I",
    "account_status": "11",
    "payment_history_profile": "0" * 24,
    "date_of_account_information": date(2026, 1, 31),
    "current_balance": 1200,
}


def _code(make: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        make()
    return caught.value.code


def test_fields_read_as_the_values_they_mean() -> None:
    record = assemble(segment_of("base", BASE), [segment_of("K1", {"original_creditor_name": "BANK"})])
    assert field(record, "consumer_account_number") == "A1"
    assert number(record.base, "current_balance") == 1200
    assert day(record.base, "date_of_account_information") == date(2026, 1, 31)
    assert day(record.base, "date_closed") is None
    assert identity(record.base, "social_security_number") is None
    assert record.base.text_of("time_stamp") == "01312026230509"
    assert record.base.text_of("record_descriptor") == "0460"
    assert [text(part, "original_creditor_name") for part in segments_of(record, "K1", "K2")] == ["BANK"]


def test_blank_and_negative_numbers_are_told_apart() -> None:
    blank = segment_of("base", BASE | {"credit_limit": "", "actual_payment": -5})
    assert number(blank, "credit_limit") is None
    assert number(blank, "actual_payment") == -5
    assert (
        identity(segment_of("base", {"social_security_number": 900_100_001}), "social_security_number") == "900100001"
    )


def test_what_is_assembled_is_accepted_again_in_both_forms() -> None:
    record = assemble(segment_of("base", BASE), [segment_of("J1", {"surname": "TESTER"})])
    packed = convert(record, Form.PACKED)
    assert accept(encode(record)) == record
    assert accept(encode(packed), Form.PACKED, block=True) == packed
    assert (packed.block, packed.base.text_of("record_descriptor")) == ("470", "0466")
    assert convert(packed, Form.CHARACTER) == record


def test_header_and_trailer_go_to_the_packed_form_and_back(invented_lines: list[bytes]) -> None:
    for line in (invented_lines[0], invented_lines[-1]):
        packed = convert(parse(line), Form.PACKED)
        assert encode(convert(accept(encode(packed), Form.PACKED, block=bool(packed.block)), Form.CHARACTER)) == line


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"account_status": "111"}, "value_too_long"),
        ({"current_balance": 1_000_000_000}, "value_too_long"),
        ({"date_opened": 20200131}, "value_invalid"),
        ({"current_balance": True}, "value_invalid"),
        ({"surname": "GÖDEL"}, "value_invalid"),
        ({"nonsense": "1"}, "field_unknown"),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(values: dict[str, Any], code: str) -> None:
    assert _code(lambda: segment_of("base", values)) == code


def test_a_segment_that_breaks_a_rule_is_not_assembled() -> None:
    assert _code(lambda: assemble(segment_of("base", BASE | {"payment_rating": "0"}))) == "rating_rule"
    assert (
        _code(lambda: assemble(segment_of("base", BASE | {"actual_payment": -5}), (), Form.PACKED)) == "number_invalid"
    )
    assert _code(lambda: segment_of("Z9", {})) == "segment_unknown"
    assert _code(lambda: assemble(segment_of("base", BASE), [segment_of("J2", {})] * 48)) == "line_too_long"


def test_reserved_text_is_not_dropped_on_the_way_to_the_packed_form(invented_lines: list[bytes]) -> None:
    header = invented_lines[0][:-1] + b"X"
    assert _code(lambda: convert(parse(header), Form.PACKED)) == "value_too_long"


def test_a_field_that_holds_no_value_of_its_kind_is_refused() -> None:
    odd = Segment("K1", ("K1", " " * 30, "x1"))
    assert _code(lambda: number(odd, "creditor_classification")) == "value_invalid"
    bad = Segment("K4", ("K4", "01", "99999999", "0" * 8, "0" * 9, " "))
    assert _code(lambda: day(bad, "deferred_payment_start_date")) == "value_invalid"
