"""A mirrored tree of 300 leaves as tiles, with its cosignature."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import verify_inclusion
from ledger.log.note import NoteVerifier
from ledger.log.right_edge import RightEdge
from ledger.log.tiles import TileId, inclusion_path, root_from_tiles, split_hashes, tile_root

VECTORS = "sunlight-witness"


def test_the_tiles_give_the_root_that_was_cosigned(vectors: Any) -> None:
    [mirror] = [folder for folder in (vectors.folder / "mirror").iterdir() if folder.is_dir()]
    keys = json.loads((vectors.folder / "mirror" / "mirror.v0.json").read_text(encoding="utf-8"))["verifier_keys"]
    opened = open_checkpoint((mirror / "checkpoint").read_bytes(), [NoteVerifier.parse(key) for key in keys])
    checkpoint = opened.checkpoint

    def read(tile: TileId) -> bytes:
        return (mirror / tile.path).read_bytes()

    vectors.check("cosignature", opened.verified[0].timestamp_s is not None)
    vectors.check("folder", hashlib.sha256(checkpoint.origin.encode()).hexdigest() == mirror.name)
    vectors.check("root", root_from_tiles(checkpoint.size, read) == checkpoint.root)
    full = split_hashes(read(TileId(0, 0)))
    vectors.check("level 1", tile_root(full) == read(TileId(1, 0, 1)))
    leaves = full + split_hashes(read(TileId(0, 1, 44)))
    for index, leaf in enumerate(leaves):
        path = b"".join(inclusion_path(index, checkpoint.size, read))
        verify_inclusion(index=index, size=checkpoint.size, leaf=leaf, path=path, root=checkpoint.root)
    edge = RightEdge()
    vectors.check("full tile", edge.append_many(leaves) == [(TileId(0, 0), read(TileId(0, 0)))])
    vectors.check("edge", edge.root() == checkpoint.root)


def test_every_published_key_is_read(vectors: Any) -> None:
    files = sorted(vectors.folder.rglob("*.v0.json"))
    assert files
    for file in files:
        for vkey in json.loads(file.read_text(encoding="utf-8"))["verifier_keys"]:
            vectors.check(vkey, NoteVerifier.parse(vkey).algorithm == 4)
