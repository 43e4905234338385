"""The whole application over a running ledger, called in process: for tests of what a client sees."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from api.app import build_app, register_tenants
from api.auth.dev_issuer import DevIssuer
from api.auth.permissions import Role
from api.settings import Settings
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.store.embedded import EmbeddedPostgres
from ledger.types import Subject
from tests.support.ledgers import SOURCES, Lender, fresh_database, running_node

BASE_URL = "http://127.0.0.1:8470"


@dataclass
class Application:
    """A client of the application, with tokens for whoever is needed."""

    node: Node
    client: httpx.AsyncClient
    issuer: DevIssuer

    def token(self, tenant: str, *roles: Role, subject: bytes | None = None) -> str:
        """A token of the development issuer."""
        return self.issuer.token(tenant, roles, subject=None if subject is None else Subject(subject))

    def headers(self, tenant: str, *roles: Role, subject: bytes | None = None) -> dict[str, str]:
        """The Authorization header with such a token."""
        return {"authorization": f"Bearer {self.token(tenant, *roles, subject=subject)}"}

    async def ask(self, document: str, who: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
        """The whole answer to a document; ``who`` is a header made by :meth:`headers`."""
        answer = await self.client.post("/graphql", json={"query": document, "variables": variables}, headers=who or {})
        assert answer.status_code == 200, answer.text
        whole: dict[str, Any] = answer.json()
        return whole

    async def data(self, document: str, who: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        whole = await self.ask(document, who, **variables)
        assert "errors" not in whole, whole
        found: dict[str, Any] = whole["data"]
        return found

    async def code(self, document: str, who: dict[str, str] | None = None, **variables: Any) -> str:
        """The code of the answer's first top-level error."""
        whole = await self.ask(document, who, **variables)
        code: str = whole["errors"][0]["extensions"]["code"]
        return code

    @property
    def operator(self) -> dict[str, str]:
        """An operator's header."""
        return self.headers(DEPLOYMENT, Role.OPERATOR)

    def lender(self, name: str = "acacia") -> dict[str, str]:
        """A lender's header."""
        return self.headers(name, Role.LENDER)

    def app(self, name: str = "fintech") -> dict[str, str]:
        """A consumer's header."""
        return self.headers(name, Role.APP)

    def borrower(self, subject: bytes) -> dict[str, str]:
        """A borrower's header, of the deployment's own tenant."""
        return self.headers(DEPLOYMENT, Role.BORROWER, subject=subject)

    async def size(self) -> int:
        """Entries in the log: what a refused act must not change."""
        return (await self.node.log.head()).size


@asynccontextmanager
async def running_application(postgres: EmbeddedPostgres) -> AsyncIterator[Application]:
    """The application over a fresh ledger."""
    async with fresh_database(postgres) as database, running_node(database) as node:
        settings = Settings(port=8470)
        issuer = DevIssuer(host="127.0.0.1", iss=f"{BASE_URL}/dev", audience=BASE_URL, now=SOURCES.now)
        await register_tenants(node, issuer)
        transport = httpx.ASGITransport(build_app(node, settings=settings, dev_issuer=issuer))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
            yield Application(node, client, issuer)


ENROL = """
mutation ($input: TenantEnrolInput!) {
  tenantEnrol(input: $input) { tenant { name role country } key { kid } errors { code reason path } }
}"""


async def enrol(application: Application, names: Iterable[tuple[str, str]]) -> None:
    """Let tenants (name, role) take part, each with a managed key."""
    for name, role in names:
        asked = {
            "idempotencyKey": os.urandom(8).hex(), "tenant": name, "displayName": name.title(), "role": role,
            "country": "KE",
        }  # fmt: skip
        found = await application.data(ENROL, application.operator, input=asked)
        assert found["tenantEnrol"]["errors"] == [], found


async def enrol_signer(application: Application, name: str) -> Lender:
    """Let a lender with a key of its own take part."""
    lender = await Lender(name).enrol(application.node)
    application.issuer.add_tenant(name)
    return lender
