"""Loans on a day, and the accounts that they were before a sale.

    states = await lineage.states(rows, day, tenants=(tenant,))
    earlier = await lineage.earlier(Holding("baobab", account, state), day)        nearest first

Rules
- A row answers for the days from its loan's newest event on; for a day before, or an earlier log index, the account is
  folded from its chain.
- The account before a sale is another tenant's: it is read under the focus of the borrower, who is the same, and it is
  given on only where both sides say so (ledger.view.continuity). Of one that does not say so nothing is told.
- Where an account was sold in arrears, the chains of its later owners are read too: only money makes arrears good, and the
  date of first delinquency follows the loan until then.
- At most SALES_MAX sales are followed: more than the months of a history reach. A circle ends where it began.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from ledger.loan.account import account
from ledger.loan.state import LoanState, decode_state
from ledger.loan.supersession import Told
from ledger.node.chains import Chains, Start
from ledger.store.database import Database
from ledger.store.loan_rows import LoanRow, read_loan
from ledger.types import AccountRef, Subject, TenantId
from ledger.view.continuity import Holding, arrears_stand, follows, said_before, sold_in_arrears

SALES_MAX: Final = 24
"""Sales that are followed back from one loan: one a month of the history that a line shows."""


class Lineage:
    """Reads loans as they stood, and what they continue."""

    def __init__(self, database: Database, chains: Chains) -> None:
        self._database = database
        self._chains = chains

    async def states(
        self, rows: Sequence[LoanRow], day: date, *, tenants: Sequence[TenantId] = (), subject: Subject | None = None
    ) -> list[LoanState | None]:
        """The loans on a day; None where a loan did not exist yet. Raises Refused ``account_too_long``."""
        states: list[LoanState | None] = [decode_state(row.state) for row in rows]
        past = [n for n, state in enumerate(states) if state is not None and state.moved > day.toordinal()]
        chains = await self._chains.told([start_of(rows[n]) for n in past], tenants=tenants, subject=subject)
        for n, told in zip(past, chains, strict=True):
            then = account(told, as_of=day)
            states[n] = then.state if then.counted else None
        return states

    async def earlier(self, own: Holding, day: date, *, known_at: int | None = None) -> tuple[Holding, ...]:
        """The accounts that a loan continues, nearest first, as they stood on the day by what was known at an index."""
        found, seen, at = list[Holding](), {(own.lender, own.account)}, own
        while len(found) < SALES_MAX:
            key = said_before(at)
            if key is None or key in seen:
                break
            seen.add(key)
            before = await self._holding(Subject(own.state.subject), key, day, known_at)
            if before is None or not follows(before, at):
                break
            found.append(before)
            at = before
        return await self._with_arrears(own, found, day, known_at)

    async def _with_arrears(
        self, own: Holding, earlier: Sequence[Holding], day: date, known_at: int | None
    ) -> tuple[Holding, ...]:
        """The accounts before, each with whether the arrears that it was sold with stand."""
        late = [n for n, holding in enumerate(earlier) if sold_in_arrears(holding.state)]
        if not late:
            return tuple(earlier)
        owners = [own, *earlier[: late[-1]]]
        chains = await self._known(Subject(own.state.subject), owners, known_at)
        return tuple(
            holding._replace(arrears_stand=n in late and arrears_stand(holding.state, chains[n::-1], day))
            for n, holding in enumerate(earlier)
        )

    async def _known(
        self, subject: Subject, owners: Sequence[Holding], known_at: int | None
    ) -> list[list[Told]]:  # fmt: skip
        """The chains of a borrower's accounts by what was known at an index."""
        async with self._database.reading(subject=subject) as connection:
            rows = [await read_loan(connection, TenantId(one.lender), AccountRef(one.account)) for one in owners]
        starts = [start_of(row) for row in rows if row is not None]
        chains = await self._chains.told(starts, subject=subject, indexed=known_at is not None)
        return [[each for each in told if known_at is None or each.entry <= known_at] for told in chains]

    async def _holding(
        self, subject: Subject, key: tuple[str, bytes], day: date, known_at: int | None
    ) -> Holding | None:  # fmt: skip
        async with self._database.reading(subject=subject) as connection:
            row = await read_loan(connection, TenantId(key[0]), AccountRef(key[1]))
        if row is None:
            return None
        if known_at is None:
            (state,) = await self.states([row], day, subject=subject)
        else:
            (told,) = await self._chains.told([start_of(row)], subject=subject, indexed=True)
            then = account(told, as_of=day, known_at=known_at)
            state = then.state if then.counted else None
        return None if state is None else Holding(*key, state)


def start_of(row: LoanRow) -> Start:
    """Where the chain of a loan begins."""
    return TenantId(row.tenant), row.last_batch, row.last_position
