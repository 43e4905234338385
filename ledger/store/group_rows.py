"""Writes the rows of a group: loans under a version check, and attestations, in one statement.

Rules
- A loan's ``version`` is one more than was read, 1 for a new one; a loan that moved on since is not written, and its
  absence from the count says so. The upsert is driven by the index whatever the planner thinks of the table's size (a
  join to the rows would be planned from statistics that a young table does not have).
- COPY is refused under row-level security. A large group is copied to staging tables, which only this connection sees
  and which every COMMIT empties, and moved from there by a statement that obeys the policies; a small one goes as arrays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain
from typing import Any

from ledger.store.attestation_rows import AttestationColumns
from ledger.store.copy_format import attestation_stream, loan_stream
from ledger.store.database import Connection
from ledger.store.loan_rows import LoanColumns
from ledger.store.log_rows import LOG_ID

GroupColumns = tuple[Sequence[AttestationColumns], Sequence[LoanColumns]]
"""What a group writes, in pieces."""

STAGING = """
CREATE TEMPORARY TABLE staged_attestation (
    tenant text, batch_id uuid, position smallint, id uuid, kind text, subject bytea, previous_batch uuid,
    previous_position smallint, commitment bytea, path bytea, sealed bytea) ON COMMIT DELETE ROWS;
ALTER TABLE staged_attestation ALTER COLUMN path SET STORAGE PLAIN;
CREATE TEMPORARY TABLE staged_loan (
    tenant text, account bytea, subject bytea, version int, last_batch uuid, last_position smallint, state bytea)
    ON COMMIT DELETE ROWS
"""
"""Made once on a committer's connection."""

_WRITE = """
WITH attestations AS (
    INSERT INTO attestation (log_id, tenant, batch_id, position, id, kind, subject, previous_batch, previous_position,
                             commitment, path, sealed)
    SELECT $1, a.* FROM {attestations} AS a),
loans AS (
    INSERT INTO loan AS l (log_id, tenant, account, subject, version, last_batch, last_position, state)
    SELECT $1, u.* FROM {loans} AS u
    ON CONFLICT (log_id, tenant, account) DO UPDATE SET version = excluded.version, last_batch = excluded.last_batch,
           last_position = excluded.last_position, state = excluded.state
     WHERE l.version = excluded.version - 1
 RETURNING 1)
SELECT count(*) FROM loans
"""
_WRITE_STAGED = _WRITE.format(
    attestations="(SELECT * FROM pg_temp.staged_attestation)", loans="(SELECT * FROM pg_temp.staged_loan)"
)
_WRITE_ARRAYS = _WRITE.format(
    attestations="unnest($2::text[], $3::uuid[], $4::smallint[], $5::uuid[], $6::text[], $7::bytea[], $8::uuid[], "
    "$9::smallint[], $10::bytea[], $11::bytea[], $12::bytea[])",
    loans="unnest($13::text[], $14::bytea[], $15::bytea[], $16::int[], $17::uuid[], $18::smallint[], $19::bytea[])",
)


async def stage_group(
    connection: Connection, attestations: Iterable[AttestationColumns], loans: Iterable[LoanColumns]
) -> None:
    """Copy a large group to the staging tables. Its pieces are read once, so they may be made while they are."""
    await _copy(connection, "staged_loan", loan_stream(loans))
    await _copy(connection, "staged_attestation", attestation_stream(attestations))


async def _copy(connection: Connection, table: str, stream: Iterable[bytes]) -> None:
    async def pieces() -> AsyncIterator[bytes]:  # the driver stops for the socket after each
        for piece in stream:
            yield piece

    await connection.copy_to_table(table, schema_name="pg_temp", source=pieces(), format="binary")


async def write_group(connection: Connection, columns: GroupColumns | None) -> int:
    """Add attestations and write loans: these, or (None) those that were staged. Gives how many loans were written: one
    that moved on since it was read is not (then roll back)."""
    if columns is None:
        return await connection.fetchval(_WRITE_STAGED, LOG_ID)  # type: ignore[no-any-return]
    attestations, loans = columns
    arrays = (*arrays_of(attestations, AttestationColumns), *arrays_of(loans, LoanColumns))
    return await connection.fetchval(_WRITE_ARRAYS, LOG_ID, *arrays)  # type: ignore[no-any-return]


def arrays_of(
    pieces: Sequence[AttestationColumns] | Sequence[LoanColumns], kind: type[AttestationColumns] | type[LoanColumns]
) -> list[list[Any]]:
    """Pieces as the arrays that a statement takes, one a column."""
    if not pieces:
        return [[] for _ in kind._fields]
    return [list(chain.from_iterable(columns)) for columns in zip(*pieces, strict=True)]
