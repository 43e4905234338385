"""The head of the log as one process holds it: the row, and the tree's right edge in memory.

Rules
- The edge is rebuilt from what is stored (full tiles' roots and the entries after them) and must give the head's root
  and frontier; else the store contradicts itself and nothing is signed.
- A commit works on a copy; the copy is kept only after COMMIT succeeded.
"""

from __future__ import annotations

import asyncio

from ledger.errors import InvariantBroken
from ledger.log.merkle import EMPTY_ROOT
from ledger.log.right_edge import RightEdge
from ledger.log.tiles import TILE_WIDTH, full_tiles, partial_width
from ledger.store.database import Connection
from ledger.store.log_rows import Head, create_head, hold_head, read_head, read_leaves, read_tile_roots
from ledger.types import UnixMillis


class HeadKeeper:
    """Shared by the committers of a process; ``turn`` is held from reading the head to the end of COMMIT."""

    def __init__(self, origin: str) -> None:
        self.turn = asyncio.Lock()
        self._origin = origin
        self._head: Head | None = None
        self._edge = RightEdge()

    @property
    def head(self) -> Head:
        """The newest committed head that this process knows. Raises InvariantBroken before the first load."""
        if self._head is None:
            raise InvariantBroken("head_not_loaded", "the head was not loaded")
        return self._head

    @property
    def edge(self) -> RightEdge:
        """The right edge of the tree at :attr:`head`; copy it before appending."""
        return self._edge

    def adopt(self, head: Head, edge: RightEdge) -> None:
        """Take over what was just committed."""
        self._head, self._edge = head, edge

    async def hold(self, connection: Connection, now: UnixMillis) -> Head:
        """The same as :meth:`load`, and nobody else moves the head until the transaction of ``connection`` ends."""
        await hold_head(connection)
        return await self.load(connection, now)

    async def load(self, connection: Connection, now: UnixMillis) -> Head:
        """Read head and edge from the store, making an empty log on the first start.

        Raises InvariantBroken ``origin_differs``, ``edge_differs``.
        """
        head = await read_head(connection)
        if head is None:
            await create_head(connection, self._origin, EMPTY_ROOT, now)
            head = await read_head(connection)
        if head is None or head.origin != self._origin:
            raise InvariantBroken(
                "origin_differs", "this database holds another ledger", expected=self._origin,
                found=None if head is None else head.origin, advice="set TALLYSTICK_ORIGIN to that ledger's origin",
            )  # fmt: skip
        self.adopt(head, await load_edge(connection, head))
        return head


async def load_edge(connection: Connection, head: Head) -> RightEdge:
    """The right edge of the tree at ``head``, rebuilt from storage and checked against the head row."""
    size, partials, level = head.size, {}, 0
    while size >> (8 * level):
        width, first = partial_width(size, level), full_tiles(size, level) * TILE_WIDTH
        if width and level == 0:
            partials[0] = b"".join(await read_leaves(connection, first, first + width))
        elif width:
            partials[level] = b"".join(await read_tile_roots(connection, level - 1, first, first + width))
        level += 1
    edge = RightEdge.rebuild(size, partials)
    if edge.root() != head.root or edge.frontier().encode() != head.frontier:
        raise InvariantBroken(
            "edge_differs", "the stored entries and tiles do not give the head's root",
            advice="do not sign; run './tallystick fsck' and restore from a backup and the witnesses' checkpoints",
        )  # fmt: skip
    return edge
