"""The binary fields of the packed form: each is the same digits as in the character form, kept in fewer bytes.

- Descriptor: 4 bytes, the length as a big-endian 16-bit number and two zero bytes.
- Number: the value as a big-endian binary number, 5 bytes for nine digits, 6 for ten.
- Date, time stamp: a zero byte, the digits MMDDYYYY or MMDDYYYYhhmmss read as one big-endian number in 3 or 6 bytes,
  and the mark 0x73. All zero bytes stand for no date.

    >>> unpack(BASE.field("date_opened"), bytes.fromhex("00ab3c0373"))
    '11222019'

Bytes that would not come back the same (a date mark without a date) decode, and are then refused by the comparison in
rules.accept. Decimal-coded fields with a sign nibble are not read: no file with them was at hand to check the reading.
Source: the packed files of moov-io/metro2 and the JSON beside them.
"""

from __future__ import annotations

from typing import Final

from crosschain.metro2.layout import Field, Kind
from ledger.errors import InvalidInput

DATE_MARK: Final = 0x73
"""Last byte of every packed date and time stamp that is present."""


def descriptor_value(data: bytes) -> int | None:
    """Length in bytes that a packed descriptor states, itself included; None when `data` is no descriptor."""
    if len(data) != 4 or data[2:] != b"\0\0":
        return None
    return int.from_bytes(data[:2])


def unpack(field: Field, data: bytes) -> str:
    """The digits of a binary field. Raises InvalidInput `descriptor_invalid`, `number_invalid` or `date_invalid`."""
    if field.kind is Kind.DESCRIPTOR:
        return _unpack_descriptor(field, data)
    if field.kind is Kind.NUMBER:
        return _digits(field, int.from_bytes(data), "number_invalid")
    return _unpack_date(field, data)


def pack(field: Field, text: str) -> bytes:
    """The bytes of a binary field. Raises InvalidInput `number_invalid` when `text` is not digits that fit."""
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput("number_invalid", "the packed form can hold digits only", path=field.name)
    value = int(text)
    if field.kind is Kind.NUMBER:
        return _big_endian(field, value, field.packed_length)
    if field.kind is Kind.DESCRIPTOR:
        return _big_endian(field, value, 2) + b"\0\0"
    if value == 0:
        return bytes(field.packed_length)
    return b"\0" + _big_endian(field, value, field.packed_length - 2) + bytes([DATE_MARK])


def _unpack_descriptor(field: Field, data: bytes) -> str:
    value = descriptor_value(data)
    if value is None:
        raise InvalidInput("descriptor_invalid", "the last two bytes of a descriptor are zero", path=field.name)
    return _digits(field, value, "descriptor_invalid")


def _unpack_date(field: Field, data: bytes) -> str:
    if not any(data):
        return "0" * field.length
    if data[0] != 0 or data[-1] != DATE_MARK:
        raise InvalidInput("date_invalid", "a packed date begins with 0x00 and ends with 0x73", path=field.name)
    return _digits(field, int.from_bytes(data[1:-1]), "date_invalid")


def _digits(field: Field, value: int, rule: str) -> str:
    text = f"{value:0{field.length}d}"
    if len(text) > field.length:
        raise InvalidInput(rule, "more digits than the field has", path=field.name, expected=field.length)
    return text


def _big_endian(field: Field, value: int, length: int) -> bytes:
    if value >> (8 * length):
        raise InvalidInput(
            "number_invalid", "too large for the packed form", path=field.name, expected=f"{length} bytes"
        )
    return value.to_bytes(length)
