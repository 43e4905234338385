"""fsck's look at what is derived: loans, consents and keys, each worked out again from the attestations.

Rules
- A loan is the fold over its chain, walked backwards from its row: strictly earlier at each step, all about one
  account.
- Every attestation about an account lies in a chain that some loan leads to, unless the borrower was erased.
- A consent is the fold over its steps and reads, in log order.
- A chain with an erased member (a co-borrower's) cannot be folded again; its shape is still checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final
from uuid import UUID

from ledger.attestation.envelope import Attestation
from ledger.attestation.keys import PublicKey
from ledger.attestation.registry import SPECS
from ledger.errors import TallystickError
from ledger.loan.account import replayed
from ledger.loan.fold import fold
from ledger.loan.state import LoanState, NeedsReplay, encode_state
from ledger.loan.supersession import Told
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FAULTS_KEPT_MAX, FsckReport, Progress
from ledger.node.participants import public_key_of
from ledger.node.projection import ConsentKey, Projection
from ledger.store.attestation_rows import AttestationRow, chains
from ledger.store.consent_rows import ConsentRow
from ledger.store.database import Connection
from ledger.store.fsck_rows import consent_events, consent_subjects, consents_about, dangling, forks, loose_ends
from ledger.store.loan_rows import LoanRow, all_loans
from ledger.store.log_rows import entries_by_batch
from ledger.store.tenant_rows import TenantRow, read_keys
from ledger.subject.sealing import DataKey
from ledger.types import TenantId, UnixMillis

LOANS_A_PAGE: Final = 64
"""Loans whose chains are in memory together."""

CHAIN_ROWS_MAX: Final = 100_000
"""Attestations of one page of loans; also what stops a chain that was bent into a circle."""

CHAIN_ROWS_FIRST: Final = 4_096
"""Attestations that are asked for first: a page of short chains, or enough of a circle to see that it is one."""

ROLES: Final = ("app", "bureau", "deployment", "lender")
ACCOUNT_KINDS: Final = sorted(kind for kind, spec in SPECS.items() if spec.about == "account")


class ProjectionCheck:
    """Derives the projections again and compares."""

    def __init__(self, report: FsckReport, opener: Opener, progress: Progress) -> None:
        self._report = report
        self._opener = opener
        self._connection = opener.connection
        self._progress = progress

    async def check_keys(self, histories: Mapping[str, Mapping[str, PublicKey]], tenants: Sequence[TenantRow]) -> None:
        """The tables of keys and tenants against the key attestations."""
        said = {(tenant, key.kid): key for tenant, keys in histories.items() for key in keys.values()}
        rows = {(row.tenant, row.kid): row for row in await read_keys(self._connection)}
        for name in sorted(said.keys() | rows.keys()):
            self._report.count("keys")
            where = f"key {name[1][:8]} of {name[0]}"
            try:
                stored = public_key_of(rows[name]) if name in rows else None
            except TallystickError as error:
                self._report.add("key_malformed", where, error.message)
                continue
            self._report.equal(stored, said.get(name), "key_differs", where, "not what the log says of this key")
        for tenant in tenants:
            if tenant.tenant not in histories:
                self._report.add("tenant_unknown", f"tenant {tenant.tenant}", "takes part without any key in the log")
            if tenant.role not in ROLES:
                self._report.add("tenant_unknown", f"tenant {tenant.tenant}", "has a role that there is not")

    async def check_loans(self) -> None:
        """Every loan against its chain, then every attestation that no loan leads to."""
        after, done = ("", b""), 0
        while page := await all_loans(self._connection, after, LOANS_A_PAGE):
            await self._check_page(page)
            after, done = (page[-1].tenant, page[-1].account), done + len(page)
            self._progress("loans", done, done)
        for row in await dangling(self._connection, FAULTS_KEPT_MAX):
            self._report.add("chain_differs", _place(row), "the attestation before it is not there")
        for tenant, batch, position in await forks(self._connection, FAULTS_KEPT_MAX):
            self._report.add("chain_forks", f"batch {batch} of {tenant}, attestation {position}", "two follow it")
        await self._check_loose_ends()

    async def _check_page(self, page: list[LoanRow]) -> None:
        starts = [(TenantId(loan.tenant), loan.last_batch, loan.last_position) for loan in page]
        found = await chains_of(self._connection, starts, CHAIN_ROWS_MAX)
        if sum(map(len, found)) == CHAIN_ROWS_MAX and len(page) > 1:
            for loan in page:
                await self._check_page([loan])
            return
        every = [row for chain in found for row in chain]
        indexes, keys = await indexes_of(self._connection, every), await self._opener.keys_of(every)
        for loan, chain in zip(page, found, strict=True):
            self._check_loan(loan, chain[::-1], indexes, keys)

    def _check_loan(
        self, loan: LoanRow, chain: list[AttestationRow], indexes: Mapping[tuple[str, UUID], int],
        keys: Mapping[bytes | None, DataKey],
    ) -> None:  # fmt: skip
        report, where = self._report, f"loan {loan.account[:4].hex()} of {loan.tenant}"
        report.count("loans")
        places = [(indexes.get((row.tenant, row.batch_id), -1), row.position) for row in chain]
        if not chain or any(later <= earlier for earlier, later in pairwise(places)):
            report.add("chain_differs", where, "its attestations are not one chain forwards in time")
            return
        report.equal(chain[0].previous_batch, None, "chain_differs", where, "its chain does not reach its beginning")
        batches = len({row.batch_id for row in chain})
        if not 1 <= loan.version <= batches:
            report.add("loan_version", where, "more changes than batches")
        try:
            opened = [self._opener.opened(row, keys, place[0]) for row, place in zip(chain, places, strict=True)]
            self._compare(loan, opened, where)
        except TallystickError as error:
            report.add("loan_unfoldable", where, f"{error.code}: {error.message}")

    def _compare(self, loan: LoanRow, opened: list[Attestation | None], where: str) -> None:
        report = self._report
        state: LoanState | None = None
        if any(each is not None and each.envelope.account != loan.account for each in opened):
            report.add("loan_differs", where, "an attestation of another account is in its chain")
            return
        if None in opened:
            report.count("loans_with_erased_members")
            return
        told = [Told(0, each) for each in opened if each is not None]
        try:
            for _, each in told:
                state = fold(state, each.envelope, each.body)
        except NeedsReplay:  # from here on nothing less than the whole chain tells
            state = replayed(told)
        expected = (b"", b"") if state is None else (state.subject, encode_state(state))
        report.equal((loan.subject, loan.state), expected, "loan_differs", where, "not the fold of its attestations")

    async def _check_loose_ends(self) -> None:
        after: tuple[str, UUID, int] = ("", UUID(int=0), -1)
        while page := await loose_ends(self._connection, ACCOUNT_KINDS, after, LOANS_A_PAGE):
            after = page[-1]
            starts = [(TenantId(tenant), batch, position) for tenant, batch, position in page]
            found = await chains_of(self._connection, starts, CHAIN_ROWS_MAX)
            every = [row for chain in found for row in chain]
            indexes, keys = await indexes_of(self._connection, every), await self._opener.keys_of(every)
            for (tenant, batch, position), chain in zip(page, found, strict=True):
                if not self._has_erased(chain, indexes, keys):
                    where = f"batch {batch} of {tenant}, attestation {position}"
                    self._report.add("loan_missing", where, "no loan leads to this attestation")

    def _has_erased(
        self, chain: list[AttestationRow], indexes: Mapping[tuple[str, UUID], int], keys: Mapping[bytes | None, DataKey]
    ) -> bool:
        try:
            return any(
                self._opener.opened(row, keys, indexes.get((row.tenant, row.batch_id), -1)) is None for row in chain
            )
        except TallystickError:
            return True  # reported where its batch was checked

    async def check_consents(self) -> None:
        """Every consent against its steps and reads."""
        after, done = b"", 0
        while page := await consent_subjects(self._connection, after, LOANS_A_PAGE):
            await self._check_consents_about(page)
            after, done = page[-1], done + len(page)
            self._progress("consents", done, done)

    async def _check_consents_about(self, subjects: list[bytes]) -> None:
        rows = await consent_events(self._connection, subjects)
        indexes, keys = await indexes_of(self._connection, rows), await self._opener.keys_of(rows)
        work, expected = Projection({}, {}), dict[ConsentKey, ConsentRow]()
        for row in rows:
            try:
                attestation = self._opener.opened(row, keys, indexes.get((row.tenant, row.batch_id), -1))
                if attestation is not None:
                    work.apply_to_consents(attestation, row.batch_id, expected, UnixMillis(0))
            except TallystickError as error:
                self._report.add("consent_unfoldable", _place(row), f"{error.code}: {error.message}")
        stored = {
            (row.subject, row.consent, row.version): row for row in await consents_about(self._connection, subjects)
        }
        for key in sorted(expected.keys() | stored.keys()):
            self._report.count("consents")
            where, message = f"consent {key[1]} version {key[2]}", "not what its steps and reads give"
            self._report.equal(stored.get(key), expected.get(key), "consent_differs", where, message)


def _place(row: AttestationRow) -> str:
    return f"batch {row.batch_id} of {row.tenant}, attestation {row.position}"


async def indexes_of(connection: Connection, rows: Sequence[AttestationRow]) -> dict[tuple[str, UUID], int]:
    """(tenant, batch) -> the index of its entry, of these attestations' batches."""
    keys = sorted({(TenantId(row.tenant), row.batch_id) for row in rows})
    entries = await entries_by_batch(connection, [key[0] for key in keys], [key[1] for key in keys])
    return {key: entry.idx for key, entry in entries.items()}


async def chains_of(
    connection: Connection, starts: Sequence[tuple[TenantId, UUID, int]], most: int
) -> list[list[AttestationRow]]:
    """What ``chains`` gives, ``most`` rows at most; of a chain that was bent into a circle only some rounds."""
    limit = min(CHAIN_ROWS_FIRST, most)
    while True:
        found = await chains(connection, starts, limit)
        if sum(map(len, found)) < limit or limit == most:
            return found
        if any(_is_circle(chain) for chain in found):
            return found if len(starts) == 1 else await _one_by_one(connection, starts, most)
        limit = min(limit * 5, most)


async def _one_by_one(
    connection: Connection, starts: Sequence[tuple[TenantId, UUID, int]], most: int
) -> list[list[AttestationRow]]:
    """So that a circle takes no rows from the others."""
    found: list[list[AttestationRow]] = []
    for start in starts:
        found += await chains_of(connection, [start], most) if most else [[]]
        most -= len(found[-1])
    return found


def _is_circle(chain: Sequence[AttestationRow]) -> bool:
    return len({row[:3] for row in chain}) < len(chain)
