"""fsck names a model that decides without its promotion, or is not what was registered."""

from __future__ import annotations

import pytest

from ledger.node.node import Node
from ledger.node.scoring import Models
from ledger.risk.scorecard import load_card
from tests.ledger.node.test_scoring import CARD, FIGURES, decide_by
from tests.support.checks import asking, change, codes, ensure_sound, report_of
from tests.support.ledgers import TestDatabase

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
