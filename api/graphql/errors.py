"""Errors in GraphQL: those a client is meant to act on are data; the others are masked.

Rules
- An expected refusal of a mutation is part of its payload: ``errors: [UserError!]!``, made by ``user_error``.
- ``Unavailable`` is no refusal: nothing was decided, so it stands in the answer's ``errors`` with
  ``extensions.retryAfterSeconds``. The same request again is safe: it carries an idempotency key or a batch id.
- ``code`` is one of five, by whose fault it is; ``reason`` is the stable code of the ledger's error (docs/errors.md).
- Everything else stands in the answer's ``errors`` with ``extensions.code`` and ``extensions.id``:

      a TallystickError       its own code, message, field, expected, found, advice, retryAfterSeconds
      a document or variable  GRAPHQL_PARSE_FAILED, DOCUMENT_TOO_LARGE, GRAPHQL_VALIDATION_FAILED, BAD_USER_INPUT
      anything unexpected     "internal error", code INTERNAL; the log has the id, the class and the line of code

- A caller without a token gets no suggestion of names.

>>> user_error(InvalidInput("unit_wrong", "minor units, please", path="$.amount")).reason
'unit_wrong'
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError

from api.graphql.fields import open_type
from api.http.errors import is_masked, note
from ledger.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    Refused,
    TallystickError,
    Unavailable,
    Untrusted,
)

_SUGGESTION: Final = re.compile(r"\s*Did you mean [^?]*\?")
_TOKEN_CAP: Final = re.compile(r"Document contains more than? \d+ tokens|tokens\. Parsing aborted")


@strawberry.enum(description="Whose fault an expected refusal is, and so what to do about it.")
class UserErrorCode(Enum):
    """Whose fault an expected refusal is."""

    CONFLICT = strawberry.enum_value("CONFLICT", description="Contradicts what is recorded; the record stands.")
    INVALID_INPUT = strawberry.enum_value("INVALID_INPUT", description="Never acceptable as it is; correct it.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="Not there, or not for this caller to know of.")
    REFUSED = strawberry.enum_value("REFUSED", description="Well formed and genuine, but not allowed now.")
    UNTRUSTED = strawberry.enum_value("UNTRUSTED", description="A signature, proof or key does not hold.")


@strawberry.interface(description="An expected refusal: what is wrong, where, and what to do.")
class UserError:
    """An expected refusal."""

    code: UserErrorCode = strawberry.field(description="Whose fault it is.")
    reason: str = strawberry.field(description="Stable lower-case code, listed in docs/errors.md. Match on this.")
    message: str = strawberry.field(description="For people; may change.")
    path: list[str] | None = strawberry.field(description="The input member that is meant, step by step.", default=None)
    advice: str | None = strawberry.field(description="What to do next, in one sentence.", default=None)


@open_type(description="The input can never be accepted as it is.")
class InvalidInputError(UserError):
    """The input can never be accepted as it is."""

    expected: str | None = strawberry.field(description="What would be accepted.", default=None)


@open_type(description="A signature, proof or key does not hold.")
class UntrustedError(UserError):
    """A signature, proof or key does not hold."""


@open_type(description="Not allowed now: by permission, by consent, or by the loan's state.")
class RefusedError(UserError):
    """Not allowed now."""


@open_type(description="Contradicts what is recorded already.")
class ConflictError(UserError):
    """Contradicts what is recorded already."""


@open_type(description="Not there, or not for this caller to know of.")
class NotFoundError(UserError):
    """Not there, or not for this caller to know of."""


USER_ERRORS: Final = (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    UntrustedError,
)
"""The concrete types, for ``GuardedSchema(types=...)``: reached through the interface only, they would be left out."""

_KINDS: Final[tuple[tuple[type[TallystickError], type[UserError], UserErrorCode], ...]] = (
    (Conflict, ConflictError, UserErrorCode.CONFLICT),
    (InvalidInput, InvalidInputError, UserErrorCode.INVALID_INPUT),
    (NotFound, NotFoundError, UserErrorCode.NOT_FOUND),
    (Refused, RefusedError, UserErrorCode.REFUSED),
    (Untrusted, UntrustedError, UserErrorCode.UNTRUSTED),
)


def user_error(error: TallystickError) -> UserError:
    """The payload's form of an expected refusal; raises an ``InvariantBroken`` or ``Unavailable`` again, since neither
    says anything about the request."""
    for kind, made, code in _KINDS:
        if isinstance(error, kind):
            return made(
                code=code,
                reason=error.code,
                message=error.message,
                path=_steps(error.path),
                advice=error.advice,
                **_extra(error),
            )
    raise error


def _extra(error: TallystickError) -> dict[str, Any]:
    if isinstance(error, InvalidInput):
        return {"expected": None if error.expected is None else str(error.expected)}
    return {}


def _steps(path: str | None) -> list[str] | None:
    """``$.body.amount`` as ``["body", "amount"]``."""
    return None if path is None else [step for step in re.split(r"[.\[\]]", path) if step not in ("", "$")]


def request_error(code: str, message: str, error_id: str) -> dict[str, object]:
    """The answer to a request that never reached a document."""
    return {"errors": [{"message": message, "extensions": {"code": code, "id": error_id}}]}


def formatted_error(error: GraphQLError, error_id: str, *, anonymous: bool) -> dict[str, object]:
    """One entry of an answer's ``errors``, masked where it must be; notes it in the log."""
    cause = cause_of(error)
    whole: dict[str, object] = {"message": "internal error"}
    whole |= {"locations": [place.formatted for place in error.locations]} if error.locations else {}
    whole |= {"path": list(error.path)} if error.path else {}
    if isinstance(cause, TallystickError) and not is_masked(cause):
        note(cause, error_id)
        details = cause.as_dict()
        message = details.pop("message")
        details |= {"field": details.pop("path")} if "path" in details else {}
        details |= {"retryAfterSeconds": cause.retry_after_s} if isinstance(cause, Unavailable) else {}
        return whole | {"message": message, "extensions": {**details, "id": error_id}}
    code = "INTERNAL" if cause is not None else code_of(error)
    if code == "INTERNAL":
        note(cause or error, error_id)
        return whole | {"extensions": {"code": code, "id": error_id}}
    message = _SUGGESTION.sub("", error.message) if anonymous else error.message
    return whole | {"message": message, "extensions": {"code": code, "id": error_id}}


def cause_of(error: GraphQLError) -> Exception | None:
    """The exception that a GraphQL error stands for; None when it is an error of the document itself."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def code_of(error: GraphQLError) -> str:
    """The code of an error without a cause: the client's document or variables, or a value of ours that did not fit."""
    stated = (error.extensions or {}).get("code")
    if isinstance(stated, str):
        return stated
    if isinstance(error, GraphQLSyntaxError):
        return "DOCUMENT_TOO_LARGE" if _TOKEN_CAP.search(error.message) else "GRAPHQL_PARSE_FAILED"
    if error.path is None:
        return "BAD_USER_INPUT" if error.message.startswith("Variable ") else "GRAPHQL_VALIDATION_FAILED"
    # With a path it comes from execution. Only an argument is the client's; the rest would show a stored value.
    return "BAD_USER_INPUT" if error.message.startswith("Argument ") else "INTERNAL"
