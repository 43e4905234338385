"""A lender's portfolio on any day: by class, by days past due, how it rolls, by vintage, at risk, and whom to call.

    book = Portfolio(node.database, node.sealer)
    await book.at_risk(tenant, as_of=date(2026, 6, 30))

Rules
- One transaction answers one question: it brings the rows up to date (portfolio_refresh.py) and counts them in SQL.
- Any day may be asked for: past (folded again where a loan has moved since, and kept), today, or to come (the present
  plan with nothing more paid).
- Only the tenant's own rows are counted; the database enforces it.
- A class is never stored: loans are counted by the bands and facts that a country's list tells apart, and each group gets
  its code from the pack.
- Ratios are integers in basis points, rounded half to even; a share of nothing is None.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from ledger.errors import InvalidInput, NotFound
from ledger.jurisdiction.classification import Code, Undecided, code_in
from ledger.jurisdiction.packs import Pack
from ledger.jurisdiction.periods import months_after
from ledger.jurisdiction.standing import Standing
from ledger.node.portfolio_refresh import Refresh
from ledger.node.sealer import Sealer
from ledger.store import portfolio_queries as queries
from ledger.store.database import Connection, Database
from ledger.types import TenantId
from ledger.view.credit_view import Line, category_of
from ledger.view.standing import LenderKind

BUCKET_EDGES: Final = (1, 30, 60, 90, 120, 150, 180)
"""First days of the buckets after the current one."""

BUCKETS: Final = ("0", "1-29", "30-59", "60-89", "90-119", "120-149", "150-179", "180+")
CHARGED_OFF: Final = "charged_off"
MONTHS_MAX: Final = 36
"""Month ends of one question: three years, the life of most loans in a vintage."""

AT_ONCE: Final = 2
"""Questions that a process works on at once: each holds a connection of the pool and may need a second for keys."""


@dataclass(frozen=True)
class ClassBalance:
    """Running loans of one class. ``code`` is None where the list is about other loans or lacks a figure (``label``
    then says which)."""

    currency: str
    code: str | None
    label: str
    loans: int
    balance: int
    overdue: int


@dataclass(frozen=True)
class HeatRow:
    """Running loans of a day in one bucket of days past due."""

    day: date
    currency: str
    bucket: str
    loans: int
    balance: int
    overdue: int


@dataclass(frozen=True)
class RollCell:
    """How much of a bucket's balance went where. ``share_bp`` is of the origin's balance."""

    currency: str
    origin: str
    target: str
    loans: int
    balance: int
    share_bp: int | None


@dataclass(frozen=True)
class Vintage:
    """The loans opened in a month, ``age`` months later. Shares are of all that was lent to them."""

    currency: str
    opened: date
    day: date
    age: int
    loans: int
    lent: int
    balance: int
    over_30_bp: int | None
    over_90_bp: int | None
    lost_bp: int | None


@dataclass(frozen=True)
class Risk:
    """A portfolio's balance at risk; see queries.AtRisk. Shares are of the balance."""

    figures: queries.AtRisk
    par_30_bp: int | None
    par_90_bp: int | None


