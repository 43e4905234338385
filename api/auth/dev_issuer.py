"""An issuer of access tokens for development, on this machine only.

Rules
- It does not exist unless the server listens on a loopback address: otherwise ``Refused`` ``dev_issuer_not_loopback``.
- Its Ed25519 key is made at start and never stored: every restart ends all of its tokens.
- Anyone on the machine may ask for any role of any tenant it knows. That is the point, and why it stays on loopback.
- Its routes answer programs only: a JSON content type, a loopback Host, and no Origin of a web page elsewhere
  (a page in a browser on this machine must not be able to ask; DNS rebinding included).

    issuer = DevIssuer(host="127.0.0.1", iss="http://127.0.0.1:8470/dev", audience="...", tenants={"acme"}, now=clock)
    token = issuer.token("acme", {Role.LENDER})
    app = Router(routes=issuer.routes())        # POST /dev/token, GET /dev/jwks.json

It is an ``IssuerSource``, so that it can be handed to ``TokenVerifier`` as it is. It knows no passwords, no consent
screens and no refresh tokens: production uses the tenants' own issuers.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.jwks import EDDSA, VerificationKey
from api.auth.permissions import TOKEN_ROLES, Role
from api.auth.tokens import IssuerConfig
from api.limits import SMALL_BODY_BYTES_MAX, TOKEN_LIFETIME_S_MAX
from ledger.attestation.canonical import parse_strict
from ledger.base64_strict import decode_url, encode_url
from ledger.errors import InvalidInput, Refused
from ledger.types import Subject, UnixMillis

LIFETIME_S = 3600
"""How long a token lives unless another time is asked for: an hour."""


def is_loopback(host: str) -> bool:
    """Whether nothing outside this machine reaches a server bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class DevIssuer:
    """Issues tokens and vouches for them. ``host`` is the address the server binds; ``now`` gives milliseconds.

    Raises ``Refused`` ``dev_issuer_not_loopback``; ``InvalidInput`` ``issuer_tenants_invalid``.
    """

    def __init__(
        self, *, host: str, iss: str, audience: str, now: Callable[[], UnixMillis], tenants: Iterable[str] = ()
    ) -> None:
        if not is_loopback(host):
            raise Refused(
                "dev_issuer_not_loopback",
                "the development issuer runs on a loopback address only",
                expected="127.0.0.1, ::1 or localhost",
                advice="Bind to 127.0.0.1, or configure the tenants' own issuers.",
            )
        self._private = Ed25519PrivateKey.generate()
        self._kid = encode_url(self._private.public_key().public_bytes_raw()[:12])
        self._audience, self._now = audience, now
        key = VerificationKey(EDDSA, self._private.public_key())
        self._config = IssuerConfig(iss=iss, tenants=frozenset(tenants), jwks={self._kid: key}, roles=TOKEN_ROLES)

    @property
    def iss(self) -> str:
        """The issuer's name, as it stands in tokens."""
        return self._config.iss

    async def issuer(self, iss: str) -> IssuerConfig | None:
        """Itself, when asked for by its exact name (``IssuerSource``)."""
        return self._config if iss == self._config.iss else None

    def add_tenant(self, name: str) -> None:
        """Speak for one tenant more."""
        old = self._config
        self._config = IssuerConfig(iss=old.iss, tenants=old.tenants | {name}, jwks=old.jwks, roles=old.roles)

    def token(
        self,
        tenant: str,
        roles: Iterable[Role],
        *,
        subject: Subject | None = None,
        client_id: str = "development",
        scopes: Iterable[str] = (),
        lifetime_s: int = LIFETIME_S,
    ) -> str:
        """A token for one of the tenants. ``subject`` goes with the role ``borrower``.

        Raises ``InvalidInput`` ``dev_tenant_unknown``, ``dev_lifetime_invalid``.
        """
        if tenant not in self._config.tenants:
            raise InvalidInput("dev_tenant_unknown", "not a tenant of this issuer", path="$.tenant")
        if not 0 < lifetime_s <= TOKEN_LIFETIME_S_MAX:
            raise InvalidInput("dev_lifetime_invalid", "not a lifetime in seconds", expected="1 to 43200")
        now_s = self._now() // 1000
        claims: dict[str, object] = {
            "iss": self.iss,
            "aud": self._audience,
            "sub": "development" if subject is None else encode_url(subject),
            "client_id": client_id,
            "iat": now_s,
            "exp": now_s + lifetime_s,
            "jti": secrets.token_hex(16),
            "tenant": tenant,
            "roles": sorted(role.value for role in roles),
        }
        claims |= {} if subject is None else {"subject": encode_url(subject)}
        claims |= {"scope": " ".join(sorted(scopes))} if scopes else {}
        return jwt.encode(claims, self._private, algorithm=EDDSA, headers={"typ": "at+jwt", "kid": self._kid})

    def jwks(self) -> dict[str, object]:
        """The public key set (RFC 7517)."""
        x = encode_url(self._private.public_key().public_bytes_raw())
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self._kid, "alg": EDDSA, "use": "sig"}]}

    def routes(self) -> list[Route]:
        """``POST /dev/token`` and ``GET /dev/jwks.json`` for a Starlette router.

        The body of the first: ``{"tenant": ..., "roles": [...], "subject": Base64url?, "client_id"?, "lifetime_s"?}``.
        """
        return [
            Route("/dev/token", self._answer_token, methods=["POST"]),
            Route("/dev/jwks.json", self._answer_jwks, methods=["GET"]),
        ]

    async def _answer_token(self, request: Request) -> Response:
        _require_local_program(request)
        body = await request.body()
        if len(body) > SMALL_BODY_BYTES_MAX:
            raise InvalidInput("body_too_large", "a request for a token is small")
        asked = _read_request(body)
        token = self.token(**asked)  # type: ignore[arg-type]
        lifetime_s = asked.get("lifetime_s", LIFETIME_S)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime_s}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def _answer_jwks(self, request: Request) -> Response:
        return JSONResponse(self.jwks(), media_type="application/jwk-set+json")


