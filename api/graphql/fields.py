"""Deny by default: no field of the schema exists without a declared permission.

Rules
- Every field of every object type has a permission: its own (``guarded_field``, ``guarded_mutation``) or its type's
  (``guarded_type``, ``open_type``). The roots Query, Mutation and Subscription have no type's: each field says its own.
- A type's permission is not inherited by Python subclasses, and not given by an interface: each type says its own.
  A concrete type of a generic one has that of the generic.
- ``GuardedSchema`` refuses to be built while one is missing, so that the server does not start.
- The check stands around the resolver itself: whatever way leads to the field (node, union, interface, fragment), it
  runs for the type that is really resolved. It reads ``info.context.principal``.
- ``Permission.PUBLIC`` is for fields with nothing to protect by themselves.

    @guarded_type(permission=Permission.LOANS_READ, description="A loan of the caller's tenant.")
    class Loan:
        opened: Date
        subject: Base64 = guarded_field(permission=Permission.SUBJECTS_RESOLVE, description="Its borrower.")

It says nothing about whose rows a resolver may read: the tenant is the token's, and the database enforces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, dataclass_transform

import strawberry
from graphql import GraphQLField, GraphQLObjectType, default_field_resolver
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from api.auth.permissions import Permission, require
from ledger.errors import InvariantBroken

_METADATA: Final = "tallystick.permission"
_ATTRIBUTE: Final = "__tallystick_permission__"
_BACKREF: Final = GraphQLCoreConverter.DEFINITION_BACKREF

Class = TypeVar("Class", bound=type)


def guarded_field(resolver: Any = None, *, permission: Permission, **options: Any) -> Any:
    """``strawberry.field`` with the permission that it needs; as a decorator, or as an attribute's value."""
    return strawberry.field(resolver, metadata={_METADATA: permission}, **options)


def guarded_mutation(resolver: Any = None, *, permission: Permission, **options: Any) -> Any:
    """``strawberry.mutation`` with the permission that it needs."""
    return strawberry.mutation(resolver, metadata={_METADATA: permission}, **options)


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field, guarded_field, StrawberryField))
def guarded_type(*, permission: Permission, **options: Any) -> Callable[[Class], Class]:
    """``strawberry.type`` whose fields need ``permission``, unless a field says otherwise."""

    def decorate(cls: Class) -> Class:
        return declare(strawberry.type(cls, **options), permission)

    return decorate


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field, guarded_field, StrawberryField))
def open_type(**options: Any) -> Callable[[Class], Class]:
    """A type whose fields are open to whoever was allowed to reach it, such as an error or a page's end."""
    return guarded_type(permission=Permission.PUBLIC, **options)


def declare(cls: Class, permission: Permission) -> Class:
    """Give a type that was made elsewhere (a relay ``PageInfo``) its permission."""
    setattr(cls, _ATTRIBUTE, permission)
    return cls


def undeclared_fields(schema: strawberry.Schema) -> list[str]:
    """Every ``Type.field`` without a permission, sorted."""
    return sorted(f"{kind.name}.{name}" for kind, name, _, permission in _walk(schema) if permission is None)


def field_permissions(schema: strawberry.Schema) -> dict[str, Permission]:
    """The permission of every ``Type.field`` that has one, sorted: the table that documentation and tests read."""
    found = {f"{kind.name}.{name}": permission for kind, name, _, permission in _walk(schema) if permission is not None}
    return dict(sorted(found.items()))


class GuardedSchema(strawberry.Schema):
    """A schema that cannot be built with an undeclared field, and that checks each declared one.

    Raises ``InvariantBroken`` ``field_permission_missing``.
    """

    def __init__(self, query: type, **options: Any) -> None:
        super().__init__(query, **options)
        missing = undeclared_fields(self)
        if missing:
            raise InvariantBroken(
                "field_permission_missing",
                "fields without a declared permission",
                found=", ".join(missing),
                advice="Use guarded_field, guarded_type or open_type.",
            )
        for _, _, field, permission in _walk(self):
            if permission is not None and permission is not Permission.PUBLIC:
                _put_guard(field, permission)

    def process_errors(self, errors: object, execution_context: object = None) -> None:
        """Nothing: the view notes each error without its values, where the default would log them with a trace."""


def _walk(schema: strawberry.Schema) -> Iterator[tuple[GraphQLObjectType, str, GraphQLField, Permission | None]]:
    core = schema._schema
    roots = (core.query_type, core.mutation_type, core.subscription_type)
    for kind in core.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        default = None if kind in roots else _permission_of_type(kind)
        for name, field in kind.fields.items():
            yield kind, name, field, _permission_of_field(field) or default


def _permission_of_field(field: GraphQLField) -> Permission | None:
    definition = field.extensions.get(_BACKREF)
    found = definition.metadata.get(_METADATA) if isinstance(definition, StrawberryField) else None
    return found if isinstance(found, Permission) else None


def _permission_of_type(kind: GraphQLObjectType) -> Permission | None:
    definition = kind.extensions.get(_BACKREF)
    while definition is not None:
        # The class's own dictionary: a subclass must not become open because its parent is.
        found = vars(definition.origin).get(_ATTRIBUTE)
        if isinstance(found, Permission):
            return found
        definition = definition.concrete_of
    return None


def _put_guard(field: GraphQLField, permission: Permission) -> None:
    resolve = field.resolve or default_field_resolver
    field.resolve = _guard(resolve, permission)
    if field.subscribe is not None:
        field.subscribe = _guard(field.subscribe, permission)


def _guard(inner: Callable[..., Any], permission: Permission) -> Callable[..., Any]:
    def resolve(source: object, info: Any, **arguments: Any) -> Any:
        require(info.context.principal, permission)
        return inner(source, info, **arguments)

    return resolve
