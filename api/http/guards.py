"""What stands in front of every route: bounds before the work, the same headers after it, no exception past it.

Rules
- Each request gets an id of ours, never one of the caller's (it is written to the log); it is in ``X-Request-Id``.
- Before the application runs: at most 64 header lines and 24 KiB of them, a path of 2 KiB; Authorization,
  Content-Length, Content-Type, Host and Tallystick-Statement at most once; no Content-Length beside Transfer-Encoding
  (RFC 9112 section 6.1); no compressed body.
- A body has a bound by the route's prefix, in bytes and in seconds spent waiting for it; it is checked against
  Content-Length on arrival and against the bytes as they come. Time the application takes does not count.
- Every answer carries nosniff, a content policy that allows nothing, no referrer, and ``no-store`` unless the route set
  its own Cache-Control or policy.
- Whatever an application raises becomes a problem body (see ``errors``). Nothing is raised further: a server that logs
  what reaches it would log values. An answer that had begun is cut off, which its framing makes visible.
- WebSockets are refused: no route has one.

    app = guarded(Router(routes=[...]), body_limits=[BodyLimit("/v1/batches", 16 * 2**20, 120.0)])

Put it outermost. It does not count requests per caller.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import LOGGER, note, problem_response
from api.limits import (
    BODY_WAIT_S_MAX,
    BULK_BODY_BYTES_MAX,
    BULK_BODY_WAIT_S_MAX,
    GRAPHQL_BODY_BYTES_MAX,
    HEADER_BYTES_MAX,
    HEADERS_MAX,
    SMALL_BODY_BYTES_MAX,
    TARGET_BYTES_MAX,
)
from ledger.errors import InvalidInput, TallystickError

SECURITY_HEADERS: Final = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
"""Headers of every answer; a route's own Cache-Control or Content-Security-Policy stands instead."""

_IDS: Final = random.Random()  # noqa: S311 - ids tell requests apart, they keep nothing secret
_OURS: Final = frozenset({*SECURITY_HEADERS, b"x-request-id"})
_ADDED: Final = tuple(SECURITY_HEADERS.items())
_ONCE: Final = frozenset({b"authorization", b"content-length", b"content-type", b"host", b"tallystick-statement"})


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The bound of every path that begins with ``prefix``: in bytes, and in seconds of waiting for them."""

    prefix: str
    bytes_max: int
    wait_s_max: float = BODY_WAIT_S_MAX


BODY_LIMITS: Final = (
    BodyLimit("/v1/batches", BULK_BODY_BYTES_MAX, BULK_BODY_WAIT_S_MAX),
    BodyLimit("/graphql", GRAPHQL_BODY_BYTES_MAX),
    BodyLimit("", SMALL_BODY_BYTES_MAX),
)
"""The product's own bounds. The first prefix that fits counts."""