def _require_local_program(request: Request) -> None:
    if request.client is not None and not is_loopback(request.client.host):
        raise Refused("dev_issuer_not_loopback", "the caller is not on this machine")
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise InvalidInput("media_type_unsupported", "send JSON", expected="application/json")
    # The names a browser cannot be talked into using for another site.
    origins = [f"//{request.headers.get('host', '')}", *request.headers.getlist("origin")]
    if not all(is_loopback(_host_of(origin)) for origin in origins):
        raise Refused("dev_issuer_not_loopback", "the request was made for another host, or by a web page")


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _read_request(body: bytes) -> dict[str, object]:
    asked = parse_strict(body)
    if not isinstance(asked, dict) or not asked.keys() <= {"tenant", "roles", "subject", "client_id", "lifetime_s"}:
        raise InvalidInput("dev_request_invalid", "not a request for a token", expected="tenant, roles, subject")
    roles, lifetime_s = asked.get("roles"), asked.get("lifetime_s", LIFETIME_S)
    if not isinstance(roles, list) or not roles or not all(str(role) in TOKEN_ROLES for role in roles):
        raise InvalidInput("dev_request_invalid", "not a list of roles", path="$.roles")
    if not isinstance(lifetime_s, int) or isinstance(lifetime_s, bool):
        raise InvalidInput("dev_request_invalid", "not whole seconds", path="$.lifetime_s")
    if not all(isinstance(asked.get(name, ""), str) for name in ("tenant", "subject", "client_id")):
        raise InvalidInput("dev_request_invalid", "not a text", path="$")
    subject = {"subject": decode_url(str(asked["subject"]))} if "subject" in asked else {}
    client = {"client_id": asked["client_id"]} if "client_id" in asked else {}
    tenant = asked.get("tenant", "")
    return {
        "tenant": tenant,
        "roles": [Role(str(role)) for role in roles],
        "lifetime_s": lifetime_s,
        **subject,
        **client,
    }
