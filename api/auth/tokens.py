"""Access tokens (RFC 9068): who calls, for which tenant, in which role, proven or refused.

Rules, in the order they are checked (RFC 8725, OWASP ASVS 9)
- At most 8 KiB; three parts; each the one unpadded Base64url spelling of its bytes; header and claims strict JSON, in
  which a member that stands twice, at any depth, is refused.
- ``typ`` is ``at+jwt``. The header names no key: jku, x5u, x5c, jwk, crit, b64, zip, enc are refused.
- The issuer is one we know; ``kid`` is looked up in that issuer's keys and nowhere else; ``alg`` is that key's own.
- An ECDSA signature has the lower of its two s values, so that a token has one spelling.
- ``iss exp iat jti sub aud client_id tenant roles`` all stand, each of its exact type. ``exp`` is a whole number, not
  past, and not more than twelve hours ahead; ``iat`` and ``nbf`` are not in the future.
- The audience is ours alone. The tenant is one of the issuer's own, the roles are among those it may grant.
- A borrower's token carries ``subject``, the pseudonym in Base64url; nobody else's does.
- A token bound to a key (``cnf``) is refused as a bearer token, since that would undo the binding.

    principal = await TokenVerifier(issuers, "https://ledger.example", now).verify(token)

Refusals are ``Untrusted``, codes ``token_...``; nothing of the token stands in their text. It fetches no keys and
keeps no list of used tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import jwt

from api.auth.jwks import ALGORITHMS, ES256, VerificationKey
from api.auth.permissions import TOKEN_ROLES, Role
from api.limits import (
    TOKEN_BYTES_MAX,
    TOKEN_CLOCK_SKEW_S_MAX,
    TOKEN_LIFETIME_S_MAX,
    TOKEN_TEXT_CHARS_MAX,
    TOKENS_CACHED_MAX,
)
from ledger.attestation.canonical import JsonValue, parse_strict
from ledger.base64_strict import decode_url
from ledger.errors import InvalidInput, Untrusted
from ledger.signatures import P256_N
from ledger.types import Subject, TenantId, UnixMillis

TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
"""Both spellings of the one type (RFC 9068 section 4)."""

REFUSED_HEADERS: Final = frozenset({"b64", "crit", "enc", "jku", "jwk", "x5c", "x5u", "zip"})
"""Header members by which a token would choose how it is verified."""

_TENANT: Final = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*", re.ASCII)  # RFC 6749 section 3.3
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+)", re.ASCII | re.IGNORECASE)  # RFC 6750 section 2.1
_SIGNATURES: Final = jwt.PyJWS(algorithms=sorted(ALGORITHMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller whose token held. ``subject`` is the pseudonym of a borrower, None for everyone else."""

    tenant: TenantId
    subject: Subject | None
    client_id: str
    roles: frozenset[Role]
    scopes: frozenset[str]
    expires_at_ms: UnixMillis
    token_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerConfig:
    """What one issuer may say: for which tenants, in which roles, under which keys (kid -> key).

    Raises ``InvalidInput`` ``issuer_tenants_invalid`` for a name that is no tenant's (``*`` above all) and
    ``issuer_roles_invalid`` for a role that no token may carry.
    """

    iss: str
    tenants: frozenset[str]
    jwks: Mapping[str, VerificationKey]
    roles: frozenset[Role]

    def __post_init__(self) -> None:
        if not all(_TENANT.fullmatch(name) for name in self.tenants):
            raise InvalidInput("issuer_tenants_invalid", "an issuer speaks for named tenants only", path="tenants")
        if not self.roles <= TOKEN_ROLES:
            raise InvalidInput("issuer_roles_invalid", "a role that no token may carry", path="roles")
        object.__setattr__(self, "jwks", MappingProxyType(dict(self.jwks)))


class IssuerSource(Protocol):
    """Where issuers are known. A changed issuer is a new ``IssuerConfig``: remembered tokens are then checked again."""

    async def issuer(self, iss: str) -> IssuerConfig | None:
        """The issuer of exactly this name, or None."""


class FixedIssuers:
    """An ``IssuerSource`` over a list that does not change."""

    def __init__(self, issuers: Iterable[IssuerConfig]) -> None:
        self._issuers = {config.iss: config for config in issuers}

    async def issuer(self, iss: str) -> IssuerConfig | None:
        """The issuer of exactly this name, or None."""
        return self._issuers.get(iss)


class _Parts(NamedTuple):
    header: dict[str, JsonValue]
    claims: dict[str, JsonValue]
    signature: bytes


class _Remembered(NamedTuple):
    principal: Principal
    iss: str
    config: IssuerConfig


