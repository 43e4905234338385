"""``tallystick replay``: executes every contract again from the stored attestations, and compares each effect.

Ends with 0 when every effect is the one that was due, 1 with the faults when one is missing, extra or different, 3 when it
cannot be told. A server may run meanwhile.

    tallystick replay
    tallystick replay --from 1200 --to 1300 --json
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import click

from api import settings
from api.cli.exit_codes import ExitCode
from api.cli.main import report_error
from ledger.errors import InvalidInput, NotFound, Unavailable


@click.command(
    "replay",
    help="Execute every contract again from the log and compare its effects.\n\n\b\nExamples:\n"
    "  tallystick replay\n  tallystick replay --from 1200 --to 1300 --json",
)
@click.option("--from", "first", type=click.IntRange(min=0), default=0, help="First log index of a cause to compare.")
@click.option("--to", "last", type=click.IntRange(min=0), default=None, help="Last log index of a cause to compare.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def replay(first: int, last: int | None, as_json: bool) -> int:
    """Prints what was executed and every fault; 0 the same, 1 faults, 3 cannot tell."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    chosen = settings.load()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("entries")

            def progress(stage: str, done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            found = asyncio.run(_replayed(chosen, first, last, progress))
    except (Unavailable, NotFound, InvalidInput) as error:
        report_error(error, as_json=as_json)
        return ExitCode.CANNOT_TELL
    click.echo(json.dumps(found) if as_json else _text_of(found))
    return ExitCode.OK if not found["faults"] else ExitCode.FALSE


async def _replayed(
    chosen: settings.Settings, first: int, last: int | None, progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    from api.cli.runtime import open_database
    from ledger.node.keyring import FILE_NAME, load_keyring
    from ledger.node.replaying import replay as run

    if not (chosen.home / FILE_NAME).exists():
        raise NotFound("keyring_missing", "this home has no keyring, so nothing can be opened or verified",
                       advice="set TALLYSTICK_HOME to the deployment's folder")  # fmt: skip
    keyring = load_keyring(chosen.home)
    async with open_database(chosen, keyring) as urls:
        done = await run(urls.audit, keyring, origin=chosen.origin, first=first, last=last, progress=progress)
    faults = [
        {
            "code": fault.code, "contract": fault.contract.hex(), "effect": fault.effect.hex(), "rule": fault.rule,
            "causeIndex": fault.index, "causePosition": fault.position,
            "expected": None if fault.expected is None else fault.expected.decode(),
            "found": None if fault.found is None else fault.found.decode(),
        } for fault in done.faults
    ]  # fmt: skip
    return {
        "attestations": done.attestations, "contracts": done.contracts, "executions": done.executions,
        "effects": done.effects, "untold": done.untold, "root": done.root.hex(), "faults": faults,
    }  # fmt: skip


def _text_of(found: dict[str, Any]) -> str:
    lines = [
        f"{found['contracts']:,} contracts, {found['executions']:,} executions, {found['effects']:,} effects due",
        f"hash over all of them: {found['root']}",
    ]
    for fault in found["faults"]:
        where = f"cause at entry {fault['causeIndex']}, place {fault['causePosition']}"
        lines.append(
            f"{click.style('FAULT', fg='red', bold=True)} {fault['code']}: rule {fault['rule']} of contract "
            f"{fault['contract'][:16]}, {where}"
        )
    if found["untold"]:
        lines.append(f"{found['untold']} effects are of contracts that cannot be read any more")
    lines.append("every effect is the one that was due" if not found["faults"] else f"{len(found['faults'])} faults")
    return "\n".join(lines)
