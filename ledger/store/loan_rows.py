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


class LoanColumns(NamedTuple):
    """Some loans that are written together: the fields of :class:`LoanRow`, a column each."""

    tenant: Sequence[str]
    account: Sequence[bytes]
    subject: Sequence[bytes]
    version: Sequence[int]
    last_batch: Sequence[UUID]
    last_position: Sequence[int]
    state: Sequence[bytes]


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


_ALL = (
    f"SELECT {_COLUMNS} FROM loan WHERE log_id = $1 AND (tenant, account) > ($2, $3) ORDER BY tenant, account LIMIT $4"
)


async def all_loans(connection: Connection, after: tuple[str, bytes], limit: int) -> list[LoanRow]:
    """Loans of every tenant, for the auditor; ``after`` is an exclusive (tenant, account)."""
    return [LoanRow(*row) for row in await connection.fetch(_ALL, LOG_ID, *after, limit)]


_ERASE = """
WITH days AS (DELETE FROM portfolio_day WHERE log_id = $1 AND subject = $2),
     loans AS (DELETE FROM portfolio_loan WHERE log_id = $1 AND subject = $2)
DELETE FROM loan WHERE log_id = $1 AND subject = $2
"""


async def erase_loans(connection: Connection, subject: Subject) -> None:
    """Delete a subject's projection rows at every lender, those of their portfolios too."""
    await connection.execute(_ERASE, LOG_ID, subject)