class TokenVerifier:
    """Verifies tokens meant for ``audience``; ``now`` gives milliseconds since 1970."""

    def __init__(self, issuers: IssuerSource, audience: str, now: Callable[[], UnixMillis]) -> None:
        self._issuers, self._audience, self._now = issuers, audience, now
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The caller this token speaks for; raises ``Untrusted`` with a ``token_...`` code."""
        if len(token) > TOKEN_BYTES_MAX:
            raise _refuse("token_too_long", "an access token has at most 8 KiB")
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(name)
        if known is not None and await self._still_holds(known):
            self._remembered.move_to_end(name)
            return known.principal
        self._remembered.pop(name, None)
        fresh = await self._verify_anew(token)
        self._remember(name, fresh)
        return fresh.principal

    async def _still_holds(self, known: _Remembered) -> bool:
        """Not expired, and the issuer's keys, tenants and roles are the ones it was verified under."""
        if known.principal.expires_at_ms <= self._now():
            return False
        return await self._issuers.issuer(known.iss) is known.config

    async def _verify_anew(self, token: str) -> _Remembered:
        parts = _take_apart(token)
        _check_header(parts.header)
        iss = _text(parts.claims, "iss")
        config = await self._issuers.issuer(iss)
        if config is None or config.iss != iss:
            raise _refuse("token_issuer_unknown", "not an issuer that this deployment knows")
        _check_signature(token, parts, config)
        return _Remembered(self._principal(parts.claims, config), iss, config)

    def _principal(self, claims: dict[str, JsonValue], config: IssuerConfig) -> Principal:
        """The claims, once their signature holds; reads as RFC 9068 section 2.2 lists them."""
        expires_s = self._check_times(claims)
        self._check_audience(claims.get("aud"))
        if "cnf" in claims:
            raise _refuse("token_bound", "a token bound to a key is no bearer token")
        _text(claims, "sub")
        roles = _roles(claims, config)
        return Principal(
            tenant=_tenant(claims, config),
            subject=_subject(claims, roles),
            client_id=_text(claims, "client_id"),
            roles=roles,
            scopes=_scopes(claims),
            expires_at_ms=UnixMillis(expires_s * 1000),
            token_id=_text(claims, "jti"),
        )

    def _check_times(self, claims: dict[str, JsonValue]) -> int:
        now_ms = self._now()
        expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
        begins = _seconds(claims, "nbf") if "nbf" in claims else issued
        if expires * 1000 <= now_ms:
            raise _refuse("token_expired", "the token has expired", advice="Ask its issuer for a new one.")
        if expires * 1000 > now_ms + TOKEN_LIFETIME_S_MAX * 1000:
            raise _refuse("token_lifetime_too_long", "the token expires too far ahead", expected="at most 12 hours")
        if max(issued, begins) * 1000 > now_ms + TOKEN_CLOCK_SKEW_S_MAX * 1000:
            raise _refuse("token_not_yet_valid", "the token is from the future")
        if expires <= issued:
            raise _refuse("token_claim_invalid", "the token expires before it was issued", path="$.exp")
        return expires

    def _check_audience(self, audience: JsonValue) -> None:
        if audience is None:
            raise _refuse("token_claim_missing", "a required claim is missing", path="$.aud")
        if audience != self._audience and audience != [self._audience]:
            raise _refuse("token_audience", "the token is meant for others, or for others too", path="$.aud")

    def _remember(self, name: bytes, fresh: _Remembered) -> None:
        self._remembered[name] = fresh
        while len(self._remembered) > TOKENS_CACHED_MAX:
            self._remembered.popitem(last=False)


def bearer_token(authorization: Iterable[str]) -> str | None:
    """The token of a request's Authorization header lines (RFC 6750 section 2.1); None when there is no such line.

    Raises ``Untrusted`` ``token_scheme`` for two lines or for anything else than one bearer token.
    """
    lines = list(authorization)
    if not lines:
        return None
    found = _BEARER.fullmatch(lines[0].strip(" ")) if len(lines) == 1 else None
    if found is None:
        raise _refuse("token_scheme", "the Authorization header is not one bearer token", expected="Bearer")
    return found[1]


async def principal_of(authorization: Iterable[str], verifier: TokenVerifier) -> Principal | None:
    """The caller of a request, from its Authorization header lines; None without any. Raises as ``verify`` does.

    A token anywhere else (address, body, cookie) is never looked at.
    """
    token = bearer_token(authorization)
    return None if token is None else await verifier.verify(token)


