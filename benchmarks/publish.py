"""``bench publish``: signed batches over HTTP against the floor, interleaved in one run.

What is measured at each size of the ledger, rounds of ours and of the floor in turn, medians over the rounds:
- ``attestations_per_s``: batches of 1,000 repayments on loans chosen at random, posted by several connections to a
  server in its own process; an answer counts when it came, after COMMIT, with its proof.
- ``floor_per_s``: see floor.py; one connection, one batch after another.
- ``growth``: the cost of an attestation at the last size over that at the first, with the same book of loans: two
  ledgers, one of each size, in turn, since a machine that slows down meanwhile would look like growth. ``large_book``:
  the last stage once more with ten times the loans, whose rows lie ten times as far apart.
- ``one``: batches of one from several publishers at once, which is what group commit is for, as elapsed time a batch,
  against a bare durable INSERT; ``one_alone``: a single publisher that waits for each answer, request to answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

from benchmarks.floor import Floor
from benchmarks.server import ORIGIN, Server, running_server
from benchmarks.wire import Connection
from benchmarks.workload import SignedBatch, Workload

LENDER = "acacia"
BATCH = 1_000
CONNECTIONS = 8
ROUNDS = 7
BATCHES_A_ROUND = 24
ONES = 300
WAL_FILES = 32
"""``min_wal_size`` in files of 16 MB: as many as PostgreSQL keeps, and more than the rounds of ``growth`` fill."""

LOANS = 4_000
"""Loans of the book while the ledger grows, so that ``growth`` is the ledger's alone."""

Say = Callable[[str], None]


