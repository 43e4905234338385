"""Rows of a lender's portfolio: what changed since they were made, writing them, and the book on any day.

Rules
- ``portfolio_loan`` holds a loan from its newest event on: how late it is on a later day follows from two arrays of days
  (``width_bucket`` finds the place), so that one row answers for every day to come.
- ``portfolio_day`` holds it on an earlier day that somebody asked for.
- The book of a day is the first for loans that have not moved since, and the second for the others. A day of which a
  moved loan has no row yet is listed by :func:`missing_days`; the caller makes the rows before it counts.
- Nothing here is truth: both tables can be emptied at any time.
- Joins are LATERAL and by key, and each key has one index, whatever the planner believes: nobody may have analysed
  tables that were just filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ledger.store.attestation_rows import _COLUMNS as _ATTESTATION
from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import TenantId


class PortfolioLoan(NamedTuple):
    """A loan from its newest event on. ``step_*`` belong together place by place, as do ``pause_*``."""

    account: bytes
    subject: bytes
    version: int
    last_batch: UUID
    last_position: int
    newest: date
    stage: str
    status: str
    currency: str
    product: str
    portfolio_type: str
    opened: date | None
    last_paid: date | None
    lent: int
    balance: int | None
    grace_days: int
    counted_until: date | None
    charged_off: bool
    defaulted: bool
    forborne: bool
    disputed: bool
    step_from: list[date]
    step_since: list[date | None]
    step_overdue: list[int | None]
    pause_from: list[date]
    pause_until: list[date]


class PortfolioDay(NamedTuple):
    """A loan on a day before its newest event; the stage is empty where it was not there yet."""

    account: bytes
    day: date
    subject: bytes
    stage: str
    status: str
    balance: int | None
    since: date | None
    overdue: int | None
    dpd: int
    delinquent: int
    charged_off: bool
    defaulted: bool
    forborne: bool
    disputed: bool


class MovedLoan(NamedTuple):
    """A loan whose row is out of date. ``seen_*`` is the attestation that the old row ends with, if there is one."""

    account: bytes
    version: int
    last_batch: UUID
    last_position: int
    state: bytes
    seen_batch: UUID | None
    seen_position: int | None


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('portfolio ' || $1, 0))"


async def begin_portfolio(connection: Connection, tenant: TenantId) -> None:
    """Let another transaction for the same tenant's portfolio wait until this one ends."""
    await connection.execute(_LOCK, tenant)


_ANY_MOVED = """
SELECT (SELECT (count(*), sum(version)) FROM loan WHERE log_id = $1 AND tenant = $2)
       IS DISTINCT FROM (SELECT (count(*), sum(version)) FROM portfolio_loan WHERE log_id = $1 AND tenant = $2)
"""


async def any_moved(connection: Connection, tenant: TenantId) -> bool:
    """Whether a row is out of date or missing. Versions only grow, so that equal counts and sums are equal rows."""
    return await connection.fetchval(_ANY_MOVED, LOG_ID, tenant)  # type: ignore[no-any-return]


_MOVED = """
SELECT l.account, l.version, l.last_batch, l.last_position, l.state, p.last_batch, p.last_position
  FROM loan l
  LEFT JOIN LATERAL (SELECT * FROM portfolio_loan p WHERE p.log_id = l.log_id AND p.tenant = l.tenant
                        AND p.account = l.account OFFSET 0) p ON true
 WHERE l.log_id = $1 AND l.tenant = $2 AND l.account > $3 AND p.version IS DISTINCT FROM l.version
 ORDER BY l.account LIMIT $4
"""


async def moved_loans(connection: Connection, tenant: TenantId, after: bytes, limit: int) -> list[MovedLoan]:
    """A tenant's loans whose rows are out of date or missing, in the order of their references."""
    return [MovedLoan(*row) for row in await connection.fetch(_MOVED, LOG_ID, tenant, after, limit)]


