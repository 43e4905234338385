"""The application under test: three tenants with managed keys over a fresh ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ledger.store.embedded import EmbeddedPostgres
from tests.support.served import Application, enrol, running_application


@pytest.fixture
async def application(postgres: EmbeddedPostgres) -> AsyncIterator[Application]:
    """Lenders acacia and baobab, and the app fintech, take part."""
    async with running_application(postgres) as found:
        await enrol(found, [("acacia", "LENDER"), ("baobab", "LENDER"), ("fintech", "APP")])
        yield found
