"""Which keys of a published set are used, which are passed over, and what raises the alarm."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api.auth.jwks import VerificationKey, read_jwks
from ledger.base64_strict import encode_url
from ledger.errors import InvalidInput

ED = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"}  # RFC 8037 A.2
EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "kid": "b",
}  # RFC 7515 A.3


def rsa_jwk(bits: int, **more: Any) -> dict[str, Any]:
    n = rsa.generate_private_key(public_exponent=65_537, key_size=bits).public_key().public_numbers().n
    return {"kty": "RSA", "n": encode_url(n.to_bytes(bits // 8, "big")), "e": "AQAB", "kid": "r", **more}


def algorithms(*keys: dict[str, Any]) -> dict[str, str]:
    return {kid: key.alg for kid, key in read_jwks({"keys": list(keys)}).items()}


def test_the_algorithm_comes_from_the_key() -> None:
    assert algorithms(ED, EC, rsa_jwk(2_048)) == {"a": "EdDSA", "b": "ES256", "r": "RS256"}
    assert algorithms(rsa_jwk(2_048, alg="PS256")) == {"r": "PS256"}


@pytest.mark.parametrize(
    "useless",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"},
        {**ED, "use": "enc"},
        {**ED, "crv": "X25519"},
        {**ED, "alg": "ES256"},
        {**ED, "x": ED["x"] + "="},
        {**ED, "x": "AQ"},
        {**ED, "x": encode_url(b"\x01" + bytes(31))},
        {**ED, "kid": 7},
        {name: value for name, value in ED.items() if name != "kid"},
        {**EC, "y": EC["x"]},
        {**EC, "crv": "P-384"},
        {"kty": "RSA", "kid": "r", "n": encode_url(bytes([255]) * 256), "e": "Aw"},
        {"kty": ["OKP"], "kid": "x"},
    ],
)
def test_keys_of_no_use_are_passed_over(useless: dict[str, Any]) -> None:
    assert algorithms(useless, {**EC, "kid": "good"}) == {"good": "ES256"}


def test_an_rsa_key_under_2048_bits_is_passed_over() -> None:
    assert algorithms(rsa_jwk(1_024)) == {}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (None, "jwks_malformed"),
        ([], "jwks_malformed"),
        ({"keys": {}}, "jwks_malformed"),
        ({"keys": ["a"]}, "jwks_malformed"),
        ({"keys": [{**ED, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}, "jwks_private_member"),
        ({"keys": [{"kty": "RSA", "p": "AQ"}]}, "jwks_private_member"),
        ({"keys": [ED, {**EC, "kid": "a"}]}, "jwks_kid_twice"),
    ],
)
def test_a_set_that_cannot_be_trusted_is_refused(document: object, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_jwks(document)
    assert refusal.value.code == code


def test_a_key_is_bound_to_an_algorithm_of_ours() -> None:
    key = read_jwks({"keys": [ED]})["a"].key
    with pytest.raises(InvalidInput, match="jwk_alg_unknown"):
        VerificationKey("HS256", key)
