"""Rows of the log: the head, the entries, full tiles, checkpoints. Statement above function, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from ledger.log.right_edge import FullTile
from ledger.log.tiles import tile_root
from ledger.store.database import Connection
from ledger.types import EntryIndex, TenantId, UnixMillis

LOG_ID = 1
"""The log of this deployment. Every key begins with it, so that a database can hold more than one."""


class Head(NamedTuple):
    """The head row. ``epoch`` is what processes' caches are valid for."""

    origin: str
    size: int
    root: bytes
    frontier: bytes
    epoch: int
    committed_at: int


class EntryRow(msgspec.Struct, frozen=True):
    """One log entry with what the store knows of its batch."""

    idx: EntryIndex
    tenant: TenantId
    batch_id: UUID
    leaf_hash: bytes
    statement: bytes
    root: bytes
    count: int
    stored_digest: bytes
    committed_at: UnixMillis


_READ_HEAD = "SELECT origin, size, root, frontier, epoch, committed_at FROM head WHERE log_id = $1"


async def read_head(connection: Connection) -> Head | None:
    """The head, or None before the log was made."""
    row = await connection.fetchrow(_READ_HEAD, LOG_ID)
    return None if row is None else Head(**row)


_CREATE_HEAD = """
INSERT INTO head (log_id, origin, size, root, frontier, committed_at) VALUES ($1, $2, 0, $3, '', $4)
ON CONFLICT DO NOTHING
"""


async def create_head(connection: Connection, origin: str, empty_root: bytes, now: UnixMillis) -> None:
    """Make an empty log, unless there is one."""
    await connection.execute(_CREATE_HEAD, LOG_ID, origin, empty_root, now)


_BUMP_EPOCH = "UPDATE head SET epoch = epoch + $2 WHERE log_id = $1"


async def bump_epoch(connection: Connection, by: int) -> None:
    """Void every process's caches of keys and salts, from the next commit on; ``by`` one for each batch that does."""
    await connection.execute(_BUMP_EPOCH, LOG_ID, by)


_HOLD_HEAD = "SELECT 1 FROM head WHERE log_id = $1 FOR UPDATE"


async def hold_head(connection: Connection) -> None:
    """Nobody else moves the head until this transaction ends."""
    await connection.execute(_HOLD_HEAD, LOG_ID)


_ADVANCE = """
WITH moved AS (
    UPDATE head SET size = $3, root = $4, frontier = $5, committed_at = $6
     WHERE log_id = $1 AND size = $2 AND root = $7 AND epoch = $8
 RETURNING size)
INSERT INTO entry (log_id, idx, tenant, batch_id, leaf_hash, statement, root, count, stored_digest, committed_at)
SELECT $1, e.idx, e.tenant, e.batch_id, e.leaf_hash, e.statement, e.root, e.count, e.stored_digest, $6
  FROM moved, unnest($9::bigint[], $10::text[], $11::uuid[], $12::bytea[], $13::bytea[], $14::bytea[], $15::smallint[],
                     $16::bytea[]) AS e(idx, tenant, batch_id, leaf_hash, statement, root, count, stored_digest)
"""


async def advance(connection: Connection, before: Head, after: Head, entries: Sequence[EntryRow]) -> bool:
    """Move the head from ``before`` to ``after`` and add the entries; False when somebody else moved it first.

    One statement, the last lock of a commit: the compare-and-swap on the head row is the sequencer.
    """
    status = await connection.execute(
        _ADVANCE, LOG_ID, before.size, after.size, after.root, after.frontier, after.committed_at, before.root,
        before.epoch,
        [entry.idx for entry in entries], [entry.tenant for entry in entries], [entry.batch_id for entry in entries],
        [entry.leaf_hash for entry in entries], [entry.statement for entry in entries],
        [entry.root for entry in entries], [entry.count for entry in entries],
        [entry.stored_digest for entry in entries],
    )  # fmt: skip
    return bool(status == f"INSERT 0 {len(entries)}")


