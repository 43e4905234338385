"""For whoever runs the server: is it alive, is it ready, which version is it.

GET /healthz    200 while the process answers
GET /readyz     200 when batches can be committed and the head is signed, else 503 with the reason
GET /version    product, version, and the log's origin
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.errors import TallystickError
from ledger.node.node import Node


def health_routes(node: Node, version: str) -> list[Route]:
    """The routes over a running node."""

    async def healthz(request: Request) -> Response:
        return _json({"status": "alive"})

    async def readyz(request: Request) -> Response:
        fault = await fault_of(node)
        if fault:
            return _json({"status": "not ready", "reason": fault}, 503)
        return _json({"status": "ready", "size": node.keeper.head.size})

    async def show_version(request: Request) -> Response:
        return _json({"name": "tallystick", "version": version, "origin": node.origin})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/version", show_version)]


async def fault_of(node: Node) -> str:
    """Why the node cannot serve everything now, as a stable code; nothing when it can."""
    if not node.publisher.running:
        return "committers_stopped"
    if node.log.frozen:
        return "signing_frozen"
    try:
        await node.log.head()
    except TallystickError as error:
        return error.code
    return ""


def _json(value: object, status: int = 200) -> Response:
    headers = {"retry-after": "2"} if status == 503 else {}
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers)
