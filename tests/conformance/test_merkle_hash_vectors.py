"""Leaf, node and empty hashes, and the reference tree of eight leaves."""

from __future__ import annotations

import json
from typing import Any

from ledger.log.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of

VECTORS = "merkle-hashes"


def load(vectors: Any, name: str) -> Any:
    return json.loads((vectors.folder / name).read_text(encoding="utf-8"))


def test_single_hashes_are_those_of_the_reference(vectors: Any) -> None:
    for case in load(vectors, "rfc6962_hashes.json")["cases"]:
        if case["op"] == "leaf":
            got = leaf_hash(bytes.fromhex(case["leaf_hex"]))
        elif case["op"] == "node":
            got = node_hash(bytes.fromhex(case["left_hex"]), bytes.fromhex(case["right_hex"]))
        else:
            assert case["op"] == "empty_root"
            got = EMPTY_ROOT
        vectors.check(case, got.hex() == case["want"])


def test_the_reference_tree_has_these_nodes_and_roots(vectors: Any) -> None:
    tree = load(vectors, "ct_reference_tree.json")
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in tree["leaf_inputs_hex"]]
    for height, level in enumerate(tree["levels"]):
        for at, want in enumerate(level):
            got = root_of(leaves[at << height : (at + 1) << height])
            vectors.check((height, at), got.hex() == want)
    for size, want in tree["roots_by_size"].items():
        vectors.check(("root", size), root_of(leaves[: int(size)]).hex() == want)
        vectors.check(("frontier", size), Frontier().append_many(leaves[: int(size)]).root().hex() == want)
