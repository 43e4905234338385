"""Deny by default: a field without a permission stops the schema, and a permission holds on every way to a field."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry

from api.auth.permissions import Permission, Role
from api.graphql.fields import GuardedSchema, declare, field_permissions, guarded_field, guarded_type, undeclared_fields
from ledger.errors import InvariantBroken, Refused, Untrusted
from tests.api.graphql.sample_schema import CANARY, Context, caller, sample_schema

SCHEMA = sample_schema()


async def run(document: str, *roles: Role) -> tuple[Any, list[Any], Context]:
    """Data, the causes of the errors, and the context."""
    context = Context(caller(*roles) if roles else None)
    result = await SCHEMA.execute(document, context_value=context)
    return result.data, [error.original_error for error in result.errors or []], context


@strawberry.type
class Forgotten:
    name: str = "a"


@guarded_type(permission=Permission.LOANS_READ)
class Parent:
    name: str = "a"


@strawberry.type
class Child(Parent):
    extra: str = "b"


@strawberry.type
class BadQuery:
    forgotten: Forgotten
    child: Child = guarded_field(permission=Permission.PUBLIC)


def test_each_field_without_a_permission_is_named() -> None:
    missing = ["BadQuery.forgotten", "Child.extra", "Child.name", "Forgotten.name"]
    assert undeclared_fields(strawberry.Schema(BadQuery)) == missing


def test_a_schema_with_an_undeclared_field_cannot_be_built() -> None:
    with pytest.raises(InvariantBroken) as refusal:
        GuardedSchema(BadQuery)
    assert refusal.value.code == "field_permission_missing"
    assert str(refusal.value.found).startswith("BadQuery.forgotten, ")


def test_a_root_type_cannot_open_all_of_its_fields_at_once() -> None:
    @strawberry.type
    class Root:
        name: str = "a"

    declare(Root, Permission.PUBLIC)
    assert undeclared_fields(strawberry.Schema(Root)) == ["Root.name"]


def test_every_field_of_the_sample_has_its_permission() -> None:
    table = field_permissions(SCHEMA)
    assert undeclared_fields(SCHEMA) == []
    assert table["Loan.balance"] is table["Loan.id"] is table["LoanPage.items"] is Permission.LOANS_READ
    assert table["Loan.secret"] is Permission.SUBJECTS_ERASE
    assert table["Head.id"] is table["ConflictError.message"] is Permission.PUBLIC
    assert table["Mutation.eventRecord"] is Permission.EVENTS_RECORD


async def test_a_caller_with_the_permission_is_answered() -> None:
    data, errors, context = await run("{ loans(first: 1) { items { id balance } } }", Role.LENDER)
    assert (data, errors) == ({"loans": {"items": [{"id": "l", "balance": "12345"}]}}, [])
    assert context.ran == ["loans"]


@pytest.mark.parametrize(("roles", "kind"), [((), Untrusted), ((Role.APP,), Refused)])
async def test_a_caller_without_it_is_refused_before_the_resolver_runs(
    roles: tuple[Role, ...], kind: type[Exception]
) -> None:
    data, (error,), context = await run("{ loans(first: 1) { items { id } } }", *roles)
    assert (data, type(error), context.ran) == (None, kind, [])


async def test_a_mutation_without_the_permission_changes_nothing() -> None:
    data, (error,), context = await run("mutation { eventRecord { ok } }", Role.APP)
    assert (data, error.code, context.ran) == (None, "permission_denied", [])


async def test_a_fields_own_permission_counts_inside_an_allowed_type() -> None:
    data, (error,), _ = await run("{ loans(first: 1) { items { secret } } }", Role.LENDER)
    assert (data, error.code) == (None, "permission_denied")


@pytest.mark.parametrize(
    "document",
    [
        '{ node(id: "l") { id } }',
        '{ node(id: "l") { ... on Loan { balance } } }',
        '{ node(id: "l") { ...F } } fragment F on Node { id }',
        '{ node(id: "l") { ... on Loan { children { id } } } }',
    ],
)
async def test_a_node_is_checked_by_its_real_type(document: str) -> None:
    data, (error,), _ = await run(document)
    assert (data, error.code) == ({"node": None}, "token_missing")


async def test_a_node_of_an_open_type_is_open() -> None:
    assert (await run('{ node(id: "h") { id __typename } }'))[0] == {"node": {"id": "h", "__typename": "Head"}}


async def test_a_union_is_checked_by_its_real_type() -> None:
    document = "{ either { ... on Head { size } ... on Loan { balance } } }"
    data, (error,), _ = await run(document)
    assert (data, error.code) == (None, "token_missing")
    assert (await run(document, Role.LENDER))[0] == {"either": [{"size": 7}, {"balance": "12345"}]}


async def test_an_aliased_field_is_checked_as_well() -> None:
    data, errors, _ = await run("{ loans(first: 1) { items { balance: secret } } }", Role.LENDER)
    assert CANARY not in repr(data)
    assert len(errors) == 1
