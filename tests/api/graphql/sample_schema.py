"""A small schema with every shape that a real one has: node, union, interface, generic, connection, mutation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from api.auth.permissions import Permission, Role
from api.auth.tokens import Principal
from api.graphql.errors import UserError, user_error
from api.graphql.fields import guarded_field, guarded_mutation, guarded_type, open_type
from api.graphql.http_view import make_schema
from api.graphql.scalars import UUID, Base64, Date, Timestamp
from ledger.errors import Conflict, InvariantBroken, Refused
from ledger.types import MinorUnits, TenantId, UnixMillis

CANARY = "canary-4711"

Item = TypeVar("Item")


@dataclass
class Context:
    principal: Principal | None
    ran: list[str] = field(default_factory=list)


def caller(*roles: Role) -> Principal:
    return Principal(
        tenant=TenantId("acme"),
        subject=None,
        client_id="c",
        roles=frozenset(roles),
        scopes=frozenset(),
        expires_at_ms=UnixMillis(0),
        token_id="t",
    )


@strawberry.interface(description="Has an id.")
class Node:
    id: strawberry.ID


@guarded_type(permission=Permission.LOANS_READ, description="A loan.")
class Loan(Node):
    balance: MinorUnits = MinorUnits(12_345)
    secret: str = guarded_field(permission=Permission.SUBJECTS_ERASE, default=CANARY)

    @strawberry.field
    async def children(self, first: int = 1) -> list[Loan]:
        return [Loan(id=strawberry.ID("child"))]


@guarded_type(permission=Permission.PUBLIC, description="The ledger's head.")
class Head(Node):
    size: int = 7


@guarded_type(permission=Permission.LOANS_READ, description="A page.")
class Page(Generic[Item]):
    items: list[Item]


@open_type(description="What a mutation answers.")
class Payload:
    ok: bool = False
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Query:
    @guarded_field(permission=Permission.PUBLIC)
    def n(self) -> Nested:
        return Nested()

    @guarded_field(permission=Permission.LEDGER_READ)
    def head(self) -> Head:
        return Head(id=strawberry.ID("h"))

    @guarded_field(permission=Permission.LOANS_READ)
    async def loans(self, info: strawberry.Info[Context], first: int) -> Page[Loan]:
        info.context.ran.append("loans")
        return Page(items=[Loan(id=strawberry.ID("l"))])

    @guarded_field(permission=Permission.PUBLIC)
    async def node(self, id: strawberry.ID) -> Node | None:
        return Loan(id=id) if id == "l" else Head(id=id)

    @guarded_field(permission=Permission.PUBLIC)
    async def either(self) -> list[Annotated[Loan | Head, strawberry.union("Either")]]:
        return [Head(id=strawberry.ID("h")), Loan(id=strawberry.ID("l"))]

    @guarded_field(permission=Permission.PUBLIC)
    async def fails(self, how: str) -> str | None:
        raise {"value": ValueError(CANARY), "broken": InvariantBroken("head_behind", CANARY)}.get(
            how, Refused("consent_revoked", "the consent is revoked", path="$.consent", advice="Ask again.")
        )

    @guarded_field(permission=Permission.PUBLIC)
    def overflow(self) -> int:
        return 4_711_000_000_000

    @guarded_field(permission=Permission.PUBLIC)
    def echo(
        self,
        date: Date | None = None,
        at: Timestamp | None = None,
        amount: MinorUnits | None = None,
        data: Base64 | None = None,
        uuid: UUID | None = None,
    ) -> str:
        return repr((date, at, amount, data, uuid))

    @guarded_field(permission=Permission.PUBLIC)
    def at(self) -> Timestamp:
        return Timestamp(1_790_000_000_123)


@open_type(description="Nests for ever.")
class Nested:
    a: int = 1

    @strawberry.field
    def n(self, first: int = 1) -> Nested:
        return Nested()


COUNTER = itertools.count()


@strawberry.type
class Mutation:
    @guarded_mutation(permission=Permission.EVENTS_RECORD)
    async def event_record(self, info: strawberry.Info[Context]) -> Payload:
        info.context.ran.append("event_record")
        return Payload(errors=[user_error(Conflict("batch_id_reused", "used before", path="$.input.id"))])


def sample_schema() -> Any:
    return make_schema(Query, Mutation, types=[Head, Loan])
