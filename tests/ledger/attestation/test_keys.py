"""Keys: what may be enrolled, and when each may be believed."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.attestation.keys import EDDSA, ES256, KeyHistory, PrivateKey, PublicKey, admit_public_key, thumbprint
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import Conflict, InvalidInput, Untrusted
from ledger.types import UnixMillis

ED = PrivateKey.from_random(EDDSA, bytes(range(32)))
P256 = PrivateKey.from_random(ES256, bytes(range(1, 33)))
RFC8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def ms(value: int) -> UnixMillis:
    return UnixMillis(value)


def admit(jwk: dict[str, Any]) -> PublicKey:
    return admit_public_key(jwk, not_before_ms=ms(0))


def code_of(jwk: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        admit(jwk)
    return caught.value.code


def test_the_thumbprint_is_that_of_rfc_8037_appendix_a_3() -> None:
    key = admit({"kty": "OKP", "crv": "Ed25519", "x": RFC8037_X})
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert thumbprint(EDDSA, decode_url(RFC8037_X)) == key.kid


def test_the_private_key_of_rfc_8037_appendix_a_1_is_read() -> None:
    secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
    key = PrivateKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "d": secret, "x": RFC8037_X})
    assert key.public_jwk()["x"] == RFC8037_X
    assert key.private_jwk()["d"] == secret
    assert secret not in repr(key)


@pytest.mark.parametrize("key", [ED, P256])
def test_keys_come_back_as_they_went(key: PrivateKey) -> None:
    public = admit(key.public_jwk())  # type: ignore[arg-type]
    assert (public.jwk(), public.kid, public.raw) == (key.public_jwk(), key.kid, key.raw)
    assert PrivateKey.from_jwk(key.private_jwk()).kid == key.kid


@pytest.mark.parametrize("key", [ED, P256])
def test_signatures_are_64_bytes_the_same_each_time_and_bound_to_the_message(key: PrivateKey) -> None:
    public = admit(key.public_jwk())  # type: ignore[arg-type]
    signature = key.sign(b"message")
    assert len(signature) == 64
    assert key.sign(b"message") == signature
    assert public.verifies(b"message", signature)
    assert not public.verifies(b"messagE", signature)
    assert not public.verifies(b"message", signature[:-1])
    assert not public.verifies(b"message", signature + b"\x00")


def test_es256_signatures_are_those_of_rfc_6979_appendix_a_2_5() -> None:
    secret = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
    want = (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )
    assert PrivateKey(ES256, secret).sign(b"sample").hex() == want


def test_a_private_member_is_refused_before_anything_else() -> None:
    assert code_of(ED.private_jwk()) == "jwk_private_member"
    assert code_of({"kty": "oct", "k": "AAAA"}) == "jwk_private_member"


def test_other_forms_of_a_key_are_refused_by_code() -> None:
    ed, p256 = ED.public_jwk(), P256.public_jwk()
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "jwk_invalid"),
        ({"kty": "RSA", "n": "AQ", "e": "AQAB"}, "jwk_invalid"),
        ({**ed, "crv": "X25519"}, "jwk_invalid"),
        ({**ed, "crv": "P-256"}, "jwk_invalid"),
        ({**ed, "x5u": "https://example.com"}, "jwk_invalid"),
        ({**ed, "y": ed["x"]}, "jwk_invalid"),
        ({**ed, "alg": "ES256"}, "jwk_invalid"),
        ({**ed, "use": "enc"}, "jwk_invalid"),
        ({**ed, "x": 5}, "jwk_invalid"),
        ({**ed, "x": ed["x"] + "="}, "jwk_invalid"),
        ({**ed, "x": ed["x"].replace("-", "+") + " "}, "jwk_invalid"),
        ({**ed, "kid": "mine"}, "key_kid_mismatch"),
        ({**ed, "kid": 1}, "key_kid_mismatch"),
        ({"kty": "OKP", "crv": "Ed25519", "x": encode_url(bytes(31))}, "key_length_wrong"),
        ({"kty": "OKP", "crv": "Ed25519", "x": encode_url(bytes(32))}, "key_low_order"),
        ({"kty": "OKP", "crv": "Ed25519", "x": encode_url(b"\xff" * 32)}, "key_not_canonical"),
        ({"kty": "OKP", "crv": "Ed25519", "x": encode_url(b"\x02" + bytes(31))}, "key_not_on_curve"),
        ({name: value for name, value in p256.items() if name != "y"}, "jwk_invalid"),
        ({"kty": "EC", "crv": "P-256", "x": p256["x"], "y": p256["x"]}, "key_not_on_curve"),
        ({"kty": "EC", "crv": "P-256", "x": encode_url(bytes(33)), "y": p256["y"]}, "key_length_wrong"),
    ]
    for jwk, code in cases:
        assert code_of(jwk) == code, jwk


def test_secrets_that_are_no_keys_are_refused() -> None:
    n = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
    for alg, secret in ((EDDSA, bytes(31)), (ES256, bytes(32)), (ES256, n), (ES256, b"\xff" * 32)):
        with pytest.raises(InvalidInput) as caught:
            PrivateKey(alg, secret)
        assert caught.value.code == "key_secret_invalid"
    with pytest.raises(InvalidInput) as caught:
        PrivateKey("HS256", bytes(32))
    assert caught.value.code == "key_alg_unknown"


def test_a_private_jwk_whose_parts_do_not_belong_together_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        PrivateKey.from_jwk({**ED.private_jwk(), "d": encode_url(bytes(32))})
    assert (caught.value.code, caught.value.path) == ("jwk_invalid", "$.d")
    with pytest.raises(InvalidInput):
        PrivateKey.from_jwk(ED.public_jwk())


def test_the_name_of_a_key_cannot_be_another_keys() -> None:
    with pytest.raises(InvalidInput) as caught:
        PublicKey(ED.kid, ES256, P256.raw, ms(0))
    assert caught.value.code == "key_kid_mismatch"
    with pytest.raises(InvalidInput) as caught:
        PublicKey(ED.kid, EDDSA, ED.raw, ms(5), ms(5))
    assert caught.value.code == "key_period_invalid"


# not_before, not_after, revoked_from, at -> error code or None
VALIDITY = [
    (100, None, None, 99, "key_not_yet_valid"),
    (100, None, None, 100, None),
    (100, None, None, 10**15, None),
    (100, 200, None, 199, None),
    (100, 200, None, 200, "key_expired"),
    (100, 200, None, 201, "key_expired"),
    (100, 200, 150, 149, None),
    (100, 200, 150, 150, "key_revoked"),
    (100, 200, 150, 250, "key_revoked"),
    (100, None, 100, 100, "key_revoked"),
    (100, None, 50, 75, "key_revoked"),
    (100, None, 150, 99, "key_not_yet_valid"),
    (100, 200, 300, 250, "key_expired"),
]


@pytest.mark.parametrize(("not_before", "not_after", "revoked_from", "at", "code"), VALIDITY)
def test_a_key_is_believed_only_in_its_time(
    not_before: int, not_after: int | None, revoked_from: int | None, at: int, code: str | None
) -> None:
    end = None if not_after is None else ms(not_after)
    key = PublicKey(ED.kid, EDDSA, ED.raw, ms(not_before), end)
    history = KeyHistory([key])
    if revoked_from is not None:
        history = history.with_revocation(key.kid, ms(revoked_from))
    if code is None:
        assert history.verifying_key(key.kid, ms(at)).raw == ED.raw
    else:
        with pytest.raises(Untrusted) as caught:
            history.verifying_key(key.kid, ms(at))
        assert caught.value.code == code


def test_rotation_keeps_the_old_key_for_old_statements() -> None:
    old = admit_public_key(ED.public_jwk(), not_before_ms=ms(0), not_after_ms=ms(100))
    new = admit_public_key(P256.public_jwk(), not_before_ms=ms(90))
    history = KeyHistory([old]).with_key(new)
    assert (len(history), list(history)) == (2, [old, new])
    assert history.verifying_key(old.kid, ms(95)) == old
    assert history.verifying_key(new.kid, ms(95)) == new
    with pytest.raises(Conflict) as caught:
        history.with_key(old)
    assert caught.value.code == "key_twice"


def test_an_unknown_kid_is_untrusted_whatever_it_says() -> None:
    for kid in ("", "../../etc/passwd", "' OR 1=1 --", P256.kid):
        for call in (
            lambda kid=kid: KeyHistory([admit(ED.public_jwk())]).verifying_key(kid, ms(0)),
            lambda kid=kid: KeyHistory().with_revocation(kid, ms(0)),
        ):
            with pytest.raises(Untrusted) as caught:
                call()
            assert caught.value.code == "key_unknown"


def test_a_later_compromise_date_never_replaces_an_earlier_one() -> None:
    key = admit(ED.public_jwk()).revoked(ms(50)).revoked(ms(80))
    assert key.revoked_from_ms == 50
    assert key.revoked(ms(20)).revoked_from_ms == 20
