"""A Metro 2 file as signed batches: streamed, exact, and the same bytes each time it is run.

- A record is published whole, in one batch, or not at all: its attestations are never split over two batches.
- Whatever cannot be published is a reject (line, offset, field, rule, value, raw bytes), and the file goes on:
  what the reader refuses; `subject_missing`; `not_mappable`, when a record would not come back byte for byte.
- Idempotent and resumable: ids, salts and batch ids follow from the import (its id and time), a secret of the tenant
  and the line, and nothing else. The same import run again is the same batches, which the ledger answers as the first
  time. Time is the import's, not the clock's.
- A batch that the ledger refuses because of one record can be cut in two (`split`) until that record stands alone.
- Memory: the records of one batch.

    planned = plan_batches(read(stream), job, rule=rule, subject_of=resolve, rejects=sink, report=report)
    async for batch in planned: ...post batch.token and batch.body...

Ids are UUIDv7 (RFC 9562 section 5.7, counter after section 6.2): the import's time, line and number as a counter, then
34 bits of HMAC. An attestation's bytes are put together from prepared pieces, equal to envelope.compose's (a test holds
the two together), at a third of its cost.

It opens no file and no connection: items come in, batches go out.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256, shake_256
from typing import Any, Final, NamedTuple
from uuid import UUID

from crosschain.metro2.mapping import Place, claims_of, restore
from crosschain.metro2.outline import Claim
from crosschain.metro2.reader import Header, Item, Line, Reject
from crosschain.metro2.records import Record, encode
from crosschain.metro2.report import ImportReport, RejectsSink
from crosschain.metro2.rules import warnings
from crosschain.metro2.subjects import Identifier, SubjectRule
from crosschain.metro2.totals import Totals
from ledger.attestation.batch import Statement, sign_statement
from ledger.attestation.credit_kinds import StatusSnapshot
from ledger.attestation.envelope import LEAF_PREFIX, encode_body
from ledger.attestation.keys import PrivateKey
from ledger.errors import InvalidInput
from ledger.limits import ATTESTATION_BYTES_MAX, BATCH_ATTESTATIONS_MAX, SALT_BYTES
from ledger.log.merkle import root_of
from ledger.types import UnixMillis

BATCH_SIZE_MIN: Final = 64
"""Smallest batch size: one record has at most 30 attestations, and none is split."""

RESOLVE_MAX: Final = 2_048
"""Identifiers resolved in one call, at most; records waiting for their subjects are as few."""

_ID_DOMAIN: Final = b"tallystick/import/v1"
_COUNTER_BITS: Final = 7
_ID_RANDOM_BITS: Final = 34
_LINE_MAX: Final = 2**33 - 1

Resolver = Callable[[list[Identifier]], Awaitable[list[bytes]]]
"""Gives the pseudonym (32 bytes) of each identifier, in order."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One import: who publishes what where, and when it began (UTC milliseconds, kept for every run of this import).

    `secret` (32 bytes) is the tenant's own; `account_ref` makes the salted reference of an account number.
    """

    tenant: str
    origin: str
    key: PrivateKey
    secret: bytes = field(repr=False)
    account_ref: Callable[[str], bytes]
    import_id: UUID
    started_ms: UnixMillis
    batch_size: int = BATCH_ATTESTATIONS_MAX
    jurisdiction: str = "US"
    currency: str = "USD"
    legal_basis: str = "contract"

    def __post_init__(self) -> None:
        if not BATCH_SIZE_MIN <= self.batch_size <= BATCH_ATTESTATIONS_MAX:
            expected = f"{BATCH_SIZE_MIN}..{BATCH_ATTESTATIONS_MAX}"
            raise InvalidInput("batch_size_invalid", "no such batch size", expected=expected, found=self.batch_size)


class Published(NamedTuple):
    """One record inside a batch: where it stood, its bytes, its attestations' lines and their commitments."""

    line: int
    offset: int
    raw: bytes
    data: bytes
    commitments: tuple[bytes, ...]


@dataclass(frozen=True)
class SignedBatch:
    """A batch ready to be posted: the statement's token, the NDJSON body, and the records in it."""

    token: bytes
    body: bytes
    batch_id: UUID
    count: int
    records: tuple[Published, ...]

    @property
    def first_line(self) -> int:
        """The file's line of the first record."""
        return self.records[0].line

    @property
    def last_line(self) -> int:
        """The file's line of the last record."""
        return self.records[-1].line


