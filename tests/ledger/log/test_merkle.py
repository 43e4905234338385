"""The Merkle tree against the recursive definition of RFC 6962, and against forged proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput, Untrusted
from ledger.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    node_hash,
    paths_of,
    root_from_path,
    root_of,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)

LEAVES = [leaf_hash(b"leaf %d" % n) for n in range(1100)]


def split(size: int) -> int:
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def inclusion(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*inclusion(m, leaves[:k]), mth(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), mth(leaves[:k])]


def subtree_proof(start: int, end: int, leaves: list[bytes], known: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2, for a subtree that need not begin at 0."""
    size = len(leaves)
    if start == 0 and end == size:
        return [] if known else [mth(leaves)]
    k = split(size)
    if end <= k:
        return [*subtree_proof(start, end, leaves[:k], known), mth(leaves[k:])]
    if start >= k:
        return [*subtree_proof(start - k, end - k, leaves[k:], known), mth(leaves[:k])]
    return [*subtree_proof(0, end - k, leaves[k:], False), mth(leaves[:k])]


def subtrees(size: int) -> Iterator[tuple[int, int]]:
    for start in range(size):
        for end in range(start + 1, size + 1):
            if start % (1 << (end - start - 1).bit_length()) == 0:
                yield start, end


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == Frontier().root() == EMPTY_ROOT
    assert paths_of([]) == (EMPTY_ROOT, [])


def test_leaves_and_nodes_are_told_apart_by_their_prefix() -> None:
    assert leaf_hash(b"ab") == hashlib.sha256(b"\x00ab").digest()
    assert node_hash(LEAVES[0], LEAVES[1]) == hashlib.sha256(b"\x01" + LEAVES[0] + LEAVES[1]).digest()
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


def test_an_odd_leaf_is_promoted_and_never_duplicated() -> None:
    a, b, c = LEAVES[:3]
    assert root_of([a, b, c]) == node_hash(node_hash(a, b), c)
    assert root_of([a, b, c]) != root_of([a, b, c, c])


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025])
def test_root_and_every_path_of_a_batch_are_those_of_the_definition(size: int) -> None:
    leaves = LEAVES[:size]
    root, paths = paths_of(leaves)
    assert root == mth(leaves) == root_of(leaves) == Frontier().append_many(leaves).root()
    for index in range(0, size, 1 if size < 70 else 37):
        assert paths[index] == b"".join(inclusion(index, leaves))
        verify_inclusion(index=index, size=size, leaf=leaves[index], path=paths[index], root=root)


def test_all_paths_of_a_full_batch_verify() -> None:
    leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(4096)]
    root, paths = paths_of(leaves)
    assert {len(path) for path in paths} == {12 * 32}
    for index in range(0, 4096, 61):
        assert root_from_path(index=index, size=4096, leaf=leaves[index], path=paths[index]) == root


def test_a_leaf_hash_of_another_length_is_refused() -> None:
    for build in (root_of, paths_of):
        with pytest.raises(InvalidInput) as caught:
            build([LEAVES[0], b"short"])
        assert (caught.value.code, caught.value.path) == ("hash_length_wrong", "$[1]")


def mutations(path: bytes) -> Iterator[bytes]:
    hashes = [path[at : at + 32] for at in range(0, len(path), 32)]
    yield path + LEAVES[0]
    yield LEAVES[0] + path
    yield path + b"\x00"
    for at in range(len(hashes)):
        yield b"".join(hashes[:at] + hashes[at + 1 :])
        yield b"".join([*hashes[:at], bytes([hashes[at][0] ^ 1]) + hashes[at][1:], *hashes[at + 1 :]])
        yield b"".join([*hashes[:at], hashes[at], hashes[at], *hashes[at + 1 :]])
        if at:
            yield b"".join([*hashes[: at - 1], hashes[at], hashes[at - 1], *hashes[at + 1 :]])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 64, 100])
def test_no_changed_inclusion_proof_is_accepted(size: int) -> None:
    leaves = LEAVES[:size]
    root, paths = paths_of(leaves)
    tried = 0
    for index in range(size):
        leaf, path = leaves[index], paths[index]
        wrong = [(index, size, leaf, changed, root) for changed in mutations(path)]
        wrong += [(other, size, leaf, path, root) for other in range(-1, size + 2) if other != index]
        # Other sizes may share the very shape of a path; the root binds the size only through what is signed with it.
        wrong += [(index, index, leaf, path, root), (index, 0, leaf, path, root), (index, -1, leaf, path, root)]
        wrong += [(index, size, leaf_hash(b"other"), path, root), (index, size, leaf[:-1], path, root)]
        wrong += [
            (index, size, leaf, path, LEAVES[-1]),
            (index, size, leaf, path, root[:-1]),
            (index, size, b"", path, b""),
        ]
        for i, n, forged_leaf, forged_path, forged_root in wrong:
            tried += 1
            with pytest.raises(Untrusted):
                verify_inclusion(index=i, size=n, leaf=forged_leaf, path=forged_path, root=forged_root)
    assert tried > 10 * size


def test_a_node_is_not_accepted_as_a_leaf() -> None:
    leaves = LEAVES[:4]
    root, paths = paths_of(leaves)
    inner = node_hash(leaves[0], leaves[1])
    with pytest.raises(Untrusted) as caught:
        verify_inclusion(index=0, size=4, leaf=inner, path=paths[0][32:], root=root)
    assert caught.value.code == "path_length_wrong"


