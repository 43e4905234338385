"""What the ledger refuses becomes data of the payload, class by class; an outage is an error of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.errors import Unavailable
from tests.api.graphql.test_consents import granted, subject
from tests.support import documents as docs
from tests.support.served import Application, enrol_signer

PUBLISH = f"""
mutation ($input: AttestationsPublishInput!) {{
  attestationsPublish(input: $input) {{ receipt {{ index count duplicate }} {docs.REFUSALS} }}
}}"""


def told(payload: dict[str, Any]) -> tuple[str, str, list[str] | None]:
    """Class, reason and path of a payload's one refusal; nothing else may be in it."""
    (error,) = payload["errors"]
    assert error["message"]
    assert [value for name, value in payload.items() if name != "errors" and value is not None] == []
    return error["code"], error["reason"], error["path"]


async def test_events_tell_each_class_of_refusal(application: Application) -> None:
    who = application.lender()
    new = docs.agreement("A-1", "KE-1")
    await application.data(docs.AGREEMENT, who, input=new)
    size = await application.size()
    repaid = {"amount": "100", "currency": "KES", "channel": "MOBILE"}
    for document, name, asked, expected in [
        (docs.AGREEMENT, "agreementRecord", docs.agreement("A-2", "KE-1", principal="-5"),
         ("INVALID_INPUT", "out_of_range", ["body", "principal"])),
        (docs.AGREEMENT, "agreementRecord", new | {"principal": "7"},
         ("CONFLICT", "idempotency_reused", ["idempotencyKey"])),
        (docs.REPAYMENT, "repaymentRecord", docs.event("A-1", **repaid),
         ("REFUSED", "transition_refused", ["0", "kind"])),
        (docs.REPAYMENT, "repaymentRecord", docs.event("A-9", **repaid),
         ("INVALID_INPUT", "subject_missing", ["borrower"])),
    ]:  # fmt: skip
        answer = await application.ask(document, who, input=asked)
        assert "errors" not in answer, answer
        assert told(answer["data"][name]) == expected
    assert await application.size() == size


async def test_batches_tell_each_class_of_refusal(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    who = application.lender("cedar")
    token, body = cedar.batch(cedar.new_loan())
    await application.data(PUBLISH, who, input={"statement": token.decode(), "ndjson": body.decode()})
    again = await application.data(PUBLISH, who, input={"statement": token.decode(), "ndjson": body.decode()})
    assert again["attestationsPublish"]["receipt"]["duplicate"] is True
    size = await application.size()
    forged = token[:-4] + (b"AAAA" if token[-4:] != b"AAAA" else b"BBBB")
    loan = cedar.new_loan()
    out_of_order, alone = cedar.batch([cedar.repayment(loan)])
    stray, extra = cedar.batch([*loan, cedar.attest("repayment", cedar.repayment(loan, 5).body)])
    for statement, ndjson, expected in [
        (forged, body, ("UNTRUSTED", "signature_invalid", None)),
        (token, body[:-5] + b"\n", ("INVALID_INPUT", "json_malformed", ["1"])),
        (out_of_order, alone, ("REFUSED", "transition_refused", ["0", "kind"])),
        (stray, extra, ("REFUSED", "transition_refused", ["2", "kind"])),
    ]:
        found = await application.data(PUBLISH, who, input={"statement": statement.decode(), "ndjson": ndjson.decode()})
        assert told(found["attestationsPublish"]) == expected
    assert await application.size() == size


async def test_consents_tell_what_is_not_there(application: Application) -> None:
    consent = await granted(application)
    stranger = application.borrower(subject(application, "KE-0000-0001"))
    found = await application.data(docs.stepping("consentRevoke"), stranger, input=docs.step(consent))
    assert told(found["consentRevoke"]) == ("NOT_FOUND", "consent_unknown", None)


async def test_an_outage_is_an_error_of_the_answer_with_when_to_come_back(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(size_bytes: int) -> None:
        raise Unavailable("queue_full", "too much waits to be committed", retry_after_s=3, advice="wait, then resend")

    asked = docs.agreement("A-1", "KE-1")
    with monkeypatch.context() as patch:
        patch.setattr(application.node.publisher, "_ensure_room", full)
        answer = await application.ask(docs.AGREEMENT, application.lender(), input=asked)
    (error,) = answer["errors"]
    extensions = error["extensions"]
    assert answer["data"] is None
    assert (error["path"], extensions["code"], extensions["retryAfterSeconds"], extensions["advice"]) == (
        ["agreementRecord"], "queue_full", 3, "wait, then resend",
    )  # fmt: skip
    found = await application.data(docs.AGREEMENT, application.lender(), input=asked)
    assert found["agreementRecord"]["errors"] == []


async def test_a_batch_of_900_kilobytes_fits_a_request_and_one_of_1200_does_not(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    pair = sum(len(each.data) + 1 for each in cedar.new_loan())
    for kilobytes in (900, 1200):
        loans = [each for _ in range(kilobytes * 1000 // pair + 1) for each in cedar.new_loan()]
        token, body = cedar.batch(loans)
        assert kilobytes * 1000 <= len(body) < kilobytes * 1000 + 2 * pair
        variables = {"input": {"statement": token.decode(), "ndjson": body.decode()}}
        answer = await application.client.post(
            "/graphql", json={"query": PUBLISH, "variables": variables}, headers=application.lender("cedar")
        )
        if kilobytes == 900:
            published = answer.json()["data"]["attestationsPublish"]
            assert (published["errors"], published["receipt"]["count"]) == ([], len(loans))
            size = await application.size()
        else:
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
            assert await application.size() == size
