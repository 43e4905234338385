"""Executes every contract of a ledger again, from its stored attestations alone, and compares each effect.

    replayed = await replay(audit_dsn, keyring, origin="...", first=0, last=None)
    replayed.faults          -> effects that are missing, extra or different, each named with its cause

Rules
- One snapshot is read, twice: first the contracts' own steps, which say whose attestations matter; then those, in the
  log's order. Nothing of any projection is read: loans, memories and documents come from the attestations.
- Each attestation is opened and compared with its commitment. What was erased is left out, the contract with it.
- ``first`` and ``last`` are log indexes of causes; what lies before is folded, and not compared.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.envelope import Attestation
from ledger.contract.folded_loans import FoldedLoans
from ledger.contract.replay import LogAttestation, Replayed, Replayer
from ledger.errors import InvalidInput, NotFound
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import Progress
from ledger.node.keyring import Keyring
from ledger.node.participants import DEPLOYMENT
from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Connection, Database
from ledger.store.fsck_rows import attestations_of_entries, begin_snapshot, last_erasure
from ledger.store.log_rows import EntryRow, read_entries, read_head

PAGE: Final = 64
"""Entries read at once."""

_ALWAYS: Final = frozenset({"contract", "effect", "tick"})


def _silent(stage: str, done: int, total: int) -> None:
    """The progress of nobody who looks."""


class AccountLoans(FoldedLoans):
    """The loans of the accounts that contracts are about: (lender, account) pairs."""

    def __init__(self, accounts: set[tuple[str, bytes]]) -> None:
        super().__init__()
        self._accounts = accounts

    def see(self, index: int, attestation: Attestation) -> None:
        """Fold one more attestation about an account of these."""
        if (attestation.envelope.tenant, attestation.envelope.account or b"") in self._accounts:
            super().see(index, attestation)


async def replay(
    audit_dsn: str, keyring: Keyring, *, origin: str, first: int = 0, last: int | None = None,
    progress: Progress = _silent,
) -> Replayed:  # fmt: skip
    """Replay a whole ledger. Raises, when it cannot tell: Unavailable, InvalidInput ``auditor_needed``,
    ``origin_differs``, NotFound ``log_empty``."""
    connection = await Database(audit_dsn).dedicated()
    try:
        await begin_snapshot(connection)
        head = await read_head(connection)
        if head is None:
            raise NotFound("log_empty", "there is no log in this database yet")
        if head.origin != origin:
            raise InvalidInput("origin_differs", "this database holds another ledger", expected=origin)
        opener = Opener(connection, keyring, await last_erasure(connection))
        return (await replay_into(opener, head.size, first=first, last=last, progress=progress)).report()
    finally:
        await connection.close(timeout=5)


def _unseen(placed: LogAttestation) -> None:
    """What nobody else looks at."""


async def replay_into(
    opener: Opener, size: int, *, first: int = 0, last: int | None = None, progress: Progress = _silent,
    seen: Callable[[LogAttestation], None] = _unseen,
) -> Replayer:  # fmt: skip
    """A replayer that saw the first ``size`` entries; ``seen`` is told of each attestation that it was shown."""
    connection = opener.connection
    subjects, accounts = await _parties(connection, opener, size)
    replayer = Replayer(DEPLOYMENT, AccountLoans(accounts), {}, first, last)
    async for entries in _pages(connection, size):
        rows = await attestations_of_entries(connection, entries)
        for entry in entries:
            batch = rows.get((entry.tenant, entry.batch_id), ())
            wanted = [row for row in batch if row.kind in _ALWAYS or row.subject in subjects]
            for row, attestation in await _opened(opener, wanted, entry.idx) if wanted else ():
                placed = LogAttestation(entry.idx, entry.batch_id, row.position, attestation)
                replayer.see(placed)
                seen(placed)
        progress("replay", entries[-1].idx + 1, size)
    return replayer


async def _parties(
    connection: Connection, opener: Opener, size: int
) -> tuple[set[bytes], set[tuple[str, bytes]]]:  # fmt: skip
    """The borrowers and the (lender, account) pairs that contracts are about."""
    subjects: set[bytes] = set()
    accounts: set[tuple[str, bytes]] = set()
    async for entries in _pages(connection, size):
        own = [entry for entry in entries if entry.tenant == DEPLOYMENT]
        rows = await attestations_of_entries(connection, own)
        for entry in own:
            steps = [row for row in rows.get((entry.tenant, entry.batch_id), ()) if row.kind == "contract"]
            for _, attestation in await _opened(opener, steps, entry.idx) if steps else ():
                if isinstance(attestation.body, ContractStep):
                    subjects.add(attestation.envelope.subject or b"")
                    accounts.add((attestation.body.lender, attestation.body.account))
    return subjects, accounts


async def _pages(connection: Connection, size: int) -> AsyncIterator[list[EntryRow]]:
    for first in range(0, size, PAGE):
        entries = await read_entries(connection, first, min(first + PAGE, size))
        if not entries:
            return  # a damaged head may claim any size; fsck names what is missing
        yield entries


async def _opened(
    opener: Opener, rows: list[AttestationRow], idx: int
) -> list[tuple[AttestationRow, Attestation]]:  # fmt: skip
    """Rows of the entry ``idx`` that can be opened, read."""
    keys = await opener.keys_of(rows)
    opened = [(row, opener.opened(row, keys, idx)) for row in rows]
    return [(row, attestation) for row, attestation in opened if attestation is not None]
