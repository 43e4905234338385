"""fsck names everything that is missing or added, and says what it cannot tell."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from ledger.errors import InvalidInput, NotFound
from ledger.node.checkpointer import FILE_NAME
from ledger.node.fsck import fsck
from ledger.node.fsck_projections import CHAIN_ROWS_FIRST, CHAIN_ROWS_MAX, chains_of
from ledger.node.fsck_report import FAULTS_KEPT_MAX, FsckReport
from ledger.node.node import Node
from ledger.store.database import Database
from ledger.store.embedded import EmbeddedPostgres
from ledger.types import Subject
from tests.ledger.node.test_fsck_flips import tried_one_by_one
from tests.support.checks import artefact_for, asking, change, codes, ensure_sound, report_of, rows_of
from tests.support.furnished import OpenLedger, furnished, open_ledger
from tests.support.ledgers import KEYRING, ORIGIN, Lender, TestDatabase, fresh_database, running_node

MISSING = {
    "an entry": ("DELETE FROM entry WHERE idx = 5", {"entry_missing"}),
    "the last entry": ("DELETE FROM entry WHERE idx = 257", {"entry_missing", "head_differs"}),
    "an attestation": ("DELETE FROM attestation WHERE kind = 'repayment'", {"attestations_missing"}),
    "a tile": ("DELETE FROM tile", {"tile_missing"}),
    "a loan": ("DELETE FROM loan WHERE subject IN (SELECT subject FROM consent)", {"loan_missing"}),
    "a consent": ("DELETE FROM consent", {"consent_differs"}),
    "an alert": ("DELETE FROM risk_alert WHERE state = 'closed'", {"alert_differs"}),
    "a borrower's part": ("DELETE FROM risk_part WHERE tenant = 'acacia'", {"risk_part_differs"}),
    "a link": ("DELETE FROM risk_link WHERE kind = 'guarantor'", {"risk_link_differs"}),
    "a portfolio's loan": ("DELETE FROM portfolio_loan", {"portfolio_differs"}),
    "a salt": ("DELETE FROM subject_salt WHERE subject IN (SELECT subject FROM attestation a JOIN entry e "
               "USING (tenant, batch_id) WHERE e.idx > 200)", {"salt_missing"}),
    "a key": ("DELETE FROM signing_key WHERE tenant = 'acacia'", {"key_differs"}),
    "a tenant": ("DELETE FROM tenant WHERE tenant = 'acacia'", {"tenant_unknown"}),
}  # fmt: skip
ADDED = {
    "an entry beyond the head": (
        "INSERT INTO entry SELECT log_id, 300, tenant, gen_random_uuid(), sha256('x'), statement, root, count, "
        "stored_digest, committed_at FROM entry WHERE idx = 5", {"entry_beyond_head"}),
    "an attestation without an entry": (
        "INSERT INTO attestation SELECT log_id, tenant, gen_random_uuid(), position, gen_random_uuid(), kind, subject, "
        "NULL, NULL, commitment, path, sealed FROM attestation WHERE kind = 'key' LIMIT 1", {"attestation_orphaned"}),
    "a tile": ("INSERT INTO tile SELECT log_id, 1, 0, hashes, root FROM tile", {"tiles_extra"}),
    "a loan": (
        "INSERT INTO loan SELECT log_id, tenant, sha256('x'), subject, version, last_batch, last_position, state "
        "FROM loan LIMIT 1", {"loan_differs"}),
    "a consent": (
        "INSERT INTO consent SELECT log_id, tenant, gen_random_uuid(), version, subject, state, artefact, last_batch, "
        "changed_at, reads, last_read FROM consent", {"consent_differs"}),
    "an alert": (
        "INSERT INTO risk_alert SELECT log_id, tenant, gen_random_uuid(), subject, account, rule, 2, severity, state "
        "FROM risk_alert LIMIT 1", {"alert_differs"}),
    "a borrower's part": (
        "INSERT INTO risk_part SELECT log_id, 'cedar', subject, wake, part FROM risk_part WHERE tenant = 'acacia' LIMIT 1",
        {"risk_part_differs"}),
    "a link": (
        "INSERT INTO risk_link SELECT log_id, tenant, kind, sha256('x'), subject, account FROM risk_link LIMIT 1",
        {"risk_link_differs"}),
    "a month": (
        "INSERT INTO score_month SELECT log_id, 'acacia', model, month, counts FROM score_month LIMIT 1",
        {"month_differs"}),
    "a key": (
        "INSERT INTO signing_key SELECT log_id, 'fintech', kid, alg, public_key, not_before, not_after, "
        "compromised_from FROM signing_key WHERE tenant = 'acacia'", {"key_differs"}),
    "a checkpoint beyond the head": (
        "INSERT INTO checkpoint SELECT log_id, 999, root, note, signed_at FROM checkpoint ORDER BY size DESC LIMIT 1",
        {"log_shrank"}),
    "a table without policies": ("CREATE TABLE leak (log_id smallint, tenant text)", {"catalogue_rls_off"}),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole(postgres: EmbeddedPostgres) -> AsyncIterator[OpenLedger]:
    """What the module's cases share: each puts back the rows that it took away or added."""
    async with open_ledger(postgres, 258) as ledger:
        yield ledger


