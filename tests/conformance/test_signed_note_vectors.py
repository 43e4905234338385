"""Verifier keys, and notes to open and to sign."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.errors import InvalidInput, TallystickError
from ledger.log.note import MAX_SIGNATURES, NoteSigner, NoteVerifier, open_note, sign_note

VECTORS = "signed-note"


def cases(vectors: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((vectors.folder / name).read_text(encoding="utf-8"))["cases"]
    assert found
    return found


def is_key(vkey: str) -> bool:
    try:
        NoteVerifier.parse(vkey)
    except InvalidInput:
        return False
    return True


def test_notes_open_or_are_refused(vectors: Any) -> None:
    for case in cases(vectors, "note_open.json"):
        note = bytes.fromhex(case["note_hex"]) if "note_hex" in case else case["note"].encode()
        verifiers = [NoteVerifier.parse(vkey) for vkey in case["vkeys"]]
        try:
            opened = open_note(note, verifiers)
            got: dict[str, Any] = {"want": "ok"}
            got["verified"], got["unverified"] = list(opened.verified_names), list(opened.unverified_names)
        except TallystickError:
            got = {"want": "error"}
        if case.get("implementation_limit"):
            assert MAX_SIGNATURES >= 16
            vectors.check(case, True)
        else:
            vectors.check(case, all(case[name] == value for name, value in got.items()))


def test_notes_are_signed_to_the_same_bytes(vectors: Any) -> None:
    for case in cases(vectors, "note_sign.json"):
        signer = NoteSigner.parse(case["skey"])
        assert signer.private_text() == case["skey"]
        if case["want"] is None:
            with pytest.raises(InvalidInput) as caught:
                sign_note(case["text"].encode(), [signer])
            vectors.check(case, caught.value.code == "note_malformed")
        else:
            vectors.check(case, sign_note(case["text"].encode(), [signer]) == case["want"].encode())


def test_keys_are_taken_or_refused(vectors: Any) -> None:
    for case in cases(vectors, "vkeys.json"):
        vectors.check(case, is_key(case["vkey"]) == case["valid"])
        if case["valid"] and "alg" in case:
            assert NoteVerifier.parse(case["vkey"]).algorithm == case["alg"]


def test_no_substring_and_no_changed_byte_of_a_key_is_a_key(vectors: Any) -> None:
    for case in cases(vectors, "vkeys.json"):
        vkey = case["vkey"]
        if not case["valid"]:
            continue
        parts = {vkey[a:b] for a in range(len(vkey)) for b in range(a + 1, len(vkey) + 1)} - {vkey}
        assert not [part for part in parts if is_key(part)]
        for at, char in enumerate(vkey):
            assert not is_key(vkey[:at] + chr(ord(char) + 1) + vkey[at + 1 :])


def test_real_notes_verify(vectors: Any) -> None:
    for case in cases(vectors, "real_notes.json"):
        verifier = NoteVerifier.parse(case["vkey"])
        opened = open_note(case["note"].encode(), [verifier])
        vectors.check(case, opened.verified_names == (verifier.name,))
