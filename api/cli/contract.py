"""``tallystick contract``: reads a contract as its parties will, before anybody signs.

    tallystick contract check late-fee.toml       every fault by code and path; what it would do on sample events
    tallystick contract library                   the shipped contracts
    tallystick contract library late-fee          the source of one, to start from

Nothing here needs a server or a database: the check and the execution are those of the ledger.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from ledger.contract.check import Examined
    from ledger.contract.document import Document
    from ledger.contract.simulate import Step

FILE_BYTES_MAX = 1024 * 1024
"""How much of a file is read at most: a contract is far shorter, and its own bound says so."""


@click.command(
    "check",
    help="Check a contract and show what it would do.\n\n\b\nExamples:\n"
    "  tallystick contract check late-fee.toml\n"
    "  tallystick contract check late-fee.toml --canonical > late-fee.json",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--canonical", is_flag=True, help="Print the canonical document, the bytes that are signed, and no more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def check(ctx: click.Context, file: Path, canonical: bool, as_json: bool) -> None:
    """Ends with 0 when the contract may be signed and does what its samples expect, else with 1."""
    from ledger.contract.check import examine
    from ledger.contract.document import canonical_bytes
    from ledger.contract.simulate import ordinary_life, simulate
    from ledger.contract.source import read_source

    with file.open("rb") as opened:
        document, samples = read_source(opened.read(FILE_BYTES_MAX))
    examined = examine(document)
    steps = simulate(examined.contract, samples or ordinary_life(document)) if examined.contract else ()
    sound = not examined.faults and all(step.as_expected is not False for step in steps)
    if as_json:
        click.echo(json.dumps(_as_json(document, examined, steps)))
    elif canonical and not examined.faults:
        click.echo(canonical_bytes(document), nl=False)
    else:
        _print(document, examined, steps, shown=not samples)
    ctx.exit(ExitCode.OK if sound else ExitCode.FALSE)


def _as_json(document: Document, examined: Examined, steps: tuple[Step, ...]) -> dict[str, Any]:
    from ledger.contract.document import contract_hash

    return {
        "valid": not examined.faults,
        "hash": contract_hash(document).hex(),
        "title": document.title,
        "faults": [fault.as_dict() for fault in examined.faults],
        "notes": list(examined.notes),
        "effectsPerCause": examined.effects_per_cause,
        "samples": [
            {"say": step.sample.say, "day": step.sample.day.isoformat(), "on": step.sample.on, "does": list(step.does),
             "rules": [effect.rule for effect in step.effects], "asExpected": step.as_expected}
            for step in steps
        ],
    }  # fmt: skip


def _print(document: Document, examined: Examined, steps: tuple[Step, ...], *, shown: bool) -> None:
    from ledger.contract.document import contract_hash

    click.echo(click.style(document.title, bold=True))
    click.echo(f"contract {contract_hash(document).hex()}")
    if examined.faults:
        _print_faults(examined)
        return
    parties = " and ".join(document.parties.roles())
    click.echo(f"{len(document.rules)} rules; signed by {parties}; ends on {document.expires}; at most "
               f"{examined.effects_per_cause} effects of one event")  # fmt: skip
    for rule in document.rules:
        click.echo(f"\n{click.style(rule.id, bold=True)}: {' '.join(rule.prose.split())}")
        click.echo(f"  on {', '.join(rule.on)}, {rule.once}, if {' '.join(rule.when.split())}")
        if rule.otherwise:
            click.echo(f"  without the consent: {', '.join(str(item['effect']) for item in rule.otherwise)}")
    for note in examined.notes:
        click.echo(f"\nnote: {note}")
    _print_steps(steps, shown=shown)


def _print_faults(examined: Examined) -> None:
    click.echo(f"{click.style('not to be signed', fg='red', bold=True)}: {len(examined.faults)} faults\n")
    for fault in examined.faults:
        click.echo(f"{fault.code} at {fault.path}")
        click.echo(f"  {fault.message}")
        for name, value in (("expected", fault.expected), ("found", fault.found)):
            if value is not None:
                click.echo(f"  {name}: {value}")


def _print_steps(steps: tuple[Step, ...], *, shown: bool) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title="On an ordinary loan it would" if shown else "On its samples it does", box=SIMPLE,
                  title_justify="left", pad_edge=False)  # fmt: skip
    for heading in ("day", "what happens", "what the contract does", ""):
        table.add_column(heading, overflow="fold")
    for step in steps:
        does = "\n".join(f"{line}  [{effect.rule}]" for line, effect in zip(step.does, step.effects, strict=True))
        verdict = {None: "", True: "as expected", False: "NOT AS EXPECTED"}[step.as_expected]
        happens = step.sample.say or step.sample.on or "an answer"
        table.add_row(step.sample.day.isoformat(), _plain(happens), _plain(does or "nothing"), verdict)
        if step.as_expected is False:
            table.add_row("", "", _plain("expected: " + ("; ".join(step.sample.expect or ()) or "nothing")), "")
    Console().print(table)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@click.command(
    "library",
    help="List the shipped contracts, or print the source of one.\n\n\b\nExamples:\n"
    "  tallystick contract library\n  tallystick contract library late-fee > my-late-fee.toml",
)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
def library(name: str | None, as_json: bool) -> None:
    """Prints one line for each contract, or one source."""
    from ledger.contract import library as shipped

    if name is not None:
        click.echo(shipped.source_of(name), nl=False)
        return
    found = [(key, shipped.load(key).document) for key in shipped.names()]
    if as_json:
        rows = [{"name": key, "title": document.title, "summary": document.summary} for key, document in found]
        click.echo(json.dumps(rows))
        return
    for key, document in found:
        click.echo(f"{click.style(key, bold=True)}\n  {document.title}. {document.summary}")