def test_every_fault_of_an_inclusion_proof_has_its_code() -> None:
    root, paths = paths_of(LEAVES[:5])
    good = {"index": 1, "size": 5, "leaf": LEAVES[1], "path": paths[1], "root": root}
    faults: list[tuple[str, dict[str, object]]] = [
        ("index_out_of_range", {"index": 5}),
        ("hash_length_wrong", {"leaf": b""}),
        ("hash_length_wrong", {"root": root[:-1]}),
        ("path_length_wrong", {"path": paths[1][:-1]}),
        ("path_length_wrong", {"path": paths[1][:-32]}),
        ("root_mismatch", {"root": LEAVES[0]}),
    ]
    for code, change in faults:
        with pytest.raises(Untrusted) as caught:
            verify_inclusion(**{**good, **change})  # type: ignore[arg-type]
        assert caught.value.code == code


def test_all_pairs_of_sizes_are_consistent_and_no_other_root_is() -> None:
    roots = [mth(list(LEAVES[:size])) for size in range(66)]
    for new in range(1, 66):
        for old in range(1, new + 1):
            path = b"".join(subtree_proof(0, old, list(LEAVES[:new])))
            good = {"old_size": old, "new_size": new, "old_root": roots[old], "new_root": roots[new], "path": path}
            verify_consistency(**good)  # type: ignore[arg-type]
            for change in (
                {"old_root": LEAVES[0] if old > 1 else LEAVES[1]},
                {"new_root": LEAVES[70]},
                {"path": path + LEAVES[0]},
            ):
                with pytest.raises(Untrusted):
                    verify_consistency(**{**good, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 7), (6, 8), (8, 9), (21, 64), (32, 33), (33, 100)])
def test_no_changed_consistency_proof_is_accepted(old: int, new: int) -> None:
    leaves = list(LEAVES[:new])
    old_root, new_root = mth(leaves[:old]), mth(leaves)
    path = b"".join(subtree_proof(0, old, leaves))
    verify_consistency(old_size=old, new_size=new, old_root=old_root, new_root=new_root, path=path)
    for changed in [*mutations(path), b""]:
        with pytest.raises(Untrusted):
            verify_consistency(old_size=old, new_size=new, old_root=old_root, new_root=new_root, path=changed)
    for wrong in (0, -1, new + 1, old + 1 if old + 1 < new else 0):
        with pytest.raises(Untrusted):
            verify_consistency(old_size=wrong, new_size=new, old_root=old_root, new_root=new_root, path=path)
    with pytest.raises(Untrusted):
        verify_consistency(old_size=old, new_size=new, old_root=new_root, new_root=old_root, path=path)


def test_a_fork_at_one_size_is_refused_and_equality_needs_an_empty_path() -> None:
    verify_consistency(old_size=3, new_size=3, old_root=LEAVES[0], new_root=LEAVES[0], path=b"")
    for old_root, path in ((LEAVES[1], b""), (LEAVES[0], LEAVES[2])):
        with pytest.raises(Untrusted):
            verify_consistency(old_size=3, new_size=3, old_root=old_root, new_root=LEAVES[0], path=path)


def test_every_subtree_of_every_small_tree_is_consistent_with_it() -> None:
    for size in range(1, 34):
        leaves = list(LEAVES[:size])
        for start, end in subtrees(size):
            path = b"".join(subtree_proof(start, end, leaves))
            good = {"start": start, "end": end, "size": size, "root": mth(leaves), "path": path}
            verify_subtree_consistency(**good, subtree_root=mth(leaves[start:end]))  # type: ignore[arg-type]
            with pytest.raises(Untrusted):
                verify_subtree_consistency(**good, subtree_root=LEAVES[99])  # type: ignore[arg-type]


def test_bounds_that_no_subtree_has_are_refused_whatever_the_path() -> None:
    for start, end in ((1, 3), (2, 5), (3, 3), (4, 3), (6, 9)):
        with pytest.raises(Untrusted) as caught:
            verify_subtree_consistency(
                start=start, end=end, size=10, subtree_root=LEAVES[0], root=LEAVES[0], path=LEAVES[0] * 4
            )
        assert caught.value.code == "subtree_invalid", (start, end)


def test_a_leaf_is_proven_inside_its_subtree_and_not_outside() -> None:
    leaves = list(LEAVES[8:13])
    path = b"".join(inclusion(2, leaves))
    verify_subtree_inclusion(index=10, start=8, end=13, leaf=LEAVES[10], path=path, root=mth(leaves))
    for index, start, end in ((2, 8, 13), (10, 7, 12), (13, 8, 13), (10, 8, 8)):
        with pytest.raises(Untrusted):
            verify_subtree_inclusion(index=index, start=start, end=end, leaf=LEAVES[10], path=path, root=mth(leaves))


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_goes_on_where_it_stopped(first: int, more: int) -> None:
    half = Frontier().append_many(LEAVES[:first])
    restored = Frontier.decode(half.size, half.encode())
    assert restored == half
    whole = restored.append_many(LEAVES[first : first + more])
    assert whole == Frontier().append_many(LEAVES[: first + more])
    assert whole.root() == mth(list(LEAVES[: first + more]))
    assert half.size == first  # appending left it as it was


def test_a_frontier_has_one_hash_for_each_bit_of_its_size() -> None:
    assert len(Frontier().append_many(LEAVES[:7]).hashes) == 3
    for size, data in ((7, LEAVES[0] * 2), (8, LEAVES[0] * 2), (0, LEAVES[0]), (1, LEAVES[0][:-1]), (-1, b"")):
        with pytest.raises(InvalidInput) as caught:
            Frontier.decode(size, data)
        assert caught.value.code == "frontier_invalid"
    for leaves in ([b"short"], [b"short", LEAVES[0]]):
        with pytest.raises(InvalidInput) as caught:
            Frontier().append_many(leaves)
        assert caught.value.code == "hash_length_wrong"
