"""Tiles and proofs from tiles, against the naive tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, InvariantBroken, NotFound, Untrusted
from ledger.log.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from ledger.log.tiles import (
    BundleId,
    Node,
    TileId,
    bundle_of,
    consistency_nodes,
    consistency_path,
    cover,
    encode_bundle,
    full_tiles,
    inclusion_nodes,
    inclusion_path,
    parse_bundle,
    parse_bundle_path,
    parse_tile_path,
    partial_width,
    root_from_tiles,
    tile_at,
    tile_root,
    tiles_for,
)

LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(1200)]
EDGES = [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 1023, 1024, 1025]


def read_naively(size: int) -> dict[TileId, bytes]:
    """All tiles of the tree of ``size``, each hash made by the definition of a tile."""
    tiles: dict[TileId, bytes] = {}
    for level in range(4):
        span = 256**level
        hashes = [root_of(LEAVES[at * span : (at + 1) * span]) for at in range(size // span)]
        for n in range(0, len(hashes), 256):
            part = hashes[n : n + 256]
            tiles[TileId(level, n // 256, len(part))] = b"".join(part)
    return tiles


@pytest.mark.parametrize("size", EDGES)
def test_the_root_and_inclusion_paths_come_from_tiles(size: int) -> None:
    tiles, root = read_naively(size), root_of(LEAVES[:size])
    assert root_from_tiles(size, tiles.__getitem__) == root
    for index in sorted({0, 1, size // 2, 255, 256, size - 2, size - 1} & set(range(size))):
        path = b"".join(inclusion_path(index, size, tiles.__getitem__))
        verify_inclusion(index=index, size=size, leaf=LEAVES[index], path=path, root=root)


@pytest.mark.parametrize("new", EDGES)
def test_consistency_paths_come_from_the_newer_tiles(new: int) -> None:
    tiles, new_root = read_naively(new), root_of(LEAVES[:new])
    for old in [size for size in EDGES if size <= new]:
        path = b"".join(consistency_path(old, new, tiles.__getitem__))
        verify_consistency(old_size=old, new_size=new, old_root=root_of(LEAVES[:old]), new_root=new_root, path=path)


def test_all_consistency_paths_of_small_trees_verify() -> None:
    for new in range(1, 40):
        tiles = read_naively(new)
        for old in range(1, new + 1):
            path = b"".join(consistency_path(old, new, tiles.__getitem__))
            verify_consistency(
                old_size=old, new_size=new, old_root=root_of(LEAVES[:old]), new_root=root_of(LEAVES[:new]), path=path
            )


def test_a_proof_names_its_tiles_and_reads_each_once() -> None:
    tiles = read_naively(600)
    seen: list[TileId] = []

    def read(tile: TileId) -> bytes:
        seen.append(tile)
        return tiles[tile]

    inclusion_path(3, 600, read)
    assert sorted(seen) == [TileId(0, 0), TileId(0, 2, 88), TileId(1, 0, 2)]
    assert set(seen) == tiles_for(inclusion_nodes(3, 600), 600)


def test_a_proof_in_a_tree_of_four_thousand_million_entries_needs_at_most_seven_tiles() -> None:
    size = 2**32 + 12_345_678
    needed = tiles_for(inclusion_nodes(123_456_789, size), size)
    assert len(needed) <= 2 * 4 - 1
    assert {tile.level for tile in needed} <= {0, 1, 2, 3, 4}


def test_the_empty_tree_needs_no_tile() -> None:
    assert root_from_tiles(0, lambda tile: b"").hex().startswith("e3b0c442")
    assert tiles_for([cover(0, 0)], 0) == set()


def test_proofs_out_of_range_are_refused_by_code() -> None:
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(Untrusted) as caught:
            inclusion_nodes(index, size)
        assert caught.value.code == "index_out_of_range"
    for old, new in ((0, 5), (6, 5), (-1, 5)):
        with pytest.raises(Untrusted) as caught:
            consistency_nodes(old, new)
        assert caught.value.code == "size_out_of_range"


def test_a_tile_of_another_length_stops_everything() -> None:
    with pytest.raises(InvariantBroken) as caught:
        root_from_tiles(5, lambda tile: bytes(32 * 4))
    assert caught.value.code == "tile_length_wrong"


def test_one_flipped_bit_in_any_tile_changes_the_root() -> None:
    tiles, root = read_naively(300), root_of(LEAVES[:300])
    for tile in tiles_for([cover(0, 300)], 300):
        for at in range(0, len(tiles[tile]), 31):
            data = bytearray(tiles[tile])
            data[at] ^= 0x10
            assert root_from_tiles(300, {**tiles, tile: bytes(data)}.__getitem__) != root


def test_ranges_are_covered_by_perfect_subtrees_largest_first() -> None:
    assert cover(0, 7) == (Node(2, 0), Node(1, 2), Node(0, 6))
    assert cover(8, 11) == (Node(1, 4), Node(0, 10))


def test_widths_of_a_tree_of_70000() -> None:
    assert [full_tiles(70_000, level) for level in range(3)] == [273, 1, 0]
    assert [partial_width(70_000, level) for level in range(4)] == [112, 17, 1, 0]
    assert tile_at(70_000, 0, 273) == TileId(0, 273, 112)
    assert tile_at(70_000, 0, 272) == TileId(0, 272, 256)


def test_a_tile_or_bundle_beyond_the_tree_is_not_found() -> None:
    for size, level, index in ((256, 0, 1), (255, 1, 0), (0, 0, 0), (300, 0, 2), (300, 0, -1)):
        with pytest.raises(NotFound) as caught:
            tile_at(size, level, index)
        assert caught.value.code == "tile_beyond_tree"
    assert bundle_of(299, 300) == BundleId(1, 44)
    for index in (300, -1):
        with pytest.raises(NotFound):
            bundle_of(index, 300)


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_paths_come_back_as_they_went(level: int, index: int, width: int) -> None:
    tile, bundle = TileId(level, index, width), BundleId(index, width)
    assert parse_tile_path(tile.path) == tile
    assert parse_bundle_path(bundle.path) == bundle


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000 ",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/8/0/000",
        "tile/entries/000",
    ],
)
def test_no_other_spelling_is_a_tile_path(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_tile_path(path)
    assert caught.value.code == "tile_path_invalid"


@pytest.mark.parametrize("path", ["tile/0/000", "tile/entries/x000/000", "tile/entries/000.p/256", "tile/entries/1"])
def test_no_other_spelling_is_a_bundle_path(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_bundle_path(path)
    assert caught.value.code == "tile_path_invalid"


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bundles_come_back_as_they_went(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert parse_bundle(data, len(entries)) == entries
    for broken in (data[:-1], data + b"\x00", data + b"\x00\x05ab"):
        with pytest.raises(InvalidInput) as caught:
            parse_bundle(broken, len(entries))
        assert caught.value.code == "bundle_invalid"


def test_the_longest_entry_fits_and_one_byte_more_does_not() -> None:
    assert parse_bundle(encode_bundle([bytes(65_535)]), 1) == [bytes(65_535)]
    with pytest.raises(InvalidInput) as caught:
        encode_bundle([bytes(65_536)])
    assert caught.value.code == "entry_too_long"


def test_only_a_power_of_two_of_hashes_has_one_node_above_it() -> None:
    assert tile_root(LEAVES[:256]) == root_of(LEAVES[:256])
    for count in (0, 3, 255):
        with pytest.raises(InvalidInput):
            tile_root(LEAVES[:count])
