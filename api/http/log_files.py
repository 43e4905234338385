"""The log as files, for anyone (C2SP tlog-tiles): checkpoint, tiles, entry bundles; and the keys to check them with.

    GET /checkpoint                       the newest published checkpoint, a signed note; stale after a second
    GET /tile/<L>/<N>[.p/<W>]             hashes of a tile
    GET /tile/entries/<N>[.p/<W>]         an entry bundle
    GET /trust.json                       the log's note key and the deployment's batch key
    GET /.well-known/jwks.json            every batch-signing key of every tenant, with its validity

Rules
- A tile or bundle never changes under its path: cached for ever, with an ETag.
- Another spelling of a path is 400, a tile the tree does not have (yet) is 404.
- No token: nothing here is anybody's secret.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.attestation.keys import PublicKey
from ledger.errors import Unavailable
from ledger.log.tiles import parse_bundle_path, parse_tile_path
from ledger.node.node import Node

FOR_EVER: Final = "public, max-age=31536000, immutable"
A_SECOND: Final = "public, max-age=1"
A_MINUTE: Final = "public, max-age=60"


def log_routes(node: Node) -> list[Route]:
    """The routes over a running node."""

    async def checkpoint(request: Request) -> Response:
        note = node.checkpointer.published
        if not note:
            raise Unavailable("checkpoint_absent", "no checkpoint is published", retry_after_s=2)
        return Response(note, media_type="text/plain", headers={"cache-control": A_SECOND})

    async def tile(request: Request) -> Response:
        path = request.scope["path"][1:]
        # The name in the path is also the name of the content: it cannot change.
        tag = f'"{path}@{node.origin}"'
        headers = {"cache-control": FOR_EVER, "etag": tag}
        if path.startswith("tile/entries/"):
            data = await node.log.bundle(parse_bundle_path(path))
        else:
            data = await node.log.tile(parse_tile_path(path))
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def trust(request: Request) -> Response:
        return _json(node.trust())

    async def keys(request: Request) -> Response:
        participants = await node.publisher.participants()
        found = [jwk_of(key, tenant) for tenant in sorted(participants.keys) for key in participants.keys_of(tenant)]
        return _json({"keys": found}, "application/jwk-set+json")

    return [
        Route("/checkpoint", checkpoint),
        Route("/tile/{path:path}", tile),
        Route("/trust.json", trust),
        Route("/.well-known/jwks.json", keys),
    ]


def jwk_of(key: PublicKey, tenant: str) -> dict[str, object]:
    """A signing key as a JWK (RFC 7517), with members of ours: the tenant, and when it may sign (UTC milliseconds)."""
    times = {
        "notBefore": key.not_before_ms,
        "notAfter": key.not_after_ms,
        "compromisedFrom": key.revoked_from_ms,
    }
    return {**key.jwk(), "tenant": tenant, **{name: at for name, at in times.items() if at is not None}}


def _json(value: object, media_type: str = "application/json") -> Response:
    return Response(msgspec.json.encode(value), media_type=media_type, headers={"cache-control": A_MINUTE})
