"""Raw signatures: the strict rule, and keys that may not be enrolled."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.signatures import (
    ED25519_L,
    ED25519_P,
    P256_N,
    ed25519_key_fault,
    p256_key_fault,
    verify_ed25519,
    verify_p256,
)

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
D = -121665 * pow(121666, -1, ED25519_P) % ED25519_P
P256_G = bytes.fromhex(
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def y_of_double(y: int) -> int:
    """y of 2P on Edwards25519 from y of P: x^2 follows from the curve's equation, and only x^2 is needed."""
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, ED25519_P) % ED25519_P
    return (y * y + x2) * pow(2 - y * y + x2, -1, ED25519_P) % ED25519_P


def low_order_ys() -> list[int]:
    """y of every point P with 8 P = neutral, found by halving from the definition of order, not typed in."""
    order_8 = int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    )
    return [1, ED25519_P - 1, 0, order_8, ED25519_P - order_8]


def test_the_listed_points_have_an_order_that_divides_eight() -> None:
    for y in low_order_ys():
        assert y_of_double(y_of_double(y_of_double(y))) == 1


@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_low_order_and_non_canonical_keys_cannot_be_enrolled(sign: int) -> None:
    for y in low_order_ys():
        assert ed25519_key_fault((y | sign).to_bytes(32, "little")) == "key_low_order"
    for y in range(ED25519_P, 2**255):
        assert ed25519_key_fault((y | sign).to_bytes(32, "little")) == "key_not_canonical"


def test_keys_of_another_length_or_off_the_curve_cannot_be_enrolled() -> None:
    assert ed25519_key_fault(PUBLIC) is None
    assert ed25519_key_fault(PUBLIC[:-1]) == "key_length_wrong"
    off_curve = [y for y in range(2, 30) if ed25519_key_fault(y.to_bytes(32, "little")) == "key_not_on_curve"]
    assert 5 < len(off_curve) < 25  # about half of all numbers are no y of a point
    assert p256_key_fault(P256_G) is None
    assert p256_key_fault(P256_G[:-1]) == "key_length_wrong"
    assert p256_key_fault(P256_G[:-1] + b"\x00") == "key_not_on_curve"
    assert p256_key_fault(bytes(64)) == "key_not_on_curve"
    assert p256_key_fault(b"\xff" * 64) == "key_not_on_curve"


def test_s_of_l_or_more_is_refused() -> None:
    signature = PRIVATE.sign(b"m")
    assert verify_ed25519(PUBLIC, b"m", signature)
    s = int.from_bytes(signature[32:], "little")
    assert not verify_ed25519(PUBLIC, b"m", signature[:32] + (s + ED25519_L).to_bytes(32, "little"))


def test_every_flipped_bit_of_a_signature_is_refused() -> None:
    signature = PRIVATE.sign(b"m")
    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not verify_ed25519(PUBLIC, b"m", bytes(flipped))


def test_low_order_keys_and_rs_verify_nothing() -> None:
    for y in low_order_ys():
        point = y.to_bytes(32, "little")
        assert not verify_ed25519(point, b"m", point + bytes(32))
        assert not verify_ed25519(PUBLIC, b"m", point + bytes(32))


def test_p256_r_and_s_are_in_range() -> None:
    for r, s in ((0, 1), (1, 0), (P256_N, 1), (1, P256_N)):
        assert not verify_p256(P256_G, b"m", r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@given(st.binary(max_size=70), st.binary(max_size=20), st.binary(max_size=70))
def test_no_bytes_raise(public: bytes, message: bytes, signature: bytes) -> None:
    assert not verify_ed25519(public, message, signature)
    assert not verify_p256(public, message, signature)
    assert not verify_p256(public.ljust(64, b"\x00")[:64], message, signature.ljust(64, b"\x01")[:64])
