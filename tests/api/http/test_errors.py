"""The table from errors to answers."""

from __future__ import annotations

import ipaddress
import logging

import pytest

from api.http.errors import headers_of, place_of, problem_of, problem_response, status_of
from ledger.attestation.envelope import commitment_of
from ledger.currency import in_major_units
from ledger.errors import Conflict, InvalidInput, InvariantBroken, NotFound, Refused, Unavailable, Untrusted

SECRET = "canary-4711"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("unit_wrong", ""), 400),
        (InvalidInput("body_too_large", ""), 413),
        (InvalidInput("body_too_slow", ""), 408),
        (InvalidInput("headers_too_large", ""), 431),
        (InvalidInput("target_too_long", ""), 414),
        (InvalidInput("method_not_allowed", ""), 405),
        (InvalidInput("not_acceptable", ""), 406),
        (InvalidInput("media_type_unsupported", ""), 415),
        (InvalidInput("content_encoding_unsupported", ""), 415),
        (Untrusted("token_expired", ""), 401),
        (Untrusted("signature_invalid", ""), 403),
        (Refused("permission_denied", ""), 403),
        (NotFound("batch_unknown", ""), 404),
        (Conflict("batch_id_reused", ""), 409),
        (Unavailable("queue_full", ""), 503),
        (InvariantBroken("head_behind", ""), 500),
        (ValueError(""), 500),
    ],
)
def test_each_class_has_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_a_problem_says_what_where_and_what_to_do() -> None:
    error = InvalidInput("unit_wrong", "minor units", path="$.amount", expected="integer", found=1.5, advice="Round.")
    assert problem_of(error, "id1") == {
        "type": "urn:tallystick:error:unit_wrong",
        "title": "Bad Request",
        "status": 400,
        "detail": "minor units",
        "code": "unit_wrong",
        "path": "$.amount",
        "expected": "integer",
        "found": "1.5",
        "advice": "Round.",
        "id": "id1",
    }


@pytest.mark.parametrize("error", [ValueError(SECRET), InvariantBroken("head_behind", SECRET, found=SECRET)])
def test_what_a_caller_may_not_know_is_masked_and_its_value_is_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise error
    except Exception as raised:
        with caplog.at_level(logging.DEBUG):
            response = problem_response(raised, "id2")
    assert response.status_code == 500
    assert SECRET.encode() not in response.body
    assert b'"detail":"internal error"' in response.body
    assert b'"id":"id2"' in response.body
    (record,) = caplog.records
    kind = "ValueError" if isinstance(error, ValueError) else "InvariantBroken head_behind"
    assert record.getMessage().startswith(f"request id2 failed: {kind} at test_errors.py:")
    assert SECRET not in caplog.text


def test_headers_say_when_to_return_and_how_to_authenticate() -> None:
    assert headers_of(Unavailable("queue_full", "", retry_after_s=7)) == {"retry-after": "7"}
    assert headers_of(Untrusted("token_missing", "")) == {"www-authenticate": 'Bearer realm="tallystick"'}
    assert headers_of(Untrusted("token_expired", "")) == {
        "www-authenticate": 'Bearer realm="tallystick", error="invalid_token"'
    }
    assert headers_of(InvalidInput("method_not_allowed", "", expected="POST")) == {"allow": "POST"}
    assert headers_of(Refused("permission_denied", "")) == {}


def test_the_place_is_the_innermost_line_of_our_own_code_and_not_the_librarys() -> None:
    with pytest.raises(KeyError) as caught:
        in_major_units(1, "XXX")
    assert place_of(caught.value).startswith("ledger/currency.py:")
    with pytest.raises(TypeError) as deeper:
        commitment_of("no bytes")  # type: ignore[arg-type]
    assert place_of(deeper.value).startswith("ledger/attestation/envelope.py:")
    with pytest.raises(ValueError) as foreign:
        ipaddress.ip_address("nowhere")
    assert place_of(foreign.value).startswith("ipaddress.py:")
    assert place_of(ValueError()) == "unknown"
