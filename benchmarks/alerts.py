"""``bench alerts``: from the acknowledgement of a cause to its alert on the ledger, and features a second.

A real server and a real ``tallystick watch``, each a process of its own over one fresh database. Lenders publish enquiries,
disbursements and repayments over HTTP at a bounded rate, from which three kinds of alerts follow:
- ``stacking_enquiries_7``: the third enquiry elsewhere about a borrower of acacia's;
- ``stacking_loans_7``: the second loan elsewhere;
- ``round_trip``: the second instalment at acacia that is paid right after a loan from baobab.

The clock of a cause stops when its HTTP answer has come: by then its lender knows that it is committed. An alert has come
when an independent reader, with a connection of its own to the database, sees its committed entry in the log; it looks
every few milliseconds. Beside it, lenders publish repayments that cause nothing.

``features_per_s``: events of borrowers at three lenders folded on one core; ``judged_per_s``: folded, and judged by every
shipped rule for one lender after each event.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from benchmarks.publish import Publishing
from benchmarks.server import ORIGIN, REPOSITORY, Server, running_server
from benchmarks.wire import Connection
from benchmarks.workload import SOURCES, SignedBatch, Workload
from ledger.attestation.credit_kinds import Agreement, Disbursement, Enquiry, Repayment, Schedule, ScheduleRow
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.node.watcher import shipped_rules
from ledger.risk.borrower import Event, State
from ledger.risk.features import fold
from ledger.risk.signals import EVERYBODY, judge

LENDERS = ("acacia", "baobab", "cedar")
RULES = ("stacking_enquiries_7", "stacking_loans_7", "round_trip")
LOOK_S = 0.004
"""How often the reader looks: part of what is measured."""
WAIT_LOOKS = 600
"""How often, every 50 ms, the last alerts are waited for."""

Say = Callable[[str], None]
Key = tuple[bytes, str]
"""(subject, rule) of an awaited alert."""

_SEEN = """
SELECT e.idx, r.subject, r.rule FROM entry e
  JOIN attestation a ON (a.log_id, a.tenant, a.batch_id) = (e.log_id, e.tenant, e.batch_id)
  JOIN risk_alert r ON r.log_id = a.log_id AND r.id = a.id
 WHERE e.log_id = 1 AND e.tenant = 'tallystick' AND e.idx > $1 ORDER BY e.idx
