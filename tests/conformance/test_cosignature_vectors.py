"""A cosigned checkpoint of another witness: the time is signed, and every other line is ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.errors import Untrusted
from ledger.log.note import NoteVerifier, open_note

VECTORS = "cosignature-v1"


def test_the_cosignature_holds_and_its_time_cannot_be_changed(vectors: Any) -> None:
    for case in json.loads((vectors.folder / "cosignatures.json").read_text(encoding="utf-8"))["cases"]:
        verifier, note = NoteVerifier.parse(case["vkey"]), case["note"].encode()
        [signature] = open_note(note, [verifier]).verified
        vectors.check(case["desc"], signature.timestamp_s == int.from_bytes(signature.signature[:8], "big"))
        moved = type(signature)(signature.name, signature.key_id, b"\xff" + signature.signature[1:])
        with pytest.raises(Untrusted, match="does not hold"):
            open_note(note.replace(signature.line().encode(), moved.line().encode()), [verifier])
