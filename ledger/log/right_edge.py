"""The growing side of the tree, in memory: what appending, checkpoints and fresh proofs need, and little else.

Rules
- For each tile level the hashes of its last, partial tile and the nodes above them inside it; beside them the roots of
  the perfect subtrees (the frontier).
- An appended leaf costs one node hash on average; the tiles that it fills are handed back, once, to be stored.
- ``copy`` is cheap, whatever lies in the tiles: a commit works on a copy and drops it when it fails.
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
    Node,
    TileId,
    cover,
    full_tiles,
    hash_from_tiles,
    inclusion_nodes,
    partial_width,
    place_of,
    split_hashes,
)
from ledger.types import Digest, TreeSize

FullTile = tuple[TileId, bytes]
"""A tile that became full, and its 8,192 bytes."""

_NONE_CLOSED: Mapping[TileId, bytes] = {}


class RightEdge:
    """The partial tiles, with the nodes inside them, and the frontier of a growing tree; see the module's rules."""

    __slots__ = ("_nodes", "_size", "_stack")

    def __init__(self) -> None:
        self._size = 0
        # By height: the nodes that lie in the partial tile of that height's level, run together. Those at heights 0, 8,
        # 16 and so on are the tile's own hashes; the ones between are kept so that a proof looks them up instead of
        # hashing again. Runs are shared between copies: appending makes a new one of at most 8 KiB.
        self._nodes: list[bytes] = [b""] * TILE_HEIGHT
        self._stack: list[bytes] = []

    @classmethod
    def rebuild(cls, size: int, partial_tiles: Mapping[int, bytes]) -> RightEdge:
        """The edge of a tree of ``size`` from its partial tiles by level, as ``partial_tiles`` gives them.

        Raises ``InvariantBroken`` ``right_edge_invalid`` when a level is missing, too many, or of another width. That
        the hashes are the right ones is shown by comparing ``root`` with the recorded one, which is the caller's step.
        """
        levels = range(max(size.bit_length() - 1, 0) // TILE_HEIGHT + 1)
        widths = {level: partial_width(size, level) * HASH_BYTES for level in levels if partial_width(size, level)}
        if {level: len(data) for level, data in partial_tiles.items() if data} != widths:
            raise InvariantBroken("right_edge_invalid", f"not the partial tiles of a tree of {size}")
        edge = cls()
        edge._size = size
        edge._nodes = [nodes for level in levels for nodes in _nodes_above(split_hashes(partial_tiles.get(level, b"")))]
        edge._stack = [edge._in_partial_tile(node) for node in cover(0, size)]
        return edge

    @property
    def size(self) -> TreeSize:
        """Number of leaves."""
        return TreeSize(self._size)

    def copy(self) -> RightEdge:
        """An independent edge with the same state; copies a few references a level."""
        twin = RightEdge()
        twin._size = self._size
        twin._nodes = self._nodes[:]
        twin._stack = self._stack[:]
        return twin

    def append(self, leaf: bytes) -> list[FullTile]:
        """Add one leaf hash; gives the tiles it filled, lowest level first.

        Raises ``InvalidInput`` ``hash_length_wrong``, and then nothing was added.
        """
        if len(leaf) != HASH_BYTES:
            raise InvalidInput("hash_length_wrong", "a leaf hash has 32 bytes", expected=HASH_BYTES, found=len(leaf))
        full: list[FullTile] = []
        node, height, carry = leaf, 0, self._size
        self._size += 1
        self._nodes[0] += leaf
        while carry & 1:
            node = node_hash(self._stack.pop(), node)
            height += 1
            carry >>= 1
            if height % TILE_HEIGHT == 0:
                full.append(self._close(height - TILE_HEIGHT))
            self._nodes[height] += node
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
        return {level: hashes for level, hashes in enumerate(self._nodes[::TILE_HEIGHT]) if hashes}

    def path(self, index: int, closed: Mapping[TileId, bytes] = _NONE_CLOSED) -> list[Digest]:
        """Inclusion path of a recent entry in the tree as it is now.

        ``closed`` may hold full tiles that the caller has at hand (those that ``append`` just gave). Raises
        ``Untrusted`` ``index_out_of_range``; ``NotFound`` ``tile_not_on_right_edge`` when another tile is needed: read
        it from storage then (``tiles.inclusion_path``).
        """
        groups = inclusion_nodes(index, self._size)
        return [fold([self._hash_of(node, closed) for node in group]) for group in groups]

    def _hash_of(self, node: Node, closed: Mapping[TileId, bytes]) -> Digest:
        tile, _, _ = place_of(node, self._size)
        if tile.width < TILE_WIDTH:
            return self._in_partial_tile(node)
        if tile not in closed:
            raise NotFound("tile_not_on_right_edge", f"{tile.path} is in storage only")
        return hash_from_tiles(node, self._size, closed)

    def _in_partial_tile(self, node: Node) -> Digest:
        at = node.index % (TILE_WIDTH >> node.height % TILE_HEIGHT) * HASH_BYTES
        return Digest(self._nodes[node.height][at : at + HASH_BYTES])

    def _close(self, bottom: int) -> FullTile:
        """Take away the tile that just became full, whose hashes are the nodes at height ``bottom``."""
        level = bottom // TILE_HEIGHT
        data = self._nodes[bottom]
        self._nodes[bottom : bottom + TILE_HEIGHT] = [b""] * TILE_HEIGHT
        if len(self._nodes) == bottom + TILE_HEIGHT:
            self._nodes += [b""] * TILE_HEIGHT
        return TileId(level, full_tiles(self._size, level) - 1), data


def _nodes_above(hashes: list[bytes]) -> list[bytes]:
    """A tile's hashes and the whole nodes above them, by height within the tile, each height's run together."""
    levels = [hashes]
    while len(levels) < TILE_HEIGHT:
        pairs = zip(levels[-1][::2], levels[-1][1::2], strict=False)
        levels.append([node_hash(left, right) for left, right in pairs])
    return list(map(b"".join, levels))


def edge_of_entries(entries: Iterable[bytes]) -> RightEdge:
    """The edge of the tree over these entries' bytes: what a check of a whole log recomputes."""
    edge = RightEdge()
    edge.append_many(leaf_hash(entry) for entry in entries)
    return edge
