"""Statements in compact form: one exact spelling, and every known trick refused."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ledger.attestation.jws import TOKEN_BYTES_MAX, sign_jws, verify_jws
from ledger.attestation.keys import EDDSA, ES256, KeyHistory, PrivateKey, admit_public_key
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import InvalidInput, TallystickError, Untrusted
from ledger.types import UnixMillis

TYP = "tally-batch+jws"
ED = PrivateKey(EDDSA, bytes(range(32)))
P256 = PrivateKey(ES256, bytes(range(1, 33)))
NOW = UnixMillis(1_000)
KEYS = KeyHistory(
    admit_public_key(key.public_jwk(), not_before_ms=UnixMillis(0), not_after_ms=UnixMillis(2_000))
    for key in (ED, P256)
)


def code_of(token: bytes, at_ms: int = 1_000, keys: KeyHistory = KEYS, typ: str = TYP) -> str:
    with pytest.raises(TallystickError) as caught:
        verify_jws(token, keys, typ=typ, at_ms=UnixMillis(at_ms))
    return caught.value.code


def forged(header: object, key: PrivateKey = ED, payload: bytes = b"{}") -> bytes:
    text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"), sort_keys=True)
    signed = f"{encode_url(text.encode())}.{encode_url(payload)}"
    return f"{signed}.{encode_url(key.sign(signed.encode()))}".encode()


@pytest.mark.parametrize("key", [ED, P256])
def test_a_statement_gives_its_payload_and_key(key: PrivateKey) -> None:
    opened = verify_jws(sign_jws(b'{"a":1}', key, TYP), KEYS, typ=TYP, at_ms=NOW)
    assert opened.header == {"alg": key.alg, "kid": key.kid, "typ": TYP}
    assert (opened.payload, opened.key.kid) == (b'{"a":1}', key.kid)


def test_the_header_is_canonical_and_the_token_is_ascii() -> None:
    token = sign_jws(b"{}", ED, TYP)
    header = decode_url(token.split(b".")[0].decode())
    assert header == f'{{"alg":"EdDSA","kid":"{ED.kid}","typ":"{TYP}"}}'.encode()
    assert token == forged(header.decode())


def test_the_time_may_be_read_from_the_payload() -> None:
    token = sign_jws(b'{"at":1500}', ED, TYP)
    opened = verify_jws(token, KEYS, typ=TYP, at_ms=lambda payload: UnixMillis(json.loads(payload)["at"]))
    assert opened.payload == b'{"at":1500}'
    late = sign_jws(b'{"at":2500}', ED, TYP)
    with pytest.raises(Untrusted) as caught:
        verify_jws(late, KEYS, typ=TYP, at_ms=lambda payload: UnixMillis(json.loads(payload)["at"]))
    assert caught.value.code == "key_expired"


def test_headers_of_another_form_are_malformed_although_signed() -> None:
    good = {"alg": "EdDSA", "kid": ED.kid, "typ": TYP}
    for header in (
        {**good, "crit": ["exp"]},
        {**good, "jwk": ED.public_jwk()},
        {**good, "x5u": "https://example.com"},
        {"alg": "EdDSA", "kid": ED.kid},
        {**good, "kid": 5},
        {**good, "typ": None},
        f'{{"typ":"{TYP}","kid":"{ED.kid}","alg":"EdDSA"}}',
        [],
        "null",
        "",
        f'{{"alg":"none","alg":"EdDSA","kid":"{ED.kid}","typ":"{TYP}"}}',
        f'{{"alg": "EdDSA","kid":"{ED.kid}","typ":"{TYP}"}}',
    ):
        assert code_of(forged(header)) == "jws_malformed", header


def test_the_algorithm_is_the_keys_and_not_the_headers() -> None:
    for alg in ("none", "HS256", "ES256", "Ed25519", "eddsa"):
        assert code_of(forged({"alg": alg, "kid": ED.kid, "typ": TYP})) == "jws_alg_mismatch"
    assert code_of(forged({"alg": "EdDSA", "kid": P256.kid, "typ": TYP})) == "jws_alg_mismatch"


def test_a_statement_of_another_kind_is_refused() -> None:
    assert code_of(sign_jws(b"{}", ED, "tally-consent+jws")) == "jws_typ_wrong"
    assert code_of(sign_jws(b"{}", ED, TYP.upper())) == "jws_typ_wrong"


def test_keys_decide_by_time_and_name() -> None:
    token = sign_jws(b"{}", ED, TYP)
    assert code_of(token, at_ms=-1) == "key_not_yet_valid"
    assert code_of(token, at_ms=2_000) == "key_expired"
    assert code_of(token, keys=KeyHistory()) == "key_unknown"
    compromised = KEYS.with_revocation(ED.kid, UnixMillis(1_000))
    assert code_of(token, keys=compromised) == "key_revoked"
    assert verify_jws(token, compromised, typ=TYP, at_ms=UnixMillis(999)).payload == b"{}"


def test_a_signature_of_another_key_or_payload_is_refused() -> None:
    header = {"alg": "EdDSA", "kid": ED.kid, "typ": TYP}
    assert code_of(forged(header, key=PrivateKey(EDDSA, bytes(32)))) == "signature_invalid"
    head, _, signature = sign_jws(b"{}", ED, TYP).split(b".")
    assert code_of(b".".join([head, b"e30x", signature])) == "signature_invalid"


def test_no_changed_byte_of_a_token_is_accepted() -> None:
    token = sign_jws(b'{"a":1}', ED, TYP)
    for at in range(len(token)):
        for other in b"A_=.! ":
            changed = token[:at] + bytes([other]) + token[at + 1 :]
            if changed != token:
                code_of(changed)


def test_other_spellings_of_the_parts_are_malformed() -> None:
    token = sign_jws(b"{}", ED, TYP)
    head, payload, signature = token.split(b".")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1:]) ^ 1]  # 64 bytes leave four bits over, which must be zero
    for parts in (
        [head, payload],
        [head, payload, signature, b""],
        [head, payload, signature + b"=="],
        [head, payload, signature[:-1] + bytes([last])],
        [head, payload + b"\n", signature],
        [head, payload, b"\xff"],
        [b"", payload, signature],
    ):
        assert code_of(b".".join(parts)) == "jws_malformed", parts
    for short in (b"", signature[:-2], signature + b"AA"):
        assert code_of(b".".join([head, payload, short])) in {"jws_malformed", "signature_invalid"}


def test_es256_signatures_in_der_are_refused() -> None:
    head, payload, _ = sign_jws(b"{}", P256, TYP).split(b".")
    private = ec.derive_private_key(int.from_bytes(bytes(range(1, 33)), "big"), ec.SECP256R1())
    der = private.sign(head + b"." + payload, ec.ECDSA(hashes.SHA256()))
    assert code_of(b".".join([head, payload, encode_url(der).encode()])) == "signature_invalid"


def test_a_token_is_an_entry_and_no_longer() -> None:
    with pytest.raises(InvalidInput) as caught:
        sign_jws(bytes(TOKEN_BYTES_MAX), ED, TYP)
    assert caught.value.code == "jws_too_long"
    assert code_of(b"a" * (TOKEN_BYTES_MAX + 1)) == "jws_too_long"


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_but_our_errors(data: bytes) -> None:
    for token in (data, b"e30.e30." + data, data.replace(b"\x00", b".")):
        code_of(token)
