"""The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1: hashes, roots, paths and their checks.

What it keeps true: a root says which leaves there are, in which order and how many, and nobody can show a path to a
leaf that is not there, or a consistency path between two trees of which one does not begin with the other.

Rules
- Empty tree SHA-256 of nothing; leaf SHA-256(0x00 || data); node SHA-256(0x01 || left || right).
- A tree of n > 1 leaves is split at the largest power of two below n. An odd node is promoted, never duplicated.
- A hash is 32 bytes; any other length is refused before anything is compared.
- An index is in range, and a path has exactly the length that index and size ask for, before anything is hashed.
- A path is given leaf-side sibling first, as one run of bytes, 32 for each hash.
- Consistency from size 0 proves nothing and is refused here; ``checkpoint.ensure_follows`` says what is done instead.

>>> root, paths = paths_of([leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")])
>>> verify_inclusion(index=2, size=3, leaf=leaf_hash(b"c"), path=paths[2], root=root)

It does not store nodes (see ``tiles``) and does not know what a leaf means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.errors import InvalidInput, Untrusted
from ledger.types import Digest

HASH_BYTES = 32
"""Length of a SHA-256 digest, bytes."""

_sha256 = hashlib.sha256

EMPTY_ROOT = Digest(_sha256(b"").digest())
"""Root of the tree without leaves (RFC 6962 section 2.1)."""


def leaf_hash(data: bytes) -> Digest:
    """Hash of a leaf's data: SHA-256(0x00 || data) (RFC 6962 section 2.1)."""
    return Digest(_sha256(b"\x00" + data).digest())


def node_hash(left: bytes, right: bytes) -> Digest:
    """Hash of an inner node: SHA-256(0x01 || left || right) (RFC 6962 section 2.1). Lengths are the caller's care."""
    return Digest(_sha256(b"\x01" + left + right).digest())


