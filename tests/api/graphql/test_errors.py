"""Errors as data, and errors as errors."""

from __future__ import annotations

import pytest

from api.graphql.errors import UserErrorCode, user_error
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
        (Unavailable("a", "m"), "UnavailableError", UserErrorCode.UNAVAILABLE),
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
    assert user_error(Unavailable("a", "m", retry_after_s=9)).retry_after_seconds == 9  # type: ignore[attr-defined]


def test_a_broken_invariant_is_no_payload() -> None:
    with pytest.raises(InvariantBroken):
        user_error(InvariantBroken("a", "m"))
