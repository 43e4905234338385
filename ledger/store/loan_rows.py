"""Rows of the loan projection: read a group at a time, written under a version check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from ledger.limits import COPY_ATTESTATIONS_MIN
from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import AccountRef, Subject, TenantId


class LoanRow(NamedTuple):
    """One loan. ``version`` counts its changes; ``last_*`` is where its chain of attestations begins."""

    tenant: str
    account: bytes
    subject: bytes
    version: int
    last_batch: UUID
    last_position: int
    state: bytes


_COLUMNS = "tenant, account, subject, version, last_batch, last_position, state"
_READ = """
SELECT k.n, l.version, l.last_batch, l.last_position, l.state
  FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k(tenant, account, n)
 CROSS JOIN LATERAL (SELECT * FROM loan l WHERE l.log_id = $1 AND l.tenant = k.tenant AND l.account = k.account OFFSET 0) l
"""


async def read_loans(
    connection: Connection, keys: Sequence[tuple[TenantId, AccountRef]]
) -> list[tuple[tuple[TenantId, AccountRef], int, UUID, int, bytes]]:
    """(key, version, last batch, last position, state) of the loans with these keys, those that exist."""
    rows = await connection.fetch(_READ, LOG_ID, [key[0] for key in keys], [key[1] for key in keys])
    return [(keys[n - 1], version, batch, position, state) for n, version, batch, position, state in rows]


_ONE = f"SELECT {_COLUMNS} FROM loan WHERE log_id = $1 AND tenant = $2 AND account = $3"


async def read_loan(connection: Connection, tenant: TenantId, account: AccountRef) -> LoanRow | None:
    """One loan of a tenant."""
    row = await connection.fetchrow(_ONE, LOG_ID, tenant, account)
    return None if row is None else LoanRow(*row)


_PUT = """
INSERT INTO loan AS l (log_id, tenant, account, subject, version, last_batch, last_position, state)
SELECT $1, u.* FROM {source} AS u
ON CONFLICT (log_id, tenant, account) DO UPDATE SET version = excluded.version, last_batch = excluded.last_batch,
       last_position = excluded.last_position, state = excluded.state
 WHERE l.version = excluded.version - 1
"""
_PUT_ARRAYS = _PUT.format(
    source="unnest($2::text[], $3::bytea[], $4::bytea[], $5::int[], $6::uuid[], $7::smallint[], $8::bytea[])"
)
_PUT_STAGED = _PUT.format(source="(SELECT * FROM pg_temp.staged_loan)")


async def put_loans(connection: Connection, rows: Sequence[LoanRow]) -> bool:
    """Write loans that are new or changed; ``version`` is one more than was read, 1 for a new one.

    False when one of them moved on since it was read. One statement that the index drives whatever the planner thinks
    of the table's size (a join to the arrays would be planned from statistics that a young table does not have).
    """
    if len(rows) < COPY_ATTESTATIONS_MIN:
        status = await connection.execute(_PUT_ARRAYS, LOG_ID, *(list(column) for column in zip(*rows, strict=True)))
    else:
        await connection.copy_records_to_table("staged_loan", schema_name="pg_temp", records=rows)
        status = await connection.execute(_PUT_STAGED, LOG_ID)
    return status == f"INSERT 0 {len(rows)}"


_OF_SUBJECT = f"SELECT {_COLUMNS} FROM loan WHERE log_id = $1 AND subject = $2 ORDER BY tenant, account LIMIT $3"


async def loans_of_subject(connection: Connection, subject: Subject, limit: int) -> list[LoanRow]:
    """Every loan of a borrower that this transaction may see."""
    return [LoanRow(*row) for row in await connection.fetch(_OF_SUBJECT, LOG_ID, subject, limit)]


_OF_TENANT = f"""
SELECT {_COLUMNS} FROM loan WHERE log_id = $1 AND tenant = $2 AND account > $3 ORDER BY account LIMIT $4
"""


async def loans_of_tenant(connection: Connection, tenant: TenantId, after: bytes, limit: int) -> list[LoanRow]:
    """A tenant's loans in the order of their references; ``after`` is exclusive."""
    return [LoanRow(*row) for row in await connection.fetch(_OF_TENANT, LOG_ID, tenant, after, limit)]


_ALL = f"SELECT {_COLUMNS} FROM loan WHERE log_id = $1 AND (tenant, account) > ($2, $3) ORDER BY tenant, account LIMIT $4"


async def all_loans(connection: Connection, after: tuple[str, bytes], limit: int) -> list[LoanRow]:
    """Loans of every tenant, for the auditor; ``after`` is an exclusive (tenant, account)."""
    return [LoanRow(*row) for row in await connection.fetch(_ALL, LOG_ID, *after, limit)]


_ERASE = "DELETE FROM loan WHERE log_id = $1 AND subject = $2"


async def erase_loans(connection: Connection, subject: Subject) -> None:
    """Delete a subject's projection rows at every lender."""
    await connection.execute(_ERASE, LOG_ID, subject)
