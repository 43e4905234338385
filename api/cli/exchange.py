"""`tallystick import metro2` and `tallystick export metro2`: what a lender types, and what it is told.

- Both speak to a server over HTTP with a credentials file; neither opens a database.
- The summary is a table, or one JSON value with `--json`; a progress bar is drawn on stderr when that is a terminal.
- An import with rejects ends well (0): the rejects are in the report and, with `--rejects`, in a file.
- An export that was compared and differs ends with 1.

The work is in exchange_runs.py, which programs may call as well.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from api.cli.exchange_runs import export_file, import_file
from api.cli.exit_codes import ExitCode
from api.cli.ledger_client import Credentials
from api.settings import load
from crosschain.metro2.importer import BATCH_SIZE_MIN
from crosschain.metro2.subjects import RULES
from ledger.limits import BATCH_ATTESTATIONS_MAX

__all__ = ["export_file", "export_metro2", "import_file", "import_metro2"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_REJECTS_SHOWN = 10

Told = Callable[[int, int], None]


@click.command("metro2")
@click.argument("file", type=_FILE)
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day that the file speaks of.")
@click.option("--credentials", type=_FILE, required=True, help="The lender's credentials file.")
@click.option("--url", help="Where the server is; default: what the credentials say.")
@click.option("--subject-rule", type=click.Choice(RULES), default="national-id", show_default=True,
              help="How a record names its borrower; 'assigned' invents one, for de-identified files.")  # fmt: skip
@click.option("--borrowers", type=click.IntRange(min=1), help="Borrowers that 'assigned' deals accounts to; "
              "default: a third of the file's lines.")  # fmt: skip
@click.option("--rejects", type=_NEW_FILE, help="Write rejected records there (NDJSON; may hold personal data).")
@click.option("--batch-size", type=click.IntRange(BATCH_SIZE_MIN, BATCH_ATTESTATIONS_MAX),
              default=BATCH_ATTESTATIONS_MAX, show_default=True, help="Attestations in a batch, at most.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON value on stdout.")
def import_metro2(
    file: Path,
    as_of: datetime,
    credentials: Path,
    url: str | None,
    subject_rule: str,
    borrowers: int | None,
    rejects: Path | None,
    batch_size: int,
    as_json: bool,
) -> None:
    """Publish a Metro 2 file (text, packed or zip) as signed attestations.

    Stopped half way, the same command goes on where it was: nothing is published twice.

    \b
    Example:
      tallystick import metro2 accounts.zip --as-of 2026-03-31 --credentials acacia.json
    """
    lender = _lender(credentials, url)
    with _progress("importing") as told:
        report = asyncio.run(
            import_file(
                file,
                lender,
                as_of=as_of.date(),
                subject_rule_name=subject_rule,
                borrowers=borrowers,
                batch_size=batch_size,
                journal=load().home / "imports",
                rejects=rejects,
                progress=told,
            )
        )
    if as_json:
        click.echo(json.dumps(report))
        return
    _show_import(report)


@click.command("metro2")
@click.option("--credentials", type=_FILE, required=True, multiple=True,
              help="A lender's credentials file; once for each lender.")  # fmt: skip
@click.option("--url", help="Where the server is; default: what the credentials say.")
@click.option("--import", "import_id", help="Id of the import to write back; default: each lender's latest.")
@click.option("--out", type=_NEW_FILE, required=True, help="The file to write.")
@click.option("--header", type=_FILE, help="A file whose header record is used; default: a fresh one.")
@click.option("--compare", "compare_with", type=_FILE, help="Hold the written records against this file's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON value on stdout.")
def export_metro2(
    credentials: tuple[Path, ...],
    url: str | None,
    import_id: str | None,
    out: Path,
    header: Path | None,
    compare_with: Path | None,
    as_json: bool,
) -> int:
    """Write an import back as the Metro 2 file it came from.

    \b
    Example:
      tallystick export metro2 --credentials acacia.json --out accounts.txt --compare original.txt
    """
    lenders = [_lender(path, url) for path in credentials]
    report = asyncio.run(
        export_file(
            lenders,
            out=out,
            created=_today(),
            import_id=import_id,
            compare_with=compare_with,
            header_of=header,
        )
    )
    click.echo(json.dumps(report)) if as_json else _show("Exported", report)
    return ExitCode.FALSE if report.get("differing") or report.get("missing") else ExitCode.OK


def _lender(path: Path, url: str | None) -> Credentials:
    found = Credentials.load(path)
    return found if url is None else replace(found, url=url.rstrip("/"))


def _today() -> date:
    return datetime.now(UTC).date()


@contextmanager
def _progress(what: str) -> Iterator[Told | None]:
    """A bar on stderr where that is a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        reached = 0

        def told(done: int, total: int) -> None:
            nonlocal reached
            reached = max(reached, done)  # batches are answered in any order
            bar.update(task, completed=reached, total=total)

        yield told


def _show_import(report: dict[str, Any]) -> None:
    rejected, mismatches = report.pop("rejected"), report.pop("trailer_mismatches")
    report["kinds"] = ", ".join(f"{kind} {count:,}" for kind, count in report["kinds"].items())
    report["warnings"] = ", ".join(f"{code} {count:,}" for code, count in report["warnings"].items())
    report["trailer_mismatches"] = ", ".join(
        f"{entry['field']} {entry['declared']} (found {entry['found']})" for entry in mismatches[:3]
    ) + (f" and {len(mismatches) - 3} more" if len(mismatches) > 3 else "")
    _show("Imported", report)
    for entry in rejected[:_REJECTS_SHOWN]:
        click.echo(f"line {entry['line']}: {entry['rule']} at {entry['field']} ({entry['value']})", err=True)
    if report["subject_rule"] == "assigned":
        told = f"The file names nobody: its accounts were dealt to {report['borrowers']:,} invented borrowers."
        click.echo(told, err=True)


def _show(title: str, report: dict[str, Any]) -> None:
    table = Table(title=title, show_header=False)
    for name, value in report.items():
        if value not in (None, ""):
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            table.add_row(name.replace("_", " "), shown)
    Console().print(table)
