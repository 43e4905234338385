"""``tallystick test``: the project's own tests, by pytest, from the checkout's root.

Whatever follows goes to pytest as it is, paths relative to the checkout; its exit code is ours. The process becomes
pytest: no parent waits beside it.
"""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from api.settings import REPOSITORY

WHOLE_SUITE: Final = ("--numprocesses=2", "--dist=worksteal")
"""How the whole suite runs: two processes, the least number of cores that a machine for tests has. A part of it that is
named runs in one, where its output is in order."""


@click.command(
    "test",
    context_settings={"ignore_unknown_options": True},
    help="Run the project's tests.\n\n\b\nExamples:\n  tallystick test\n"
    "  tallystick test tests/ledger -k merkle\n  tallystick test -x --durations=10",
)
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def run_tests(pytest_arguments: tuple[str, ...]) -> None:
    """Replaces this process by pytest."""
    os.chdir(REPOSITORY)
    sys.stdout.flush()
    chosen = pytest_arguments or WHOLE_SUITE
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *chosen])  # noqa: S606
