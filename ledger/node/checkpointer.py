"""Publishes the head: every second in which it moved, one signed checkpoint, kept in the store and beside it.

Rules
- What is signed was committed and read back. The note goes to the store (append-only), to a file outside the database
  (new file, fsync, rename), and to whoever asks for ``/checkpoint``.
- On start the head is compared with the newest checkpoint of the store *and* of the file. A head behind either, or with
  another root at the same size, means that the database was rolled back: a log that signs on would fork. Signing is
  frozen then, reads go on, and a human decides.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from ledger.errors import TallystickError
from ledger.limits import CHECKPOINT_INTERVAL_MS
from ledger.log.checkpoint import Checkpoint, open_checkpoint
from ledger.log.note import NoteVerifier
from ledger.log.tiles import root_from_tiles
from ledger.node.clock import Sources
from ledger.node.log_reader import LogReader
from ledger.store.database import Database
from ledger.store.log_rows import Head, insert_checkpoint, last_checkpoint

FILE_NAME = "published-checkpoint"


class Checkpointer:
    """Signs and publishes the head of one log."""

    def __init__(
        self, database: Database, log: LogReader, verifier: NoteVerifier, sources: Sources, home: Path | None
    ) -> None:
        self._database = database
        self._log = log
        self._verifier = verifier
        self._sources = sources
        self._file = None if home is None else home / FILE_NAME
        self._task: asyncio.Task[None] | None = None
        self.published = b""

    async def compare(self) -> None:
        """Compare the head with what was published, before anything is signed; freezes signing when it is behind."""
        self._log.frozen = await self._rollback_found(await self._log.head())

    async def start(self) -> None:
        """Publish the head, unless signing is frozen, and go on doing so."""
        if not self._log.frozen:
            await self.publish()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Publish a last time and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            if not self._log.frozen:
                await self.publish()

    async def publish(self) -> bytes:
        """Sign the committed head and publish the note; gives it."""
        head = await self._log.head()
        note = self._log.signed(head)
        if note != self.published:
            async with self._database.writing() as connection:
                await insert_checkpoint(connection, head.size, head.root, note, self._sources.now())
            if self._file is not None:
                await asyncio.to_thread(_write_durably, self._file, note)
            self.published = note
        return note

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT_INTERVAL_MS / 1000)
            try:
                if not self._log.frozen:
                    await self.publish()
            except (TallystickError, OSError):
                # The database is away or the disk is full: the next second tries again, and /readyz shows the age.
                continue

    async def _rollback_found(self, head: Head) -> str:
        """Why signing would fork the log, or nothing."""
        async with self._database.reading() as connection:
            stored = await last_checkpoint(connection)
        in_file = self._file.read_bytes() if self._file is not None and self._file.exists() else None
        for where, note in (("the store", stored), ("the file beside it", in_file)):
            if note is None:
                continue
            published = open_checkpoint(note, [self._verifier]).checkpoint
            if published.size > head.size or await self._root_at(published, head) != published.root:
                return (
                    f"the log of {head.size} entries does not contain the checkpoint of {published.size} entries in "
                    f"{where}: the database was restored to an earlier state or altered; nothing is signed"
                )
        return ""

    async def _root_at(self, published: Checkpoint, head: Head) -> bytes:
        if published.size == head.size:
            return head.root
        tiles = await self._log.tiles_of(published.size)
        return root_from_tiles(published.size, tiles.__getitem__)


def _write_durably(path: Path, data: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
