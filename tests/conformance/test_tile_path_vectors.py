"""Tile and bundle paths, and how many tiles a tree has."""

from __future__ import annotations

import json
from typing import Any

from ledger.errors import InvalidInput
from ledger.log.tiles import (
    BundleId,
    TileId,
    bundle_of,
    full_tiles,
    parse_bundle_path,
    parse_tile_path,
    partial_width,
)

VECTORS = "tlog-tiles-paths"


def load(vectors: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((vectors.folder / "paths.json").read_text(encoding="utf-8"))
    return found


def test_paths_are_written_as_the_vectors_say(vectors: Any) -> None:
    paths = load(vectors)
    for level, index, width, want in paths["encode_tile"]:
        vectors.check(want, TileId(level, index, width or 256).path == want)
        assert parse_tile_path(want) == TileId(level, index, width or 256)
    for index, width, want in paths["encode_entries"]:
        vectors.check(want, BundleId(index, width or 256).path == want)
        assert parse_bundle_path(want) == BundleId(index, width or 256)
    for index, size, want in paths["entries_for_index"]:
        vectors.check(want, bundle_of(index, size).path == want)


def test_paths_are_read_or_refused(vectors: Any) -> None:
    paths = load(vectors)
    for level_text, rest, level, index, width in paths["parse_ok"]:
        vectors.check(rest, parse_tile_path(f"tile/{level_text}/{rest}") == TileId(level, index, width or 256))
    for level_text, rest in paths["parse_error"]:
        try:
            parse_tile_path(f"tile/{level_text}/{rest}")
            refused = False
        except InvalidInput:
            refused = True
        vectors.check((level_text, rest), refused)


def test_a_size_has_that_many_full_tiles_and_that_partial_one(vectors: Any) -> None:
    for case in load(vectors)["tree_tiles"]:
        for name, want in case.items():
            if name == "size":
                continue
            count = full_tiles if name.endswith("_full") else partial_width
            vectors.check((case["size"], name), count(case["size"], int(name[1])) == want)
