"""The demo's server: a process of its own on loopback, with none of the caller's settings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.settings import PREFIX, REPOSITORY, UNPREFIXED
from ledger.errors import Unavailable

READY_S: Final = 90
"""Seconds until the server has to answer; a first start makes its database."""

STOP_S: Final = 30
"""Seconds a server gets to stop by itself."""

ORIGIN: Final = "demo.tallystick.local/ledger"
_KEPT: Final = frozenset(PREFIX + name for name in ("PG_BIN", "VENV", "PYTHON", "SHARED"))


@dataclass(frozen=True)
class Server:
    """A server process that answers."""

    url: str
    origin: str
    process: Process
    log: Path


def last_lines(log: Path) -> str:
    """The end of what a server said."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:])


async def unless_it_dies(server: Server, work: Any) -> Any:
    """The result of `work`; raises Unavailable ``demo_server_died`` when the server ends first."""
    working, dying = asyncio.ensure_future(work), asyncio.ensure_future(server.process.wait())
    try:
        await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
        if dying.done():
            raise _died(server.process.returncode, last_lines(server.log))
        return await working
    finally:
        for task in (working, dying):
            task.cancel()
        await asyncio.gather(working, dying, return_exceptions=True)


def _died(code: int | None, said: str) -> Unavailable:
    return Unavailable(
        "demo_server_died",
        f"the server ended with code {code}; its last lines:\n{said}",
        advice="'tallystick doctor' looks for what this machine lacks.",
    )


@asynccontextmanager
async def demo_server(folder: Path) -> AsyncIterator[Server]:
    """The server as a process of its own, in a group of its own: Ctrl-C at our terminal is for us."""
    log = folder / "files" / "server.log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "api.cli.main", "serve", "--dev-issuer", "--no-days", "--json",
            env=environment(folder), cwd=folder, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=said,
        )  # fmt: skip
    try:
        ready = await _ready(process, log)
        yield Server(ready["url"], ready["origin"], process, log)
    finally:
        await asyncio.shield(_stop(process))


async def _ready(process: Process, log: Path) -> dict[str, str]:
    if process.stdout is None:
        raise Unavailable("demo_server_died", "the server has no output")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    except TimeoutError:
        line = b""
    if not line:
        code = process.returncode if process.returncode is not None else await _stop(process)
        raise _died(code, last_lines(log))
    found: dict[str, str] = json.loads(line)
    return found


async def _stop(process: Process) -> int | None:
    """Ask the server to stop; cut it off with all that it started when it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    return process.returncode


def environment(folder: Path) -> dict[str, str]:
    """The surroundings of the demo's processes: none of the caller's settings, so that no other ledger is touched."""
    settings = {*UNPREFIXED.values(), *(name + "_FILE" for name in UNPREFIXED.values())}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and (not name.startswith(PREFIX) or name in _KEPT)
    }
    config = folder / "tallystick.toml"
    config.touch()
    own = {"HOME": str(folder / "home"), "CONFIG": str(config), "ORIGIN": ORIGIN, "PORT": "0"}
    return kept | {PREFIX + name: value for name, value in own.items()} | {"PYTHONPATH": str(REPOSITORY)}
