"""A watcher that is killed at any moment raises each alert exactly once: what a plain fold over the log raises."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api.settings import REPOSITORY
from ledger.attestation.credit_kinds import Disbursement, Enquiry
from ledger.attestation.envelope import parse
from ledger.attestation.risk_kinds import Alert
from ledger.node.keyring import FILE_NAME, _write_once
from ledger.node.node import Node
from ledger.node.watcher import shipped_rules
from ledger.risk.events import event_of
from ledger.risk.features import State, fold
from ledger.risk.signals import Reach, judge
from ledger.store.attestation_rows import attestations_of_batch
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.log_rows import read_entries
from tests.support.checks import ensure_sound, rows_of
from tests.support.ledgers import KEYRING, ORIGIN, SOURCES, Lender, TestDatabase, fresh_database, running_node

pytestmark = pytest.mark.chaos

KILLS = 8
BORROWERS = 40
SEED = 20260131
TODAY = datetime.fromtimestamp(SOURCES.now() / 1000, UTC).date()
Told = tuple[str, bytes, str, bytes | None, int]
"""Audience, subject, rule, account, episode."""


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[TestDatabase]:
    async with fresh_database(postgres) as found:
        yield found


async def start(database: TestDatabase, home: Path, *options: str) -> asyncio.subprocess.Process:
    """A watcher in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TALLYSTICK_", "DATABASE_"))}
    environment = kept | {
        "TALLYSTICK_HOME": str(home), "TALLYSTICK_ORIGIN": ORIGIN, "DATABASE_URL": database.app_dsn,
        "PYTHONPATH": str(REPOSITORY),
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli.main", "watch", "--lawful", "KE", "--json", *options,
        cwd=REPOSITORY, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def publish(node: Node, lenders: list[Lender], dice: random.Random, stop: asyncio.Event) -> None:
    """Loans and enquiries about a few borrowers, at random, until told to stop."""
    subjects = [dice.randbytes(32) for _ in range(BORROWERS)]
    while not stop.is_set():
        lender, subject = dice.choice(lenders), dice.choice(subjects)
        where: dict[str, Any] = {"subject": subject, "effective_date": TODAY}
        if dice.random() < 0.5:
            where |= {"account": None, "role": None}
            batch = [lender.attest("enquiry", Enquiry(depth="hard", purpose="origination"), **where)]
        else:
            where["account"] = dice.randbytes(32)
            paid = Disbursement(amount=100_000, currency="KES", tranche=1)
            batch = [lender.new_loan(**where)[0], lender.attest("disbursement", paid, **where)]
        await node.publisher.publish(lender.name, *lender.batch(batch))
        await asyncio.sleep(0.01)


async def expected(node: Node, lenders: list[Lender]) -> list[Told]:
    """What the log's attestations raise, folded and judged one after the other with nothing of a watcher's."""
    book, states, told = shipped_rules(), dict[bytes, State](), list[Told]()
    size = (await node.log.head()).size
    async with node.database.reading(tenants=[lender.name for lender in lenders]) as connection:
        for entry in await read_entries(connection, 0, size):
            day = datetime.fromtimestamp(entry.committed_at / 1000, UTC).date().toordinal()
            rows = await attestations_of_batch(connection, entry.tenant, entry.batch_id)
            for row, data in zip(rows, await node.sealer.open(rows), strict=True):
                attestation = parse(data or b"")
                event = event_of(
                    attestation.envelope, attestation.body, seen=day, index=entry.idx, position=row.position
                )
                if event is None or row.subject is None:
                    continue
                state = fold(states.setdefault(row.subject, State()), event)
                for lender in state.own:
                    told += [
                        (lender, row.subject, signal.rule.code, signal.account or None, signal.episode)
                        for signal in judge(book, state, lender, day, Reach(None, frozenset()))
                    ]
    return told


async def published(database: TestDatabase, node: Node) -> list[Told]:
    """Every alert that stands on the ledger, out of the attestations themselves."""
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        subjects = [
            row[0] for row in await connection.fetch("SELECT DISTINCT subject FROM attestation WHERE kind = 'alert'")
        ]
    finally:
        await connection.close()
    found: list[Told] = []
    for subject in subjects:
        async with node.database.reading(subject=subject) as reading:
            rows = await reading.fetch("SELECT DISTINCT tenant, batch_id FROM attestation WHERE kind = 'alert'")
            batches = [await attestations_of_batch(reading, row["tenant"], row["batch_id"]) for row in rows]
        for batch in batches:
            alerts = [row for row in batch if row.kind == "alert" and row.subject == subject]
            for data in await node.sealer.open(alerts):
                body = parse(data or b"").body
                assert isinstance(body, Alert)
                found.append((body.audience, subject, body.rule, body.account, body.episode))
    return found


async def test_kills_at_random_moments_neither_double_nor_drop_an_alert(database: TestDatabase, tmp_path: Path) -> None:
    _write_once(tmp_path / FILE_NAME, KEYRING)
    dice, stop = random.Random(SEED), asyncio.Event()
    async with running_node(database) as node:
        lenders = [await Lender(name).enrol(node) for name in ("acacia", "baobab", "cedar")]
        publishing = asyncio.create_task(publish(node, lenders, dice, stop))
        for _ in range(KILLS):
            process = await start(database, tmp_path)
            if dice.random() < 0.8 and process.stdout is not None:
                await process.stdout.readline()  # it works by now
            await asyncio.sleep(dice.random() * 0.4)
            process.send_signal(signal.SIGKILL)
            await process.communicate()
        stop.set()
        await publishing
        last = await start(database, tmp_path, "--once")
        await last.communicate()
        assert last.returncode == 0
        wanted, found = await expected(node, lenders), await published(database, node)
        assert len(wanted) > 50
        assert sorted(found, key=repr) == sorted(wanted, key=repr)
        rows = await rows_of(database, "SELECT tenant, subject, rule, account, episode FROM risk_alert")
        assert sorted(rows, key=repr) == sorted(wanted, key=repr)
    await ensure_sound(database)
