"""GraphQL over HTTP (the working draft), on ``POST`` alone, with no way to a status 500 through a body.

Rules
- Only POST (405 with Allow otherwise): credit data must not sit in addresses, caches and logs of them.
- Only ``application/json`` in UTF-8 (415), answered in JSON or in
  ``application/graphql-response+json`` (406 for neither).
- The body is bytes, UTF-8, strict JSON (no NaN, no member twice, no half of a surrogate pair), an object; ``query`` a
  text of at most 16,384 characters, ``variables`` and ``extensions`` objects at most 16 deep without NUL. Other members
  are ignored.
- A request that never reached a document: 400, whatever the media type. A document that does not parse, validate or
  coerce: 400 in graphql-response+json, 200 in plain JSON (old clients take anything else for a network failure); in
  both there is no ``data``. Else 200.
- No IDE, no batches, no uploads, no streams, no WebSocket.
- Errors are those of ``errors``; a token that does not hold is 401 before anything is parsed.

    app = make_view(make_schema(Query, Mutation), context_factory)      # async (Request) -> object with .principal
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from api.auth.tokens import Principal
from api.graphql.errors import USER_ERRORS, formatted_error, request_error
from api.graphql.fields import GuardedSchema
from api.graphql.media import GRAPHQL, JSON, is_json, negotiate
from api.graphql.operation_limits import operation_limits
from api.graphql.scalars import SCALARS
from api.http.errors import headers_of, is_masked, note, request_id, status_of
from api.limits import ERRORS_MAX, GRAPHQL_BODY_BYTES_MAX, JSON_DEPTH_MAX, PAGE_MAX, QUERY_CHARS_MAX, QUERY_DIGITS_MAX
from ledger.attestation.canonical import JsonValue, parse_strict
from ledger.errors import InvalidInput, InvariantBroken, TallystickError

_MEDIA: Final = "tallystick.media"
_ANONYMOUS: Final = "tallystick.anonymous"
_LONG_NUMBER: Final = re.compile(rf"[0-9]{{{QUERY_DIGITS_MAX + 1}}}")


class HasPrincipal(Protocol):
    """What every context has: the caller, or None without a token."""

    @property
    def principal(self) -> Principal | None:
        """Who calls."""


ContextFactory = Callable[[Request], Awaitable[HasPrincipal]]
"""Makes a request's context; raises ``Untrusted`` for a token that does not hold."""


def make_schema(query: type, mutation: type | None = None, *, types: Iterable[type] = ()) -> GuardedSchema:
    """A schema with our scalars, error types and limits; raises ``InvariantBroken`` ``field_permission_missing``."""
    return GuardedSchema(
        query,
        mutation=mutation,
        types=[*USER_ERRORS, *types],
        extensions=[operation_limits()],
        config=StrawberryConfig(scalar_map=SCALARS, relay_max_results=PAGE_MAX),
    )


def make_view(schema: GuardedSchema, context_factory: ContextFactory) -> GraphQLView:
    """The ASGI application that serves ``schema``; raises ``InvariantBroken`` ``schema_not_guarded``."""
    if not isinstance(schema, GuardedSchema):
        raise InvariantBroken("schema_not_guarded", "only a schema that denies by default is served")
    return GraphQLView(schema, context_factory)


class GraphQLView(GraphQL[Any, None]):
    """One endpoint; build it with ``make_view``."""

    def __init__(self, schema: GuardedSchema, context_factory: ContextFactory) -> None:
        super().__init__(schema, graphql_ide=None, allow_queries_via_get=False, subscription_protocols=())
        self._context_factory = context_factory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        scope[_MEDIA] = negotiate(", ".join(request.headers.getlist("accept")) or None)
        try:
            check_request(request, scope[_MEDIA])
            response = await self.run(request)
        except Exception as error:
            response = _refusal(request, _plain(error))
        await response(scope, receive, send)

    async def get_context(self, request: Request, response: object) -> Any:  # type: ignore[override]
        """The caller's context, made before the body is read."""
        context = await self._context_factory(request)
        request.scope[_ANONYMOUS] = context.principal is None
        return context

    async def get_sub_response(self, request: Request) -> Response:  # type: ignore[override]
        """Carries the negotiated media type to ``create_response``, which does not see the request."""
        response = await super().get_sub_response(request)
        response.media_type = request.scope[_MEDIA]
        return response

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The guard in front of the parser."""
        return read_request(await request.get_body())

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Data and formatted errors; no ``data`` where no field was begun."""
        answer: GraphQLHTTPResponse = {}
        errors = result.errors or []
        if result.data is not None or any(error.path for error in errors):
            answer["data"] = result.data
        if errors:
            error_id, anonymous = request_id(request.scope), request.scope[_ANONYMOUS]
            answer["errors"] = [formatted_error(each, error_id, anonymous=anonymous) for each in errors[:ERRORS_MAX]]
        return answer

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """Bytes and status."""
        media = sub_response.media_type or JSON
        response = _response(response_data, 400 if media == GRAPHQL and "data" not in response_data else 200, media)
        response.headers.raw.extend(sub_response.headers.raw)
        return response


