"""Migrations: each once, in order, never changed afterwards, whoever else migrates at the same moment."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from ledger.errors import Conflict, Unavailable
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import migrate, migrations
from tests.support.checks import change, rows_of
from tests.support.ledgers import fresh_database

NAMES = [migration.name for migration in migrations()]


async def run(dsn: str, **options: Any) -> list[str]:
    """Migrate without touching the session's passwords."""
    return await migrate(dsn, app_password=None, audit_password=None, **options)


def test_the_files_are_numbered_without_a_gap() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(NAMES) + 1))


async def test_a_migrated_database_has_nothing_left_to_run(postgres: EmbeddedPostgres) -> None:
    async with fresh_database(postgres) as database:
        assert await run(database.admin_dsn) == []
        assert await run(database.app_dsn, plan_only=True) == []
        assert await rows_of(database, "SELECT name FROM migration ORDER BY number") == [(name,) for name in NAMES]


async def test_a_file_that_changed_after_it_ran_is_refused(postgres: EmbeddedPostgres) -> None:
    async with fresh_database(postgres) as database:
        await change(database, "UPDATE migration SET checksum = 'x' WHERE number = 2")
        with pytest.raises(Conflict) as caught:
            await run(database.admin_dsn)
        assert caught.value.code == "migration_changed"


async def test_two_migrators_at_once_run_each_file_once(postgres: EmbeddedPostgres) -> None:
    server = await asyncpg.connect(postgres.admin_dsn())
    await server.execute("CREATE DATABASE migrated_twice")
    dsn = postgres.admin_dsn().replace("/postgres?", "/migrated_twice?")
    try:
        ran = await asyncio.gather(*(run(dsn) for _ in range(3)))
        assert sorted(ran) == [[], [], NAMES]
    finally:
        await server.execute("DROP DATABASE migrated_twice WITH (FORCE)")
        await server.close()


async def test_a_server_that_is_not_there_is_unavailable_and_its_address_is_not_told() -> None:
    with pytest.raises(Unavailable) as caught:
        await run("postgresql://somebody:secret@127.0.0.1:1/x")
    assert caught.value.code == "database_unreachable" and "secret" not in str(caught.value)
