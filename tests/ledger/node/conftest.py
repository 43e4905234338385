"""A migrated database and a running node for each test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ledger.node.node import Node
from ledger.store.embedded import EmbeddedPostgres
from tests.support.ledgers import Lender, TestDatabase, fresh_database, running_node


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[TestDatabase]:
    """A database of the test's own."""
    async with fresh_database(postgres) as found:
        yield found


@pytest.fixture
async def node(database: TestDatabase) -> AsyncIterator[Node]:
    """A running node over it."""
    async with running_node(database) as found:
        yield found


@pytest.fixture
async def acacia(node: Node) -> Lender:
    """A lender that takes part."""
    return await Lender("acacia").enrol(node)
