"""GraphQL over HTTP, case by case as the public audits ask, and what an answer may say."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import strawberry
from starlette.requests import Request

from api.auth.permissions import Role
from api.graphql.http_view import make_view
from api.graphql.media import negotiate
from api.http.guards import guarded
from ledger.errors import InvariantBroken, Untrusted
from tests.api.graphql.sample_schema import CANARY, Context, caller, sample_schema

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
SCHEMA = sample_schema()


async def context(request: Request) -> Context:
    """The caller by a word in the header, instead of a token."""
    word = request.headers.get("authorization")
    if word == "bad":
        raise Untrusted("token_expired", "the token has expired")
    if word == "broken":
        raise RuntimeError(CANARY)
    return Context(caller(Role(word)) if word else None)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = guarded(make_view(SCHEMA, context), make_id=lambda: "id1")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/graphql") as client:
        yield client


async def post(http: httpx.AsyncClient, query: object, *, accept: str = JSON, **members: Any) -> httpx.Response:
    headers = {"accept": accept, **({"authorization": members.pop("as_")} if "as_" in members else {})}
    return await http.post("", json={"query": query, **members}, headers=headers)


OK = "{ __typename }"
BODY = json.dumps({"query": OK})


# what is sent; accept; status; whether data is present; code of the first error
AUDITS: list[tuple[str, str, str, int, bool, str | None]] = [
    ("a query", BODY, JSON, 200, True, None),
    ("a query", BODY, GRAPHQL, 200, True, None),
    ("a query", BODY, "*/*", 200, True, None),
    ("operationName null", '{"query": "{ __typename }", "operationName": null}', JSON, 200, True, None),
    ("operationName empty", '{"query": "{ __typename }", "operationName": ""}', JSON, 200, True, None),
    (
        "operationName named",
        '{"query": "query A { __typename } query B { n { a } }", "operationName": "A"}',
        JSON,
        200,
        True,
        None,
    ),
    ("variables null", '{"query": "{ __typename }", "variables": null, "extensions": null}', JSON, 200, True, None),
    ("extensions", '{"query": "{ __typename }", "extensions": {"a": 1}}', JSON, 200, True, None),
    ("other members are ignored", '{"query": "{ __typename }", "id": 7}', JSON, 200, True, None),
    ("no JSON", "{", JSON, 400, False, "json_malformed"),
    ("no JSON", "{", GRAPHQL, 400, False, "json_malformed"),
    ("no query", "{}", JSON, 400, False, "graphql_request_invalid"),
    ("no query", "{}", GRAPHQL, 400, False, "graphql_request_invalid"),
    ("query null", '{"query": null}', JSON, 400, False, "graphql_request_invalid"),
    ("query empty", '{"query": " "}', JSON, 400, False, "graphql_request_invalid"),
    ("query an object", '{"query": {"a": 1}}', GRAPHQL, 400, False, "graphql_request_invalid"),
    (
        "operationName a list",
        '{"query": "{ __typename }", "operationName": []}',
        JSON,
        400,
        False,
        "graphql_request_invalid",
    ),
    ("variables a text", '{"query": "{ __typename }", "variables": "x"}', JSON, 400, False, "graphql_request_invalid"),
    (
        "variables a list",
        '{"query": "{ __typename }", "variables": []}',
        GRAPHQL,
        400,
        False,
        "graphql_request_invalid",
    ),
    (
        "extensions a number",
        '{"query": "{ __typename }", "extensions": 0}',
        JSON,
        400,
        False,
        "graphql_request_invalid",
    ),
    ("a batch", f"[{BODY}]", JSON, 400, False, "graphql_request_invalid"),
    ("null", "null", JSON, 400, False, "graphql_request_invalid"),
    ("a number", "7", JSON, 400, False, "graphql_request_invalid"),
    ("a member twice", '{"query": "{ __typename }", "query": "{ a }"}', JSON, 400, False, "json_duplicate_member"),
    ("NaN", '{"query": "{ __typename }", "variables": {"a": NaN}}', JSON, 400, False, "json_malformed"),
    ("half a surrogate pair", '{"query": "\\ud800"}', JSON, 400, False, "json_lone_surrogate"),
    ("NUL", '{"query": "{ __typename }", "variables": {"a": "\\u0000"}}', JSON, 400, False, "json_nul"),
    ("a document that does not parse", '{"query": "{"}', JSON, 200, False, "GRAPHQL_PARSE_FAILED"),
    ("a document that does not parse", '{"query": "{"}', GRAPHQL, 400, False, "GRAPHQL_PARSE_FAILED"),
    ("a document that does not validate", '{"query": "{ nope }"}', JSON, 200, False, "GRAPHQL_VALIDATION_FAILED"),
    ("a document that does not validate", '{"query": "{ nope }"}', GRAPHQL, 400, False, "GRAPHQL_VALIDATION_FAILED"),
    ("a variable left out", '{"query": "query($a: ID!) { node(id: $a) { id } }"}', JSON, 200, False, "BAD_USER_INPUT"),
    (
        "a variable left out",
        '{"query": "query($a: ID!) { node(id: $a) { id } }"}',
        GRAPHQL,
        400,
        False,
        "BAD_USER_INPUT",
    ),
    (
        "an unknown operation",
        '{"query": "query A { n { a } }", "operationName": "B"}',
        JSON,
        400,
        False,
        "operation_unknown",
    ),
    (
        "two operations and no name",
        '{"query": "query A { n { a } } query B { n { a } }"}',
        GRAPHQL,
        400,
        False,
        "OPERATION_NAME_REQUIRED",
    ),
    ("a subscription", '{"query": "subscription { a }"}', GRAPHQL, 400, False, "GRAPHQL_VALIDATION_FAILED"),
    ("a fragment alone", '{"query": "fragment A on Query { n { a } }"}', GRAPHQL, 400, False, "operation_unknown"),
    ("a field that fails", '{"query": "{ fails(how: \\"refused\\") n { a } }"}', GRAPHQL, 200, True, "consent_revoked"),
    (
        "too deep",
        json.dumps({"query": "{ " + "n{" * 13 + "a" + "}" * 13 + "}"}),
        GRAPHQL,
        400,
        False,
        "DOCUMENT_TOO_DEEP",
    ),
    ("too many tokens", json.dumps({"query": "{" + "n{n{a}}" * 300 + "}"}), JSON, 200, False, "DOCUMENT_TOO_LARGE"),
    (
        "a number of 401 digits",
        json.dumps({"query": "{ n(first: " + "9" * 401 + ") { a } }"}),
        JSON,
        400,
        False,
        "number_too_long",
    ),
    ("too long", json.dumps({"query": "#" * 16_385}), JSON, 400, False, "query_too_long"),
]


@pytest.mark.parametrize("row", AUDITS, ids=lambda row: f"{row[0]} in {row[2]}")
async def test_each_request_has_the_answer_of_the_draft(
    row: tuple[str, str, str, int, bool, str | None], http: httpx.AsyncClient
) -> None:
    _, body, accept, status, has_data, code = row
    answer = await http.post("", content=body, headers={"accept": accept, "content-type": JSON})
    whole = answer.json()
    first = (whole.get("errors") or [{}])[0].get("extensions", {}).get("code")
    assert (answer.status_code, "data" in whole, first) == (status, has_data, code)
    assert answer.headers["content-type"] == f"{GRAPHQL if accept == GRAPHQL else JSON}; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_are_refused_and_post_is_named(method: str, http: httpx.AsyncClient) -> None:
    answer = await http.request(method, "?query={__typename}", headers={"accept": "text/html, */*"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert b"<html" not in answer.content


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql",
     "application/json; charset=utf-16", "application/jsonp", "text/plain; application/json"],
)  # fmt: skip
async def test_other_content_types_are_refused(content_type: str, http: httpx.AsyncClient) -> None:
    answer = await http.post("", content=BODY, headers={"content-type": content_type} if content_type else {})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (415, "media_type_unsupported")


async def test_json_in_utf_8_is_accepted_by_any_of_its_names(http: httpx.AsyncClient) -> None:
    for content_type in (JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'):
        assert (await http.post("", content=BODY, headers={"content-type": content_type})).status_code == 200


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"{JSON};q=0.9, {GRAPHQL};q=0.1", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        ("text/event-stream, multipart/mixed, application/json", JSON),
        ("text/html", None),
        ("text/event-stream", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=x", None),
        (f"{JSON};q=nan", None),
        (f"{JSON};q=1e9", None),
    ],
)
def test_the_media_type_is_negotiated(accept: str | None, media: str | None) -> None:
    assert negotiate(accept) == media


async def test_a_client_that_takes_no_json_is_refused(http: httpx.AsyncClient) -> None:
    answer = await post(http, OK, accept="text/html")
    assert (answer.status_code, answer.headers["content-type"]) == (406, f"{JSON}; charset=utf-8")


@pytest.mark.parametrize("how", ["value", "broken"])
async def test_an_unexpected_error_is_masked_and_found_by_its_id(
    how: str, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await post(http, f'{{ fails(how: "{how}") }}')
    (error,) = answer.json()["errors"]
    assert (error["message"], error["path"]) == ("internal error", ["fails"])
    assert error["extensions"] == {"code": "INTERNAL", "id": "id1"}
    assert answer.headers["x-request-id"] == "id1"
    assert "request id1 failed" in caplog.text
    assert CANARY not in answer.text + caplog.text


async def test_a_value_of_ours_that_does_not_fit_is_not_shown(http: httpx.AsyncClient) -> None:
    answer = await post(http, "{ overflow }")
    assert answer.json()["errors"][0]["message"] == "internal error"
    assert "4711" not in answer.text


async def test_a_refusal_says_code_message_field_and_advice(http: httpx.AsyncClient) -> None:
    (error,) = (await post(http, '{ fails(how: "refused") }')).json()["errors"]
    assert error["message"] == "the consent is revoked"
    assert error["extensions"] == {
        "code": "consent_revoked",
        "field": "$.consent",
        "advice": "Ask again.",
        "id": "id1",
    }


async def test_a_token_that_does_not_hold_is_401_before_the_body_is_read(http: httpx.AsyncClient) -> None:
    headers = {"content-type": JSON, "authorization": "bad"}
    answer = await http.post("", content=b"\xff", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="tallystick", error="invalid_token"'
    assert answer.json()["errors"][0]["extensions"] == {"code": "token_expired", "id": "id1"}


async def test_a_fault_of_the_server_is_masked(http: httpx.AsyncClient) -> None:
    answer = await post(http, OK, as_="broken")
    assert (answer.status_code, CANARY in answer.text) == (500, False)


async def test_a_missing_permission_is_said_by_code(http: httpx.AsyncClient) -> None:
    query = "{ loans(first: 1) { items { id } } }"
    codes = [(await post(http, query, **who)).json()["errors"][0]["extensions"]["code"] for who in ({}, {"as_": "app"})]
    assert codes == ["token_missing", "permission_denied"]
    assert (await post(http, query, as_="lender")).json() == {"data": {"loans": {"items": [{"id": "l"}]}}}


async def test_an_expected_refusal_of_a_mutation_is_data(http: httpx.AsyncClient) -> None:
    query = "mutation { eventRecord { ok errors { __typename code reason path } } }"
    assert (await post(http, query, as_="lender")).json()["data"]["eventRecord"] == {
        "ok": False,
        "errors": [
            {"__typename": "ConflictError", "code": "CONFLICT", "reason": "batch_id_reused", "path": ["input", "id"]}
        ],
    }


async def test_suggestions_and_introspection_are_for_callers_with_a_token(http: httpx.AsyncClient) -> None:
    assert "Did you mean" not in (await post(http, "{ heed }")).text
    assert "Did you mean" in (await post(http, "{ heed }", as_="app")).text
    assert "data" not in (await post(http, "{ __schema { queryType { name } } }")).json()
    assert "data" in (await post(http, "{ __schema { queryType { name } } }", as_="app")).json()


SCALARS: list[tuple[str, object, str | None]] = [
    ("date: Date", "2024-02-29", None),
    ("date: Date", "2023-02-29", "date_invalid"),
    ("date: Date", 7, "date_invalid"),
    ("at: Timestamp", "2026-11-24T10:00:00.000Z", None),
    ("at: Timestamp", "2026-11-24", "timestamp_invalid"),
    ("amount: MinorUnits", "9007199254740991", None),
    ("amount: MinorUnits", "1.5", "minor_units_invalid"),
    ("data: Base64", "AQ==", None),
    ("data: Base64", "A", "base64_invalid"),
    ("uuid: UUID", "01890a5d-ac96-774b-bcce-b302099a8057", None),
    ("uuid: UUID", "x", "uuid_invalid"),
]


@pytest.mark.parametrize(("declared", "value", "code"), SCALARS)
async def test_a_scalar_is_read_strictly_as_variable_and_as_literal(
    declared: str, value: object, code: str | None, http: httpx.AsyncClient
) -> None:
    name, _, kind = declared.partition(": ")
    by_variable = await post(http, f"query($v: {kind}) {{ echo({name}: $v) }}", variables={"v": value})
    by_literal = await post(http, f"{{ echo({name}: {json.dumps(value)}) }}")
    for answer in (by_variable, by_literal):
        found = [error["extensions"]["code"] for error in answer.json().get("errors", [])]
        assert found == ([] if code is None else [code])


async def test_a_scalar_is_written_in_its_one_form(http: httpx.AsyncClient) -> None:
    assert (await post(http, "{ at }")).json() == {"data": {"at": "2026-09-21T14:13:20.123Z"}}


async def test_a_websocket_is_refused() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await make_view(SCHEMA, context)({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


@strawberry.type
class Anything:
    name: str = "a"


def test_only_a_schema_that_denies_by_default_is_served() -> None:
    with pytest.raises(InvariantBroken, match="schema_not_guarded"):
        make_view(strawberry.Schema(Anything), context)  # type: ignore[arg-type]
