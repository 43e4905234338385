"""Attestations as a Metro 2 file again: whole records, in the order of their lines, from one lender or from several.

- In: each lender's own attestations, canonical lines in log order. A record is what stands between an `agreement` and
  the `extension` of namespace `metro2` of the same account; everything else (other events, other namespaces, records
  of which some were erased) is passed over.
- The log's order is not the file's: batches may have been committed in any order. Records are kept in a scratch file
  with an index in memory (24 bytes a record), and come out by line, several lenders merged.
- One import is exported: the one asked for, or each lender's latest in the log.
- Header fresh or given; trailer computed from what was written; line ends as they were.
- `compare` holds the written file against an original, record by record, by line number.

    shelf = Shelf(scratch)
    for line in lines: shelf.take("acacia", line)
    report = write_export(out, shelf, header=None, created=date(2026, 3, 31))

Whoever exports decides what the scratch file is; this module opens nothing.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator
from datetime import date
from typing import BinaryIO, Final, NamedTuple

from crosschain.metro2.layout import Form
from crosschain.metro2.mapping import NAMESPACE, Place, Restored, restore
from crosschain.metro2.outline import Claim
from crosschain.metro2.reader import Item, Line
from crosschain.metro2.records import Record, encode, parse
from crosschain.metro2.writer import Writer, header_record
from ledger.attestation.envelope import parse as parse_attestation
from ledger.attestation.sharing_kinds import Extension
from ledger.errors import NotFound

CLAIMS_MAX: Final = 64
"""Attestations of one record; a longer run is not one of ours."""

_ENDS: Final = (b"\n", b"\r\n", b"")


class Assembler:
    """Puts one lender's attestations together to records, as they come by in log order."""

    def __init__(self) -> None:
        self._account: bytes | None = None
        self._claims: list[Claim] = []

    def take(self, data: bytes) -> Restored | None:
        """One canonical line (without line feed); the record that it completes, if it does.

        Raises InvalidInput for a line that is no attestation, or for an extension that is none of ours.
        """
        attestation = parse_attestation(data)
        envelope, body = attestation.envelope, attestation.body
        if envelope.kind == "agreement":
            self._account, self._claims = envelope.account, []
        elif envelope.account != self._account or len(self._claims) >= CLAIMS_MAX:
            self._account, self._claims = None, []
        if self._account is None:
            return None
        self._claims.append(Claim(envelope.kind, envelope.effective_date, envelope.role or "borrower", body))
        if not isinstance(body, Extension):
            return None
        claims, self._account, self._claims = self._claims, None, []
        return restore(claims) if body.namespace == NAMESPACE else None


class Kept(NamedTuple):
    """One record as it is written: its line in the imported file, its bytes, its form, its line end."""

    line: int
    data: bytes
    form: Form
    block: bool
    ending: bytes

    @property
    def record(self) -> Record:
        """The record, parsed again."""
        return parse(self.data, self.form, block=self.block)


class Shelf:
    """Records of any number of imports of any number of lenders, kept in `scratch` and found by import and line."""

    def __init__(self, scratch: BinaryIO) -> None:
        self._scratch = scratch
        self._end = 0
        self._assemblers: dict[str, Assembler] = {}
        self._index: dict[tuple[str, str], _Index] = {}

    def take(self, tenant: str, data: bytes) -> None:
        """One of a tenant's attestations, in log order. Raises InvalidInput as Assembler."""
        restored = self._assemblers.setdefault(tenant, Assembler()).take(data)
        if restored is not None:
            self._keep(tenant, restored)

    def records(self, import_id: str | None = None) -> Iterator[Kept]:
        """The records of one import (None: each tenant's latest) by line, all tenants merged.

        Raises NotFound `import_unknown` when there is none.
        """
        chosen = [index for key, index in self._chosen(import_id)]
        if not chosen:
            raise NotFound("import_unknown", "no record of such an import is on the ledger", found=import_id)
        entries = heapq.merge(*[index.by_line() for index in chosen])
        return (self._read(line, start, size, mark) for line, start, size, mark in entries)

    def imports(self, import_id: str | None = None) -> list[str]:
        """The ids of the imports that `records` would give, each once."""
        return sorted({key[1] for key, _ in self._chosen(import_id)})

    def _chosen(self, import_id: str | None) -> list[tuple[tuple[str, str], _Index]]:
        if import_id is not None:
            return [(key, index) for key, index in self._index.items() if key[1] == import_id]
        latest = {key[0]: (key, index) for key, index in sorted(self._index.items(), key=lambda pair: pair[1].last)}
        return list(latest.values())

    def _keep(self, tenant: str, restored: Restored) -> None:
        place, record = restored
        data = encode(record)
        key = tenant, place.import_id
        self._scratch.seek(self._end)
        self._scratch.write(data)
        self._index.setdefault(key, _Index()).add(place, self._end, len(data), record)
        self._end += len(data)

    def _read(self, line: int, start: int, size: int, mark: int) -> Kept:
        self._scratch.seek(start)
        form = Form.PACKED if mark & 4 else Form.CHARACTER
        return Kept(line, self._scratch.read(size), form, bool(mark & 8), _ENDS[mark & 3])


