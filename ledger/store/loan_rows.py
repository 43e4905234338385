"""Rows of the loan projection: read a group at a time, written under a version check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

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
_READ = f"""
SELECT l.tenant, l.account, l.subject, l.version, l.last_batch, l.last_position, l.state
  FROM unnest($2::text[], $3::bytea[]) AS k(tenant, account)
  JOIN loan l ON l.log_id = $1 AND l.tenant = k.tenant AND l.account = k.account
"""


async def read_loans(
    connection: Connection, keys: Sequence[tuple[TenantId, AccountRef]]
) -> dict[tuple[str, bytes], LoanRow]:
    """The loans with these keys, those that exist."""
    rows = await connection.fetch(_READ, LOG_ID, [key[0] for key in keys], [key[1] for key in keys])
    return {(row[0], row[1]): LoanRow(*row) for row in rows}


_UPDATE = """
UPDATE loan l SET version = l.version + 1, last_batch = u.last_batch, last_position = u.last_position, state = u.state
  FROM unnest($2::text[], $3::bytea[], $4::int[], $5::uuid[], $6::smallint[], $7::bytea[])
       AS u(tenant, account, version, last_batch, last_position, state)
 WHERE l.log_id = $1 AND l.tenant = u.tenant AND l.account = u.account AND l.version = u.version
"""


async def update_loans(connection: Connection, rows: Sequence[LoanRow]) -> bool:
    """Write changed loans whose ``version`` is still the one that was read; False when one of them moved on."""
    status = await connection.execute(
        _UPDATE, LOG_ID, [row.tenant for row in rows], [row.account for row in rows], [row.version for row in rows],
        [row.last_batch for row in rows], [row.last_position for row in rows], [row.state for row in rows],
    )  # fmt: skip
    return status == f"UPDATE {len(rows)}"


_INSERT = """
INSERT INTO loan (log_id, tenant, account, subject, version, last_batch, last_position, state)
SELECT $1, u.* FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::int[], $6::uuid[], $7::smallint[], $8::bytea[]) AS u
ON CONFLICT DO NOTHING
"""


async def insert_loans(connection: Connection, rows: Sequence[LoanRow]) -> bool:
    """Add loans; False when one of them appeared meanwhile."""
    status = await connection.execute(_INSERT, LOG_ID, *(list(column) for column in zip(*rows, strict=True)))
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
