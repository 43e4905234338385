"""A model's way to deciding, and a score's way to the ledger, through GraphQL."""

from __future__ import annotations

import importlib.util
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from ledger.attestation.envelope import Attestation, parse
from ledger.attestation.jws import sign_jws
from ledger.attestation.keys import PrivateKey
from ledger.attestation.risk_kinds import Model
from ledger.attestation.sharing_kinds import Score
from ledger.node.participants import DEPLOYMENT
from ledger.node.publications import Publications
from ledger.risk.model_rules import APPROVAL_TYP, snapshot_root
from ledger.risk.scorecard import load_card
from ledger.store.attestation_rows import attestations_of_batch
from ledger.store.log_rows import read_entries
from ledger.types import Subject, TenantId
from tests.api.graphql.test_consents import PERSON, lend, subject
from tests.support import documents as docs
from tests.support.checks import CAPTURE, artefact_for, asking, grant
from tests.support.served import Application, enrol_signer

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "ledger" / "risk" / "models"
CARD = (MODELS / "taiwan_card_v1.json").read_bytes()
FIGURES = (MODELS / "taiwan_card_v1.registration.json").read_text()
BASELINE = (MODELS / "taiwan_card_v1.baseline.json").read_text()
DIGEST = load_card(CARD).digest

_MODEL = "model { model name version promotedAt approvalPayload } errors { reason }"
REGISTER = f"mutation ($input: ModelRegisterInput!) {{ modelRegister(input: $input) {{ {_MODEL} }} }}"
PROMOTE = f"mutation ($input: ModelPromoteInput!) {{ modelPromote(input: $input) {{ {_MODEL} }} }}"
LIST = "{ scoringModels { promotedAt document figures approvalPayload } }"
SCORE = """
mutation ($input: ScoreRecordInput!) {
  scoreRecord(input: $input) {
    score { attestation model snapshot asOf points probabilityPpm reasons { code sentence pointsLost } }
    receipt { index } errors { reason path }
  }
}"""
LETTER = """
query ($reasons: [String!]!, $day: Date!) {
  adverseActionLetter(reasons: $reasons, decidedOn: $day, decision: LIMIT_REDUCED) { text reasons sendBy receipt }
}"""
DRIFT = "query ($model: Base64!, $month: Int!) { scoreDrift(model: $model, month: $month) { name psiBp alert } }"
COMPARISON = """
query ($model: Base64!, $month: Int!, $cutoff: Int!) {
  scoreComparison(model: $model, month: $month, cutoff: $cutoff) {
    challenger scores borrowers bothApprove bothDecline onlyCardDeclines onlyChallengerDeclines agreeBp cardPsiBp
    challengerPsiBp outcomes { borrowers defaulted cardAucPpm challengerAucPpm cardKsPpm challengerKsPpm }
  }
}"""
LATE = (
    {"limit": 50_000}
    | {f"delay_{month}": 2 if month < 3 else 0 for month in range(1, 7)}
    | {f"bill_{month}": 45_000 for month in range(1, 7)}
    | {f"paid_{month}": 0 if month == 1 else 1_500 for month in range(1, 7)}
)


def text64(data: bytes) -> str:
    return b64encode(data).decode()


def registering(**rest: Any) -> dict[str, Any]:
    whole = {"idempotencyKey": docs.key(), "model": text64(DIGEST), "document": CARD.decode(), "figures": FIGURES}
    return whole | {"baseline": BASELINE} | rest


async def register(application: Application, **rest: Any) -> dict[str, Any]:
    found = await application.data(REGISTER, application.operator, input=registering(**rest))
    payload: dict[str, Any] = found["modelRegister"]
    return payload


async def promote(application: Application, approvals: list[tuple[str, bytes]]) -> dict[str, Any]:
    asked = {
        "idempotencyKey": docs.key(), "model": text64(DIGEST),
        "approvals": [{"approver": name, "signature": token.decode()} for name, token in approvals],
    }  # fmt: skip
    found = await application.data(PROMOTE, application.operator, input=asked)
    payload: dict[str, Any] = found["modelPromote"]
    return payload


async def signed_by(application: Application, payload: bytes, *names: str) -> list[tuple[str, bytes]]:
    return [(name, sign_jws(payload, (await enrol_signer(application, name)).key, APPROVAL_TYP)) for name in names]


