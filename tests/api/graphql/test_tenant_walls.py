"""No field shows one tenant what is another's, and no role does what is not its own; a refusal changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from api.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from api.graphql.fields import field_permissions, undeclared_fields
from api.graphql.schema import SCHEMA
from ledger.node.participants import DEPLOYMENT
from tests.api.graphql.test_events import EVENTS, new_loan
from tests.support import documents as docs
from tests.support.served import ENROL, Application

CANARY = "canary-acacia"
SOMEBODY = {"identifier": {"scheme": "national-id", "value": "KE-1"}}
A_UUID = "01900000-0000-7000-8000-000000000000"

A_HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

PAGE = "(first: 2) { nodes { id } }"
READS: dict[str, str] = {
    "ledgerHead": "{ ledgerHead { size } }",
    "entry": "{ entry(index: 0) { batch } }",
    "inclusionProof": "{ inclusionProof(index: 0) { path } }",
    "consistencyProof": "{ consistencyProof(oldSize: 1, newSize: 2) { path } }",
    "batch": f'{{ batch(batch: "{A_UUID}") {{ index }} }}',
    "attestation": f'{{ attestation(attestation: "{A_UUID}") {{ data }} }}',
    "tenants": f"{{ tenants{PAGE} }}",
    "loans": f"{{ loans{PAGE} }}",
    "loan": '{ loan(account: {number: "A-1"}) { balance } }',
    "me": "{ me { subject } }",
    "node": '{ node(id: "VGVuYW50OmFjYWNpYQ") { id } }',
    "consents": f"{{ consents{PAGE} }}",
    "consent": '{ consent(id: "Q29uc2VudDowMTkwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA") { id } }',
    "alerts": f"{{ alerts{PAGE} }}",
    "alert": '{ alert(id: "QWxlcnQ6MDE5MDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw") { rule } }',
    "scoringModels": "{ scoringModels { name } }",
    "scoreComparison": f'{{ scoreComparison(model: "{A_HASH}", month: 202601, cutoff: 440) {{ scores }} }}',
    "scoreDrift": f'{{ scoreDrift(model: "{A_HASH}", month: 202601) {{ name }} }}',
    "adverseActionLetter": """{
        adverseActionLetter(reasons: ["arrears_now"], decidedOn: "2026-01-01", decision: DECLINED) { text }
    }""",
    "contracts": f"{{ contracts{PAGE} }}",
    "contract": f'{{ contract(hash: "{A_HASH}") {{ state }} }}',
    "contractHistory": f'{{ contractHistory(hash: "{A_HASH}", first: 2) {{ nodes {{ rule }} }} }}',
    "contractSimulate": '{ contractSimulate(document: "{}") { hash } }',
    "portfolio": "{ portfolio { atRisk { balance } } }",
    "pulledAcrossLenders": '{ pulledAcrossLenders(account: {number: "A-1"}) { code } }',
    "creditView": "{ creditView(consent: \"Q29uc2VudDox\") { errors { reason } } }",
}  # fmt: skip

CONSENT_STEPS = ("consentGrant", "consentReject", "consentPause", "consentResume", "consentRevoke")
AN_ALERT = {"idempotencyKey": "k", "alert": "QWxlcnQ6MDE5MDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw"}
ALERT_STEPS: dict[str, dict[str, Any]] = {
    "alertAssign": AN_ALERT | {"assignee": "asha"},
    "alertClose": AN_ALERT | {"outcome": "OTHER"},
    "alertOpen": AN_ALERT,
    "alertSnooze": AN_ALERT | {"until": "2030-01-01"},
}
A_CONTRACT = {"idempotencyKey": "k", "contract": A_HASH}
CONTRACT_STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "contractPropose": ("ContractProposeInput", {"idempotencyKey": "k", "document": "{}"}),
    "contractSign": ("ContractStepInput", A_CONTRACT),
    "contractWithdraw": ("ContractStepInput", A_CONTRACT),
    "contractTerminate": ("ContractStepInput", A_CONTRACT),
    "contractAnswer": ("ContractAnswerInput", A_CONTRACT | {"proposal": A_HASH, "accepts": True}),
}
OPERATOR_ACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "keyEnrol": ("KeyEnrolInput", {"idempotencyKey": "k", "tenant": "acacia"}),
    "keyEnd": ("KeyEndInput", {"idempotencyKey": "k", "tenant": "acacia", "kid": "x"}),
    "issuerTrust": (
        "IssuerTrustInput",
        {"idempotencyKey": "k", "tenant": "acacia", "issuer": "https://evil.example", "jwks": "{}", "roles": ["app"]},
    ),
    "dayBegin": ("DayBeginInput", {"idempotencyKey": "k", "day": "2020-01-01"}),
    "subjectErase": ("SubjectEraseInput", {"idempotencyKey": "k", "borrower": SOMEBODY, "law": "x"}),
    "modelRegister": (
        "ModelRegisterInput",
        {"idempotencyKey": "k", "model": A_HASH, "document": "{}", "figures": "{}"},
    ),
    "modelPromote": ("ModelPromoteInput", {"idempotencyKey": "k", "model": A_HASH, "approvals": []}),
}
A_SCORE = {"idempotencyKey": "k", "account": {"number": "A-1"}, "consent": A_UUID, "name": "card", "inputs": "{}"}


def writes() -> dict[str, tuple[str, dict[str, Any]]]:
    """Every mutation with an input that would be let through."""
    refusals = "errors { reason }"
    found = {
        name: (f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {refusals} }} }}", docs.event("A-1", **said))
        for name, kind, said in EVENTS
    }
    found["agreementRecord"] = (docs.AGREEMENT, docs.agreement("A-1", "KE-1"))
    found["closureRecord"] = (docs.recording("closureRecord", "ClosureRecordInput"), docs.event("A-1", cause="PAID"))
    found["transferRecord"] = (
        docs.recording("transferRecord", "TransferRecordInput"),
        docs.event("A-1", buyer="baobab", balance="1", currency="KES"),
    )
    found["reversalRecord"] = (
        docs.recording("reversalRecord", "ReversalRecordInput"),
        docs.event("A-1", repayment=A_UUID, amount="1", currency="KES", cause="ERROR"),
    )
    found |= {
        name: (
            f"mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {refusals} }} }}",
            asked,
        )
        for name, asked in ALERT_STEPS.items()
    }
    found["attestationsPublish"] = (
        f"mutation ($input: AttestationsPublishInput!) {{ attestationsPublish(input: $input) {{ {refusals} }} }}",
        {"statement": "a.b.c", "ndjson": "{}"},
    )
    found["scoreRecord"] = (
        f"mutation ($input: ScoreRecordInput!) {{ scoreRecord(input: $input) {{ {refusals} }} }}",
        A_SCORE,
    )
    found["consentRequest"] = (docs.REQUEST, docs.request("KE-1"))
    found |= {name: (docs.stepping(name), docs.step("Q29uc2VudDox")) for name in CONSENT_STEPS}
    found |= {
        name: (f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {refusals} }} }}", asked)
        for name, (kind, asked) in (OPERATOR_ACTS | CONTRACT_STEPS).items()
    }
    enrol = {"idempotencyKey": "k", "tenant": "evil", "displayName": "E", "role": "LENDER", "country": "KE"}
    found["tenantEnrol"] = (ENROL, enrol)
    return found


def test_every_field_declares_its_permission_and_every_root_field_is_tried_below() -> None:
    assert undeclared_fields(SCHEMA) == []
    roots = {name for name in field_permissions(SCHEMA) if name.startswith(("Query.", "Mutation."))}
    assert {f"Query.{name}" for name in READS} | {f"Mutation.{name}" for name in writes()} == roots


@pytest.mark.parametrize("role", [None, Role.APP, Role.BORROWER, Role.BUREAU, Role.LENDER, Role.OPERATOR])
async def test_a_role_reaches_what_the_table_says_and_a_denial_changes_nothing(
    application: Application, role: Role | None
) -> None:
    subject = b"\x07" * 32 if role is Role.BORROWER else None
    tenant = "acacia" if role is Role.LENDER else DEPLOYMENT if role in (Role.OPERATOR, Role.BORROWER) else "fintech"
    who = None if role is None else application.headers(tenant, role, subject=subject)
    held = ROLE_PERMISSIONS[role or Role.ANONYMOUS]
    permissions = field_permissions(SCHEMA)
    before = await application.size(), (await application.node.publisher.participants()).tenants.keys()
    for name, document in READS.items():
        whole = await application.ask(document, who)
        codes = [error["extensions"]["code"] for error in whole.get("errors", ())]
        denied = {"permission_denied", "token_missing"} & {*codes}
        assert bool(denied) == (permissions[f"Query.{name}"] not in held), (name, whole)
    refused = {
        name: given for name, given in writes().items() if permissions[f"Mutation.{name}"] not in held
    }  # fmt: skip
    for name, (document, asked) in refused.items():
        expected = "token_missing" if role is None else "permission_denied"
        assert await application.code(document, who, input=asked) == expected, name
    # An app's or a borrower's own reads may be recorded; a denied act never is.
    assert (await application.size(), (await application.node.publisher.participants()).tenants.keys()) == before


async def test_a_lender_sees_nothing_of_another_through_any_field(application: Application) -> None:
    told = await new_loan(application, product=CANARY)
    loan = (await application.data("{ loans(first: 1) { nodes { id account } } }", application.lender()))["loans"]
    own = loan["nodes"][0]
    tries = {
        "loans": "{ loans(first: 100) { nodes { id account product } edges { cursor } } }",
        "loan": '{ loan(account: {number: "A-1"}) { product account } }',
        "reference": f'{{ loan(account: {{reference: "{own["account"]}"}}) {{ product }} }}',
        "portfolio": '{ portfolio(asOf: "2030-01-01") { worklist(first: 100) { nodes { product } } vintages { loans } } }',
        "node": f'{{ node(id: "{own["id"]}") {{ id ... on Loan {{ product }} }} }}',
        "batch": f'{{ batch(batch: "{told["receipt"]["batch"]}") {{ statement }} }}',
        "attestation": f'{{ attestation(attestation: "{told["attestation"]}") {{ data }} }}',
        "entry": f"{{ entry(index: {told['receipt']['index']}) {{ statement tenant {{ name }} }} }}",
    }
    for name, document in tries.items():
        answer = await application.client.post(
            "/graphql", json={"query": document}, headers=application.lender("baobab")
        )
        assert answer.status_code == 200, name
        assert "errors" not in answer.json(), (name, answer.text)
        assert CANARY not in answer.text, name
        assert own["account"] not in answer.text, name
    lines = await application.client.get("/v1/attestations", headers=application.lender("baobab"))
    assert (lines.status_code, lines.content) == (200, b"")
    mine = await application.client.get("/v1/attestations", headers=application.lender())
    assert CANARY in mine.text


async def test_a_cursor_of_one_tenant_is_none_of_anothers(application: Application) -> None:
    await new_loan(application)
    found = await application.data("{ loans(first: 1) { pageInfo { endCursor } } }", application.lender())
    cursor = found["loans"]["pageInfo"]["endCursor"]
    document = "query ($after: String) { loans(first: 1, after: $after) { nodes { id } } }"
    assert (await application.data(document, application.lender(), after=cursor))["loans"]["nodes"] == []
    assert await application.code(document, application.lender("baobab"), after=cursor) == "cursor_invalid"


def test_no_role_of_the_public_reads_anything_but_the_log() -> None:
    assert ROLE_PERMISSIONS[Role.ANONYMOUS] == {Permission.LEDGER_READ, Permission.PUBLIC}
