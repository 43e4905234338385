"""The two long runs of a lender: a Metro 2 file onto the ledger, and off it again.

- Up to four batches are under way at a time. One that the ledger refuses for what a loan allows (REFUSED_ALONE) is cut
  in two until the record stands alone, which becomes a reject; the file goes on.
- An import is known by its content (unzipped), its as-of date and its subject rule, and keeps the time of its first
  run in a journal: run again after a crash, it makes the same batches, and nothing is published twice.
- An export appears whole or not at all, readable by its owner alone.

    report = await import_file(path, credentials, as_of=date(2019, 1, 31), subject_rule_name="assigned")
    report["records_published"], report["duplicates"]

It prints nothing: exchange.py does.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple
from uuid import UUID

import httpx

from api.cli.ledger_client import Credentials, Ledger, Sleep
from crosschain.limits import READ_CHUNK_BYTES
from crosschain.metro2.exporter import Comparison, Shelf, compare, write_export
from crosschain.metro2.importer import Job, Scribe, SignedBatch, plan_batches, split
from crosschain.metro2.reader import Header, Line, open_input, read
from crosschain.metro2.records import Record
from crosschain.metro2.report import ImportReport, RejectsSink
from crosschain.metro2.subjects import ACCOUNTS_PER_BORROWER, subject_rule
from ledger.errors import InvalidInput, TallystickError
from ledger.limits import BATCH_ATTESTATIONS_MAX
from ledger.subject.pseudonym import KeyedPseudonyms
from ledger.types import UnixMillis

IN_FLIGHT: Final = 4
"""Batches under way at a time: enough to keep a committer busy, little enough to hold in memory."""

REFUSED_ALONE: Final = frozenset(["transition_refused", "currency_differs", "subject_differs"])
"""Codes of a refusal that is about one loan in the batch, not about the batch."""


class Survey(NamedTuple):
    """What one pass over a file tells: SHA-256 of its content, its bytes once inflated, its lines."""

    digest: bytes
    size: int
    lines: int


def survey(path: Path) -> Survey:
    """Read a file once, in pieces."""
    digest, size, lines = sha256(), 0, 0
    with open_input(path) as stream:
        while piece := stream.read(READ_CHUNK_BYTES):
            digest.update(piece)
            size, lines = size + len(piece), lines + piece.count(b"\n")
    # A packed file has no lines: its records are at least 366 bytes, mostly little more.
    return Survey(digest.digest(), size, max(lines, size // 500))


def import_id_of(content: bytes, as_of: date, rule: str) -> UUID:
    """The id of an import, a UUIDv8 (RFC 9562 section 5.8): same content, date and rule, same id, at every lender."""
    seed = sha256(b"tallystick/import-id/v1\0" + content + f"{as_of.isoformat()}|{rule}".encode()).digest()
    return UUID(int=int.from_bytes(seed[:16]) & ~(0xF << 76 | 3 << 62) | 8 << 76 | 2 << 62)


class Begun(NamedTuple):
    """When an import first ran (UTC milliseconds) and in batches of which size: every further run does the same."""

    started_ms: int
    batch_size: int


def begin(folder: Path, credentials: Credentials, import_id: UUID, *, now_ms: int, batch_size: int) -> Begun:
    """What the journal in `folder` says of an import; the first run writes it down before anything is published."""
    name = sha256(f"{credentials.ledger}|{credentials.tenant}|{import_id}".encode()).hexdigest()[:32]
    path = folder / f"{name}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps({"startedMs": now_ms, "batchSize": batch_size}), encoding="utf-8")
        with suppress(FileExistsError):  # of two that begin at once, one wins and both read what it wrote
            os.link(written, path)
        written.unlink()
    known = json.loads(path.read_text(encoding="utf-8"))
    return Begun(int(known["startedMs"]), int(known["batchSize"]))


async def import_file(
    path: Path,
    credentials: Credentials,
    *,
    as_of: date,
    subject_rule_name: str = "national-id",
    client: httpx.AsyncClient | None = None,
    borrowers: int | None = None,
    batch_size: int = BATCH_ATTESTATIONS_MAX,
    journal: Path | None = None,
    started_ms: int | None = None,
    rejects: Path | None = None,
    select: Callable[[Line], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    sleep: Sleep = asyncio.sleep,
) -> dict[str, Any]:
    """Publish a Metro 2 file; the report as plain JSON values.

    `journal` None: the import begins at `started_ms` (default now) and is not resumable. `select` takes some of the
    records, where several lenders share a file. `progress` is told (bytes done, bytes in all). Raises InvalidInput,
    Unavailable, Untrusted, Refused or Conflict when the import cannot go on; what was published stays, and the same
    call with the same journal goes on from there.
    """
    began, seen = time.monotonic(), await asyncio.to_thread(survey, path)
    people = borrowers or max(1, seen.lines // ACCOUNTS_PER_BORROWER)
    rule = subject_rule(subject_rule_name, tenant=credentials.tenant, borrowers=people)
    import_id = import_id_of(seen.digest, as_of, subject_rule_name)
    begun = Begun(started_ms or time.time_ns() // 1_000_000, batch_size)
    if journal is not None:
        begun = begin(journal, credentials, import_id, now_ms=begun.started_ms, batch_size=batch_size)
    job = _job(credentials, import_id, begun)
    report = ImportReport()
    with ExitStack() as files:
        out = None if rejects is None else files.enter_context(_private(rejects))
        stream = files.enter_context(open_input(path))
        sink, scribe = RejectsSink(report, out), Scribe(job)
        async with _client(client) as http:
            ledger = Ledger(http, credentials, sleep=sleep)
            run = _Run(ledger, scribe, sink, lambda done: progress(done, seen.size) if progress else None)
            plan = plan_batches(read(stream), job, rule=rule, subject_of=ledger.subjects, rejects=sink, report=report,
                                scribe=scribe, select=select)  # fmt: skip
            await run.publish_all(plan)
    seconds = time.monotonic() - began
    return report.as_dict() | {
        "tenant": credentials.tenant,
        "as_of": as_of.isoformat(),
        "subject_rule": subject_rule_name,
        "borrowers": people if subject_rule_name == "assigned" else None,
        "duplicates": run.duplicates,
        "attestations": report.attestations - run.withdrawn,
        "retries": ledger.retries,
        "seconds": round(seconds, 3),
        "attestations_per_s": round((report.attestations - run.withdrawn) / seconds, 1),
    }


def _job(credentials: Credentials, import_id: UUID, begun: Begun) -> Job:
    references = KeyedPseudonyms(credentials.account_salt)
    return Job(
        tenant=credentials.tenant,
        origin=credentials.ledger,
        key=credentials.key,
        secret=credentials.account_salt,
        account_ref=lambda number: references.account(credentials.tenant, number),
        import_id=import_id,
        started_ms=UnixMillis(begun.started_ms),
        batch_size=begun.batch_size,
    )


class _Run:
    """Posts the batches of one import, several at a time, and cuts up those that are refused for one record."""

    def __init__(self, ledger: Ledger, scribe: Scribe, sink: RejectsSink, told: Callable[[int], None]) -> None:
        self._ledger, self._scribe, self._sink, self._told = ledger, scribe, sink, told
        self.duplicates = 0
        self.withdrawn = 0

    async def publish_all(self, plan: AsyncIterator[SignedBatch]) -> None:
        """Every batch of the plan; the first failure that is not one record's ends the run."""
        pending: set[asyncio.Task[None]] = set()
        try:
            async for batch in plan:
                if len(pending) >= IN_FLIGHT:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                pending.add(asyncio.create_task(self._publish(batch)))
                await asyncio.sleep(0)  # let it start before the next batch is made
            for answered in asyncio.as_completed(pending):
                await answered
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _publish(self, batch: SignedBatch) -> None:
        try:
            answer = await self._ledger.publish(batch)
        except TallystickError as fault:
            if fault.code not in REFUSED_ALONE:
                raise
            await self._publish_apart(batch, fault.code)
            return
        self.duplicates += bool(answer.get("duplicate"))
        last = batch.records[-1]
        self._told(last.offset + len(last.raw))

    async def _publish_apart(self, batch: SignedBatch, code: str) -> None:
        if len(batch.records) > 1:
            for half in split(batch, self._scribe):
                await self._publish(half)
            return
        record = batch.records[0]
        self.withdrawn += batch.count
        self._sink.withdraw(record.line, record.offset, code, record.raw)