async def decided(application: Application) -> None:
    """The committed card, registered and promoted."""
    registered = await register(application)
    assert registered["errors"] == []
    payload = b64decode(registered["model"]["approvalPayload"])
    promoted = await promote(application, await signed_by(application, payload, "asha", "otieno"))
    assert promoted["errors"] == []
    assert promoted["model"]["promotedAt"] is not None


async def consented(application: Application, *, person: str = PERSON, **fields: Any) -> str:
    """The id of acacia's consent to score somebody."""
    terms = {"consumer": "acacia", "categories": ("SCORE",), "detail": "PROFILE"} | fields
    artefact = artefact_for(subject(application, person), **terms)
    await grant(application.node, artefact)
    return str(artefact.consent)


def scoring(consent: str, **rest: Any) -> dict[str, Any]:
    whole = {"idempotencyKey": docs.key(), "account": {"number": "A-1"}, "consent": consent, "name": "taiwan_card"}
    return whole | {"inputs": json.dumps(LATE)} | rest


async def score(application: Application, who: dict[str, str] | None = None, **asked: Any) -> dict[str, Any]:
    found = await application.data(SCORE, who or application.lender(), input=asked)
    payload: dict[str, Any] = found["scoreRecord"]
    return payload


async def published(application: Application, tenant: str, attestation: str) -> Attestation:
    node = application.node
    found = await Publications(node.database, node.log, node.sealer).attestation(TenantId(tenant), UUID(attestation))
    return parse(found.data)


async def test_two_signatures_let_a_model_decide_and_both_steps_stand_on_the_ledger(application: Application) -> None:
    await decided(application)
    async with application.node.database.reading() as connection:
        entries = await read_entries(connection, 0, await application.size())
    lines = []
    for entry in entries:
        async with application.node.database.reading(tenants=(DEPLOYMENT,)) as connection:
            rows = await attestations_of_batch(connection, DEPLOYMENT, entry.batch_id)
        lines += [parse(data) for data in await application.node.sealer.open(rows) if data is not None]
    models = [line.body for line in lines if isinstance(line.body, Model)]
    assert [(each.step, each.model, len(each.approvals)) for each in models] == [
        ("registered", DIGEST, 0), ("promoted", DIGEST, 2),
    ]  # fmt: skip
    assert {each.approver for each in models[1].approvals} == {"asha", "otieno"}
    assert models[1].metrics["auc"] == 7_856
    listed = (await application.data(LIST, application.lender()))["scoringModels"]
    assert [(each["document"], each["figures"]) for each in listed] == [(CARD.decode(), FIGURES)]


async def test_a_model_whose_hash_figures_or_baseline_are_anothers_is_refused(application: Application) -> None:
    size = await application.size()
    other = json.dumps(json.loads(FIGURES) | {"model": "00" * 32})
    unfair = json.dumps(json.loads(FIGURES) | {"approval_ratio_bp": {"sex": 7_999}})
    for change, reason in [
        ({"model": text64(bytes(32))}, "model_hash_differs"),
        ({"figures": other}, "model_hash_differs"),
        ({"figures": unfair}, "model_unfair"),
        ({"figures": "{}"}, "figures_malformed"),
        ({"baseline": json.dumps(json.loads(BASELINE) | {"card": "00" * 32})}, "baseline_malformed"),
        ({"document": CARD.decode().replace('"sum"', '"some"')}, "card_derivation_unknown"),
        ({"document": json.dumps(json.loads(CARD), indent=1)}, "json_not_canonical"),
    ]:
        assert [each["reason"] for each in (await register(application, **change))["errors"]] == [reason]
    assert await application.size() == size


