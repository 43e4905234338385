"""Rows of attestations: written a group at a time, read by batch, by chain, by subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import Subject, TenantId


class AttestationRow(NamedTuple):
    """One stored attestation. ``previous`` is the account's attestation before it, as (batch id, position)."""

    tenant: str
    batch_id: UUID
    position: int
    id: UUID
    kind: str
    subject: bytes | None
    previous_batch: UUID | None
    previous_position: int | None
    commitment: bytes
    path: bytes
    sealed: bytes


class AttestationColumns(NamedTuple):
    """Some attestations that are written together: the fields of :class:`AttestationRow`, a column each."""

    tenant: Sequence[str]
    batch_id: Sequence[UUID]
    position: Sequence[int]
    id: Sequence[UUID]
    kind: Sequence[str]
    subject: Sequence[bytes | None]
    previous_batch: Sequence[UUID | None]
    previous_position: Sequence[int | None]
    commitment: Sequence[bytes]
    path: Sequence[bytes]
    sealed: Sequence[bytes]


_COLUMNS = "tenant, batch_id, position, id, kind, subject, previous_batch, previous_position, commitment, path, sealed"
_OF_BATCH = f"""
SELECT {_COLUMNS} FROM attestation WHERE log_id = $1 AND tenant = $2 AND batch_id = $3 ORDER BY position
"""


async def attestations_of_batch(connection: Connection, tenant: TenantId, batch: UUID) -> list[AttestationRow]:
    """Every attestation of one batch, in order."""
    return [AttestationRow(*row) for row in await connection.fetch(_OF_BATCH, LOG_ID, tenant, batch)]


_BY_ID = f"SELECT {_COLUMNS} FROM attestation WHERE log_id = $1 AND tenant = $2 AND id = ANY($3::uuid[])"


async def attestations_by_id(connection: Connection, tenant: TenantId, ids: Sequence[UUID]) -> list[AttestationRow]:
    """A tenant's attestations with these ids, those that exist."""
    return [AttestationRow(*row) for row in await connection.fetch(_BY_ID, LOG_ID, tenant, list(ids))]


_AT_PLACE = """(SELECT * FROM attestation a
      WHERE (a.log_id, a.tenant, a.batch_id, a.position) >= ($1, {at})
        AND (a.log_id, a.tenant, a.batch_id, a.position) <= ($1, {at})
      ORDER BY a.log_id, a.tenant, a.batch_id, a.position LIMIT 1)"""
"""The row at one place. As a range of whole keys, the first of which is asked for, it is found through the primary key
whatever the planner believes: of a young table, which has no statistics, it believes that one row is equal to a log and a
tenant, and would read the tenant's whole table over the index (log_id, tenant, id) and sort it, for each link."""

_CHAINS = f"""
WITH RECURSIVE chain AS (
    SELECT s.line, a.* FROM unnest($2::int[], $3::text[], $4::uuid[], $5::smallint[]) AS s(line, tenant, batch_id, position)
     CROSS JOIN LATERAL {_AT_PLACE.format(at="s.tenant, s.batch_id, s.position")} a
    UNION ALL
    SELECT c.line, a.* FROM chain c
     CROSS JOIN LATERAL {_AT_PLACE.format(at="c.tenant, c.previous_batch, c.previous_position")} a
)
SELECT line, {_COLUMNS} FROM chain LIMIT $6
"""


async def chains(
    connection: Connection, starts: Sequence[tuple[TenantId, UUID, int]], limit: int
) -> list[list[AttestationRow]]:
    """The attestations of several accounts, newest first, from each account's last one backwards; ``limit`` in all."""
    found: list[list[AttestationRow]] = [[] for _ in starts]
    rows = await connection.fetch(
        _CHAINS, LOG_ID, list(range(len(starts))), [start[0] for start in starts], [start[1] for start in starts],
        [start[2] for start in starts], limit,
    )  # fmt: skip
    for line, *columns in rows:
        found[line].append(AttestationRow(*columns))
    return found


_ABOUT_SUBJECT = f"""
SELECT {_COLUMNS} FROM attestation
 WHERE log_id = $1 AND subject = $2 AND kind = $3
   AND kind IN ('access', 'consent', 'enquiry', 'score', 'statement', 'alt_data', 'insolvency', 'notice', 'identity_link')
   AND id < $4 ORDER BY id DESC LIMIT $5
"""
LAST_ID = UUID(int=2**128 - 1)


async def about_subject(
    connection: Connection, subject: Subject, kind: str, *, before: UUID = LAST_ID, limit: int
) -> list[AttestationRow]:
    """A subject's attestations of one kind that is about no account, newest first; ``before`` is exclusive."""
    rows = await connection.fetch(_ABOUT_SUBJECT, LOG_ID, subject, kind, before, limit)
    return [AttestationRow(*row) for row in rows]


_KEY_EVENTS = f"SELECT {_COLUMNS} FROM attestation WHERE log_id = $1 AND kind IN ('key', 'erasure') ORDER BY id"


async def key_events(connection: Connection) -> list[AttestationRow]:
    """What the ledger said of its own keys and erasures, oldest first."""
    return [AttestationRow(*row) for row in await connection.fetch(_KEY_EVENTS, LOG_ID)]


_COUNT_OF_SUBJECT = "SELECT count(*) FROM attestation WHERE log_id = $1 AND subject = $2"


async def count_of_subject(connection: Connection, subject: Subject) -> int:
    """How many attestations are sealed under a subject's key (reads the table through; for erasure only)."""
    return await connection.fetchval(_COUNT_OF_SUBJECT, LOG_ID, subject)  # type: ignore[no-any-return]


_OF_TENANT = f"""
SELECT e.idx, {", ".join("a." + name for name in _COLUMNS.split(", "))} FROM entry e
 CROSS JOIN LATERAL (SELECT * FROM attestation x
                      WHERE x.log_id = e.log_id AND x.tenant = e.tenant
                        AND x.batch_id = e.batch_id ORDER BY x.position OFFSET 0) a
 WHERE e.log_id = $1 AND e.tenant = $2 AND e.idx >= $3 AND (e.idx > $3 OR a.position > $4)
 ORDER BY e.idx, a.position LIMIT $5
"""


async def attestations_of_tenant(
    connection: Connection, tenant: TenantId, after: tuple[int, int], limit: int
) -> list[tuple[int, AttestationRow]]:
    """A tenant's attestations with their entries' indexes, in log order; ``after``, (index, position), is exclusive.

    LATERAL, ordered: batch by batch over the primary key, whatever is assumed of a table that has no statistics yet.
    """
    rows = await connection.fetch(_OF_TENANT, LOG_ID, tenant, *after, limit)
    return [(index, AttestationRow(*columns)) for index, *columns in rows]


_AT = f"""
SELECT {_COLUMNS} FROM attestation
 WHERE log_id = $1 AND tenant = $2 AND (batch_id, position) IN (SELECT * FROM unnest($3::uuid[], $4::smallint[]))
"""


async def attestations_at(
    connection: Connection, tenant: TenantId, places: Sequence[tuple[UUID, int]]
) -> list[AttestationRow]:
    """A tenant's attestations at these places, (batch id, position); in no order."""
    rows = await connection.fetch(_AT, LOG_ID, tenant, [batch for batch, _ in places], [at for _, at in places])
    return [AttestationRow(*row) for row in rows]
