"""``tallystick portfolio``: a lender's loans on any day, counted by the ledger and shown as tables.

    tallystick portfolio --credentials acacia.json                               today
    tallystick portfolio --credentials acacia.json --as-of 2026-06-30 --country KE
    tallystick portfolio --credentials acacia.json --json > portfolio.json       the answer as it came

It asks what anybody could ask over GraphQL (docs/portfolio.md), with the lender's own token, in one query, and computes
nothing itself. Amounts are shown in the currency's own units, shares in per cent; with ``--json`` they are minor units and
basis points. Tables go to stdout, talk to stderr.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import httpx

from api.cli.ledger_client import Credentials, Ledger
from ledger.currency import in_major_units

QUERY: Final = """
query ($asOf: Date!, $since: Date!, $months: Int!, $late: Int!, $country: String!, $classes: Boolean!) {
  portfolio(asOf: $asOf) {
    asOf
    atRisk { currency loans balance late overdue over30 over90 par30Bp par90Bp chargedOff unknown }
    byClass(jurisdiction: $country) @include(if: $classes) { currency code label loans balance overdue }
    heatMap(months: $months) { day currency bucket loans balance overdue }
    rollRates(since: $since) { currency origin target loans balance shareBp }
    vintages(months: $months) { currency opened day age loans lent balance over30Bp over90Bp lostBp }
    worklist(first: $late) { nodes { account currency daysPastDue delinquentDays overdue balance lastPaid flags } }
  }
}"""

Shown = Callable[[dict[str, Any]], str]


def _said(name: str) -> Shown:
    return lambda row: "" if row[name] is None else str(row[name])


def _counted(name: str) -> Shown:
    return lambda row: f"{row[name]:,}"


def _money(name: str) -> Shown:
    return lambda row: in_major_units(int(row[name]), row["currency"])


def _share(name: str) -> Shown:
    return lambda row: "" if row[name] is None else f"{row[name] // 100}.{row[name] % 100:02} %"


Column = tuple[str, Shown]
_CURRENCY: Final[Column] = ("", _said("currency"))
_LOANS: Final[Column] = ("loans", _counted("loans"))
_OWED: Final[tuple[Column, ...]] = (_LOANS, ("balance", _money("balance")), ("overdue", _money("overdue")))

TABLES: Final[tuple[tuple[str, str, tuple[Column, ...]], ...]] = (
    ("atRisk", "At risk", (
        _CURRENCY, _LOANS, ("balance", _money("balance")), ("late", _counted("late")), ("overdue", _money("overdue")),
        ("PAR 30", _share("par30Bp")), ("PAR 90", _share("par90Bp")), ("charged off", _money("chargedOff")),
        ("balance unknown", _counted("unknown")),
    )),
    ("byClass", "By class", (_CURRENCY, ("class", _said("code")), ("", _said("label")), *_OWED)),
    ("heatMap", "By days past due", (("day", _said("day")), _CURRENCY, ("days", _said("bucket")), *_OWED)),
    ("rollRates", "Where the balance went", (
        _CURRENCY, ("from", _said("origin")), ("to", _said("target")), _LOANS, ("balance", _money("balance")),
        ("share", _share("shareBp")),
    )),
    ("vintages", "Vintages", (
        _CURRENCY, ("opened", lambda row: str(row["opened"])[:7]), ("months", _said("age")), _LOANS,
        ("lent", _money("lent")), ("balance", _money("balance")), ("over 30", _share("over30Bp")),
        ("over 90", _share("over90Bp")), ("lost", _share("lostBp")),
    )),
    ("worklist", "Whom to call first", (
        ("account", _said("account")), ("days", _said("daysPastDue")), ("delinquent", _said("delinquentDays")),
        _CURRENCY, ("overdue", _money("overdue")), ("balance", _money("balance")), ("last paid", _said("lastPaid")),
        ("", lambda row: " ".join(row["flags"])),
    )),
)  # fmt: skip
"""(field, title, columns) of each table."""


@click.command(
    "portfolio",
    help="A lender's portfolio on any day: at risk, by class, by days past due, rolls, vintages, whom to call.\n\n\b\n"
    "Examples:\n  tallystick portfolio --credentials acacia.json\n"
    "  tallystick portfolio --credentials acacia.json --as-of 2026-06-30 --country KE",
)
@click.option("--credentials", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
              help="The lender's credentials file.")  # fmt: skip
@click.option("--url", help="Where the server is; default: what the credentials say.")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day to count on, past or to come; default: today."
)
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Rolls begin on this day; default: the last month end."
)
@click.option("--months", type=click.IntRange(0, 36), default=3, show_default=True, help="Month ends before the day.")
@click.option(
    "--worklist", "late", type=click.IntRange(1, 100), default=20, show_default=True, help="Late loans shown."
)
@click.option("--country", default="", help="By whose classes to count, such as KE; default: no classes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def portfolio(
    credentials: Path, url: str | None, as_of: datetime | None, since: datetime | None, months: int, late: int,
    country: str, as_json: bool,
) -> None:  # fmt: skip
    """Asks once and prints what the ledger counted."""
    lender = Credentials.load(credentials)
    lender = lender if url is None else replace(lender, url=url.rstrip("/"))
    day = datetime.now(UTC).date() if as_of is None else as_of.date()
    start = day.replace(day=1) - timedelta(days=1) if since is None else since.date()
    click.echo(f"{lender.tenant}'s loans on {day}, rolls since {start}, from {lender.url}", err=True)
    found = asyncio.run(asked(lender, day, start, months=months, late=late, country=country))
    click.echo(json.dumps(found)) if as_json else show(found)


async def asked(
    lender: Credentials, day: date, since: date, *, months: int, late: int, country: str,
    client: httpx.AsyncClient | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The ledger's answer; ``byClass`` is not in it without a country. Raises what the ledger answers."""
    variables = {
        "asOf": day.isoformat(), "since": since.isoformat(), "months": months, "late": late, "country": country,
        "classes": bool(country),
    }  # fmt: skip
    async with client or httpx.AsyncClient(timeout=120) as reached:
        found: dict[str, Any] = (await Ledger(reached, lender).ask(QUERY, **variables))["portfolio"]
    return found


def show(found: dict[str, Any]) -> None:
    """The tables, on stdout; one without rows is a line."""
    for name, title, columns in TABLES:
        rows = found.get(name)
        if rows is not None:
            _print(title, columns, rows["nodes"] if name == "worklist" else rows)


def _print(title: str, columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        click.echo(f"{title}: none")
        return
    table = Table(title=title, box=SIMPLE, title_justify="left", pad_edge=False)
    for heading, _ in columns:
        table.add_column(heading, overflow="fold", justify="left")
    for row in rows:
        table.add_row(*(escape(shown(row)) for _, shown in columns))
    Console().print(table)
