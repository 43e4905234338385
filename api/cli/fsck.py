"""``tallystick fsck``: rebuilds the whole ledger from storage and compares; a server may run meanwhile.

Ends with 0 when everything holds, 1 with the faults when something does not, 3 when it cannot be told: no database, no
log, or a role that does not see every row.

    tallystick fsck
    DATABASE_URL=... DATABASE_AUDIT_URL=... tallystick fsck --json
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import click

from api import settings
from api.cli.exit_codes import ExitCode
from api.cli.main import report_error
from ledger.errors import InvalidInput, NotFound, Unavailable
from ledger.node.fsck_report import FsckReport


@click.command(
    "fsck",
    help="Rebuild the whole ledger from storage and compare.\n\n\b\nExamples:\n"
    "  tallystick fsck\n  tallystick fsck --json",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def fsck(as_json: bool) -> int:
    """Prints what was checked and every fault; 0 clean, 1 faults, 3 cannot tell."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    chosen = settings.load()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            tasks: dict[str, TaskID] = {}

            def progress(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage)
                bars.update(tasks[stage], completed=done, total=total)

            report = asyncio.run(_check(chosen, progress))
    except (Unavailable, NotFound, InvalidInput) as error:
        report_error(error, as_json=as_json)
        return ExitCode.CANNOT_TELL
    click.echo(json.dumps(report.as_dict()) if as_json else _text_of(report))
    return ExitCode.OK if report.ok else ExitCode.FALSE


async def _check(chosen: settings.Settings, progress: Callable[[str, int, int], None]) -> FsckReport:
    from api.cli.runtime import open_database
    from ledger.node.fsck import fsck as check
    from ledger.node.keyring import FILE_NAME, load_keyring

    if not (chosen.home / FILE_NAME).exists():
        raise NotFound("keyring_missing", "this home has no keyring, so nothing can be opened or verified",
                       advice="set TALLYSTICK_HOME to the deployment's folder")  # fmt: skip
    keyring = load_keyring(chosen.home)
    async with open_database(chosen, keyring) as urls:
        return await check(urls.audit, keyring, origin=chosen.origin, home=chosen.home, progress=progress)


def _text_of(report: FsckReport) -> str:
    lines = [f"log of {report.size} entries, root {report.root.hex()}"]
    lines += [f"  {count:>12,} {name.replace('_', ' ')}" for name, count in sorted(report.checked.items())]
    for fault in report.faults:
        lines.append(f"{click.style('FAULT', fg='red', bold=True)} {fault.code} at {fault.where}: {fault.message}")
    if report.fault_count > len(report.faults):
        lines.append(f"... and {report.fault_count - len(report.faults)} more")
    lines.append("everything holds" if report.ok else f"{report.fault_count} faults: stop publishing, keep this output")
    return "\n".join(lines)
