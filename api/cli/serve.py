"""``tallystick serve``: the server, one process, until SIGTERM or Ctrl-C. And the same inside a test or the demo.

    async with serving(settings, dev_issuer=True) as served:        # a real server on a real port
        served.base_url, served.node, served.dev_issuer

Rules
- Loopback unless another address is asked for. The development issuer runs on loopback only, and only when asked for.
- On any other address ``TALLYSTICK_PUBLIC_URL`` must say how clients reach it: tokens are meant for that address.
- A deployment begins with the development issuer on loopback, whose operator trusts the real issuers (``issuerTrust``).
- stdout says one line when everything answers ("ready"); what a person needs to know goes to stderr, and so does a line
  for each fault (``log_lines``): it has the id that the caller was given.
- SIGTERM and SIGINT: no new connections, requests under way are answered, the head is published, exit code 0. A second
  one cuts them off.
- Killed with -9 it starts again as it is: nothing acknowledged is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import click
import uvicorn

from api import settings as settings_module
from api.app import build_app, register_tenants
from api.auth.dev_issuer import DevIssuer, is_loopback
from api.cli.log_lines import write_to_stderr
from api.cli.runtime import open_ledger
from api.settings import Settings
from ledger.errors import InvalidInput, Unavailable
from ledger.node.clock import Sources
from ledger.node.node import Node
from ledger.store.tenant_rows import any_issuer

BACKLOG: Final = 512
"""Connections the kernel holds while all workers are busy."""

CONNECTIONS_MAX: Final = 1_024
"""Connections at once in one process; past it 503. Each costs a few kilobytes, more with a body under way."""

IDLE_S: Final = 75
"""How long an idle connection is kept: longer than the usual 60 s of a proxy in front."""

COLLECT_EVERY_S: Final = 30
"""Seconds between two looks for cyclic garbage: a few megabytes gather meanwhile, and a look takes some milliseconds."""

DRAIN_S: Final = 20
"""How long requests under way may take after a signal."""


@dataclass(frozen=True)
class Served:
    """A server that answers: where, over which ledger, and who issues its tokens in development."""

    base_url: str
    node: Node
    dev_issuer: DevIssuer | None
    stop: Callable[[], None]
    """Ask it to stop; leaving the block waits until it did."""
    stopped: asyncio.Task[None]
    """Ends when the server does."""


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: they would end the process with the signal instead of code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Nothing: whoever runs the server decides."""
        yield


@asynccontextmanager
async def serving(settings: Settings, *, dev_issuer: bool = False) -> AsyncIterator[Served]:
    """Run a server in this process; port 0 takes a free one.

    Raises what ``open_ledger`` raises, Unavailable ``address_unusable``, Refused ``dev_issuer_not_loopback`` and
    InvalidInput ``public_url_missing``.
    """
    listener = listen(settings.host, settings.port)
    settings = replace(settings, port=listener.getsockname()[1])
    try:
        issuer = _dev_issuer(settings) if dev_issuer else None
        _demand_public_url(settings)
        async with open_ledger(settings) as node:
            if issuer is not None:
                await register_tenants(node, issuer)
            async with _running(build_app(node, settings=settings, dev_issuer=issuer), listener) as (server, task):
                yield Served(settings.base_url, node, issuer, lambda: _ask_to_stop(server), task)
    finally:
        listener.close()


@asynccontextmanager
async def _running(app: Any, listener: socket.socket) -> AsyncIterator[tuple[_Server, asyncio.Task[None]]]:
    server = _Server(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
                raise Unavailable("server_not_started", "the server did not start")
            await asyncio.sleep(0.01)
        yield server, task
    finally:
        server.should_exit = True
        await task


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )


def _ask_to_stop(server: _Server) -> None:
    server.force_exit = server.should_exit
    server.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises Unavailable ``address_unusable``."""
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise Unavailable(
            "address_unusable",
            f"cannot listen on {host} port {port} ({error.strerror})",
            advice="Choose another with --port; 0 takes a free one.",
        ) from error
    return listener


def _dev_issuer(settings: Settings) -> DevIssuer:
    url = settings.base_url
    return DevIssuer(host=settings.host, iss=f"{url}/dev", audience=url, now=Sources().now)


def _demand_public_url(settings: Settings) -> None:
    if settings.public_url is None and not is_loopback(settings.host):
        raise InvalidInput(
            "public_url_missing",
            "a server that other machines reach needs the address they use",
            path="TALLYSTICK_PUBLIC_URL",
            expected="https://ledger.example",
            advice="Set TALLYSTICK_PUBLIC_URL: access tokens are meant for exactly that address.",
        )


@click.command(
    "serve",
    help="Run the server.\n\n\b\nExamples:\n  tallystick serve --dev-issuer\n"
    "  TALLYSTICK_PUBLIC_URL=https://ledger.example tallystick serve --host 0.0.0.0",
)
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on (default 8470; 0: a free one).")
@click.option("--dev-issuer", is_flag=True, help="Issue tokens to anyone on this machine. Loopback only.")
@click.option("--days/--no-days", default=True, help="Begin each day by itself, when it turns in UTC (default: yes).")
@click.option("--json", "as_json", is_flag=True, help="The ready line as JSON.")
def serve(host: str | None, port: int | None, dev_issuer: bool, days: bool, as_json: bool) -> None:
    """Serves until it is told to stop."""
    settings = settings_module.load({"host": host, "port": port})
    write_to_stderr()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, dev_issuer, days, as_json))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # no wheel for this platform
        return None
    return uvloop.new_event_loop


def _tune_collector() -> None:
    """What was imported is never garbage, and a batch makes tens of thousands of objects that reference counts free:
    looking for cycles after every 700 of them, as by default, takes a quarter of a publisher's time (``bench publish``)."""
    gc.collect()
    gc.freeze()
    gc.disable()


async def _collect_now_and_then() -> None:
    while True:
        await asyncio.sleep(COLLECT_EVERY_S)
        gc.collect()


async def _serve(settings: Settings, dev_issuer: bool, days: bool, as_json: bool) -> None:
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    async with serving(settings, dev_issuer=dev_issuer) as served:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: (asked.set(), served.stop()))
        _tune_collector()
        collecting = asyncio.create_task(_collect_now_and_then())
        if days:
            await served.node.ticker.start()
        _announce(served, as_json, known=await _anybody_known(served))
        waiting = asyncio.create_task(asked.wait())
        await asyncio.wait([waiting, served.stopped], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        collecting.cancel()
    click.echo("stopped", err=True)


async def _anybody_known(served: Served) -> bool:
    async with served.node.database.reading() as connection:
        return served.dev_issuer is not None or await any_issuer(connection)


def _announce(served: Served, as_json: bool, *, known: bool) -> None:
    url = served.base_url
    lines = [f"GraphQL     POST {url}/graphql", f"batches     POST {url}/v1/batches", f"the log     {url}/checkpoint"]
    if served.dev_issuer is not None:
        asked = '{"tenant":"tallystick","roles":["operator"]}'
        lines.append(f"a token     curl -s {url}/dev/token -H 'content-type: application/json' -d '{asked}'")
    if not known:
        lines.append("tokens      none: no issuer is trusted yet. Start once with --dev-issuer and call issuerTrust.")
    for line in lines:
        click.echo(line, err=True)
    size = served.node.keeper.head.size
    ready = {"ready": True, "url": url, "origin": served.node.origin, "size": size}
    click.echo(json.dumps(ready) if as_json else f"ready at {url}: {served.node.origin}, {size} entries")
