"""The proof file: one text, and nothing changed in it is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, TallystickError, Untrusted
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.merkle import leaf_hash, paths_of
from ledger.log.note import NoteSigner
from ledger.log.proof import LogProof, ensure_proves, marshal_proof, unmarshal_proof

LOG = NoteSigner("ledger.example/main", bytes(range(32)))
ENTRIES = [b"entry %d" % n for n in range(13)]
ROOT, PATHS = paths_of([leaf_hash(entry) for entry in ENTRIES])
NOTE = sign_checkpoint(Checkpoint("ledger.example/main", 13, ROOT), LOG)


def proof_of(index: int) -> LogProof:
    return LogProof(index, PATHS[index], NOTE)


@given(
    st.integers(0, 2**64 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    st.none() | st.binary(max_size=40),
)
def test_proofs_come_back_as_they_went(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    proof = LogProof(index, b"".join(hashes), NOTE, extra)
    assert unmarshal_proof(marshal_proof(proof)) == proof


def test_the_file_proves_its_entry_and_no_other() -> None:
    for index, entry in enumerate(ENTRIES):
        proof = unmarshal_proof(marshal_proof(proof_of(index)))
        assert ensure_proves(proof, entry, [LOG.verifier], origin="ledger.example/main").checkpoint.size == 13
        with pytest.raises(Untrusted) as caught:
            ensure_proves(proof, entry + b"!", [LOG.verifier])
        assert caught.value.code == "root_mismatch"


def test_no_changed_byte_of_a_file_still_proves_the_entry() -> None:
    text = marshal_proof(proof_of(6))
    for at in range(len(text)):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        with pytest.raises(TallystickError):
            ensure_proves(unmarshal_proof(changed), ENTRIES[6], [LOG.verifier])


@given(st.binary(max_size=100))
def test_what_parses_is_written_to_the_same_bytes(data: bytes) -> None:
    text = marshal_proof(proof_of(6))
    for candidate in (data, text[: len(data)] + data, b"c2sp.org/tlog-proof@v1\nindex 0\n" + data):
        try:
            assert marshal_proof(unmarshal_proof(candidate)) == candidate
        except InvalidInput as error:
            assert error.code == "proof_invalid"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"c2sp.org/tlog-proof@v1\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\n\ncheckpoint",
        b"c2sp.org/tlog-proof@v1\nindex 01\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\nextra AA==\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nextra AB==\nindex 1\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\r\nindex 1\r\n\r\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex \xc3\xa9\n\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v2\nindex 1\n\ncheckpoint\n",
    ],
)
def test_other_texts_are_no_proofs(text: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        unmarshal_proof(text)
    assert caught.value.code == "proof_invalid"


def test_a_path_is_a_run_of_at_most_64_hashes() -> None:
    for path in (bytes(31), bytes(33), bytes(32 * 65)):
        with pytest.raises(InvalidInput):
            marshal_proof(LogProof(0, path, NOTE))
    for index in (-1, 2**64):
        with pytest.raises(InvalidInput):
            marshal_proof(LogProof(index, b"", NOTE))
