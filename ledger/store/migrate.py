"""Numbered SQL files, each run once, in order, in its own transaction, under one lock.

    await migrate(admin_dsn, app_password=..., audit_password=...)

Rules
- A migration's checksum is recorded; a file that changed after it ran is refused.
- The tables belong to ``tallystick_owner``, which cannot log in and is no superuser: under FORCE ROW LEVEL SECURITY even
  the owner obeys the policies, so a view or function of its making leaks nothing.
- Roles: ``tallystick_app`` serves, ``tallystick_audit`` only reads (fsck). Both are made here when missing.
- Two migrators at once wait for each other (advisory lock); a killed one leaves nothing half done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from ledger.errors import Conflict
from ledger.store.database import CONNECT_TIMEOUT_S, unreachable

FOLDER: Final = Path(__file__).parent / "migrations"
OWNER, APP, AUDIT = "tallystick_owner", "tallystick_app", "tallystick_audit"
_LOCK: Final = 0x7411_7571

_LEDGER_OF_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migration (
    number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


@dataclass(frozen=True)
class Migration:
    """One file of the folder."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Every migration, in order."""
    files = sorted(FOLDER.glob("[0-9]*.sql"))
    return [Migration(int(file.name[:4]), file.stem, file.read_text(encoding="utf-8")) for file in files]


async def migrate(
    admin_dsn: str, *, app_password: str | None, audit_password: str | None, plan_only: bool = False
) -> list[str]:
    """Bring the database up to date; gives the names of what ran (or would run).

    ``admin_dsn`` must be allowed to create roles and tables. Raises Conflict ``migration_changed``, Unavailable.
    """
    try:
        connection = await asyncpg.connect(admin_dsn, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise unreachable(error) from error
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        pending = await _pending(connection)
        if plan_only:
            return [migration.name for migration in pending]
        await _prepare_roles(connection, {APP: app_password, AUDIT: audit_password})
        for migration in pending:
            await _apply(connection, migration)
        return [migration.name for migration in pending]
    finally:
        await connection.close()


async def _pending(connection: Any) -> list[Migration]:
    known = await connection.fetchval("SELECT to_regclass('public.migration') IS NOT NULL")
    rows = await connection.fetch("SELECT number, name, checksum FROM public.migration") if known else []
    applied = {row["number"]: row["checksum"] for row in rows}
    for migration in migrations():
        if migration.number in applied and applied[migration.number] != migration.checksum:
            raise Conflict(
                "migration_changed", f"{migration.name} changed after it ran here",
                advice="restore the file; put the change into a new migration",
            )  # fmt: skip
    return [migration for migration in migrations() if migration.number not in applied]


async def _prepare_roles(connection: Any, passwords: dict[str, str | None]) -> None:
    """Make the roles when they are missing and set the passwords that were given."""
    existing = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    me = await connection.fetchval("SELECT current_user")
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    if OWNER not in existing:
        await connection.execute(f"CREATE ROLE {OWNER} NOLOGIN NOSUPERUSER NOBYPASSRLS")
    await connection.execute(f'GRANT {OWNER} TO "{me}"')
    for role, password in passwords.items():
        if role not in existing:
            await connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
        if password is not None:
            quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
            await connection.execute(f"ALTER ROLE {role} PASSWORD {quoted}")
    await connection.execute(f"""
        GRANT CREATE, USAGE ON SCHEMA public TO {OWNER};
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;
        GRANT TEMPORARY ON DATABASE {database} TO {APP};
        GRANT USAGE ON SCHEMA public TO {APP}, {AUDIT};
        GRANT CONNECT ON DATABASE {database} TO {APP}, {AUDIT};
        SET ROLE {OWNER};
        {_LEDGER_OF_MIGRATIONS};
        GRANT SELECT ON migration TO {APP}, {AUDIT};
        RESET ROLE""")


async def _apply(connection: Any, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {OWNER}")
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)",
            migration.number, migration.name, migration.checksum,
        )  # fmt: skip
