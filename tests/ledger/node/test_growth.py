"""What a group adds to the log: proofs that hold in the tree after, whatever the size before, and nobody else's place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from ledger.log.checkpoint import Checkpoint
from ledger.log.merkle import EMPTY_ROOT, leaf_hash, verify_inclusion
from ledger.log.right_edge import RightEdge
from ledger.node.growth import Growth, Moved, grown
from ledger.node.pending import Pending
from ledger.store.log_rows import Head
from ledger.types import UnixMillis

ORIGIN = "growth.example/ledger"


def waiting(number: int, **fields: Any) -> Pending:
    """A batch that waits, as far as the log looks at it."""
    token = b"statement %d" % number
    statement = SimpleNamespace(tenant="acacia", batch=UUID(int=number), root=bytes(32), count=1)
    batch = SimpleNamespace(statement=statement, leaf=leaf_hash(token), token=token)
    whole = {"batch": batch, "stored_digest": bytes(32), "epoch": 3, "idx": None} | fields
    return cast("Pending", SimpleNamespace(**whole))


def log_of(size: int) -> tuple[Head, RightEdge]:
    """A log of ``size`` entries."""
    edge = RightEdge()
    edge.append_many(leaf_hash(b"entry %d" % number) for number in range(size))
    return Head(ORIGIN, size, edge.root() if size else EMPTY_ROOT, edge.frontier().encode(), 3, 1_000), edge


def ensure_proven(growth: Growth) -> None:
    """Every answer's path leads from its entry to the root after."""
    for answer in growth.answers():
        leaf, path = answer.entry.leaf_hash, b"".join(answer.path or ())
        verify_inclusion(
            index=answer.entry.idx, size=growth.after.size, leaf=leaf, path=path, root=growth.after.root
        )  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 254, 255, 256, 257, 300, 511, 512, 65_535])
def test_each_new_entry_is_proven_in_the_tree_after_it(size: int) -> None:
    head, edge = log_of(size)
    for count in (1, 2, 5):
        growth = grown(head, edge, [waiting(number) for number in range(count)], UnixMillis(2_000))
        ensure_proven(growth)
        assert (growth.after.size, edge.size) == (size + count, size)


def test_the_only_entry_of_a_group_has_the_path_that_the_tiles_give() -> None:
    head, edge = log_of(301)
    growth = grown(head, edge, [waiting(0)], UnixMillis(2_000))
    assert growth.answers()[0].path == tuple(growth.edge.path(301))


def test_what_will_be_signed_names_the_head_after() -> None:
    growth = grown(*log_of(5), [waiting(0), waiting(1)], UnixMillis(2_000))
    said = {Checkpoint.parse(answer.text) for answer in growth.answers()}
    assert said == {Checkpoint(ORIGIN, 7, growth.after.root)}


def test_time_never_goes_back() -> None:
    growth = grown(*log_of(1), [waiting(0)], UnixMillis(500))
    assert growth.after.committed_at == growth.entries[0].committed_at == 1_001


@pytest.mark.parametrize("fields", [{"epoch": 2}, {"idx": 5}, {"idx": 7}])
def test_a_batch_for_another_epoch_or_another_place_moves_nothing(fields: dict[str, Any]) -> None:
    head, edge = log_of(5)
    with pytest.raises(Moved):
        grown(head, edge, [waiting(0), waiting(1, **fields)], UnixMillis(2_000))
    assert edge.size == 5


def test_a_batch_may_be_bound_to_the_place_that_it_gets() -> None:
    growth = grown(*log_of(5), [waiting(0), waiting(1, idx=6)], UnixMillis(2_000))
    assert [entry.idx for entry in growth.entries] == [5, 6]
