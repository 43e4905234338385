"""Two people with two keys, over the same three hashes, or the model does not decide."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest

from ledger.attestation.jws import sign_jws
from ledger.attestation.keys import KeyHistory, PrivateKey, PublicKey
from ledger.attestation.registry import check_body
from ledger.errors import InvalidInput, Refused, TallystickError, Untrusted
from ledger.risk.model_rules import (
    APPROVAL_TYP,
    approval_payload,
    check_approvals,
    model_body,
    read_registration,
    score_body,
    shadow,
    snapshot_root,
)
from ledger.risk.scorecard import load_card, score
from ledger.types import UnixMillis
from tests.ledger.risk.test_scorecard import small

NOW = UnixMillis(1_790_000_000_000)
CARD = load_card(small())
FIGURES: dict[str, Any] = {
    "approval_ratio_bp": {"age": 9_000, "sex": 8_000}, "challenger": "11" * 32, "challenger_auc_bp": 7_950,
    "data": "22" * 32, "metrics_bp": {"auc": 7_856, "ece": 98}, "model": CARD.digest.hex(), "model_card": "33" * 32,
    "split_seed": 20_240_101,
}  # fmt: skip
ASHA, OTIENO = (PrivateKey.from_random("EdDSA", bytes([n]) * 32) for n in (1, 2))
PAYLOAD = approval_payload(CARD.digest, b"\x11" * 32, b"\x44" * 32)


def history(key: PrivateKey, **ends: Any) -> KeyHistory:
    return KeyHistory([PublicKey(key.kid, key.alg, key.raw, UnixMillis(0), **ends)])


KEYS = {"asha": history(ASHA), "otieno": history(OTIENO)}


def signed(key: PrivateKey, payload: bytes = PAYLOAD, typ: str = APPROVAL_TYP) -> bytes:
    return sign_jws(payload, key, typ)


def figures(**change: Any) -> bytes:
    return json.dumps(FIGURES | change).encode()


def test_a_registration_is_checked_against_the_document() -> None:
    found = read_registration(CARD, figures(), expected=CARD.digest)
    assert found.figures.metrics_bp == {"auc": 7_856, "ece": 98}
    body = model_body(found, step="registered")
    assert (body.model, body.challenger, body.data_hash, body.card_hash) == (
        CARD.digest, b"\x11" * 32, b"\x22" * 32, b"\x33" * 32,
    )  # fmt: skip
    assert body.metrics == {"auc": 7_856, "challenger_auc": 7_950, "ece": 98}
    assert body.fairness == {"approval_ratio.age": 9_000, "approval_ratio.sex": 8_000}
    check_body("model", body, 0)
    assert msgspec.json.decode(msgspec.json.encode(body), type=type(body)) == body


@pytest.mark.parametrize(
    ("data", "expected", "code"),
    [
        (figures(), bytes(32), "model_hash_differs"),
        (figures(model="00" * 32), CARD.digest, "model_hash_differs"),
        (figures(approval_ratio_bp={"sex": 7_999}), CARD.digest, "model_unfair"),
        (figures(approval_ratio_bp={}), CARD.digest, "figures_malformed"),
        (figures(challenger="xy"), CARD.digest, "figures_malformed"),
        (figures(more=1), CARD.digest, "figures_malformed"),
        (figures(split_seed=0.5), CARD.digest, "figures_malformed"),
        (b"\xff", CARD.digest, "figures_malformed"),
        (b" " * 65_537, CARD.digest, "figures_malformed"),
    ],
)
def test_each_fault_of_a_registration_is_named(data: bytes, expected: bytes, code: str) -> None:
    with pytest.raises(TallystickError) as caught:
        read_registration(CARD, data, expected=expected)
    assert caught.value.code == code


def test_two_approvers_with_two_keys_promote() -> None:
    found = check_approvals({"otieno": signed(OTIENO), "asha": signed(ASHA)}, KEYS, PAYLOAD, now=NOW)
    assert [(each.approver, each.kid) for each in found] == [("asha", ASHA.kid), ("otieno", OTIENO.kid)]
    registration = read_registration(CARD, figures(), expected=CARD.digest)
    check_body("model", model_body(registration, step="promoted", approvals=found), 0)


@pytest.mark.parametrize(
    ("tokens", "keys", "kind", "code"),
    [
        ({"asha": signed(ASHA)}, KEYS, Refused, "approvals_few"),
        ({}, KEYS, Refused, "approvals_few"),
        ({"asha": signed(ASHA), "otieno": signed(ASHA)}, KEYS, Untrusted, "key_unknown"),
        (
            {"asha": signed(ASHA), "otieno": signed(ASHA)}, {"asha": history(ASHA), "otieno": history(ASHA)},
            Refused, "approvals_one_key",
        ),
        ({"asha": signed(ASHA), "otieno": signed(OTIENO, b"{}")}, KEYS, Refused, "approval_other"),
        (
            {"asha": signed(ASHA), "otieno": signed(OTIENO, typ="tally-batch+jws")}, KEYS, Untrusted, "jws_typ_wrong",
        ),
        ({"asha": signed(ASHA), "wanjiru": signed(OTIENO)}, KEYS, Untrusted, "key_unknown"),
        (
            {"asha": signed(ASHA), "otieno": signed(OTIENO)},
            KEYS | {"otieno": history(OTIENO, revoked_from_ms=UnixMillis(5))}, Untrusted, "key_revoked",
        ),
        ({"asha": signed(ASHA), "otieno": signed(OTIENO)[:-4] + b"AAAA"}, KEYS, TallystickError, "signature_invalid"),
    ],
)  # fmt: skip
def test_anything_less_does_not(
    tokens: dict[str, bytes], keys: dict[str, KeyHistory], kind: type[TallystickError], code: str
) -> None:
    with pytest.raises(kind) as caught:
        check_approvals(tokens, keys, PAYLOAD, now=NOW)
    assert caught.value.code == code


def test_a_signature_is_over_model_challenger_and_figures() -> None:
    parts = [bytes([n]) * 32 for n in range(3)]
    payloads = {approval_payload(*parts)}
    for at in range(3):
        payloads.add(approval_payload(*(part if n != at else b"\x09" * 32 for n, part in enumerate(parts))))
    assert len(payloads) == 4


def test_a_score_says_its_model_snapshot_and_scale() -> None:
    inputs = {"late": 3, "paid": 0}
    root = snapshot_root(CARD.digest, inputs, 41)
    body = score_body(CARD, score(CARD, inputs), root=root, as_of=41, valid_until=date(2026, 12, 24))
    assert (body.value, body.scale_min, body.scale_max, body.as_of) == (110, 100, 170, 41)
    assert (body.model, body.model_hash, body.model_version) == ("small", CARD.digest, "1")
    assert body.reasons == ("arrears_now", "paid_last_month_little")
    check_body("score", body, 0)
    assert len({root, snapshot_root(CARD.digest, inputs, 42), snapshot_root(bytes(32), inputs, 41),
                snapshot_root(CARD.digest, inputs | {"late": 2}, 41)}) == 4  # fmt: skip


def test_a_challenger_is_compared_by_how_it_would_have_decided() -> None:
    found = shadow([1, 2, 3, 4, 5], [900_000, 10, 20, 30, 40], decline_share=(1, 5))
    assert found == (5, 1, 0, 0)
    found = shadow([1, 2, 3, 4, 5], [10, 900_000, 20, 30, 40], decline_share=(1, 5))
    assert (found, found.differ_bp) == ((5, 0, 1, 1), 4_000)


def test_a_wrong_length_of_lists_is_no_comparison() -> None:
    with pytest.raises((InvalidInput, ValueError)):
        shadow([1, 2], [3], decline_share=(1, 5))
