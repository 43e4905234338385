"""What the commands share: a database that is up to date, the deployment's keys, a running ledger over both.

    async with open_ledger(settings) as node: ...
    async with open_database(settings, keyring) as dsns: ...       # for what reads past a node (fsck)

Rules
- Without ``DATABASE_URL`` the embedded PostgreSQL of the home folder is started (or joined) and migrated.
- With it, the database is used as it is: one that is not migrated is refused with the command to type. Nothing that
  serves ever holds an administrator's connection.
- The keys lie in the home folder and are made on first use.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from api.settings import Settings
from ledger.errors import InvalidInput
from ledger.node.keyring import Keyring, load_keyring
from ledger.node.node import Node
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import APP, AUDIT, migrate

DATABASE = "postgres"
"""The embedded cluster has one database, its first."""


@dataclass(frozen=True)
class DatabaseUrls:
    """Ways into the database, passwords inside: never to be shown. ``audit`` reads everything and writes nothing; for a
    database of one's own it is the application's role unless the address names another."""

    app: str = field(repr=False)
    audit: str = field(repr=False)


@asynccontextmanager
async def open_database(settings: Settings, keyring: Keyring) -> AsyncIterator[DatabaseUrls]:
    """A migrated database. Raises InvalidInput ``database_not_migrated``, Unavailable, and what the launcher raises."""
    if settings.database_url is not None:
        await _refuse_unmigrated(settings.database_url)
        yield DatabaseUrls(settings.database_url, settings.database_audit_url or settings.database_url)
        return
    postgres = EmbeddedPostgres(settings.home)
    await asyncio.to_thread(postgres.start)
    try:
        await migrate_embedded(postgres, keyring)
        yield embedded_urls(postgres, keyring)
    finally:
        await asyncio.to_thread(postgres.stop)


async def migrate_embedded(postgres: EmbeddedPostgres, keyring: Keyring, *, plan_only: bool = False) -> list[str]:
    """Bring a started embedded database up to date; gives the names of the migrations that ran (or would)."""
    return await migrate(
        postgres.admin_dsn(),
        app_password=keyring.app_password.hex(),
        audit_password=keyring.audit_password.hex(),
        plan_only=plan_only,
    )


def embedded_urls(postgres: EmbeddedPostgres, keyring: Keyring) -> DatabaseUrls:
    """The ways into a started embedded database."""
    return DatabaseUrls(
        postgres.dsn(APP, keyring.app_password.hex(), DATABASE),
        postgres.dsn(AUDIT, keyring.audit_password.hex(), DATABASE),
    )


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Node]:
    """A running ledger; closed, and its database let go, on the way out.

    Raises InvalidInput, Unavailable, InvariantBroken, Untrusted as ``Node.open`` does.
    """
    keyring = load_keyring(settings.home)
    async with open_database(settings, keyring) as urls:
        node = await Node.open(urls.app, keyring, origin=settings.origin, home=_folder(settings.home))
        try:
            yield node
        finally:
            await node.close()


def _folder(home: Path) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    return home


async def _refuse_unmigrated(dsn: str) -> None:
    # The application's role may read the list of migrations, so a plan needs no administrator.
    pending = await migrate(dsn, app_password=None, audit_password=None, plan_only=True)
    if pending:
        raise InvalidInput(
            "database_not_migrated",
            "the database has not this version's schema",
            found=f"{len(pending)} migrations to run",
            advice="Run './tallystick migrate' with DATABASE_ADMIN_URL set.",
        )