class Portfolio:
    """A lender's questions. Each raises Unavailable where the database does not answer."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def _book(self, tenant: TenantId, days: Sequence[date]) -> AsyncIterator[Connection]:
        async with self._turns, self._database.writing(tenants=(tenant,)) as connection:
            await Refresh(self._sealer, connection, tenant).run(days)
            yield connection

    async def refresh(self, tenant: TenantId, days: Sequence[date] = ()) -> int:
        """Bring the rows up to date ahead of a question; gives how many loans had moved."""
        async with self._turns, self._database.writing(tenants=(tenant,)) as connection:
            return await Refresh(self._sealer, connection, tenant).run(days)

    async def by_class(
        self, tenant: TenantId, pack: Pack, scheme: str | None = None, *, as_of: date, lender: LenderKind = "bank",
        retail: bool = True,
    ) -> list[ClassBalance]:  # fmt: skip
        """Running loans by the classes of one list; absent: the pack's first. Raises NotFound ``pack_list_unknown``."""
        name = scheme or next(iter(pack.document.classification))
        if name not in pack.document.classification:
            raise NotFound("pack_list_unknown", "the pack has no such list", path="$.scheme", found=name)
        edges = [band.from_days for band in pack.document.classification[name].bands]
        async with self._book(tenant, [as_of]) as connection:
            groups = await queries.class_groups(connection, tenant, as_of, edges, _floor(pack, retail))
        found: dict[tuple[str, str | None, str], list[int]] = {}
        for group in groups:
            standing = _standing(group, edges, as_of, lender, retail)
            code, label = _named(code_in(pack, name, standing))
            sums = found.setdefault((group.currency, code, label), [0, 0, 0])
            for at, figure in enumerate((group.loans, group.balance, group.overdue)):
                sums[at] += figure
        order = [band.code for band in pack.document.classification[name].bands]
        rows = [ClassBalance(*key, *sums) for key, sums in found.items()]
        return sorted(rows, key=lambda row: (row.currency, _rank(order, row.code), row.code or "", row.label))

    async def heat_map(self, tenant: TenantId, *, as_of: date, months: int = 12) -> list[HeatRow]:
        """Running loans by bucket of days past due, at the ``months`` month ends before ``as_of`` and on it."""
        days = question_days(as_of, months)
        async with self._book(tenant, days) as connection:
            cells = await queries.heat_cells(connection, tenant, days, BUCKET_EDGES)
        return [
            HeatRow(
                c.day, c.currency, CHARGED_OFF if c.bucket < 0 else BUCKETS[c.bucket], c.loans, c.balance, c.overdue
            )
            for c in cells
        ]

    async def roll_rates(self, tenant: TenantId, *, start: date, end: date) -> list[RollCell]:
        """From which bucket to which the balance of ``start`` had gone on ``end``. Raises InvalidInput
        ``days_reversed``.
        """
        if start >= end:
            raise InvalidInput("days_reversed", "the second day comes after the first", path="$.end")
        async with self._book(tenant, [start, end]) as connection:
            found = await queries.rolls(connection, tenant, start, end, BUCKET_EDGES)
        whole: dict[tuple[str, int], int] = {}
        for roll in found:
            whole[roll.currency, roll.origin] = whole.get((roll.currency, roll.origin), 0) + roll.balance
        return [
            RollCell(
                roll.currency, BUCKETS[roll.origin], BUCKETS[int(roll.target)] if roll.target.isdigit() else roll.target,
                roll.loans, roll.balance, share_bp(roll.balance, whole[roll.currency, roll.origin]),
            )
            for roll in found
        ]  # fmt: skip

    async def vintages(self, tenant: TenantId, *, as_of: date, months: int = 12) -> list[Vintage]:
        """Loans by the month of their opening, at the ``months`` month ends before ``as_of`` and on it."""
        days = question_days(as_of, months)
        async with self._book(tenant, days) as connection:
            cells = await queries.vintage_cells(connection, tenant, days)
        return [
            Vintage(
                cell.currency, cell.opened, cell.day, _months_between(cell.opened, cell.day), cell.loans, cell.lent,
                cell.balance, share_bp(cell.over_30, cell.lent), share_bp(cell.over_90, cell.lent),
                share_bp(cell.lost, cell.lent),
            )
            for cell in cells
        ]  # fmt: skip

    async def at_risk(self, tenant: TenantId, *, as_of: date) -> list[Risk]:
        """The balance, and how much of it is more than 30 and 90 days past due, by currency."""
        async with self._book(tenant, [as_of]) as connection:
            rows = await queries.at_risk(connection, tenant, as_of)
        return [Risk(row, share_bp(row.over_30, row.balance), share_bp(row.over_90, row.balance)) for row in rows]

    async def worklist(
        self, tenant: TenantId, *, as_of: date, limit: int, days: tuple[int, int] = (1, 36_500),
        after: queries.Place | None = None,
    ) -> list[queries.WorkItem]:  # fmt: skip
        """Late loans, the latest first, then by the amount overdue; ``after`` is exclusive."""
        async with self._book(tenant, [as_of]) as connection:
            return await queries.worklist(connection, tenant, as_of, days, after, limit)


def question_days(as_of: date, months: int) -> list[date]:
    """The last days of the ``months`` months before that of ``as_of``, and ``as_of``. Raises InvalidInput
    ``out_of_range``.
    """
    if not 0 <= months <= MONTHS_MAX:
        raise InvalidInput("out_of_range", "too many months", path="$.months", expected=f"0 to {MONTHS_MAX}",
                           found=months)  # fmt: skip
    first = as_of.replace(day=1)
    ends = [months_after(first, -back) - timedelta(days=1) for back in range(months)]
    return [*reversed(ends), as_of]


def share_bp(part: int, whole: int) -> int | None:
    """``part`` of ``whole`` in basis points, half to even; None of nothing.

    >>> share_bp(1, 3), share_bp(1, 0)
    (3333, None)
    """
    if whole <= 0:
        return None
    quotient, rest = divmod(part * 10_000, whole)
    return quotient + (2 * rest > whole or (2 * rest == whole and quotient % 2 == 1))


def _floor(pack: Pack, retail: bool) -> tuple[str, int, int]:
    rules = pack.document.default
    if rules is None:
        return pack.document.pack.currency, 0, 0
    floor = rules.absolute_retail if retail else rules.absolute_other
    return floor.currency, floor.value, rules.relative.value


def _standing(group: queries.ClassGroup, edges: Sequence[int], day: date, lender: LenderKind, retail: bool) -> Standing:
    """A loan of the group: its band's first day stands for every day of the band."""
    line = Line(account=b"", as_of=day, lender="", product=group.product, portfolio_type=group.portfolio_type)
    dpd = edges[group.band]
    counted = {"yes": dpd, "no": 0}.get(group.material)
    unconverted = group.material == "unconverted" and not group.zero
    return Standing(
        as_of=day, dpd=dpd, material_days=counted, amount_past_due=1 if unconverted else None,
        exposure=0 if group.zero else 1 if unconverted else None, currency=group.currency,
        portfolio="card" if category_of(line) == "CARD" else "general", lender=lender, retail=retail,
        status=group.status or None, defaulted=group.defaulted, forborne=group.forborne, charged_off=group.charged_off,
    )  # fmt: skip


def _named(found: Code | Undecided | None) -> tuple[str | None, str]:
    if isinstance(found, Code):
        return found.code, found.label
    return None, "not_applicable" if found is None else found.code


def _rank(order: Sequence[str], code: str | None) -> int:
    return order.index(code) if code in order else len(order)


def _months_between(opened: date, day: date) -> int:
    return (day.year - opened.year) * 12 + day.month - opened.month