class _Index:
    """Where the records of one import are: line, start, and size with form, block and line end, eight bytes each."""

    def __init__(self) -> None:
        self._lines, self._starts, self._sizes = array("Q"), array("Q"), array("Q")
        self.last = 0

    def add(self, place: Place, start: int, size: int, record: Record) -> None:
        mark = _ENDS.index(place.ending) | (record.form is Form.PACKED) << 2 | bool(record.block) << 3
        self._lines.append(place.line)
        self._starts.append(start)
        self._sizes.append(size << 4 | mark)
        self.last = start

    def by_line(self) -> Iterator[tuple[int, int, int, int]]:
        """(line, start, size, mark) in the order of lines; a line that was published twice comes once, the later."""
        lines = self._lines
        order = sorted(range(len(lines)), key=lines.__getitem__)
        for n, place in enumerate(order):
            if n + 1 == len(order) or lines[order[n + 1]] != lines[place]:
                size = self._sizes[place]
                yield lines[place], self._starts[place], size >> 4, size & 15


class ExportReport(NamedTuple):
    """What was written: the imports, the records, and the bytes of the file's form."""

    imports: list[str]
    records: int
    form: str


class Comparison(NamedTuple):
    """An export held against an original: records equal byte for byte, other, absent from the export, and not in the
    original."""

    identical: int
    differing: int
    missing: int
    extra: int


def write_export(
    out: BinaryIO, shelf: Shelf, *, header: Record | None, created: date, import_id: str | None = None
) -> ExportReport:
    """Write header, records by line and a computed trailer. `header` None: a fresh one of the day `created`.

    Raises NotFound `import_unknown`, InvalidInput `form_mixed` where imports of both forms were chosen.
    """
    writer: Writer | None = None
    count, form = 0, Form.CHARACTER
    for kept in shelf.records(import_id):
        if writer is None:
            form, writer = kept.form, Writer(out, form=kept.form, ending=kept.ending)
            writer.record(header or header_record({"activity_date": created, "date_created": created}, form))
        writer.record(kept.record, ending=kept.ending)
        count += 1
    if writer is not None:
        writer.trailer()
    return ExportReport(shelf.imports(import_id), count, form.value)


def compare(original: Iterable[Item], exported: Iterable[Item], lines: Iterable[int]) -> Comparison:
    """Hold each accepted record of an original against the exported file's.

    `lines` are the original line numbers of the exported records, in order: the file does not tell them.
    """
    written = zip(lines, (item for item in exported if isinstance(item, Line)), strict=True)
    identical = differing = missing = extra = 0
    current = next(written, None)
    for item in original:
        if not isinstance(item, Line):
            continue
        while current is not None and current[0] < item.line:
            current, extra = next(written, None), extra + 1
        if current is None or current[0] != item.line:
            missing += 1
            continue
        same = encode(current[1].record) + current[1].ending == encode(item.record) + item.ending
        identical, differing = identical + same, differing + (not same)
        current = next(written, None)
    return Comparison(identical, differing, missing, extra + (current is not None) + sum(1 for _ in written))
