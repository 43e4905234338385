"""Errors as data, and errors as errors."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from api.graphql.errors import UserErrorCode, formatted_error, user_error
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


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (InvalidInput("a", "m"), "InvalidInputError", UserErrorCode.INVALID_INPUT),
        (Untrusted("a", "m"), "UntrustedError", UserErrorCode.UNTRUSTED),
        (Refused("a", "m"), "RefusedError", UserErrorCode.REFUSED),
        (Conflict("a", "m"), "ConflictError", UserErrorCode.CONFLICT),
        (NotFound("a", "m"), "NotFoundError", UserErrorCode.NOT_FOUND),
    ],
)
def test_each_class_has_its_type_and_code(error: TallystickError, name: str, code: UserErrorCode) -> None:
    made = user_error(error)
    assert (type(made).__name__, made.code, made.reason, made.message) == (name, code, "a", "m")


def test_a_path_becomes_steps() -> None:
    assert user_error(InvalidInput("a", "m", path="$.items[3].amount")).path == ["items", "3", "amount"]
    assert user_error(InvalidInput("a", "m")).path is None


def test_details_that_a_client_acts_on_are_fields() -> None:
    assert user_error(InvalidInput("a", "m", expected=7)).expected == "7"  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [InvariantBroken("a", "m"), Unavailable("a", "m")])
def test_a_broken_invariant_and_an_outage_are_no_payload(error: TallystickError) -> None:
    with pytest.raises(type(error)):
        user_error(error)


def test_an_outage_says_when_to_come_back() -> None:
    error = GraphQLError("m", original_error=Unavailable("queue_full", "m", retry_after_s=9, advice="wait"))
    assert formatted_error(error, "id-1", anonymous=False) == {
        "message": "m",
        "extensions": {"code": "queue_full", "advice": "wait", "retryAfterSeconds": 9, "id": "id-1"},
    }
