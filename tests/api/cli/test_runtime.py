"""What the commands share: the embedded database made ready, one's own refused until it is migrated."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import asyncpg
import pytest

from api.cli import main
from api.cli.migrate import app_password
from api.cli.runtime import open_database, open_ledger
from api.settings import Settings
from ledger.errors import InvalidInput
from ledger.node.keyring import random_keyring
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import APP, migrations
from tests.support.ledgers import KEYRING, fresh_database


async def test_ones_own_database_is_used_as_it_is(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async with fresh_database(postgres) as database:
        settings = Settings(home=tmp_path / "home", database_url=database.app_dsn, origin="own.example/log")
        async with open_ledger(settings) as node:
            assert (node.origin, (await node.log.head()).size) == ("own.example/log", 1)
        async with open_ledger(settings) as node:
            assert (await node.log.head()).size == 1
        assert oct((tmp_path / "home" / "keyring.json").stat().st_mode & 0o777) == "0o600"
        assert (tmp_path / "home" / "published-checkpoint").exists()


async def test_a_database_that_is_not_migrated_is_refused_with_the_command_to_type(postgres: EmbeddedPostgres) -> None:
    async with fresh_database(postgres):
        name = f"empty_{os.urandom(6).hex()}"
        server = await asyncpg.connect(postgres.admin_dsn())
        await server.execute(f"CREATE DATABASE {name}")
        try:
            settings = Settings(database_url=postgres.dsn(APP, KEYRING.app_password.hex(), name))
            with pytest.raises(InvalidInput) as caught:
                async with open_database(settings, random_keyring()):
                    pass
        finally:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await server.close()
    assert caught.value.code == "database_not_migrated"
    assert "tallystick migrate" in str(caught.value.advice)


def test_the_embedded_database_is_planned_then_migrated_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory(prefix="tallystick-migrate-") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setenv("TALLYSTICK_HOME", folder)
        names = [migration.name for migration in migrations()]
        for arguments, expected in ((["--plan"], names), ([], names), ([], [])):
            assert main.run(["migrate", "--json", *arguments]) == 0
            assert json.loads(capsys.readouterr().out) == {"plan": bool(arguments), "migrations": expected}


def test_a_database_without_an_administrator_is_not_migrated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://tallystick_app:x@localhost/ledger")
    assert main.run(["migrate", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "database_admin_missing"


def test_the_applications_password_is_taken_from_its_own_address_only() -> None:
    assert app_password("postgresql://tallystick_app:p%40ss@db/ledger") == "p@ss"
    assert app_password("postgresql://somebody:secret@db/ledger") is None
    assert app_password(None) is None
