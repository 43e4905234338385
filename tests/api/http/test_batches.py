"""POST /v1/batches, the road in bulk: receipts, repetitions, and every refusal with its status and code."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.auth.permissions import Role
from ledger.errors import Unavailable
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.node.publisher import Publisher
from tests.support.ledgers import Lender
from tests.support.served import Application, enrol_signer

NDJSON = {"content-type": "application/x-ndjson"}


async def post(application: Application, token: bytes, body: bytes, **headers: str) -> httpx.Response:
    whole = application.lender("cedar") | NDJSON | {"tallystick-statement": token.decode()} | headers
    return await application.client.post("/v1/batches", content=body, headers=whole)


@pytest.fixture
async def cedar(application: Application) -> Lender:
    return await enrol_signer(application, "cedar")


async def test_a_receipt_proves_the_batch_under_its_own_checkpoint(application: Application, cedar: Lender) -> None:
    token, body = cedar.batch([*cedar.new_loan(), *cedar.new_loan()])
    answer = await post(application, token, body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    receipt: dict[str, Any] = answer.json()
    assert list(receipt) == [
        "index", "treeSize", "batch", "leafHash", "root", "count", "committedAt", "path", "checkpoint", "duplicate",
    ]  # fmt: skip
    assert (receipt["count"], receipt["treeSize"], receipt["duplicate"]) == (4, await application.size(), False)
    note = receipt["checkpoint"].encode()
    verifier = application.node.keyring.signer(application.node.origin).verifier
    checkpoint = open_checkpoint(note, [verifier]).checkpoint
    assert b64decode(receipt["leafHash"]) == leaf_hash(token)
    verify_inclusion(
        index=receipt["index"], size=receipt["treeSize"], leaf=leaf_hash(token),
        path=b"".join(b64decode(node) for node in receipt["path"]), root=checkpoint.root,
    )  # fmt: skip


async def test_the_same_batch_again_is_the_first_entry(application: Application, cedar: Lender) -> None:
    token, body = cedar.batch(cedar.new_loan())
    first = (await post(application, token, body)).json()
    size = await application.size()
    again = (await post(application, token, body)).json()
    assert (again["index"], again["leafHash"], again["duplicate"]) == (first["index"], first["leafHash"], True)
    assert await application.size() == size


async def test_a_batch_id_under_another_statement_is_a_conflict(application: Application, cedar: Lender) -> None:
    token, body = cedar.batch(cedar.new_loan())
    first = (await post(application, token, body)).json()
    size = await application.size()
    token, body = cedar.batch(cedar.new_loan(), UUID(first["batch"]))
    answer = await post(application, token, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "batch_differs")
    assert await application.size() == size


async def test_an_attestation_is_published_once(application: Application, cedar: Lender) -> None:
    loan = cedar.new_loan()
    await post(application, *cedar.batch(loan))
    size = await application.size()
    answer = await post(application, *cedar.batch(loan))
    assert (answer.status_code, answer.json()["code"]) == (409, "attestation_duplicate")
    assert await application.size() == size


async def test_what_does_not_hold_is_refused_by_code_and_changes_nothing(
    application: Application, cedar: Lender
) -> None:
    token, body = cedar.batch(cedar.new_loan())
    forged = token[:-8] + (b"A" * 8)
    size = await application.size()
    for given, status, code in [
        ((forged, body, {}), 403, "signature_invalid"),
        ((token, body + b"\n", {}), 400, None),
        ((token, body.replace(b"100000", b"100001"), {}), 403, None),
        ((token, b"", {}), 400, None),
        ((b"nonsense", body, {}), 400, None),
        ((token, body, {"content-type": "text/plain"}), 415, "media_type_unsupported"),
        ((token, body, {"authorization": "Bearer nonsense"}), 401, None),
        ((token, body, application.app()), 403, "permission_denied"),
        ((token, body, application.lender("acacia")), 403, "key_unknown"),
    ]:
        answer = await post(application, given[0], given[1], **given[2])
        assert answer.status_code == status, (answer.text, status, code)
        assert code is None or answer.json()["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"
    assert await application.size() == size


async def test_a_statement_and_a_token_must_be_there(application: Application, cedar: Lender) -> None:
    body = cedar.batch(cedar.new_loan())[1]
    answer = await application.client.post("/v1/batches", content=body, headers=application.lender("cedar") | NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "statement_missing")
    answer = await application.client.post("/v1/batches", content=body, headers=NDJSON)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tallystick"'


async def test_a_full_queue_is_503_with_a_time_to_come_back(
    application: Application, cedar: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Publisher, *arguments: object) -> None:
        raise Unavailable("queue_full", "too much waits to be committed", retry_after_s=3)

    token, body = cedar.batch(cedar.new_loan())
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", full)
        answer = await post(application, token, body)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "3", "queue_full")
    assert (await post(application, token, body)).status_code == 200


async def test_a_batch_past_its_bound_is_refused_while_it_arrives(application: Application, cedar: Lender) -> None:
    token, _ = cedar.batch(cedar.new_loan())
    answer = await post(application, token, b"x" * (16 * 2**20 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_only_post_is_a_method_of_the_route(application: Application) -> None:
    answer = await application.client.get("/v1/batches", headers=application.headers("acacia", Role.LENDER))
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
