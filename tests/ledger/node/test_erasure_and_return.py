"""A borrower who was erased and came back: the old stays closed, the new is readable, every proof still holds."""

from __future__ import annotations

import os

from ledger.store.embedded import EmbeddedPostgres
from ledger.types import Subject
from tests.support.checks import ensure_sound
from tests.support.ledgers import Lender, fresh_database, running_node


async def test_what_was_sealed_before_an_erasure_stays_closed_and_breaks_nothing(postgres: EmbeddedPostgres) -> None:
    async with fresh_database(postgres) as database:
        async with running_node(database) as node:
            lender = await Lender("acacia").enrol(node)
            subject = Subject(os.urandom(32))
            await node.publisher.publish(lender.name, *lender.batch(lender.new_loan(subject=subject)))
            await node.authority.erase(subject, "test law")
            assert await node.reader.own_lines(subject) == []
            loan = lender.new_loan(subject=subject)
            await node.publisher.publish(lender.name, *lender.batch(loan))
            (line,) = await node.reader.own_lines(subject)
            assert line.account == loan[0].envelope.account
            assert await node.reader.accesses(subject, limit=10) == []
        await ensure_sound(database)
