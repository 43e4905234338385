"""``POST /v1/batches``: a signed batch in, its place in the log and the proof out. The road for everything in bulk.

    POST /v1/batches
    Authorization: Bearer ...
    Content-Type: application/x-ndjson
    Tallystick-Statement: <the batch statement, a compact JWS>

    {"account":...}\\n{"account":...}\\n     canonical attestations, one a line, in the order under the root

Rules
- The answer comes after COMMIT: 200 with index, proof and a checkpoint over exactly that tree.
- The same statement again gets the same index and ``duplicate`` true; the batch id under another statement is 409.
- Too much waiting is 503 with Retry-After; the same request may then be sent again.
- The body is bounded by the guards as it arrives, in bytes and in time.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth.permissions import Permission
from api.http.callers import Callers
from api.http.guards import headers_of
from ledger.errors import InvalidInput
from ledger.limits import BATCH_BYTES_MAX
from ledger.node.publisher import Publisher, Receipt

STATEMENT_HEADER: Final = b"tallystick-statement"
MEDIA_TYPES: Final = frozenset({b"application/x-ndjson", b"application/octet-stream", b"application/jsonl"})
"""What a batch may be declared as; all are the same bytes."""


class ReceiptAnswer(msgspec.Struct, rename="camel"):
    """A receipt as it stands in the answer. Bytes are standard base64, ``committed_at`` is UTC milliseconds."""

    index: int
    tree_size: int
    batch: UUID
    leaf_hash: bytes
    root: bytes
    count: int
    committed_at: int
    path: list[bytes]
    checkpoint: str
    duplicate: bool


_ENCODER: Final = msgspec.json.Encoder()


def receipt_answer(receipt: Receipt) -> bytes:
    """The JSON of a receipt."""
    return _ENCODER.encode(
        ReceiptAnswer(
            receipt.index,
            receipt.tree_size,
            receipt.batch_id,
            receipt.leaf_hash,
            receipt.root,
            receipt.count,
            receipt.committed_at,
            list(receipt.path),
            receipt.checkpoint.decode(),
            receipt.duplicate,
        )
    )


BATCHES_PATH: Final = "/v1/batches"


def batch_app(publisher: Publisher, callers: Callers) -> ASGIApp:
    """The route over a publisher, as an application of its own: the way in for most of what there is takes no detour
    through a router (``bench publish``)."""

    async def publish(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            raise InvalidInput("method_not_allowed", "not a method of this route", expected="POST")
        principal = await callers.require(scope, Permission.ATTESTATIONS_PUBLISH)
        headers = headers_of(scope)
        statement = headers.get(STATEMENT_HEADER)
        if statement is None:
            raise InvalidInput("statement_missing", "the signed statement is missing", path="Tallystick-Statement")
        declared = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if declared not in MEDIA_TYPES:
            raise InvalidInput("media_type_unsupported", "send NDJSON", expected="application/x-ndjson")
        body = await read_body(receive)
        receipt = await publisher.publish(principal.tenant, statement, body)
        answer = receipt_answer(receipt)
        described = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": described})
        await send({"type": "http.response.body", "body": answer})

    return publish


async def read_body(receive: Receive) -> bytes:
    """The whole body; raises InvalidInput ``body_too_large`` as soon as it passes a batch's bound."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BATCH_BYTES_MAX:
            raise InvalidInput("body_too_large", "the batch is too large", expected=f"at most {BATCH_BYTES_MAX} bytes")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)
