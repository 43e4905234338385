"""``tallystick demo``: the whole story on an embedded database and a real server, checked line by line.

- Everything happens in a fresh folder below the temporary folder: database, keys, files. Nothing of it is left at the
  end; with ``--serve`` it stays until Ctrl-C, and says where.
- The server is a process of its own on loopback, with none of the caller's settings: the demo never touches a ledger
  that exists.
- A step that does not come out as promised ends the command with what was expected and found. A server that dies is
  reported with its last lines. Ctrl-C and SIGTERM clean up.

    tallystick demo
    tallystick demo --input accounts.zip --json

The steps are in demo_steps.py, what is said in demo_report.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from api.cli.exit_codes import ExitCode
from api.settings import PREFIX, REPOSITORY, UNPREFIXED
from ledger.errors import Unavailable

ACCOUNTS: Final = 2_000
"""Accounts of the synthetic file, unless asked otherwise."""

READY_S: Final = 90
"""Seconds until the server has to answer; a first start makes its database."""

STOP_S: Final = 30
"""Seconds a server gets to stop by itself."""

ORIGIN: Final = "demo.tallystick.local/ledger"
_KEPT: Final = frozenset(PREFIX + name for name in ("PG_BIN", "VENV", "PYTHON", "SHARED"))


@dataclass(frozen=True)
class Server:
    """A server process that answers."""

    url: str
    origin: str
    process: Process
    log: Path


def last_lines(log: Path) -> str:
    """The end of what a server said."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:])


@click.command(
    "demo",
    help="The whole story on an embedded database, checked line by line.\n\n\b\nExamples:\n  tallystick demo\n"
    "  tallystick demo --input accounts.zip --json\n  tallystick demo --serve",
)
@click.option("--input", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A Metro 2 file (text, packed or zip); default: a synthetic one.")  # fmt: skip
@click.option("--accounts", type=click.IntRange(30, 1_000_000), help=f"Accounts of the synthetic file ({ACCOUNTS:,}).")
@click.option("--serve", is_flag=True, help="Leave the server running until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def demo(file: Path | None, accounts: int | None, serve: bool, as_json: bool) -> int:
    """Runs the demo and tells what it came to."""
    if file is not None and accounts is not None:
        raise click.UsageError("--accounts is for the synthetic file; --input brings its own")
    with _folder() as folder:
        try:
            asyncio.run(_run(folder, file, accounts or ACCOUNTS, serve, as_json))
        except asyncio.CancelledError:  # SIGTERM
            raise click.Abort from None
    return ExitCode.OK


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for this run alone, gone afterwards. The database's own account must be able to pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="tallystick-demo-"))
    try:
        folder.chmod(0o711)
        (folder / "files").mkdir(mode=0o700)
        yield folder
    finally:
        _sweep(folder)


def _sweep(folder: Path) -> None:
    """Stop a database that a killed server left, and remove what lies outside the folder as well."""
    from ledger.store.embedded import EmbeddedPostgres

    postgres = EmbeddedPostgres(folder / "home")
    with contextlib.suppress(Unavailable):
        postgres.stop("immediate")
    elsewhere, socket_record = postgres.folder, postgres.folder / "socket-folder"
    if socket_record.is_file():
        shutil.rmtree(socket_record.read_text(), ignore_errors=True)
    if not elsewhere.is_relative_to(folder):
        shutil.rmtree(elsewhere.parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


async def _run(folder: Path, file: Path | None, accounts: int, serve: bool, as_json: bool) -> None:
    from api.cli.demo_report import Telling, print_table
    from api.cli.demo_steps import tell_story

    main = asyncio.current_task()
    if main is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    telling = Telling()
    async with _server(folder) as server:
        facts = await _unless_it_dies(server, tell_story(server, folder / "files", file, accounts, telling))
        if as_json:
            click.echo(json.dumps(facts))
        else:
            print_table(telling, facts)
        if serve:
            _invite(server, folder)
            await _unless_it_dies(server, asyncio.Event().wait())


async def _unless_it_dies(server: Server, work: Any) -> Any:
    """The result of `work`; raises Unavailable ``demo_server_died`` when the server ends first."""
    working, dying = asyncio.ensure_future(work), asyncio.ensure_future(server.process.wait())
    try:
        await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
        if dying.done():
            raise _died(server.process.returncode, last_lines(server.log))
        return await working
    finally:
        for task in (working, dying):
            task.cancel()
        await asyncio.gather(working, dying, return_exceptions=True)


def _died(code: int | None, said: str) -> Unavailable:
    return Unavailable(
        "demo_server_died",
        f"the server ended with code {code}; its last lines:\n{said}",
        advice="'tallystick doctor' looks for what this machine lacks.",
    )


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[Server]:
    """The server as a process of its own, in a group of its own: Ctrl-C at our terminal is for us."""
    log = folder / "files" / "server.log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "api.cli.main", "serve", "--dev-issuer", "--json",
            env=environment(folder), cwd=folder, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=said,
        )  # fmt: skip
    try:
        ready = await _ready(process, log)
        yield Server(ready["url"], ready["origin"], process, log)
    finally:
        await asyncio.shield(_stop(process))


async def _ready(process: Process, log: Path) -> dict[str, str]:
    if process.stdout is None:
        raise Unavailable("demo_server_died", "the server has no output")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    except TimeoutError:
        line = b""
    if not line:
        code = process.returncode if process.returncode is not None else await _stop(process)
        raise _died(code, last_lines(log))
    found: dict[str, str] = json.loads(line)
    return found


async def _stop(process: Process) -> int | None:
    """Ask the server to stop; cut it off with all that it started when it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    return process.returncode


def environment(folder: Path) -> dict[str, str]:
    """The surroundings of the demo's processes: none of the caller's settings, so that no other ledger is touched."""
    settings = {*UNPREFIXED.values(), *(name + "_FILE" for name in UNPREFIXED.values())}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and (not name.startswith(PREFIX) or name in _KEPT)
    }
    config = folder / "tallystick.toml"
    config.touch()
    own = {"HOME": str(folder / "home"), "CONFIG": str(config), "ORIGIN": ORIGIN, "PORT": "0"}
    return kept | {PREFIX + name: value for name, value in own.items()} | {"PYTHONPATH": str(REPOSITORY)}


def _invite(server: Server, folder: Path) -> None:
    asked = '{"tenant":"tallystick","roles":["operator"]}'
    for line in (
        "",
        f"The server goes on at {server.url} until Ctrl-C. Its state: {folder}",
        f"  the log       curl -s {server.url}/checkpoint",
        f"  a token       curl -s {server.url}/dev/token -H 'content-type: application/json' -d '{asked}'",
        f"  GraphQL       POST {server.url}/graphql (schema.graphql)",
        f"  check again   ./tallystick verify {folder}/files/view.json --trust {folder}/files/trust.json",
    ):
        click.echo(line, err=True)
