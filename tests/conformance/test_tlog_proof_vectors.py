"""The text form of a proof, both ways."""

from __future__ import annotations

import base64
import json
from typing import Any

from ledger.errors import InvalidInput
from ledger.log.proof import LogProof, marshal_proof, unmarshal_proof

VECTORS = "tlog-proof"


def test_proofs_are_written_and_read_to_the_same_bytes(vectors: Any) -> None:
    proofs = json.loads((vectors.folder / "proofs.json").read_text(encoding="utf-8"))
    for case in proofs["marshal"]:
        path = b"".join(base64.b64decode(digest) for digest in case["hashes"])
        extra = base64.b64decode(case["extra"]) if case.get("extra") is not None else None
        proof = LogProof(case["index"], path, case["checkpoint"].encode(), extra)
        vectors.check(case, marshal_proof(proof) == case["want"].encode())
        vectors.check(case, unmarshal_proof(case["want"].encode()) == proof)
    for text in proofs["unmarshal_error"]:
        try:
            unmarshal_proof(text.encode())
            refused = False
        except InvalidInput:
            refused = True
        vectors.check(text, refused)
