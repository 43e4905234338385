"""Scores under races and under each country's law: the log's order decides, and every score is counted once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.attestation.canonical import canonical
from ledger.attestation.jws import sign_jws
from ledger.errors import InvalidInput, Refused
from ledger.node.node import Node
from ledger.node.scoring import Asked, Models, Scoring, payload_of
from ledger.risk.model_rules import APPROVAL_TYP
from ledger.risk.scorecard import load_card
from ledger.store.tenant_rows import TenantRow
from ledger.types import AccountRef, Subject, TenantId
from tests.support.checks import CAPTURE, artefact_for, asking, ensure_sound, grant, rows_of
from tests.support.ledgers import Lender, TestDatabase

MODELS = Path(__file__).resolve().parents[3] / "ledger" / "risk" / "models"
CARD = (MODELS / "taiwan_card_v1.json").read_bytes()
FIGURES = (MODELS / "taiwan_card_v1.registration.json").read_bytes()
BASELINE = (MODELS / "taiwan_card_v1.baseline.json").read_bytes()
INPUTS = (
    {"limit": 50_000}
    | {f"delay_{month}": 0 for month in range(1, 7)}
    | {f"bill_{month}": 9_000 for month in range(1, 7)}
    | {f"paid_{month}": 900 for month in range(1, 7)}
)


async def decide_by(
    node: Node, document: bytes = CARD, figures: bytes = FIGURES, baseline: bytes | None = BASELINE
) -> bytes:
    """A model, registered and promoted."""
    models, digest = Models(node), load_card(document, allowed={"social_network"}).digest
    row = await models.register(document, figures, baseline, expected=digest, request=asking("tallystick"))
    approvers = [await Lender(f"officer-{digest.hex()[:6]}-{at}").enrol(node) for at in (1, 2)]
    tokens = {each.name: sign_jws(payload_of(row), each.key, APPROVAL_TYP) for each in approvers}
    await models.promote(digest, tokens, request=asking("tallystick"))
    return digest


async def lend(node: Node, name: str, country: str, number: int = 7) -> tuple[TenantId, AccountRef, Subject]:
    """A lender whose key the deployment keeps, with one loan made under a second key of its own."""
    lender = Lender(name)
    await node.authority.enrol_tenant(TenantRow(name, name.title(), "lender", country), None)
    await node.authority.enrol_key(lender.name, lender.key.public_jwk())
    loan = lender.new_loan()
    await node.publisher.publish(lender.name, *lender.batch(loan))
    envelope = loan[0].envelope
    return lender.name, AccountRef(envelope.account or b""), Subject(envelope.subject or b"")


async def consented(node: Node, lender: TenantId, subject: Subject, **fields: Any) -> Asked:
    artefact = artefact_for(subject, lender, categories=("SCORE",), detail="PROFILE", **fields)
    await grant(node, artefact)
    return Asked(AccountRef(b""), INPUTS, artefact.consent, "taiwan_card")


async def test_a_revoke_that_overtakes_the_score_wins(
    node: Node, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decide_by(node)
    lender, account, subject = await lend(node, "mkopo", "KE")
    terms = await consented(node, lender, subject)
    scoring = Scoring(node)
    before = scoring._ensure_consented

    async def overtaken(*arguments: Any) -> frozenset[str]:
        named = await before(*arguments)
        await node.consents.decide(subject, terms.consent, "revoked", asking("tallystick"), capture=CAPTURE)
        return named

    monkeypatch.setattr(scoring, "_ensure_consented", overtaken)
    with pytest.raises(Refused) as caught:
        await scoring.score(lender, Asked(account, INPUTS, terms.consent, "taiwan_card"), asking(lender))
    assert caught.value.code == "consent_revoked"
    assert await rows_of(database, "SELECT 1 FROM attestation WHERE kind = 'score'") == []
    assert await rows_of(database, "SELECT 1 FROM score_month") == []
    await ensure_sound(database)


async def test_scores_at_once_are_all_counted_and_the_same_request_once(node: Node, database: TestDatabase) -> None:
    digest = await decide_by(node)
    lender, account, subject = await lend(node, "mkopo", "KE")
    terms = await consented(node, lender, subject)
    asked = Asked(account, INPUTS, terms.consent, "taiwan_card")
    same = asking(lender)
    scoring = Scoring(node)
    given = await asyncio.gather(
        *(scoring.score(lender, asked, asking(lender)) for _ in range(6)),
        *(scoring.score(lender, asked, same) for _ in range(3)), return_exceptions=True,
    )  # fmt: skip
    refused = [each for each in given if isinstance(each, BaseException)]
    assert {getattr(each, "code", repr(each)) for each in refused} <= {"idempotency_raced"}
    assert len(refused) == 2
    assert await rows_of(database, "SELECT count(*) FROM attestation WHERE kind = 'score'") == [(7,)]
    (counts,) = (row[0] for row in await rows_of(database, "SELECT counts FROM score_month"))
    assert json.loads(counts)[0] == 7
    assert len(await scoring.drift(lender, digest, 190_001)) == 0
    await ensure_sound(database)


async def test_social_network_data_scores_where_the_law_permits_it_and_the_consent_names_it(node: Node) -> None:
    document = json.loads(CARD)
    document["features"][0] |= {"data": "social_network"}
    document |= {"name": "social_card"}
    changed = canonical(document)
    figures = json.dumps(json.loads(FIGURES) | {"model": load_card(changed, allowed={"social_network"}).digest.hex()})
    await decide_by(node, changed, figures.encode(), None)
    verdicts = {}
    for country in ("BR", "CN", "DE", "IN", "KE", "US"):
        lender, account, subject = await lend(node, f"lender-{country.lower()}", country)
        for fields in ((), ("social_network",)):
            terms = await consented(node, lender, subject, fields=fields)
            asked = Asked(account, INPUTS, terms.consent, "social_card")
            try:
                await Scoring(node).score(lender, asked, asking(lender))
                verdicts[country, len(fields)] = "scored"
            except InvalidInput as refused:
                verdicts[country, len(fields)] = refused.code
    no, yes = "card_data_forbidden", "scored"
    # Brazil has no pack, the Union forbids it, and the others want a consent that says so
    assert verdicts == {
        ("BR", 0): no, ("BR", 1): no, ("CN", 0): no, ("CN", 1): yes, ("DE", 0): no, ("DE", 1): no,
        ("IN", 0): no, ("IN", 1): yes, ("KE", 0): no, ("KE", 1): yes, ("US", 0): no, ("US", 1): yes,
    }  # fmt: skip
