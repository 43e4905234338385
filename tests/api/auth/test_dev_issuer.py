"""The development issuer: on loopback or not at all, and never for a web page."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from api.auth.dev_issuer import DevIssuer
from api.auth.jwks import read_jwks
from api.auth.permissions import Role
from api.auth.tokens import FixedIssuers, IssuerConfig, TokenVerifier
from api.http.errors import problem_handlers
from ledger.errors import InvalidInput, Refused, Untrusted
from ledger.types import Subject, UnixMillis

NOW = UnixMillis(1_790_000_000_000)
AUDIENCE = "https://ledger.example"


def issuer(host: str = "127.0.0.1") -> DevIssuer:
    return DevIssuer(host=host, iss="dev", audience=AUDIENCE, tenants={"acme"}, now=lambda: NOW)


def verifier(source: DevIssuer) -> TokenVerifier:
    return TokenVerifier(source, AUDIENCE, lambda: NOW)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.1.4", "example.com", "127.0.0.1.evil.example", "10.0.0.1"]
)
def test_it_refuses_to_start_where_others_could_reach_it(host: str) -> None:
    with pytest.raises(Refused) as refusal:
        issuer(host)
    assert refusal.value.code == "dev_issuer_not_loopback"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_it_starts_on_loopback(host: str) -> None:
    assert issuer(host).iss == "dev"


async def test_its_tokens_hold_for_its_own_tenants_until_they_expire() -> None:
    source = issuer()
    token = source.token("acme", {Role.LENDER}, scopes=["loans:read"], lifetime_s=60)
    principal = await verifier(source).verify(token)
    assert (principal.tenant, principal.roles, principal.scopes) == ("acme", {Role.LENDER}, {"loans:read"})
    assert principal.expires_at_ms == NOW + 60_000
    with pytest.raises(Untrusted, match="token_signature"):
        await TokenVerifier(issuer_with_same_kid(source), AUDIENCE, lambda: NOW).verify(token)


def issuer_with_same_kid(source: DevIssuer) -> FixedIssuers:
    """Another key under the name of the first."""
    kid = next(iter(read_jwks(source.jwks())))
    other = next(iter(read_jwks(issuer().jwks()).values()))
    return FixedIssuers([IssuerConfig(iss="dev", tenants=frozenset({"acme"}), jwks={kid: other}, roles=frozenset())])


async def test_a_borrowers_token_carries_the_subject() -> None:
    source = issuer()
    principal = await verifier(source).verify(source.token("acme", {Role.BORROWER}, subject=Subject(bytes(32))))
    assert principal.subject == bytes(32)


async def test_a_tenant_may_be_added_later() -> None:
    source = issuer()
    with pytest.raises(InvalidInput, match="dev_tenant_unknown"):
        source.token("bank", {Role.APP})
    source.add_tenant("bank")
    assert (await verifier(source).verify(source.token("bank", {Role.APP}))).tenant == "bank"


@pytest.mark.parametrize("lifetime_s", [0, -1, 43_201])
def test_a_lifetime_has_bounds(lifetime_s: int) -> None:
    with pytest.raises(InvalidInput, match="dev_lifetime_invalid"):
        issuer().token("acme", {Role.APP}, lifetime_s=lifetime_s)


def test_it_publishes_no_private_member() -> None:
    assert next(iter(read_jwks(issuer().jwks()).values())).alg == "EdDSA"


async def ask(
    source: DevIssuer, json: Any = None, *, client: str = "127.0.0.1", host: str = "127.0.0.1:8470", **headers: str
) -> httpx.Response:
    app = Starlette(routes=source.routes(), exception_handlers=problem_handlers())
    transport = httpx.ASGITransport(app, client=(client, 5), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
        return await http.post("/dev/token", json=json, headers=headers)


async def test_a_program_gets_a_token_over_http() -> None:
    source = issuer()
    answer = await ask(source, {"tenant": "acme", "roles": ["lender"], "client_id": "c", "lifetime_s": 5})
    assert answer.json()["expires_in"] == 5
    assert answer.headers["cache-control"] == "no-store"
    assert (await verifier(source).verify(answer.json()["access_token"])).client_id == "c"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"client": "10.0.0.9"}, 403, "dev_issuer_not_loopback"),
    ({"host": "evil.example"}, 403, "dev_issuer_not_loopback"),
    ({"origin": "https://evil.example"}, 403, "dev_issuer_not_loopback"),
    ({"origin": "null"}, 403, "dev_issuer_not_loopback"),
    ({"content-type": "text/plain"}, 415, "media_type_unsupported"),
]


@pytest.mark.parametrize(("how", "status", "code"), REFUSED)
async def test_web_pages_and_other_machines_get_nothing(how: dict[str, Any], status: int, code: str) -> None:
    answer = await ask(issuer(), {"tenant": "acme", "roles": ["lender"]}, **how)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "body",
    [
        [],
        7,
        {},
        {"tenant": "acme"},
        {"tenant": "acme", "roles": []},
        {"tenant": "acme", "roles": ["anonymous"]},
        {"tenant": "acme", "roles": [["lender"]]},
        {"tenant": "acme", "roles": [{}]},
        {"tenant": ["acme"], "roles": ["lender"]},
        {"tenant": "acme", "roles": ["lender"], "lifetime_s": "5"},
        {"tenant": "acme", "roles": ["lender"], "lifetime_s": True},
        {"tenant": "acme", "roles": ["lender"], "lifetime_s": 1e9},
        {"tenant": "acme", "roles": ["borrower"], "subject": "=="},
        {"tenant": "acme", "roles": ["lender"], "iss": "other"},
        {"tenant": "bank", "roles": ["lender"]},
    ],
)
async def test_a_malformed_request_is_the_callers_fault(body: Any) -> None:
    assert (await ask(issuer(), body)).status_code == 400
