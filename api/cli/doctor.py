"""``tallystick doctor``: what this machine and this set-up lack, with a remedy for each fault.

Every check is a function that returns what it found or raises ``Fault`` with what to do; none of them changes anything
that stays. The command ends with 0 when all hold, else with 1.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from api import settings
from api.cli.exit_codes import ExitCode
from ledger.errors import TallystickError

DISK_FLOOR_BYTES = 6 * 1024**3
"""The write-ahead log may grow to 4 GB; below this there is no room for data beside it."""

DATABASE_TIMEOUT_S = 5.0
CLOCK_SLACK_S = 86_400
"""A clock may be this far behind the newest file of the checkout: time zones of archives differ, days do not."""


class Fault(Exception):
    """A check that failed: ``found`` says what is, ``remedy`` what to do."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    ok: bool
    found: str
    remedy: str | None = None


def check_python(_: settings.Settings) -> str:
    """Python's version: never too old, or this code would not have loaded."""
    return "Python " + ".".join(map(str, sys.version_info[:3]))


def check_libraries(_: settings.Settings) -> str:
    """The virtual environment was made from this checkout's lock."""
    stamp = Path(sys.prefix) / "tallystick-stamp"
    remedy = "Start with ./tallystick, which sets the libraries right."
    if not stamp.is_file():
        raise Fault(f"{sys.prefix} was not made by ./tallystick", remedy)
    told = subprocess.run(
        ["cksum"],  # noqa: S607
        input=(settings.REPOSITORY / "requirements.lock").read_bytes(),
        capture_output=True,
        check=True,
    )
    if stamp.read_bytes().split() != told.stdout.split():
        raise Fault(f"{sys.prefix} was made from another requirements.lock", remedy)
    return f"{sys.prefix} is as requirements.lock says"


def check_postgres(_: settings.Settings) -> str:
    """The programs of the embedded PostgreSQL run."""
    from ledger.store import postgres_binaries

    folder = postgres_binaries.find_binaries()
    account = postgres_binaries.server_account()
    version = postgres_binaries.version_of(folder, account)
    if version is None:
        version = postgres_binaries.version_of(folder, None)
        return f"PostgreSQL {version}; a copy will be made that the server's account can reach"
    return f"PostgreSQL {version}"


def check_home(chosen: settings.Settings) -> str:
    """The home can be written to."""
    try:
        chosen.home.mkdir(parents=True, exist_ok=True, mode=0o711)
        with tempfile.TemporaryFile(dir=chosen.home) as probe:
            probe.write(b"tallystick")
    except OSError as error:
        raise Fault(f"{chosen.home}: {error.strerror}", "Set TALLYSTICK_HOME to a folder of your own.") from error
    return f"{chosen.home} can be written to"


def check_socket(chosen: settings.Settings) -> str:
    """The path of the database's socket is short enough, or /tmp can stand in."""
    from ledger.store import embedded, embedded_cluster

    folder = embedded.EmbeddedPostgres(chosen.home).folder / "socket"
    if embedded_cluster.socket_path_fits(folder):
        return f"{folder} is short enough"
    if not os.access("/tmp", os.W_OK | os.X_OK):  # noqa: S108
        raise Fault(f"{folder} is too long and /tmp is closed", "Set TALLYSTICK_HOME to a shorter path.")
    return "the home's path is long; the socket goes to a private folder in /tmp"


def check_disk(chosen: settings.Settings) -> str:
    """There is room for data beside the write-ahead log."""
    nearest = next(step for step in (chosen.home, *chosen.home.parents) if step.exists())
    free = shutil.disk_usage(nearest).free
    told = f"{free / 1024**3:.1f} GiB free at {nearest}"
    if free < DISK_FLOOR_BYTES:
        raise Fault(told, f"Free {DISK_FLOOR_BYTES // 1024**3} GiB, or set TALLYSTICK_HOME to a larger disk.")
    return told


def check_clock(_: settings.Settings) -> str:
    """The clock is not behind the files of this checkout."""
    now = time.time()
    newest = (settings.REPOSITORY / "requirements.lock").stat().st_mtime
    told = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < newest - CLOCK_SLACK_S:
        raise Fault(f"{told} is earlier than this checkout", "Set the clock, best by NTP: signatures carry the time.")
    return told


def check_database(chosen: settings.Settings) -> str:
    """The database of DATABASE_URL answers and is new enough."""
    if chosen.database_url is None:
        return "DATABASE_URL is not set: the embedded one serves"
    import asyncio

    import asyncpg

    async def ask(url: str) -> int:
        connection = await asyncpg.connect(url, timeout=DATABASE_TIMEOUT_S)
        try:
            return int(await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000"))
        finally:
            await connection.close()

    try:
        major = asyncio.run(ask(chosen.database_url))
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # The text of the error may repeat the address with its password.
        raise Fault(f"no answer ({type(error).__name__})", "Check DATABASE_URL and that its server runs.") from error
    if major < 15:
        raise Fault(f"PostgreSQL {major}", "Use PostgreSQL 15 or newer.")
    return f"PostgreSQL {major} answers"


CHECKS: dict[str, Callable[[settings.Settings], str]] = {
    "python": check_python,
    "libraries": check_libraries,
    "postgres": check_postgres,
    "home": check_home,
    "socket": check_socket,
    "disk": check_disk,
    "clock": check_clock,
    "database": check_database,
}
"""Every check by the name it is reported under."""


def examine(chosen: settings.Settings) -> list[Finding]:
    """Runs every check; a fault of one does not keep the others from running."""
    return [_outcome(name, check, chosen) for name, check in CHECKS.items()]


def _outcome(name: str, check: Callable[[settings.Settings], str], chosen: settings.Settings) -> Finding:
    try:
        return Finding(name, True, check(chosen))
    except Fault as fault:
        return Finding(name, False, fault.found, fault.remedy)
    except TallystickError as error:
        return Finding(name, False, str(error), error.advice)


@click.command(
    "doctor",
    help="Check this machine and this set-up, with a remedy for each fault.\n\n\b\nExamples:\n"
    "  tallystick doctor\n  tallystick doctor --json",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> int:
    """Prints the findings; the exit code is 0 when all is well, else 1."""
    findings = examine(settings.load())
    well = all(finding.ok for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": well, "checks": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            mark = click.style("ok   ", fg="green") if finding.ok else click.style("FAULT", fg="red", bold=True)
            click.echo(f"{mark} {finding.check:<10} {finding.found}")
            if finding.remedy is not None:
                click.echo(f"{'':16} -> {finding.remedy}")
    return ExitCode.OK if well else ExitCode.FALSE
