"""Adversarial Ed25519 and P-256 signatures: refused exactly when invalid, and nothing is ever raised."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ledger.signatures import ed25519_key_fault, p256_key_fault, verify_ed25519, verify_p256

VECTORS = "wycheproof"


def groups(vectors: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((vectors.folder / name).read_text(encoding="utf-8"))["testGroups"]
    assert found
    return found


def raw_from_der(der: bytes) -> bytes:
    """r || s of a DER signature; empty, and so no signature, when it is not the one DER encoding of a pair."""
    try:
        r, s = decode_dss_signature(der)
        exact = encode_dss_signature(r, s) == der
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") if exact else b""
    except (ValueError, OverflowError):
        return b""


def test_ed25519(vectors: Any) -> None:
    for group in groups(vectors, "ed25519_test.json"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        assert ed25519_key_fault(public) is None
        for case in group["tests"]:
            good = verify_ed25519(public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            vectors.check(("ed25519", case), good == (case["result"] == "valid"))


def test_p256_with_raw_signatures(vectors: Any) -> None:
    for group in groups(vectors, "ecdsa_secp256r1_sha256_p1363_test.json"):
        public = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
        assert p256_key_fault(public) is None
        for case in group["tests"]:
            good = verify_p256(public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            vectors.check(("p1363", case), good == (case["result"] == "valid"))


def test_p256_with_der_signatures(vectors: Any) -> None:
    for group in groups(vectors, "ecdsa_secp256r1_sha256_test.json"):
        public = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
        for case in group["tests"]:
            good = verify_p256(public, bytes.fromhex(case["msg"]), raw_from_der(bytes.fromhex(case["sig"])))
            vectors.check(("der", case), good == (case["result"] == "valid"))
