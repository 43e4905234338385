"""Base64 in which every value has exactly one text (RFC 4648 sections 4, 5 and 3.5).

Ordinary decoders forgive: blanks inside, missing padding, bits after the last byte that are not zero. Then two texts
mean one value, and a hash over the text, a "seen before" check or a comparison of bytes can be walked around.

Rules
- A text is accepted only when encoding what it decodes to gives the same text again.
- ``decode_standard`` takes the alphabet with ``+ /`` and padding (signed notes, checkpoints, proofs).
- ``decode_url`` takes the alphabet with ``- _`` and no padding (JSON Web Keys and Signatures, RFC 7515 section 2).

>>> decode_standard("AQ=="), decode_url("AQ")
(b'\\x01', b'\\x01')

It does not wrap lines and knows no other alphabets.
"""

from __future__ import annotations

import binascii

from ledger.errors import InvalidInput

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/", b"+/!!")  # the standard alphabet's own two characters become undecodable


def encode_standard(data: bytes) -> str:
    """``data`` in standard Base64 with padding, no line breaks (RFC 4648 section 4)."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_standard(text: str) -> bytes:
    """The bytes of a standard, padded Base64 text; raises ``InvalidInput`` ``base64_invalid`` otherwise."""
    try:
        raw = text.encode("ascii")
        data = binascii.a2b_base64(raw)
    except (UnicodeEncodeError, binascii.Error):
        raise _invalid("base64_invalid") from None
    if binascii.b2a_base64(data, newline=False) != raw:
        raise _invalid("base64_invalid")
    return data


def encode_url(data: bytes) -> str:
    """``data`` in URL-safe Base64 without padding (RFC 7515 section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def decode_url(text: str) -> bytes:
    """The bytes of an unpadded URL-safe Base64 text; raises ``InvalidInput`` ``base64url_invalid`` otherwise."""
    try:
        raw = text.encode("ascii").translate(_FROM_URL)
        data = binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise _invalid("base64url_invalid") from None
    if encode_url(data) != text:
        raise _invalid("base64url_invalid")
    return data


def _invalid(code: str) -> InvalidInput:
    return InvalidInput(code, "not the one Base64 spelling of a value", advice="Encode as RFC 4648, no blanks.")