@asynccontextmanager
async def _client(given: httpx.AsyncClient | None) -> AsyncIterator[httpx.AsyncClient]:
    """The caller's client, or one of our own that is closed afterwards."""
    if given is not None:
        yield given
        return
    async with httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=5.0)) as made:
        yield made


async def export_file(
    lenders: list[Credentials],
    *,
    out: Path,
    created: date,
    client: httpx.AsyncClient | None = None,
    import_id: str | None = None,
    compare_with: Path | None = None,
    header_of: Path | None = None,
    sleep: Sleep = asyncio.sleep,
) -> dict[str, Any]:
    """Write one import of one or several lenders back as a Metro 2 file; the report as plain JSON values.

    `out` appears whole or not at all. `header_of` names a file whose header is used; else it is fresh, of `created`.
    With `compare_with` the written file is read again and held against the original: `export_identical`, `differing`,
    `missing`, `extra`. Raises NotFound `import_unknown`, and what the ledger answers.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as scratch:
        shelf = Shelf(scratch)
        async with _client(client) as http:
            for lender in lenders:
                async for line in Ledger(http, lender, sleep=sleep).attestations():
                    shelf.take(lender.tenant, line)
        report = await asyncio.to_thread(_write, out, shelf, header_of, created, import_id)
        if compare_with is not None:
            found = await asyncio.to_thread(_compare, compare_with, out, shelf, import_id)
            report |= {"export_identical": found.identical} | {
                name: value for name, value in found._asdict().items() if name != "identical"
            }
    return report | {"seconds": round(time.monotonic() - began, 3)}


def _write(out: Path, shelf: Shelf, header_of: Path | None, created: date, import_id: str | None) -> dict[str, Any]:
    header = None if header_of is None else _header(header_of)
    partial = out.with_name(f"{out.name}.partial")
    try:
        with _private(partial) as stream:
            written = write_export(stream, shelf, header=header, created=created, import_id=import_id)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return {"out": str(out), **written._asdict()}


def _private(path: Path) -> BinaryIO:
    """A new file that only its owner may read: an export holds what the original held."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "wb")


def _header(path: Path) -> Record:
    with open_input(path) as stream:
        first = next(read(stream), None)
        if not isinstance(first, Header):
            raise InvalidInput("header_missing", "the file does not begin with a header", path=str(path))
        return first.record


def _compare(original: Path, exported: Path, shelf: Shelf, import_id: str | None) -> Comparison:
    with open_input(original) as before, open_input(exported) as after:
        return compare(read(before), read(after), [kept.line for kept in shelf.records(import_id)])
