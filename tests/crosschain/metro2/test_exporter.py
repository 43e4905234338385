"""What was imported is written back: by line, from several lenders, whatever the order of the log."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from crosschain.metro2.exporter import Comparison, Shelf, compare, write_export
from crosschain.metro2.importer import Job, SignedBatch, plan_batches
from crosschain.metro2.layout import Form
from crosschain.metro2.reader import Header, Line, Trailer, read
from crosschain.metro2.report import ImportReport, RejectsSink
from crosschain.metro2.subjects import Identifier, subject_rule
from crosschain.metro2.synthetic import synthetic_records
from crosschain.metro2.values import convert
from crosschain.metro2.writer import header_record, write_file
from ledger.attestation.keys import PrivateKey
from ledger.errors import InvalidInput, NotFound
from ledger.types import UnixMillis

FIRST, SECOND = UUID(int=8 << 76 | 2 << 62 | 1), UUID(int=8 << 76 | 2 << 62 | 2)
JOB = Job(
    tenant="acacia",
    origin="tally.example/one",
    key=PrivateKey.from_random("EdDSA", bytes(range(32))),
    secret=b"s" * 32,
    account_ref=lambda number: hashlib.sha256(number.encode()).digest(),
    import_id=FIRST,
    started_ms=UnixMillis(1_769_904_000_000),
    batch_size=64,
)
RULE = subject_rule("assigned", tenant="acacia", borrowers=20)


def invented(form: Form = Form.CHARACTER, seed: int = 9, ending: bytes = b"\n") -> bytes:
    out = io.BytesIO()
    header = header_record({"reporter_name": "INVENTED"}, form)
    records = (convert(made, form) for made in synthetic_records(accounts=60, seed=seed, as_of=date(2026, 1, 31)))
    write_file(out, header, records, form=form, ending=ending)
    return out.getvalue()


async def published(data: bytes, job: Job = JOB, thirds: tuple[int, ...] = (0, 1, 2)) -> list[SignedBatch]:
    async def resolve(identifiers: list[Identifier]) -> list[bytes]:
        return [hashlib.sha256(repr(identifier).encode()).digest() for identifier in identifiers]

    report = ImportReport()
    plan = plan_batches(
        read(io.BytesIO(data)), job, rule=RULE, subject_of=resolve, rejects=RejectsSink(report), report=report,
        select=lambda line: line.line % 3 in thirds,
    )  # fmt: skip
    return [batch async for batch in plan]


def shelved(streams: dict[str, list[SignedBatch]]) -> Shelf:
    shelf = Shelf(io.BytesIO())
    for tenant, batches in streams.items():
        for batch in batches:
            for line in batch.body.splitlines():
                shelf.take(tenant, line)
    return shelf


def exported(shelf: Shelf, import_id: str | None = None) -> bytes:
    out = io.BytesIO()
    write_export(out, shelf, header=None, created=date(2026, 2, 1), import_id=import_id)
    return out.getvalue()


def held_against(original: bytes, written: bytes, shelf: Shelf) -> Comparison:
    return compare(read(io.BytesIO(original)), read(io.BytesIO(written)), [kept.line for kept in shelf.records()])


@pytest.mark.parametrize(("form", "ending"), [(Form.CHARACTER, b"\n"), (Form.CHARACTER, b"\r\n"), (Form.PACKED, b"\n")])
async def test_a_file_comes_back_byte_for_byte_in_its_form(form: Form, ending: bytes) -> None:
    data = invented(form, ending=ending)
    shelf = shelved({"acacia": await published(data)})
    written = exported(shelf)
    assert held_against(data, written, shelf) == Comparison(60, 0, 0, 0)
    items = list(read(io.BytesIO(written)))
    assert isinstance(items[0], Header) and isinstance(items[-1], Trailer)
    assert isinstance(items[-1], Trailer) and items[-1].record == list(read(io.BytesIO(data)))[-1].record  # type: ignore[union-attr]


async def test_the_log_may_hold_the_batches_in_any_order() -> None:
    data = invented()
    batches = await published(data)
    assert exported(shelved({"acacia": batches[::-1]})) == exported(shelved({"acacia": batches}))


async def test_several_lenders_make_one_file_in_the_order_of_its_lines() -> None:
    data = invented()
    streams = {
        tenant: await published(data, replace(JOB, tenant=tenant), (third,))
        for third, tenant in enumerate(("acacia", "baobab", "cedar"))
    }
    shelf = shelved(streams)
    assert [kept.line for kept in shelf.records()] == list(range(2, 62))
    assert held_against(data, exported(shelf), shelf) == Comparison(60, 0, 0, 0)


async def test_the_latest_import_is_written_unless_another_is_named() -> None:
    before, after = invented(seed=1), invented(seed=2)
    shelf = shelved({"acacia": [*await published(before), *await published(after, replace(JOB, import_id=SECOND))]})
    assert shelf.imports() == [str(SECOND)]
    assert held_against(after, exported(shelf), shelf) == Comparison(60, 0, 0, 0)
    assert held_against(before, exported(shelf, str(FIRST)), shelf) == Comparison(60, 0, 0, 0)


async def test_an_import_that_is_not_there_is_not_found() -> None:
    shelf = shelved({"acacia": await published(invented())})
    for missing, import_id in ((Shelf(io.BytesIO()), None), (shelf, str(SECOND))):
        with pytest.raises(NotFound) as refused:
            exported(missing, import_id)
        assert refused.value.code == "import_unknown"


async def test_a_record_of_which_an_attestation_is_gone_is_left_out_alone() -> None:
    data = invented()
    lines = [line for batch in await published(data) for line in batch.body.splitlines()]
    agreements = [n for n, line in enumerate(lines) if b'"kind":"agreement"' in line]
    for gone in (agreements[4], agreements[5] - 1):
        shelf = Shelf(io.BytesIO())
        for n, line in enumerate(lines):
            if n != gone:
                shelf.take("acacia", line)
        assert held_against(data, exported(shelf), shelf) == Comparison(59, 0, 1, 0)


async def test_a_line_published_twice_is_written_once() -> None:
    data = invented()
    batches = await published(data)
    shelf = shelved({"acacia": [*batches, *batches]})
    assert held_against(data, exported(shelf), shelf) == Comparison(60, 0, 0, 0)


async def test_a_comparison_tells_other_missing_and_extra_records_apart() -> None:
    data = invented()
    lines = data.split(b"\n")
    changed = b"\n".join([*lines[:4], lines[4].replace(b"INVENTED", b"INVENTER"), *lines[5:]])
    shelf = shelved({"acacia": await published(data)})
    assert held_against(changed, exported(shelf), shelf) == Comparison(59, 1, 0, 0)
    part = shelved({"acacia": await published(data, thirds=(0, 1))})
    assert held_against(data, exported(part), part) == Comparison(40, 0, 20, 0)
    shorter = b"\n".join(lines[:31]) + b"\n"
    assert held_against(shorter, exported(shelf), shelf) == Comparison(30, 0, 0, 30)


async def test_two_forms_are_not_one_file() -> None:
    packed = await published(invented(Form.PACKED), replace(JOB, tenant="baobab"))
    shelf = shelved({"acacia": await published(invented()), "baobab": packed})
    with pytest.raises(InvalidInput) as refused:
        exported(shelf)
    assert refused.value.code == "form_mixed"


async def test_a_header_that_is_given_is_written() -> None:
    shelf, out = shelved({"acacia": await published(invented())}), io.BytesIO()
    header = header_record({"reporter_name": "SECOND NAME"})
    report = write_export(out, shelf, header=header, created=date(2026, 2, 1))
    first = next(read(io.BytesIO(out.getvalue())))
    assert isinstance(first, Header) and first.record == header
    assert (report.records, report.form, report.imports) == (60, "character", [str(FIRST)])
    assert sum(isinstance(item, Line) for item in read(io.BytesIO(out.getvalue()))) == 60
