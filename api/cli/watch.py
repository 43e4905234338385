"""``tallystick watch``: early warning as a process of its own, beside any number of servers.

    tallystick watch                                  follow the ledger until told to stop
    tallystick watch --once                           take in what is committed and due, then end
    tallystick watch --rules rules.toml --lawful KE   rules of one's own; lenders in Kenya hear of counts by law

It opens the ledger as a server does, over the same database and with the same keyring, and publishes alerts as the
deployment. Servers do nothing for it: without this process there is no early warning and no cost. Two of them do no
harm; one does the work. ``--lawful`` is the operator's statement of law: everywhere else, a lender hears of other
lenders only under the borrower's consent for monitoring.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from api import settings


@click.command(
    "watch",
    help="Follow the ledger and publish alerts.\n\n\b\nExamples:\n  tallystick watch\n  tallystick watch --once --json",
)
@click.option("--once", is_flag=True, help="Take in what is committed and due now, then end.")
@click.option(
    "--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A document of rules (TOML)."
)
@click.option("--lawful", multiple=True, metavar="COUNTRY", help="Where the law lets lenders hear without consent.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def watch(once: bool, rules: Path | None, lawful: tuple[str, ...], as_json: bool) -> None:
    """Watches until it is told to stop."""
    document = None if rules is None else rules.read_bytes()
    with asyncio.Runner() as runner:
        runner.run(_watch(settings.load(), document, frozenset(lawful), once, as_json))


async def _watch(
    chosen: settings.Settings, document: bytes | None, lawful: frozenset[str], once: bool, as_json: bool
) -> None:
    from api.cli.runtime import open_database
    from ledger.node.keyring import load_keyring
    from ledger.node.node import Node
    from ledger.node.watcher import Watcher, shipped_rules
    from ledger.risk.signals import read_rules

    book = shipped_rules() if document is None else read_rules(document)
    keyring = load_keyring(chosen.home)
    async with open_database(chosen, keyring) as urls:
        # No folder: the checkpoint beside the database is the server's to write.
        node = await Node.open(urls.app, keyring, origin=chosen.origin, home=None)
        try:
            watcher = Watcher(node, book, law=lawful.__contains__)
            if once:
                await watcher.catch_up()
            else:
                asked = _listen()  # before it says that it is ready: whoever reads that may stop it at once
                _say(
                    as_json, {"ready": True, "rules": book.digest.hex()}, f"watching by rules {book.digest.hex()[:16]}"
                )
                await _until(asked, watcher.run())
            done = watcher.watched
            figures = {"attestations": done.attestations, "alerts": done.alerts, "rounds": done.rounds}
            _say(as_json, figures, f"{done.attestations} attestations taken in, {done.alerts} alerts published")
        finally:
            await node.close()


def _listen() -> asyncio.Event:
    """From now on a signal to stop sets the event, and ends nothing by itself."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    return asked


async def _until(asked: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    task, waiting = asyncio.create_task(work), asyncio.create_task(asked.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _say(as_json: bool, figures: dict[str, object], text: str) -> None:
    click.echo(json.dumps(figures) if as_json else text)
