"""Who calls a plain route, and whether it may: the same token check as in front of GraphQL.

principal = await callers.require(request, Permission.ATTESTATIONS_PUBLISH)
"""

from __future__ import annotations

from starlette.requests import Request

from api.auth.permissions import Permission, require
from api.auth.tokens import Principal, TokenVerifier, principal_of
from ledger.errors import InvariantBroken


class Callers:
    """Reads the caller from a request's Authorization header."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def of(self, request: Request) -> Principal | None:
        """The caller, None without a token. Raises ``Untrusted`` ``token_...``."""
        return await principal_of(request.headers.getlist("authorization"), self._verifier)

    async def require(self, request: Request, permission: Permission) -> Principal:
        """The caller, who has the permission. Raises ``Untrusted`` ``token_...``, ``Refused`` ``permission_denied``."""
        principal = await self.of(request)
        require(principal, permission)
        if principal is None:
            raise InvariantBroken("route_open", "a public permission guards a route that needs a caller")
        return principal
