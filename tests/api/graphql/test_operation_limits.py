"""What a document may cost, and that refusing it is cheap."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from graphql import parse

from api.auth.permissions import Role
from api.graphql.operation_limits import operation_limits, refuse_expensive
from tests.api.graphql.sample_schema import Context, caller, sample_schema

SCHEMA = sample_schema()


def refusal(document: str, **variables: Any) -> str | None:
    error = refuse_expensive(parse(document), variables)
    return None if error is None else str((error.extensions or {})["code"])


def nested(levels: int) -> str:
    return "{ " + "n { " * levels + "a" + " }" * levels + " }"


ROWS: list[tuple[str, str, dict[str, Any], str | None]] = [
    ("eleven levels and a leaf", nested(11), {}, None),
    ("twelve levels and a leaf", nested(12), {}, "DOCUMENT_TOO_DEEP"),
    (
        "depth through fragments",
        "{ ...A } fragment A on N { n { ...B } } fragment B on N " + nested(11),
        {},
        "DOCUMENT_TOO_DEEP",
    ),
    ("depth through an inline fragment", "{ ... { " + "n { " * 12 + "a" + "}" * 12 + "}}", {}, "DOCUMENT_TOO_DEEP"),
    ("a circle of fragments", "{ ...A } fragment A on N { n { ...B } } fragment B on N { n { ...A } }", {}, None),
    ("an unknown fragment", "{ ...A }", {}, None),
    ("30 aliases", "{" + " ".join(f"x{i}: a" for i in range(30)) + "}", {}, None),
    ("31 aliases", "{" + " ".join(f"x{i}: a" for i in range(31)) + "}", {}, "TOO_MANY_ALIASES"),
    ("aliases of introspection", "{" + " ".join(f"x{i}: __typename" for i in range(31)) + "}", {}, "TOO_MANY_ALIASES"),
    (
        "aliases doubled by fragments",
        "{ x: n { ...A } } fragment A on N { y: n { ...B } z: n { ...B } } "
        "fragment B on N { y: n { ...C } z: n { ...C } } fragment C on N { y: n { ...D } z: n { ...D } } "
        "fragment D on N { y: n { a } z: n { a } w: a }",
        {},
        "TOO_MANY_ALIASES",
    ),
    ("10 mutations", "mutation {" + " a" * 10 + "}", {}, None),
    ("11 mutations", "mutation {" + " a" * 11 + "}", {}, "TOO_MANY_MUTATIONS"),
    (
        "11 mutations through fragments",
        "mutation { ...A ...A a } fragment A on M { a a a a a }",
        {},
        "TOO_MANY_MUTATIONS",
    ),
    ("11 queries", "{" + " a" * 11 + "}", {}, None),
    ("50 times 50", "{ n(first: 50) { n(last: 50) { a } } }", {}, None),
    ("100 times 100", "{ n(first: 100) { n(first: 100) { a } } }", {}, "TOO_MANY_NODES"),
    ("pages by variables", "query($f: Int) { n(first: $f) { n(first: $f) { a } } }", {"f": 100}, "TOO_MANY_NODES"),
    ("small pages by variables", "query($f: Int) { n(first: $f) { n(first: $f) { a } } }", {"f": 10}, None),
    (
        "a variable that is a text",
        "query($f: Int) { n(first: $f) { n(first: $f) { a } } }",
        {"f": "1"},
        "TOO_MANY_NODES",
    ),
    ("a negative page", "{ n(first: -5000) { n(first: 100) { n(first: 100) { a } } } }", {}, "TOO_MANY_NODES"),
    ("a page of 4,000 digits", "{ n(first: " + "9" * 4_000 + ") { n(first: 60) { a } } }", {}, "TOO_MANY_NODES"),
    ("the costly operation is not the first", "query A { a } query B " + nested(12), {}, "DOCUMENT_TOO_DEEP"),
    (
        "introspection is not counted",
        "{ __schema { types { fields { type { ofType { ofType { name } } } } } } }",
        {},
        None,
    ),
]


@pytest.mark.parametrize(("name", "document", "variables", "code"), ROWS)
def test_each_shape_is_weighed(name: str, document: str, variables: dict[str, Any], code: str | None) -> None:
    assert refusal(document, **variables) == code


def test_fragments_of_fragments_are_weighed_once_each() -> None:
    names = [f"F{number}" for number in range(60)]
    body = " ".join(f"fragment {a} on N {{ ...{b} ...{b} }}" for a, b in pairwise(names))
    document = f"{{ ...F0 }} {body} fragment F59 on N {{ x: a }}"
    began = time.process_time()
    assert refusal(document) == "TOO_MANY_ALIASES"
    assert time.process_time() - began < 0.1


async def messages(document: str, *roles: Role) -> list[str]:
    context = Context(caller(*roles) if roles else None)
    result = await SCHEMA.execute(document, context_value=context)
    return [error.message for error in result.errors or []]


@pytest.mark.parametrize("roles", [(), (Role.LENDER,)])
async def test_overlapping_selections_are_refused_in_milliseconds(roles: tuple[Role, ...]) -> None:
    document = "{" + "n{n{a}}" * 300 + "}"
    began = time.process_time()
    (message,) = await messages(document, *roles)
    assert "Parsing aborted" in message
    assert time.process_time() - began < 0.1


async def test_a_caller_with_a_token_may_send_more_tokens() -> None:
    document = "{ n {" + " a" * 600 + " } }"
    assert await messages(document, Role.LENDER) == []
    assert "500 tokens" in (await messages(document))[0]


async def test_introspection_and_suggestions_need_a_token() -> None:
    assert await messages("{ __schema { queryType { name } } }", Role.APP) == []
    assert "introspection" in (await messages("{ __schema { queryType { name } } }"))[0].lower()
    assert "Did you mean" in (await messages("{ heed { size } }", Role.APP))[0]
    assert "Did you mean" not in (await messages("{ heed { size } }"))[0]


async def test_a_document_valid_with_a_token_is_not_remembered_for_those_without() -> None:
    document = '{ __type(name: "Loan") { name } }'
    assert await messages(document, Role.APP) == []
    assert len(await messages(document)) == 1
    assert await messages(document, Role.APP) == []


async def test_a_remembered_document_is_weighed_again_with_its_variables() -> None:
    document = "query($f: Int!) { n { n(first: $f) { n(first: $f) { a } } } }"
    for first, code in ((2, None), (100, "TOO_MANY_NODES"), (2, None)):
        result = await SCHEMA.execute(document, {"f": first}, context_value=Context(None))
        found = [(error.extensions or {}).get("code") for error in result.errors or []]
        assert found == ([] if code is None else [code])


async def test_only_so_many_documents_are_remembered() -> None:
    factory = operation_limits()
    schema = sample_schema()
    schema.extensions = (factory,)
    for number in range(70):
        await schema.execute(f"{{ n {{ a }} }} # {number}", context_value=Context(None))
    assert len(factory()._remembered) == 64  # type: ignore[attr-defined]
