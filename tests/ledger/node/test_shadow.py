"""A challenger runs beside its card on every score, changes none, and is compared with it on the lender's own borrowers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.attestation.canonical import canonical
from ledger.attestation.credit_kinds import Default
from ledger.errors import Conflict, InvalidInput, NotFound, Refused, TallystickError
from ledger.node.clock import Sources
from ledger.node.node import Node
from ledger.node.scoring import Asked, Given, Models, Scoring
from ledger.node.shadow import Comparing
from ledger.risk.comparison import Outcomes
from ledger.risk.scorecard import load_card
from ledger.risk.trees import load_trees, probability_ppm
from ledger.types import AccountRef, Subject, TenantId
from tests.ledger.node.test_contracts import Clock
from tests.ledger.node.test_scoring import CARD, INPUTS, MODELS, consented, decide_by, lend
from tests.support.checks import asking, ensure_sound, rows_of
from tests.support.ledgers import Lender, TestDatabase, running_node

TREES = (MODELS / "taiwan_trees_v1.json").read_bytes()
TREES_FIGURES = (MODELS / "taiwan_trees_v1.registration.json").read_bytes()
TREES_BASELINE = (MODELS / "taiwan_trees_v1.baseline.json").read_bytes()
CHALLENGER = load_trees(TREES)
DIGEST = load_card(CARD).digest
LATE = INPUTS | {"delay_1": 2, "delay_2": 2, "paid_1": 0}


async def challenge(
    node: Node, document: bytes = TREES, figures: bytes = TREES_FIGURES, baseline: bytes | None = TREES_BASELINE
) -> bytes:
    """A challenger, registered."""
    digest = load_trees(document, allowed={"social_network"}).digest
    await Models(node).register(document, figures, baseline, expected=digest, request=asking("tallystick"))
    return digest


def changed(**members: Any) -> tuple[bytes, bytes]:
    """The committed challenger and its figures after a change of its document."""
    document = canonical(json.loads(TREES) | members)
    digest = load_trees(document, allowed={"social_network"}).digest.hex()
    return document, json.dumps(json.loads(TREES_FIGURES) | {"model": digest}).encode()


async def score(
    node: Node, lender: TenantId, account: AccountRef, subject: Subject, inputs: dict[str, int] = INPUTS
) -> Given:
    terms = await consented(node, lender, subject)
    return await Scoring(node).score(lender, Asked(account, inputs, terms.consent, "taiwan_card"), asking(lender))


async def scored_in_shadow(node: Node) -> Given:
    """One score, with a challenger beside it."""
    await decide_by(node)
    await challenge(node)
    return await score(node, *await lend(node, "mkopo", "KE"))


def month_of(node: Node) -> int:
    day = datetime.fromtimestamp(node.sources.now() / 1000, UTC)
    return day.year * 100 + day.month


def ppm(inputs: dict[str, int]) -> int:
    return probability_ppm(CHALLENGER, tuple(inputs[each.name] for each in CHALLENGER.document.inputs))


async def test_a_score_is_the_same_with_and_without_a_challenger_and_its_reading_is_a_row(
    node: Node, database: TestDatabase
) -> None:
    await decide_by(node)
    where = await lend(node, "mkopo", "KE")
    alone = await score(node, *where, LATE)
    assert await rows_of(database, "SELECT 1 FROM score_shadow") == []
    await challenge(node)
    beside = await score(node, *where, LATE)
    assert (beside.points, beside.probability_ppm, beside.reasons, beside.lost) == (
        alone.points, alone.probability_ppm, alone.reasons, alone.lost,
    )  # fmt: skip
    columns = "tenant, batch_id::text, subject, model, challenger, as_of, points, challenger_ppm"
    assert await rows_of(database, f"SELECT {columns} FROM score_shadow") == [
        ("mkopo", beside.batch, where[2], DIGEST, CHALLENGER.digest, beside.as_of, beside.points, ppm(LATE))
    ]
    await ensure_sound(database)


async def test_a_challenger_needs_a_registered_card_with_its_inputs_and_is_never_promoted(node: Node) -> None:
    async def code(*arguments: Any) -> str:
        with pytest.raises(TallystickError) as caught:
            await challenge(node, *arguments)
        return caught.value.code

    assert await code() == "model_unknown"  # its card is not there yet
    await decide_by(node)
    inputs = json.loads(TREES)["inputs"]
    assert await code(*changed(inputs=[inputs[0] | {"most": 5}, *inputs[1:]])) == "challenger_inputs"
    assert (
        await code(TREES, TREES_FIGURES, (MODELS / "taiwan_card_v1.baseline.json").read_bytes()) == "baseline_malformed"
    )
    digest = await challenge(node)
    beside_itself = json.loads(TREES_FIGURES) | {"challenger": digest.hex()}
    document, figures = changed(version=2)
    beside_itself["model"] = json.loads(figures)["model"]
    assert await code(document, json.dumps(beside_itself).encode()) == "challenger_inputs"
    with pytest.raises(Conflict, match="registered already"):
        await challenge(node)
    with pytest.raises(Refused) as promoted:
        await Models(node).promote(digest, {}, request=asking("tallystick"))
    assert promoted.value.code == "model_never_decides"
    with pytest.raises(Refused) as forced:
        await Models(node).in_force("", digest)
    assert forced.value.code == "model_not_promoted"


async def test_the_newest_challenger_runs(node: Node, database: TestDatabase) -> None:
    await decide_by(node)
    where = await lend(node, "mkopo", "KE")
    first = await challenge(node)
    await score(node, *where)
    document, figures = changed(version=2)
    second = await challenge(node, document, figures, None)
    await score(node, *where)
    found = await rows_of(database, "SELECT challenger FROM score_shadow ORDER BY as_of")
    assert found == [(first,), (second,)]
    months = await Comparing(node).month(where[0], DIGEST, month_of(node), cutoff=440, outcome_days=365)
    assert {each.challenger: (each.scores, each.found.challenger_psi_bp is None) for each in months} == {
        first: (1, False), second: (1, True),
    }  # fmt: skip


async def test_where_the_law_forbids_a_reading_the_challenger_does_not_run_and_the_score_stands(
    node: Node, database: TestDatabase
) -> None:
    await decide_by(node)
    features = json.loads(TREES)["features"]
    document, figures = changed(features=[features[0] | {"data": "social_network"}, *features[1:]])
    await challenge(node, document, figures, None)
    for name, country in (("kopo", "KE"), ("kredit", "DE")):
        lender, account, subject = await lend(node, name, country)
        for fields in ((), ("social_network",)):
            terms = await consented(node, lender, subject, fields=fields)
            await Scoring(node).score(lender, Asked(account, INPUTS, terms.consent, "taiwan_card"), asking(lender))
    assert await rows_of(database, "SELECT tenant FROM score_shadow") == [("kopo",)]
    assert await rows_of(database, "SELECT count(*) FROM attestation WHERE kind = 'score'") == [(4,)]
    await ensure_sound(database)


async def test_an_erasure_takes_the_readings_too(node: Node, database: TestDatabase) -> None:
    await decide_by(node)
    await challenge(node)
    lender, account, subject = await lend(node, "mkopo", "KE")
    await score(node, lender, account, subject)
    await node.authority.erase(subject, "law")
    assert await rows_of(database, "SELECT 1 FROM score_shadow") == []
    await ensure_sound(database)


async def test_a_month_counts_each_borrower_once_and_no_other_lenders(node: Node) -> None:
    await decide_by(node)
    await challenge(node)
    where = await lend(node, "mkopo", "KE")
    other = await lend(node, "kopo", "KE")
    for inputs in (LATE, INPUTS):
        await score(node, *where, inputs)
    await score(node, *other, LATE)
    (mine,) = await Comparing(node).month(where[0], DIGEST, month_of(node), cutoff=440, outcome_days=1)
    assert (mine.challenger, mine.scores, mine.found.borrowers) == (CHALLENGER.digest, 2, 1)
    assert (mine.found.both_approve, mine.found.agree_bp) == (1, 10_000)  # the newest reading, of who is not late
    assert mine.found.outcomes == Outcomes(0, 0, None, None, None, None)  # the window is not over
    (theirs,) = await Comparing(node).month(other[0], DIGEST, month_of(node), cutoff=550, outcome_days=1)
    assert (theirs.scores, theirs.found.both_decline) == (1, 1)
    assert await Comparing(node).month(where[0], DIGEST, 190_001, cutoff=440, outcome_days=1) == []


async def test_outcomes_are_known_when_the_window_is_over_and_rank_both_models(database: TestDatabase) -> None:
    clock = Clock()
    async with running_node(database, sources=Sources(now=clock.now)) as node:
        await decide_by(node)
        await challenge(node)
        name, *first = await lend(node, "mkopo", "KE")
        lender = Lender("mkopo")
        await node.authority.enrol_key(lender.name, lender.key.public_jwk())
        borrowers = [tuple(first)]
        for _ in range(2):
            loan = lender.new_loan()
            await node.publisher.publish(lender.name, *lender.batch(loan))
            borrowers.append((AccountRef(loan[0].envelope.account or b""), Subject(loan[0].envelope.subject or b"")))
        for (account, subject), inputs in zip(borrowers, (INPUTS, LATE, INPUTS | {"paid_1": 901}), strict=True):
            await score(node, name, account, subject, inputs)
        month, account, subject = month_of(node), *borrowers[1]
        late = lender.attest(
            "default", Default(trigger="days_past_due"), account=account, subject=subject,
            effective_date=clock.today + timedelta(days=1),
        )  # fmt: skip
        clock.days = 40
        await node.publisher.publish(lender.name, *lender.batch([late], at=clock.now()))
        comparing = Comparing(node)
        (found,) = await comparing.month(name, DIGEST, month, cutoff=440, outcome_days=30)
        assert found.found.outcomes == Outcomes(3, 1, 1_000_000, 1_000_000, 1_000_000, 1_000_000)
        (early,) = await comparing.month(name, DIGEST, month, cutoff=440, outcome_days=60)
        assert early.found.outcomes == Outcomes(0, 0, None, None, None, None)
    await ensure_sound(database)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"month": 202_613}, "month_invalid"), ({"month": 5}, "month_invalid"), ({"month": -202_601}, "month_invalid"),
        ({"cutoff": 332}, "cutoff_range"), ({"cutoff": 681}, "cutoff_range"), ({"outcome_days": 0}, "outcome_days"),
        ({"outcome_days": 1_831}, "outcome_days"), ({"digest": bytes(32)}, "model_unknown"),
        ({"digest": CHALLENGER.digest}, "model_challenger"),
    ],
)  # fmt: skip
async def test_each_wrong_question_is_named(node: Node, change: dict[str, Any], code: str) -> None:
    await decide_by(node)
    await challenge(node)
    asked = {"digest": DIGEST, "month": 202_611, "cutoff": 440, "outcome_days": 365} | change
    with pytest.raises((InvalidInput, NotFound)) as caught:
        await Comparing(node).month(
            TenantId("mkopo"),
            asked["digest"],
            asked["month"],
            cutoff=asked["cutoff"],
            outcome_days=asked["outcome_days"],
        )
    assert caught.value.code == code