async def test_one_approver_the_deployments_key_or_another_signature_promotes_nothing(application: Application) -> None:
    payload = b64decode((await register(application))["model"]["approvalPayload"])
    good = await signed_by(application, payload, "asha", "otieno")
    size = await application.size()
    stranger = PrivateKey.from_random("EdDSA", bytes(range(32)))
    managed = await application.node.authority.managed_key(TenantId("acacia"))
    asha = good[0]
    for approvals, reason in [
        ([asha], "approvals_few"),
        ([asha, asha], "approver_twice"),
        ([asha, ("otieno", asha[1])], "key_unknown"),
        ([asha, ("otieno", sign_jws(payload, stranger, APPROVAL_TYP))], "key_unknown"),
        ([asha, ("nobody", good[1][1])], "tenant_unknown"),
        ([asha, ("acacia", sign_jws(payload, managed, APPROVAL_TYP))], "approval_key_managed"),
    ]:
        assert [each["reason"] for each in (await promote(application, approvals))["errors"]] == [reason]
    assert (await application.data(LIST, application.operator))["scoringModels"][0]["promotedAt"] is None
    assert await application.size() == size


async def test_a_score_says_model_snapshot_points_and_reasons_and_a_second_reading_agrees(
    application: Application,
) -> None:
    await decided(application)
    await lend(application, "acacia", "A-1")
    asked = scoring(await consented(application))
    found = await score(application, **asked)
    assert found["errors"] == []
    given = found["score"]
    assert b64decode(given["model"]) == DIGEST
    assert b64decode(given["snapshot"]) == snapshot_root(DIGEST, LATE, given["asOf"])
    spec = importlib.util.spec_from_file_location("tallystick_score", ROOT / "verifier" / "tallystick_score.py")
    assert spec is not None and spec.loader is not None
    second = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(second)
    other = second.evaluate(json.loads(CARD), LATE)
    assert (given["points"], given["probabilityPpm"]) == (other["points"], other["probability_ppm"])
    assert [(each["code"], each["pointsLost"]) for each in given["reasons"]] == [
        (each["reason"], each["lost"]) for each in other["reasons"]
    ]
    assert given["reasons"][0]["sentence"].startswith("You")
    body = (await published(application, "acacia", given["attestation"])).body
    assert isinstance(body, Score)
    assert (body.model_hash, body.value, body.as_of) == (DIGEST, given["points"], given["asOf"])
    assert (body.input_root, body.reasons) == (b64decode(given["snapshot"]), tuple(r["code"] for r in given["reasons"]))
    assert await score(application, **asked) == found
    assert await application.size() == found["receipt"]["index"] + 1


async def test_without_promotion_consent_or_a_loan_of_ones_own_there_is_no_score(application: Application) -> None:
    await register(application)
    await lend(application, "acacia", "A-1")
    consent = await consented(application)
    assert (await score(application, **scoring(consent)))["errors"][0]["reason"] == "model_unknown"
    by_hash = scoring(consent, model=text64(DIGEST))
    assert (await score(application, **by_hash))["errors"][0]["reason"] == "model_not_promoted"
    listed = (await application.data(LIST, application.operator))["scoringModels"]
    payload = b64decode(listed[0]["approvalPayload"])
    await promote(application, await signed_by(application, payload, "asha", "otieno"))
    loans_only = await consented(application, categories=("LOAN",))
    elses = await consented(application, consumer="baobab")
    somebodys = await consented(application, person="KE-1")
    size = await application.size()
    for change, reason in [
        ({"consent": loans_only}, "consent_not_for_score"), ({"consent": elses}, "consent_unknown"),
        ({"consent": somebodys}, "consent_not_for_score"), ({"account": {"number": "A-2"}}, "loan_unknown"),
        ({"validDays": 93}, "valid_days"), ({"inputs": "[]"}, "inputs_not_object"),
        ({"inputs": json.dumps(LATE | {"sex": 1})}, "input_unknown"),
        ({"inputs": json.dumps(LATE | {"limit": 0})}, "input_range"),
        ({"inputs": json.dumps(LATE | {"limit": "5"})}, "input_not_integer"),
    ]:  # fmt: skip
        assert (await score(application, **(scoring(consent) | change)))["errors"][0]["reason"] == reason
    await application.node.consents.decide(
        Subject(subject(application)), UUID(consent), "revoked", asking("tallystick"), capture=CAPTURE
    )
    assert (await score(application, **scoring(consent)))["errors"][0]["reason"] == "consent_revoked"
    assert await application.size() == size + 1


