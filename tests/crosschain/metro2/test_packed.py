from __future__ import annotations

import pytest

from crosschain.metro2.layout import BASE, Field
from crosschain.metro2.packed import descriptor_value, pack, unpack
from ledger.errors import InvalidInput

DATE, STAMP = BASE.field("date_opened"), BASE.field("time_stamp")
AMOUNT, PHONE, LENGTH = BASE.field("credit_limit"), BASE.field("telephone_number"), BASE.field("record_descriptor")


@pytest.mark.parametrize(
    ("field", "text", "data"),
    [
        (DATE, "11222019", "00ab3c0373"),
        (DATE, "00000000", "0000000000"),
        (STAMP, "01012020011122", "0000eba117e07273"),
        (AMOUNT, "000002438", "0000000986"),
        (AMOUNT, "999999999", "003b9ac9ff"),
        (PHONE, "5175555555", "0001347cb5e3"),
        (LENGTH, "1004", "03ec0000"),
    ],
)
def test_a_binary_field_and_its_digits_are_each_other(field: Field, text: str, data: str) -> None:
    assert unpack(field, bytes.fromhex(data)) == text
    assert pack(field, text) == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("field", "data", "code"),
    [
        (AMOUNT, "003b9aca00", "number_invalid"),
        (DATE, "00ab3c0374", "date_invalid"),
        (DATE, "01ab3c0373", "date_invalid"),
        (LENGTH, "03ec0001", "descriptor_invalid"),
        (LENGTH, "27100000", "descriptor_invalid"),
    ],
)
def test_bytes_that_are_no_value_are_refused(field: Field, data: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        unpack(field, bytes.fromhex(data))
    assert caught.value.code == code


@pytest.mark.parametrize(("field", "text"), [(AMOUNT, "         "), (AMOUNT, "-00000001"), (DATE, "99999999")])
def test_what_the_packed_form_cannot_hold_is_refused(field: Field, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        pack(field, text)
    assert caught.value.code == "number_invalid"


def test_a_descriptor_is_a_length_and_two_zero_bytes() -> None:
    assert descriptor_value(b"\x01\x72\0\0") == 370
    assert descriptor_value(b"0426") is None
    assert descriptor_value(b"\x01\x72\0") is None
