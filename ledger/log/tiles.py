"""Tiles: the tree cut into files that never change (C2SP tlog-tiles).

What it keeps true: every hash that a proof needs lies in a tile that is named by tree size, level and index alone, so a
reader fetches at most a handful of files, and a full tile may be cached for ever.

Rules
- A tile of level l, index n holds up to 256 hashes; hash i is the root over the leaves
  [(256 n + i) 256^l, (256 n + i + 1) 256^l). A full tile has 256, a partial one 1 to 255; none is
  empty.
- An entry bundle holds the entries under a tile of level 0, each after its length in two bytes, big-endian.
- Paths: ``tile/<level>/<index>[.p/<width>]`` and ``tile/entries/<index>[.p/<width>]``; level 0 to 63; the index in
  groups of three digits, all but the last with ``x`` before them. One name for one tile, no other spelling.
- A node (height, index) is the root over the leaves [index 2^height, (index + 1) 2^height). Each element of a proof
  is the root of a range of leaves, and so one node or a few, largest first, folded from the right.
- Proof functions say what they need (``inclusion_nodes``, ``tiles_for``) before they read it, so that a store can
  fetch all tiles of a proof in one round trip and hand over a dictionary's ``__getitem__`` as ``read``.

>>> TileId(0, 1234067, 89).path
'tile/0/x001/x234/067.p/89'
>>> sorted(tiles_for(inclusion_nodes(3, 300), 300))
[TileId(level=0, index=0, width=256), TileId(level=0, index=1, width=44)]

It reads and writes nothing itself. ``right_edge`` keeps the growing side of the tree in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.errors import InvalidInput, InvariantBroken, NotFound, Untrusted
from ledger.log.merkle import HASH_BYTES, fold, node_hash
from ledger.types import Digest

TILE_HEIGHT: Final = 8
"""Levels of the tree that one tile spans."""

TILE_WIDTH: Final = 256
"""Hashes in a full tile, entries in a full bundle."""

MAX_TILE_LEVEL: Final = 63
"""Highest level a tile path may name (C2SP tlog-tiles)."""

MAX_ENTRY_BYTES: Final = 65_535
"""Longest entry: its length is two bytes (C2SP tlog-tiles)."""

_INDEX_GROUPS = r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
_TILE_PATH = re.compile(r"tile/(0|[1-9][0-9]?)/" + _INDEX_GROUPS)
_BUNDLE_PATH = re.compile(r"tile/entries/" + _INDEX_GROUPS)


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """Root of a perfect subtree: ``height`` levels above the leaves, ``index`` among the nodes of that height."""

    height: int
    index: int


@dataclass(frozen=True, slots=True, order=True)
class TileId:
    """Name of a tile; ``width`` is its number of hashes, 256 when it is full."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Path below the log's prefix."""
        return f"tile/{self.level}/{_grouped(self.index)}{_partial_suffix(self.width)}"


@dataclass(frozen=True, slots=True, order=True)
class BundleId:
    """Name of an entry bundle; ``width`` is its number of entries, 256 when it is full."""

    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Path below the log's prefix."""
        return f"tile/entries/{_grouped(self.index)}{_partial_suffix(self.width)}"


ReadTile = Callable[[TileId], bytes]
"""Gives a tile's hashes, 32 bytes each, run together; exactly ``width`` of them."""


def parse_tile_path(path: str) -> TileId:
    """The tile that a path names; raises ``InvalidInput`` ``tile_path_invalid`` for any other spelling."""
    match = _TILE_PATH.fullmatch(path)
    if match is None:
        raise _bad_path(path)
    tile = TileId(int(match[1]), _ungrouped(match[2]), int(match[3] or TILE_WIDTH))
    if tile.level > MAX_TILE_LEVEL or tile.path != path:
        raise _bad_path(path)
    return tile