@pytest.mark.asyncio(loop_scope="module")
async def test_every_flipped_bit_of_a_full_tile_is_found(whole: OpenLedger) -> None:
    for name in ("tile_hashes_check", "tile_root_check", "tile_level_check", "tile_n_check"):
        await whole.admin.execute(f"ALTER TABLE tile DROP CONSTRAINT {name}")
    assert await tried_one_by_one(whole, lambda table: table == "tile") > 5


@asynccontextmanager
async def harmed(ledger: OpenLedger, statement: str) -> AsyncIterator[None]:
    """A ledger after a statement that takes rows from one table, adds some, or makes a table; undone afterwards."""
    verb, table = re.match(r"(DELETE FROM|INSERT INTO|CREATE TABLE) (\w+)", statement).groups()  # type: ignore[union-attr]
    undo = f"DROP TABLE {table}"
    if verb != "CREATE TABLE":
        await ledger.admin.execute(f"CREATE TEMP TABLE kept AS TABLE {table}")
        undo = f"DELETE FROM {table}; INSERT INTO {table} TABLE kept; DROP TABLE kept"
    try:
        await ledger.admin.execute(statement)
        yield
    finally:
        await ledger.admin.execute(undo)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", [*MISSING, *(f"added: {name}" for name in ADDED)])
async def test_what_is_missing_or_added_is_named(whole: OpenLedger, case: str) -> None:
    added = case.removeprefix("added: ")
    statement, expected = ADDED[added] if case.startswith("added: ") else MISSING[case]
    async with harmed(whole, statement):
        assert codes(await whole.report()) >= expected


@pytest.mark.asyncio(loop_scope="module")
async def test_a_furnished_ledger_is_sound_and_the_report_says_what_was_checked(whole: OpenLedger) -> None:
    stages: list[tuple[str, int, int]] = []
    report = await ensure_sound(whole.database, progress=lambda *seen: stages.append(seen))
    said = report.as_dict()
    assert (said["ok"], said["size"], said["checked"]["tiles"], said["checked"]["erased"]) == (True, 258, 1, 2)
    assert said["checked"]["opened"] + 2 == said["checked"]["attestations"]
    assert said["checked"]["consents"] == 3 and said["checked"]["keys"] == 12
    assert ("entries", 258, 258) in stages


