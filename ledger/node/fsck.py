"""Rebuilds the whole ledger from storage and compares: any bit that changed is a fault, and so is anything missing.

    report = await fsck(audit_dsn, keyring, origin="tallystick.local/ledger", home=Path(".tallystick"))
    report.ok, report.checked, report.faults

Rules
- Everything is computed again: leaf hashes, every full tile of every level, the head's root and frontier, the root of
  every published checkpoint (in the store and in the file beside it) with its signature, each statement's signature,
  each batch (fsck_batches.py), each projection (fsck_projections.py), and every copy that is made from them when somebody
  asks (fsck_portfolio.py, fsck_months.py) or when a watcher runs (fsck_risk.py).
- It reads one snapshot, a page at a time, and writes nothing; a ledger may go on meanwhile.
- The catalogue is audited too (store/audit.py): a table without its policy is a fault like a flipped bit.

What nothing in the log speaks of cannot be checked: tenants' display names, token issuers, wrapped keys, idempotency
keys, the time a checkpoint was signed, and the time an entry was committed (only that it never goes back).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import NotFound, TallystickError
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import EMPTY_ROOT
from ledger.log.right_edge import FullTile, RightEdge
from ledger.log.tiles import full_tiles, split_hashes, tile_root
from ledger.node.checkpointer import FILE_NAME
from ledger.node.fsck_alerts import check_alerts
from ledger.node.fsck_batches import BatchCheck, Opener
from ledger.node.fsck_contracts import check_contracts
from ledger.node.fsck_models import check_models
from ledger.node.fsck_months import check_months
from ledger.node.fsck_portfolio import check_portfolios
from ledger.node.fsck_projections import ProjectionCheck
from ledger.node.fsck_report import FAULTS_KEPT_MAX, FsckReport, Progress
from ledger.node.fsck_risk import check_risk
from ledger.node.keyring import Keyring
from ledger.store.audit import audit_catalogue
from ledger.store.database import Connection, Database
from ledger.store.fsck_rows import (
    CheckpointRow,
    begin_snapshot,
    checkpoints_between,
    count_tiles,
    entries_beyond,
    last_erasure,
    orphans,
    stored_tile,
)
from ledger.store.log_rows import EntryRow, Head, read_entries, read_head
from ledger.store.tenant_rows import read_tenants

PAGE: Final = 256
"""Entries read at once: one tile's worth, half a kilobyte each."""


def _silent(stage: str, done: int, total: int) -> None:
    """The progress of nobody who looks."""


async def fsck(
    audit_dsn: str, keyring: Keyring, *, origin: str, home: Path | None = None, progress: Progress = _silent
) -> FsckReport:
    """Check a whole ledger. Raises, when it cannot tell: Unavailable, InvalidInput ``auditor_needed``, NotFound
    ``log_empty``."""
    connection = await Database(audit_dsn).dedicated()
    try:
        return await fsck_over(connection, keyring, origin=origin, home=home, progress=progress)
    finally:
        await connection.close(timeout=5)


async def fsck_over(
    connection: Connection, keyring: Keyring, *, origin: str, home: Path | None = None, progress: Progress = _silent
) -> FsckReport:
    """The same over a connection of the auditor's that stays open: who checks a small ledger again and again spends most
    of the time on connecting and planning. It must be in no transaction, and is in none afterwards; raises as
    :func:`fsck` does."""
    await begin_snapshot(connection)
    try:
        return await _checked(connection, keyring, origin, home, progress)
    finally:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")


async def _checked(
    connection: Connection, keyring: Keyring, origin: str, home: Path | None, progress: Progress
) -> FsckReport:
    head = await read_head(connection)
    if head is None:
        raise NotFound("log_empty", "there is no log in this database yet")
    report = FsckReport(origin, head.size, head.root)
    opener = Opener(connection, keyring, await last_erasure(connection))
    tenants = {row.tenant: row for row in await read_tenants(connection)}
    batches = BatchCheck(report, opener, tenants)
    await _LogCheck(report, connection, keyring, head, batches, home, progress).check()
    projections = ProjectionCheck(report, opener, progress)
    await projections.check_keys(batches.histories, list(tenants.values()))
    await projections.check_loans()
    await projections.check_consents()
    await check_portfolios(report, opener, progress)
    await check_alerts(report, opener, progress)
    await check_risk(report, opener, head.size, progress)
    await check_models(report, opener)
    entries_there = report.checked["entries"]  # whatever the head says
    await check_months(report, opener, entries_there, progress)
    await check_contracts(report, opener, head.size, progress)
    for finding in await audit_catalogue(connection):
        report.add(f"catalogue_{finding.rule}", finding.where, finding.message)
    report.count("catalogue")
    return report