_NEWER = f"""
WITH RECURSIVE chain AS (
    SELECT s.line, s.stop_batch, s.stop_position, a.*
      FROM unnest($2::int[], $3::text[], $4::uuid[], $5::smallint[], $6::uuid[], $7::smallint[])
           AS s(line, tenant, batch_id, position, stop_batch, stop_position)
     CROSS JOIN LATERAL (SELECT * FROM attestation a WHERE a.log_id = $1 AND a.tenant = s.tenant
                            AND a.batch_id = s.batch_id AND a.position >= s.position ORDER BY a.position LIMIT 1) a
    UNION ALL
    SELECT c.line, c.stop_batch, c.stop_position, a.* FROM chain c
     CROSS JOIN LATERAL (SELECT * FROM attestation a
                          WHERE a.log_id = $1 AND a.tenant = c.tenant AND a.batch_id = c.previous_batch
                            AND a.position >= c.previous_position ORDER BY a.position LIMIT 1) a
     WHERE (c.previous_batch, c.previous_position) IS DISTINCT FROM (c.stop_batch, c.stop_position)
)
SELECT line, {_ATTESTATION} FROM chain
"""
"""A place exists once it is named, so that the first row from it on is its own; asked for in order, it can only be found
through the primary key, which of two indexes that begin alike is otherwise the planner's guess."""

Stretch = tuple[UUID, int, UUID | None, int | None]
"""(last batch, last position, batch and position of the attestation to stop before; None: the chain's beginning)."""


async def newer_attestations(
    connection: Connection, tenant: TenantId, stretches: Sequence[Stretch]
) -> list[list[AttestationRow]]:
    """The attestations of several accounts since a known one, newest first."""
    found: list[list[AttestationRow]] = [[] for _ in stretches]
    columns = [list(column) for column in zip(*stretches, strict=True)] or [[], [], [], []]
    lines = list(range(len(stretches)))
    for line, *row in await connection.fetch(_NEWER, LOG_ID, lines, [tenant] * len(lines), *columns):
        found[line].append(AttestationRow(*row))
    return found


_LOAN_COLUMNS = ", ".join(PortfolioLoan._fields)
_UPSERT = f"""
INSERT INTO portfolio_loan (log_id, tenant, {_LOAN_COLUMNS})
VALUES ({", ".join(f"${n}" for n in range(1, len(PortfolioLoan._fields) + 3))})
ON CONFLICT (log_id, tenant, account) DO UPDATE
   SET ({_LOAN_COLUMNS}) = ({", ".join("EXCLUDED." + name for name in PortfolioLoan._fields)})
"""


async def write_loans(connection: Connection, tenant: TenantId, rows: Sequence[PortfolioLoan]) -> None:
    """Write rows, in place of older ones."""
    await connection.executemany(_UPSERT, [(LOG_ID, tenant, *row) for row in rows])


_FORGET = """
DELETE FROM portfolio_day d USING unnest($3::bytea[], $4::date[]) AS k(account, earliest)
 WHERE d.log_id = $1 AND d.tenant = $2 AND d.account = k.account AND d.day >= k.earliest
"""


async def forget_days(connection: Connection, tenant: TenantId, accounts: Sequence[tuple[bytes, date]]) -> None:
    """Forget what was known of accounts on their day and on later ones: an event of that day arrived."""
    await connection.execute(_FORGET, LOG_ID, tenant, [each[0] for each in accounts], [each[1] for each in accounts])


_READ = f"SELECT {_LOAN_COLUMNS} FROM portfolio_loan WHERE log_id = $1 AND tenant = $2 AND account = ANY ($3::bytea[])"


async def read_loans(connection: Connection, tenant: TenantId, accounts: Sequence[bytes]) -> dict[bytes, PortfolioLoan]:
    """The rows of these accounts as they are, those that exist."""
    rows = await connection.fetch(_READ, LOG_ID, tenant, list(accounts))
    return {row[0]: PortfolioLoan(*row) for row in rows}


_DAY_COLUMNS = ", ".join(PortfolioDay._fields)
_INSERT_DAYS = f"""
INSERT INTO portfolio_day (log_id, tenant, {_DAY_COLUMNS})
VALUES ({", ".join(f"${n}" for n in range(1, len(PortfolioDay._fields) + 3))}) ON CONFLICT DO NOTHING
"""


async def write_days(connection: Connection, tenant: TenantId, rows: Sequence[PortfolioDay]) -> None:
    """Add rows of past days."""
    await connection.executemany(_INSERT_DAYS, [(LOG_ID, tenant, *row) for row in rows])