async def test_a_checkpoint_beside_the_database_that_is_ahead_or_forged_is_a_fault(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with fresh_database(postgres, new=True) as database:
        async with running_node(database, home=tmp_path) as node:
            acacia = await Lender("acacia").enrol(node)
            await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
        note = (tmp_path / FILE_NAME).read_bytes()
        assert (await ensure_sound(database, home=tmp_path)).checked["checkpoint_file"] == 1
        (tmp_path / FILE_NAME).write_bytes(note.replace(b"\n3\n", b"\n4\n"))
        assert codes(await report_of(database, home=tmp_path)) == {"checkpoint_untrusted"}


async def test_it_cannot_tell_without_a_log_or_with_a_role_that_sees_part(database: TestDatabase) -> None:
    with pytest.raises(NotFound) as empty:
        await fsck(database.audit_dsn, KEYRING, origin=ORIGIN)
    assert empty.value.code == "log_empty"
    with pytest.raises(InvalidInput) as partly:
        await fsck(database.app_dsn, KEYRING, origin=ORIGIN)
    assert partly.value.code == "auditor_needed"


async def test_another_keyring_opens_nothing_and_every_statement_is_untrusted(database: TestDatabase) -> None:
    from ledger.node.keyring import random_keyring

    async with running_node(database) as node:
        acacia = await Lender("acacia").enrol(node)
        await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
    report = await fsck(database.audit_dsn, random_keyring(), origin=ORIGIN)
    assert codes(report) >= {"statement_untrusted", "sealed_broken", "checkpoint_untrusted"}
    assert report.checked["opened"] == 0


def test_a_report_keeps_the_first_hundred_faults_and_counts_all() -> None:
    report = FsckReport("o")
    for number in range(FAULTS_KEPT_MAX + 7):
        report.add("leaf_differs", f"entry {number}", "m")
    assert (report.ok, report.fault_count, len(report.faults)) == (False, 107, 100)
    assert report.as_dict()["faults"][99] == {"code": "leaf_differs", "where": "entry 99", "message": "m"}


async def test_everybody_elses_proofs_hold_after_an_erasure(database: TestDatabase) -> None:
    async with furnished(database, size=64) as (node, acacia, subject):
        before, loans = await node.log.inclusion(4, 64), (await ensure_sound(database)).checked["loans"]
        await node.authority.erase(Subject(subject), "law")
        assert await node.log.inclusion(4, 64) == before
        report = await ensure_sound(database)
        assert report.checked["erased"] > 2
        assert report.checked["loans"] == loans - 1
        back = acacia.new_loan(subject=subject)
        await node.publisher.publish(acacia.name, *acacia.batch(back))
        await node.consents.request(artefact_for(subject), asking("fintech"))
    await ensure_sound(database)


async def test_a_chain_that_was_bent_into_a_circle_takes_no_rows_from_the_others(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    bent, whole = acacia.new_loan(), acacia.new_loan()
    for events in (bent, whole, [acacia.repayment(whole)]):
        await node.publisher.publish(acacia.name, *acacia.batch(events))
    ((account, batch, position),) = await rows_of(
        database, "SELECT account, last_batch, last_position FROM loan WHERE account = $1", bent[0].envelope.account
    )
    await change(
        database,
        f"UPDATE attestation SET previous_batch = '{batch}', previous_position = {position} "
        f"WHERE batch_id = '{batch}' AND position = 0",
    )
    ends = await rows_of(database, "SELECT tenant, last_batch, last_position FROM loan ORDER BY account = $1", account)
    auditor = await Database(database.audit_dsn).dedicated()
    try:
        found = await chains_of(auditor, ends, CHAIN_ROWS_MAX)  # type: ignore[arg-type]
        assert [len(chain) for chain in found] == [3, CHAIN_ROWS_FIRST]
        assert [len(chain) for chain in await chains_of(auditor, ends, 9)] == [3, 6]  # type: ignore[arg-type]
        assert [len(chain) for chain in await chains_of(auditor, ends[::-1], 9)] == [6, 3]  # type: ignore[arg-type]
    finally:
        await auditor.close()
    assert codes(await report_of(database)) == {"chain_differs"}
