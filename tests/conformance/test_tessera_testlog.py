"""A whole signed log of another implementation, made again byte for byte: notes, tiles and bundles."""

from __future__ import annotations

import json
from typing import Any

from ledger.log.checkpoint import Checkpoint, ensure_follows, open_checkpoint, sign_checkpoint
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.log.note import NoteSigner, NoteVerifier
from ledger.log.right_edge import edge_of_entries
from ledger.log.tiles import (
    TileId,
    consistency_path,
    encode_bundle,
    inclusion_path,
    parse_bundle,
    parse_bundle_path,
    parse_tile_path,
    root_from_tiles,
)

VECTORS = "tessera-testlog"


def the_log(vectors: Any) -> tuple[dict[str, Any], list[bytes]]:
    log = json.loads((vectors.folder / "log.json").read_text(encoding="utf-8"))
    return log, [entry.encode() for entry in log["entries_in_order"]]


def sizes(vectors: Any) -> list[int]:
    found = sorted(int(file.suffix[1:]) for file in vectors.folder.glob("checkpoint.*"))
    assert found
    return found


def test_every_checkpoint_is_signed_to_the_same_bytes(vectors: Any) -> None:
    log, entries = the_log(vectors)
    signer, verifier = NoteSigner.parse(log["skey_test_only"]), NoteVerifier.parse(log["vkey"])
    assert signer.verifier == verifier
    for size in sizes(vectors):
        want = (vectors.folder / f"checkpoint.{size}").read_bytes()
        checkpoint = Checkpoint(log["origin"], size, edge_of_entries(entries[:size]).root())
        vectors.check(f"checkpoint.{size}", sign_checkpoint(checkpoint, signer) == want)
        assert open_checkpoint(want, [verifier], origin=log["origin"]).checkpoint == checkpoint


def test_every_tile_and_bundle_is_made_again(vectors: Any) -> None:
    _, entries = the_log(vectors)
    files = [file for file in sorted((vectors.folder / "tile").rglob("*")) if file.is_file()]
    assert files
    for file in files:
        path, want = file.relative_to(vectors.folder).as_posix(), file.read_bytes()
        if path.startswith("tile/entries/"):
            width = parse_bundle_path(path).width
            met = encode_bundle(entries[:width]) == want and parse_bundle(want, width) == entries[:width]
        else:
            tile = parse_tile_path(path)
            met = edge_of_entries(entries[: tile.width]).partial_tiles()[tile.level] == want
        vectors.check(path, met)


def test_proofs_come_from_the_files_alone(vectors: Any) -> None:
    log, entries = the_log(vectors)

    def read(tile: TileId) -> bytes:
        return (vectors.folder / tile.path).read_bytes()

    verifier = NoteVerifier.parse(log["vkey"])
    opened = [
        open_checkpoint((vectors.folder / f"checkpoint.{size}").read_bytes(), [verifier]) for size in sizes(vectors)
    ]
    checkpoints = [one.checkpoint for one in opened]
    for new in checkpoints[1:]:
        assert root_from_tiles(new.size, read) == new.root
        for index in range(new.size):
            path = b"".join(inclusion_path(index, new.size, read))
            verify_inclusion(index=index, size=new.size, leaf=leaf_hash(entries[index]), path=path, root=new.root)
        for old in checkpoints:
            if 0 < old.size <= new.size:
                ensure_follows(old, new, b"".join(consistency_path(old.size, new.size, read)))
