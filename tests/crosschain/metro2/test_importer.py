"""A file becomes the same signed batches each time, whole records only, and nothing is lost without being named."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from crosschain.metro2 import importer
from crosschain.metro2.importer import Job, Scribe, SignedBatch, plan_batches, split
from crosschain.metro2.mapping import Place, claims_of
from crosschain.metro2.reader import Line, read
from crosschain.metro2.report import ImportReport, RejectsSink
from crosschain.metro2.subjects import Identifier, SubjectRule, subject_rule
from crosschain.metro2.synthetic import write_synthetic
from ledger.attestation.batch import open_batch
from ledger.attestation.envelope import compose, parse
from ledger.attestation.keys import KeyHistory, PrivateKey, PublicKey
from ledger.errors import InvalidInput
from ledger.types import UnixMillis

KEY = PrivateKey.from_random("EdDSA", bytes(range(32)))
KEYS = KeyHistory([PublicKey(KEY.kid, KEY.alg, KEY.raw, UnixMillis(0))])
STARTED = UnixMillis(1_769_904_000_000)
ASSIGNED = subject_rule("assigned", tenant="acacia", borrowers=666)


def account_ref(number: str) -> bytes:
    return hashlib.sha256(b"account" + number.encode()).digest()


JOB = Job(
    tenant="acacia",
    origin="tally.example/one",
    key=KEY,
    secret=b"s" * 32,
    account_ref=account_ref,
    import_id=UUID("7d444840-9dc0-8d1a-9d1a-5ffdce74fad2"),
    started_ms=STARTED,
)


async def resolve(identifiers: list[Identifier]) -> list[bytes]:
    return [hashlib.sha256(repr(identifier).encode()).digest() for identifier in identifiers]


async def run(
    data: bytes, job: Job = JOB, rule: SubjectRule = ASSIGNED, select: Callable[[Line], bool] | None = None
) -> tuple[list[SignedBatch], ImportReport, list[dict[str, Any]]]:
    report, out = ImportReport(), io.BytesIO()
    plan = plan_batches(
        read(io.BytesIO(data)), job, rule=rule, subject_of=resolve, rejects=RejectsSink(report, out), report=report,
        select=select,
    )  # fmt: skip
    batches = [batch async for batch in plan]
    return batches, report, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture(scope="module")
def invented() -> bytes:
    out = io.BytesIO()
    write_synthetic(out, accounts=120, seed=3, as_of=date(2026, 1, 31))
    return out.getvalue()


async def test_the_public_file_becomes_batches_that_the_ledger_opens(main_bytes: bytes) -> None:
    batches, report, rejects = await run(main_bytes)
    opened = [
        open_batch(batch.token, batch.body, KEYS, origin=JOB.origin, now=UnixMillis(STARTED + 1000))
        for batch in batches
    ]
    assert [len(batch.attestations) for batch in opened] == [batch.count for batch in batches]
    assert (report.records_in, report.records_published, report.attestations, report.batches) == (
        1997,
        1997,
        55_506,
        14,
    )
    assert [(entry["line"], entry["rule"], entry["offset"]) for entry in rejects] == [(2, "line_length_unknown", 427)]
    assert base64.b64decode(rejects[0]["raw"]) == main_bytes.split(b"\n")[1]
    assert report.trailer_mismatches[0] == {"field": "total_base_records", "declared": 564_618, "found": 1997}
    ids = {attestation.envelope.id for batch in opened for attestation in batch.attestations}
    salts = {attestation.envelope.salt for batch in opened for attestation in batch.attestations}
    assert (len(ids), len(salts)) == (55_506, 55_506)


async def test_every_line_is_the_one_that_compose_makes(invented: bytes) -> None:
    (batch,) = (await run(invented, select=lambda line: line.line <= 40))[0]
    lines = iter(batch.body.splitlines())
    for item in read(io.BytesIO(invented)):
        if not isinstance(item, Line) or item.line > 40:
            continue
        borrower, *others = await resolve([ASSIGNED.borrower(item.record), *ASSIGNED.parties(item.record)])  # type: ignore[list-item]
        place = Place(str(JOB.import_id), item.line, item.ending)
        number = item.record.base.text_of("consumer_account_number").strip()
        for claim in claims_of(item.record, place, seller="acacia", parties=others):
            data = next(lines)
            given = parse(data).envelope
            composed = compose(
                {
                    "account": account_ref(number), "effective_date": claim.effective_date, "id": given.id,
                    "jurisdiction": "US", "kind": claim.kind, "legal_basis": "contract", "reported_at": STARTED,
                    "role": claim.role, "salt": given.salt, "subject": borrower, "tenant": "acacia",
                },
                claim.body,
            )  # fmt: skip
            assert composed.data == data
    assert next(lines, None) is None


async def test_the_same_import_again_is_the_same_bytes(invented: bytes) -> None:
    first, second = (await run(invented))[0], (await run(invented))[0]
    assert first == second


@pytest.mark.parametrize(
    "change",
    [{"secret": b"t" * 32}, {"tenant": "baobab"}, {"import_id": UUID(int=8 << 76 | 2 << 62)}],
    ids=["secret", "tenant", "import"],
)
async def test_another_secret_or_tenant_or_import_gives_other_ids(invented: bytes, change: dict[str, Any]) -> None:
    ours, theirs = (await run(invented))[0][0], (await run(invented, replace(JOB, **change)))[0][0]
    mine, other = parse(ours.body.split(b"\n")[0]).envelope, parse(theirs.body.split(b"\n")[0]).envelope
    assert mine.id != other.id and mine.salt != other.salt and ours.batch_id != theirs.batch_id


async def test_another_batch_size_cuts_otherwise_and_keeps_every_attestation(invented: bytes) -> None:
    whole, _, _ = await run(invented)
    small, report, _ = await run(invented, replace(JOB, batch_size=64))
    assert b"".join(batch.body for batch in small) == b"".join(batch.body for batch in whole)
    assert len({batch.batch_id for batch in (*whole, *small)}) == len(whole) + len(small)
    assert (report.batches, len(small)) == (len(small), len(small))
    for batch in small:
        accounts = {parse(line).envelope.account for line in batch.body.splitlines()}
        assert batch.count <= 64
        assert len(accounts) == len(batch.records)
        assert parse(batch.body.splitlines()[0]).envelope.kind == "agreement"
        assert parse(batch.body.splitlines()[-1]).envelope.kind == "extension"


@pytest.mark.parametrize("size", [63, 4_097])
def test_a_batch_size_that_no_record_or_no_ledger_takes_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        replace(JOB, batch_size=size)
    assert refused.value.code == "batch_size_invalid"


async def test_a_record_that_would_not_come_back_is_a_reject_and_the_file_goes_on(
    invented: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = importer.restore

    def spoilt(claims: Any) -> Any:
        restored = true(claims)
        return restored if restored.place.line != 7 else restored._replace(place=Place("x", 7))

    monkeypatch.setattr(importer, "restore", spoilt)
    _, report, rejects = await run(invented)
    assert [(entry["line"], entry["rule"]) for entry in rejects] == [(7, "not_mappable")]
    assert (report.records_in, report.records_published) == (120, 119)


async def test_a_record_that_names_nobody_under_the_rule_is_a_reject(main_bytes: bytes) -> None:
    few = b"\n".join(main_bytes.split(b"\n")[:5]) + b"\n"
    _, report, rejects = await run(few, rule=subject_rule("national-id", tenant="acacia"))
    assert [(entry["line"], entry["rule"], entry["field"]) for entry in rejects] == [
        (2, "line_length_unknown", "line"),
        (3, "subject_missing", "base.social_security_number"),
        (4, "subject_missing", "base.social_security_number"),
        (5, "subject_missing", "base.social_security_number"),
    ]
    assert (report.records_in, report.records_published) == (3, 0)


async def test_a_shared_file_is_split_and_its_trailer_is_judged_whole(invented: bytes) -> None:
    parts = [await run(invented, select=lambda line, k=k: line.line % 3 == k) for k in range(3)]  # type: ignore[misc]
    assert [report.records_in for _, report, _ in parts] == [40, 40, 40]
    assert [report.trailer_mismatches for _, report, _ in parts] == [[], [], []]


async def test_a_batch_can_be_split_until_one_record_is_left(invented: bytes) -> None:
    scribe = Scribe(JOB)
    (batch,) = (await run(invented, select=lambda line: line.line <= 6))[0]
    left, right = split(batch, scribe)
    assert left.body + right.body == batch.body
    assert [record.line for record in (*left.records, *right.records)] == [2, 3, 4, 5, 6]
    open_batch(right.token, right.body, KEYS, origin=JOB.origin, now=STARTED)
    with pytest.raises(InvalidInput) as refused:
        split(split(left, scribe)[0], scribe)
    assert refused.value.code == "batch_indivisible"


async def test_only_the_first_hundred_rejects_are_listed_and_all_are_counted() -> None:
    report, out = ImportReport(), io.BytesIO()
    sink = RejectsSink(report, out)
    for line in range(1, 151):
        sink.add(line, 0, "line", "line_empty", "", b"")
    assert (report.rejected_count, len(report.rejected), len(out.getvalue().splitlines())) == (150, 100, 150)


# -- subjects -----------------------------------------------------------------------------------------------------


async def test_each_rule_names_the_borrower_its_own_way(invented: bytes) -> None:
    line = next(item for item in read(io.BytesIO(invented)) if isinstance(item, Line))
    base = line.record.base
    number, born = base.text_of("social_security_number"), base.text_of("date_of_birth")
    named = {
        name: subject_rule(name, tenant="acacia", borrowers=10).borrower(line.record)
        for name in ("national-id", "national-id-birth-date", "account-number")
    }
    assert named == {
        "national-id": ("national-id", number),
        "national-id-birth-date": ("national-id-birth-date", f"{number}|{born[4:]}-{born[:2]}-{born[2:4]}"),
        "account-number": ("account-number", "acacia/SYN000000000000"),
    }


async def test_assigned_deals_about_three_accounts_to_a_borrower_at_every_lender_alike(
    main_bytes: bytes,
) -> None:
    lines = [item for item in read(io.BytesIO(main_bytes)) if isinstance(item, Line)]
    other = subject_rule("assigned", tenant="baobab", borrowers=666)
    dealt = [ASSIGNED.borrower(line.record) for line in lines]
    assert dealt == [other.borrower(line.record) for line in lines]
    assert 600 < len(set(dealt)) <= 666
    assert {identifier.scheme for identifier in dealt} == {"account-number"}
    assert all(identifier.value.startswith("assigned-") for identifier in dealt)


@pytest.mark.parametrize(("name", "code"), [("shoe-size", "subject_rule_unknown"), ("assigned", "borrowers_invalid")])
def test_a_rule_that_does_not_exist_or_cannot_work_is_refused(name: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        subject_rule(name, tenant="acacia")
    assert refused.value.code == code
