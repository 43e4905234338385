"""The thinnest HTTP/1.1 client that keeps a connection: what it costs is not the server's."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast
from urllib.parse import urlsplit


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests go one after the other."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._came = bytearray()
        self._body_from = self._ends = 0

    @classmethod
    async def open(cls, base_url: str) -> Connection:
        """Connect to a server."""
        address = urlsplit(base_url)
        loop = asyncio.get_running_loop()
        host, port = address.hostname or "", address.port or 80
        _, connection = await loop.create_connection(lambda: cls(address.netloc), host, port)
        return connection

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """(status, body) of a POST. Raises ConnectionError when the server hangs up."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("not connected")
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and whoever waits learns it."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; the last of them wake whoever waits."""
        self._came += data
        if not self._ends:
            self._body_from = self._came.find(b"\r\n\r\n") + 4
            if self._body_from < 4:
                return
            head = self._came[: self._body_from].lower()
            self._ends = self._body_from + int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(self._came) >= self._ends and self._waiting is not None:
            answer = int(self._came[9:12]), bytes(self._came[self._body_from : self._ends])
            self._came, self._ends = bytearray(), 0
            self._waiting.set_result(answer)


async def post_json(connection: Connection, path: str, content: Any, token: str | None = None) -> Any:
    """POST JSON and read JSON. Raises RuntimeError for anything but 200."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    status, body = await connection.post(path, json.dumps(content).encode(), headers)
    if status != 200:
        raise RuntimeError(f"{path} answered {status}: {body[:300]!r}")
    return json.loads(body)