@dataclass
class _LogCheck:
    """The log itself: entries, tiles, checkpoints, head."""

    report: FsckReport
    connection: Connection
    keyring: Keyring
    head: Head
    batches: BatchCheck
    home: Path | None
    progress: Progress

    async def check(self) -> None:
        """Stream the entries once, and compare everything that follows from them."""
        edge, report, head = RightEdge(), self.report, self.head
        report.equal(head.origin, report.origin, "origin_differs", "head", "another ledger's origin")
        beside = await self._beside()
        clock = 0
        await self._check_checkpoints(await checkpoints_between(self.connection, -1, 0, 1), EMPTY_ROOT)
        for first in range(0, max(head.size, 0), PAGE):
            entries = await read_entries(self.connection, first, min(first + PAGE, head.size))
            notes = await checkpoints_between(self.connection, first, first + PAGE, PAGE)
            by_size = {note.size: note for note in [*notes]}
            for at, entry in enumerate(entries):
                if not report.equal(entry.idx, first + at, "entry_missing", f"entry {first + at}", "not there"):
                    return
                if entry.committed_at < clock:
                    report.add("time_backwards", f"entry {entry.idx}", "committed before the entry before it")
                clock = entry.committed_at
                for tile in self._appended(edge, entry):
                    await self._check_tile(tile)
                note = by_size.pop(entry.idx + 1, None)
                if note is not None:
                    self._check_note(note, edge.root())
                if beside is not None and beside[0] == entry.idx + 1:
                    report.equal(beside[1], edge.root(), "checkpoint_forks", FILE_NAME, "another root at that size")
            if len(entries) < min(PAGE, head.size - first):
                report.add("entry_missing", f"entry {first + len(entries)}", "the log ends before its head")
                break
            await self.batches.check(entries)
            self.progress("entries", first + len(entries), head.size)
        await self._check_head(edge, clock)
        await self._check_rest(edge)

    def _appended(self, edge: RightEdge, entry: EntryRow) -> list[FullTile]:
        self.report.count("entries")
        try:
            return edge.append(entry.leaf_hash)
        except TallystickError as error:
            self.report.add("leaf_differs", f"entry {entry.idx}", error.message)
            return []

    async def _check_tile(self, full: FullTile) -> None:
        tile, hashes = full
        self.report.count("tiles")
        stored = await stored_tile(self.connection, tile.level, tile.index)
        if stored is None:
            self.report.add("tile_missing", tile.path, "a full tile is not there")
            return
        expected = (hashes, tile_root(split_hashes(hashes)))
        self.report.equal((stored.hashes, stored.root), expected, "tile_differs", tile.path, "not the entries' hashes")

    async def _check_checkpoints(self, notes: list[CheckpointRow], root: bytes) -> None:
        for note in notes:
            self._check_note(note, root)

    def _check_note(self, row: CheckpointRow, root: bytes) -> None:
        """One published checkpoint against the tree of its size."""
        report, where = self.report, f"checkpoint {row.size}"
        report.count("checkpoints")
        try:
            verifier = self.keyring.signer(report.origin).verifier
            said = open_checkpoint(row.note, [verifier], origin=report.origin).checkpoint
        except TallystickError as error:
            report.add("checkpoint_untrusted", where, f"{error.code}: {error.message}")
            return
        report.equal(
            (row.size, row.root), (said.size, said.root), "checkpoint_differs", where, "columns are not as signed"
        )
        report.equal(said.root, root, "checkpoint_forks", where, "the entries give another root at that size")

    async def _beside(self) -> tuple[int, bytes] | None:
        """Size and root of the checkpoint that is kept outside the database."""
        file = None if self.home is None else self.home / FILE_NAME
        if file is None or not await asyncio.to_thread(file.exists):
            return None
        self.report.count("checkpoint_file")
        try:
            verifier = self.keyring.signer(self.report.origin).verifier
            note = await asyncio.to_thread(file.read_bytes)
            said = open_checkpoint(note, [verifier], origin=self.report.origin).checkpoint
        except TallystickError as error:
            self.report.add("checkpoint_untrusted", FILE_NAME, f"{error.code}: {error.message}")
            return None
        if said.size > self.head.size:
            self.report.add("log_shrank", FILE_NAME, f"{said.size} entries were published, {self.head.size} are there")
        return said.size, said.root

    async def _check_head(self, edge: RightEdge, clock: int) -> None:
        report, head = self.report, self.head
        stored = (head.size, head.root, head.frontier)
        rebuilt = (edge.frontier().size, edge.root(), edge.frontier().encode())
        report.equal(stored, rebuilt, "head_differs", "head", "the entries give another size, root or frontier")
        if head.size:
            report.equal(head.committed_at, clock, "head_differs", "head", "not the time of the last entry")
        report.equal(
            head.epoch, self.batches.epoch, "epoch_differs", "head", "not the number of key and erasure batches"
        )

    async def _check_rest(self, edge: RightEdge) -> None:
        """Nothing is there that does not belong to the log."""
        report, size, level, expected = self.report, self.head.size, 0, 0
        while tiles := full_tiles(size, level):
            expected, level = expected + tiles, level + 1
        report.equal(
            await count_tiles(self.connection), expected, "tiles_extra", "tiles", "not the tree's number of tiles"
        )
        for idx in await entries_beyond(self.connection, size, FAULTS_KEPT_MAX):
            report.add("entry_beyond_head", f"entry {idx}", "the head does not cover it")
        for note in await checkpoints_between(self.connection, size, 2**62, FAULTS_KEPT_MAX):
            report.add("log_shrank", f"checkpoint {note.size}", "published, and the log is shorter")
        for row in await orphans(self.connection, FAULTS_KEPT_MAX):
            where = f"batch {row.batch_id} of {row.tenant}, attestation {row.position}"
            report.add("attestation_orphaned", where, "its batch is no entry of the log")