_SHORT_DAYS = """
WITH kept AS MATERIALIZED (SELECT day, count(*) AS loans FROM portfolio_day
                            WHERE log_id = $1 AND tenant = $2 AND day = ANY ($3::date[]) GROUP BY day)
SELECT k.day FROM unnest($3::date[]) AS k(day)
 WHERE (SELECT count(*) FROM portfolio_loan p WHERE p.log_id = $1 AND p.tenant = $2 AND p.newest > k.day)
    <> coalesce((SELECT loans FROM kept WHERE kept.day = k.day), 0)
"""


async def short_days(connection: Connection, tenant: TenantId, days: Sequence[date]) -> list[date]:
    """Those of ``days`` on which some loan that moved since has no row."""
    return [row[0] for row in await connection.fetch(_SHORT_DAYS, LOG_ID, tenant, list(days))]


_MISSING = """
SELECT p.account, p.last_batch, p.last_position, array_agg(k.day ORDER BY k.day)
  FROM portfolio_loan p, unnest($3::date[]) AS k(day)
 WHERE p.log_id = $1 AND p.tenant = $2 AND p.account > $4 AND p.newest > k.day
   AND NOT EXISTS (SELECT FROM portfolio_day d WHERE d.log_id = $1 AND d.tenant = $2 AND d.account = p.account
                      AND d.day = k.day OFFSET 0)
 GROUP BY p.account, p.last_batch, p.last_position ORDER BY p.account LIMIT $5
"""


async def missing_days(
    connection: Connection, tenant: TenantId, days: Sequence[date], after: bytes, limit: int
) -> list[tuple[bytes, UUID, int, list[date]]]:
    """(account, its last batch and position, days) of loans that moved since some of ``days`` and have no row there, in
    the order of their references."""
    rows = await connection.fetch(_MISSING, LOG_ID, tenant, list(days), after, limit)
    return [(row[0], row[1], row[2], list(row[3])) for row in rows]


_PAUSED = """
(SELECT coalesce(sum(greatest(least(u, b.until) - greatest(f, b.since), 0)), 0)::int
   FROM unnest(p.pause_from, p.pause_until) AS w(f, u))
"""
BOOK = f"""
SELECT k.day, p.account, p.currency, p.product, p.portfolio_type, p.opened, p.last_paid, p.lent,
       p.stage, p.status, p.balance, b.since, b.overdue, b.dpd,
       greatest(b.dpd - p.grace_days - {_PAUSED}, 0) AS delinquent,
       p.charged_off, p.defaulted, p.forborne, p.disputed
  FROM unnest($3::date[]) AS k(day)
 CROSS JOIN LATERAL (SELECT * FROM portfolio_loan p WHERE p.log_id = $1 AND p.tenant = $2 AND p.newest <= k.day OFFSET 0) p
 CROSS JOIN LATERAL (SELECT width_bucket(k.day, p.step_from) AS step, least(k.day, p.counted_until) AS until) s
 CROSS JOIN LATERAL (SELECT p.step_since[s.step] AS since, p.step_overdue[s.step] AS overdue, s.until,
                            coalesce(greatest(s.until - p.step_since[s.step], 0), 0) AS dpd) b
UNION ALL
SELECT d.day, p.account, p.currency, p.product, p.portfolio_type, p.opened, p.last_paid, p.lent,
       d.stage, d.status, d.balance, d.since, d.overdue, d.dpd, d.delinquent,
       d.charged_off, d.defaulted, d.forborne, d.disputed
  FROM unnest($3::date[]) AS k(day)
 CROSS JOIN LATERAL (SELECT * FROM portfolio_loan p WHERE p.log_id = $1 AND p.tenant = $2 AND p.newest > k.day OFFSET 0) p
 CROSS JOIN LATERAL (SELECT * FROM portfolio_day d WHERE d.log_id = $1 AND d.tenant = $2 AND d.account = p.account
                        AND d.day = k.day AND d.stage <> '' OFFSET 0) d
"""
"""Every loan of tenant $2 on each of the days $3, whatever its stage: what the queries of portfolio_queries.py count."""
