"""Raw signature checks, Ed25519 and P-256: one strict rule for the whole house.

Libraries differ at the edges of Ed25519, so that two honest validators could disagree about one entry. Here a signature
is good only when every library that follows RFC 8032 says so.

Rules
- Ed25519 (RFC 8032 section 5.1.7): 64 bytes; S < L; the encodings of A and R have y < p; neither A nor R is one of the
  eight points of low order; the equation holds without the cofactor.
- An Ed25519 public key must also be a point of the curve; that costs a square root and is checked at enrolment.
- P-256 (FIPS 186-5 section 6): r and s are 32 bytes each, big-endian, 1 <= r, s < n. A high s is accepted, as in JWS:
  a signature's bytes are therefore no identity for what was signed.
- A check answers True or False and raises nothing, whatever bytes it is given.

>>> verify_ed25519(bytes(32), b"hello", bytes(64))
False

It does not hold keys, times or formats; see ``attestation.keys`` and ``log.note``.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ED25519_P = 2**255 - 19
"""The field prime of Curve25519 (RFC 8032 section 5.1)."""

ED25519_L = 2**252 + 27742317777372353535851937790883648493
"""The order of the prime-order subgroup (RFC 8032 section 5.1)."""

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256 (SP 800-186 section 3.2.1.3)."""

KEYS_CACHED_MAX = 1_024
"""Keys kept ready for use, about 200 bytes each: the lenders of a large market, and some."""

_ED25519_D = (-121665 * pow(121666, -1, ED25519_P)) % ED25519_P
_SIGN_BIT = 1 << 255
_ORDER_8_Y = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")

# Points of order 1, 2, 4, 8: their y alone tells them, so both signs of x are covered. y = 1 and y = -1 are also the
# only ones with x = 0, whose sign bit could be set without meaning: refusing them refuses that spelling too.
_LOW_ORDER_Y = frozenset({1, ED25519_P - 1, 0, _ORDER_8_Y, ED25519_P - _ORDER_8_Y})


def ed25519_key_fault(public: bytes) -> str | None:
    """Why these bytes may not be enrolled as an Ed25519 key, as an error code, or None when they may.

    Codes: ``key_length_wrong``, ``key_not_canonical``, ``key_low_order``, ``key_not_on_curve``.
    """
    if len(public) != 32:
        return "key_length_wrong"
    y = _y_of(public)
    if y >= ED25519_P:
        return "key_not_canonical"
    if y in _LOW_ORDER_Y:
        return "key_low_order"
    if not _has_x(y):
        return "key_not_on_curve"
    return None


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (64 bytes) is ``public``'s (32 bytes) over ``message`` by the strict rule above."""
    key = _ed25519_key(public)
    if key is None or len(signature) != 64 or not _is_strict_point(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= ED25519_L:
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=KEYS_CACHED_MAX)
def _ed25519_key(public: bytes) -> Ed25519PublicKey | None:
    """A key ready for use, None where the strict rule refuses it: a signer's key is the same each time."""
    try:
        return Ed25519PublicKey.from_public_bytes(public) if _is_strict_point(public) else None
    except ValueError:
        return None


def p256_key_fault(public: bytes) -> str | None:
    """Why these 64 bytes (x, y, big-endian) are no P-256 key, as an error code, or None.

    Codes: ``key_length_wrong``, ``key_not_on_curve`` (SP 800-56A section 5.6.2.3.3; the cofactor is 1).
    """
    if len(public) != 64:
        return "key_length_wrong"
    return None if _p256_key(public) is not None else "key_not_on_curve"


def verify_p256(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (r || s, 64 bytes) is ``public``'s (x || y, 64 bytes) over SHA-256 of ``message``."""
    if len(public) != 64 or len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < P256_N and 0 < s < P256_N):
        return False
    key = _p256_key(public)
    if key is None:
        return False
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _y_of(encoded: bytes) -> int:
    return int.from_bytes(encoded, "little") & (_SIGN_BIT - 1)


def _is_strict_point(encoded: bytes) -> bool:
    y = _y_of(encoded)
    return y < ED25519_P and y not in _LOW_ORDER_Y


def _has_x(y: int) -> bool:
    """Whether x^2 = (y^2 - 1) / (d y^2 + 1) has a root (RFC 8032 section 5.1.3), by Euler's criterion."""
    x_squared = (y * y - 1) * pow(_ED25519_D * y * y + 1, -1, ED25519_P) % ED25519_P
    return x_squared == 0 or pow(x_squared, (ED25519_P - 1) // 2, ED25519_P) == 1


def _p256_key(public: bytes) -> ec.EllipticCurvePublicKey | None:
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        return None
