"""How an error becomes an HTTP answer: one table, one body (RFC 9457), one line in the log.

Rules
- The class of a ``TallystickError`` decides the status; a few codes about the request itself have their own.

      InvalidInput     400    also where 422 could stand: the code says what is wrong, the status whose fault it is
      Untrusted        401    for a token (``token_...``), with WWW-Authenticate (RFC 6750 section 3)
                       403    for anything else that does not hold
      Refused          403
      NotFound         404
      Conflict         409
      Unavailable      503    with Retry-After
      InvariantBroken  500    masked
      anything else    500    masked

- A masked answer says ``internal error`` and an id; a reader of the log finds the id, the error's class, its code if it
  is one of ours, and the innermost line of our own code that it passed. Neither ever holds a message or a value.

>>> status_of(InvalidInput("body_too_large", "")), status_of(KeyError("secret"))
(413, 500)
"""

from __future__ import annotations

import logging
import os
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler, Scope

from ledger.errors import (
    Conflict,
    InvalidInput,
    InvariantBroken,
    NotFound,
    Refused,
    TallystickError,
    Unavailable,
    Untrusted,
)

LOGGER: Final = logging.getLogger("tallystick.http")
"""Where refusals (info) and faults (error) are noted: id, class, code, line of code."""

_ROOT: Final = Path(__file__).resolve().parents[2]
_OWN: Final = tuple(f"{_ROOT / package}{os.sep}" for package in ("api", "crosschain", "ledger"))
"""Folders of our own code: a defect is looked for there, not in the library that noticed it."""

PROBLEM: Final = "application/problem+json"
"""Media type of every error outside GraphQL (RFC 9457 section 3)."""

STATUS_OF_CLASS: Final[dict[type[TallystickError], int]] = {
    InvalidInput: 400,
    Untrusted: 403,
    Refused: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
    InvariantBroken: 500,
}
"""The table above."""

STATUS_OF_CODE: Final = {
    "body_too_large": 413,
    "body_too_slow": 408,
    "content_encoding_unsupported": 415,
    "headers_too_large": 431,
    "media_type_unsupported": 415,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "target_too_long": 414,
}
"""Codes about the request itself (RFC 9110 section 15.5, RFC 6585 section 5)."""


def request_id(scope: Scope) -> str:
    """The id that the guards gave this request; it stands in ``X-Request-Id``, in the answer and in the log."""
    return str(scope.get("tallystick.request_id", "unknown"))


def is_masked(error: BaseException) -> bool:
    """Whether the caller may learn nothing of this error but its id."""
    return isinstance(error, InvariantBroken) or not isinstance(error, TallystickError)


def status_of(error: BaseException) -> int:
    """The HTTP status of an error."""
    if not isinstance(error, TallystickError):
        return 500
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    if isinstance(error, Untrusted) and error.code.startswith("token_"):
        return 401
    return next((STATUS_OF_CLASS[kind] for kind in type(error).__mro__ if kind in STATUS_OF_CLASS), 500)


def problem_of(error: BaseException, error_id: str) -> dict[str, object]:
    """The RFC 9457 body: type, title, status, detail, and our code, id, path, expected, found, advice."""
    status = status_of(error)
    body: dict[str, object] = {"title": HTTPStatus(status).phrase, "status": status, "id": error_id}
    if is_masked(error) or not isinstance(error, TallystickError):
        return body | {"type": "about:blank", "detail": "internal error", "code": "internal"}
    details = error.as_dict()
    return body | {"type": f"urn:tallystick:error:{error.code}", "detail": details.pop("message"), **details}


def headers_of(error: BaseException) -> dict[str, str]:
    """Headers that go with an error: WWW-Authenticate, Retry-After, Allow."""
    if isinstance(error, Unavailable):
        return {"retry-after": str(error.retry_after_s)}
    if isinstance(error, Untrusted) and status_of(error) == 401:
        # RFC 6750 section 3.1: no error attribute when the request carried no token at all.
        detail = "" if error.code == "token_missing" else ', error="invalid_token"'
        return {"www-authenticate": f'Bearer realm="tallystick"{detail}'}
    if isinstance(error, TallystickError) and error.code == "method_not_allowed":
        return {"allow": str(error.expected)}
    return {}


def problem_response(error: BaseException, error_id: str) -> Response:
    """The whole answer to an error, and its line in the log."""
    note(error, error_id)
    body = msgspec.json.encode(problem_of(error, error_id))
    return Response(body, status_code=status_of(error), media_type=PROBLEM, headers=headers_of(error))


def note(error: BaseException, error_id: str) -> None:
    """Write an error to the log: class and code, and of a masked one the line of code; never a message or a value."""
    kind = f"{type(error).__name__} {error.code}" if isinstance(error, TallystickError) else type(error).__name__
    if is_masked(error):
        LOGGER.error("request %s failed: %s at %s", error_id, kind, place_of(error))
    else:
        LOGGER.info("request %s refused: %s", error_id, kind)


def problem_handlers() -> dict[type[Exception], ExceptionHandler]:
    """Handlers for ``Starlette(exception_handlers=...)``, so that its routes answer as the guards do."""
    return {TallystickError: _answer, HTTPException: _answer_http, Exception: _answer}


async def _answer(request: Request, error: Exception) -> Response:
    return problem_response(error, request_id(request.scope))


async def _answer_http(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such route, wrong method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    allow = (error.headers or {}).get("Allow", "") if isinstance(error, HTTPException) else ""
    if status == 404:
        return await _answer(request, NotFound("route_unknown", "nothing is served here"))
    if status == 405:
        refusal = InvalidInput("method_not_allowed", "not a method of this route", expected=allow)
        return await _answer(request, refusal)
    return await _answer(request, InvalidInput("request_malformed", "not a request that can be read"))


def place_of(error: BaseException) -> str:
    """``file:line`` of the innermost frame of our own code that an error passed; of any code when none is ours."""
    own = last = "unknown"
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        last = f"{Path(file).name}:{trace.tb_lineno}"
        if file.startswith(_OWN):
            own = f"{Path(file).relative_to(_ROOT).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return last if own == "unknown" else own