def guarded(
    app: ASGIApp,
    *,
    body_limits: Sequence[BodyLimit] = BODY_LIMITS,
    make_id: Callable[[], str] = lambda: f"{_IDS.getrandbits(64):016x}",
) -> ASGIApp:
    """``app`` behind all guards. A path that no limit fits gets the small one."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            scope["tallystick.request_id"] = make_id()
            await _Exchange(app, scope, receive, send, _limit_of(scope["path"], body_limits)).run()

    return guard


def _limit_of(path: str, limits: Iterable[BodyLimit]) -> BodyLimit:
    for limit in limits:
        if path.startswith(limit.prefix):
            return limit
    return BODY_LIMITS[-1]


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "_app", "_body_ended", "_declared", "_ended", "_id", "_limit", "_receive", "_received", "_refusal", "_scope",
        "_send", "_started", "_waited_s",
    )  # fmt: skip

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, limit: BodyLimit) -> None:
        self._app, self._scope, self._receive, self._send, self._limit = app, scope, receive, send, limit
        self._id: str = scope["tallystick.request_id"]
        self._declared: int | None = None
        self._received = 0
        self._waited_s = 0.0
        self._body_ended = False
        self._started = False
        self._ended = False
        self._refusal: TallystickError | None = None

    async def run(self) -> None:
        """Let the application answer, or answer in its place."""
        try:
            self._declared = check_request(self._scope, self._limit)
            await self._app(self._scope, self.receive, self.send)
            failure: Exception | None = self._refusal
        except ClientDisconnect:
            return
        except Exception as error:
            failure = self._refusal or error
        # Starlette answers an error by its own handler and then raises it again: that answer is whole.
        if failure is None or self._ended:
            return
        if self._started:
            note(failure, self._id)
            LOGGER.error("request %s was cut off in its answer", self._id)
            return
        response = problem_response(failure, self._id)
        await response(self._scope, self._receive, self._send_with_headers)

    async def receive(self) -> Message:
        """The next message for the application; raises when the body breaks its bounds."""
        if self._refusal is not None:
            raise self._refusal
        if self._body_ended:
            return await self._receive()
        try:
            message = await self._receive_in_time()
            if message["type"] == "http.request":
                self._count(message)
        except InvalidInput as refusal:
            self._refusal = refusal
            raise
        return message

    async def send(self, message: Message) -> None:
        """Pass on the application's answer, unless the request was refused in the meantime."""
        if self._refusal is None or self._started:
            await self._send_with_headers(message)

    async def _send_with_headers(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            message = {**message, "headers": _with_security_headers(message.get("headers", ()), self._id)}
        await self._send(message)
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def _receive_in_time(self) -> Message:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(max(0.0, self._limit.wait_s_max - self._waited_s)):
                return await self._receive()
        except TimeoutError:
            raise InvalidInput("body_too_slow", "the body did not arrive in time", path="body") from None
        finally:
            self._waited_s += clock() - began

    def _count(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self._body_ended = not message.get("more_body", False)
        if self._received > self._limit.bytes_max:
            raise _body_too_large(self._limit)
        if self._declared is None:
            return
        if self._received > self._declared or (self._body_ended and self._received < self._declared):
            raise InvalidInput("content_length_wrong", "the body has another length than was said", path="body")


def check_request(scope: Scope, limit: BodyLimit) -> int | None:
    """Refuse what the request line and the headers alone give away; returns the Content-Length, None when absent.

    Raises ``InvalidInput``: ``target_too_long``, ``headers_too_large``, ``header_repeated``,
    ``content_length_invalid``, ``content_encoding_unsupported``, ``body_too_large``.
    """
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    if len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"]) > TARGET_BYTES_MAX:
        raise InvalidInput(
            "target_too_long", "path and query are too long", expected=f"at most {TARGET_BYTES_MAX} bytes"
        )
    if len(headers) > HEADERS_MAX or sum(map(len, chain.from_iterable(headers))) > HEADER_BYTES_MAX:
        raise InvalidInput("headers_too_large", "too many headers", expected=f"{HEADERS_MAX}, {HEADER_BYTES_MAX} bytes")
    found = headers_of(scope)
    names = [name.lower() for name, _ in headers]
    if len(found) < len(names) and any(names.count(name) > 1 for name in _ONCE):
        raise InvalidInput("header_repeated", "a header stands twice that may stand once", path="headers")
    if found.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise InvalidInput("content_encoding_unsupported", "send the body uncompressed", expected="identity")
    return _content_length(found, limit)


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """A request's headers by lower-case name, put together once; of one that stands twice, the last line."""
    found: dict[bytes, bytes] | None = scope.get("tallystick.headers")
    if found is None:
        found = scope["tallystick.headers"] = {name.lower(): value for name, value in scope["headers"]}
    return found


def _content_length(headers: dict[bytes, bytes], limit: BodyLimit) -> int | None:
    text = headers.get(b"content-length")
    if text is None:
        return None
    # isdigit on bytes is ASCII only; a sign, a blank or a list of lengths is an attempt to be read in two ways.
    if not text.isdigit() or len(text) > 15 or b"transfer-encoding" in headers:
        raise InvalidInput("content_length_invalid", "not one plain length (RFC 9112 section 6)", path="content-length")
    if int(text) > limit.bytes_max:
        raise _body_too_large(limit)
    return int(text)


def _body_too_large(limit: BodyLimit) -> InvalidInput:
    return InvalidInput("body_too_large", "the body is too large", expected=f"at most {limit.bytes_max} bytes")


def _with_security_headers(headers: Collection[tuple[bytes, bytes]], error_id: str) -> list[tuple[bytes, bytes]]:
    own = b"x-request-id", error_id.encode("ascii")
    present = {name.lower() for name, _ in headers}
    if present.isdisjoint(_OURS):  # as nearly every answer
        return [*headers, *_ADDED, own]
    kept = [pair for pair in headers if pair[0].lower() != own[0]]
    return [*kept, *(pair for pair in _ADDED if pair[0] not in present), own]
