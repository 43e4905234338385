"""Edge cases of Ed25519 come without a verdict: this is ours, one rule, held against a second reading of it."""

from __future__ import annotations

import json
from typing import Any

from ledger.signatures import ED25519_P, ed25519_key_fault, verify_ed25519

VECTORS = "cctv-ed25519"

_REFUSED = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R"}
# With the cofactor, or not over the given bytes: what RFC 8032's plain equation does not accept.
_NOT_PLAIN = {"low_order_residue", "reencoded_k"}


def test_the_strict_rule_takes_what_has_no_low_order_and_no_second_spelling(vectors: Any) -> None:
    cases = json.loads((vectors.folder / "ed25519vectors.json").read_text(encoding="utf-8"))
    taken = 0
    for case in cases:
        flags = set(case["flags"] or [])
        good = verify_ed25519(bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"]))
        vectors.check(case, good == (not flags & (_REFUSED | _NOT_PLAIN)))
        taken += good
    assert 0 < taken < len(cases) / 10


def test_a_key_that_is_flagged_cannot_be_enrolled(vectors: Any) -> None:
    for case in json.loads((vectors.folder / "ed25519vectors.json").read_text(encoding="utf-8")):
        key, flags = bytes.fromhex(case["key"]), set(case["flags"] or [])
        if flags & {"low_order_A", "non_canonical_A"}:
            assert ed25519_key_fault(key) in {"key_low_order", "key_not_canonical"}, case
        else:
            assert ed25519_key_fault(key) is None, case
            assert int.from_bytes(key, "little") % 2**255 < ED25519_P
