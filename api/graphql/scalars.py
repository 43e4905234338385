"""Scalars, ids and cursors: each value has one text, and every other text is refused with a code.

Rules
- ``Date`` is ISO 8601 ``YYYY-MM-DD``; ``Timestamp`` is UTC to the millisecond, ``2026-11-24T10:00:00.000Z``.
- ``MinorUnits`` is a whole number in a text: GraphQL's own Int ends at 32 bits.
- ``Base64`` is standard and padded (RFC 4648 section 4); ``UUID`` is lower case with hyphens (RFC 9562 section 4).
- A global id is Base64url of ``Type:key``. It is opaque to clients and no secret: who may see the object is
  checked again.
- A cursor is a position (ledger index, key) under a MAC of the server's, bound to its list: one cannot be guessed,
  moved to another list, or edited.

>>> encode_global_id("Loan", "a1"), decode_global_id("TG9hbjphMQ", "Loan")
('TG9hbjphMQ', GlobalId(type='Loan', key='a1'))

A resolver gets ``datetime.date``, ``UnixMillis``, ``int``, ``bytes`` and ``str``. Errors are ``InvalidInput``.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NewType

import strawberry

from api.limits import PAGE_MAX
from ledger.attestation.canonical import canonical, parse_canonical
from ledger.base64_strict import decode_standard, decode_url, encode_standard, encode_url
from ledger.errors import InvalidInput
from ledger.limits import MINOR_UNITS_MAX
from ledger.types import MinorUnits, UnixMillis

Date = NewType("Date", datetime.date)
"""A day of the proleptic Gregorian calendar, no time zone."""

Timestamp = NewType("Timestamp", int)
"""Milliseconds since 1970 (as ``UnixMillis``); on the wire a text in UTC."""

Base64 = NewType("Base64", bytes)
"""Bytes."""

UUID = NewType("UUID", str)
"""A UUID as its lower-case text."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_MINOR_UNITS: Final = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_GLOBAL_ID: Final = re.compile(r"([A-Z][A-Za-z0-9]{0,63}):([\x21-\x7e]{1,200})", re.ASCII)
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MAC_BYTES: Final = 16
_CURSOR_CHARS_MAX: Final = 512


def parse_date(value: object) -> Date:
    """``YYYY-MM-DD``; raises ``InvalidInput`` ``date_invalid``."""
    try:
        return Date(datetime.date.fromisoformat(_match(_DATE, value)))
    except ValueError:
        raise InvalidInput("date_invalid", "not a date that exists", expected="YYYY-MM-DD") from None


def show_date(value: object) -> str:
    """A date, or its text, as ``YYYY-MM-DD``."""
    return value.isoformat() if isinstance(value, datetime.date) else parse_date(value).isoformat()


