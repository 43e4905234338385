"""Canonical JSON: RFC 8785 out, one meaning in."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.attestation.canonical import (
    NESTING_MAX,
    SAFE_INTEGER_MAX,
    JsonValue,
    canonical,
    double_text,
    parse_canonical,
    parse_strict,
)
from ledger.errors import InvalidInput

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER_MAX, SAFE_INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidInput) as caught:
        call()
    return caught.value.code


@given(VALUES)
def test_the_bytes_are_those_of_an_independent_writer(value: JsonValue) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(VALUES)
def test_reading_and_writing_again_changes_nothing(value: JsonValue) -> None:
    data = canonical(value, integers_as_doubles=True)
    read = parse_canonical(data, integers_as_doubles=True)
    assert canonical(read, integers_as_doubles=True) == data
    assert read == value


def test_members_sort_by_utf16_code_units_and_not_by_code_points() -> None:
    low_surrogate_first = {"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3, "a": 4, "1": 5, "\r": 6}
    assert list(json.loads(canonical(low_surrogate_first))) == ["\r", "1", "a", "\u20ac", "\U0001f600", "\ufb33"]


def test_texts_escape_what_they_must_and_nothing_else() -> None:
    assert (
        canonical('\b\t\n\f\r"\\/\x00\x1f\x7f\u2028é') == '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7f\u2028é"'.encode()
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (-1.25, "-1.25"),
        (56.0, "56"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_numbers_are_written_as_ecmascript_writes_them(number: float, text: str) -> None:
    assert double_text(number) == text


def test_integers_that_a_double_cannot_hold_are_refused_unless_they_are_meant_as_doubles() -> None:
    assert canonical([SAFE_INTEGER_MAX, -SAFE_INTEGER_MAX]) == b"[9007199254740991,-9007199254740991]"
    for number in (2**53, -(2**53), 10**400):
        assert code_of(lambda number=number: canonical(number)) == "json_integer_too_large"
        assert code_of(lambda number=number: parse_strict(b"%d" % number)) == "json_integer_too_large"
    assert canonical(2**53 + 1, integers_as_doubles=True) == b"9007199254740992"
    assert parse_strict(b"9007199254740993", integers_as_doubles=True) == 9007199254740992.0
    assert code_of(lambda: canonical(10**400, integers_as_doubles=True)) == "json_number_not_finite"
    assert code_of(lambda: parse_strict(b"1" * 400, integers_as_doubles=True)) == "json_number_not_finite"


def test_booleans_are_not_numbers() -> None:
    assert canonical([True, False, 1, 0, None]) == b"[true,false,1,0,null]"


def test_what_is_no_json_is_refused_on_writing() -> None:
    assert code_of(lambda: canonical(math.nan)) == "json_number_not_finite"
    assert code_of(lambda: canonical(-math.inf)) == "json_number_not_finite"
    assert code_of(lambda: canonical("\ud800")) == "json_lone_surrogate"
    assert code_of(lambda: canonical({"\udfff": 1})) == "json_lone_surrogate"
    assert code_of(lambda: canonical({1: 1})) == "json_type_unknown"
    assert code_of(lambda: canonical(b"x")) == "json_type_unknown"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json_malformed"),
        (b"{} x", "json_malformed"),
        (b"{}{}", "json_malformed"),
        (b"NaN", "json_malformed"),
        (b"[-Infinity]", "json_malformed"),
        (b"'a'", "json_malformed"),
        (b"[1,]", "json_malformed"),
        (b"01", "json_malformed"),
        (b"1.", "json_malformed"),
        (b"+1", "json_malformed"),
        (b'"\n"', "json_malformed"),
        (b'"\\x41"', "json_malformed"),
        (b"\xc2\xa01", "json_malformed"),
        ('"١"'.encode()[1:-1], "json_malformed"),
        (b'{"a":1,"a":1}', "json_duplicate_member"),
        (b'{"a":1,"\\u0061":2}', "json_duplicate_member"),
        (b'[{"b":{"a":1,"a":2}}]', "json_duplicate_member"),
        (b'\xef\xbb\xbf{"a":1}', "json_byte_order_mark"),
        ('{"a":1}'.encode("utf-16"), "json_not_utf8"),
        (b'"\xff"', "json_not_utf8"),
        (b'"\xed\xa0\x80"', "json_not_utf8"),
        (b'"\xc0\x80"', "json_not_utf8"),
        (b'"\\ud800"', "json_lone_surrogate"),
        (b'{"\\udc00\\ud800":1}', "json_lone_surrogate"),
        (b"1e400", "json_number_not_finite"),
    ],
)
def test_each_fault_of_a_text_has_its_code(data: bytes, code: str) -> None:
    assert code_of(lambda: parse_strict(data)) == code


def test_nesting_is_bounded_at_any_depth() -> None:
    deepest = b"[" * NESTING_MAX + b"]" * NESTING_MAX
    assert canonical(parse_strict(deepest)) == deepest
    for depth in (NESTING_MAX + 1, 5_000, 200_000):
        assert code_of(lambda depth=depth: parse_strict(b"[" * depth + b"]" * depth)) == "json_nesting_too_deep"
        assert (
            code_of(lambda depth=depth: parse_strict(b'{"a":' * depth + b"1" + b"}" * depth)) == "json_nesting_too_deep"
        )
    value: list[object] = []
    for _ in range(NESTING_MAX):
        value = [value]
    assert code_of(lambda: canonical(value)) == "json_nesting_too_deep"


@pytest.mark.parametrize(
    "data", [b'{"a": 1}', b'{"b":1,"a":2}', b"1.0", b"-0", b"1E2", b'"\\u0061"', b'"\\/"', b"[1]\n", b'"\\u001F"']
)
def test_other_spellings_parse_and_are_not_canonical(data: bytes) -> None:
    parse_strict(data)
    assert code_of(lambda: parse_canonical(data)) == "json_not_canonical"


@given(st.binary(max_size=60) | st.text('{}[]",:0123456789.eE+-\\utrfalsn ', max_size=40).map(str.encode))
def test_no_bytes_raise_anything_but_our_errors(data: bytes) -> None:
    try:
        assert canonical(parse_canonical(data)) == data
    except InvalidInput as error:
        assert error.code.startswith("json_")
