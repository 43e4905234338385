"""What a lender asks of its portfolio, each as one statement over the book of a day (portfolio_rows.BOOK).

Rules
- Running loans are those at stage ``active``; a charged-off loan still runs, is owed, and is counted beside the others.
- A balance that the books never said, or below zero, counts as nothing; the number of such loans is told.
- Amounts are per currency and never added across: minor units of it.
- At risk is strictly more than the days named.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.store.portfolio_rows import BOOK
from ledger.types import TenantId

_OWED = "greatest(coalesce(balance, 0), 0)"


class ClassGroup(NamedTuple):
    """Running loans that a country's rules cannot tell apart: one band of days, the same facts. ``material`` says whether
    their arrears pass the floors: yes, no, unknown (an amount is missing) or unconverted (another currency)."""

    currency: str
    portfolio_type: str
    product: str
    status: str
    charged_off: bool
    defaulted: bool
    forborne: bool
    zero: bool
    band: int
    material: str
    loans: int
    balance: int
    overdue: int


_BY_CLASS = f"""
SELECT currency, portfolio_type, product, status, charged_off, defaulted, forborne, coalesce(balance = 0, false),
       width_bucket(dpd, $4::int[]) - 1,
       CASE WHEN overdue IS NULL OR balance IS NULL THEN 'unknown' WHEN currency <> $5 THEN 'unconverted'
            WHEN overdue > $6 AND overdue * 10000 > balance * $7 THEN 'yes' ELSE 'no' END,
       count(*)::int, sum({_OWED})::bigint, coalesce(sum(overdue), 0)::bigint
  FROM ({BOOK}) book WHERE stage = 'active' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""


async def class_groups(
    connection: Connection, tenant: TenantId, day: date, edges: Sequence[int], floor: tuple[str, int, int]
) -> list[ClassGroup]:
    """Running loans by band of days past due and by facts; ``edges`` are the bands' first days, ``floor`` a currency, an
    amount in its minor units and a share in basis points that arrears have to pass to be material."""
    rows = await connection.fetch(_BY_CLASS, LOG_ID, tenant, [day], list(edges), *floor)
    return [ClassGroup(*row) for row in rows]


class HeatCell(NamedTuple):
    """Running loans of one day in one bucket of days past due; -1 is charged off."""

    day: date
    currency: str
    bucket: int
    loans: int
    balance: int
    overdue: int


_HEAT = f"""
SELECT day, currency, CASE WHEN charged_off THEN -1 ELSE width_bucket(dpd, $4::int[]) END,
       count(*)::int, sum({_OWED})::bigint, coalesce(sum(overdue), 0)::bigint
  FROM ({BOOK}) book WHERE stage = 'active' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


async def heat_cells(
    connection: Connection, tenant: TenantId, days: Sequence[date], edges: Sequence[int]
) -> list[HeatCell]:
    """Running loans by day and bucket; ``edges`` are the first days of the buckets after the current one."""
    return [HeatCell(*row) for row in await connection.fetch(_HEAT, LOG_ID, tenant, list(days), list(edges))]


class Roll(NamedTuple):
    """Loans that were in bucket ``origin`` on the first day, and where they were on the second: a bucket, or a word.
    ``balance`` is that of the first day."""

    currency: str
    origin: int
    target: str
    loans: int
    balance: int


_ROLLS = f"""
SELECT currency, width_bucket(dpd, $6::int[]),
       CASE WHEN stage_then IS DISTINCT FROM 'active' THEN coalesce(stage_then, 'gone')
            WHEN charged_off_then THEN 'charged_off' ELSE width_bucket(dpd_then, $6::int[])::text END,
       count(*)::int, sum({_OWED})::bigint
  FROM (SELECT account, max(currency) AS currency,
               bool_or(stage = 'active' AND NOT charged_off) FILTER (WHERE day = $4) AS ran,
               max(dpd) FILTER (WHERE day = $4) AS dpd, max(balance) FILTER (WHERE day = $4) AS balance,
               max(stage) FILTER (WHERE day = $5) AS stage_then, max(dpd) FILTER (WHERE day = $5) AS dpd_then,
               bool_or(charged_off) FILTER (WHERE day = $5) AS charged_off_then
          FROM ({BOOK}) book GROUP BY account) pair
 WHERE ran GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
