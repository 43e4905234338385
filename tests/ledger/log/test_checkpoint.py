"""Checkpoints: one text each, and which of them may follow which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, Untrusted
from ledger.log.checkpoint import Checkpoint, ensure_follows, open_checkpoint, parse_decimal, sign_checkpoint
from ledger.log.merkle import EMPTY_ROOT, leaf_hash, root_of
from ledger.log.note import COSIGNATURE_V1, NoteSigner, join_note
from ledger.log.tiles import TileId, consistency_path

ORIGIN = "ledger.example/main"
LOG = NoteSigner(ORIGIN, bytes(range(32)))
LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]


def head(size: int, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, root_of(LEAVES[:size]))


def path(old: int, new: int) -> bytes:
    return b"".join(consistency_path(old, new, {TileId(0, 0, new): b"".join(LEAVES[:new])}.__getitem__))


def test_a_checkpoint_is_three_lines_and_its_extensions() -> None:
    text = Checkpoint(ORIGIN, 0, EMPTY_ROOT, ("note 1", "note 2")).encode()
    assert text == b"ledger.example/main\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nnote 1\nnote 2\n"


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1),
    st.integers(0, 2**64 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1), max_size=3),
)
def test_what_is_encoded_parses_to_the_same(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert Checkpoint.parse(checkpoint.encode()) == checkpoint


@given(st.binary(max_size=120))
def test_what_parses_encodes_to_the_same_bytes(data: bytes) -> None:
    for text in (data, head(5).encode() + data, head(5).encode()[: len(data) % 70] + data):
        try:
            assert Checkpoint.parse(text).encode() == text
        except InvalidInput as error:
            assert error.code == "checkpoint_invalid"


@pytest.mark.parametrize("size", ["", " 5", "5 ", "+5", "-0", "00", "5_0", "٥", "1e3", "18446744073709551616", "0x5"])
def test_a_size_is_a_plain_decimal_below_two_to_the_64(size: str) -> None:
    good = head(5).encode().decode()
    with pytest.raises(InvalidInput) as caught:
        Checkpoint.parse(good.replace("\n5\n", f"\n{size}\n").encode())
    assert (caught.value.code, caught.value.path) == ("checkpoint_invalid", "size")
    with pytest.raises(InvalidInput):
        parse_decimal(size)


def test_members_that_cannot_be_written_are_refused() -> None:
    for origin, size, root, extensions in (
        ("", 1, EMPTY_ROOT, ()),
        ("a\nb", 1, EMPTY_ROOT, ()),
        ("a", -1, EMPTY_ROOT, ()),
        ("a", 2**64, EMPTY_ROOT, ()),
        ("a", 1, EMPTY_ROOT[:-1], ()),
        ("a", 1, b"", ()),
        ("a", 1, EMPTY_ROOT, ("",)),
        ("a", 1, EMPTY_ROOT, ("x\ny",)),
    ):
        with pytest.raises(InvalidInput) as caught:
            Checkpoint(origin, size, root, extensions)
        assert caught.value.code == "checkpoint_invalid"


def test_a_signed_checkpoint_opens_and_a_changed_one_does_not() -> None:
    note = sign_checkpoint(head(5), LOG)
    opened = open_checkpoint(note, [LOG.verifier], origin=ORIGIN)
    assert (opened.checkpoint, [signature.name for signature in opened.verified]) == (head(5), [ORIGIN])
    with pytest.raises(Untrusted) as caught:
        open_checkpoint(note.replace(b"\n5\n", b"\n6\n"), [LOG.verifier])
    assert caught.value.code == "signature_invalid"


def test_a_checkpoint_of_another_log_is_refused_where_one_is_named() -> None:
    with pytest.raises(Untrusted) as caught:
        open_checkpoint(sign_checkpoint(head(5, "other.example"), LOG), [LOG.verifier], origin=ORIGIN)
    assert caught.value.code == "checkpoint_origin_differs"


def test_a_note_that_is_no_checkpoint_is_invalid_although_signed() -> None:
    with pytest.raises(InvalidInput) as caught:
        open_checkpoint(join_note(b"hello\n", [LOG.sign(b"hello\n")]), [LOG.verifier])
    assert caught.value.code == "checkpoint_invalid"


def test_cosignatures_cover_extension_lines() -> None:
    witness = NoteSigner("w.example", bytes(32), COSIGNATURE_V1)
    checkpoint = Checkpoint(ORIGIN, 5, root_of(LEAVES[:5]), ("extension",))
    note = join_note(
        checkpoint.encode(), [LOG.sign(checkpoint.encode()), witness.cosign(checkpoint.encode(), timestamp_s=7)]
    )
    assert open_checkpoint(note, [LOG.verifier, witness.verifier]).verified[1].timestamp_s == 7
    with pytest.raises(Untrusted):
        open_checkpoint(note.replace(b"extension\n", b"extensioN\n"), [witness.verifier])


def test_every_growth_with_its_proof_may_follow() -> None:
    for new in range(1, 40):
        ensure_follows(None, head(new), b"")
        ensure_follows(head(0), head(new), b"")
        for old in range(1, new + 1):
            ensure_follows(head(old), head(new), path(old, new))
    ensure_follows(None, head(0), b"")
    ensure_follows(head(0), head(0), b"")


def test_each_lie_has_its_code() -> None:
    fork, other = Checkpoint(ORIGIN, 7, LEAVES[0]), head(9, "other.example")
    cases = [
        (head(7), other, path(7, 9), "checkpoint_origin_differs"),
        (head(7), head(6), b"", "checkpoint_shrinks"),
        (head(7), head(0), b"", "checkpoint_shrinks"),
        (head(7), fork, b"", "checkpoint_forks"),
        (head(7), head(7), LEAVES[0], "path_length_wrong"),
        (None, head(7), LEAVES[0], "path_length_wrong"),
        (head(0), head(7), LEAVES[0], "path_length_wrong"),
        (None, Checkpoint(ORIGIN, 0, LEAVES[0]), b"", "checkpoint_empty_root_wrong"),
        (head(7), head(9), b"", "path_length_wrong"),
        (head(7), head(9), path(7, 9)[:-32], "path_length_wrong"),
        (head(7), head(9), path(7, 9)[:-1] + b"\x00", "root_mismatch"),
        (fork, head(9), path(7, 9), "root_mismatch"),
        (head(7), Checkpoint(ORIGIN, 9, LEAVES[0]), path(7, 9), "root_mismatch"),
    ]
    for old, new, proof, code in cases:
        with pytest.raises(Untrusted) as caught:
            ensure_follows(old, new, proof)
        assert caught.value.code == code, (old, new)
