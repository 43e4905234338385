"""A real server to measure: its own process, its own fresh database, and the way in for the floor."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from api.cli.serve import serving
from api.settings import load
from benchmarks.wire import Connection, post_json
from ledger.store.embedded import EmbeddedPostgres

ORIGIN = "bench.example/ledger"
REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """A running server and the superuser's connection to its database."""

    base_url: str
    pid: int
    home: Path
    admin: Any

    def resident_mb(self) -> float:
        """Resident memory of the server process now, MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    async def token(self, tenant: str, roles: list[str], subject: str | None = None) -> str:
        """A development token."""
        connection = await Connection.open(self.base_url)
        asked: dict[str, Any] = {"tenant": tenant, "roles": roles, "lifetime_s": 36_000}
        answer = await post_json(connection, "/dev/token", asked | ({"subject": subject} if subject else {}))
        connection.close()
        return str(answer["access_token"])

    async def graphql(self, token: str, document: str, variables: dict[str, Any]) -> Any:
        """Run a GraphQL operation; raises RuntimeError on any error."""
        connection = await Connection.open(self.base_url)
        answer = await post_json(connection, "/graphql", {"query": document, "variables": variables}, token)
        connection.close()
        if answer.get("errors"):
            raise RuntimeError(f"GraphQL errors: {answer['errors']}")
        return answer["data"]

    async def enrol(self, name: str, role: str, jwk: dict[str, Any] | None) -> None:
        """Let a tenant take part."""
        operator = await self.token("tallystick", ["operator"])
        wanted = {"idempotencyKey": f"enrol-{name}", "tenant": name, "displayName": name.title(), "role": role,
                  "country": "KE"} | ({"jwk": {k: jwk[k] for k in ("kty", "crv", "x")}} if jwk else {})  # fmt: skip
        done = await self.graphql(
            operator, "mutation($input: TenantEnrolInput!) { tenantEnrol(input: $input) { errors { code message } } }",
            {"input": wanted},
        )  # fmt: skip
        if done["tenantEnrol"]["errors"]:
            raise RuntimeError(f"enrolment refused: {done}")


def _open_to_the_server(folder: str) -> Path:
    """The folder as a path; PostgreSQL, which drops root, may pass through it."""
    home = Path(folder)
    home.chmod(0o711)
    return home


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    """Start ``serve`` on a free port over a fresh embedded database; everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder:
        home = _open_to_the_server(folder)
        environment = os.environ | {"TALLYSTICK_HOME": folder, "TALLYSTICK_ORIGIN": ORIGIN}
        environment.pop("DATABASE_URL", None)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--dev-issuer", "--no-days", "--json",
            cwd=REPOSITORY, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            if process.stdout is None:
                raise RuntimeError("the server has no output")
            ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 120))
            postgres = EmbeddedPostgres(home)
            await asyncio.to_thread(postgres.start)  # joins the server's
            admin = await asyncpg.connect(postgres.admin_dsn())
            try:
                yield Server(ready["url"], process.pid, home, admin)
            finally:
                await admin.close()
                await asyncio.to_thread(postgres.stop)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


@asynccontextmanager
async def served_here() -> AsyncIterator[Server]:
    """The same server inside this process, to be profiled."""
    with tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder:
        home = _open_to_the_server(folder)
        settings = load({"home": folder, "origin": ORIGIN, "port": "0"}, environ={})
        async with serving(settings, dev_issuer=True) as served:
            yield Server(served.base_url, os.getpid(), home, None)
