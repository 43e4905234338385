"""The life of a consent, through GraphQL, to the credit view and back to the refusal."""

from __future__ import annotations

import json
from base64 import b64decode

import msgspec
import pytest

from api.auth.permissions import Role
from api.cli.verify import load_verifier
from ledger.attestation.jws import sign_jws
from ledger.attestation.keys import PrivateKey
from ledger.consent.artefact import CONSENT_TYPE
from tests.support import documents as docs
from tests.support.served import Application

PERSON = "KE-4711-0815"


async def lend(application: Application, lender: str, number: str, person: str = PERSON) -> None:
    """A loan of 1,000.00 KES that is paid out."""
    who = application.lender(lender)
    for document, asked in (
        (docs.AGREEMENT, docs.agreement(number, person)),
        (docs.DISBURSEMENT, docs.event(number, amount="100000", currency="KES")),
    ):
        found = await application.data(document, who, input=asked)
        assert all(payload["errors"] == [] for payload in found.values()), found


def subject(application: Application, person: str = PERSON) -> bytes:
    return application.node.pseudonyms.subject("national-id", person)


async def granted(application: Application) -> str:
    """The global id of a consent that fintech asked for and the borrower granted."""
    found = await application.data(docs.REQUEST, application.app(), input=docs.request(PERSON))
    assert found["consentRequest"]["errors"] == []
    assert found["consentRequest"]["consent"]["state"] == "REQUESTED"
    consent: str = found["consentRequest"]["consent"]["id"]
    who = application.borrower(subject(application))
    found = await application.data(docs.stepping("consentGrant"), who, input=docs.step(consent))
    assert found["consentGrant"]["errors"] == []
    assert found["consentGrant"]["consent"]["state"] == "ACTIVE"
    return consent


async def test_a_view_across_lenders_verifies_and_after_the_revoke_the_next_one_is_refused(
    application: Application,
) -> None:
    await lend(application, "acacia", "A-1")
    await lend(application, "baobab", "B-9")
    consent = await granted(application)
    view = (await application.data(docs.VIEW, application.app(), consent=consent, bundle=True))["creditView"]["view"]
    assert sorted(line["lender"]["name"] for line in view["lines"]) == ["acacia", "baobab"]
    assert {(line["balance"], line["currency"], line["stage"]) for line in view["lines"]} == {
        ("100000", "KES", "active")
    }
    report = load_verifier().verify_document(view["bundle"].encode(), application.node.trust())
    assert (report.code, [step.name for step in report.steps if not step.ok]) == (0, [])

    borrower = application.borrower(subject(application))
    mine = await application.data(
        "{ me { lines { lender { name } }"
        " accesses(first: 5) { nodes { id consumer { name } lines index entry { index } } }"
        " consents(first: 5) { nodes { id state reads } } } }",
        borrower,
    )
    assert [line["lender"]["name"] for line in mine["me"]["lines"]] == ["acacia", "baobab"]
    (access,) = mine["me"]["accesses"]["nodes"]
    assert (access["consumer"]["name"], access["lines"]) == ("fintech", 2)
    assert access["index"] == access["entry"]["index"] == view["access"]["index"]
    for who, expected in ((borrower, {"id": access["id"]}), (application.borrower(b"\x01" * 32), None)):
        found = await application.data("query ($id: ID!) { node(id: $id) { id } }", who, id=access["id"])
        assert found["node"] == expected
    assert mine["me"]["consents"]["nodes"] == [{"id": consent, "state": "ACTIVE", "reads": 1}]

    found = await application.data(docs.stepping("consentRevoke"), borrower, input=docs.step(consent))
    assert found["consentRevoke"]["consent"]["state"] == "REVOKED"
    size = await application.size()
    refused = (await application.data(docs.VIEW, application.app(), consent=consent))["creditView"]
    assert refused["view"] is None
    assert [(error["code"], error["reason"]) for error in refused["errors"]] == [("REFUSED", "consent_revoked")]
    assert await application.size() == size


async def test_a_paused_consent_reads_nothing_until_it_is_resumed(application: Application) -> None:
    await lend(application, "acacia", "A-1")
    consent = await granted(application)
    borrower = application.borrower(subject(application))
    await application.data(docs.stepping("consentPause"), borrower, input=docs.step(consent))
    refused = (await application.data(docs.VIEW, application.app(), consent=consent))["creditView"]
    assert refused["errors"][0]["reason"] == "consent_paused"
    await application.data(docs.stepping("consentResume"), borrower, input=docs.step(consent))
    again = (await application.data(docs.VIEW, application.app(), consent=consent))["creditView"]
    assert len(again["view"]["lines"]) == 1


async def test_a_step_that_does_not_follow_is_refused_and_changes_nothing(application: Application) -> None:
    consent = await granted(application)
    size = await application.size()
    who = application.borrower(subject(application))
    found = await application.data(docs.stepping("consentReject"), who, input=docs.step(consent))
    assert found["consentReject"]["consent"] is None
    assert found["consentReject"]["errors"][0]["reason"] == "consent_step_refused"
    assert await application.size() == size


