"""A small group in one statement, which is its own transaction: one round trip and one flush.

At a batch of one, round trips are most of the time. The statement does in one go what the ordinary commit does in five,
with the same checks: the head is swapped only from what we think it is, loans are written only over the version that
was read, tenants are set for this transaction alone.

Order: every part reads from ``moved``, which reads from ``acting``; PostgreSQL can produce no row of an INSERT, and so
check no policy, before the setting was made. When the head moved, ``moved`` is empty and nothing happens at all; when a
loan moved, ``require`` raises and everything is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from ledger.store.attestation_rows import AttestationRow
from ledger.store.group_rows import columns_of
from ledger.store.loan_rows import LoanRow
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


def _parameters(suffix: str, opening: str, closing: str) -> dict[str, str]:
    """Each source as ``opening $10::bigint, ... closing``: parameters are numbered through, from 10 on."""
    sources, number = {}, 10
    for name, types in _TYPES.items():
        places = [f"${number + at}::{kind}{suffix}" for at, kind in enumerate(types.split())]
        sources[name] = opening + ", ".join(places) + closing
        number += len(places)
    return sources


_COMMIT_MANY: Final = _COMMIT.format(**_parameters("[]", "unnest(", ")"))
_COMMIT_ONE: Final = _COMMIT.format(**_parameters("", "(VALUES (", "))"))
"""One attestation on one loan, the commonest small group: values instead of arrays save a seventh of the statement."""


_ENTRY_COLUMNS: Final = ("idx", "tenant", "batch_id", "leaf_hash", "statement", "root", "count", "stored_digest")


class LoanMoved(Exception):
    """A loan is not at the version that was read; nothing was written."""


async def commit_small(
    connection: Any,
    tenants: Sequence[TenantId],
    before: Head,
    after: Head,
    entries: Sequence[EntryRow],
    loans: Sequence[LoanRow],
    attestations: Sequence[AttestationRow],
) -> bool:
    """Commit a whole group; False when the head moved and nothing was written. Raises LoanMoved.

    Any other exception leaves the outcome unknown, as that of a COMMIT.
    """
    rows = [tuple(getattr(entry, name) for name in _ENTRY_COLUMNS) for entry in entries]
    one = len(entries) == len(loans) == len(attestations) == 1
    values = (
        (*rows[0], *loans[0], *attestations[0]) if one
        else (
            *columns_of(rows, len(_ENTRY_COLUMNS)), *columns_of(loans, len(LoanRow._fields)),
            *columns_of(attestations, len(AttestationRow._fields)),
        )
    )  # fmt: skip
    try:
        done = await connection.fetchval(
            _COMMIT_ONE if one else _COMMIT_MANY, ",".join(tenants), LOG_ID, before.size, after.size, after.root,
            after.frontier, after.committed_at, before.root, before.epoch, *values, len(loans),
        )  # fmt: skip
    except asyncpg.PostgresError as error:
        if error.sqlstate == "TS001":
            raise LoanMoved from None
        raise
    return bool(done)
