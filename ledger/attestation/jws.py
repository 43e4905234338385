"""Signed statements as compact JSON Web Signatures (RFC 7515), in one exact form.

Rules
- ``<header>.<payload>.<signature>``, each Base64url without padding, one spelling.
- The header is the canonical JSON of exactly ``alg``, ``kid`` and ``typ``: no ``crit``, no embedded key, nothing else.
- ``typ`` is the one the caller expects: a statement of one kind is never taken for another (RFC 8725 section 3.11).
- ``kid`` finds the key among those enrolled; ``alg`` has to be that key's own (RFC 8725 section 3.1).
- The key has to be valid at the statement's time, which the caller gives or reads from the payload.
- The signature is 64 bytes and strict (see ``signatures``).

>>> key = PrivateKey.from_random("EdDSA", bytes(range(32)))
>>> keys = KeyHistory([PublicKey(key.kid, key.alg, key.raw, UnixMillis(0))])
>>> verify_jws(sign_jws(b"{}", key, "tally-batch+jws"), keys, typ="tally-batch+jws", at_ms=UnixMillis(1)).payload
b'{}'

It does not read the payload, and it is not for access tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from ledger.attestation.canonical import canonical, parse_canonical
from ledger.attestation.keys import KeyHistory, PrivateKey, PublicKey
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import InvalidInput, Untrusted
from ledger.types import UnixMillis

TOKEN_BYTES_MAX: Final = 65_535
"""Longest token: a statement is an entry of the log, and an entry has at most that many bytes (C2SP tlog-tiles)."""


HEADERS_CACHED_MAX: Final = 1_024
"""Headers remembered: one a signing key."""


class VerifiedJws(NamedTuple):
    """What was signed, and by which key."""

    header: Mapping[str, str]
    payload: bytes
    key: PublicKey


def sign_jws(payload: bytes, key: PrivateKey, typ: str) -> bytes:
    """The token over ``payload``; raises ``InvalidInput`` ``jws_too_long``."""
    header = canonical({"alg": key.alg, "kid": key.kid, "typ": typ})
    signed = f"{encode_url(header)}.{encode_url(payload)}"
    token = f"{signed}.{encode_url(key.sign(signed.encode()))}".encode()
    _ensure_length(token)
    return token


def verify_jws(
    token: bytes, keys: KeyHistory, *, typ: str, at_ms: UnixMillis | Callable[[bytes], UnixMillis]
) -> VerifiedJws:
    """Verify a token and give its header, payload and key.

    ``at_ms`` is the statement's time, or reads it from the payload; what such a reader raises passes through, and
    nothing it saw is trusted until this returns. Raises ``InvalidInput`` ``jws_malformed``, ``jws_too_long``;
    ``Untrusted`` ``jws_typ_wrong``, ``jws_alg_mismatch``, ``signature_invalid`` and the codes of
    ``KeyHistory.verifying_key``.
    """
    _ensure_length(token)
    signed, header, payload, signature = _take_apart(token)
    if header["typ"] != typ:
        raise Untrusted("jws_typ_wrong", "a statement of another kind", path="$.typ", expected=typ)
    key = keys.verifying_key(header["kid"], at_ms(payload) if callable(at_ms) else at_ms)
    if header["alg"] != key.alg:
        raise Untrusted("jws_alg_mismatch", "not the key's own algorithm", path="$.alg", expected=key.alg)
    if not key.verifies(signed, signature):
        raise Untrusted("signature_invalid", "the signature does not hold")
    return VerifiedJws(header, payload, key)


def _take_apart(token: bytes) -> tuple[bytes, Mapping[str, str], bytes, bytes]:
    parts = token.split(b".")
    if len(parts) != 3:
        raise _malformed("not three parts")
    try:
        header, payload, signature = (decode_url(part.decode("ascii")) for part in parts)
    except (UnicodeDecodeError, InvalidInput):
        raise _malformed("not Base64url") from None
    return parts[0] + b"." + parts[1], _read_header(header), payload, signature


@lru_cache(maxsize=HEADERS_CACHED_MAX)
def _read_header(data: bytes) -> Mapping[str, str]:
    """A header from its bytes. A signer's headers are all the same, so that reading one strictly is paid once."""
    try:
        header = parse_canonical(data)
    except InvalidInput:
        raise _malformed("a header that is not canonical JSON") from None
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"}:
        raise _malformed("a header of other members")
    texts = {name: value for name, value in header.items() if isinstance(value, str)}
    if len(texts) != 3:
        raise _malformed("a header member that is not a text")
    return MappingProxyType(texts)


def _ensure_length(token: bytes) -> None:
    if len(token) > TOKEN_BYTES_MAX:
        raise InvalidInput("jws_too_long", "a token has at most 65,535 bytes", found=len(token))


def _malformed(why: str) -> InvalidInput:
    return InvalidInput("jws_malformed", f"not a statement in compact form: {why}")
