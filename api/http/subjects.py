"""``POST /v1/subjects``: identifiers in, pseudonyms out, for lenders that prepare attestations.

    {"identifiers": [{"scheme": "national-id", "value": "..."}]}   ->   {"subjects": ["base64", ...]}

Rules
- At most 4,096 at once (one batch's worth), answered in their order.
- An identifier is never stored, logged or put into an error.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth.permissions import Permission
from api.http.callers import Callers
from ledger.errors import InvalidInput
from ledger.limits import BATCH_ATTESTATIONS_MAX
from ledger.subject.pseudonym import Pseudonyms


class Identifier(msgspec.Struct, forbid_unknown_fields=True):
    """One identifier under its scheme."""

    scheme: str
    value: str


class SubjectsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body."""

    identifiers: Annotated[list[Identifier], msgspec.Meta(min_length=1, max_length=BATCH_ATTESTATIONS_MAX)]


_DECODER: Final = msgspec.json.Decoder(SubjectsRequest)


def subject_routes(pseudonyms: Pseudonyms, callers: Callers) -> list[Route]:
    """The route over a deployment's pseudonyms."""

    async def resolve(request: Request) -> Response:
        await callers.require(request.scope, Permission.SUBJECTS_RESOLVE)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise InvalidInput("media_type_unsupported", "send JSON", expected="application/json")
        asked = _read(await request.body())
        subjects = [_resolve(pseudonyms, number, asked[number]) for number in range(len(asked))]
        return Response(msgspec.json.encode({"subjects": subjects}), media_type="application/json")

    return [Route("/v1/subjects", resolve, methods=["POST"])]


def _resolve(pseudonyms: Pseudonyms, number: int, identifier: Identifier) -> bytes:
    try:
        return pseudonyms.subject(identifier.scheme, identifier.value)
    except InvalidInput as error:
        error.path = f"$.identifiers[{number}]" + (error.path or "$")[1:]
        raise


def _read(body: bytes) -> list[Identifier]:
    try:
        return _DECODER.decode(body).identifiers
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # The decoder's own sentence could quote an identifier.
        raise InvalidInput(
            "subjects_request_invalid",
            "not a list of identifiers",
            path="$.identifiers",
            expected="1 to 4096 objects of scheme and value",
        ) from None
