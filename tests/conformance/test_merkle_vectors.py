"""RFC 6962 / 9162 proofs of transparency-dev/merkle: each is refused exactly when its vector says so."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from ledger.errors import Untrusted
from ledger.log.merkle import (
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)

VECTORS = "merkle"
Case = dict[str, Any]


def data(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def path(case: Case) -> bytes:
    return b"".join(data(digest) for digest in case["proof"] or [])


def hashes_are_whole(case: Case) -> bool:
    """A run of bytes cannot show two wrong lengths that add up, so the vectors' lists are looked at one by one."""
    return all(len(data(digest)) == 32 for digest in case["proof"] or [])


def inclusion(case: Case) -> None:
    verify_inclusion(
        index=case["leafIdx"],
        size=case["treeSize"],
        leaf=data(case["leafHash"]),
        path=path(case),
        root=data(case["root"]),
    )


def consistency(case: Case) -> None:
    verify_consistency(
        old_size=case["size1"],
        new_size=case["size2"],
        old_root=data(case["root1"]),
        new_root=data(case["root2"]),
        path=path(case),
    )


def subtree_inclusion(case: Case) -> None:
    verify_subtree_inclusion(
        index=case["leafIdx"],
        start=case["start"],
        end=case["end"],
        leaf=data(case["leafHash"]),
        path=path(case),
        root=data(case["root"]),
    )


def subtree_consistency(case: Case) -> None:
    verify_subtree_consistency(
        start=case["start"],
        end=case["end"],
        size=case["size"],
        subtree_root=data(case["root1"]),
        root=data(case["root2"]),
        path=path(case),
    )


@pytest.mark.parametrize(
    ("folder", "verify"),
    [
        ("inclusion", inclusion),
        ("consistency", consistency),
        ("subtreeinclusion", subtree_inclusion),
        ("subtreeconsistency", subtree_consistency),
    ],
)
def test_every_proof_is_accepted_or_refused_as_its_vector_says(
    vectors: Any, folder: str, verify: Callable[[Case], None]
) -> None:
    files = sorted((vectors.folder / folder).rglob("*.json"))
    assert files
    for file in files:
        case = json.loads(file.read_text(encoding="utf-8"))
        try:
            verify(case)
            refused = not hashes_are_whole(case)
        except Untrusted:
            refused = True
        vectors.check(file, refused == case["wantErr"])
