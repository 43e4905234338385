"""Key sets of issuers (RFC 7517): which keys may sign a tenant's tokens, each bound to one algorithm.

Rules
- Ed25519 (``EdDSA``), P-256 (``ES256``), and RSA of 2,048 to 8,192 bits (``RS256``; ``PS256``
  where its ``alg`` says so).
- The algorithm comes from the key, never from a token's header (RFC 8725 section 3.1).
- Keys of other kinds, of other uses, or without ``kid`` are passed over: a set may serve other programs too.
- A private member anywhere is an alarm, not a key: the set was published by mistake and must be replaced.
- Two keys of one ``kid`` are refused: which one verified would be an accident.

>>> read_jwks({"keys": []})
{}

It fetches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.limits import RSA_BITS_MAX, RSA_BITS_MIN, TOKEN_TEXT_CHARS_MAX
from ledger.base64_strict import decode_url
from ledger.errors import InvalidInput
from ledger.signatures import ed25519_key_fault

EDDSA: Final = "EdDSA"
ES256: Final = "ES256"
PS256: Final = "PS256"
RS256: Final = "RS256"
ALGORITHMS: Final = frozenset({EDDSA, ES256, PS256, RS256})
"""Every algorithm a token may be signed with."""

_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the one algorithm it verifies."""

    alg: str
    key: Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

    def __post_init__(self) -> None:
        if self.alg not in ALGORITHMS:
            raise InvalidInput("jwk_alg_unknown", "no algorithm of ours", path="$.alg", expected=", ".join(ALGORITHMS))


def read_jwks(document: object) -> dict[str, VerificationKey]:
    """The usable keys of a parsed key set, by kid.

    Raises ``InvalidInput`` ``jwks_malformed``, ``jwks_private_member``, ``jwks_kid_twice``.
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise InvalidInput("jwks_malformed", "a key set is an object with a list of keys", path="$.keys")
    found: dict[str, VerificationKey] = {}
    for jwk in keys:
        if not isinstance(jwk, Mapping):
            raise InvalidInput("jwks_malformed", "a key is an object", path="$.keys")
        _refuse_private(jwk)
        kid, key = jwk.get("kid"), _read_key(jwk)
        if key is None or not isinstance(kid, str) or not 0 < len(kid) <= TOKEN_TEXT_CHARS_MAX:
            continue
        if kid in found:
            raise InvalidInput("jwks_kid_twice", "two keys of one kid", path="$.keys")
        found[kid] = key
    return found


def _refuse_private(jwk: Mapping[str, object]) -> None:
    # ``k`` of a symmetric key is private as well, but such keys are merely of no use here.
    if _PRIVATE_MEMBERS & jwk.keys():
        raise InvalidInput(
            "jwks_private_member",
            "a published key set holds a private key",
            path="$.keys",
            advice="Replace that key at its issuer; it is compromised.",
        )


def _read_key(jwk: Mapping[str, object]) -> VerificationKey | None:
    if jwk.get("use", "sig") != "sig":
        return None
    read = {"OKP": _read_ed25519, "EC": _read_p256, "RSA": _read_rsa}.get(str(jwk.get("kty")))
    try:
        return None if read is None else read(jwk)
    except (InvalidInput, ValueError):
        return None


def _read_ed25519(jwk: Mapping[str, object]) -> VerificationKey | None:
    raw = _member(jwk, "x")
    if jwk.get("crv") != "Ed25519" or jwk.get("alg", EDDSA) not in (EDDSA, "Ed25519") or ed25519_key_fault(raw):
        return None
    return VerificationKey(EDDSA, Ed25519PublicKey.from_public_bytes(raw))


def _read_p256(jwk: Mapping[str, object]) -> VerificationKey | None:
    x, y = _member(jwk, "x"), _member(jwk, "y")
    if jwk.get("crv") != "P-256" or jwk.get("alg", ES256) != ES256 or len(x) != 32 or len(y) != 32:
        return None
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    return VerificationKey(ES256, numbers.public_key())


def _read_rsa(jwk: Mapping[str, object]) -> VerificationKey | None:
    n, e = int.from_bytes(_member(jwk, "n"), "big"), int.from_bytes(_member(jwk, "e"), "big")
    alg = jwk.get("alg", RS256)
    if alg not in (RS256, PS256) or not RSA_BITS_MIN <= n.bit_length() <= RSA_BITS_MAX or e != 65_537:
        return None
    return VerificationKey(str(alg), rsa.RSAPublicNumbers(e, n).public_key())


def _member(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise InvalidInput("jwk_member_missing", "a key without one of its members", path=f"$.{name}")
    return decode_url(value)
