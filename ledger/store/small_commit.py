"""A small group in one statement, which is its own transaction: one round trip and one flush.

At a batch of one, round trips are most of the time. The statement does in one go what the ordinary commit does in five,
with the same checks: the head is swapped only from what we think it is, loans are written only over the version that
was read, tenants are set for this transaction alone.

- One attestation on one loan, the commonest small group, is a call of the database's function ``commit_one`` (its
  migration says why).
- Anything else up to the bound is one statement of several parts. Order: every part reads from ``moved``, which reads
  from ``acting``; PostgreSQL can produce no row of an INSERT, and so check no policy, before the setting was made. When
  the head moved, ``moved`` is empty and nothing happens at all; when a loan moved, ``require`` raises and everything is
  undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import asyncpg

from ledger.store.attestation_rows import AttestationColumns
from ledger.store.group_rows import GroupColumns, arrays_of
from ledger.store.loan_rows import LoanColumns
from ledger.store.log_rows import LOG_ID, EntryRow, Head
from ledger.types import TenantId

_COMMIT: Final = """
WITH acting AS MATERIALIZED (SELECT set_config('app.tenants', $1, true)),
moved AS (
    UPDATE head SET size = $4, root = $5, frontier = $6, committed_at = $7 FROM acting
     WHERE log_id = $2 AND size = $3 AND root = $8 AND epoch = $9
 RETURNING size),
entries AS (
    INSERT INTO entry (log_id, committed_at, idx, tenant, batch_id, leaf_hash, statement, root, count, stored_digest)
    SELECT $2, $7, e.* FROM moved, {entries} AS e
 RETURNING 1),
loans AS (
    INSERT INTO loan AS l (log_id, tenant, account, subject, version, last_batch, last_position, state)
    SELECT $2, u.* FROM moved, {loans} AS u
    ON CONFLICT (log_id, tenant, account) DO UPDATE SET version = excluded.version, last_batch = excluded.last_batch,
           last_position = excluded.last_position, state = excluded.state
     WHERE l.version = excluded.version - 1
 RETURNING 1),
attestations AS (
    INSERT INTO attestation (log_id, tenant, batch_id, position, id, kind, subject, previous_batch, previous_position,
                             commitment, path, sealed)
    SELECT $2, u.* FROM moved, {attestations} AS u
 RETURNING 1)
SELECT require((SELECT count(*) FROM loans) = $36, 'loan_moved')
   AND (SELECT count(*) FROM entries) > 0 AND (SELECT count(*) FROM attestations) > 0
  FROM moved
"""

_TYPES: Final = {
    "entries": "bigint text uuid bytea bytea bytea smallint bytea",
    "loans": "text bytea bytea int uuid smallint bytea",
    "attestations": "text uuid smallint uuid text bytea uuid smallint bytea bytea bytea",
}


def _sources() -> dict[str, str]:
    """Each source as ``unnest($10::bigint[], ...)``: parameters are numbered through, from 10 on."""
    sources, number = {}, 10
    for name, types in _TYPES.items():
        places = [f"${number + at}::{kind}[]" for at, kind in enumerate(types.split())]
        sources[name] = f"unnest({', '.join(places)})"
        number += len(places)
    return sources


_COMMIT_MANY: Final = _COMMIT.format(**_sources())
_COMMIT_ONE: Final = f"SELECT commit_one({', '.join(f'${number}' for number in range(1, 36))})"


_values_of_entry: Final = attrgetter(
    "idx", "tenant", "batch_id", "leaf_hash", "statement", "root", "count", "stored_digest"
)  # fmt: skip


class LoanMoved(Exception):
    """A loan is not at the version that was read; nothing was written."""


async def commit_small(
    connection: Any,
    tenants: Sequence[TenantId],
    before: Head,
    after: Head,
    entries: Sequence[EntryRow],
    columns: GroupColumns,
) -> bool:
    """Commit a whole group; False when the head moved and nothing was written. Raises LoanMoved.

    Any other exception leaves the outcome unknown, as that of a COMMIT.
    """
    rows = zip(*map(_values_of_entry, entries), strict=True)
    attestations, loans = columns
    written = arrays_of(loans, LoanColumns)
    return await _commit(
        connection, _COMMIT_MANY, *_heads(tenants, before, after), *rows, *written,
        *arrays_of(attestations, AttestationColumns), len(written[0]),
    )  # fmt: skip


async def commit_one(
    connection: Any, tenants: Sequence[TenantId], before: Head, after: Head, entry: EntryRow,
    attestation: Sequence[Any], loan: Sequence[Any],
) -> bool:  # fmt: skip
    """The same for one attestation on one loan, given as the values of their columns."""
    heads = _heads(tenants, before, after)
    return await _commit(connection, _COMMIT_ONE, *heads, *_values_of_entry(entry), *loan, *attestation)


def _heads(tenants: Sequence[TenantId], before: Head, after: Head) -> tuple[Any, ...]:
    return (
        ",".join(tenants), LOG_ID, before.size, after.size, after.root, after.frontier, after.committed_at, before.root,
        before.epoch,
    )  # fmt: skip


async def _commit(connection: Any, statement: str, *values: Any) -> bool:
    try:
        return bool(await connection.fetchval(statement, *values))
    except asyncpg.PostgresError as error:
        if error.sqlstate == "TS001":
            raise LoanMoved from None
        raise
