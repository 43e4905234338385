"""fsck's look at the portfolios' copies of loans, which are made when a lender asks: each made again and compared.

Rules
- A row is lazy: it may be as old as the lender's last question. It is compared as of the attestation that it says it was
  made up to, which must be in the loan's chain.
- A row that is up to date follows from the loan's state, which fsck held against the chain before; an older one, and every
  past day that is kept, from the chain itself, by the same functions that make them (portfolio_refresh.py).
- Rows that are missing are no fault: both tables may be emptied at any time.
- A chain with a member of an erased borrower gives its loan's present row and no past one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from ledger.errors import TallystickError
from ledger.loan.account import replayed
from ledger.loan.fold import fold
from ledger.loan.state import LoanState, NeedsReplay, decode_state
from ledger.loan.supersession import Told
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_projections import chains_of, indexes_of
from ledger.node.fsck_report import FAULTS_KEPT_MAX, FsckReport, Progress
from ledger.node.portfolio_refresh import loan_row, past_rows
from ledger.store.attestation_rows import AttestationRow
from ledger.store.fsck_rows import Copied, lone_days, portfolio_days, portfolio_loans
from ledger.store.portfolio_rows import PortfolioDay, PortfolioLoan
from ledger.subject.sealing import DataKey
from ledger.types import TenantId

LOANS_A_PAGE: Final = 64
"""Loans whose rows, days and chains are in memory together."""

CHAIN_ROWS_MAX: Final = 100_000
"""Attestations of one page of loans; past it the loans are taken one by one."""

Kept = dict[tuple[str, bytes], list[PortfolioDay]]


async def check_portfolios(report: FsckReport, opener: Opener, progress: Progress) -> None:
    """Every row of every portfolio against its loan and its chain."""
    check, after, done = _PortfolioCheck(report, opener), ("", b""), 0
    while page := await portfolio_loans(opener.connection, after, LOANS_A_PAGE):
        await check.page(page)
        after, done = (page[-1].tenant, page[-1].row.account), done + len(page)
        progress("portfolio", done, done)
    for tenant, account in await lone_days(opener.connection, FAULTS_KEPT_MAX):
        report.add("portfolio_differs", _where(tenant, account), "past days of a loan that the portfolio has not")


class _Chain(NamedTuple):
    """A loan's attestations, oldest first, and what of each can be read."""

    places: list[tuple[UUID, int]]
    told: list[Told | None]


class _PortfolioCheck:
    """Pages of rows, one after the other."""

    def __init__(self, report: FsckReport, opener: Opener) -> None:
        self._report = report
        self._opener = opener
        self._connection = opener.connection

    async def page(self, page: Sequence[Copied]) -> None:
        """Make these rows and their past days again, and compare."""
        kept = await portfolio_days(self._connection, [(each.tenant, each.row.account) for each in page])
        older = [each for each in page if each.loan is not None and self._needs_chain(each, kept)]
        starts = [
            (TenantId(x.loan.tenant), x.loan.last_batch, x.loan.last_position) for x in older if x.loan is not None
        ]
        found = await chains_of(self._connection, starts, CHAIN_ROWS_MAX)
        if sum(map(len, found)) == CHAIN_ROWS_MAX and len(page) > 1:
            for each in page:
                await self.page([each])
            return
        every = [row for chain in found for row in chain]
        indexes, keys = await indexes_of(self._connection, every), await self._opener.keys_of(every)
        opened = {
            (each.tenant, each.row.account): self._opened(chain[::-1], indexes, keys)
            for each, chain in zip(older, found, strict=True)
        }
        for each in page:
            key = (each.tenant, each.row.account)
            try:
                self._check(each, opened.get(key), kept.get(key, []))
            except TallystickError as error:
                self._report.add("portfolio_differs", _where(*key), f"{error.code}: {error.message}")
            except (msgspec.MsgspecError, ValueError, OverflowError):
                self._report.add("portfolio_differs", _where(*key), "the loan's state cannot be read")
            await asyncio.sleep(0)

    def _needs_chain(self, each: Copied, kept: Kept) -> bool:
        return (each.tenant, each.row.account) in kept or not _is_current(each)

    def _opened(
        self, chain: list[AttestationRow], indexes: Mapping[tuple[str, UUID], int], keys: Mapping[bytes | None, DataKey]
    ) -> _Chain:
        told: list[Told | None] = []
        for row in chain:
            try:
                attestation = self._opener.opened(row, keys, indexes.get((row.tenant, row.batch_id), -1))
            except TallystickError:
                attestation = None  # reported where its batch was checked
            told.append(None if attestation is None else Told(0, attestation))
        return _Chain([(row.batch_id, row.position) for row in chain], told)

    def _check(self, each: Copied, chain: _Chain | None, kept: list[PortfolioDay]) -> None:
        report, where, row = self._report, _where(each.tenant, each.row.account), each.row
        report.count("portfolio_loans")
        if each.loan is None:
            report.add("portfolio_differs", where, "there is no such loan")
            return
        told: list[Told | None] = []
        if chain is not None:
            place = (row.last_batch, row.last_position)
            if place not in chain.places:
                report.add("portfolio_differs", where, "it ends with an attestation that is not the loan's")
                return
            told = chain.told[: chain.places.index(place) + 1]
        if _is_current(each):
            state: LoanState | None = decode_state(each.loan.state)
            report.equal(row.version, each.loan.version, "portfolio_differs", where, "version is not the loan's")
        elif None in told:
            report.count("portfolio_loans_with_erased_members")
            return
        else:
            state = _folded([each for each in told if each is not None])
            if not 0 < row.version < each.loan.version:
                report.add("portfolio_differs", where, "version is not before the loan's")
        self._compare(row, state, where)
        self._check_days(row, told, kept, where)

    def _compare(self, row: PortfolioLoan, state: LoanState | None, where: str) -> None:
        if state is None:
            self._report.add("portfolio_differs", where, "its attestations give no loan")
            return
        due = loan_row(
            row.account, state, version=row.version, last_batch=row.last_batch, last_position=row.last_position
        )
        self._name(row, due, where)

    def _check_days(self, row: PortfolioLoan, told: list[Told | None], kept: list[PortfolioDay], where: str) -> None:
        if not kept:
            return
        if None in told:
            self._report.count("portfolio_days_with_erased_members", len(kept))
            return
        self._report.count("portfolio_days", len(kept))
        due = past_rows(row.account, [day.day for day in kept], [each for each in told if each is not None])
        for found, expected in zip(kept, due, strict=True):
            self._name(found, expected, f"{where} on {found.day.isoformat()}")

    def _name(self, found: PortfolioLoan | PortfolioDay, due: PortfolioLoan | PortfolioDay, where: str) -> None:
        """A fault that names the first column in which a row differs, if there is one."""
        for name, one, other in zip(found._fields, found, due, strict=True):
            if one != other:
                self._report.add("portfolio_differs", where, f"{name} is not what the loan gives")
                return


def _is_current(each: Copied) -> bool:
    """Whether a row was made from the loan as it is."""
    loan, row = each.loan, each.row
    return loan is not None and (loan.last_batch, loan.last_position) == (row.last_batch, row.last_position)


def _folded(told: list[Told]) -> LoanState | None:
    state: LoanState | None = None
    try:
        for _, each in told:
            state = fold(state, each.envelope, each.body)
    except NeedsReplay:
        return replayed(told)
    return state


def _where(tenant: str, account: bytes) -> str:
    return f"portfolio of {tenant}, loan {account[:4].hex()}"
