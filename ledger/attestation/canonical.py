"""Canonical JSON (RFC 8785) and a reader that takes no other meaning than the one that was signed.

Rules of writing
- Members sorted by the UTF-16 code units of their names; no blanks; UTF-8; only ``"``, ``\\`` and controls escaped.
- Numbers as ECMAScript writes doubles (ECMA-262 section 6.1.6.1.20): ``56.0`` is ``56``, ``1e21`` is ``1e+21``, -0 is
  0.
- Integers beyond 2^53 - 1 are refused, since a double would change them in silence (RFC 7493 section 2.2). With
  ``integers_as_doubles=True`` they are taken for the nearest double, which is RFC 8785 to the letter. (A double such as
  1e20 is written without exponent, so only that reading takes it back.)
- Refused: NaN and infinities, lone surrogates, nesting over 64, values that are no JSON.

Rules of reading (``parse_strict``)
- UTF-8 without byte order mark, one value and nothing after it, no member twice in one object (RFC 7493 section 2.3).
- ``parse_canonical`` takes only the bytes that writing the value would give.

>>> canonical({"b": 56.0, "a": [True, None, "é"]}).decode()
'{"a":[true,null,"é"],"b":56}'
>>> parse_canonical(b'{"a":1}')
{'a': 1}

It does not say which members an attestation has (see ``registry``), and it is not the fast path for them: there, typed
decoding and encoding again does the same check.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Final, NoReturn

from ledger.errors import InvalidInput

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""What JSON can say, as Python's own types."""

NESTING_MAX: Final = 64
"""Deepest nesting of arrays and objects: far above any document of ours, far below any reader's stack."""

SAFE_INTEGER_MAX: Final = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly (RFC 7493 section 2.2)."""


def canonical(value: object, *, integers_as_doubles: bool = False) -> bytes:
    """The one RFC 8785 text of a JSON value.

    Raises ``InvalidInput``: ``json_integer_too_large``, ``json_number_not_finite``, ``json_lone_surrogate``,
    ``json_nesting_too_deep``, ``json_type_unknown``.
    """
    parts: list[str] = []
    _write(value, parts.append, 0, integers_as_doubles)
    try:
        return "".join(parts).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput("json_lone_surrogate", "a text with half of a surrogate pair") from None


def parse_strict(data: bytes, *, integers_as_doubles: bool = False) -> JsonValue:
    """The value of a JSON text that has one meaning only.

    Raises ``InvalidInput``: ``json_not_utf8``, ``json_byte_order_mark``, ``json_malformed``, ``json_duplicate_member``
    and the codes of ``canonical``. ``integers_as_doubles`` reads integers beyond 2^53 - 1 as the nearest double.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("json_not_utf8", "the bytes are not UTF-8") from None
    if text.startswith("\ufeff"):
        raise InvalidInput("json_byte_order_mark", "a byte order mark is no part of JSON (RFC 8259 section 8.1)")
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer_as_double if integers_as_doubles else _integer,
            parse_float=_double,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise InvalidInput("json_malformed", "not JSON", found=f"position {error.pos}") from None
    except RecursionError:
        raise _too_deep() from None
    _ensure_writable(value, 0)
    return value


def parse_canonical(data: bytes, *, integers_as_doubles: bool = False) -> JsonValue:
    """The value of a text that is its own canonical form; raises ``InvalidInput`` ``json_not_canonical`` otherwise.

    Raises the codes of ``parse_strict`` too.
    """
    value = parse_strict(data, integers_as_doubles=integers_as_doubles)
    if canonical(value, integers_as_doubles=integers_as_doubles) != data:
        raise InvalidInput(
            "json_not_canonical", "another spelling of the value", advice="Send RFC 8785 canonical JSON."
        )
    return value


def double_text(number: float) -> str:
    """A double as ECMAScript writes it (RFC 8785 section 3.2.2.3); raises ``InvalidInput`` ``json_number_not_finite``.

    ``repr`` gives the same shortest digits; only where the point and the exponent go is different.
    """
    if number - number != 0:
        raise InvalidInput("json_number_not_finite", "NaN and infinities are no JSON", found=number)
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    digits, point = _digits_of(abs(number))
    return sign + _place_point(digits, point)


