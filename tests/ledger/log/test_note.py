"""Signed notes: round trips, tampering, and one spelling for everything."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, TallystickError, Untrusted
from ledger.log.note import (
    COSIGNATURE_V1,
    ECDSA,
    NoteSignature,
    NoteSigner,
    NoteVerifier,
    join_note,
    key_id_of,
    open_note,
    parse_note,
    sign_note,
)

LOG = NoteSigner("ledger.example/main", bytes(range(32)))
OTHER = NoteSigner("other.example", bytes(32))
WITNESS = NoteSigner("witness.example/w1", bytes(range(1, 33)), COSIGNATURE_V1)
TEXT = b"ledger.example/main\n5\nsomething\n"


def code_of(note: bytes, *verifiers: NoteVerifier) -> str:
    with pytest.raises(TallystickError) as caught:
        open_note(note, verifiers or [LOG.verifier])
    return caught.value.code


def test_a_note_has_its_text_a_blank_line_and_a_line_for_each_signature() -> None:
    note = sign_note(TEXT, [LOG, OTHER])
    body, lines = note.split(b"\n\n")
    assert body + b"\n" == TEXT
    assert [line.split(" ")[:2] for line in lines.decode().splitlines()] == [
        ["—", LOG.verifier.name],
        ["—", "other.example"],
    ]
    opened = open_note(note, [OTHER.verifier])
    assert (opened.text, opened.verified_names, opened.unverified_names) == (
        TEXT,
        ("other.example",),
        (LOG.verifier.name,),
    )


def test_key_ids_are_the_first_four_bytes_of_the_hash() -> None:
    typed = b"\x01" + LOG.verifier.public_key
    want = int.from_bytes(hashlib.sha256(b"ledger.example/main\n" + typed).digest()[:4], "big")
    assert LOG.verifier.key_id == key_id_of("ledger.example/main", typed) == want


def test_keys_come_back_as_they_went() -> None:
    for signer in (LOG, OTHER, WITNESS):
        assert NoteVerifier.parse(signer.verifier.encode()) == signer.verifier
        assert NoteSigner.parse(signer.private_text()).verifier == signer.verifier
        assert signer.private_text() not in repr(signer)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003", "a\tb", "a\nb", "a\x00b", "a\ud800"])
def test_a_key_name_has_no_blanks_and_no_plus(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        NoteVerifier(name, 1, LOG.verifier.public_key)
    assert caught.value.code == "vkey_invalid"


def test_a_low_order_or_unknown_key_is_no_verifier() -> None:
    for algorithm, key in ((1, bytes(32)), (4, b"\x01" + bytes(31)), (1, b"\x00" * 31), (5, LOG.verifier.public_key)):
        with pytest.raises(InvalidInput) as caught:
            NoteVerifier("a", algorithm, key)
        assert caught.value.code == "vkey_invalid"


def test_private_texts_of_another_form_are_refused_by_code() -> None:
    good = LOG.private_text()
    for text in ("", good[:-1], good.removeprefix("PRIVATE+"), good.replace("main", "mail"), LOG.verifier.encode()):
        with pytest.raises(InvalidInput) as caught:
            NoteSigner.parse(text)
        assert caught.value.code == "skey_invalid"


def test_a_signature_is_bound_to_every_byte_of_the_text() -> None:
    note = sign_note(TEXT, [LOG])
    for at in range(len(TEXT) - 1):
        changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        assert code_of(changed) in {"signature_invalid", "note_malformed"}


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    bad = NoteSignature(LOG.verifier.name, LOG.verifier.key_id, bytes(64))
    note = join_note(TEXT, [OTHER.sign(TEXT), bad])
    assert code_of(note, LOG.verifier, OTHER.verifier) == "signature_invalid"
    assert open_note(note, [OTHER.verifier]).unverified == (bad,)


def test_a_second_bad_signature_of_the_same_key_spoils_the_note_too() -> None:
    bad = NoteSignature(LOG.verifier.name, LOG.verifier.key_id, bytes(64))
    assert code_of(join_note(TEXT, [LOG.sign(TEXT), bad])) == "signature_invalid"


def test_no_known_key_means_the_note_says_nothing() -> None:
    assert code_of(sign_note(TEXT, [OTHER])) == "note_unsigned"
    renamed = NoteSigner("renamed.example", bytes(range(32)))
    assert code_of(sign_note(TEXT, [renamed])) == "note_unsigned"


def test_two_verifiers_of_one_name_and_id_are_ambiguous() -> None:
    assert code_of(sign_note(TEXT, [LOG]), LOG.verifier, LOG.verifier) == "verifier_ambiguous"


def test_a_hundred_signatures_are_read_and_one_more_is_not() -> None:
    lines = [NoteSignature("x", n, b"s") for n in range(100)]
    assert len(open_note(join_note(TEXT, [*lines[:99], LOG.sign(TEXT)]), [LOG.verifier]).unverified) == 99
    whole = join_note(TEXT, lines) + LOG.sign(TEXT).line().encode()
    assert code_of(whole) == "note_malformed"
    with pytest.raises(InvalidInput):
        join_note(TEXT, [])


def test_base64_with_trailing_bits_is_malformed() -> None:
    note = sign_note(TEXT, [LOG])
    assert note.endswith(b"=\n")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(note[-3:-2]) ^ 1 : (alphabet.index(note[-3:-2]) ^ 1) + 1]
    twin = note[:-3] + last + b"=\n"
    line = note.rsplit(b" ", 1)[1].strip()
    assert base64.b64decode(twin.rsplit(b" ", 1)[1].strip()) == base64.b64decode(line)
    assert code_of(twin) == "note_malformed"


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n\n",
        b"text\n\n- name AAAAAAA=\n",
        "text\n\n— name AAAAAAA\n".encode(),
        "text\n\n—  name AAAAAAA=\n".encode(),
        "text\n\n— name  AAAAAAA=\n".encode(),
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— name AAAAAA==\n".encode(),
        "text\n\n— na+me AAAAAAA=\n".encode(),
        "text\r\n\n— name AAAAAAA=\n".encode(),
        "te\x00xt\n\n— name AAAAAAA=\n".encode(),
        b"\xff\n\n\xe2\x80\x94 name AAAAAAA=\n",
    ],
)
def test_notes_of_another_form_are_malformed(note: bytes) -> None:
    assert code_of(note) == "note_malformed"


def test_a_text_must_end_with_a_newline_and_have_no_control_characters() -> None:
    for text in (b"abc", b"", b"a\x01\n", b"\xff\n"):
        with pytest.raises(InvalidInput) as caught:
            LOG.sign(text)
        assert caught.value.code == "note_malformed"


def test_a_text_may_have_empty_lines_of_its_own() -> None:
    text = b"a\n\nb\n\n"
    assert open_note(sign_note(text, [LOG]), [LOG.verifier]).text == text


def test_a_cosignature_signs_its_time_and_is_no_log_signature() -> None:
    cosigned = WITNESS.cosign(TEXT, timestamp_s=1_700_000_000)
    note = join_note(TEXT, [LOG.sign(TEXT), cosigned])
    opened = open_note(note, [LOG.verifier, WITNESS.verifier])
    assert [signature.timestamp_s for signature in opened.verified] == [None, 1_700_000_000]
    assert opened.verified[1] == cosigned
    later = NoteSignature(cosigned.name, cosigned.key_id, (1_700_000_001).to_bytes(8, "big") + cosigned.signature[8:])
    assert code_of(join_note(TEXT, [later]), WITNESS.verifier) == "signature_invalid"
    as_log = NoteVerifier(WITNESS.verifier.name, 1, WITNESS.verifier.public_key)
    assert not as_log.verifies(TEXT, cosigned.signature[8:])
    for call in (lambda: WITNESS.sign(TEXT), lambda: LOG.cosign(TEXT, timestamp_s=1)):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.code == "skey_invalid"


def test_an_ecdsa_key_verifies_and_its_id_is_over_the_key_alone() -> None:
    private = ec.derive_private_key(12345, ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = private.public_key().public_bytes(serialization.Encoding.DER, form)
    verifier = NoteVerifier("rekor.example", ECDSA, der)
    assert verifier.key_id == int.from_bytes(hashlib.sha256(der).digest()[:4], "big")
    assert NoteVerifier.parse(verifier.encode()) == verifier
    signature = private.sign(TEXT, ec.ECDSA(hashes.SHA256()))
    assert verifier.verifies(TEXT, signature)
    assert not verifier.verifies(TEXT + b"x", signature)
    assert not verifier.verifies(TEXT, b"")
    for bad in (b"", der[:-1], der + b"\x00", b"\x30\x00"):
        with pytest.raises(InvalidInput):
            NoteVerifier("rekor.example", ECDSA, bad)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_errors(data: bytes) -> None:
    for note in (data, TEXT + b"\n" + data, sign_note(TEXT, [LOG]) + data):
        try:
            open_note(note, [LOG.verifier])
        except TallystickError:
            continue
        assert note == sign_note(TEXT, [LOG])


def test_reading_without_keys_gives_all_lines() -> None:
    text, signatures = parse_note(sign_note(TEXT, [LOG, OTHER]))
    assert (text, signatures) == (TEXT, [LOG.sign(TEXT), OTHER.sign(TEXT)])


def test_an_unsigned_known_key_is_untrusted_and_not_invalid_input() -> None:
    with pytest.raises(Untrusted):
        open_note(sign_note(TEXT, [OTHER]), [LOG.verifier])
