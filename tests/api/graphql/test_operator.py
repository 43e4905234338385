"""The operator's acts: tenants, keys, token issuers, erasure."""

from __future__ import annotations

import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.attestation.keys import PrivateKey
from ledger.base64_strict import encode_url
from tests.api.graphql.test_consents import PERSON, granted, lend, subject
from tests.support import documents as docs
from tests.support.ledgers import SOURCES
from tests.support.served import BASE_URL, ENROL, Application, enrol_signer

KEY_ENROL = "mutation ($input: KeyEnrolInput!) { keyEnrol(input: $input) { key { kid } errors { reason } } }"
KEY_END = "mutation ($input: KeyEndInput!) { keyEnd(input: $input) { receipt { index } errors { reason } } }"
TRUST = "mutation ($input: IssuerTrustInput!) { issuerTrust(input: $input) { trusted errors { reason } } }"
ERASE = """
mutation ($input: SubjectEraseInput!) {
  subjectErase(input: $input) { attestations receipt { index } errors { code reason } }
}"""


def newcomer(**rest: Any) -> dict[str, Any]:
    whole = {"idempotencyKey": docs.key(), "tenant": "cedar", "displayName": "Cedar", "role": "LENDER", "country": "KE"}
    return whole | rest


def public_jwk(key: PrivateKey) -> dict[str, str]:
    return {name: value for name, value in key.public_jwk().items() if name in ("kty", "crv", "x", "y")}


async def test_a_tenant_is_enrolled_once_and_told_the_same_again(application: Application) -> None:
    key = PrivateKey.from_random("ES256", b"\x01" * 32)
    asked = newcomer(jwk=public_jwk(key))
    first = await application.data(ENROL, application.operator, input=asked)
    assert first["tenantEnrol"]["tenant"] == {"name": "cedar", "role": "LENDER", "country": "KE"}
    assert first["tenantEnrol"]["key"]["kid"] == key.kid
    size = await application.size()
    assert await application.data(ENROL, application.operator, input=asked) == first
    assert await application.size() == size


async def test_a_name_that_is_taken_reserved_or_malformed_is_refused(application: Application) -> None:
    size = await application.size()
    for change, reason in [
        ({"tenant": "acacia"}, "tenant_exists"), ({"tenant": "tallystick"}, "tenant_reserved"),
        ({"tenant": "Cedar"}, "tenant_malformed"), ({"role": "DEPLOYMENT"}, "tenant_reserved"),
        ({"country": "kenya"}, "jurisdiction_unknown"), ({"displayName": ""}, "tenant_name"),
    ]:  # fmt: skip
        found = await application.data(ENROL, application.operator, input=newcomer(**change))
        assert (found["tenantEnrol"]["tenant"], found["tenantEnrol"]["errors"][0]["reason"]) == (None, reason)
    assert await application.size() == size


async def test_a_low_order_key_is_refused(application: Application) -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode_url(bytes(32))}
    found = await application.data(ENROL, application.operator, input=newcomer(jwk=jwk))
    assert found["tenantEnrol"]["tenant"] is None
    assert found["tenantEnrol"]["errors"] != []


async def test_a_revoked_key_signs_no_more_and_a_new_one_does(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    end = {"idempotencyKey": "end", "tenant": "cedar", "kid": cedar.key.kid}
    end |= {"compromisedFrom": "2020-01-01T00:00:00.000Z"}
    first = await application.data(KEY_END, application.operator, input=end)
    assert first["keyEnd"]["errors"] == []
    assert await application.data(KEY_END, application.operator, input=end) == first
    token, body = cedar.batch(cedar.new_loan())
    headers = application.lender("cedar") | {"tallystick-statement": token.decode()}
    headers |= {"content-type": "application/x-ndjson"}
    refused = await application.client.post("/v1/batches", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "key_revoked")
    fresh = PrivateKey.from_random("EdDSA", b"\x02" * 32)
    asked = {"idempotencyKey": "new", "tenant": "cedar", "jwk": public_jwk(fresh)}
    found = await application.data(KEY_ENROL, application.operator, input=asked)
    assert found["keyEnrol"]["key"]["kid"] == fresh.kid
    cedar.key = fresh
    token, body = cedar.batch(cedar.new_loan())
    headers |= {"tallystick-statement": token.decode()}
    assert (await application.client.post("/v1/batches", content=body, headers=headers)).status_code == 200


async def test_a_trusted_issuer_speaks_for_its_tenant_in_its_roles_only(application: Application) -> None:
    private = Ed25519PrivateKey.generate()
    x = encode_url(private.public_key().public_bytes_raw())
    jwks = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1", "alg": "EdDSA", "use": "sig"}]})

    def headers(tenant: str, role: str) -> dict[str, str]:
        now = SOURCES.now() // 1000
        claims = {
            "iss": "https://id.acacia.example", "aud": BASE_URL, "sub": "u", "client_id": "c", "iat": now,
            "exp": now + 600, "jti": "j", "tenant": tenant, "roles": [role],
        }  # fmt: skip
        token = jwt.encode(claims, private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k1"})
        return {"authorization": f"Bearer {token}"}

    async def status(who: dict[str, str]) -> tuple[int, str]:
        answer = await application.client.get("/v1/attestations", headers=who)
        return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""

    assert await status(headers("acacia", "lender")) == (401, "token_issuer_unknown")
    asked = {"tenant": "acacia", "issuer": "https://id.acacia.example", "jwks": jwks, "roles": ["lender"]}
    asked |= {"idempotencyKey": "trust"}
    assert (await application.data(TRUST, application.operator, input=asked))["issuerTrust"] == {
        "trusted": True, "errors": [],
    }  # fmt: skip
    assert await status(headers("acacia", "lender")) == (200, "")
    assert await status(headers("baobab", "lender")) == (401, "token_tenant")
    assert await status(headers("acacia", "operator")) == (401, "token_role")
    for change, reason in [
        ({"issuer": "http://id.example"}, "issuer_invalid"), ({"roles": []}, "issuer_roles_invalid"),
        ({"roles": ["anonymous"]}, "issuer_roles_invalid"), ({"jwks": '{"keys": []}'}, "issuer_keys_missing"),
        ({"tenant": "nobody"}, "tenant_unknown"),
    ]:  # fmt: skip
        found = (await application.data(TRUST, application.operator, input=asked | change))["issuerTrust"]
        assert (found["trusted"], found["errors"][0]["reason"]) == (False, reason)


async def test_an_erased_borrower_is_gone_and_the_log_still_proves_the_rest(application: Application) -> None:
    await lend(application, "acacia", "A-1")
    await lend(application, "acacia", "A-2", "KE-2")
    await granted(application)
    identifier = {"identifier": {"scheme": "national-id", "value": PERSON}}
    asked = {"idempotencyKey": "erase", "borrower": identifier, "law": "KE DPA 2019 s40"}
    first = await application.data(ERASE, application.operator, input=asked)
    assert (first["subjectErase"]["errors"], first["subjectErase"]["attestations"]) == ([], 4)
    size = await application.size()
    assert await application.data(ERASE, application.operator, input=asked) == first
    again = await application.data(ERASE, application.operator, input=asked | {"idempotencyKey": "other"})
    assert again["subjectErase"]["errors"] == [{"code": "NOT_FOUND", "reason": "subject_unknown"}]
    assert await application.size() == size
    mine = await application.data("{ me { lines { account } } }", application.borrower(subject(application)))
    assert mine["me"]["lines"] == []
    lines = await application.client.get("/v1/attestations", headers=application.lender())
    assert len(lines.content.splitlines()) == 2
