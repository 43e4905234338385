"""Signing keys and when each of them may be believed.

Rules
- A key's name is its RFC 7638 thumbprint: SHA-256 over the canonical JSON of its required members, in Base64url.
- Two kinds: ``EdDSA`` (Ed25519, RFC 8037) and ``ES256`` (P-256, RFC 7518 section 3.4). The algorithm belongs to the
  key; what a message says about it is compared, never obeyed (RFC 8725 section 3.1).
- A key is admitted once, strictly: exact members, exact lengths, a point of the curve, not of low order, nothing
  private.
- Each key is valid from ``not_before_ms`` until before ``not_after_ms``. ``revoked_from_ms`` is the day of a
  compromise: a statement of that time or later is refused, an earlier one stays good.
- The statement's own time decides, so that a log can be checked again years later with the same answer.

>>> key = PrivateKey.from_random("EdDSA", bytes(range(32)))
>>> public = admit_public_key(key.public_jwk(), not_before_ms=UnixMillis(0))
>>> KeyHistory([public]).verifying_key(public.kid, UnixMillis(5)) == public
True

It stores nothing and makes no randomness: the 32 random bytes are an argument. Tokens are ``jws``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ledger.attestation.canonical import canonical
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import Conflict, InvalidInput, Untrusted
from ledger.signatures import P256_N, ed25519_key_fault, p256_key_fault, verify_ed25519, verify_p256
from ledger.types import UnixMillis

EDDSA: Final = "EdDSA"
"""JWS algorithm name of Ed25519 (RFC 8037 section 3.1)."""

ES256: Final = "ES256"
"""JWS algorithm name of ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4)."""

# kty, crv and the members that hold the point, by algorithm (RFC 7518 section 6.2.1, RFC 8037 section 2).
_SHAPES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    EDDSA: ("OKP", "Ed25519", ("x",)),
    ES256: ("EC", "P-256", ("x", "y")),
}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_OPTIONAL_MEMBERS: Final = frozenset({"alg", "kid", "use"})


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An admitted key. ``raw``: 32 bytes for EdDSA, x || y (64 bytes) for ES256. Times in milliseconds since 1970.

    Build one with ``admit_public_key``; the constructor checks that ``kid`` is the thumbprint and that the period is
    not empty, and raises ``InvalidInput`` ``key_alg_unknown``, ``key_kid_mismatch`` or ``key_period_invalid``.
    """

    kid: str
    alg: str
    raw: bytes
    not_before_ms: UnixMillis
    not_after_ms: UnixMillis | None = None
    revoked_from_ms: UnixMillis | None = None

    def __post_init__(self) -> None:
        if self.alg not in _SHAPES:
            raise InvalidInput("key_alg_unknown", "not an algorithm of ours", expected="EdDSA or ES256")
        if self.kid != thumbprint(self.alg, self.raw):
            raise InvalidInput("key_kid_mismatch", "kid is not the key's thumbprint (RFC 7638)", path="$.kid")
        if self.not_after_ms is not None and self.not_after_ms <= self.not_before_ms:
            raise InvalidInput("key_period_invalid", "a key ends after it begins", path="not_after_ms")

    def jwk(self) -> dict[str, str]:
        """The key as a JSON Web Key with kid, alg and use (RFC 7517)."""
        return {**_required_members(self.alg, self.raw), "alg": self.alg, "kid": self.kid, "use": "sig"}

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` (64 bytes) is this key's over ``message``; looks at no clock and raises nothing."""
        check = verify_ed25519 if self.alg == EDDSA else verify_p256
        return check(self.raw, message, signature)

    def revoked(self, from_ms: UnixMillis) -> PublicKey:
        """The same key, compromised since ``from_ms``. An earlier compromise date that is recorded already stays."""
        earliest = from_ms if self.revoked_from_ms is None else min(from_ms, self.revoked_from_ms)
        return replace(self, revoked_from_ms=UnixMillis(earliest))


class KeyHistory:
    """All keys that one signer ever had, found by kid. Immutable. Raises ``Conflict`` ``key_twice``."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        self._keys: dict[str, PublicKey] = {}
        for key in keys:
            if key.kid in self._keys:
                raise Conflict("key_twice", "this key is enrolled already", found=key.kid)
            self._keys[key.kid] = key

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def with_key(self, key: PublicKey) -> KeyHistory:
        """A history with one key more; raises ``Conflict`` ``key_twice``."""
        return KeyHistory([*self, key])

    def with_revocation(self, kid: str, from_ms: UnixMillis) -> KeyHistory:
        """A history in which ``kid`` is compromised since ``from_ms``; raises ``Untrusted`` ``key_unknown``."""
        revoked = self._named(kid).revoked(from_ms)
        return KeyHistory(revoked if key.kid == kid else key for key in self)

    def verifying_key(self, kid: str, at_ms: UnixMillis) -> PublicKey:
        """The key that may vouch for a statement made at ``at_ms``.

        Raises ``Untrusted``: ``key_unknown``, ``key_not_yet_valid``, ``key_expired``, ``key_revoked``.
        """
        key = self._named(kid)
        if key.revoked_from_ms is not None and at_ms >= key.revoked_from_ms:
            raise Untrusted("key_revoked", "the key was compromised by then", expected=f"before {key.revoked_from_ms}")
        if at_ms < key.not_before_ms:
            raise Untrusted("key_not_yet_valid", "the key was not valid yet", expected=f"from {key.not_before_ms}")
        if key.not_after_ms is not None and at_ms >= key.not_after_ms:
            raise Untrusted("key_expired", "the key was no longer valid", expected=f"before {key.not_after_ms}")
        return key

    def _named(self, kid: str) -> PublicKey:
        key = self._keys.get(kid)
        if key is None:
            raise Untrusted("key_unknown", "no such key is enrolled", advice="Enrol the key first.")
        return key


class PrivateKey:
    """A key that signs: 32 secret bytes, an Ed25519 seed or a P-256 scalar. They never show in ``repr``."""

    __slots__ = ("_ed25519", "_secret", "alg", "kid", "raw")

    def __init__(self, alg: str, secret: bytes) -> None:
        """Raises ``InvalidInput`` ``key_alg_unknown`` or ``key_secret_invalid`` (length, or scalar not in 1..n-1)."""
        if alg not in _SHAPES:
            raise InvalidInput("key_alg_unknown", "not an algorithm of ours", expected="EdDSA or ES256")
        if len(secret) != 32 or (alg == ES256 and not 0 < int.from_bytes(secret, "big") < P256_N):
            raise InvalidInput("key_secret_invalid", "not 32 bytes of a private key")
        self._secret = secret
        self.alg = alg
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(secret)  # reading it anew costs half a signature
        self.raw = self._ed25519.public_key().public_bytes_raw() if alg == EDDSA else self._p256_public()
        self.kid = thumbprint(alg, self.raw)

    @classmethod
    def from_random(cls, alg: str, random_bytes: bytes) -> PrivateKey:
        """A key of 32 fresh random bytes. Of those one in 2^32 is no ES256 key: ``key_secret_invalid``, draw again."""
        return cls(alg, random_bytes)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> PrivateKey:
        """The key of a private JWK; raises ``InvalidInput`` ``jwk_invalid`` (also when ``d`` is another's)."""
        alg, raw = _read_jwk({name: value for name, value in jwk.items() if name != "d"})
        key = cls(alg, _decode_member(jwk, "d"))
        if key.raw != raw:
            raise _bad_jwk("$.d", "the private part of another key")
        return key

    def private_jwk(self) -> dict[str, str]:
        """The secret JWK; whoever has it can sign."""
        return {**self.public_jwk(), "d": encode_url(self._secret)}

    def public_jwk(self) -> dict[str, str]:
        """The JWK to enrol elsewhere."""
        return {**_required_members(self.alg, self.raw), "alg": self.alg, "kid": self.kid, "use": "sig"}

    def sign(self, message: bytes) -> bytes:
        """Signature of 64 bytes; the same message gives the same bytes (RFC 8032; RFC 6979 for ES256)."""
        if self.alg == EDDSA:
            return self._ed25519.sign(message)
        der = self._p256().sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def __repr__(self) -> str:
        return f"PrivateKey(alg={self.alg!r}, kid={self.kid!r})"

    def _p256(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(self._secret, "big"), ec.SECP256R1())

    def _p256_public(self) -> bytes:
        numbers = self._p256().public_key().public_numbers()
        return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def admit_public_key(
    jwk: Mapping[str, object], *, not_before_ms: UnixMillis, not_after_ms: UnixMillis | None = None
) -> PublicKey:
    """Enrol a key that somebody sends: the one place where a foreign key becomes one of ours.

    Raises ``InvalidInput``: ``jwk_private_member`` (tell the owner: that key is burnt), ``jwk_invalid``,
    ``key_kid_mismatch``, ``key_length_wrong``, ``key_not_canonical``, ``key_low_order``, ``key_not_on_curve``,
    ``key_period_invalid``.
    """
    alg, raw = _read_jwk(jwk)
    fault = ed25519_key_fault(raw) if alg == EDDSA else p256_key_fault(raw)
    if fault is not None:
        raise InvalidInput(fault, "not a key that may be trusted", path="$.x")
    return PublicKey(thumbprint(alg, raw), alg, raw, not_before_ms, not_after_ms)


def thumbprint(alg: str, raw: bytes) -> str:
    """RFC 7638 thumbprint of a key, Base64url of SHA-256."""
    return encode_url(hashlib.sha256(canonical(_required_members(alg, raw))).digest())


def _required_members(alg: str, raw: bytes) -> dict[str, str]:
    kty, crv, names = _SHAPES[alg]
    point = {name: encode_url(raw[32 * at : 32 * at + 32]) for at, name in enumerate(names)}
    return {"kty": kty, "crv": crv, **point}


def _read_jwk(jwk: Mapping[str, object]) -> tuple[str, bytes]:
    """Algorithm and raw bytes of a public JWK; everything about its form is checked, nothing about its point."""
    if _PRIVATE_MEMBERS & set(jwk):
        raise InvalidInput(
            "jwk_private_member", "a private key was sent", advice="Treat that key as compromised; send a public one."
        )
    alg = _alg_of(jwk)
    names = _SHAPES[alg][2]
    required = {"kty", "crv", *names}
    if not required <= set(jwk) <= required | _OPTIONAL_MEMBERS:
        raise _bad_jwk("$", "members are missing or unknown")
    if jwk.get("alg", alg) != alg or jwk.get("use", "sig") != "sig":
        raise _bad_jwk("$.alg", "not for signatures of this kind")
    raw = b"".join(_decode_member(jwk, name) for name in names)
    if jwk.get("kid", thumbprint(alg, raw)) != thumbprint(alg, raw):
        raise InvalidInput("key_kid_mismatch", "kid is not the key's thumbprint (RFC 7638)", path="$.kid")
    return alg, raw


def _alg_of(jwk: Mapping[str, object]) -> str:
    for alg, (kty, crv, _) in _SHAPES.items():
        if jwk.get("kty") == kty and jwk.get("crv") == crv:
            return alg
    raise _bad_jwk("$.kty", "neither an Ed25519 nor a P-256 key")


def _decode_member(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise _bad_jwk(f"$.{name}", "not a text")
    try:
        data = decode_url(value)
    except InvalidInput:
        raise _bad_jwk(f"$.{name}", "not Base64url") from None
    if len(data) != 32:
        raise InvalidInput("key_length_wrong", "a coordinate has 32 bytes", path=f"$.{name}", found=len(data))
    return data


def _bad_jwk(path: str, why: str) -> InvalidInput:
    return InvalidInput("jwk_invalid", f"not a key in the form that is enrolled: {why}", path=path)
