"""``bench view``: consented credit views over GraphQL against a real server.

Every read is the whole thing: token, consent, rows at three lenders, unsealing, the access record committed durably
before the answer. ``with_bundle`` adds every attestation, every proof and the checkpoint, as a file that verifies offline.
"""

from __future__ import annotations

import asyncio
import cProfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.rooms import rooms_of
from benchmarks.server import Server, running_server, served_here
from benchmarks.shared_borrower import SharedBorrower, read, share
from benchmarks.wire import Connection

CONNECTIONS = 8
READS = 240
ROUNDS = 5
ALONE = 60
PROFILED = 150


async def measure(lines: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Reads a second with several connections, and one read's time alone; with and without the bundle."""
    async with running_server() as server:
        shared = await share(server, lines)
        say(f"{shared.lines} loans, {shared.attestations} attestations at three lenders")
        figures: dict[str, Any] = {"lines": shared.lines, "attestations": shared.attestations}
        for name, bundle in (("", False), ("_with_bundle", True)):
            figures |= await _rates(server, shared, bundle=bundle, name=name, say=say)
        figures["server_mb"] = round(server.resident_mb(), 1)
    figures["profile"] = await _profile(lines)
    return figures


async def _rates(
    server: Server, shared: SharedBorrower, *, bundle: bool, name: str, say: Callable[[str], None]
) -> dict[str, Any]:
    connections = [await Connection.open(server.base_url) for _ in range(CONNECTIONS)]
    rates, alone = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await asyncio.gather(*(_repeat(connection, shared, bundle, READS // CONNECTIONS) for connection in connections))
        rates.append(READS / (time.perf_counter() - began))
    for _ in range(ALONE):
        began = time.perf_counter()
        await read(connections[0], shared, bundle=bundle)
        alone.append(time.perf_counter() - began)
    for connection in connections:
        connection.close()
    say(f"reads{name}: {median(rates):,.0f}/s, one alone {median(alone) * 1e3:.2f} ms")
    return {f"reads{name}_per_s": round(median(rates)), f"read{name}_ms": round(median(alone) * 1e3, 2)}


async def _repeat(connection: Connection, shared: SharedBorrower, bundle: bool, times: int) -> None:
    for _ in range(times):
        await read(connection, shared, bundle=bundle)


async def _profile(lines: int) -> list[dict[str, Any]]:
    """The same reads against a server in this process, under a profiler."""
    async with served_here() as server:
        shared = await share(server, lines)
        connection = await Connection.open(server.base_url)
        await _repeat(connection, shared, True, 20)
        profile = cProfile.Profile()
        profile.enable()
        await _repeat(connection, shared, True, PROFILED)
        profile.disable()
        connection.close()
        return rooms_of(profile)
