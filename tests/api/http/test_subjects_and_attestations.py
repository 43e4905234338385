"""Pseudonyms for identifiers, and a tenant's own attestations out again, page by page."""

from __future__ import annotations

from base64 import b64decode

import httpx
import pytest

from ledger.node import publications
from tests.support.served import Application, enrol_signer

JSON = {"content-type": "application/json"}


async def resolve(application: Application, body: object, who: dict[str, str] | None = None) -> httpx.Response:
    headers = JSON | (application.lender() if who is None else who)
    if isinstance(body, bytes):
        return await application.client.post("/v1/subjects", content=body, headers=headers)
    return await application.client.post("/v1/subjects", json=body, headers=headers)


async def test_two_spellings_of_one_identifier_are_one_pseudonym_at_two_lenders(application: Application) -> None:
    person, account = {"scheme": "national-id", "value": "ke 47-11"}, {"scheme": "account-number", "value": "7"}
    asked = {"identifiers": [person, account]}
    first = (await resolve(application, asked)).json()["subjects"]
    other = (await resolve(application, asked, application.lender("baobab"))).json()["subjects"]
    assert first == other
    assert b64decode(first[0]) == application.node.pseudonyms.subject("national-id", "KE4711")
    assert len({*first}) == 2


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"identifiers": [{"scheme": "nick", "value": "canary-1"}]}, "scheme_unknown", "$.identifiers[0].scheme"),
        (
            {"identifiers": [{"scheme": "national-id", "value": "000"}]},
            "identifier_empty", "$.identifiers[0].identifier",
        ),
        ({"identifiers": []}, "subjects_request_invalid", "$.identifiers"),
        ({"identifiers": ["canary-1"]}, "subjects_request_invalid", "$.identifiers"),
        (
            {"identifiers": [{"scheme": "national-id", "value": "1"}] * 4_097},
            "subjects_request_invalid", "$.identifiers",
        ),
        (b"\xff", "subjects_request_invalid", "$.identifiers"),
    ],
)  # fmt: skip
async def test_what_cannot_be_resolved_has_a_code_and_quotes_nobody(
    application: Application, body: object, code: str, path: str
) -> None:
    answer = await resolve(application, body)
    assert answer.json()["code"] == code
    assert answer.json().get("path", path) == path
    assert "canary" not in answer.text


async def test_an_app_resolves_nobody(application: Application) -> None:
    asked = {"identifiers": [{"scheme": "national-id", "value": "1"}]}
    answer = await resolve(application, asked, application.app())
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_own_attestations_come_out_byte_for_byte_in_log_order_page_by_page(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    batches = [[*cedar.new_loan(), *cedar.new_loan()], cedar.new_loan(), cedar.new_loan()]
    for batch in batches:
        await application.node.publisher.publish(cedar.name, *cedar.batch(batch))
    lines, after, pages = [], "", 0
    while True:
        query = {"limit": "3"} | ({"after": after} if after else {})
        answer = await application.client.get("/v1/attestations", params=query, headers=application.lender("cedar"))
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines += answer.content.splitlines()
        pages += 1
        after = answer.headers.get("tallystick-next", "")
        if not after:
            break
    assert lines == [attestation.data for batch in batches for attestation in batch]
    assert pages == 3


async def test_a_page_also_ends_where_its_bytes_do(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    cedar = await enrol_signer(application, "cedar")
    batch = [*cedar.new_loan(), *cedar.new_loan()]
    await application.node.publisher.publish(cedar.name, *cedar.batch(batch))
    monkeypatch.setattr(publications, "PAGE_BYTES_MAX", 1)
    monkeypatch.setattr(publications, "ROWS_AT_ONCE", 3)
    lines, sizes, after = [], [], publications.BEGINNING
    reader = publications.Publications(application.node.database, application.node.log, application.node.sealer)
    while True:
        page = await reader.own_attestations(cedar.name, after, 100)
        lines += page.lines
        sizes.append(len(page.lines))
        if page.next is None:
            break
        after = page.next
    assert lines == [attestation.data for attestation in batch]
    assert sizes == [3, 1, 0]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "page_size_invalid"),
        ("limit=4097", "page_size_invalid"),
        ("limit=ten", "page_size_invalid"),
        ("after=AAAA", "cursor_invalid"),
        ("after=", "cursor_invalid"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(application: Application, query: str, code: str) -> None:
    answer = await application.client.get(f"/v1/attestations?{query}", headers=application.lender())
    assert (answer.status_code, answer.json()["code"]) == (400, code)