"""


@dataclass(frozen=True)
class Planned:
    """A publication: whose, what, and the alert that it is the last cause of."""

    lender: str
    kinds: tuple[tuple[str, Body], ...]
    account: bytes | None
    subject: bytes
    awaited: Key | None = None


@dataclass
class Reader:
    """Sees alerts come, from outside."""

    admin: Any
    seen: dict[Key, float] = field(default_factory=dict)
    newest: int = -1

    async def look(self) -> None:
        """Note every alert that came since."""
        for idx, subject, rule in await self.admin.fetch(_SEEN, self.newest):
            self.seen.setdefault((subject, rule), time.perf_counter())
            self.newest = max(self.newest, idx)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)


async def measure(alerts: int, rate: int, say: Say) -> dict[str, Any]:
    """Await ``alerts`` alerts while publications come at ``rate`` a second."""
    say("folding")
    folded, judged = features_speed()
    async with running_server() as server:
        lenders = {name: Workload(name, ORIGIN, seed) for seed, name in enumerate(LENDERS)}
        for name, workload in lenders.items():
            await server.enrol(name, "LENDER", workload.key.public_jwk())
        posts = {name: Publishing(server, each, await server.token(name, ["lender"])) for name, each in lenders.items()}
        borrowers = [(os.urandom(32), RULES[n % len(RULES)]) for n in range(alerts)]
        await _prepare(server, posts, borrowers, say)
        process = await _watching(server)
        try:
            acked, seen = await _play(server, posts, borrowers, rate, say)
        finally:
            process.terminate()
            await process.wait()
    late = sorted((seen[key] - acked[key]) * 1e3 for key in acked if key in seen)
    return {
        "alerts": len(late), "missing": len(acked) - len(late), "publications_per_s": rate,
        "p50_ms": _at(late, 50), "p90_ms": _at(late, 90), "p99_ms": _at(late, 99), "max_ms": round(late[-1], 1),
        "features_per_s": folded, "judged_per_s": judged,
    }  # fmt: skip


def _at(values: list[float], percent: int) -> float:
    return round(values[min(len(values) * percent // 100, len(values) - 1)], 1)


async def _prepare(server: Server, posts: dict[str, Publishing], borrowers: list[tuple[bytes, str]], say: Say) -> None:
    """A loan of acacia's for every borrower, with two instalments that are due soon; and a quiet book beside."""
    today = _today()
    publishing, batch = posts["acacia"], []
    for subject, _ in borrowers:
        account = _account(subject)
        rows = tuple(
            ScheduleRow(due=today + timedelta(days=days), n=n, principal=1_000) for n, days in ((1, 1), (2, 3))
        )
        terms = Agreement(currency="KES", portfolio_type="instalment", principal=2_000)
        for kind, body in (
            ("agreement", terms), ("disbursement", Disbursement(amount=2_000, currency="KES", tranche=1)),
            ("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1)),
        ):  # fmt: skip
            batch.append(_attest("acacia", kind, body, account, subject, today - timedelta(days=60)))
    connection = await Connection.open(server.base_url)
    for at in range(0, len(batch), 900):
        await publishing.post(connection, publishing.workload.signed(batch[at : at + 900]))
    for quiet in posts["cedar"].workload.new_loans(2_000):
        await posts["cedar"].post(connection, quiet)
    connection.close()
    say(f"{len(borrowers)} borrowers are ready")


async def _watching(server: Server) -> asyncio.subprocess.Process:
    environment = os.environ | {"TALLYSTICK_HOME": str(server.home), "TALLYSTICK_ORIGIN": ORIGIN}
    environment.pop("DATABASE_URL", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli.main", "watch", "--lawful", "KE", "--json",
        cwd=REPOSITORY, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if process.stdout is None:
        raise RuntimeError("the watcher has no output")
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    if not ready.get("ready"):
        raise RuntimeError(f"the watcher did not start: {ready}")
    return process


async def _play(
    server: Server, posts: dict[str, Publishing], borrowers: list[tuple[bytes, str]], rate: int, say: Say
) -> tuple[dict[Key, float], dict[Key, float]]:
    reader, acked = Reader(server.admin), dict[Key, float]()
    await _caught_up(server)
    await reader.look()
    before = set(reader.seen)
    looking = asyncio.create_task(reader.run())
    plans = _plans(borrowers)
    free = [await Connection.open(server.base_url) for _ in range(8)]
    under_way: set[asyncio.Task[None]] = set()

    last: dict[bytes, asyncio.Task[None]] = {}

    async def publish(
        lender: str, batch: SignedBatch, awaited: Key | None, before: asyncio.Task[None] | None = None
    ) -> None:
        if before is not None:
            await before  # what is about one borrower comes in its order
        connection = free.pop() if free else await Connection.open(server.base_url)
        await posts[lender].post(connection, batch)
        if awaited is not None:
            acked[awaited] = time.perf_counter()
        free.append(connection)

    began = time.perf_counter()
    for number, plan in enumerate(plans):
        await asyncio.sleep(max(began + number / rate - time.perf_counter(), 0))
        batch = posts[plan.lender].workload.signed(_attestations(plan))
        before = last.get(plan.subject)
        task = asyncio.create_task(publish(plan.lender, batch, plan.awaited, before))
        last[plan.subject] = task
        under_way.add(task)
        if number % 4 == 0:
            quiet = posts["cedar"].workload.repayments(10)
            under_way.add(asyncio.create_task(publish("cedar", quiet, None)))
    await asyncio.gather(*under_way)
    say(f"{len(plans)} publications in {time.perf_counter() - began:.0f} s")
    for _ in range(WAIT_LOOKS):
        if not acked.keys() - reader.seen.keys():
            break
        await asyncio.sleep(0.05)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    if before & acked.keys():
        raise RuntimeError("an alert was there before its cause")
    return acked, reader.seen


async def _caught_up(server: Server) -> None:
    """Wait until the watcher took in what was prepared."""
    for _ in range(1_200):
        behind = await server.admin.fetchval(
            "SELECT h.size - coalesce((SELECT idx FROM risk_cursor), 0) FROM head h WHERE h.log_id = 1"
        )
        if behind == 0:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("the watcher does not catch up")


def _plans(borrowers: list[tuple[bytes, str]]) -> list[Planned]:
    """Every publication about every borrower; those of different borrowers interleaved, each borrower's in order."""
    loan = (
        ("agreement", Agreement(currency="KES", portfolio_type="instalment", principal=5_000)),
        ("disbursement", Disbursement(amount=5_000, currency="KES", tranche=1)),
    )
    paid = (("repayment", Repayment(amount=1_000, channel="mobile", currency="KES")),)
    asked = (("enquiry", Enquiry(depth="hard", purpose="origination")),)
    lives = []
    for subject, rule in borrowers:
        awaited = (subject, rule)
        if rule == "stacking_enquiries_7":
            steps = [(lender, asked, None) for lender in ("baobab", "cedar", "baobab")]
        elif rule == "stacking_loans_7":
            steps = [(lender, loan, os.urandom(32)) for lender in ("baobab", "cedar")]
        else:
            own = _account(subject)
            steps = [("baobab", loan, os.urandom(32)), ("acacia", paid, own), ("acacia", paid, own)]
        last = len(steps) - 1
        lives.append([
            Planned(lender, kinds, account, subject, awaited if n == last else None)
            for n, (lender, kinds, account) in enumerate(steps)
        ])  # fmt: skip
    random.Random(1).shuffle(lives)
    width = 24  # so that a borrower's events are a second apart, and never wait for each other
    return [
        life[n]
        for at in range(0, len(lives), width)
        for n in range(3)
        for life in lives[at : at + width]
        if n < len(life)
    ]


def _attestations(plan: Planned) -> list[Attestation]:
    return [_attest(plan.lender, kind, body, plan.account, plan.subject, _today()) for kind, body in plan.kinds]


def _attest(lender: str, kind: str, body: Body, account: bytes | None, subject: bytes, day: date) -> Attestation:
    fields: dict[str, Any] = {
        "account": account, "effective_date": day, "id": SOURCES.new_id(), "jurisdiction": "KE", "kind": kind,
        "legal_basis": "contract", "reported_at": SOURCES.now(), "role": None if account is None else "borrower",
        "salt": os.urandom(16), "subject": subject, "tenant": lender,
    }  # fmt: skip
    return compose(fields, body)


def _account(subject: bytes) -> bytes:
    return subject[::-1]


def _today() -> date:
    return datetime.fromtimestamp(SOURCES.now() / 1000, UTC).date()


def features_speed(borrowers: int = 400) -> tuple[int, int]:
    """(events folded a second, events folded and judged for one lender a second) on one core."""
    lives = [_life(random.Random(seed)) for seed in range(borrowers)]
    count = sum(map(len, lives))
    began = time.process_time()
    for life in lives:
        state = State()
        for event in life:
            fold(state, event)
    folded = count / (time.process_time() - began)
    book = shipped_rules()
    began = time.process_time()
    for life in lives[: borrowers // 8]:
        state = State()
        for event in life:
            fold(state, event)
            judge(book, state, "acacia", event.seen, EVERYBODY)
    return round(folded), round(sum(map(len, lives[: borrowers // 8])) / (time.process_time() - began))


def _life(chance: random.Random) -> list[Event]:
    """Two years of a borrower at three lenders: loans, instalments paid early, late or not, enquiries."""
    found, first = [], 739_000
    for n, lender in enumerate(LENDERS):
        account, opened = bytes([n]) * 32, first + chance.randrange(200)
        rows = tuple((opened + 30 * month, 1_000) for month in range(1, 19))
        found.append(Event("disbursement", opened, opened, lender, account, 18_000))
        found.append(Event("schedule", opened, opened, lender, account, rows=rows))
        for due, amount in rows:
            paid = due + chance.choice((-6, -6, -3, 0, 1, 3, 8))
            if chance.random() > 0.05:
                found.append(Event("repayment", paid, paid, lender, account, amount))
        for _ in range(4):
            asked = first + chance.randrange(600)
            found.append(Event("enquiry", asked, asked, lender))
    return sorted(found, key=lambda event: event.seen)
