"""The guards, as plain ASGI: what is refused before the application runs, and what no answer goes without."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.graphql.http_view import make_view
from api.http.errors import problem_handlers
from api.http.guards import BodyLimit, guarded
from ledger.errors import Unavailable
from tests.api.graphql.sample_schema import Context, sample_schema

LIMITS = [BodyLimit("/big", 1_000), BodyLimit("/slow", 100, 0.05), BodyLimit("/graphql", 100), BodyLimit("", 10)]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the whole body and answers with its length."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


class Answer:
    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.status: int = messages[0]["status"]
        self.headers = dict(messages[0]["headers"])
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


async def call(
    app: Any = echo,
    *,
    path: str = "/",
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    chunks: list[bytes] | None = None,
    pause_s: float = 0,
) -> Answer:
    messages: list[Message] = []
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": number + 1 < len(chunks or [b""])}
        for number, chunk in enumerate(chunks or [b""])
    ]

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": headers or []}
    await guarded(app, body_limits=LIMITS, make_id=lambda: "id1")(scope, receive, send)
    return Answer(messages)


async def test_an_answer_passes_with_the_headers_that_all_have() -> None:
    answer = await call(chunks=[b"12345", b"67890"])
    assert (answer.status, answer.body) == (200, b"10")
    assert answer.headers == {
        b"x-app": b"1",
        b"cache-control": b"no-store",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
        b"referrer-policy": b"no-referrer",
        b"x-content-type-options": b"nosniff",
        b"x-request-id": b"id1",
    }


def answering(name: bytes, value: bytes) -> ASGIApp:
    """A route that answers with one header of its own."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(name, value)]})
        await send({"type": "http.response.body", "body": b""})

    return route


async def test_a_route_keeps_its_own_caching() -> None:
    answer = await call(answering(b"Cache-Control", b"immutable"))
    assert answer.headers[b"Cache-Control"] == b"immutable"
    assert b"cache-control" not in answer.headers


async def test_a_route_names_no_request_in_place_of_the_guard() -> None:
    answer = await call(answering(b"X-Request-Id", b"mine"))
    assert answer.headers[b"x-request-id"] == b"id1"
    assert b"X-Request-Id" not in answer.headers


L = b"content-length"
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "a length over the bound": ({"headers": [(L, b"11")]}, 413, "body_too_large"),
    "bytes over the bound": ({"chunks": [b"123456", b"789012"]}, 413, "body_too_large"),
    "bytes over another route's bound": ({"path": "/big/x", "chunks": [bytes(600), bytes(600)]}, 413, "body_too_large"),
    "fewer bytes than said": ({"headers": [(L, b"5")], "chunks": [b"1234"]}, 400, "content_length_wrong"),
    "more bytes than said": ({"headers": [(L, b"3")], "chunks": [b"1234"]}, 400, "content_length_wrong"),
    "two lengths": ({"headers": [(L, b"3"), (b"Content-Length", b"4")]}, 400, "header_repeated"),
    "a list of lengths": ({"headers": [(L, b"3, 3")]}, 400, "content_length_invalid"),
    "a signed length": ({"headers": [(L, b"+3")]}, 400, "content_length_invalid"),
    "an empty length": ({"headers": [(L, b"")]}, 400, "content_length_invalid"),
    "a length of 100 digits": ({"headers": [(L, b"9" * 100)]}, 400, "content_length_invalid"),
    "a length beside chunks": (
        {"headers": [(L, b"3"), (b"transfer-encoding", b"chunked")]},
        400,
        "content_length_invalid",
    ),
    "a compressed body": ({"headers": [(b"content-encoding", b"gzip")]}, 415, "content_encoding_unsupported"),
    "two tokens": ({"headers": [(b"authorization", b"a"), (b"authorization", b"b")]}, 400, "header_repeated"),
    "two hosts": ({"headers": [(b"host", b"a"), (b"host", b"b")]}, 400, "header_repeated"),
    "two statements": (
        {"headers": [(b"tallystick-statement", b"a"), (b"Tallystick-Statement", b"a")]},
        400,
        "header_repeated",
    ),
    "65 headers": ({"headers": [(b"x", b"")] * 65}, 431, "headers_too_large"),
    "headers of 25 kB": ({"headers": [(b"x", bytes(25_000))]}, 431, "headers_too_large"),
    "a long path": ({"path": "/" + "a" * 2_048}, 414, "target_too_long"),
    "a long query": ({"query": b"a" * 2_048}, 414, "target_too_long"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_request_past_a_bound_is_refused_with_its_status(name: str) -> None:
    how, status, code = REFUSED[name]
    answer = await call(**how)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers[b"x-content-type-options"] == b"nosniff"
    assert answer.headers[b"content-type"] == b"application/problem+json"


async def test_a_body_that_drips_is_refused_in_time() -> None:
    answer = await call(path="/slow", chunks=[b"1"] * 50, pause_s=0.02)
    assert (answer.status, answer.code) == (408, "body_too_slow")


async def test_time_the_application_takes_is_not_the_callers() -> None:
    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.1)
        await echo(scope, receive, send)

    assert (await call(busy, path="/slow", chunks=[b"1", b"2"])).status == 200


