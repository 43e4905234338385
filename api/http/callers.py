"""Who calls a plain route, and whether it may: the same token check as in front of GraphQL.

principal = await callers.require(scope, Permission.ATTESTATIONS_PUBLISH)
"""

from __future__ import annotations

from starlette.types import Scope

from api.auth.permissions import Permission, require
from api.auth.tokens import Principal, TokenVerifier, principal_of
from api.http.guards import headers_of
from ledger.errors import InvariantBroken


class Callers:
    """Reads the caller from a request's Authorization header, of which the guards let one line through."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def of(self, scope: Scope) -> Principal | None:
        """The caller, None without a token. Raises ``Untrusted`` ``token_...``."""
        line = headers_of(scope).get(b"authorization")
        return None if line is None else await principal_of([line.decode("latin-1")], self._verifier)

    async def require(self, scope: Scope, permission: Permission) -> Principal:
        """The caller, who has the permission. Raises ``Untrusted`` ``token_...``, ``Refused`` ``permission_denied``."""
        principal = await self.of(scope)
        require(principal, permission)
        if principal is None:
            raise InvariantBroken("route_open", "a public permission guards a route that needs a caller")
        return principal
