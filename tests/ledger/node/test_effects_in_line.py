"""What goes with a batch happens in the order of the line too: two that touch one row never wait for each other."""

from __future__ import annotations

import asyncio
from datetime import date

from ledger.attestation.sharing_kinds import Erasure
from ledger.limits import COPY_ATTESTATIONS_MIN
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Draft
from ledger.store.database import Connection
from ledger.store.risk_rows import move_cursor
from tests.support.checks import ensure_sound, rows_of
from tests.support.ledgers import SOURCES, TestDatabase


async def test_a_later_batch_waits_with_its_effect_until_the_effect_before_it_is_done(
    node: Node, database: TestDatabase
) -> None:
    async with node.database.writing() as connection:
        await move_cursor(connection, None, (0, 0))
    begun, order = asyncio.Event(), list[str]()

    async def slow(connection: Connection) -> None:
        begun.set()
        await asyncio.sleep(0.3)  # long enough for a later group to be written
        await move_cursor(connection, (0, 0), (1, 0))
        order.append("first")

    async def quick(connection: Connection) -> None:
        await move_cursor(connection, (1, 0), (2, 0))
        await connection.execute("UPDATE risk_cursor SET position = position + 1 WHERE log_id = 1")
        order.append("second")

    def publish(effect: object, count: int) -> asyncio.Task[object]:
        body = Erasure(attestations=0, law="none", request=SOURCES.new_id())
        draft = Draft(kind="erasure", body=body, effective_date=date(2026, 1, 31), jurisdiction="KE")
        return asyncio.create_task(
            node.publisher.publish_own(
                DEPLOYMENT, node.authority.operator, [draft] * count, effect=effect, voids_caches=True
            )  # type: ignore[arg-type]
        )

    first = publish(slow, 1)
    await begun.wait()
    second = publish(quick, COPY_ATTESTATIONS_MIN)  # a large group is not held back by a small one
    await asyncio.wait_for(asyncio.gather(first, second), 10)
    assert order[0] == "first"
    assert order[-1] == "second"
    assert await rows_of(database, "SELECT idx, position FROM risk_cursor") == [(2, 1)]
    await ensure_sound(database)