async def test_an_application_that_swallows_the_refusal_does_not_hide_it() -> None:
    async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await echo(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"fine"})

    assert (await call(swallow, chunks=[bytes(11)])).status == 413


async def test_an_error_becomes_a_masked_problem(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("canary-4711")

    with caplog.at_level(logging.DEBUG):
        answer = await call(broken)
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "internal error",
        "code": "internal",
        "id": "id1",
    }
    assert "canary" not in caplog.text
    assert "request id1 failed: KeyError" in caplog.text


async def test_unavailable_says_when_to_come_back() -> None:
    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        raise Unavailable("queue_full", "the queue is full", retry_after_s=3)

    answer = await call(full)
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"3")


async def test_an_answer_that_had_begun_is_cut_off_and_nothing_is_raised() -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("canary")

    answer = await call(half)
    assert answer.messages == [{**answer.messages[0], "status": 200}]


async def test_the_callers_own_request_id_is_not_taken() -> None:
    assert (await call(headers=[(b"x-request-id", b"evil\n")])).headers[b"x-request-id"] == b"id1"


async def test_websockets_are_refused_and_lifespan_passes() -> None:
    sent: list[Message] = []
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await guarded(app)({"type": "websocket"}, receive, send)
    await guarded(app)({"type": "lifespan"}, receive, send)
    assert (sent, seen) == ([{"type": "websocket.close", "code": 1008}], ["lifespan"])


async def fail(request: Request) -> Response:
    raise KeyError("canary-4711")


async def slow_down(request: Request) -> Response:
    raise Unavailable("queue_full", "the queue is full")


STARLETTE = Starlette(
    routes=[Route("/", fail, methods=["POST"]), Route("/full", slow_down, methods=["POST"]), Route("/get", fail)],
    exception_handlers=problem_handlers(),
)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/", 500, "internal"),
        ("/full", 503, "queue_full"),
        ("/no", 404, "route_unknown"),
        ("/get", 405, "method_not_allowed"),
    ],
)
async def test_a_starlette_application_answers_in_the_same_form_and_once(
    path: str, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await call(STARLETTE, path=path)
    assert (answer.status, answer.code) == (status, code)
    assert json.loads(answer.body)["id"] == "id1"
    assert len(caplog.records) == 1
    assert "canary" not in caplog.text


async def test_the_graphql_view_is_an_endpoint_of_a_route() -> None:
    app = Router([Route("/graphql", make_view(sample_schema(), anonymous))])
    headers = [(b"content-type", b"application/json")]
    answer = await call(app, path="/graphql", headers=headers, chunks=[b'{"query":', b'"{n{a}}"}'])
    assert (answer.status, answer.body) == (200, b'{"data":{"n":{"a":1}}}')


async def anonymous(request: Request) -> Context:
    return Context(None)