"""Grouped by account, not joined with itself: a join would be planned for the few rows that nobody has counted yet."""


async def rolls(connection: Connection, tenant: TenantId, start: date, end: date, edges: Sequence[int]) -> list[Roll]:
    """Where the running loans of ``start`` were on ``end``, by bucket and balance."""
    rows = await connection.fetch(_ROLLS, LOG_ID, tenant, sorted({start, end}), start, end, list(edges))
    return [Roll(*row) for row in rows]


class VintageCell(NamedTuple):
    """The loans opened in one month, on a later day. ``lent`` is all that was lent to them; the balances at risk are of
    running loans, ``lost`` is what loans owe that were charged off or written off."""

    currency: str
    opened: date
    day: date
    loans: int
    lent: int
    balance: int
    over_30: int
    over_90: int
    lost: int


_VINTAGES = f"""
SELECT currency, date_trunc('month', opened)::date, day, count(*)::int, sum(lent)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE runs), 0)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE runs AND dpd > 30), 0)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE runs AND dpd > 90), 0)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE charged_off OR stage IN ('written_off', 'recovered')), 0)::bigint
  FROM (SELECT *, stage = 'active' AND NOT charged_off AS runs FROM ({BOOK}) whole) book
 WHERE opened <= day GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


async def vintage_cells(connection: Connection, tenant: TenantId, days: Sequence[date]) -> list[VintageCell]:
    """Loans by the month in which they were opened, on each of ``days``."""
    return [VintageCell(*row) for row in await connection.fetch(_VINTAGES, LOG_ID, tenant, list(days))]


class AtRisk(NamedTuple):
    """A portfolio's balance, and how much of it is late. ``charged_off`` stands beside, in no other figure."""

    currency: str
    loans: int
    balance: int
    late: int
    overdue: int
    over_30: int
    over_90: int
    charged_off: int
    unknown: int


_AT_RISK = f"""
SELECT currency, count(*) FILTER (WHERE runs)::int, coalesce(sum({_OWED}) FILTER (WHERE runs), 0)::bigint,
       count(*) FILTER (WHERE runs AND dpd > 0)::int, coalesce(sum(overdue) FILTER (WHERE runs), 0)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE runs AND dpd > 30), 0)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE runs AND dpd > 90), 0)::bigint,
       coalesce(sum({_OWED}) FILTER (WHERE NOT runs), 0)::bigint,
       count(*) FILTER (WHERE balance IS NULL)::int
  FROM (SELECT *, NOT charged_off AS runs FROM ({BOOK}) whole WHERE stage = 'active') book GROUP BY 1 ORDER BY 1
"""


async def at_risk(connection: Connection, tenant: TenantId, day: date) -> list[AtRisk]:
    """The balance at risk over 30 and over 90 days, by currency."""
    return [AtRisk(*row) for row in await connection.fetch(_AT_RISK, LOG_ID, tenant, [day])]


class WorkItem(NamedTuple):
    """One late loan of the worklist."""

    account: bytes
    currency: str
    product: str
    dpd: int
    delinquent: int
    since: date
    overdue: int
    balance: int
    last_paid: date | None
    charged_off: bool
    defaulted: bool
    forborne: bool
    disputed: bool


Place = tuple[int, int, bytes]
"""Where a page of the worklist ended: days past due, amount overdue, account."""

_WORKLIST = f"""
SELECT account, currency, product, dpd, delinquent, since, coalesce(overdue, 0), {_OWED}, last_paid,
       charged_off, defaulted, forborne, disputed
  FROM ({BOOK}) book
 WHERE stage = 'active' AND dpd BETWEEN greatest($4::int, 1) AND $5
   AND (-dpd, -coalesce(overdue, 0), account) > (-$6::int, -$7::bigint, $8::bytea)
 ORDER BY -dpd, -coalesce(overdue, 0), account LIMIT $9
"""
_FIRST: Place = (2**31 - 1, 2**62, b"")


async def worklist(
    connection: Connection, tenant: TenantId, day: date, days: tuple[int, int], after: Place | None, limit: int
) -> list[WorkItem]:
    """Late loans, the latest first, then by the amount overdue; ``days`` are the fewest and the most past due."""
    rows = await connection.fetch(_WORKLIST, LOG_ID, tenant, [day], *days, *(after or _FIRST), limit)
    return [WorkItem(*row) for row in rows]