def parse_bundle_path(path: str) -> BundleId:
    """The bundle that a path names; raises ``InvalidInput`` ``tile_path_invalid`` for any other spelling."""
    match = _BUNDLE_PATH.fullmatch(path)
    if match is None:
        raise _bad_path(path)
    bundle = BundleId(_ungrouped(match[1]), int(match[2] or TILE_WIDTH))
    if bundle.path != path:
        raise _bad_path(path)
    return bundle


def full_tiles(size: int, level: int) -> int:
    """How many full tiles a tree of ``size`` leaves has at ``level``."""
    return size >> TILE_HEIGHT * (level + 1)


def partial_width(size: int, level: int) -> int:
    """How many hashes the last, partial tile has at ``level`` in a tree of ``size`` leaves; 0: there is none."""
    return (size >> TILE_HEIGHT * level) % TILE_WIDTH


def tile_at(size: int, level: int, index: int) -> TileId:
    """The tile of that level and index as a tree of ``size`` has it; raises ``NotFound`` ``tile_beyond_tree``."""
    return TileId(level, index, _width_at(size, level, index))


def bundle_of(entry_index: int, size: int) -> BundleId:
    """The bundle that holds an entry in a tree of ``size``; raises ``NotFound`` ``tile_beyond_tree``."""
    index = entry_index // TILE_WIDTH
    if not 0 <= entry_index < size:
        raise NotFound("tile_beyond_tree", "the tree is smaller than that", expected=f"below {size}", found=entry_index)
    return BundleId(index, _width_at(size, 0, index))


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as one bundle; raises ``InvalidInput`` ``entry_too_long``."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise InvalidInput("entry_too_long", "an entry has at most 65,535 bytes", found=len(entry))
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def parse_bundle(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """The ``width`` entries of a bundle; raises ``InvalidInput`` ``bundle_invalid`` when it is cut or has more."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    if at != len(data) or len(entries) != width:
        raise InvalidInput("bundle_invalid", "not that many whole entries", expected=width, found=len(entries))
    return entries


def tile_root(hashes: Sequence[bytes]) -> Digest:
    """Root over a power of two of neighbouring hashes, as a full tile is.

    Raises ``InvalidInput`` ``tile_not_whole``.
    """
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise InvalidInput("tile_not_whole", "only a power of two of hashes has one node above it", found=len(hashes))
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return Digest(level[0])


def split_hashes(data: bytes) -> list[bytes]:
    """A tile's bytes as its hashes. Lengths are checked by whoever read it."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def inclusion_nodes(index: int, size: int) -> list[tuple[Node, ...]]:
    """For each element of an inclusion path, leaf-side first, the nodes to fold (RFC 6962 section 2.1.1).

    Raises ``Untrusted`` ``index_out_of_range``.
    """
    if not 0 <= index < size:
        raise Untrusted("index_out_of_range", "the index is not in the tree", expected=f"0 to {size - 1}", found=index)
    low, high = 0, size
    siblings: list[tuple[Node, ...]] = []
    while high - low > 1:
        middle = _split_point(low, high)
        if index < middle:
            siblings.append(cover(middle, high))
            high = middle
        else:
            siblings.append(cover(low, middle))
            low = middle
    return siblings[::-1]


def consistency_nodes(old: int, new: int) -> list[tuple[Node, ...]]:
    """For each element of the consistency path between two sizes the nodes to fold (RFC 6962 section 2.1.2).

    Raises ``Untrusted`` ``size_out_of_range`` unless 0 < old <= new.
    """
    if not 0 < old <= new:
        raise Untrusted("size_out_of_range", "no path leads between these sizes", expected=f"1 to {new}", found=old)
    low, high = 0, new
    siblings: list[tuple[Node, ...]] = []
    while old < high:
        middle = _split_point(low, high)
        if old <= middle:
            siblings.append(cover(middle, high))
            high = middle
        else:
            siblings.append(cover(low, middle))
            low = middle
    if low:  # otherwise the old tree is itself one node, which the verifier has already
        siblings.append(cover(low, high))
    return siblings[::-1]


def cover(start: int, end: int) -> tuple[Node, ...]:
    """The perfect subtrees that make up [start, end), largest first.

    ``start`` is a multiple of the power of two at or above the length, as in every range that a proof names.
    """
    nodes: list[Node] = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return tuple(nodes)


def tiles_for(nodes: Iterable[tuple[Node, ...]], size: int) -> set[TileId]:
    """The tiles, as a tree of ``size`` has them, in which these nodes lie."""
    return {place_of(node, size)[0] for group in nodes for node in group}


def inclusion_path(index: int, size: int, read: ReadTile) -> list[Digest]:
    """Inclusion path of the entry at ``index`` in the tree of ``size``, from tiles; each tile is read once.

    Raises ``Untrusted`` ``index_out_of_range``, ``InvariantBroken`` ``tile_length_wrong``, and what ``read`` raises.
    """
    return _read_path(inclusion_nodes(index, size), size, read)


def consistency_path(old: int, new: int, read: ReadTile) -> list[Digest]:
    """Consistency path between two sizes, from the tiles of the newer tree; each tile is read once.

    Raises ``Untrusted`` ``size_out_of_range``, ``InvariantBroken`` ``tile_length_wrong``, and what ``read`` raises.
    """
    return _read_path(consistency_nodes(old, new), new, read)


def root_from_tiles(size: int, read: ReadTile) -> Digest:
    """Root of the tree of ``size`` from its tiles: the last one of each level is enough.

    Raises ``InvariantBroken`` ``tile_length_wrong``, and what ``read`` raises.
    """
    return _read_path([cover(0, size)], size, read)[0]


def _read_path(groups: list[tuple[Node, ...]], size: int, read: ReadTile) -> list[Digest]:
    tiles = {tile: _read_whole(tile, read) for tile in tiles_for(groups, size)}
    return [fold([hash_from_tiles(node, size, tiles) for node in group]) for group in groups]


def _read_whole(tile: TileId, read: ReadTile) -> bytes:
    data = read(tile)
    if len(data) != tile.width * HASH_BYTES:
        raise InvariantBroken("tile_length_wrong", f"{tile.path} has another length", found=f"{len(data)} bytes")
    return data


def hash_from_tiles(node: Node, size: int, tiles: Mapping[TileId, bytes]) -> Digest:
    """Hash of a node from the tile it lies in; raises ``KeyError`` when that tile is not among ``tiles``."""
    tile, first, count = place_of(node, size)
    return tile_root(split_hashes(tiles[tile][first * HASH_BYTES : (first + count) * HASH_BYTES]))


def place_of(node: Node, size: int) -> tuple[TileId, int, int]:
    """The tile under which a node lies in a tree of ``size``, and which of its hashes the node covers: first, count.

    Raises ``NotFound`` ``tile_beyond_tree``.
    """
    level, rise = divmod(node.height, TILE_HEIGHT)
    index, first = divmod(node.index << rise, TILE_WIDTH)
    return tile_at(size, level, index), first, 1 << rise


def _width_at(size: int, level: int, index: int) -> int:
    whole = full_tiles(size, level)
    width = TILE_WIDTH if index < whole else partial_width(size, level)
    if index < 0 or index > whole or width == 0:
        raise NotFound("tile_beyond_tree", f"a tree of {size} has no tile {index} at level {level}")
    return width


def _split_point(low: int, high: int) -> int:
    """Where RFC 6962 splits [low, high): at the largest power of two below the length."""
    return low + (1 << (high - low - 1).bit_length() - 1)


def _grouped(index: int) -> str:
    """12345678 as x012/x345/678."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def _ungrouped(text: str) -> int:
    return int(text.replace("x", "").replace("/", ""))


def _partial_suffix(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def _bad_path(path: str) -> InvalidInput:
    return InvalidInput("tile_path_invalid", "not the path of a tile", found=path[:80], advice="See C2SP tlog-tiles.")
