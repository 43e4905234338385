"""A batch: attestations under one signature, and everything that may be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger.attestation.batch import (
    STATEMENT_TYPE,
    Batch,
    Statement,
    assemble,
    ensure_timely,
    open_batch,
    read_statement,
    sign_statement,
    split_lines,
    verify_statement,
)
from ledger.attestation.credit_kinds import Repayment
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.jws import sign_jws
from ledger.attestation.keys import KeyHistory, PrivateKey, PublicKey, admit_public_key
from ledger.errors import InvalidInput, TallystickError, Untrusted
from ledger.limits import BATCH_BYTES_MAX, CLOCK_AHEAD_MS_MAX, STATEMENT_AGE_MS_MAX
from ledger.log.merkle import leaf_hash, root_of, verify_inclusion
from ledger.types import UnixMillis
from tests.support.every_kind import ID, NOW, envelope_fields

ORIGIN = "ledger.example/test"
KEY = PrivateKey.from_random("EdDSA", bytes(range(32)))
OTHER_KEY = PrivateKey.from_random("ES256", bytes(range(1, 33)))


def public(key: PrivateKey = KEY, **changes: Any) -> PublicKey:
    return replace(admit_public_key(key.public_jwk(), not_before_ms=UnixMillis(0)), **changes)


KEYS = KeyHistory([public()])


def repayments(count: int, tenant: str = "acacia") -> list[Attestation]:
    """That many different attestations."""
    body = Repayment(amount=1, channel="c", currency="KES")
    first = UUID("01890a5d-ac96-774b-bcce-b30209000000").int
    return [compose(envelope_fields("repayment", id=UUID(int=first + n), tenant=tenant), body) for n in range(count)]


ATTESTATIONS = repayments(3)
BODY = b"".join(each.data + b"\n" for each in ATTESTATIONS)


def statement(attestations: list[Attestation] = ATTESTATIONS, **changes: Any) -> Statement:
    whole = Statement(
        batch=ID, count=len(attestations), ledger=ORIGIN, root=root_of([a.commitment for a in attestations]),
        tenant="acacia", time=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def opened(token: bytes, body: bytes = BODY, keys: KeyHistory = KEYS, now: int = NOW) -> Batch:
    return open_batch(token, body, keys, origin=ORIGIN, now=UnixMillis(now))


def fault(act: Callable[[], object]) -> tuple[type[TallystickError], str, str | None]:
    with pytest.raises(TallystickError) as caught:
        act()
    return type(caught.value), caught.value.code, caught.value.path


@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=lambda key: key.alg)
def test_a_batch_gives_its_statement_and_a_path_to_the_root_for_each_attestation(key: PrivateKey) -> None:
    token = sign_statement(statement(), key)
    batch = opened(token, keys=KeyHistory([public(key)]))
    assert (batch.statement, batch.token, batch.leaf, batch.kid) == (statement(), token, leaf_hash(token), key.kid)
    assert batch.attestations == ATTESTATIONS
    for index, (attestation, path) in enumerate(zip(batch.attestations, batch.paths, strict=True)):
        verify_inclusion(index=index, size=3, leaf=attestation.commitment, path=path, root=statement().root)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tenant": "baobab"}, (InvalidInput, "tenant_differs", "$[0].tenant")),
        ({"count": 2}, (InvalidInput, "count_differs", "$.count")),
        ({"count": 4}, (InvalidInput, "count_differs", "$.count")),
        ({"root": bytes(32)}, (Untrusted, "root_differs", "$.root")),
        ({"root": root_of([a.commitment for a in reversed(ATTESTATIONS)])}, (Untrusted, "root_differs", "$.root")),
        ({"ledger": "ledger.example/other"}, (InvalidInput, "ledger_differs", "$.ledger")),
        ({"time": NOW + CLOCK_AHEAD_MS_MAX + 1}, (InvalidInput, "time_ahead", "$.time")),
        ({"time": NOW - STATEMENT_AGE_MS_MAX - 1}, (InvalidInput, "time_old", "$.time")),
    ],
)
def test_a_statement_that_does_not_fit_is_refused(changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert fault(lambda: opened(sign_statement(statement(**changes), KEY))) == expected


def test_the_times_at_the_edge_are_taken() -> None:
    for at in (NOW + CLOCK_AHEAD_MS_MAX, NOW - STATEMENT_AGE_MS_MAX):
        ensure_timely(statement(time=at), UnixMillis(NOW))
        assert opened(sign_statement(statement(time=at), KEY)).statement.time == at


def test_one_attestation_of_another_tenant_is_found_where_it_stands() -> None:
    mixed = [*ATTESTATIONS[:2], *repayments(3, "baobab")[2:]]
    token = sign_statement(statement(mixed), KEY)
    body = b"".join(each.data + b"\n" for each in mixed)
    assert fault(lambda: opened(token, body)) == (InvalidInput, "tenant_differs", "$[2].tenant")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (public(OTHER_KEY), "key_unknown"),
        (public(not_after_ms=UnixMillis(NOW)), "key_expired"),
        (public(not_before_ms=UnixMillis(NOW + 1)), "key_not_yet_valid"),
        (public(revoked_from_ms=UnixMillis(NOW)), "key_revoked"),
    ],
)
def test_a_key_that_may_not_speak_for_that_time_is_refused(key: PublicKey, code: str) -> None:
    token = sign_statement(statement(), KEY)
    assert fault(lambda: opened(token, keys=KeyHistory([key])))[:2] == (Untrusted, code)


def test_a_key_revoked_by_now_signs_nothing_new_whatever_time_it_claims() -> None:
    keys = KeyHistory([public(revoked_from_ms=UnixMillis(NOW))])
    token = sign_statement(statement(time=NOW - 1_000), KEY)
    assert fault(lambda: opened(token, keys=keys))[:2] == (Untrusted, "key_revoked")
    assert verify_statement(token, keys, now=None) == (statement(time=NOW - 1_000), KEY.kid)
    assert verify_statement(token, keys, now=UnixMillis(NOW - 1)) == (statement(time=NOW - 1_000), KEY.kid)


def test_a_statement_of_another_type_is_not_taken_for_a_batch() -> None:
    payload = msgspec.json.encode(statement())
    assert sign_jws(payload, KEY, STATEMENT_TYPE) == sign_statement(statement(), KEY)
    for typ in ("tallystick-consent+jws", "JWT", "at+jwt", "", STATEMENT_TYPE.upper()):
        token = sign_jws(payload, KEY, typ)
        assert fault(lambda token=token: opened(token))[:2] == (Untrusted, "jws_typ_wrong")


def test_a_changed_statement_has_no_signature() -> None:
    header, _, signature = sign_statement(statement(), KEY).split(b".")
    _, payload, _ = sign_statement(statement(time=NOW + 1), KEY).split(b".")
    assert fault(lambda: opened(b".".join((header, payload, signature))))[:2] == (Untrusted, "signature_invalid")


CANONICAL = msgspec.json.encode(statement())


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b" " + CANONICAL, id="blank"),
        pytest.param(CANONICAL.replace(b'"count":3', b'"count":3,"count":3'), id="member twice"),
        pytest.param(CANONICAL.replace(b'"count":3', b'"count":3.0'), id="float"),
        pytest.param(CANONICAL.replace(b'"count":3', b'"count":"3"'), id="text"),
        pytest.param(CANONICAL.replace(b'"count":3', b'"count":0'), id="count 0"),
        pytest.param(CANONICAL.replace(b'"count":3', b'"count":4097'), id="count 4097"),
        pytest.param(CANONICAL.replace(b'"count":3', b'"colour":1,"count":3'), id="unknown member"),
        pytest.param(CANONICAL.replace(b'"count":3,', b""), id="missing member"),
        pytest.param(CANONICAL.replace(b"acacia", b"Acacia"), id="no tenant's name"),
        pytest.param(CANONICAL.replace(b"acacia", b"\\u0061cacia"), id="escaped ASCII"),
        pytest.param(CANONICAL.replace(b"acacia", b"acacia\\n"), id="line feed after the tenant's name"),
        pytest.param(CANONICAL.replace(b"acacia", b"ac\xff"), id="invalid UTF-8"),
        pytest.param(CANONICAL.replace(str(ID).encode(), str(ID).upper().encode()), id="upper-case UUID"),
        pytest.param(CANONICAL.replace(b'"time":17', b'"time":-17'), id="negative time"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"batch":' + b"[" * 1_200, id="deep nesting"),
    ],
)
def test_a_statement_that_is_not_canonical_is_refused(payload: bytes) -> None:
    assert payload != CANONICAL
    expected = (InvalidInput, "statement_malformed", "statement")
    assert fault(lambda: read_statement(payload)) == expected
    assert fault(lambda: opened(sign_jws(payload, KEY, STATEMENT_TYPE))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BODY[:-1], (InvalidInput, "body_unterminated", "body")),
        (b"", (InvalidInput, "body_unterminated", "body")),
        (BODY + b"\n", (InvalidInput, "count_differs", "$.count")),
        (BODY.replace(b"\n", b"\n\n", 1), (InvalidInput, "count_differs", "$.count")),
        (BODY.replace(b"\n", b"\r\n", 1), (InvalidInput, "not_canonical", "$[0]")),
        (BODY.replace(b"\n", b" \n", 2), (InvalidInput, "not_canonical", "$[0]")),
        (ATTESTATIONS[0].data + b"\n\n" + ATTESTATIONS[2].data + b"\n", (InvalidInput, "json_malformed", "$[1]")),
    ],
)
def test_a_body_is_lines_each_ended_by_one_line_feed(body: bytes, expected: tuple[Any, ...]) -> None:
    assert fault(lambda: opened(sign_statement(statement(), KEY), body)) == expected


def test_a_body_has_at_most_16_mib() -> None:
    assert split_lines(b"x" * (BATCH_BYTES_MAX - 1) + b"\n") == [b"x" * (BATCH_BYTES_MAX - 1)]
    assert fault(lambda: split_lines(b"x" * BATCH_BYTES_MAX + b"\n"))[:2] == (InvalidInput, "body_long")


def test_an_id_stands_once_in_a_batch() -> None:
    twin = compose(
        envelope_fields("repayment", id=ATTESTATIONS[0].envelope.id, salt=b"\x01" * 16), ATTESTATIONS[0].body
    )
    for second in (ATTESTATIONS[0], twin):
        twice = [ATTESTATIONS[0], second]
        token, body = sign_statement(statement(twice), KEY), b"".join(each.data + b"\n" for each in twice)
        found = fault(lambda token=token, body=body: opened(token, body))
        assert found == (InvalidInput, "attestation_twice", "$.id")


def test_4096_attestations_are_a_batch_and_4097_are_not() -> None:
    many = repayments(4_097)
    body = b"".join(each.data + b"\n" for each in many[:-1])
    batch = opened(sign_statement(statement(many[:-1]), KEY), body)
    assert (len(batch.attestations), {len(path) for path in batch.paths}) == (4_096, {12 * 32})
    too_many = sign_statement(statement(many), KEY)
    found = fault(lambda: opened(too_many, body + many[-1].data + b"\n"))
    assert found == (InvalidInput, "statement_malformed", "statement")
    fewer = sign_statement(statement(many, count=4_096), KEY)
    assert fault(lambda: opened(fewer, body + many[-1].data + b"\n")) == (InvalidInput, "count_differs", "$.count")


def test_a_token_has_at_most_2_kib() -> None:
    assert fault(lambda: opened(b"a" * 2_049))[:2] == (InvalidInput, "statement_long")
    assert fault(lambda: opened(b"a" * 2_048))[:2] == (InvalidInput, "jws_malformed")


def test_assembling_holds_parsed_attestations_against_the_statement() -> None:
    token = sign_statement(statement(), KEY)
    assert assemble(statement(), token, KEY.kid, ATTESTATIONS, ORIGIN) == opened(token)
    found = fault(lambda: assemble(statement(), token, KEY.kid, ATTESTATIONS[:2], ORIGIN))
    assert found == (InvalidInput, "count_differs", "$.count")