def _digits_of(number: float) -> tuple[str, int]:
    """Significant digits, and where the decimal point stands: after that many of them."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(digits)
    return digits.rstrip("0"), len(whole) - leading_zeros + int(exponent or 0)


def _place_point(digits: str, point: int) -> str:
    """ECMA-262 section 6.1.6.1.20, steps 6 to 12: k digits, the point after n of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def _write(value: object, put: Callable[[str], None], depth: int, integers_as_doubles: bool) -> None:
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None or isinstance(value, bool):
        put({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        put(_integer_text(value, integers_as_doubles))
    elif isinstance(value, float):
        put(double_text(value))
    elif isinstance(value, list | tuple):
        _write_array(value, put, depth, integers_as_doubles)
    elif isinstance(value, dict):
        _write_object(value, put, depth, integers_as_doubles)
    else:
        raise InvalidInput("json_type_unknown", "JSON has no such type", found=type(value).__name__)


def _write_array(
    items: list[object] | tuple[object, ...], put: Callable[[str], None], depth: int, integers_as_doubles: bool
) -> None:
    _ensure_depth(depth)
    separator = "["
    for item in items:
        put(separator)
        _write(item, put, depth + 1, integers_as_doubles)
        separator = ","
    put("]" if items else "[]")


def _write_object(
    members: dict[object, object], put: Callable[[str], None], depth: int, integers_as_doubles: bool
) -> None:
    _ensure_depth(depth)
    separator = "{"
    for name in sorted(members, key=_code_units):
        put(separator)
        _write(name, put, depth + 1, integers_as_doubles)
        put(":")
        _write(members[name], put, depth + 1, integers_as_doubles)
        separator = ","
    put("}" if members else "{}")


def _code_units(name: object) -> bytes:
    """Sort key of a member's name: its UTF-16 code units (RFC 8785 section 3.2.3)."""
    if not isinstance(name, str):
        raise InvalidInput("json_type_unknown", "a member's name is a text", found=type(name).__name__)
    return name.encode("utf-16-be", "surrogatepass")


def _integer_text(number: int, integers_as_doubles: bool) -> str:
    if -SAFE_INTEGER_MAX <= number <= SAFE_INTEGER_MAX:
        return int.__repr__(number)
    if not integers_as_doubles:
        raise _too_large()
    try:
        return double_text(float(number))
    except OverflowError:
        raise _not_finite() from None


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidInput("json_duplicate_member", "a member stands twice in one object")
    return members


def _integer(text: str) -> int:
    # Length first: turning a long text into an int is quadratic.
    if len(text) > 17 or not -SAFE_INTEGER_MAX <= int(text) <= SAFE_INTEGER_MAX:
        raise _too_large()
    return int(text)


def _integer_as_double(text: str) -> int | float:
    if len(text) <= 17 and -SAFE_INTEGER_MAX <= int(text) <= SAFE_INTEGER_MAX:
        return int(text)
    return _double(text)


def _double(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise _not_finite()
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidInput("json_malformed", "NaN and Infinity are no JSON", found=text)


def _ensure_writable(value: JsonValue, depth: int) -> None:
    """What the text could say and yet may not: nesting over the bound, half a surrogate pair by escape."""
    if isinstance(value, str):
        _ensure_no_surrogate(value)
    elif isinstance(value, list):
        _ensure_depth(depth)
        for item in value:
            _ensure_writable(item, depth + 1)
    elif isinstance(value, dict):
        _ensure_depth(depth)
        for name, item in value.items():
            _ensure_no_surrogate(name)
            _ensure_writable(item, depth + 1)


def _ensure_no_surrogate(text: str) -> None:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidInput("json_lone_surrogate", "a text with half of a surrogate pair")


def _ensure_depth(depth: int) -> None:
    if depth >= NESTING_MAX:
        raise _too_deep()


def _too_deep() -> InvalidInput:
    return InvalidInput("json_nesting_too_deep", "arrays and objects nest too deep", expected=f"{NESTING_MAX} or less")


def _too_large() -> InvalidInput:
    return InvalidInput(
        "json_integer_too_large", "an integer that a double cannot hold", expected=f"at most {SAFE_INTEGER_MAX}"
    )


def _not_finite() -> InvalidInput:
    return InvalidInput("json_number_not_finite", "a number beyond a double's range")
