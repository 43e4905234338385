"""What ``tallystick demo`` says while it runs, and at its end: a table for people, one JSON value for programs.

- While it runs: one line a step on stderr; bars for the long ones where stderr is a terminal.
- At the end, on stdout: the table, or with ``--json`` the facts as they are.
- What is synthetic or assigned is called so, in both.

    telling = Telling()
    with telling.bars("publishing") as bar: bar("Acacia Bank", 512, 4096)
    telling.row("Publish", "Three lenders sign what they know", "1,997 records")

It decides nothing: demo_steps.py does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

Bar = Callable[[str, int, int], None]
"""(name, done, in all): called now and then."""


class Row(NamedTuple):
    """One line of the table: the step, what happened in it, what it came to, and how long it took (seconds)."""

    step: str
    told: str
    figures: str
    seconds: float


class Telling:
    """Collects the rows of a demo and says each on stderr as it comes."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._since = time.monotonic()

    def row(self, step: str, told: str, figures: str) -> float:
        """A step is done; gives the seconds that it took."""
        now = time.monotonic()
        taken, self._since = now - self._since, now
        self.rows.append(Row(step, told, figures, taken))
        click.echo(f"{click.style('✓', fg='green')} {step}: {figures}", err=True)
        return round(taken, 3)

    @contextmanager
    def bars(self) -> Iterator[Bar | None]:
        """Bars on stderr where that is a terminal; None elsewhere."""
        if not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            tasks: dict[str, TaskID] = {}
            reached: dict[str, int] = {}

            def told(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bars.add_task(name, total=total)
                reached[name] = max(reached.get(name, 0), done)  # batches are answered in any order
                bars.update(tasks[name], completed=reached[name], total=total)

            yield told


def print_table(telling: Telling, facts: dict[str, Any]) -> None:
    """The whole demo as a table on stdout, with what it rests on below."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=_title(facts), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Step", style="bold", no_wrap=True)
    table.add_column("What happened", ratio=3)
    table.add_column("Figures", ratio=2)
    table.add_column("Seconds", justify="right")
    for row in telling.rows:
        table.add_row(row.step, row.told, row.figures, f"{row.seconds:.2f}")
    console = Console(highlight=False, emoji=False, markup=False)
    console.print(table)
    console.print(_life_of_a_loan(facts["after_loan"]))
    for line in _explained(facts["after_loan"]):
        console.print(line)
    console.print()
    for line in _footnotes(facts):
        console.print(line)


def _life_of_a_loan(told: dict[str, Any]) -> Any:
    """Each step of the after-loan story, with what its countries call the loan on that day."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = "After the loan: one invented borrower's loans, day by day"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Day", no_wrap=True)
    table.add_column("Lender", no_wrap=True)
    table.add_column("What happened", ratio=1)
    table.add_column("Late", justify="right")
    for name in ("US", "India", "Proof"):
        table.add_column(name, no_wrap=True)
    for step in told["steps"]:
        proof = f"{step['index']} ✓" if step["proof"] else "-"
        classes = (step["class"] or "-", step["class_elsewhere"]["IN"] or "-")
        table.add_row(step["day"], step["lender"].split()[0], step["event"], str(step["dpd"]), *classes, proof)
    return table


def _explained(told: dict[str, Any]) -> list[str]:
    found = told["explained"]
    return [
        f"Why {found['days_past_due']} days late on {found['day']}, asked at the end: "
        + " ".join(f"[rule {one['rule']}] {one['sentence']}" for one in found["reasons"]),
        "Late: days past due. Proof: the log entry that was checked. US: the Metro 2 status (11 current, 13 paid);"
        " India: the SMA list (SMA-0: 1 to 30 days). The days are the same, what they are called is each country's.",
        f"{told['proofs']} proofs were checked by this command, each up to a checkpoint that the log signed; the fee's"
        f" record with one digit changed was {told['tampered_effect']['outcome']}.",
    ]


def _title(facts: dict[str, Any]) -> str:
    data = "invented data" if facts["synthetic"] else "your file"
    return f"Tallystick: a lender's file, shared, read under consent and checked ({data}, simulated parties)"


def _footnotes(facts: dict[str, Any]) -> list[str]:
    lines = [f"Input: {facts['input']}"]
    if facts["synthetic"]:
        lines = [f"Input: {facts['records_in']:,} invented accounts from our own generator; nobody in it is real."]
    if facts["subject_rule"] == "assigned":
        lines.append(
            f"The file names nobody, so its accounts were dealt to {facts['borrowers']:,} invented borrowers by a"
            " seeded rule, about three accounts each: who owes which loans together is not real."
        )
    lines += [f"line {entry['line']} of the file was rejected: {entry['rule']}" for entry in facts["rejected"][:5]]
    mismatches = facts["trailer_mismatches"]
    if mismatches:
        shown = ", ".join(f"{one['field']} {one['declared']} (counted {one['found']})" for one in mismatches[:3])
        more = f" and {len(mismatches) - 3} more" if len(mismatches) > 3 else ""
        lines.append(f"The file's trailer does not match its records: {shown}{more}.")
    lines.append(
        "The borrower of the second table is invented, whatever the file; its past days were begun one by one today."
    )
    lines.append("The lenders, the bureau, the app and the borrower's clicks were simulated by this command;")
    lines.append("the server, the database, the signatures, the proofs and the verifier were real.")
    lines.append(f"{facts['seconds']:.1f} seconds in all.")
    return lines
