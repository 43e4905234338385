"""Requests that carry an idempotency key: the same request again gets the first answer, another request is refused.

found = await earlier_answer(database, request)
if found is None: publish with record_of(request, ...) in the same transaction
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from ledger.errors import Conflict, InvalidInput
from ledger.store.database import Database
from ledger.store.idempotency_rows import IdempotencyRow, read_idempotency
from ledger.types import TenantId, UnixMillis

KEY_CHARS_MAX = 128
"""Length of an idempotency key; a UUID has 36."""


@dataclass(frozen=True)
class Request:
    """Who asks what under which key. ``hash`` is over everything that the request says."""

    tenant: TenantId
    key: str
    hash: bytes


def request_of(tenant: TenantId, key: str, operation: str, content: dict[str, Any]) -> Request:
    """A request by its content. Raises InvalidInput ``idempotency_key``."""
    if not 0 < len(key) <= KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise InvalidInput("idempotency_key", "1 to 128 printable ASCII characters", path="idempotencyKey")
    encoded = msgspec.json.encode([operation, content], order="deterministic")
    return Request(tenant, key, sha256(encoded).digest())


async def earlier_answer(database: Database, request: Request) -> IdempotencyRow | None:
    """The row of the same request made before. Raises Conflict ``idempotency_reused`` when it was another request."""
    async with database.reading(tenants=(request.tenant,)) as connection:
        row = await read_idempotency(connection, request.tenant, request.key)
    if row is not None and row.request_hash != request.hash:
        raise Conflict("idempotency_reused", "this idempotency key was used for another request",
                       path="idempotencyKey", advice="use a fresh key for a new request")  # fmt: skip
    return row


def record_of(request: Request, *, author: TenantId, batch_id: UUID, answer: Any, now: UnixMillis) -> IdempotencyRow:
    """The row that goes into the transaction of the answering batch."""
    return IdempotencyRow(
        request.tenant, request.key, request.hash, author, batch_id, msgspec.json.encode(answer), now
    )  # fmt: skip
