"""``bench verify``: the offline verifier on a bundle that a real server made, as a library and as a whole process."""

from __future__ import annotations

import asyncio
import cProfile
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rooms import rooms_of
from benchmarks.server import REPOSITORY, running_server
from benchmarks.shared_borrower import read, share
from benchmarks.wire import Connection

VERIFIER = REPOSITORY / "verifier" / "tallystick_verify.py"
TIMES = 30
PROCESSES = 7


async def measure(lines: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds to verify a view of ``lines`` loans: in process, and from nothing to the verdict."""
    async with running_server() as server:
        shared = await share(server, lines)
        connection = await Connection.open(server.base_url)
        bundle = (await read(connection, shared, bundle=True))["bundle"].encode()
        trust = await _trust(server.base_url)
    say(f"{lines} loans, {shared.attestations} attestations, {len(bundle):,} bytes")
    verifier, known, taken = _verifier(), json.loads(trust), []
    for _ in range(TIMES):
        began = time.perf_counter()
        report = verifier.verify_document(bundle, known)
        taken.append(time.perf_counter() - began)
    if report.code != 0:
        raise RuntimeError(f"the bundle does not verify: {report}")
    profile = cProfile.Profile()
    profile.runcall(lambda: [verifier.verify_document(bundle, known) for _ in range(TIMES)])
    return {
        "lines": lines, "attestations": shared.attestations, "bundle_bytes": len(bundle),
        "verify_ms": round(median(taken) * 1e3, 2), "process_ms": round(await _process_ms(bundle, trust), 1),
        "profile": rooms_of(profile),
    }  # fmt: skip


def _verifier() -> Any:
    spec = importlib.util.spec_from_file_location("tallystick_verify", VERIFIER)
    if spec is None or spec.loader is None:
        raise RuntimeError("the verifier is not there")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def _trust(base_url: str) -> bytes:
    import httpx

    async with httpx.AsyncClient() as client:
        return (await client.get(f"{base_url}/trust.json")).content


async def _process_ms(bundle: bytes, trust: bytes) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file, known = Path(folder) / "view.json", Path(folder) / "trust.json"
        file.write_bytes(bundle)
        known.write_bytes(trust)
        taken = []
        for _ in range(PROCESSES):
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(VERIFIER), str(file), "--trust", str(known), stdout=asyncio.subprocess.DEVNULL
            )
            if await process.wait() != 0:
                raise RuntimeError("the verifier refused the bundle")
            taken.append(time.perf_counter() - began)
        return median(taken) * 1e3
