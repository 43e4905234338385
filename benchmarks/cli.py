"""``tallystick bench``: figures that anybody can take again. Ratios are taken in one run; absolutes are this machine's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import click


@click.group(
    "bench", help="Measure this machine.\n\n\b\nExamples:\n  tallystick bench publish --json\n  tallystick bench view"
)
def bench() -> None:
    """The group."""


def _run(measuring: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run on the fast loop where there is one: the client's time is not the server's."""
    try:
        from uvloop import run
    except ImportError:  # no wheel for this platform
        return asyncio.run(measuring)
    return run(measuring)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show(title: str, figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures))
        return
    click.echo(title)
    for name, value in figures.items():
        if name not in ("stages", "profile"):
            click.echo(f"  {name:24} {value:,}" if isinstance(value, int | float) else f"  {name:24} {value}")
    for stage in figures.get("stages", []):
        click.echo("  " + "  ".join(f"{name}={value}" for name, value in stage.items()))
    for row in figures.get("profile", []):
        click.echo(f"  {row['share']:6.1%}  {row['where']}")


@bench.command("publish")
@click.option("--stored", default="10000,1000000", show_default=True, help="Sizes of the ledger to measure at.")
@click.option("--large-book", default=40_000, show_default=True, help="Loans of a last measurement; 0: without it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def publish(stored: str, large_book: int, as_json: bool) -> None:
    """Signed batches over HTTP against the floor (COPY and one UPDATE), interleaved."""
    from benchmarks.publish import measure

    stages = [int(part) for part in stored.split(",")]
    _show("Publishing", _run(measure(stages, large_book, _say)), as_json)


@bench.command("view")
@click.option("--lines", default=12, show_default=True, help="Loans of the borrower that is read.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def view(lines: int, as_json: bool) -> None:
    """Consented credit views over GraphQL: reads a second, and where the time goes."""
    from benchmarks.view import measure

    _show("Reading", _run(measure(lines, _say)), as_json)


@bench.command("verify")
@click.option("--lines", default=12, show_default=True, help="Loans in the bundle.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def verify(lines: int, as_json: bool) -> None:
    """The offline verifier on a bundle: milliseconds, and where the time goes."""
    from benchmarks.verify import measure

    _show("Verifying", _run(measure(lines, _say)), as_json)


@bench.command("contracts")
@click.option("--events", default=20_000, show_default=True, help="Events of the workload, four conditions each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def contracts(events: int, as_json: bool) -> None:
    """Conditions of contracts, a second and core, against plain closures of Python."""
    from benchmarks.contracts import measure

    _show("Executing contracts", measure(events, _say), as_json)


@bench.command("alerts")
@click.option("--alerts", default=300, show_default=True, help="How many alerts to await.")
@click.option("--rate", default=40, show_default=True, help="Publications a second.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def alerts(alerts: int, rate: int, as_json: bool) -> None:
    """From the acknowledgement of a cause to its alert on the ledger; features a second."""
    from benchmarks.alerts import measure

    _show("Early warning", _run(measure(alerts, rate, _say)), as_json)


@bench.command("score")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def score(as_json: bool) -> None:
    """The committed scorecard, reasons included, and the challenger beside it: microseconds a borrower, ratios."""
    from benchmarks.scorecard import measure

    _show("Scoring", measure(), as_json)
