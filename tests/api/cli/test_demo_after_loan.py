"""What the demo's client checks of every step after the loan: held where it holds, refused where one byte differs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import pytest

from api.cli.demo_after_loan_steps import altered, class_of
from api.cli.demo_proof import Logged, Placed, Trust, check, check_entry, fetch_trust, placed
from ledger.attestation.batch import Statement, sign_statement
from ledger.attestation.keys import KeyHistory, PrivateKey, admit_public_key
from ledger.base64_strict import encode_standard
from ledger.errors import TallystickError, Untrusted
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.merkle import leaf_hash, paths_of
from ledger.log.note import NoteSigner
from ledger.types import UnixMillis

ORIGIN = "demo.test/ledger"
LOG = NoteSigner(ORIGIN, bytes(range(32)))
DEPLOYMENT = PrivateKey.from_random("EdDSA", b"d" * 32)
STRANGER = PrivateKey.from_random("EdDSA", b"s" * 32)
RECORD = '{"body":{"arguments":{"amount":1000,"code":"late"},"n":0},"kind":"effect"}'


def public(key: PrivateKey) -> dict[str, object]:
    return {name: value for name, value in key.public_jwk().items() if name in ("kty", "crv", "x", "y")}


TRUST = Trust(
    ORIGIN,
    LOG.verifier,
    {"tallystick": KeyHistory([admit_public_key(public(DEPLOYMENT), not_before_ms=UnixMillis(0))])},
)


class Evidence(NamedTuple):
    where: Placed
    entry: Logged


def evidence(key: PrivateKey = DEPLOYMENT, log: NoteSigner = LOG, tenant: str = "tallystick") -> Evidence:
    """An effect's record, second of two in a batch, whose statement is the third of five entries."""
    leaves = [leaf_hash(b"another"), leaf_hash(RECORD.encode())]
    root, paths = paths_of(leaves)
    statement = sign_statement(
        Statement(batch=UUID(int=7), count=2, ledger=ORIGIN, root=root, tenant=tenant, time=UnixMillis(1)), key
    )
    entries = [b"a", b"b", statement, b"c", b"d"]
    top, audit = paths_of([leaf_hash(entry) for entry in entries])
    note = sign_checkpoint(Checkpoint(ORIGIN, 5, top), log)
    return Evidence(Placed(2, 1, leaves[1], paths[1], RECORD.encode()), Logged(2, statement, audit[2], note))


def refusal(where: Placed, entry: Logged) -> str:
    with pytest.raises(TallystickError) as refused:
        check(where, entry, TRUST)
    return refused.value.code


def test_an_effects_record_is_proven_up_to_the_signed_checkpoint() -> None:
    where, entry = evidence()
    statement = check(where, entry, TRUST)
    assert (statement.tenant, statement.count, statement.batch) == ("tallystick", 2, UUID(int=7))
    assert check_entry(entry, TRUST) == statement
    assert check(replace(where, data=None), entry, TRUST) == statement


def test_a_record_with_one_digit_changed_is_refused() -> None:
    where, entry = evidence()
    forged = altered(RECORD).encode()
    assert json.loads(forged)["body"]["arguments"] == {"amount": 2000, "code": "late"}
    assert refusal(replace(where, data=forged), entry) == "demo_proof_differs"
    assert refusal(replace(where, data=forged, commitment=leaf_hash(forged)), entry) == "root_mismatch"


def test_a_record_at_another_place_is_refused() -> None:
    where, entry = evidence()
    assert refusal(replace(where, position=0), entry) == "root_mismatch"
    assert refusal(replace(where, index=3), entry) == "demo_proof_differs"
    assert refusal(replace(where, index=3), replace(entry, index=3)) == "root_mismatch"


def test_who_signed_is_looked_at_in_the_batch_and_in_the_checkpoint() -> None:
    assert refusal(*evidence(key=STRANGER)) == "key_unknown"
    assert refusal(*evidence(tenant="acacia")) == "demo_proof_unsigned"
    assert refusal(*evidence(log=NoteSigner(ORIGIN, bytes(32)))) == "note_unsigned"


def test_an_entry_that_is_no_statement_is_refused() -> None:
    top, audit = paths_of([leaf_hash(b"x"), leaf_hash(b"a.b")])
    note = sign_checkpoint(Checkpoint(ORIGIN, 2, top), LOG)
    with pytest.raises(Untrusted, match="not a batch statement"):
        check_entry(Logged(1, b"a.b", audit[1], note), TRUST)


async def test_trust_is_the_files_key_of_the_deployment_and_the_shown_keys_of_the_others() -> None:
    class Files:
        """A server's two files; the second claims another key for the deployment."""

        async def ask(self, document: str, token: str, /, **variables: object) -> dict[str, object]:
            raise AssertionError("nothing is asked of it")

        async def file(self, path: str) -> bytes:
            operator = {"operator": public(DEPLOYMENT), "operatorTenant": "tallystick", "log": LOG.verifier.encode()}
            shown = [public(STRANGER) | {"tenant": tenant, "notBefore": 1} for tenant in ("acacia", "tallystick")]
            return json.dumps({"/trust.json": operator}.get(path, {"keys": shown})).encode()

    trust = await fetch_trust(Files(), ORIGIN)
    assert trust.keys["tallystick"].verifying_key(DEPLOYMENT.public_jwk()["kid"], UnixMillis(1))
    assert sorted(trust.keys) == ["acacia", "tallystick"]
    with pytest.raises(Untrusted):
        trust.keys["tallystick"].verifying_key(STRANGER.public_jwk()["kid"], UnixMillis(1))


def test_a_place_is_read_from_an_answer() -> None:
    answer = {"index": 4, "position": 1, "commitment": encode_standard(b"c" * 32), "path": [encode_standard(b"p" * 32)]}
    assert placed(answer) == Placed(4, 1, b"c" * 32, b"p" * 32, None)
    assert placed(answer | {"data": "{}"}, 9) == Placed(9, 1, b"c" * 32, b"p" * 32, b"{}")


def test_the_class_is_the_first_code_of_the_countrys_pack() -> None:
    shown = {"US": {"codes": [{"code": "11"}, {"code": "0"}]}, "IN": {"codes": []}}
    assert (class_of(shown, "US"), class_of(shown, "IN")) == ("11", "")
