"""``GET /v1/attestations``: a tenant's own attestations as NDJSON, in the order of the log; the way to take them out.

    GET /v1/attestations?limit=1000
    GET /v1/attestations?limit=1000&after=<Tallystick-Next of the page before>

Rules
- Each line is exactly the bytes that were committed to.
- ``Tallystick-Next`` is absent on the last page. Erased attestations are left out, so a page may be short.
- Only the token's own tenant.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth.permissions import Permission
from api.graphql.scalars import Cursors
from api.http.callers import Callers
from ledger.errors import InvalidInput
from ledger.node.publications import BEGINNING, Place, Publications
from ledger.types import TenantId

LIMIT_DEFAULT: Final = 1_000
LIMIT_MAX: Final = 4_096
"""Lines of one answer: a full batch. A page also ends at 4 MiB (``ledger.node.publications``)."""


def attestation_routes(publications: Publications, callers: Callers, cursors: Cursors) -> list[Route]:
    """The route over what was published."""

    async def list_own(request: Request) -> Response:
        principal = await callers.require(request.scope, Permission.BATCHES_READ)
        after = read_after(cursors, principal.tenant, request.query_params.get("after"))
        limit = read_limit(request.query_params.get("limit"))
        page = await publications.own_attestations(principal.tenant, after, limit)
        headers = {} if page.next is None else {"tallystick-next": cursors.encode(_scope(principal.tenant), *page.next)}
        body = b"".join(line + b"\n" for line in page.lines)
        return Response(body, media_type="application/x-ndjson", headers=headers)

    return [Route("/v1/attestations", list_own)]


def read_limit(text: str | None) -> int:
    """The page size; raises InvalidInput ``page_size_invalid``."""
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise InvalidInput("page_size_invalid", "not a page size", path="limit", expected=f"1 to {LIMIT_MAX}")
    return int(text)


def read_after(cursors: Cursors, tenant: TenantId, text: str | None) -> Place:
    """The place to go on from; raises InvalidInput ``cursor_invalid``."""
    if text is None:
        return BEGINNING
    index, position = cursors.decode(_scope(tenant), text)
    return int(index), int(position)


def _scope(tenant: TenantId) -> str:
    return f"attestations/{tenant}"
