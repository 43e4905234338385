"""The right edge against the naive tree, at the sizes where tiles fill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, InvariantBroken, NotFound, Untrusted
from ledger.log.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of, verify_inclusion
from ledger.log.right_edge import RightEdge, edge_of_entries
from ledger.log.tiles import TileId, inclusion_path, root_from_tiles

LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(65_538)]
EDGES = [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 1025]


def grown(size: int) -> RightEdge:
    edge = RightEdge()
    edge.append_many(LEAVES[:size])
    return edge


@pytest.mark.parametrize("size", EDGES)
def test_root_and_frontier_are_those_of_the_tree(size: int) -> None:
    edge = grown(size)
    assert edge.size == size
    assert edge.root() == root_of(LEAVES[:size])
    assert edge.frontier() == Frontier().append_many(LEAVES[:size])


@pytest.mark.parametrize("size", EDGES)
def test_full_and_partial_tiles_together_are_the_tree(size: int) -> None:
    edge = RightEdge()
    tiles = dict(edge.append_many(LEAVES[:size]))
    assert {tile.width for tile in tiles} <= {256}
    assert sorted(tile.index for tile in tiles if tile.level == 0) == list(range(size // 256))
    for level, data in edge.partial_tiles().items():
        tiles[TileId(level, size >> 8 * (level + 1), len(data) // 32)] = data
    assert root_from_tiles(size, tiles.__getitem__) == root_of(LEAVES[:size])


def test_two_levels_fill_at_once_at_65536() -> None:
    edge = grown(65_535)
    assert edge.root() == root_of(LEAVES[:65_535])
    full = edge.append(LEAVES[65_535])
    assert [(tile.level, tile.index, len(data)) for tile, data in full] == [(0, 255, 8192), (1, 0, 8192)]
    assert edge.partial_tiles() == {2: root_of(LEAVES[:65_536])}
    assert edge.root() == root_of(LEAVES[:65_536])
    assert edge.append(LEAVES[65_536]) == []
    assert edge.root() == root_of(LEAVES[:65_537])
    path = b"".join(edge.path(65_536))
    verify_inclusion(index=65_536, size=65_537, leaf=LEAVES[65_536], path=path, root=edge.root())
    again = RightEdge.rebuild(65_537, edge.partial_tiles())
    assert (again.root(), again.frontier()) == (edge.root(), edge.frontier())


@given(st.integers(0, 700), st.integers(0, 300))
def test_a_rebuilt_edge_goes_on_as_the_first_one_does(size: int, more: int) -> None:
    first = grown(size)
    second = RightEdge.rebuild(size, first.partial_tiles())
    assert second.frontier() == first.frontier()
    added = LEAVES[size : size + more]
    assert second.append_many(added) == first.append_many(added)
    assert second.partial_tiles() == first.partial_tiles()
    assert second.root() == root_of(LEAVES[: size + more])


def test_partial_tiles_of_another_size_do_not_rebuild() -> None:
    parts = grown(300).partial_tiles()
    for size, tiles in ((299, parts), (301, parts), (300, {0: parts[0]}), (300, {**parts, 2: LEAVES[0]}), (0, parts)):
        with pytest.raises(InvariantBroken) as caught:
            RightEdge.rebuild(size, tiles)
        assert caught.value.code == "right_edge_invalid"
    assert RightEdge.rebuild(0, {}).root() == EMPTY_ROOT
    assert RightEdge.rebuild(256, {0: b"", 1: root_of(LEAVES[:256])}).root() == root_of(LEAVES[:256])


def test_a_copy_that_is_dropped_leaves_nothing_behind() -> None:
    edge = grown(250)
    before = (edge.size, edge.root(), edge.partial_tiles(), edge.path(249))
    twin = edge.copy()
    twin.append_many(LEAVES[250:600])
    assert (edge.size, edge.root(), edge.partial_tiles(), edge.path(249)) == before
    assert twin.root() == root_of(LEAVES[:600])


def test_a_wrong_length_is_refused_before_anything_is_added() -> None:
    edge = grown(3)
    with pytest.raises(InvalidInput) as caught:
        edge.append(b"short")
    assert caught.value.code == "hash_length_wrong"
    assert (edge.size, edge.root()) == (3, root_of(LEAVES[:3]))


@pytest.mark.parametrize("size", [1, 2, 100, 255, 257, 300, 513, 1025])
def test_recent_entries_are_proven_without_storage(size: int) -> None:
    edge = grown(size)
    for index in range(size - size % 256, size):
        path = b"".join(edge.path(index))
        verify_inclusion(index=index, size=size, leaf=LEAVES[index], path=path, root=root_of(LEAVES[:size]))


def test_an_entry_of_a_full_tile_needs_that_tile() -> None:
    edge = RightEdge()
    closed = dict(edge.append_many(LEAVES[:300]))
    with pytest.raises(NotFound) as caught:
        edge.path(255)
    assert caught.value.code == "tile_not_on_right_edge"
    path = edge.path(255, closed)
    verify_inclusion(index=255, size=300, leaf=LEAVES[255], path=b"".join(path), root=edge.root())
    with pytest.raises(Untrusted):
        edge.path(300)


def test_the_edge_and_the_stored_tiles_give_the_same_path() -> None:
    edge = RightEdge()
    tiles = dict(edge.append_many(LEAVES[:600]))
    tiles[TileId(0, 2, 88)], tiles[TileId(1, 0, 2)] = edge.partial_tiles()[0], edge.partial_tiles()[1]
    for index in (512, 550, 599):
        assert edge.path(index) == inclusion_path(index, 600, tiles.__getitem__)


def test_the_edge_of_entries_hashes_them_as_leaves() -> None:
    assert edge_of_entries([b"a", b"b"]).root() == root_of([leaf_hash(b"a"), leaf_hash(b"b")])
