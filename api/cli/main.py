"""The command line's door: finds the command, runs it, and says what went wrong in three lines.

Rules for every command
- Data goes to stdout, talk to stderr. With ``--json``, stdout is one JSON value and nothing else.
- A command is imported when it is run; this module and ``--help`` load nothing heavy.
- A TallystickError ends in what, why and next on stderr, or in JSON on stdout when ``--json`` was asked for, and in its
  exit code (exit_codes.py). No traceback for anything expected.
- ``NO_COLOR`` and a stdout that is no terminal turn colour off (click and rich see to it).

A new command is one line in COMMANDS or in a group: the name, the module and function, and the help's line.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import NamedTuple

import click

from api.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from ledger.errors import TallystickError, Unavailable

VERSION = "0.1.0"
"""The version in pyproject.toml; a test holds the two together."""


class Lazy(NamedTuple):
    """Where a command lives, and the line that help shows without importing it."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; its help begins with examples."""

    def __init__(self, name: str, commands: dict[str, Lazy], help: str) -> None:
        super().__init__(name, help=help)
        self.table = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when the table has no such name."""
        if cmd_name not in self.table:
            return None
        module, _, function = self.table[cmd_name].target.partition(":")
        found: click.Command = getattr(importlib.import_module(module), function)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for each command, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self.table.items()])


IMPORT = LazyGroup(
    "import",
    {"metro2": Lazy("api.cli.exchange:import_metro2", "A Metro 2 file becomes signed attestations.")},
    "Bring records in.\n\n\b\nExamples:\n  tallystick import metro2 FILE --as-of 2026-03-31 --credentials acacia.json",
)
EXPORT = LazyGroup(
    "export",
    {"metro2": Lazy("api.cli.exchange:export_metro2", "Attestations become a Metro 2 file.")},
    "Write records out.\n\n\b\nExamples:\n  tallystick export metro2 --credentials acacia.json --out FILE",
)
CONTRACT = LazyGroup(
    "contract",
    {
        "check": Lazy("api.cli.contract:check", "Every fault by code and path, and what it would do."),
        "library": Lazy("api.cli.contract:library", "The shipped contracts, or the source of one."),
    },
    "Read contracts before they are signed.\n\n\b\nExamples:\n  tallystick contract check late-fee.toml\n"
    "  tallystick contract library late-fee",
)
COMMANDS: dict[str, Lazy] = {
    "demo": Lazy("api.cli.demo:demo", "The whole story on an embedded database, checked line by line."),
    "serve": Lazy("api.cli.serve:serve", "Run the server."),
    "watch": Lazy("api.cli.watch:watch", "Follow the ledger and publish alerts."),
    "test": Lazy("api.cli.test_command:run_tests", "Run the project's tests."),
    "migrate": Lazy("api.cli.migrate:migrate", "Bring a database to this version's schema."),
    "verify": Lazy("api.cli.verify:verify", "Check an exported view or proof, offline."),
    "replay": Lazy("api.cli.replay:replay", "Execute every contract again and compare its effects."),
    "fsck": Lazy("api.cli.fsck:fsck", "Rebuild the whole log from storage and compare."),
    "import": Lazy("api.cli.main:IMPORT", "Bring records in (metro2)."),
    "export": Lazy("api.cli.main:EXPORT", "Write records out (metro2)."),
    "portfolio": Lazy("api.cli.portfolio:portfolio", "A lender's portfolio on any day, as tables."),
    "contract": Lazy("api.cli.main:CONTRACT", "Check a contract, or list the shipped ones."),
    "erase": Lazy("api.cli.erase:erase", "Destroy the key of one borrower's attestations."),
    "bench": Lazy("benchmarks.cli:bench", "Measure, and say where the time goes."),
    "doctor": Lazy("api.cli.doctor:doctor", "Check this machine and this set-up, with a remedy for each fault."),
}
"""Every command at top level, in the order a newcomer meets them."""

HELP = (
    "A shared, verifiable credit ledger.\n\n\b\nExamples:\n"
    "  tallystick demo                      see it work, from a lender's file to a checked view\n"
    "  tallystick serve                     run it on this machine\n"
    "  tallystick verify view.json          check what you were given, trusting nobody\n"
    "  tallystick doctor                    find out what is wrong here"
)


class Door(LazyGroup):
    """The top group: adds the exit codes to the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of exit codes, below everything else."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), MEANINGS[code]) for code in ExitCode])


cli = Door("tallystick", COMMANDS, HELP)
cli.params.append(
    click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        help="Show the version and exit.",
        callback=lambda ctx, _, asked: _show_version(ctx) if asked else None,
    )
)


def _show_version(ctx: click.Context) -> None:
    click.echo(f"tallystick {VERSION}")
    ctx.exit(0)


def report_error(error: TallystickError, *, as_json: bool) -> None:
    """Prints ``error``: with ``as_json`` as one JSON object on stdout, else as what, why and next on stderr."""
    if as_json:
        retry = {"retry_after_s": error.retry_after_s} if isinstance(error, Unavailable) else {}
        click.echo(json.dumps({"error": {**error.as_dict(), **retry}}))
        return
    click.echo(f"{click.style('error', fg='red', bold=True)}: {error.message}", err=True)
    why = [("at", error.path), ("expected", error.expected), ("found", error.found), ("code", error.code)]
    click.echo("  why:  " + "; ".join(f"{name} {value}" for name, value in why if value is not None), err=True)
    if error.advice is not None:
        click.echo(f"  next: {error.advice}", err=True)


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code. Only a defect shows a traceback."""
    try:
        answer = cli.main(arguments, prog_name="tallystick", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return ExitCode.INTERRUPTED
    except TallystickError as error:
        report_error(error, as_json="--json" in arguments)
        return exit_code_of(error)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.OK
    except Exception:
        traceback.print_exc()
        click.echo("This is a defect of Tallystick. Please report it with the lines above.", err=True)
        return ExitCode.BROKEN
    return answer if isinstance(answer, int) else ExitCode.OK


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