async def test_a_lenders_month_is_counted_and_another_lenders_is_not_shown(application: Application) -> None:
    await decided(application)
    await lend(application, "acacia", "A-1")
    consent = await consented(application)
    for _ in range(3):
        assert (await score(application, **scoring(consent)))["errors"] == []
    day = datetime.fromtimestamp(application.node.sources.now() / 1000, UTC)
    asked = {"model": text64(DIGEST), "month": day.year * 100 + day.month}
    found = (await application.data(DRIFT, application.lender(), **asked))["scoreDrift"]
    assert [each["name"] for each in found][:2] == ["score", "arrears_now"]
    assert len(found) == 12
    assert found[0]["psiBp"] > 2_500
    assert not any(each["alert"] for each in found)  # three borrowers are no month
    assert (await application.data(DRIFT, application.lender("baobab"), **asked))["scoreDrift"] == []


async def test_a_lender_sees_how_a_challenger_would_have_decided_and_the_score_does_not_show_it(
    application: Application,
) -> None:
    await decided(application)
    document = (MODELS / "taiwan_trees_v1.json").read_bytes()
    challenger = text64(sha256(document).digest())
    asked = {
        "model": challenger, "document": document.decode(),
        "figures": (MODELS / "taiwan_trees_v1.registration.json").read_text(),
        "baseline": (MODELS / "taiwan_trees_v1.baseline.json").read_text(),
    }  # fmt: skip
    assert (await register(application, **asked))["errors"] == []
    listed = (await application.data("{ scoringModels { model beside promotedAt } }", application.lender()))[
        "scoringModels"
    ]
    assert listed[1] == {"model": challenger, "beside": text64(DIGEST), "promotedAt": None}
    assert listed[0]["beside"] is None
    act = {"idempotencyKey": docs.key(), "model": challenger, "approvals": []}
    refused = (await application.data(PROMOTE, application.operator, input=act))["modelPromote"]
    assert [each["reason"] for each in refused["errors"]] == ["model_never_decides"]
    await lend(application, "acacia", "A-1")
    scored = await score(application, **scoring(await consented(application)))
    assert "challenger" not in json.dumps(scored)
    body = (await published(application, "acacia", scored["score"]["attestation"])).data.decode()
    assert sha256(document).hexdigest() not in body and challenger not in body
    day = datetime.fromtimestamp(application.node.sources.now() / 1000, UTC)
    which = {"model": text64(DIGEST), "month": day.year * 100 + day.month, "cutoff": 550}
    (found,) = (await application.data(COMPARISON, application.lender(), **which))["scoreComparison"]
    assert (found.pop("cardPsiBp"), found.pop("challengerPsiBp")) == (1_697, 1_648)
    assert found == {
        "challenger": challenger, "scores": 1, "borrowers": 1, "bothApprove": 0, "bothDecline": 1,
        "onlyCardDeclines": 0, "onlyChallengerDeclines": 0, "agreeBp": 10_000,
        "outcomes": {
            "borrowers": 0, "defaulted": 0, "cardAucPpm": None, "challengerAucPpm": None, "cardKsPpm": None,
            "challengerKsPpm": None,
        },
    }  # fmt: skip
    assert (await application.data(COMPARISON, application.lender("baobab"), **which))["scoreComparison"] == []
    assert await application.code(COMPARISON, application.app(), **which) == "permission_denied"
    assert await application.code(COMPARISON, application.lender(), **which | {"cutoff": 1}) == "cutoff_range"


async def test_only_the_operator_manages_models_and_only_lenders_score(application: Application) -> None:
    assert await application.code(REGISTER, application.lender(), input=registering()) == "permission_denied"
    assert await application.code(SCORE, application.app(), input=scoring(str(UUID(int=7)))) == "permission_denied"
    assert await application.code(LIST, application.app()) == "permission_denied"


async def test_a_lender_gets_the_letter_for_a_scores_reasons(application: Application) -> None:
    asked = {"reasons": ["arrears_now", "months_unpaid"], "day": "2026-11-24"}
    found = (await application.data(LETTER, application.lender(), **asked))["adverseActionLetter"]
    assert found["text"].startswith("We reduced your credit limit.\nDecided on 2026-11-24.\n")
    assert (found["reasons"], found["sendBy"]) == (asked["reasons"], None)
    assert b64decode(found["receipt"]) == sha256(found["text"].encode()).digest()
    assert await application.code(LETTER, application.lender(), reasons=["fate"], day="2026-11-24") == "reason_unknown"
