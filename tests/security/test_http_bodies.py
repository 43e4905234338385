"""Hostile bodies by the thousand, from a fixed seed: never a status 500, never a text of an exception."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from starlette.requests import Request
from starlette.routing import Mount, Router
from starlette.types import Message

from api.auth.permissions import Role
from api.graphql.http_view import make_view
from api.http.guards import guarded
from tests.api.graphql.sample_schema import CANARY, Context, caller, sample_schema

LEAKS = (
    CANARY,
    *("Traceback", "Exception", ".py", "object at 0x", "site-packages", "asyncpg", "NoneType"),
    *("TypeError", "ValueError", "KeyError", "RecursionError", "AssertionError", "maximum recursion"),
)

SEEDS: list[bytes] = [
    b"",
    b"null",
    b"0",
    b"[]",
    b'""',
    b"{}",
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"query": "\xc3\x28"}',
    b"[" * 100_000,
    b"{" * 100_000,
    b'{"a":' * 50_000,
    b'{"query":"{n{a}}","variables":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"query":"{n{a}}","variables":{"a":' + b"9" * 200_000 + b"}}",
    b'{"query":"{n{a}}","variables":{"a":1e400}}',
    b'{"query":"{n{a}}","variables":{"a":-Infinity}}',
    b'{"query":"\\ud800"}',
    b'{"query":"{\\u0000}"}',
    b'{"query":"\\ufeff{n{a}}"}',
]

DOCUMENTS: list[str] = [
    "{" * 2_000,
    "{ n" * 400,
    "{ " + "n { " * 300 + "a" + " }" * 300 + " }",
    "{" + "n{n{a}}" * 300 + "}",
    "{" + "a" * 16_000 + "}",
    "{ n { a" + " @skip(if: true)" * 200 + " } }",
    "{ n { a" + " @nope" * 400 + " } }",
    "{" + " ".join(f"x{i}: n {{ a }}" for i in range(90)) + "}",
    "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "{ ...A } " + " ".join(f"fragment A{i} on Query {{ ...A{i + 1} }}" for i in range(60)),
    "query(" + " ".join(f"$v{i}: Int" for i in range(150)) + ") { n { a } }",
    "{ echo(date: " + "[" * 200 + "]" * 200 + ") }",
    "{ echo(amount: " + "9" * 5_000 + ") }",
    '{ echo(uuid: "\\ud83d") }',
    '{ echo(data: """' + "=" * 5_000 + '""") }',
    '{ node(id: "' + "A" * 9_000 + '") { id } }',
    "{ n(first: 99999999999999999999) { a } }",
    "{ n { n(first: 1e400) { a } } }",
    "{ n { n(first: " + "9" * 6_000 + ") { a } } }",
    "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
    "subscription { n { a } }",
    "type Query { a: Int }",
    "extend schema @a",
    "{ __typename @include(if: $x) }",
    "query A($x: Boolean = 3) { n { a @include(if: $x) } }",
    "query($x: Loan) { n { a } }",
    "query($x: [[[[[[Int]]]]]]) { n { a } }",
    "mutation { " + "eventRecord { ok } " * 50 + "}",
    '{ fails(how: "value") }',
    '{ fails(how: "broken") }',
    "{ overflow }",
    "{ either { id } }",
    "{ loans(first: 1) { items { secret } } }",
    "#" * 16_000,
    ",,,,,",
    "\u2028{ n { a } }",
    "{ n { a } } \0",
]

PIECES = [
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"null", b"true", b"1e9", b"-", b"n", b"@", b"...", b"$x", b"!"),
    *(b"\\u0000", b"\\ud800", b"\xff", b"\xf0\x9f", b"first:", b" "),
    *(b'"query"', b'"variables"', b'"operationName"', b'"extensions"', b'"{n{a}}"'),
]

NASTY: list[Any] = [
    *(None, True, 0, -1, 2**31, 2**53 - 1, 1.5, "", "x", "\u202e", "é" * 50),
    *([], {}, [[]], {"a": {"b": []}}, [1, "a", None]),
]


async def context(request: Request) -> Context:
    return Context(caller(Role.LENDER) if request.headers.get("authorization") else None)


APP = guarded(Router([Mount("/graphql", make_view(sample_schema(), context))]))


async def status_and_text(
    body: bytes, *, accept: bytes = b"application/json", signed_in: bool = False
) -> tuple[int, str]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"accept", accept)]
    headers += [(b"authorization", b"Bearer x")] if signed_in else []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql/",
        "raw_path": b"/graphql/",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
    }
    await APP(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


async def assert_harmless(body: bytes, **how: Any) -> None:
    began = time.process_time()
    status, text = await status_and_text(body, **how)
    spent = time.process_time() - began
    assert status in (200, 400, 413), (status, body[:200], text)
    assert not [leak for leak in LEAKS if leak in text], (body[:200], text)
    assert "data" in json.loads(text) or json.loads(text)["errors" if status != 413 else "code"]
    assert spent < 0.5, (spent, body[:200])


@pytest.mark.parametrize("signed_in", [False, True])
async def test_known_bad_bodies_and_documents_are_harmless(signed_in: bool) -> None:
    for accept in (b"application/json", b"application/graphql-response+json"):
        for body in SEEDS:
            await assert_harmless(body, accept=accept, signed_in=signed_in)
        for document in DOCUMENTS:
            await assert_harmless(json.dumps({"query": document}).encode(), accept=accept, signed_in=signed_in)


async def test_random_bytes_and_pieces_are_harmless() -> None:
    chance = random.Random(20_261_124)
    for _ in range(1_500):
        await assert_harmless(chance.randbytes(chance.randrange(200)))
        await assert_harmless(b"".join(chance.choices(PIECES, k=chance.randrange(1, 40))))


async def test_good_bodies_with_one_byte_changed_are_harmless() -> None:
    chance = random.Random(1)
    good = json.dumps(
        {
            "query": "query Q($d: Date, $n: Int! = 2) { echo(date: $d) n { n(first: $n) { a } } head { id size } }",
            "variables": {"d": "2024-02-29", "n": 3},
            "operationName": "Q",
        }
    ).encode()
    assert (await status_and_text(good))[0] == 200
    for _ in range(1_500):
        changed = bytearray(good)
        changed[chance.randrange(len(good))] = chance.randrange(256)
        await assert_harmless(bytes(changed), signed_in=chance.random() < 0.5)


async def test_values_of_the_wrong_type_are_harmless() -> None:
    chance = random.Random(2)
    members = ["query", "variables", "operationName", "extensions"]
    kinds = ["Date", "Timestamp", "MinorUnits", "Base64", "UUID"]
    names = dict(zip(kinds, ["date", "at", "amount", "data", "uuid"], strict=True))
    for _ in range(1_000):
        body = {"query": "{ n { a } }"} | {chance.choice(members): chance.choice(NASTY) for _ in range(2)}
        await assert_harmless(json.dumps(body).encode())
        kind = chance.choice(kinds)
        query = f"query($v: {kind}) {{ echo({names[kind]}: $v) }}"
        await assert_harmless(json.dumps({"query": query, "variables": {"v": chance.choice(NASTY)}}).encode())


async def test_a_body_over_the_bound_is_refused_by_its_size() -> None:
    assert (await status_and_text(b"x" * (1024 * 1024 + 1)))[0] == 413
