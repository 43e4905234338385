"""Reads the log: tiles, entry bundles, proofs, checkpoints. Full tiles never change and stay in memory.

Rules
- A partial tile is derived from the entries (level 0) or from the full tiles below it; it is never stored.
- A checkpoint is signed only over a head that was read back from a commit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from ledger.errors import InvalidInput, NotFound, Unavailable
from ledger.limits import TILES_CACHED_MAX
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.note import NoteSigner, sign_note
from ledger.log.tiles import (
    TILE_WIDTH,
    BundleId,
    Node,
    TileId,
    consistency_nodes,
    consistency_path,
    cover,
    encode_bundle,
    full_tiles,
    inclusion_nodes,
    inclusion_path,
    partial_width,
    tiles_for,
)
from ledger.store.database import Connection, Database
from ledger.store.log_rows import Head, read_entries, read_head, read_leaves, read_tile, read_tile_roots

SIGNED_CACHED_MAX = 8
"""Newest signed heads kept: all members of a group get the same note."""


class LogReader:
    """The reading half of the log, for one process."""

    def __init__(self, database: Database, origin: str, signer: NoteSigner) -> None:
        self._database = database
        self._origin = origin
        self._signer = signer
        self._tiles: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._signed: OrderedDict[int, bytes] = OrderedDict()
        self.frozen = ""

    def signed(self, head: Head, text: bytes = b"") -> bytes:
        """The checkpoint of a committed head as a signed note; ``text`` is that checkpoint, where it was written ahead.
        Raises Unavailable when signing is frozen."""
        note = self._signed.get(head.size)
        if note is None:
            if self.frozen:
                raise Unavailable("signing_frozen", self.frozen, advice="run './tallystick fsck'")
            if text:
                note = sign_note(text, [self._signer])
            else:
                note = sign_checkpoint(Checkpoint(self._origin, head.size, head.root), self._signer)
            self._signed[head.size] = note
            if len(self._signed) > SIGNED_CACHED_MAX:
                self._signed.popitem(last=False)
        return note

    async def head(self) -> Head:
        """The committed head, from the store."""
        async with self._database.reading() as connection:
            head = await read_head(connection)
        if head is None:
            raise NotFound("log_empty", "the log was not made yet")
        return head

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """Inclusion path of an entry in the tree of ``size`` entries. Raises InvalidInput ``index_out_of_range``."""
        return list((await self.inclusions([index], size))[0])

    async def inclusions(self, indexes: Sequence[int], size: int) -> list[list[bytes]]:
        """Inclusion paths of several entries in one tree; each tile is read once."""
        if any(not 0 <= index < size for index in indexes):
            raise InvalidInput("index_out_of_range", "no such entry in that tree", expected=f"< {size}")
        nodes = [group for index in indexes for group in inclusion_nodes(index, size)]
        tiles = await self._gather(nodes, size)
        return [list(inclusion_path(index, size, tiles.__getitem__)) for index in indexes]

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Consistency path from the tree of ``old`` entries to that of ``new``."""
        if not 0 < old <= new or new > (await self.head()).size:
            raise InvalidInput("size_out_of_range", "no such pair of trees", expected="0 < old <= new <= size")
        tiles = await self._gather(consistency_nodes(old, new), new)
        return list(consistency_path(old, new, tiles.__getitem__))

    async def tile(self, tile: TileId) -> bytes:
        """The hashes of a full or partial tile of the committed tree. Raises NotFound ``tile_absent``."""
        size = (await self.head()).size
        widest = TILE_WIDTH if tile.index < full_tiles(size, tile.level) else partial_width(size, tile.level)
        if tile.index > full_tiles(size, tile.level) or tile.width > widest:
            raise NotFound("tile_absent", "no such tile yet")
        async with self._database.reading() as connection:
            return await self._read(connection, tile)

    async def bundle(self, bundle: BundleId) -> bytes:
        """The entries of a full or partial bundle (C2SP tlog-tiles). Raises NotFound ``tile_absent``."""
        first = bundle.index * TILE_WIDTH
        async with self._database.reading() as connection:
            entries = await read_entries(connection, first, first + bundle.width)
        if len(entries) != bundle.width:
            raise NotFound("tile_absent", "no such bundle yet")
        return encode_bundle(entry.statement for entry in entries)

    async def tiles_of(self, size: int) -> dict[TileId, bytes]:
        """The tiles that give the root of the tree of ``size`` entries."""
        return await self._gather([cover(0, size)], size)

    async def _gather(self, nodes: Sequence[tuple[Node, ...]], size: int) -> dict[TileId, bytes]:
        wanted = tiles_for(nodes, size)
        async with self._database.reading() as connection:
            return {tile: await self._read(connection, tile) for tile in wanted}

    async def _read(self, connection: Connection, tile: TileId) -> bytes:
        whole = self._tiles.get((tile.level, tile.index))
        if whole is None and tile.width == TILE_WIDTH:
            whole = await read_tile(connection, tile.level, tile.index)
            if whole is None:
                raise NotFound("tile_absent", "no such tile yet")
            self._tiles[tile.level, tile.index] = whole
            if len(self._tiles) > TILES_CACHED_MAX:
                self._tiles.popitem(last=False)
        if whole is not None:
            return whole[: 32 * tile.width]
        first = tile.index * TILE_WIDTH
        if tile.level == 0:
            return b"".join(await read_leaves(connection, first, first + tile.width))
        return b"".join(await read_tile_roots(connection, tile.level - 1, first, first + tile.width))
