"""``tallystick migrate``: brings a database to this version's schema, or says what it would do.

With ``DATABASE_ADMIN_URL`` that database is migrated; the password of ``tallystick_app`` is the one in ``DATABASE_URL``
when that names the role. Without either it is the embedded one.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote, urlsplit

import click

from api import settings as settings_module
from api.settings import Settings
from ledger.errors import InvalidInput


@click.command(
    "migrate",
    help="Bring a database to this version's schema.\n\n\b\nExamples:\n  tallystick migrate --plan\n"
    "  DATABASE_ADMIN_URL=postgresql://... tallystick migrate",
)
@click.option("--plan", is_flag=True, help="Only say what would run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def migrate(plan: bool, as_json: bool) -> None:
    """Prints the migrations that ran, or that would run."""
    names = asyncio.run(_migrate(settings_module.load(), plan))
    if as_json:
        click.echo(json.dumps({"plan": plan, "migrations": names}))
        return
    for name in names:
        click.echo(name)
    click.echo(f"{len(names)} to run" if plan else f"{len(names)} ran", err=True)


async def _migrate(settings: Settings, plan: bool) -> list[str]:
    if settings.database_admin_url is not None:
        from ledger.store.migrate import migrate as run

        password = app_password(settings.database_url)
        return await run(settings.database_admin_url, app_password=password, audit_password=None, plan_only=plan)
    if settings.database_url is not None:
        raise InvalidInput(
            "database_admin_missing",
            "DATABASE_URL is set, but no role that may migrate is",
            advice="Set DATABASE_ADMIN_URL to the same database as a role that may create tables and roles.",
        )
    return await _migrate_embedded(settings, plan)


async def _migrate_embedded(settings: Settings, plan: bool) -> list[str]:
    from api.cli.runtime import migrate_embedded
    from ledger.node.keyring import load_keyring
    from ledger.store.embedded import EmbeddedPostgres

    postgres = EmbeddedPostgres(settings.home)
    await asyncio.to_thread(postgres.start)
    try:
        return await migrate_embedded(postgres, load_keyring(settings.home), plan_only=plan)
    finally:
        await asyncio.to_thread(postgres.stop)


def app_password(database_url: str | None) -> str | None:
    """The password of the application's role in its own address; None when the address names another role."""
    parts = urlsplit(database_url or "")
    return unquote(parts.password) if parts.username == "tallystick_app" and parts.password else None