def root_of(leaf_hashes: Sequence[bytes]) -> Digest:
    """Root over leaf hashes that are already made with ``leaf_hash``; raises ``InvalidInput`` ``hash_length_wrong``."""
    level = _checked(leaf_hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _level_above(level)
    return Digest(level[0])


def paths_of(leaf_hashes: Sequence[bytes]) -> tuple[Digest, list[bytes]]:
    """Root of a batch and each leaf's inclusion path (hashes run together, leaf-side first).

    Raises ``InvalidInput`` ``hash_length_wrong``. Paths are made from the root downwards, each from its parent's by one
    concatenation, so that a batch of thousands costs little beyond its hashing.
    """
    levels = [_checked(leaf_hashes)]
    if not levels[0]:
        return EMPTY_ROOT, []
    while len(levels[-1]) > 1:
        levels.append(_level_above(levels[-1]))
    root = Digest(levels.pop()[0])
    paths = [b""]
    for level in reversed(levels):
        paths = _paths_below(level, paths)
    return root, paths


def root_from_path(*, index: int, size: int, leaf: bytes, path: bytes) -> Digest:
    """Root that ``path`` leads to from ``leaf`` at ``index`` in a tree of ``size`` (RFC 9162 section 2.1.3.2).

    Raises ``Untrusted``: ``index_out_of_range``, ``hash_length_wrong``, ``path_length_wrong``.
    """
    if not 0 <= index < size:
        raise Untrusted("index_out_of_range", "the index is not in the tree", expected=f"0 to {size - 1}", found=index)
    _ensure_hash(leaf, "leaf")
    siblings = _split(path)
    # Below `inner` the leaf's way up and the last leaf's way up differ; above it only left siblings remain.
    inner = (index ^ (size - 1)).bit_length()
    _ensure_length(siblings, inner + (index >> inner).bit_count())
    node = Digest(leaf)
    for sibling in siblings[:inner]:
        node = node_hash(sibling, node) if index & 1 else node_hash(node, sibling)
        index >>= 1
    for sibling in siblings[inner:]:
        node = node_hash(sibling, node)
    return node


def verify_inclusion(*, index: int, size: int, leaf: bytes, path: bytes, root: bytes) -> None:
    """Check that ``leaf`` stands at ``index`` in the tree of ``size`` leaves under ``root`` (RFC 9162 section 2.1.3.2).

    Raises ``Untrusted``: the codes of ``root_from_path``, ``hash_length_wrong`` or ``root_mismatch``.
    """
    _ensure_hash(root, "root")
    if root_from_path(index=index, size=size, leaf=leaf, path=path) != root:
        raise Untrusted("root_mismatch", "the inclusion path does not lead to the root")


def verify_consistency(*, old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: bytes) -> None:
    """Check that the tree of ``old_size`` leaves is the beginning of that of ``new_size`` (RFC 9162 section 2.1.4.2).

    Raises ``Untrusted``: ``size_out_of_range`` (also for ``old_size`` 0), ``hash_length_wrong``, ``path_length_wrong``,
    ``root_mismatch``.
    """
    verify_subtree_consistency(start=0, end=old_size, size=new_size, subtree_root=old_root, root=new_root, path=path)


def ensure_subtree(start: int, end: int) -> None:
    """Check that [start, end) is a subtree of the tree.

    It is not empty, and ``start`` is a multiple of the power of two at or above its length. Raises ``Untrusted``
    ``subtree_invalid`` (draft-ietf-plants-merkle-tree-certs, section on subtrees).
    """
    if not 0 <= start < end or start % (1 << (end - start - 1).bit_length()):
        raise Untrusted("subtree_invalid", "no subtree has these bounds", found=f"[{start}, {end})")


def verify_subtree_inclusion(*, index: int, start: int, end: int, leaf: bytes, path: bytes, root: bytes) -> None:
    """Check that ``leaf`` stands at ``index`` of the log inside the subtree [start, end) whose root is ``root``.

    Raises ``Untrusted``: ``subtree_invalid`` and the codes of ``verify_inclusion``.
    """
    ensure_subtree(start, end)
    verify_inclusion(index=index - start, size=end - start, leaf=leaf, path=path, root=root)


def verify_subtree_consistency(
    *, start: int, end: int, size: int, subtree_root: bytes, root: bytes, path: bytes
) -> None:
    """Check that the subtree [start, end) with ``subtree_root`` is part of the tree of ``size`` leaves under ``root``.

    Raises ``Untrusted``: ``size_out_of_range``, ``subtree_invalid``, ``hash_length_wrong``, ``path_length_wrong``,
    ``root_mismatch``. With start 0 this is RFC 9162 section 2.1.4.2.
    """
    if not 0 < end <= size:
        raise Untrusted(
            "size_out_of_range", "there is nothing to be consistent with", expected=f"1 to {size}", found=end
        )
    ensure_subtree(start, end)
    _ensure_hash(subtree_root, "subtree_root")
    _ensure_hash(root, "root")
    known, whole = _climb(start, end - 1, size - 1, subtree_root, _split(path))
    if known != subtree_root or whole != root:
        raise Untrusted("root_mismatch", "the consistency path does not lead to both roots")


def _climb(first: int, last: int, tree_last: int, seed: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """Both roots that a subtree consistency path leads to; positions of three leaves move up one level at a time."""
    while first != last and (last & 1 or last == tree_last):
        first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
    steps = iter(path)
    # A subtree that is one node is itself where the path begins; otherwise the path names that node first.
    known = whole = seed if first == last else next(steps, None) or _too_short()
    for sibling in steps:
        if tree_last == 0:
            raise Untrusted("path_length_wrong", "the path goes on above the root")
        if last & 1 or last == tree_last:
            known = node_hash(sibling, known) if first < last else known
            whole = node_hash(sibling, whole)
            while not last & 1:  # levels where the node on the right border was promoted
                first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
        else:
            whole = node_hash(whole, sibling)
        first, last, tree_last = first >> 1, last >> 1, tree_last >> 1
    return (known, whole) if tree_last == 0 else (_too_short(), b"")


@dataclass(frozen=True, slots=True)
class Frontier:
    """The least that must be kept to append to a tree: its size and the roots of its perfect subtrees, largest first.

    ``hashes`` has one 32-byte hash for each bit that is set in ``size``. Immutable: appending gives a new one, so
    that a commit that fails leaves nothing to undo. Raises ``InvalidInput`` ``frontier_invalid`` when the two
    disagree.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise InvalidInput("frontier_invalid", "a frontier has one hash for each bit of its size", found=self.size)
        if {*map(len, self.hashes)} - {HASH_BYTES}:
            raise InvalidInput("frontier_invalid", "a frontier holds hashes of 32 bytes")

    def append_many(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """The frontier after these leaf hashes; raises ``InvalidInput`` ``hash_length_wrong``."""
        size, stack = self.size, list(self.hashes)
        for node in _checked(list(leaf_hashes)):
            carry = size
            while carry & 1:
                node = node_hash(stack.pop(), node)
                carry >>= 1
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> Digest:
        """Root of the whole tree, ``EMPTY_ROOT`` for size 0."""
        return fold(self.hashes)

    def encode(self) -> bytes:
        """The hashes run together, largest subtree first; the size is kept beside them."""
        return b"".join(self.hashes)

    @staticmethod
    def decode(size: int, data: bytes) -> Frontier:
        """Inverse of ``encode``; raises ``InvalidInput`` ``frontier_invalid``."""
        if len(data) % HASH_BYTES:
            raise InvalidInput("frontier_invalid", "a frontier is a run of 32-byte hashes", found=len(data))
        return Frontier(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))


def fold(hashes: Sequence[bytes]) -> Digest:
    """Root over the roots of perfect subtrees, largest first: the smallest two are joined first.

    ``EMPTY_ROOT`` when there are none.
    """
    if not hashes:
        return EMPTY_ROOT
    node = hashes[-1]
    for left in reversed(hashes[:-1]):
        node = node_hash(left, node)
    return Digest(node)


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    sha256 = _sha256
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def _paths_below(level: Sequence[bytes], paths: list[bytes]) -> list[bytes]:
    """Paths of a level's nodes from those of the level above it."""
    below: list[bytes] = []
    extend = below.extend
    for left, right, path in zip(level[::2], level[1::2], paths, strict=False):
        extend((right + path, left + path))
    if len(level) % 2:
        below.append(paths[-1])
    return below


def _checked(leaf_hashes: Sequence[bytes]) -> Sequence[bytes]:
    for position, digest in enumerate(leaf_hashes):
        if len(digest) != HASH_BYTES:
            raise InvalidInput(
                "hash_length_wrong", "a leaf hash has 32 bytes", path=f"$[{position}]", found=len(digest)
            )
    return leaf_hashes


def _ensure_hash(digest: bytes, name: str) -> None:
    if len(digest) != HASH_BYTES:
        raise Untrusted("hash_length_wrong", "a hash has 32 bytes", path=name, expected=HASH_BYTES, found=len(digest))


def _ensure_length(path: list[bytes], expected: int) -> None:
    if len(path) != expected:
        raise Untrusted("path_length_wrong", "a path of another length", expected=expected, found=len(path))


def _split(path: bytes) -> list[bytes]:
    if len(path) % HASH_BYTES:
        raise Untrusted("path_length_wrong", "a path is a run of 32-byte hashes", found=f"{len(path)} bytes")
    return [path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)]


def _too_short() -> bytes:
    raise Untrusted("path_length_wrong", "the path ends below the root")