def _take_apart(token: str) -> _Parts:
    parts = token.split(".")
    if len(parts) != 3:
        raise _refuse("token_malformed", "a token has three parts")
    try:
        header, claims, signature = (decode_url(part) for part in parts)
    except InvalidInput:
        raise _refuse("token_encoding", "a part is not the one Base64url spelling of its bytes") from None
    return _Parts(_object(header), _object(claims), signature)


def _object(data: bytes) -> dict[str, JsonValue]:
    try:
        value = parse_strict(data)
    except InvalidInput as error:
        if error.code == "json_duplicate_member":
            raise _refuse("token_duplicate_member", "a member stands twice") from None
        raise _refuse("token_json", "a part is not strict JSON") from None
    if not isinstance(value, dict):
        raise _refuse("token_json", "a part is not an object")
    return value


def _check_header(header: dict[str, JsonValue]) -> None:
    if str(header.get("typ")) not in TYPES:
        raise _refuse("token_type", "not an access token", path="$.typ", expected="at+jwt")
    if REFUSED_HEADERS & header.keys():
        raise _refuse("token_header_refused", "the header chooses how it is verified", expected="alg, kid, typ")
    if str(header.get("alg")) not in ALGORITHMS:
        raise _refuse("token_algorithm", "not an algorithm of ours", path="$.alg")


def _check_signature(token: str, parts: _Parts, config: IssuerConfig) -> None:
    key = config.jwks.get(_text(parts.header, "kid"))
    if key is None:
        raise _refuse("token_key_unknown", "the issuer has no such key", path="$.kid")
    if parts.header["alg"] != key.alg:
        raise _refuse("token_algorithm", "not the key's own algorithm", path="$.alg")
    # RFC 7518 section 3.4: r and s, 32 bytes each. Another length is left to the check below.
    if key.alg == ES256 and len(parts.signature) == 64 and int.from_bytes(parts.signature[32:], "big") > P256_N // 2:
        raise _refuse("token_signature_malleable", "the other spelling of an ECDSA signature")
    try:
        _SIGNATURES.decode_complete(token, key.key, algorithms=[key.alg])
    except jwt.PyJWTError:
        raise _refuse("token_signature", "the signature does not hold") from None


def _text(claims: dict[str, JsonValue], name: str) -> str:
    value = claims.get(name)
    if value is None:
        raise _refuse("token_claim_missing", "a required member is missing", path=f"$.{name}")
    if not isinstance(value, str) or not 0 < len(value) <= TOKEN_TEXT_CHARS_MAX or not value.isprintable():
        raise _refuse("token_claim_invalid", "not a plain text of 1 to 255 characters", path=f"$.{name}")
    return value


def _seconds(claims: dict[str, JsonValue], name: str) -> int:
    value = claims.get(name)
    if value is None:
        raise _refuse("token_claim_missing", "a required claim is missing", path=f"$.{name}")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _refuse("token_claim_invalid", "not whole seconds since 1970", path=f"$.{name}")
    return value


def _tenant(claims: dict[str, JsonValue], config: IssuerConfig) -> TenantId:
    tenant = _text(claims, "tenant")
    if tenant not in config.tenants:
        raise _refuse("token_tenant", "the issuer does not speak for this tenant", path="$.tenant")
    return TenantId(tenant)


def _roles(claims: dict[str, JsonValue], config: IssuerConfig) -> frozenset[Role]:
    names = claims.get("roles")
    if names is None:
        raise _refuse("token_claim_missing", "a required claim is missing", path="$.roles")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise _refuse("token_claim_invalid", "not a list of roles", path="$.roles")
    if not set(names) <= config.roles:
        raise _refuse("token_role", "the issuer may not grant this role", path="$.roles")
    return frozenset(Role(str(name)) for name in names)


def _subject(claims: dict[str, JsonValue], roles: frozenset[Role]) -> Subject | None:
    if Role.BORROWER not in roles:
        if "subject" in claims:
            raise _refuse("token_claim_invalid", "only a borrower's token names a subject", path="$.subject")
        return None
    try:
        subject = decode_url(_text(claims, "subject"))
    except InvalidInput:
        subject = b""
    if len(subject) != 32:
        raise _refuse("token_claim_invalid", "not 32 bytes in Base64url", path="$.subject")
    return Subject(subject)


def _scopes(claims: dict[str, JsonValue]) -> frozenset[str]:
    scope = claims.get("scope")
    if scope is None and "scope" not in claims:
        return frozenset()
    if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
        raise _refuse("token_claim_invalid", "not a list of scopes (RFC 6749 section 3.3)", path="$.scope")
    return frozenset(scope.split(" "))


def _refuse(code: str, message: str, **details: str) -> Untrusted:
    return Untrusted(code, message, **details)
