"""fsck counts the months of drift again, as far as the log tells: never more than the scores, beside the erased too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.node.node import Node
from ledger.node.scoring import Asked, Scoring
from ledger.types import Subject
from tests.ledger.node.test_scoring import INPUTS, consented, decide_by, lend
from tests.support.checks import asking, change, codes, ensure_sound, report_of, rows_of
from tests.support.ledgers import TestDatabase


async def scored(node: Node, times: int = 2) -> Subject:
    """A borrower who was scored so often by one lender."""
    await decide_by(node)
    lender, account, subject = await lend(node, "mkopo", "KE")
    terms = await consented(node, lender, subject)
    for _ in range(times):
        await Scoring(node).score(lender, Asked(account, INPUTS, terms.consent, "taiwan_card"), asking(lender))
    return subject


async def rewritten(database: TestDatabase, at: tuple[int, ...], by: int) -> None:
    """Change numbers of the stored month: ``at`` is the path to each."""
    ((counts,),) = await rows_of(database, "SELECT counts FROM score_month")
    whole: Any = json.loads(counts)
    inner = whole
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] += by
    text = json.dumps(whole, separators=(",", ":"))
    await change(database, f"UPDATE score_month SET counts = convert_to('{text}', 'UTF8')")


async def test_a_month_is_as_many_people_as_scores(node: Node, database: TestDatabase) -> None:
    await scored(node)
    checked = (await ensure_sound(database)).checked
    assert (checked["months"], checked["scores_uncounted"]) == (1, 0)


@pytest.mark.parametrize(
    ("at", "named"),
    [
        ((0,), "score does not add up to the people"), ((1, 0), "score does not add up to the people"),
        ((2, 0, 0), "features.bill_1 does not add up to the people"),
    ],
)  # fmt: skip
async def test_a_count_that_does_not_add_up_is_named(
    node: Node, database: TestDatabase, at: tuple[int, ...], named: str
) -> None:
    await scored(node)
    await rewritten(database, at, 1)
    (fault,) = (await report_of(database)).faults
    assert fault.code == "month_differs"
    assert fault.message.endswith(named.partition(" ")[2])


async def test_a_month_of_people_whom_nobody_scored_is_named(node: Node, database: TestDatabase) -> None:
    await scored(node)
    ((counts,),) = await rows_of(database, "SELECT counts FROM score_month")
    people, score, features = json.loads(counts)
    more = [people + 1, *([[row[0] + 1, *row[1:]] for row in part] for part in ([score], features))]
    text = json.dumps([more[0], more[1][0], more[2]], separators=(",", ":"))
    await change(database, f"UPDATE score_month SET counts = convert_to('{text}', 'UTF8')")
    (fault,) = (await report_of(database)).faults
    assert fault.message == "score counts more than the scores on the log"


async def test_what_an_erased_borrower_was_scored_stays_counted(node: Node, database: TestDatabase) -> None:
    subject = await scored(node)
    await node.authority.erase(subject, "law")
    assert (await ensure_sound(database)).checked["months"] == 1
    await rewritten(database, (0,), 1)
    assert codes(await report_of(database)) == {"month_differs"}


async def test_scores_that_no_month_counts_are_said_and_no_fault(node: Node, database: TestDatabase) -> None:
    await scored(node)
    await change(database, "DELETE FROM score_month")
    assert (await ensure_sound(database)).checked["scores_uncounted"] == 2
