"""Keeps a lender's portfolio rows up to date: lazily, from loans whose version moved, in the transaction that asks.

    async with database.writing(tenants=(tenant,)) as connection:
        await Refresh(sealer, connection, tenant).run([day, ...])
        ... count ...

Rules
- Publishing pays nothing: what moved is found by comparing versions when somebody asks.
- A loan's row holds from its newest event on. A day before that is folded again from its attestations, once, and kept
  until an event of that day or an earlier one arrives.
- When a loan moves on, its row is first kept as of the month ends that it still stood for: a lender that looks once a
  month never has a chain folded again.
- How late a loan is follows from ``arrears`` and ``owed`` alone, asked on each day on which the answer can change.
- What an erased co-borrower said cannot be read any more; the days that depend on it are folded without.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from ledger.attestation.envelope import parse
from ledger.jurisdiction.periods import months_after
from ledger.loan.arrears import arrears, last_counted_day
from ledger.loan.course import states_on, turns
from ledger.loan.state import LoanState, decode_state, owed
from ledger.loan.supersession import Told
from ledger.node.sealer import Sealer
from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Connection
from ledger.store.portfolio_rows import (
    MovedLoan,
    PortfolioDay,
    PortfolioLoan,
    Stretch,
    any_moved,
    begin_portfolio,
    forget_days,
    missing_days,
    moved_loans,
    newer_attestations,
    read_loans,
    short_days,
    write_days,
    write_loans,
)
from ledger.types import TenantId

LOANS_A_PAGE: Final = 256
"""Loans whose attestations are in memory together: a few thousand of one to two kilobytes."""

_DAY: Final = timedelta(days=1)


class Refresh:
    """One bringing up to date, inside the caller's transaction."""

    def __init__(self, sealer: Sealer, connection: Connection, tenant: TenantId) -> None:
        self._sealer = sealer
        self._connection = connection
        self._tenant = tenant

    async def run(self, days: Sequence[date]) -> int:
        """Make every row that the book of ``days`` needs; gives how many loans had moved."""
        await begin_portfolio(self._connection, self._tenant)
        moved = await self._moved()
        await self._fill(days)
        return moved

    async def _moved(self) -> int:
        if not await any_moved(self._connection, self._tenant):
            return 0
        after, done = b"", 0
        while page := await moved_loans(self._connection, self._tenant, after, LOANS_A_PAGE):
            after, done = page[-1].account, done + len(page)
            await self._keep_month_ends([loan for loan in page if loan.seen_batch is not None])
            await write_loans(self._connection, self._tenant, [_row(loan) for loan in page])
        return done

    async def _keep_month_ends(self, known: Sequence[MovedLoan]) -> None:
        """What the old rows still say of the past is kept; what the new events reach back to is forgotten."""
        if not known:
            return
        stretches = [(loan.last_batch, loan.last_position, loan.seen_batch, loan.seen_position) for loan in known]
        found = await newer_attestations(self._connection, self._tenant, stretches)
        told = await self._opened(found)
        earliest = {
            loan.account: _earliest(each, len(rows)) for loan, each, rows in zip(known, told, found, strict=True)
        }
        await forget_days(self._connection, self._tenant, list(earliest.items()))
        old = await read_loans(self._connection, self._tenant, list(earliest))
        ends = {account: month_ends(row.newest, earliest[account]) for account, row in old.items()}
        await write_days(
            self._connection, self._tenant, [day_of(old[account], day) for account in old for day in ends[account]]
        )

    async def _fill(self, days: Sequence[date]) -> None:
        wanted, after = await short_days(self._connection, self._tenant, sorted(set(days))), b""
        while wanted and (page := await missing_days(self._connection, self._tenant, wanted, after, LOANS_A_PAGE)):
            after = page[-1][0]
            stretches: list[Stretch] = [(batch, position, None, None) for _, batch, position, _ in page]
            found = await newer_attestations(self._connection, self._tenant, stretches)
            rows = []
            for (account, _, _, absent), told in zip(page, await self._opened(found), strict=True):
                rows += past_rows(account, absent, told)
                await asyncio.sleep(0)
            await write_days(self._connection, self._tenant, rows)

    async def _opened(self, chains: Sequence[Sequence[AttestationRow]]) -> list[list[Told]]:
        """The attestations of chains, given newest first, in log order: those that can still be read. Their log indexes
        are left out."""
        opened = iter(await self._sealer.open([row for chain in chains for row in reversed(chain)]))
        return [[Told(0, parse(data)) for _ in chain if (data := next(opened)) is not None] for chain in chains]