def check_request(request: Request, media: str | None) -> None:
    """Method and media types; raises ``InvalidInput`` ``method_not_allowed``, ``not_acceptable``,
    ``media_type_unsupported``."""
    if request.method != "POST":
        raise InvalidInput("method_not_allowed", "GraphQL is served on POST", expected="POST")
    if media is None:
        raise InvalidInput("not_acceptable", "the answer is JSON", expected=f"{JSON} or {GRAPHQL}")
    if not is_json(request.headers.get("content-type")):
        raise InvalidInput("media_type_unsupported", "send JSON in UTF-8", expected=JSON)


def read_request(body: bytes) -> GraphQLRequestData:
    """The parameters of a request body.

    Raises ``InvalidInput``: ``body_too_large``, the ``json_...`` codes of ``parse_strict``,
    ``graphql_request_invalid``, ``query_too_long``, ``number_too_long``, ``json_nesting_too_deep``, ``json_nul``.
    """
    if len(body) > GRAPHQL_BODY_BYTES_MAX:
        raise InvalidInput(
            "body_too_large", "the body is too large", expected=f"at most {GRAPHQL_BODY_BYTES_MAX} bytes"
        )
    whole = parse_strict(body)
    if not isinstance(whole, dict):
        raise _invalid("a request is an object", "$")
    query, name = whole.get("query"), whole.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise _invalid("a request has a document", "$.query")
    if len(query) > QUERY_CHARS_MAX:
        raise InvalidInput("query_too_long", "the document is too long", path="$.query", expected=f"{QUERY_CHARS_MAX}")
    if _LONG_NUMBER.search(query):
        raise InvalidInput("number_too_long", "a number of too many digits", path="$.query")
    if name is not None and not isinstance(name, str):
        raise _invalid("the operation's name is a text", "$.operationName")
    variables, extensions = _object(whole, "variables"), _object(whole, "extensions")
    return GraphQLRequestData(query=query, variables=variables, operation_name=name or None, extensions=extensions)


def _object(whole: dict[str, JsonValue], name: str) -> dict[str, JsonValue] | None:
    value = whole.get(name)
    if value is not None and not isinstance(value, dict):
        raise _invalid("not an object", f"$.{name}")
    _check_value(value, 0)
    return value


def _check_value(value: JsonValue, depth: int) -> None:
    """PostgreSQL's texts hold no NUL, and nothing of ours nests deep."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidInput("json_nul", "a text holds the character NUL", path="$.variables")
        return
    if not isinstance(value, dict | list):
        return
    if depth >= JSON_DEPTH_MAX:
        raise InvalidInput("json_nesting_too_deep", "nests too deep", path="$.variables", expected=f"{JSON_DEPTH_MAX}")
    for inside in value.values() if isinstance(value, dict) else value:
        _check_value(inside, depth + 1)


def _invalid(message: str, path: str) -> InvalidInput:
    return InvalidInput("graphql_request_invalid", message, path=path, advice="Send query, variables, operationName.")


def _plain(error: Exception) -> Exception:
    """The library's own refusals as ours; what they say about the request is left out."""
    if isinstance(error, HTTPException) and error.status_code < 500:
        return InvalidInput("operation_unknown", "no such operation, or none of a kind that is served", path="$.query")
    return error


def _refusal(request: Request, error: Exception) -> Response:
    error_id = request_id(request.scope)
    note(error, error_id)
    code, message = "INTERNAL", "internal error"
    if isinstance(error, TallystickError) and not is_masked(error):
        code, message = error.code, error.message
    answer = request_error(code, message, error_id)
    response = _response(answer, status_of(error), request.scope[_MEDIA] or JSON)
    response.headers.update(headers_of(error))
    return response


def _response(answer: object, status: int, media: str) -> Response:
    try:
        body = msgspec.json.encode(answer)
    except UnicodeEncodeError:
        body = json.dumps(answer).encode()  # half of a surrogate pair in a stored text: escaped, as JSON allows
    return Response(body, status_code=status, headers={"content-type": f"{media}; charset=utf-8"})
