"""What a group of batches adds to the log: its entries, and the head and the edge of the tree with them.

    growth = grown(head, edge, group, now)            nothing is changed: the edge is a copy
    growth.answers()                                  each batch's place and its path, for after the COMMIT

A head is worked out here and signed elsewhere, once it is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ledger.log.checkpoint import Checkpoint
from ledger.log.right_edge import FullTile, RightEdge
from ledger.log.tiles import split_hashes
from ledger.node.pending import Committed, Pending
from ledger.store.log_rows import EntryRow, Head
from ledger.types import EntryIndex, TenantId, UnixMillis


class Moved(Exception):
    """Somebody else committed between our read and our write."""


class Growth(NamedTuple):
    """The head before and after, the edge after, the group's entries, and the tiles that they fill."""

    before: Head
    after: Head
    edge: RightEdge
    entries: list[EntryRow]
    full: list[FullTile]

    def with_epoch(self, epoch: int) -> Growth:
        """The same under another epoch: keys or salts changed with this group."""
        after = self.after
        return self._replace(
            after=Head(after.origin, after.size, after.root, after.frontier, epoch, after.committed_at)
        )

    def answers(self) -> list[Committed]:
        """Each entry with its path in the tree after, and that tree's checkpoint to be signed once it is committed."""
        after = self.after
        text = Checkpoint(after.origin, after.size, after.root).encode()
        if len(self.entries) == 1:
            # The path of a tree's last entry is all that was there before it, nearest subtree first.
            return [Committed(self.entries[0], after, tuple(split_hashes(self.before.frontier)[::-1]), text)]
        closed = dict(self.full)
        return [Committed(entry, after, tuple(self.edge.path(entry.idx, closed)), text) for entry in self.entries]


def grown(before: Head, edge: RightEdge, group: Sequence[Pending], now: UnixMillis) -> Growth:
    """Append a group to a copy of ``edge``. Raises Moved when it was prepared for another epoch or another place."""
    for at, pending in enumerate(group):
        if pending.epoch != before.epoch or pending.idx not in (None, before.size + at):
            raise Moved
    edge, now = edge.copy(), UnixMillis(max(now, before.committed_at + 1))
    entries = [_entry(pending, EntryIndex(before.size + at), now) for at, pending in enumerate(group)]
    full = edge.append_many(entry.leaf_hash for entry in entries)
    after = Head(before.origin, edge.size, edge.root(), edge.frontier().encode(), before.epoch, now)
    return Growth(before, after, edge, entries, full)


def _entry(pending: Pending, idx: EntryIndex, now: UnixMillis) -> EntryRow:
    statement = pending.batch.statement
    return EntryRow(
        idx, TenantId(statement.tenant), statement.batch, pending.batch.leaf, pending.batch.token, statement.root,
        statement.count, pending.stored_digest, now,
    )  # fmt: skip