def month_ends(first: date, until: date) -> list[date]:
    """The last days of months from ``first`` on, before ``until``."""
    found, month = [], first.replace(day=1)
    while (last := months_after(month, 1) - _DAY) < until:
        if last >= first:
            found.append(last)
        month = months_after(month, 1)
    return found


def _earliest(told: Sequence[Told], stored: int) -> date:
    """The first day that attestations are about; one of the ``stored`` that cannot be read may be about any."""
    days = [each.attestation.envelope.effective_date for each in told]
    return min(days) if len(days) == stored and days else date.min


def _row(loan: MovedLoan) -> PortfolioLoan:
    return loan_row(
        loan.account, decode_state(loan.state), version=loan.version, last_batch=loan.last_batch,
        last_position=loan.last_position,
    )  # fmt: skip


def loan_row(account: bytes, state: LoanState, *, version: int, last_batch: UUID, last_position: int) -> PortfolioLoan:
    """The row of a loan: what its state says of every day from its newest event on."""
    newest = date.fromordinal(max(state.moved, 1))
    steps, stop = steps_of(state, newest), last_counted_day(state, date.max)
    pauses = merged(state.pauses)
    return PortfolioLoan(
        account=account, subject=state.subject, version=version, last_batch=last_batch, last_position=last_position,
        newest=newest, stage=state.stage, status=state.status, currency=state.currency, product=state.product,
        portfolio_type=state.portfolio_type, opened=state.opened, last_paid=state.last_paid,
        lent=state.disbursed or state.principal, balance=owed(state), grace_days=state.grace_days,
        counted_until=None if stop == date.max else stop, charged_off=state.charged_off is not None,
        defaulted=state.defaulted is not None, forborne=state.forborne, disputed=state.disputed,
        step_from=[step[0] for step in steps], step_since=[step[1] for step in steps],
        step_overdue=[step[2] for step in steps],
        pause_from=[date.fromordinal(start) for start, _ in pauses],
        pause_until=[date.fromordinal(until) for _, until in pauses],
    )  # fmt: skip


Step = tuple[date, date | None, int | None]
"""(from this day on, oldest unmet due date, amount overdue)."""


def steps_of(state: LoanState, newest: date) -> list[Step]:
    """How the arrears go from ``newest`` on if nothing more happens; a step begins where the answer changes.

    An instalment is late from the day after it is due.
    """
    days = [newest, *(day for day in turns(state) if day > newest)]
    found = [(late.as_of, late.since, late.amount) for late in (arrears(state, day) for day in days)]
    return found[:1] + [after for before, after in pairwise(found) if after[1:] != before[1:]]


def merged(pauses: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pauses without overlaps: a day that two of them cover counts once."""
    found: list[tuple[int, int]] = []
    for start, until in sorted(pauses):
        start = max(start, found[-1][1]) if found else start
        if until > start:
            found.append((start, until))
    return found


def day_of(row: PortfolioLoan, day: date) -> PortfolioDay:
    """A loan's row as of a day that it still stands for: what the book's statement works out."""
    step = bisect_right(row.step_from, day) - 1
    since, overdue = row.step_since[step], row.step_overdue[step]
    until = day if row.counted_until is None else min(day, row.counted_until)
    dpd = 0 if since is None else max((until - since).days, 0)
    paused = 0
    if since is not None:
        paused = sum(
            max((min(end, until) - max(start, since)).days, 0)
            for start, end in zip(row.pause_from, row.pause_until, strict=True)
        )
    return PortfolioDay(
        row.account, day, row.subject, row.stage, row.status, row.balance, since, overdue, dpd,
        max(dpd - row.grace_days - paused, 0), row.charged_off, row.defaulted, row.forborne, row.disputed,
    )  # fmt: skip


def past_rows(account: bytes, days: Sequence[date], told: Sequence[Told]) -> list[PortfolioDay]:
    """A loan on days before its newest event, in ascending order, folded from its attestations.

    The chain is folded once, day by day; only what changes the past folds it again.
    """
    subject = next((each.attestation.envelope.subject for each in told if each.attestation.envelope.subject), bytes(32))
    states = states_on(told, days)
    return [_past(account, subject, day, state) for day, state in zip(days, states, strict=True)]


def _past(account: bytes, subject: bytes, day: date, state: LoanState | None) -> PortfolioDay:
    if state is None:
        return PortfolioDay(account, day, subject, "", "", None, None, None, 0, 0, False, False, False, False)
    late = arrears(state, day)
    return PortfolioDay(
        account, day, subject, state.stage, state.status, owed(state), late.since, late.amount, late.days,
        late.delinquent_days, state.charged_off is not None, state.defaulted is not None, state.forborne,
        state.disputed,
    )  # fmt: skip
