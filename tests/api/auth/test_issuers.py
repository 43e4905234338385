"""Token issuers from the store: only what every tenant agrees on, remembered briefly, one object while unchanged."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.auth.issuers import ISSUER_FRESH_S, StoredIssuers, config_of
from api.auth.permissions import Role
from api.auth.tokens import FixedIssuers, IssuerConfig
from ledger.base64_strict import encode_url
from ledger.store.embedded import EmbeddedPostgres
from ledger.types import TenantId
from tests.support.ledgers import Lender, fresh_database, running_node

ISS = "https://id.example"


def jwk(kid: str) -> dict[str, str]:
    x = encode_url(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid}


def jwks(*keys: dict[str, str]) -> str:
    return json.dumps({"keys": list(keys)})


def test_a_key_or_role_that_one_tenant_vouched_for_speaks_for_no_other() -> None:
    common, acacias, baobabs = jwk("common"), jwk("mine"), jwk("mine")
    config = config_of(
        ISS,
        [
            ("acacia", ISS, jwks(common, acacias), ["lender", "operator"]),
            ("baobab", ISS, jwks(common, baobabs), ["lender"]),
        ],
    )
    assert (set(config.jwks), config.roles) == ({"common"}, {Role.LENDER})
    assert config.tenants == {"acacia", "baobab"}


async def test_an_issuer_is_the_same_object_until_it_changes(postgres: EmbeddedPostgres) -> None:
    clock = [0.0]
    async with fresh_database(postgres) as database, running_node(database) as node:
        await Lender("acacia").enrol(node)
        first = IssuerConfig(iss="dev", tenants=frozenset(), jwks={}, roles=frozenset())
        issuers = StoredIssuers(node.database, FixedIssuers([first]), clock_s=lambda: clock[0])
        assert await issuers.issuer("dev") is first
        assert await issuers.issuer(ISS) is None
        key = jwk("k")
        await node.authority.trust_issuer(TenantId("acacia"), ISS, jwks(key), ["lender"])
        found = await issuers.issuer(ISS)
        assert found is not None
        clock[0] += ISSUER_FRESH_S + 1
        assert await issuers.issuer(ISS) is found
        await node.authority.trust_issuer(TenantId("acacia"), ISS, jwks(key), ["app"])
        assert await issuers.issuer(ISS) is found
        clock[0] += ISSUER_FRESH_S + 1
        changed = await issuers.issuer(ISS)
        assert changed is not None
        assert changed.roles == {Role.APP}
        await node.authority.trust_issuer(TenantId("acacia"), ISS, jwks(key), ["bureau"])
        issuers.forget()
        newest = await issuers.issuer(ISS)
        assert newest is not None
        assert newest.roles == {Role.BUREAU}
