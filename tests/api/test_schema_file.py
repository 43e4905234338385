"""The schema file is the schema, and every name in it says what it means."""

from __future__ import annotations

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from api.graphql.schema import SCHEMA, schema_text
from tests.conftest import REPOSITORY


def test_the_committed_file_is_what_the_code_serves() -> None:
    remedy = "run: python -m api.graphql.schema > schema.graphql"
    assert (REPOSITORY / "schema.graphql").read_text(encoding="utf-8") == schema_text(), remedy


def test_everything_is_described() -> None:
    silent: list[str] = []
    for name, kind in SCHEMA._schema.type_map.items():
        if name.startswith("__") or name in ("Boolean", "Float", "ID", "Int", "String"):
            continue
        silent += [] if kind.description else [name]
        if isinstance(kind, GraphQLEnumType):
            silent += [f"{name}.{value}" for value, found in kind.values.items() if not found.description]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                silent += [] if field.description else [f"{name}.{field_name}"]
                arguments = getattr(field, "args", {})
                silent += [f"{name}.{field_name}({arg})" for arg, found in arguments.items() if not found.description]
    assert silent == []


def test_every_mutation_has_one_input_and_its_own_payload_with_errors() -> None:
    mutation = SCHEMA._schema.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) == ["input"], name
        assert str(field.type) == f"{name[0].upper()}{name[1:]}Payload!"
        assert str(field.type.of_type.fields["errors"].type) == "[UserError!]!"
        members = field.args["input"].type.of_type.fields
        assert "idempotencyKey" in members or name == "attestationsPublish", name


def test_every_connection_says_how_many() -> None:
    for kind in SCHEMA._schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType):
            continue
        for name, field in kind.fields.items():
            if str(field.type).endswith("Connection!"):
                assert {arg: str(found.type) for arg, found in field.args.items()}.items() >= {
                    ("first", "Int!"),
                    ("after", "String"),
                }, name
