"""Checkpoints: what a log says about itself, signed (C2SP tlog-checkpoint).

Rules
- Text: origin, size in decimal, root in Base64, then extension lines; each ends with one newline.
- Size: no sign, no leading zero, below 2^64. Root: 32 bytes, the one Base64 spelling. Origin and extensions: not
  empty, no control characters. What parses encodes to the same bytes.
- One checkpoint may follow another when origins agree, the size does not shrink, equal sizes have equal roots, and a
  consistency path proves the rest. From size 0 everything may follow, with an empty path (C2SP tlog-witness).
- A tree of size 0 has the empty root.

>>> Checkpoint("ledger.example/main", 0, EMPTY_ROOT).encode().decode().splitlines()
['ledger.example/main', '0', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=']

It keeps no state: who asks holds the older checkpoint, and swaps it for the newer one atomically.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.base64_strict import decode_standard, encode_standard
from ledger.errors import InvalidInput, Untrusted
from ledger.log.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from ledger.log.note import NoteSignature, NoteSigner, NoteVerifier, has_control_characters, open_note, sign_note

MAX_SIZE = 2**64 - 1
"""Largest tree size: sizes are unsigned 64-bit numbers (C2SP tlog-cosignature)."""

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``origin`` names the log, ``size`` counts its entries, ``root`` is the 32-byte Merkle root over them.

    Raises ``InvalidInput`` ``checkpoint_invalid`` with ``path`` origin, size, root or extensions.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or has_control_characters(self.origin):
            raise _invalid("origin")
        if not 0 <= self.size <= MAX_SIZE:
            raise _invalid("size")
        if len(self.root) != HASH_BYTES:
            raise _invalid("root")
        if any(not line or has_control_characters(line) for line in self.extensions):
            raise _invalid("extensions")

    def encode(self) -> bytes:
        """The checkpoint's text, which is what gets signed."""
        lines = (self.origin, str(self.size), encode_standard(self.root), *self.extensions, "")
        return "\n".join(lines).encode()

    @staticmethod
    def parse(text: bytes) -> Checkpoint:
        """Inverse of ``encode``, for exactly its output; raises ``InvalidInput`` ``checkpoint_invalid``."""
        try:
            lines = text.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            raise _invalid("text") from None
        if len(lines) < 4 or lines.pop() != "":
            raise _invalid("text")
        return Checkpoint(lines[0], parse_decimal(lines[1]), _parse_root(lines[2]), tuple(lines[3:]))


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint with the signatures that were verified and those of keys that were not asked about."""

    checkpoint: Checkpoint
    verified: tuple[NoteSignature, ...]
    unverified: tuple[NoteSignature, ...]


def parse_decimal(text: str) -> int:
    """An ASCII decimal below 2^64 without sign or leading zero; raises ``InvalidInput`` ``checkpoint_invalid``."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise _invalid("size")
    return int(text)


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> bytes:
    """The checkpoint as a signed note with the log's own signature. Sign only what is committed."""
    return sign_note(checkpoint.encode(), [signer])


def open_checkpoint(note: bytes, verifiers: Sequence[NoteVerifier], *, origin: str | None = None) -> OpenedCheckpoint:
    """Verify a signed checkpoint; pass the log's key among ``verifiers``, and alone where nobody else's word counts.

    Raises ``InvalidInput`` (``note_malformed``, ``checkpoint_invalid``), ``Untrusted`` (the codes of ``open_note``, or
    ``checkpoint_origin_differs`` when ``origin`` is given and is not the checkpoint's).
    """
    opened = open_note(note, verifiers)
    checkpoint = Checkpoint.parse(opened.text)
    if origin is not None and checkpoint.origin != origin:
        raise Untrusted("checkpoint_origin_differs", "a checkpoint of another log", expected=origin)
    return OpenedCheckpoint(checkpoint, opened.verified, opened.unverified)


def ensure_follows(old: Checkpoint | None, new: Checkpoint, consistency_path: bytes) -> None:
    """Check that ``new`` may be recorded after ``old`` (None: nothing is recorded yet) (C2SP tlog-witness).

    Raises ``Untrusted``: ``checkpoint_origin_differs``, ``checkpoint_shrinks``, ``checkpoint_forks`` (equal size, other
    root), ``checkpoint_empty_root_wrong``, ``path_length_wrong``, ``hash_length_wrong``, ``root_mismatch``.
    """
    if new.size == 0 and new.root != EMPTY_ROOT:
        raise Untrusted("checkpoint_empty_root_wrong", "an empty tree has the empty root")
    if old is not None and old.origin != new.origin:
        raise Untrusted(
            "checkpoint_origin_differs", "a checkpoint of another log", expected=old.origin, found=new.origin
        )
    old_size = 0 if old is None else old.size
    if new.size < old_size:
        raise Untrusted("checkpoint_shrinks", "a log never shrinks", expected=f"{old_size} or more", found=new.size)
    if old is None or old_size in (0, new.size):
        _ensure_no_path(consistency_path)
    if old is not None and new.size == old_size and new.root != old.root:
        raise Untrusted("checkpoint_forks", "two roots at one size: keep both checkpoints, they are evidence")
    if old is not None and 0 < old_size < new.size:
        verify_consistency(
            old_size=old_size, new_size=new.size, old_root=old.root, new_root=new.root, path=consistency_path
        )


def _ensure_no_path(path: bytes) -> None:
    if path:
        raise Untrusted("path_length_wrong", "there is nothing to prove here", expected=0, found=f"{len(path)} bytes")


def _parse_root(text: str) -> bytes:
    try:
        return decode_standard(text)
    except InvalidInput:
        raise _invalid("root") from None


def _invalid(part: str) -> InvalidInput:
    return InvalidInput("checkpoint_invalid", f"the checkpoint's {part} is malformed", path=part)