class Scribe:
    """Writes a job's attestations and signs its batches."""

    def __init__(self, job: Job) -> None:
        self._job = job
        moment = f"{job.started_ms:012x}"
        self._id_head = f"{moment[:8]}-{moment[8:]}-7"
        self._secret = hmac.digest(job.secret, _ID_DOMAIN + job.tenant.encode() + job.import_id.bytes, "sha256")
        self._tail = f'","schema":1,"subject":"%s","tenant":"{job.tenant}"}}\n'
        said = f'"legalBasis":"{job.legal_basis}","reportedAt":{job.started_ms},"role":"'
        self._middle = f'","jurisdiction":"{job.jurisdiction}","kind":"%s",{said}'
        self._month_body = lru_cache(maxsize=64)(self._text_of)

    def record(self, line: Line, claims: Iterable[Claim], subject: bytes) -> Published:
        """One record's attestations. Raises InvalidInput `not_mappable` for one that is too long."""
        account_number = line.record.base.text_of("consumer_account_number").strip(" ")
        lines = self._lines(line.line, list(claims), self._job.account_ref(account_number), subject)
        if max(map(len, lines)) > ATTESTATION_BYTES_MAX:
            raise InvalidInput("not_mappable", "an attestation of this record is too long", path="line")
        commitments = tuple([sha256(LEAF_PREFIX + data[:-1]).digest() for data in lines])
        return Published(line.line, line.offset, encode(line.record), b"".join(lines), commitments)

    def batch(self, records: Iterable[Published]) -> SignedBatch:
        """The records as one signed batch; its id follows from its first and last line."""
        whole = tuple(records)
        commitments = [commitment for record in whole for commitment in record.commitments]
        batch_id = self._batch_id(whole[0].line, whole[-1].line)
        job = self._job
        statement = Statement(
            batch=batch_id,
            count=len(commitments),
            ledger=job.origin,
            root=root_of(commitments),
            tenant=job.tenant,
            time=job.started_ms,
        )
        body = b"".join([record.data for record in whole])
        return SignedBatch(sign_statement(statement, job.key), body, batch_id, len(commitments), whole)

    def _lines(self, number: int, claims: list[Claim], account: bytes, subject: bytes) -> list[bytes]:
        """The canonical line of each claim, its line feed included (envelope.py says which members in which order)."""
        stream = shake_256(self._secret + number.to_bytes(8)).digest((SALT_BYTES + 5) * len(claims))
        salts, tails = stream[: SALT_BYTES * len(claims)], stream[SALT_BYTES * len(claims) :]
        head, role = f'{{"account":"{_base64(account)}","body":', claims[0].role
        tail = self._tail % _base64(subject)
        lines = []
        for n, (kind, day, _, body) in enumerate(claims):
            lone = isinstance(body, StatusSnapshot) and body.status is None
            text = self._month_body(body) if lone else self._text_of(body)
            salt = _base64(salts[SALT_BYTES * n : SALT_BYTES * n + SALT_BYTES])
            identifier = self._id(number << _COUNTER_BITS | n, int.from_bytes(tails[5 * n : 5 * n + 5]))
            middle = self._middle % kind
            begun = f'{head}{text},"effectiveDate":"{_iso(day)}","id":"{identifier}'
            lines.append(f'{begun}{middle}{role}","salt":"{salt}{tail}'.encode("ascii"))
        return lines

    def _id(self, counter: int, random: int) -> str:
        """A UUIDv7: time, then a counter of 40 bits (12 before the variant, 28 after), then 34 bits of HMAC."""
        low = (counter & 0xFFFFFFF) << _ID_RANDOM_BITS | random & (1 << _ID_RANDOM_BITS) - 1
        return f"{self._id_head}{counter >> 28:03x}-{0x8000 | low >> 48:04x}-{low & 0xFFFFFFFFFFFF:012x}"

    def _batch_id(self, first: int, last: int) -> UUID:
        seed = hmac.digest(self._secret, b"batch" + first.to_bytes(8) + last.to_bytes(8), "sha256")
        random = int.from_bytes(seed[:10])
        value = self._job.started_ms << 80 | 7 << 76 | (random >> 62 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
        return UUID(int=value)

    @staticmethod
    def _text_of(body: Any) -> str:
        return encode_body(body).decode("ascii")


def split(batch: SignedBatch, scribe: Scribe) -> tuple[SignedBatch, SignedBatch]:
    """The same records in two batches. Raises InvalidInput `batch_indivisible` for a batch of one record."""
    if len(batch.records) < 2:
        raise InvalidInput("batch_indivisible", "one record is never split", path=f"line[{batch.first_line}]")
    half = len(batch.records) // 2
    return scribe.batch(batch.records[:half]), scribe.batch(batch.records[half:])


async def plan_batches(
    items: Iterable[Item],
    job: Job,
    *,
    rule: SubjectRule,
    subject_of: Resolver,
    rejects: RejectsSink,
    report: ImportReport,
    scribe: Scribe | None = None,
    select: Callable[[Line], bool] | None = None,
) -> AsyncIterator[SignedBatch]:
    """The batches of a file, in the order of its lines; `report` fills up as they are taken.

    `select` leaves out the records of other lenders where one file is shared among several; totals and rejects of the
    reader are of the whole file all the same.
    """
    writer, packer = scribe or Scribe(job), _Packer(job.batch_size)
    report.import_id = str(job.import_id)
    async for line, subject, parties in _resolved(_accepted(items, rejects, report, select), rule, subject_of, rejects):
        try:
            published = _published(line, job, writer, subject, parties)
        except InvalidInput as fault:
            value = "" if fault.found is None else str(fault.found)
            rejects.add(line.line, line.offset, fault.path or "line", fault.code, value, encode(line.record))
            continue
        report.kinds.update(published.kinds)
        full = packer.add(published.record)
        if full:
            yield _counted(writer.batch(full), report)
    if packer.waiting:
        yield _counted(writer.batch(packer.waiting), report)


class _Written(NamedTuple):
    record: Published
    kinds: tuple[str, ...]


class _Packer:
    """Groups records into batches of at most `size` attestations."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self.waiting: list[Published] = []

    def add(self, record: Published) -> list[Published]:
        """Take one record; the records of a batch when this one did not fit into it any more, else nothing."""
        full: list[Published] = []
        if self._count + len(record.commitments) > self._size:
            full, self.waiting, self._count = self.waiting, [], 0
        self.waiting.append(record)
        self._count += len(record.commitments)
        return full


def _accepted(
    items: Iterable[Item], rejects: RejectsSink, report: ImportReport, select: Callable[[Line], bool] | None
) -> Iterable[Line]:
    totals = Totals()
    for item in items:
        if isinstance(item, Reject):
            rejects.add(item.line, item.offset, item.field, item.rule, item.value, item.raw)
            continue
        totals.add(item.record)
        if isinstance(item, Line):
            if select is None or select(item):
                report.records_in += 1
                report.warnings.update([warning.code for warning in warnings(item.record)])
                yield item
        elif not isinstance(item, Header):
            report.trailer_mismatches = [mismatch._asdict() for mismatch in totals.compare(item.record)]


_Known = tuple[Line, bytes, list[bytes | None]]


async def _resolved(
    lines: Iterable[Line], rule: SubjectRule, subject_of: Resolver, rejects: RejectsSink
) -> AsyncIterator[_Known]:
    """Each line with the pseudonyms of its borrower and parties, asked for many at a time."""
    waiting: list[tuple[Line, Identifier, list[Identifier | None]]] = []
    asked = 0
    for line in lines:
        try:
            borrower, parties = rule.borrower(line.record), rule.parties(line.record)
        except InvalidInput as fault:
            rejects.add(line.line, line.offset, fault.path or "line", fault.code, "", encode(line.record))
            continue
        if asked + 1 + len(parties) > RESOLVE_MAX:
            for known in await _answers(waiting, subject_of):
                yield known
            waiting, asked = [], 0
        waiting.append((line, borrower, parties))
        asked += 1 + len(parties)
    for known in await _answers(waiting, subject_of):
        yield known


async def _answers(
    waiting: list[tuple[Line, Identifier, list[Identifier | None]]], subject_of: Resolver
) -> list[_Known]:
    named = {borrower for _, borrower, _ in waiting}
    named.update(who for _, _, parties in waiting for who in parties if who is not None)
    asked = sorted(named)
    found = dict(zip(asked, await subject_of(asked), strict=True)) if asked else {}
    return [
        (line, found[borrower], [None if who is None else found[who] for who in parties])
        for line, borrower, parties in waiting
    ]


def _published(line: Line, job: Job, scribe: Scribe, subject: bytes, parties: list[bytes | None]) -> _Written:
    """One record's attestations, after it was rebuilt from them and found the same."""
    if line.line > _LINE_MAX:
        raise InvalidInput("not_mappable", "the file has too many lines", path="line")
    place = Place(str(job.import_id), line.line, line.ending)
    claims = claims_of(line.record, place, seller=job.tenant, parties=parties, currency=job.currency)
    if not _comes_back(line.record, place, claims):
        raise InvalidInput("not_mappable", "the record would not come back byte for byte", path="line")
    return _Written(scribe.record(line, claims, subject), tuple([claim.kind for claim in claims]))


def _comes_back(record: Record, place: Place, claims: tuple[Claim, ...]) -> bool:
    restored = restore(claims)
    return restored.place == place and encode(restored.record) == encode(record)


def _counted(batch: SignedBatch, report: ImportReport) -> SignedBatch:
    report.batches += 1
    report.records_published += len(batch.records)
    report.attestations += batch.count
    return batch


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@lru_cache(maxsize=16_384)
def _iso(day: Any) -> str:
    text: str = day.isoformat()
    return text