def parse_timestamp(value: object) -> Timestamp:
    """``YYYY-MM-DDThh:mm:ss.mmmZ`` to milliseconds; raises ``InvalidInput`` ``timestamp_invalid``."""
    try:
        moment = datetime.datetime.fromisoformat(_match(_TIMESTAMP, value))
    except ValueError:
        raise InvalidInput("timestamp_invalid", "not a moment in UTC", expected="YYYY-MM-DDThh:mm:ss.mmmZ") from None
    return Timestamp((moment - _EPOCH) // datetime.timedelta(milliseconds=1))


def show_timestamp(value: int) -> str:
    """Milliseconds since 1970 as a text in UTC."""
    moment = _EPOCH + datetime.timedelta(milliseconds=value)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_minor_units(value: object) -> MinorUnits:
    """A whole number in a text, within the ledger's bound; raises ``InvalidInput`` ``minor_units_invalid``."""
    try:
        amount = int(_match(_MINOR_UNITS, value))
    except ValueError:
        amount = MINOR_UNITS_MAX + 1
    if abs(amount) > MINOR_UNITS_MAX:
        raise InvalidInput("minor_units_invalid", "not a whole number of minor units", expected='"12345"')
    return MinorUnits(amount)


def parse_base64(value: object) -> Base64:
    """Standard padded Base64; raises ``InvalidInput`` ``base64_invalid``."""
    return Base64(decode_standard(value if isinstance(value, str) else "="))


def parse_uuid(value: object) -> UUID:
    """A lower-case UUID; raises ``InvalidInput`` ``uuid_invalid``."""
    try:
        return UUID(_match(_UUID, value))
    except ValueError:
        raise InvalidInput("uuid_invalid", "not a UUID in lower case with hyphens", expected="8-4-4-4-12") from None


def _match(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value


def _scalar(name: str, show: Callable[[Any], str], read: Callable[[object], Any], url: str, description: str) -> Any:
    return strawberry.scalar(name=name, serialize=show, parse_value=read, specified_by_url=url, description=description)


_RFC_3339: Final = "https://www.rfc-editor.org/rfc/rfc3339"
_TIMESTAMP_SCALAR: Final = _scalar(
    "Timestamp",
    show_timestamp,
    parse_timestamp,
    _RFC_3339,
    "A moment in UTC to the millisecond: 2026-11-24T10:00:00.000Z.",
)

SCALARS: Final[dict[object, Any]] = {
    Date: _scalar("Date", show_date, parse_date, _RFC_3339, "A day of the calendar: YYYY-MM-DD."),
    Timestamp: _TIMESTAMP_SCALAR,
    UnixMillis: _TIMESTAMP_SCALAR,
    MinorUnits: _scalar(
        "MinorUnits",
        str,
        parse_minor_units,
        "https://www.iso.org/iso-4217-currency-codes.html",
        'Money as a whole number of the currency\'s smallest unit, in a text: "12345" is 123.45 EUR or 12345 JPY.',
    ),
    Base64: _scalar(
        "Base64",
        encode_standard,
        parse_base64,
        "https://www.rfc-editor.org/rfc/rfc4648#section-4",
        "Bytes in standard Base64 with padding.",
    ),
    UUID: _scalar(
        "UUID", str, parse_uuid, "https://www.rfc-editor.org/rfc/rfc9562", "A UUID in lower case with hyphens."
    ),
}
"""For ``StrawberryConfig(scalar_map=SCALARS)``; ``ledger.types`` UnixMillis and MinorUnits may be used as they are."""


class GlobalId(NamedTuple):
    """What a global id says: a type of the schema, and the key of one object of it."""

    type: str
    key: str


def encode_global_id(type_name: str, key: str) -> str:
    """The opaque id of an object; raises ``InvalidInput`` ``global_id_invalid`` for a key it cannot carry."""
    if not _GLOBAL_ID.fullmatch(f"{type_name}:{key}"):
        raise InvalidInput("global_id_invalid", "a key that an id cannot carry", expected="1 to 200 ASCII characters")
    return encode_url(f"{type_name}:{key}".encode("ascii"))


def decode_global_id(text: str, *types: str) -> GlobalId:
    """The type and key of an id, one of ``types`` when any are given.

    Raises ``InvalidInput`` ``global_id_invalid``, ``global_id_type``.
    """
    try:
        found = _GLOBAL_ID.fullmatch(decode_url(text).decode("ascii")) if len(text) <= _CURSOR_CHARS_MAX else None
    except (InvalidInput, UnicodeDecodeError):
        found = None
    if found is None:
        raise InvalidInput("global_id_invalid", "not an id of this ledger", advice="Send an id as it was received.")
    if types and found[1] not in types:
        raise InvalidInput("global_id_type", "the id of another kind of object", expected=", ".join(types))
    return GlobalId(found[1], found[2])


class Cursors:
    """Makes and reads cursors under ``key`` (32 bytes, the deployment's own)."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise InvalidInput("cursor_key_short", "a key for cursors has at least 32 bytes", expected="32 bytes")
        self._key = key

    def encode(self, scope: str, *position: int | str) -> str:
        """The cursor of a position. ``scope`` names the list and whose it is (``loans/acme``)."""
        body = canonical(list(position))
        return encode_url(self._mac(scope, body) + body)

    def decode(self, scope: str, text: str) -> tuple[int | str, ...]:
        """The position; raises ``InvalidInput`` ``cursor_invalid`` for any text that was not made for this scope."""
        try:
            whole = decode_url(text) if len(text) <= _CURSOR_CHARS_MAX else b""
        except InvalidInput:
            whole = b""
        mac, body = whole[:_MAC_BYTES], whole[_MAC_BYTES:]
        if len(mac) != _MAC_BYTES or not hmac.compare_digest(mac, self._mac(scope, body)):
            raise InvalidInput(
                "cursor_invalid", "not a cursor of this list", advice="Send a cursor as it was received."
            )
        position = parse_canonical(body)
        return tuple(step for step in position if isinstance(step, int | str)) if isinstance(position, list) else ()

    def _mac(self, scope: str, body: bytes) -> bytes:
        # The scope's length first, so that no two pairs of scope and body give the same bytes.
        name = scope.encode()
        message = b"tallystick/cursor/v1" + len(name).to_bytes(4, "big") + name + body
        return hmac.digest(self._key, message, hashlib.sha256)[:_MAC_BYTES]


def page_size(first: int) -> int:
    """``first`` or ``last`` of a connection, 1 to 100; raises ``InvalidInput`` ``page_size_invalid``."""
    if not 1 <= first <= PAGE_MAX:
        raise InvalidInput("page_size_invalid", "not a page size", path="$.first", expected=f"1 to {PAGE_MAX}")
    return first
