"""What a resolver is given: the caller, and the parts of the running ledger. One a request.

Rules
- The tenant is the token's, never an argument.
- ``tenant`` and ``subject`` raise for a caller that has none: a permission alone names nobody's rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import strawberry

from api.auth.dev_issuer import DevIssuer
from api.auth.issuers import StoredIssuers
from api.auth.tokens import Principal
from api.graphql.scalars import Cursors
from ledger.errors import Refused, Untrusted
from ledger.node.events import Events
from ledger.node.node import Node
from ledger.node.publications import Publications
from ledger.types import Subject, TenantId


@dataclass(frozen=True)
class Services:
    """What every request shares."""

    node: Node
    publications: Publications
    events: Events
    cursors: Cursors
    issuers: StoredIssuers
    dev_issuer: DevIssuer | None = None


@dataclass(frozen=True)
class Context:
    """One request: ``principal`` is None without a token."""

    principal: Principal | None
    services: Services

    @property
    def node(self) -> Node:
        """The running ledger."""
        return self.services.node

    @property
    def tenant(self) -> TenantId:
        """The caller's tenant. Raises Untrusted ``token_missing``."""
        if self.principal is None:
            raise Untrusted("token_missing", "this needs an access token")
        return self.principal.tenant

    @property
    def subject(self) -> Subject:
        """The borrower who calls. Raises Untrusted ``token_missing``, Refused ``borrower_missing``."""
        if self.principal is None:
            raise Untrusted("token_missing", "this needs an access token")
        if self.principal.subject is None:
            raise Refused("borrower_missing", "the token names no borrower")
        return self.principal.subject


Info = strawberry.Info[Context, None]
"""What a resolver's ``info`` is."""