_INSERT_TILE = "INSERT INTO tile (log_id, level, n, hashes, root) VALUES ($1, $2, $3, $4, $5)"


async def insert_tiles(connection: Connection, tiles: Sequence[FullTile]) -> None:
    """Write tiles that became full; they never change again."""
    for tile, hashes in tiles:
        root = tile_root([hashes[at : at + 32] for at in range(0, len(hashes), 32)])
        await connection.execute(_INSERT_TILE, LOG_ID, tile.level, tile.index, hashes, root)


_READ_TILE = "SELECT hashes FROM tile WHERE log_id = $1 AND level = $2 AND n = $3"


async def read_tile(connection: Connection, level: int, n: int) -> bytes | None:
    """The 256 hashes of a full tile."""
    return await connection.fetchval(_READ_TILE, LOG_ID, level, n)  # type: ignore[no-any-return]


_TILE_ROOTS = "SELECT root FROM tile WHERE log_id = $1 AND level = $2 AND n >= $3 AND n < $4 ORDER BY n"


async def read_tile_roots(connection: Connection, level: int, first: int, end: int) -> list[bytes]:
    """Roots of full tiles ``first`` to before ``end`` of a level: the hashes of the level above."""
    rows = await connection.fetch(_TILE_ROOTS, LOG_ID, level, first, end)
    return [row["root"] for row in rows]


_LEAVES = "SELECT leaf_hash FROM entry WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"


async def read_leaves(connection: Connection, first: int, end: int) -> list[bytes]:
    """Leaf hashes of entries ``first`` to before ``end``."""
    return [row["leaf_hash"] for row in await connection.fetch(_LEAVES, LOG_ID, first, end)]


_COLUMNS = "idx, tenant, batch_id, leaf_hash, statement, root, count, stored_digest, committed_at"
_ENTRIES = f"SELECT {_COLUMNS} FROM entry WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx"


async def read_entries(connection: Connection, first: int, end: int) -> list[EntryRow]:
    """Entries ``first`` to before ``end``, in order."""
    return [EntryRow(**row) for row in await connection.fetch(_ENTRIES, LOG_ID, first, end)]


_BY_BATCHES = f"""
SELECT e.* FROM unnest($2::text[], $3::uuid[]) AS k(tenant, batch_id) CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM entry WHERE log_id = $1 AND tenant = k.tenant AND batch_id = k.batch_id OFFSET 0) e
"""


async def entries_by_batch(
    connection: Connection, tenants: Sequence[TenantId], batches: Sequence[UUID]
) -> dict[tuple[TenantId, UUID], EntryRow]:
    """Entries of these (tenant, batch id) pairs, those that exist."""
    rows = await connection.fetch(_BY_BATCHES, LOG_ID, list(tenants), list(batches))
    return {(row["tenant"], row["batch_id"]): EntryRow(**row) for row in rows}


_INSERT_CHECKPOINT = """
INSERT INTO checkpoint (log_id, size, root, note, signed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""


async def insert_checkpoint(connection: Connection, size: int, root: bytes, note: bytes, now: UnixMillis) -> None:
    """Keep a signed checkpoint; one that is there already stays."""
    await connection.execute(_INSERT_CHECKPOINT, LOG_ID, size, root, note, now)


_LAST_CHECKPOINT = "SELECT note FROM checkpoint WHERE log_id = $1 ORDER BY size DESC LIMIT 1"


async def last_checkpoint(connection: Connection) -> bytes | None:
    """The newest checkpoint that was published."""
    return await connection.fetchval(_LAST_CHECKPOINT, LOG_ID)  # type: ignore[no-any-return]


_ACKNOWLEDGE = "SELECT pg_logical_emit_message(true, 'tallystick.ack', '')"


async def acknowledge(connection: Connection) -> None:
    """An empty durable commit: after it, whatever was committed before is as safe as a new commit (ADR 0003)."""
    await connection.execute(_ACKNOWLEDGE)
