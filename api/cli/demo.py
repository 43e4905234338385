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
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from api.cli.demo_server import Server, demo_server, unless_it_dies
from api.cli.exit_codes import ExitCode
from ledger.errors import Unavailable

ACCOUNTS: Final = 2_000
"""Accounts of the synthetic file, unless asked otherwise."""


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
    async with demo_server(folder) as server:
        facts = await unless_it_dies(server, tell_story(server, folder / "files", file, accounts, telling))
        if as_json:
            click.echo(json.dumps(facts))
        else:
            print_table(telling, facts)
        if serve:
            _invite(server, folder)
            await unless_it_dies(server, asyncio.Event().wait())


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
