"""fsck names a model that decides without its promotion, or is not what was registered."""

from __future__ import annotations

import pytest

from ledger.node.node import Node
from ledger.node.scoring import Models
from ledger.risk.scorecard import load_card
from ledger.store.embedded import EmbeddedPostgres
from tests.ledger.node.test_scoring import CARD, FIGURES, decide_by
from tests.ledger.node.test_shadow import scored_in_shadow
from tests.support.checks import asking, change, codes, ensure_sound, report_of
from tests.support.ledgers import TestDatabase, fresh_database, running_node

CASES = {
    "a promotion taken back": "UPDATE model SET promoted_at = NULL",
    "a document with other points": "UPDATE model SET document = set_byte(document, 9, get_byte(document, 9) # 1)",
    "figures spelt another way": "UPDATE model SET figures = figures || '\\x20'",
    "another version": "UPDATE model SET version = 2",
    "another name": "UPDATE model SET name = 'other'",
    "another hash": "UPDATE model SET digest = sha256('x')",
    "no row": "DELETE FROM model",
    "a row that nobody registered": (
        "INSERT INTO model SELECT log_id, sha256('x'), 'x', 1, document, figures, baseline, 1, 1 FROM model"
    ),
}


async def test_a_model_that_was_registered_and_promoted_is_sound(node: Node, database: TestDatabase) -> None:
    await decide_by(node)
    report = await ensure_sound(database)
    assert report.checked["models"] == 1


@pytest.mark.parametrize("case", CASES)
async def test_a_change_behind_the_ledgers_back_is_named(node: Node, database: TestDatabase, case: str) -> None:
    await decide_by(node)
    await change(database, CASES[case])
    assert codes(await report_of(database)) == {"model_differs"}


async def test_a_model_that_decides_without_a_promotion_is_named(node: Node, database: TestDatabase) -> None:
    digest = load_card(CARD).digest
    await Models(node).register(CARD, FIGURES, None, expected=digest, request=asking("tallystick"))
    await ensure_sound(database)
    await change(database, "UPDATE model SET promoted_at = 5")
    assert codes(await report_of(database)) == {"model_differs"}


SHADOW_CASES = {
    "another borrower": "UPDATE score_shadow SET subject = sha256('x')",
    "another card": "UPDATE score_shadow SET model = sha256('x')",
    "another challenger": "UPDATE score_shadow SET challenger = sha256('x')",
    "the card for its challenger": "UPDATE score_shadow SET challenger = model",
    "another day": "UPDATE score_shadow SET scored_on = scored_on + 1",
    "another index": "UPDATE score_shadow SET as_of = as_of + 1",
    "other points": "UPDATE score_shadow SET points = points + 1",
    "another lender": "UPDATE score_shadow SET tenant = 'tallystick'",
    "another batch": "UPDATE score_shadow SET batch_id = gen_random_uuid()",
    "a row for a batch without a score": (
        "INSERT INTO score_shadow SELECT s.log_id, s.tenant, e.batch_id, s.subject, s.model, s.challenger, s.scored_on, "
        "s.as_of, s.points, 1 FROM score_shadow s JOIN entry e USING (log_id, tenant) WHERE e.batch_id <> s.batch_id "
        "LIMIT 1"
    ),
}


@pytest.mark.parametrize("case", SHADOW_CASES)
async def test_a_shadow_that_is_not_its_scores_is_named(node: Node, database: TestDatabase, case: str) -> None:
    await scored_in_shadow(node)
    assert (await ensure_sound(database)).checked["shadows"] == 1
    await change(database, SHADOW_CASES[case])
    assert codes(await report_of(database)) == {"shadow_differs"}


@pytest.mark.parametrize("case", [
    "UPDATE model SET beside = NULL WHERE beside IS NOT NULL", "UPDATE model SET beside = digest WHERE beside IS NOT NULL",
    "UPDATE model SET beside = sha256('x'), promoted_at = NULL WHERE beside IS NULL",
    "ALTER TABLE model DROP CONSTRAINT model_challenger_decides_nothing; UPDATE model SET promoted_at = 5",
])  # fmt: skip
async def test_a_challenger_that_decides_or_stands_beside_another_card_is_named(
    postgres: EmbeddedPostgres, case: str
) -> None:
    async with fresh_database(postgres, new=True) as database:
        async with running_node(database) as node:
            await scored_in_shadow(node)
        await ensure_sound(database)
        await change(database, case)
        assert "model_differs" in codes(await report_of(database))


async def test_what_the_challenger_made_of_a_borrower_cannot_be_checked_without_the_lenders_snapshot(
    node: Node, database: TestDatabase
) -> None:
    await scored_in_shadow(node)
    await change(database, "UPDATE score_shadow SET challenger_ppm = 1")
    await ensure_sound(database)
    await change(database, "DELETE FROM score_shadow")
    await ensure_sound(database)
