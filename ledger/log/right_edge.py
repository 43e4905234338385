"""The growing side of the tree, in memory: all that appending and checkpoints need, and no more than 255 hashes a
level.

Rules
- For each tile level the hashes of its last, partial tile; beside them the roots of the perfect subtrees (the
  frontier).
- An appended leaf costs one node hash on average; the tiles that it fills are handed back, once, to be stored.
- ``copy`` is cheap: a commit works on a copy and drops it when it fails.
- ``rebuild`` makes the same state from a size and the stored partial tiles, which is how a process starts.

>>> edge = RightEdge()
>>> full = edge.append_many([leaf_hash(bytes([n])) for n in range(256)])
>>> [(tile.level, tile.index, len(data)) for tile, data in full], edge.partial_tiles() == {1: edge.root()}
([(0, 0, 8192)], True)

It stores nothing, and proves only what the last tiles can prove.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledger.errors import InvalidInput, InvariantBroken, NotFound
from ledger.log.merkle import HASH_BYTES, Frontier, fold, leaf_hash, node_hash
from ledger.log.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TileId,
    cover,
    full_tiles,
    inclusion_path,
    partial_width,
    split_hashes,
    tile_root,
)
from ledger.types import Digest, TreeSize

FullTile = tuple[TileId, bytes]
"""A tile that became full, and its 8,192 bytes."""

_NONE_CLOSED: Mapping[TileId, bytes] = {}


class RightEdge:
    """The partial tiles and the frontier of a growing tree; see the module's rules."""

    __slots__ = ("_levels", "_size", "_stack")

    def __init__(self) -> None:
        self._size = 0
        self._levels: list[list[bytes]] = [[]]
        self._stack: list[bytes] = []

    @classmethod
    def rebuild(cls, size: int, partial_tiles: Mapping[int, bytes]) -> RightEdge:
        """The edge of a tree of ``size`` from its partial tiles by level, as ``partial_tiles`` gives them.

        Raises ``InvariantBroken`` ``right_edge_invalid`` when a level is missing, too many, or of another width. That
        the hashes are the right ones is shown by comparing ``root`` with the recorded one, which is the caller's
        step.
        """
        edge = cls()
        edge._size = size
        heights = range((max(size.bit_length() - 1, 0)) // TILE_HEIGHT + 1)
        edge._levels = [split_hashes(partial_tiles.get(level, b"")) for level in heights]
        widths = {level: partial_width(size, level) * HASH_BYTES for level in heights if partial_width(size, level)}
        if {level: len(data) for level, data in partial_tiles.items() if data} != widths:
            raise InvariantBroken("right_edge_invalid", f"not the partial tiles of a tree of {size}")
        edge._stack = [edge._subtree_root(node.height, node.index) for node in cover(0, size)]
        return edge

    @property
    def size(self) -> TreeSize:
        """Number of leaves."""
        return TreeSize(self._size)

    def copy(self) -> RightEdge:
        """An independent edge with the same state; copies at most 255 references a level."""
        twin = RightEdge()
        twin._size = self._size
        twin._levels = [hashes[:] for hashes in self._levels]
        twin._stack = self._stack[:]
        return twin

    def append(self, leaf: bytes) -> list[FullTile]:
        """Add one leaf hash; gives the tiles it filled, lowest level first. Raises ``InvalidInput``
        ``hash_length_wrong``."""
        if len(leaf) != HASH_BYTES:
            raise InvalidInput("hash_length_wrong", "a leaf hash has 32 bytes", expected=HASH_BYTES, found=len(leaf))
        full: list[FullTile] = []
        node, height, carry = leaf, 0, self._size
        self._size += 1
        self._levels[0].append(leaf)
        while carry & 1:
            node = node_hash(self._stack.pop(), node)
            height += 1
            carry >>= 1
            if height % TILE_HEIGHT == 0:
                full.append(self._close(height // TILE_HEIGHT - 1, node))
        self._stack.append(node)
        return full

    def append_many(self, leaves: Iterable[bytes]) -> list[FullTile]:
        """Add leaf hashes in order; gives the tiles that became full. Raises ``InvalidInput`` ``hash_length_wrong``."""
        full: list[FullTile] = []
        for leaf in leaves:
            full += self.append(leaf)
        return full

    def frontier(self) -> Frontier:
        """The compact form, as the head row keeps it."""
        return Frontier(self._size, tuple(self._stack))

    def root(self) -> Digest:
        """Root of the whole tree; ``EMPTY_ROOT`` when there are no leaves."""
        return fold(self._stack)

    def partial_tiles(self) -> dict[int, bytes]:
        """The partial tile of each level that has one."""
        return {level: b"".join(hashes) for level, hashes in enumerate(self._levels) if hashes}

    def path(self, index: int, closed: Mapping[TileId, bytes] = _NONE_CLOSED) -> list[Digest]:
        """Inclusion path of a recent entry in the tree as it is now.

        ``closed`` may hold full tiles that the caller has at hand (those that ``append`` just gave). Raises
        ``NotFound`` ``tile_not_on_right_edge`` when another tile is needed: read it from storage then
        (``tiles.inclusion_path``).
        """

        def read(tile: TileId) -> bytes:
            if tile.width < TILE_WIDTH:
                return b"".join(self._levels[tile.level])
            if tile in closed:
                return closed[tile]
            raise NotFound("tile_not_on_right_edge", f"{tile.path} is in storage only")

        return inclusion_path(index, self._size, read)

    def _close(self, level: int, root: bytes) -> FullTile:
        """Take the full tile of a level away, and put its root on the level above."""
        data = b"".join(self._levels[level])
        self._levels[level] = []
        if level + 1 == len(self._levels):
            self._levels.append([])
        self._levels[level + 1].append(root)
        return TileId(level, full_tiles(self._size, level) - 1), data

    def _subtree_root(self, height: int, index: int) -> Digest:
        """Root of a perfect subtree of the frontier: it lies whole in the partial tile of its level."""
        level, rise = divmod(height, TILE_HEIGHT)
        first = (index << rise) % TILE_WIDTH
        return tile_root(self._levels[level][first : first + (1 << rise)])


def edge_of_entries(entries: Iterable[bytes]) -> RightEdge:
    """The edge of the tree over these entries' bytes: what a check of a whole log recomputes."""
    edge = RightEdge()
    edge.append_many(leaf_hash(entry) for entry in entries)
    return edge
