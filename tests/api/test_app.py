"""The application as a whole: what stands where, and a real server that starts, is killed, starts again and stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.app import VERSION, build_app
from api.cli.serve import listen, serving
from api.settings import Settings
from ledger.errors import Unavailable
from ledger.store.embedded import EmbeddedPostgres
from tests.conftest import REPOSITORY
from tests.support.served import Application

MUTATION = """
mutation { tenantEnrol(input: {
  idempotencyKey: "%s", tenant: "%s", displayName: "A lender", role: LENDER, country: "KE"
}) { tenant { name } errors { reason } } }"""


async def test_health_readiness_and_version_answer(application: Application) -> None:
    get = application.client.get
    assert (await get("/healthz")).json() == {"status": "alive"}
    assert (await get("/readyz")).json() == {"status": "ready", "size": await application.size()}
    version = (await get("/version")).json()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert version == {"name": "tallystick", "version": project, "origin": application.node.origin}
    assert project == VERSION


async def test_it_is_not_ready_once_the_committers_stopped(application: Application) -> None:
    await application.node.publisher.stop()
    answer = await application.client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "committers_stopped")
    assert (await application.client.get("/healthz")).status_code == 200


async def test_every_answer_carries_the_guards_headers(application: Application) -> None:
    for path in ("/healthz", "/checkpoint", "/nowhere"):
        answer = await application.client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers["x-request-id"]) == 16


async def test_without_a_development_issuer_nobody_gets_a_token(application: Application) -> None:
    app = build_app(application.node, settings=Settings(port=8470))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8470") as client:
        answer = await client.post("/dev/token", json={"tenant": "acacia", "roles": ["lender"]})
        assert (answer.status_code, answer.json()["code"]) == (404, "route_unknown")
        answer = await client.get("/v1/attestations", headers=application.lender())
        assert (answer.status_code, answer.json()["code"]) == (401, "token_issuer_unknown")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of its own; whatever still runs in it is stopped."""
    with tempfile.TemporaryDirectory(prefix="tallystick-serve-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        yield path
        EmbeddedPostgres(path).stop("immediate")


def start(home: Path) -> tuple[subprocess.Popen[str], str]:
    """A served ledger in a process of its own, and its address."""
    command = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--dev-issuer", "--no-days", "--json"]
    environment = {**os.environ, "TALLYSTICK_HOME": str(home)}
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process, json.loads(line)["url"]


def enrol(url: str, name: str) -> object:
    asked = {"tenant": "tallystick", "roles": ["operator"]}
    token = httpx.post(f"{url}/dev/token", json=asked).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/graphql", json={"query": MUTATION % (name, name)}, headers=headers).json()


@pytest.mark.chaos
def test_a_server_that_is_killed_starts_again_with_everything_and_ends_with_code_0(home: Path) -> None:
    process, url = start(home)
    assert enrol(url, "acacia") == {"data": {"tenantEnrol": {"tenant": {"name": "acacia"}, "errors": []}}}
    process.kill()
    process.communicate()
    process, url = start(home)
    assert httpx.get(f"{url}/readyz").json() == {"status": "ready", "size": 2}
    assert enrol(url, "baobab") == {"data": {"tenantEnrol": {"tenant": {"name": "baobab"}, "errors": []}}}
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told.splitlines()[-1]) == (0, "stopped")
    assert not EmbeddedPostgres(home).is_running()


@pytest.mark.parametrize(
    ("flags", "status", "code"),
    [(["--dev-issuer"], 1, "dev_issuer_not_loopback"), ([], 2, "public_url_missing")],
)
def test_an_address_that_others_reach_needs_a_name_and_gets_no_development_issuer(
    home: Path, flags: list[str], status: int, code: str
) -> None:
    command = [sys.executable, "-m", "api.cli.main", "serve", "--host", "0.0.0.0", "--port", "0", "--json", *flags]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, "TALLYSTICK_HOME": str(home)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (status, code)


async def test_a_server_runs_inside_another_program_on_a_free_port(home: Path) -> None:
    async with serving(Settings(home=home, port=0)) as served, httpx.AsyncClient(base_url=served.base_url) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready", "size": 1}
        assert served.dev_issuer is None
        answer = await client.post("/dev/token", json={"tenant": "tallystick", "roles": ["operator"]})
        assert answer.status_code == 404
    async with httpx.AsyncClient(base_url=served.base_url) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_an_address_in_use_is_said_in_a_sentence(home: Path) -> None:
    taken = listen("127.0.0.1", 0)
    try:
        with pytest.raises(Unavailable, match=r"address_unusable: cannot listen on 127\.0\.0\.1 port"):
            async with serving(Settings(home=home, port=taken.getsockname()[1])):
                pass
    finally:
        taken.close()
