"""An operator's act and its answer are one: whenever the server dies, the same request is answered as at first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ledger.attestation.keys import PrivateKey
from tests.api.graphql.test_consents import PERSON, lend
from tests.api.graphql.test_operator import ERASE, KEY_END, KEY_ENROL, TRUST, newcomer, public_jwk
from tests.support.served import ENROL, Application, enrol_signer

JWKS = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "k1"}]}'
ACTS = ("tenantEnrol", "keyEnrol", "keyEnd", "issuerTrust", "subjectErase")


async def act(application: Application, name: str) -> tuple[str, dict[str, Any]]:
    """A document and its input, after whatever it needs."""
    if name == "tenantEnrol":
        return ENROL, newcomer()
    if name == "keyEnrol":
        return KEY_ENROL, {"idempotencyKey": "k", "tenant": "acacia"}
    if name == "keyEnd":
        cedar = await enrol_signer(application, "cedar")
        return KEY_END, {"idempotencyKey": "k", "tenant": "cedar", "kid": cedar.key.kid}
    if name == "issuerTrust":
        asked = {"idempotencyKey": "k", "tenant": "acacia", "issuer": "https://id.acacia.example", "jwks": JWKS}
        return TRUST, asked | {"roles": ["lender"]}
    await lend(application, "acacia", "A-1")
    borrower = {"identifier": {"scheme": "national-id", "value": PERSON}}
    return ERASE, {"idempotencyKey": "k", "borrower": borrower, "law": "KE DPA 2019 s40"}


def crash_after_commit(application: Application, patch: pytest.MonkeyPatch) -> None:
    """From now on every act is committed, and the server dies before it can say so."""
    publish, writing = application.node.publisher.publish_own, application.node.database.writing

    async def published(*arguments: Any, **rest: Any) -> Any:
        await publish(*arguments, **rest)
        raise RuntimeError("died")

    @asynccontextmanager
    async def written(*arguments: Any, **rest: Any) -> Any:
        async with writing(*arguments, **rest) as connection:
            yield connection
        raise RuntimeError("died")

    patch.setattr(application.node.publisher, "publish_own", published)
    patch.setattr(application.node.database, "writing", written)


def crash_before_commit(application: Application, patch: pytest.MonkeyPatch) -> None:
    """From now on the server dies while an act's transaction is open."""

    async def died(*arguments: Any) -> Any:
        raise RuntimeError("died")

    patch.setattr("ledger.node.committer.Committer._advance", died)
    patch.setattr("ledger.node.authority.put_issuer", died)


@pytest.mark.parametrize("crash", [crash_after_commit, crash_before_commit])
@pytest.mark.parametrize("name", ACTS)
async def test_after_a_crash_the_same_request_acts_once_and_gets_the_first_answer(
    application: Application, name: str, crash: Callable[[Application, pytest.MonkeyPatch], None]
) -> None:
    document, asked = await act(application, name)
    size = await application.size()
    entries = 0 if name == "issuerTrust" else 1
    with pytest.MonkeyPatch.context() as patch:
        crash(application, patch)
        assert "errors" in await application.ask(document, application.operator, input=asked)
    assert await application.size() == size + (entries if crash is crash_after_commit else 0)
    first = await application.data(document, application.operator, input=asked)
    assert first[name]["errors"] == []
    assert all(value is not None for value in first[name].values())
    assert await application.size() == size + entries
    assert await application.data(document, application.operator, input=asked) == first
    assert await application.size() == size + entries


@pytest.mark.parametrize("name", ACTS)
async def test_the_same_request_twice_at_once_is_one_act_and_one_answer(application: Application, name: str) -> None:
    document, asked = await act(application, name)
    size = await application.size()
    sent = (application.data(document, application.operator, input=asked) for _ in range(3))
    first, *others = await asyncio.gather(*sent)
    assert (first[name]["errors"], others) == ([], [first, first])
    assert await application.size() == size + (0 if name == "issuerTrust" else 1)


@pytest.mark.parametrize("name", ACTS)
async def test_another_request_under_a_used_key_is_a_conflict(application: Application, name: str) -> None:
    document, asked = await act(application, name)
    await application.data(document, application.operator, input=asked)
    size = await application.size()
    other = {
        "tenantEnrol": {"displayName": "Other"}, "keyEnrol": {"tenant": "baobab"}, "issuerTrust": {"roles": ["app"]},
        "keyEnd": {"compromisedFrom": "2020-01-01T00:00:00.000Z"}, "subjectErase": {"law": "another"},
    }[name]  # fmt: skip
    found = await application.data(document, application.operator, input=asked | other)
    assert found[name]["errors"][0]["reason"] == "idempotency_reused"
    assert await application.size() == size


async def test_a_refused_act_records_nothing_so_that_its_key_is_free(application: Application) -> None:
    asked = newcomer(tenant="acacia", idempotencyKey="k")
    found = await application.data(ENROL, application.operator, input=asked)
    assert found["tenantEnrol"]["errors"][0]["reason"] == "tenant_exists"
    key = PrivateKey.from_random("EdDSA", b"\x05" * 32)
    found = await application.data(ENROL, application.operator, input=newcomer(jwk=public_jwk(key), idempotencyKey="k"))
    assert found["tenantEnrol"]["key"]["kid"] == key.kid
