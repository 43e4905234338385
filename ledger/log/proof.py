"""The proof that a borrower or a lender keeps: index, inclusion path and checkpoint in one text (C2SP tlog-proof).

```
c2sp.org/tlog-proof@v1
extra <Base64>               optional, opaque, not authenticated
index <decimal>
<Base64 of a hash>           one line a hash, leaf-side first

<the signed checkpoint, verbatim>
```
Rules
- Every value has one spelling; what parses encodes to the same bytes.
- The path has at most 64 hashes: no tree has more levels.
- A proof says nothing until ``ensure_proves`` has checked it against the entry and keys known from elsewhere.

It can be checked offline, by any program that knows the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.base64_strict import decode_standard, encode_standard
from ledger.errors import InvalidInput
from ledger.log.checkpoint import OpenedCheckpoint, open_checkpoint, parse_decimal
from ledger.log.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from ledger.log.note import NoteVerifier

HEADER = "c2sp.org/tlog-proof@v1"
"""First line of every proof (C2SP tlog-proof)."""

MAX_PATH_HASHES = 64
"""Longest inclusion path, hashes: tree sizes are below 2^64."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """``path`` is the hashes run together, leaf-side first; ``checkpoint`` the whole signed note; ``extra`` None: no
    line."""

    index: int
    path: bytes
    checkpoint: bytes
    extra: bytes | None = None


def marshal_proof(proof: LogProof) -> bytes:
    """The proof's text; raises ``InvalidInput`` ``proof_invalid`` when a member cannot be written."""
    _ensure_writable(proof)
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(f"extra {encode_standard(proof.extra)}")
    lines.append(f"index {proof.index}")
    path = proof.path
    lines += [encode_standard(path[at : at + HASH_BYTES]) for at in range(0, len(path), HASH_BYTES)]
    return "".join(f"{line}\n" for line in [*lines, ""]).encode() + proof.checkpoint


def unmarshal_proof(data: bytes) -> LogProof:
    """Inverse of ``marshal_proof``, for exactly its output; raises ``InvalidInput`` ``proof_invalid``."""
    head, separator, checkpoint = data.partition(b"\n\n")
    if not separator:
        raise _invalid("no empty line before the checkpoint")
    lines = _text(head).split("\n")
    if lines.pop(0) != HEADER:
        raise _invalid("another first line")
    extra = _base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise _invalid("no index")
    index = _decimal(lines.pop(0)[6:])
    hashes = [_base64(line) for line in lines]
    if any(len(digest) != HASH_BYTES for digest in hashes):
        raise _invalid("a hash that has not 32 bytes")
    proof = LogProof(index, b"".join(hashes), checkpoint, extra)
    _ensure_writable(proof)
    return proof


def ensure_proves(
    proof: LogProof, entry: bytes, verifiers: Sequence[NoteVerifier], *, origin: str | None = None
) -> OpenedCheckpoint:
    """Check that the log's signed checkpoint contains ``entry`` at the proof's index; gives the checkpoint.

    Raises what ``open_checkpoint`` and ``merkle.verify_inclusion`` raise.
    """
    opened = open_checkpoint(proof.checkpoint, verifiers, origin=origin)
    head = opened.checkpoint
    verify_inclusion(index=proof.index, size=head.size, leaf=leaf_hash(entry), path=proof.path, root=head.root)
    return opened


def _ensure_writable(proof: LogProof) -> None:
    if not 0 <= proof.index < 2**64:
        raise _invalid("index beyond 64 bits")
    if len(proof.path) % HASH_BYTES or len(proof.path) > MAX_PATH_HASHES * HASH_BYTES:
        raise _invalid("a path that is no run of at most 64 hashes")
    if not proof.checkpoint.endswith(b"\n"):
        raise _invalid("a checkpoint without its last newline")


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise _invalid("a character outside ASCII") from None


def _base64(text: str) -> bytes:
    try:
        return decode_standard(text)
    except InvalidInput:
        raise _invalid("a line that is not Base64") from None


def _decimal(text: str) -> int:
    try:
        return parse_decimal(text)
    except InvalidInput:
        raise _invalid("an index that is not a decimal") from None


def _invalid(why: str) -> InvalidInput:
    return InvalidInput("proof_invalid", f"not a tlog-proof: {why}")