async def test_nobody_else_decides_or_sees_a_consent(application: Application) -> None:
    consent = await granted(application)
    stranger = application.borrower(subject(application, "KE-0000-0001"))
    size = await application.size()
    found = await application.data(docs.stepping("consentRevoke"), stranger, input=docs.step(consent))
    assert found["consentRevoke"]["errors"][0]["reason"] == "consent_unknown"
    other = application.headers("baobab", Role.APP)
    for who in (stranger, other):
        assert (await application.data("query ($id: ID!) { consent(id: $id) { id } }", who, id=consent)) == {
            "consent": None
        }
        assert (await application.data("{ consents(first: 5) { nodes { id } } }", who))["consents"]["nodes"] == []
    view = (await application.data(docs.VIEW, other, consent=consent))["creditView"]
    assert view["errors"][0]["reason"] == "consent_unknown"
    assert await application.size() == size


async def test_a_consumer_never_learns_a_pseudonym(application: Application) -> None:
    consent = await granted(application)
    document = "query ($id: ID!) { consent(id: $id) { toSign } }"
    assert await application.code(document, application.app(), id=consent) == "permission_denied"
    found = await application.data(document, application.borrower(subject(application)), id=consent)
    assert found["consent"]["toSign"] is not None


@pytest.mark.parametrize(
    ("change", "same"), [({}, True), ({"detail": "SUMMARY"}, False), ({"expiresAt": "2029-01-01T00:00:00.000Z"}, False)]
)
async def test_the_same_request_twice_is_one_consent_and_another_under_its_key_a_conflict(
    application: Application, change: dict[str, str], same: bool
) -> None:
    asked = docs.request(PERSON)
    first = (await application.data(docs.REQUEST, application.app(), input=asked))["consentRequest"]
    size = await application.size()
    again = (await application.data(docs.REQUEST, application.app(), input=asked | change))["consentRequest"]
    if same:
        assert again == first
    else:
        assert (again["consent"], again["errors"][0]["reason"]) == (None, "idempotency_reused")
    assert await application.size() == size


async def test_a_grant_twice_under_one_key_is_one_grant(application: Application) -> None:
    found = await application.data(docs.REQUEST, application.app(), input=docs.request(PERSON))
    asked = docs.step(found["consentRequest"]["consent"]["id"])
    who = application.borrower(subject(application))
    first = await application.data(docs.stepping("consentGrant"), who, input=asked)
    size = await application.size()
    assert await application.data(docs.stepping("consentGrant"), who, input=asked) == first
    assert await application.size() == size


async def test_two_borrowers_may_choose_the_same_key(application: Application) -> None:
    for person in (PERSON, "KE-2"):
        found = await application.data(docs.REQUEST, application.app(), input=docs.request(person))
        asked = docs.step(found["consentRequest"]["consent"]["id"], idempotencyKey="mine")
        who = application.borrower(subject(application, person))
        found = await application.data(docs.stepping("consentGrant"), who, input=asked)
        assert found["consentGrant"]["errors"] == []


async def test_a_borrower_signs_with_an_own_key_and_only_over_the_terms(application: Application) -> None:
    key = PrivateKey.from_random("EdDSA", b"\x03" * 32)
    found = await application.data(docs.REQUEST, application.app(), input=docs.request(PERSON))
    consent, who = found["consentRequest"]["consent"]["id"], application.borrower(subject(application))
    terms = await application.data("query ($id: ID!) { consent(id: $id) { toSign } }", who, id=consent)
    public = {name: key.public_jwk()[name] for name in ("kty", "crv", "x")}
    payload = b64decode(terms["consent"]["toSign"])
    size = await application.size()
    for signed, reason in ((payload + b" ", "consent_signature_differs"), (payload, None)):
        jws = sign_jws(signed, key, CONSENT_TYPE).decode()
        signature = public | {"jws": jws, "at": "2026-11-24T10:00:00.000Z"}
        asked = docs.step(consent, signature=signature)
        found = (await application.data(docs.stepping("consentGrant"), who, input=asked))["consentGrant"]
        assert [error["reason"] for error in found["errors"]] == ([reason] if reason else [])
        assert await application.size() == size + (reason is None)


async def test_a_tampered_bundle_does_not_verify(application: Application) -> None:
    await lend(application, "acacia", "A-1")
    consent = await granted(application)
    view = (await application.data(docs.VIEW, application.app(), consent=consent, bundle=True))["creditView"]["view"]
    document = json.loads(view["bundle"])
    document["lines"][0]["figures"]["balance"] = 1
    tampered = msgspec.json.encode(document, order="sorted")
    assert load_verifier().verify_document(tampered, application.node.trust()).code == 1