class Publishing:
    """A server under measurement with the lender's token and connections."""

    def __init__(self, server: Server, workload: Workload, token: str) -> None:
        self.server, self.workload = server, workload
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        self._connections: list[Connection] = []
        self.stored = 0

    async def connect(self) -> None:
        """Open the connections."""
        self._connections = [await Connection.open(self.server.base_url) for _ in range(CONNECTIONS)]

    async def post(self, connection: Connection, batch: SignedBatch) -> None:
        """Publish one batch; raises RuntimeError when it is refused."""
        headers = self._headers | {"Tallystick-Statement": batch.token.decode()}
        status, answer = await connection.post("/v1/batches", batch.body, headers)
        if status != 200:
            raise RuntimeError(f"publish answered {status}: {answer[:300]!r}")
        self.stored += len(batch.attestations)

    async def post_all(self, batches: list[SignedBatch], connections: int = CONNECTIONS) -> float:
        """Publish batches over several connections; seconds it took."""
        waiting = list(reversed(batches))

        async def work(connection: Connection) -> None:
            while waiting:
                await self.post(connection, waiting.pop())

        began = time.perf_counter()
        await asyncio.gather(*(work(connection) for connection in self._connections[:connections]))
        return time.perf_counter() - began

    async def fill(self, target: int, loans: int, say: Say) -> None:
        """Publish until there are ``loans`` loans and ``target`` attestations are stored."""
        while self.stored < target or len(self.workload.accounts) < loans:
            wanted = loans - len(self.workload.accounts)
            batches: list[SignedBatch] = []
            if wanted > 0:
                batches = self.workload.new_loans(min(wanted, 4 * BATCH))
            else:
                left = target - self.stored
                batches = [self.workload.repayments(min(BATCH, left)) for _ in range(min(16, -(-left // BATCH)))]
            await self.post_all(batches)
            say(f"{self.stored:,} of {target:,} stored")


@asynccontextmanager
async def publishing_to_a_fresh_ledger() -> AsyncIterator[Publishing]:
    """A server with one lender, and its connections."""
    async with running_server() as server:
        workload = Workload(LENDER, ORIGIN)
        await server.enrol(LENDER, "LENDER", workload.key.public_jwk())
        publishing = Publishing(server, workload, await server.token(LENDER, ["lender"]))
        await publishing.connect()
        yield publishing


async def measure(stages: list[int], large_book: int, say: Say) -> dict[str, Any]:
    """Fill the ledger to each stage and measure there; then once more with a book of ``large_book`` loans (0: not)."""
    async with publishing_to_a_fresh_ledger() as publishing:
        floor, found = Floor(publishing.server.admin, LENDER), []
        for stage in stages:
            await publishing.fill(stage, LOANS, say)
            await floor.fill()
            found.append(await _stage(publishing, floor, say))
        figures = _summary(found, await _growth(publishing, stages[0], say), publishing.server)
        if large_book:
            await publishing.fill(0, large_book, say)
            await floor.fill()
            figures["large_book"] = await _stage(publishing, floor, say)
        return figures


async def _stage(publishing: Publishing, floor: Floor, say: Say) -> dict[str, Any]:
    workload, stored = publishing.workload, publishing.stored
    await _settle(publishing.server.admin)
    ours, theirs = [], []
    for number in range(ROUNDS):
        batches = [workload.repayments(BATCH) for _ in range(BATCHES_A_ROUND)]
        prepared = [floor.prepare(batch, workload.accounts) for batch in batches]
        ours.append(await publishing.post_all(batches) / (BATCHES_A_ROUND * BATCH))
        began = time.perf_counter()
        for rows in prepared:
            await floor.write(rows)
        theirs.append((time.perf_counter() - began) / (BATCHES_A_ROUND * BATCH))
        say(f"round {number + 1}: ours {1 / ours[-1]:,.0f}/s, floor {1 / theirs[-1]:,.0f}/s")
    one, bare, many = await _ones(publishing, floor)
    return {
        "stored": stored,
        "loans": len(workload.accounts),
        "attestations_per_s": round(1 / median(ours)), "floor_per_s": round(1 / median(theirs)),
        "ratio": round(median(f / o for f, o in zip(theirs, ours, strict=True)), 3),
        "cost_us": round(median(ours) * 1e6, 2), "floor_cost_us": round(median(theirs) * 1e6, 2),
        "bare_insert_ms": round(bare * 1e3, 3), "one_ms": round(many * 1e3, 3), "one_ratio": round(many / bare, 2),
        "one_alone_ms": round(one * 1e3, 3), "one_alone_ratio": round(one / bare, 2),
        "server_mb": round(publishing.server.resident_mb(), 1),
    }  # fmt: skip


async def _growth(large: Publishing, first_size: int, say: Say) -> float:
    """What an attestation costs in ``large`` over what it costs in a ledger of ``first_size``, median over rounds of one
    and the other in turn."""
    async with publishing_to_a_fresh_ledger() as small:
        await small.fill(first_size, LOANS, say)
        for ledger in (small, large):
            await _settle(ledger.server.admin)
        ratios = []
        for number in range(ROUNDS):
            took = {}
            for ledger in (small, large) if number % 2 else (large, small):
                batches = [ledger.workload.repayments(BATCH) for _ in range(BATCHES_A_ROUND)]
                took[ledger] = await ledger.post_all(batches)
            ratios.append(took[large] / took[small])
            say(f"growth, round {number + 1}: {ratios[-1]:.3f}")
        return median(ratios)


async def _settle(admin: Any) -> None:
    """Write out what filled the ledger, or the next measurement pays for it, and leave WAL files behind to be used again,
    as a server has that ran for a while: a young one makes each anew, which costs a fifth of its speed."""
    for _ in range(WAL_FILES):
        await admin.execute("SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()")
    await admin.execute("CHECKPOINT")


async def _ones(publishing: Publishing, floor: Floor) -> tuple[float, float, float]:
    """(batch of one, bare INSERT, batch of one with several connections at once), median seconds each."""
    workload = publishing.workload
    connection = await Connection.open(publishing.server.base_url)
    ones, bare = [], []
    for batch in [workload.repayments(1) for _ in range(ONES)]:
        began = time.perf_counter()
        await publishing.post(connection, batch)
        ones.append(time.perf_counter() - began)
        began = time.perf_counter()
        await floor.write_one(workload.subjects[0])
        bare.append(time.perf_counter() - began)
    connection.close()
    many = [
        await publishing.post_all([workload.repayments(1) for _ in range(ONES)]) / ONES for _ in range(3)
    ]  # fmt: skip
    return median(ones), median(bare), median(many)


def _summary(found: list[dict[str, Any]], growth: float, server: Server) -> dict[str, Any]:
    last = found[-1]
    return {
        "attestations_per_s": last["attestations_per_s"], "floor_per_s": last["floor_per_s"], "ratio": last["ratio"],
        "growth": round(growth, 3), "one_ratio": last["one_ratio"],
        "one_alone_ratio": last["one_alone_ratio"], "server_mb": last["server_mb"], "batch": BATCH,
        "connections": CONNECTIONS, "rounds": ROUNDS, "stages": found,
    }  # fmt: skip
