"""fsck finds every flipped bit of every column that something in the log speaks of, and everything missing or added."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ledger.attestation.credit_kinds import (
    Agreement,
    ChargeOff,
    Collateral,
    Delinquency,
    Disbursement,
    Guarantee,
    Overdue,
    Pause,
    Repayment,
    Schedule,
    ScheduleRow,
    StatusSnapshot,
)
from ledger.contract import library
from ledger.contract.document import Parties
from ledger.errors import InvalidInput, NotFound
from ledger.node.alert_desk import AlertDesk, Step
from ledger.node.checkpointer import FILE_NAME
from ledger.node.contracts import Caller
from ledger.node.fsck import fsck, fsck_over
from ledger.node.fsck_projections import CHAIN_ROWS_FIRST, CHAIN_ROWS_MAX, chains_of
from ledger.node.fsck_report import FAULTS_KEPT_MAX, FsckReport
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.portfolio import Portfolio
from ledger.node.scoring import Asked, Scoring
from ledger.node.watcher import Watcher, shipped_rules
from ledger.store.attestation_rows import LAST_ID
from ledger.store.database import Database
from ledger.store.embedded import EmbeddedPostgres
from ledger.types import Subject
from tests.ledger.node.test_scoring import INPUTS, consented, decide_by, lend
from tests.support.checks import artefact_for, asking, change, codes, enrol_app, ensure_sound, grant, report_of, rows_of
from tests.support.ledgers import KEYRING, ORIGIN, Lender, TestDatabase, fresh_database, running_node

UNSAID = {
    "consent.log_id": "log", "entry.log_id": "log", "attestation.log_id": "log", "loan.log_id": "log", "tile.log_id": "log",
    "head.log_id": "log", "checkpoint.log_id": "log", "tenant.log_id": "log", "signing_key.log_id": "log",
    "subject_salt.log_id": "log", "managed_key.log_id": "log", "token_issuer.log_id": "log", "idempotency.log_id": "log",
    "contract.log_id": "log", "contract_effect.log_id": "log", "day_tick.log_id": "log",
    "contract.changed_at": "when a process wrote it, signed by nobody",
    "model.registered_at": "when a process wrote it, signed by nobody",
    "model.promoted_at": "when a process wrote it, signed by nobody; that it is there or not is compared",
    "tenant.name": "a display name, signed by nobody",
    "tenant.country": "an address, signed by nobody",
    "managed_key.tenant": "opens under the wrapping key with its tenant's name, or not at all, when it is used",
    "managed_key.kid": "opens under the wrapping key with its own name, or not at all, when it is used",
    "managed_key.wrapped": "opens under the wrapping key, or not at all, when it is used",
    "token_issuer.tenant": "configuration of this deployment", "token_issuer.issuer": "configuration of this deployment",
    "token_issuer.jwks": "configuration of this deployment", "token_issuer.roles": "configuration of this deployment",
    "idempotency.tenant": "a memory of requests", "idempotency.key": "a memory of requests",
    "idempotency.request_hash": "a memory of requests", "idempotency.author": "a memory of requests",
    "idempotency.batch_id": "a memory of requests", "idempotency.answer": "a memory of requests",
    "idempotency.created_at": "a memory of requests",
    "risk_alert.log_id": "log", "risk_part.log_id": "log", "risk_link.log_id": "log", "risk_cursor.log_id": "log",
    "score_shadow.log_id": "log", "score_shadow.challenger_ppm": "made of inputs that stay with the lender",
    "portfolio_loan.log_id": "log", "portfolio_day.log_id": "log", "score_month.log_id": "log",
    "checkpoint.signed_at": "no signed note states its time",
    "migration.number": "not of the ledger", "migration.name": "not of the ledger",
    "migration.checksum": "not of the ledger", "migration.applied_at": "not of the ledger",
}  # fmt: skip
"""Columns that nothing signed speaks of, each with the reason. ``log``: a row of another log is no row of this one."""

COPIES = frozenset({"portfolio_day", "portfolio_loan", "risk_cursor", "risk_link", "risk_part", "score_month"})
"""Tables that are made from others when somebody asks, or by a watcher: every column of each has a row to flip."""

FLIPS = {
    "bytea": (
        "set_byte({0}, 0, get_byte({0}, 0) # 1)",
        "set_byte({0}, length({0}) / 2, get_byte({0}, length({0}) / 2) # 16)",
        "set_byte({0}, length({0}) - 1, get_byte({0}, length({0}) - 1) # 128)",
    ),
    "ARRAY": ("{0}[2:]", "{0}[:array_length({0}, 1) - 1]", "array_append({0}, NULL)"),
    "boolean": ("NOT {0}",),
    "bigint": ("{0} # 1", "{0} # 1099511627776"),
    "integer": ("{0} # 1", "{0} # 65536"),
    "smallint": ("{0} # 1", "{0} # 2048"),
    "date": ("{0} + 1", "{0} + 365"),
    "uuid": (
        "set_byte(uuid_send({0}), 2, get_byte(uuid_send({0}), 2) # 8)",
        "set_byte(uuid_send({0}), 15, get_byte(uuid_send({0}), 15) # 1)",
    ),
    "text": ("chr(ascii({0}) # 1) || substr({0}, 2)", "left({0}, -1) || chr(ascii(right({0}, 1)) # 1)"),
}  # fmt: skip
FIT = {"ARRAY": "array_length({0}, 1) > 0", "bytea": "length({0}) > 0", "text": "length({0}) > 0"}
"""Which rows have something to flip."""

WEAK = {("entry.committed_at", 0), ("head.committed_at", -1), ("loan.version", 0), ("portfolio_day.day", 0),
        ("risk_cursor.idx", 0)}  # fmt: skip
"""Flips that may leave a value just as good: a time one millisecond away, a count of changes still within its bounds, a row
of the day after, on which the loan stood as it did, a place one entry back, in which the watcher follows nothing."""


@asynccontextmanager
async def furnished(
    database: TestDatabase, home: Path | None = None, *, size: int = 258
) -> AsyncIterator[tuple[Node, Lender, bytes]]:
    """A ledger with a row in every table: loans, consents with reads, a rotated key, an erasure, a full tile."""
    async with running_node(database, home=home) as node:
        acacia = await Lender("acacia").enrol(node)
        app = await enrol_app(node)
        await node.authority.trust_issuer(acacia.name, "https://issuer.example", "{}", ["lender"])
        loan = acacia.new_loan(5_000)
        subject = loan[0].envelope.subject or b""
        where = {"account": loan[0].envelope.account, "subject": subject}
        await node.publisher.publish(acacia.name, *acacia.batch(loan))
        snapshot = StatusSnapshot(balance=4_000, currency="KES", status="current")
        for events in ([acacia.repayment(loan)], [acacia.attest("status_snapshot", snapshot, **where)]):
            await node.publisher.publish(acacia.name, *acacia.batch(events))
        await warn(node, acacia, where)
        artefact = artefact_for(subject)
        await grant(node, artefact)
        await node.reader.credit_view(app, artefact.consent)
        retired = await node.authority.enrol_key(app, None)
        await node.authority.end_key(app, retired.kid, compromised_from=None)
        await execute_a_contract(node, acacia)
        gone = acacia.new_loan()
        await node.publisher.publish(acacia.name, *acacia.batch(gone))
        await node.authority.erase(Subject(gone[0].envelope.subject or b""), "law")
        await pledge(node, acacia, subject)
        await keep_a_portfolio(node, acacia)
        await score(node)
        await Watcher(node, shipped_rules()).catch_up()
        head = await node.log.head()
        fill = [acacia.batch(acacia.new_loan()) for _ in range(size - head.size)]
        await asyncio.gather(*(node.publisher.publish(acacia.name, *batch) for batch in fill))
        await Watcher(node, shipped_rules()).catch_up()
        await node.checkpointer.publish()
        yield node, acacia, subject


async def pledge(node: Node, lender: Lender, guarantor: bytes) -> None:
    """Two lenders take one thing in pledge, and somebody who is late elsewhere answers for the debt."""
    baobab, item = await Lender("baobab").enrol(node), os.urandom(32)
    for each in (lender, baobab):
        loan = each.new_loan()
        where = {"account": loan[0].envelope.account, "subject": loan[0].envelope.subject}
        pledged = Collateral(currency="KES", item=item, kind="car", lien_rank=1, value=9, valued_on=date(2026, 1, 31))
        events = [each.attest("guarantee", Guarantee(guarantor=guarantor, type="personal"), **where),
                  each.attest("collateral", pledged, **where)]  # fmt: skip
        await node.publisher.publish(each.name, *each.batch([*loan, *events]))


async def keep_a_portfolio(node: Node, lender: Lender) -> None:
    """A loan that is late, paid in part, paused, and asked about on days that are past."""
    began = date(2026, 1, 5)
    where = {"account": os.urandom(32), "subject": os.urandom(32), "effective_date": began}
    rows = tuple(ScheduleRow(due=date(2026, month, 5), n=month - 1, principal=500) for month in (2, 3, 4, 5))
    agreement = Agreement(currency="KES", portfolio_type="instalment", principal=2_000, product="term")
    paused = Pause(cause="flood", start=date(2026, 3, 10), until=date(2026, 3, 20))
    await node.publisher.publish(lender.name, *lender.batch([
        lender.attest("agreement", agreement, **where),
        lender.attest("disbursement", Disbursement(amount=2_000, currency="KES", tranche=1), **where),
        lender.attest("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1), **where),
        lender.attest("repayment", Repayment(amount=500, channel="cash", currency="KES"),
                      **{**where, "effective_date": date(2026, 2, 5)}),
        lender.attest("pause", paused, **{**where, "effective_date": date(2026, 3, 12)}),
        lender.attest("charge_off", ChargeOff(amount=1_500, currency="KES", original_amount=1_500),
                      **{**where, "effective_date": date(2026, 4, 9)}),
    ]))  # fmt: skip
    days = [date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    await Portfolio(node.database, node.sealer).refresh(lender.name, days)


async def score(node: Node) -> None:
    """A model decides, and a lender's two borrowers are scored with it."""
    await decide_by(node)
    for number in (1, 2):
        lender, account, subject = await lend(node, f"mkopo-{number}", "KE")
        terms = await consented(node, lender, subject)
        await Scoring(node).score(lender, Asked(account, INPUTS, terms.consent, "taiwan_card"), asking(lender))


async def warn(node: Node, lender: Lender, where: dict[str, Any]) -> None:
    """Three alerts about a loan, each with another end: assigned, snoozed, closed."""
    overdue = Overdue(principal=9)
    for before, after in ((0, 31), (31, 61)):
        late = Delinquency(currency="KES", dpd_from=before, dpd_to=after, overdue=overdue, since=date(2026, 1, 1))
        told = lender.attest("delinquency", late, **where, effective_date=date.today())  # noqa: DTZ011
        await node.publisher.publish(lender.name, *lender.batch([told]))
    await Watcher(node, shipped_rules()).catch_up()
    desk = AlertDesk(node)
    seen = await desk.of_lender(lender.name, before=LAST_ID, limit=9)
    steps = [
        Step(step="assigned", by="asha", assignee="asha"), Step(step="snoozed", by="asha", snoozed_until=date(2999, 1, 1)),
        Step(step="closed", by="asha", outcome="contacted"),
    ]  # fmt: skip
    for alert, step in zip(seen, steps, strict=True):
        await desk.step(lender.name, alert.row.id, step, asking(lender.name))


async def execute_a_contract(node: Node, lender: Lender) -> None:
    """A day begins, a contract comes in force, and a payment makes it close its loan."""
    await node.ticker.catch_up()
    loan = lender.new_loan(5_000)
    envelope = loan[0].envelope
    await node.publisher.publish(lender.name, *lender.batch(loan))
    parties = Parties(borrower=envelope.subject or b"", guarantor=os.urandom(32), lender=lender.name)
    document = library.agree(
        library.load("payment-closure").document, parties=parties, account=envelope.account or b"", currency="KES",
        expires=date(2099, 1, 1),
    )  # fmt: skip
    known = await node.contracts.propose(lender.name, document, asking(lender.name))
    for caller, who in (
        (Caller(tenant=lender.name), lender.name),
        (Caller(subject=Subject(parties.borrower)), DEPLOYMENT),
        (Caller(subject=Subject(parties.guarantor or b"")), DEPLOYMENT),
    ):
        await node.contracts.step(caller, known.hash, "signed", asking(who))
    await node.publisher.publish(lender.name, *lender.batch([lender.repayment(loan, 5_000)]))
    assert await node.contracts.history(Caller(tenant=lender.name), known.hash, (-1, -1), 2)


@dataclass
class OpenLedger:
    """A furnished ledger that is looked at again and again, and the two connections for it: who harms it, who looks."""

    database: TestDatabase
    admin: Any
    auditor: Any

    async def report(self) -> FsckReport:
        """What fsck says of it now."""
        return await fsck_over(self.auditor, KEYRING, origin=ORIGIN)


@asynccontextmanager
async def open_ledger(postgres: EmbeddedPostgres, size: int) -> AsyncIterator[OpenLedger]:
    """A furnished ledger, sound before and sound again afterwards, past triggers and foreign keys in between."""
    async with fresh_database(postgres, new=True) as database:
        async with furnished(database, size=size):
            pass
        await ensure_sound(database)
        admin, auditor = await asyncpg.connect(database.admin_dsn), await Database(database.audit_dsn).dedicated()
        try:
            await admin.execute("SET session_replication_role = replica")
            yield OpenLedger(database, admin, auditor)
            await ensure_sound(database)
        finally:
            await auditor.close()
            await admin.close()


async def columns_of(connection: Any) -> list[tuple[str, str, str]]:
    """(table, column, type) of every column of every table."""
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


async def prepare_for_flips(connection: Any) -> None:
    """Take the constraints away, so that a flip is what a disk does, not what a statement may."""
    for table, name in await connection.fetch(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
        "AND contype IN ('c', 'f') ORDER BY contype"
    ):
        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for table, name in await connection.fetch(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
        "AND contype = 'u'"
    ):
        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


OF_THE_LOG = frozenset({"attestation", "entry", "head"})
APART = {
    frozenset({"checkpoint"}): {"checkpoint_differs", "checkpoint_forks", "checkpoint_untrusted", "log_shrank"},
    frozenset({"consent"}): {"consent_differs"},
    frozenset({"contract"}): {"contract_row_differs"},
    frozenset({"contract_effect"}): {"effect_row_differs"},
    frozenset({"portfolio_day", "portfolio_loan"}): {"portfolio_differs"},
    frozenset({"risk_alert"}): {"alert_differs"},
    frozenset({"risk_cursor", "risk_link", "risk_part"}): {"risk_cursor_differs", "risk_link_differs", "risk_part_differs"},
    frozenset({"score_month"}): {"month_differs"},
    frozenset({"signing_key"}): {"key_differs", "key_malformed"},
}  # fmt: skip
"""Tables that one part of fsck reads and no other, with the codes that only that part gives: of each such group a flip may
stand beside flips of the others, and is still named by its own code. In each round one group is left alone, and must be
found sound: so no flip is found by the noise of another."""
ELSEWHERE = OF_THE_LOG.union({"tile"}, *APART)


@dataclass(frozen=True)
class Flip:
    """One change of one column in one row."""

    table: str
    column: str
    number: int
    changed: str
    place: Any

    def __str__(self) -> str:
        return f"{self.table}.{self.column} flip {self.number} at {self.place}"


async def flips_of(ledger: OpenLedger, chosen: Callable[[str], bool], missed: list[str]) -> AsyncIterator[Flip]:
    """Every flip of the chosen tables, one after the other: a row moves when it is flipped, and moves back."""
    for table, column, kind in await columns_of(ledger.admin):
        name = f"{table}.{column}"
        if name in UNSAID or not chosen(table):
            continue
        fit = FIT.get(kind, "{0} IS NOT NULL").format(column)
        if table in COPIES and not await ledger.admin.fetchval(f"SELECT count(*) FROM {table} WHERE {fit}"):
            missed.append(f"{name} has no row to flip")
        for number, flip in enumerate(FLIPS[kind]):
            if (name, number) in WEAK:
                continue
            changed = flip.format(column)
            if kind == "uuid":
                changed = f"encode({changed}, 'hex')::uuid"
            for place in await ledger.admin.fetch(
                f"(SELECT ctid FROM {table} WHERE {fit} ORDER BY ctid LIMIT 1) UNION "
                f"(SELECT ctid FROM {table} WHERE {fit} ORDER BY ctid DESC LIMIT 1)"
            ):
                yield Flip(table, column, number, changed, place[0])


@asynccontextmanager
async def flipped(ledger: OpenLedger, flip: Flip) -> AsyncIterator[bool]:
    """A ledger with a flip, then without it; False when the table itself refuses it."""
    table, column = flip.table, flip.column
    try:
        moved, before = await ledger.admin.fetchrow(
            f"WITH old(value) AS (SELECT {column} FROM {table} WHERE ctid = $1) UPDATE {table} SET {column} = "
            f"{flip.changed} FROM old WHERE {table}.ctid = $1 RETURNING {table}.ctid, old.value", flip.place,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        yield False
        return
    try:
        yield True
    finally:
        back = await ledger.admin.fetchval(
            f"UPDATE {table} SET {column} = $2 WHERE ctid = $1 RETURNING true", moved, before
        )
        assert back, f"{flip} was not undone"


@pytest.mark.parametrize(
    "chosen", [lambda table: table in OF_THE_LOG, lambda table: table not in ELSEWHERE], ids=["log", "others"]
)
async def test_every_flipped_bit_that_something_signed_speaks_of_is_found(
    postgres: EmbeddedPostgres, chosen: Callable[[str], bool]
) -> None:
    async with open_ledger(postgres, 48) as ledger:
        await prepare_for_flips(ledger.admin)
        assert await tried_one_by_one(ledger, chosen) > 30


async def tried_one_by_one(ledger: OpenLedger, chosen: Callable[[str], bool]) -> int:
    """Make and undo each flip of the chosen tables; how many, when fsck saw every one."""
    missed: list[str] = []
    tried = 0
    assert (await ledger.report()).ok
    async for flip in flips_of(ledger, chosen, missed):
        tried += 1
        async with flipped(ledger, flip) as done:
            if done and (await ledger.report()).ok:
                missed.append(str(flip))
    assert missed == [], missed
    return tried


async def test_every_flipped_bit_of_what_follows_from_the_log_is_found_by_its_own_code(
    postgres: EmbeddedPostgres,
) -> None:
    missed: list[str] = []
    tried = dict.fromkeys(APART, 0)
    async with open_ledger(postgres, 48) as ledger:
        await prepare_for_flips(ledger.admin)
        assert (await ledger.report()).ok
        waiting = {tables: flips_of(ledger, tables.__contains__, missed) for tables in APART}
        left_alone = 0
        while waiting:
            left_alone += 1
            turn: dict[frozenset[str], Flip] = {}
            for at, (tables, flips) in enumerate([*waiting.items()]):
                if at == left_alone % len(waiting) and len(waiting) > 1:
                    continue
                flip = await anext(flips, None)
                if flip is None:
                    del waiting[tables]
                else:
                    turn[tables] = flip
                    tried[tables] += 1
            missed += await missed_of(ledger, turn)
    assert missed == [], missed
    assert min(tried.values()) >= 6, tried


async def missed_of(ledger: OpenLedger, turn: dict[frozenset[str], Flip]) -> list[str]:
    """The flips of one round that their own codes do not name, and groups that are named without a flip."""
    async with AsyncExitStack() as stack:
        done = {tables: flip for tables, flip in turn.items() if await stack.enter_async_context(flipped(ledger, flip))}
        report = await ledger.report()
    assert report.fault_count <= FAULTS_KEPT_MAX, report.faults
    named = {tables for tables, own in APART.items() if own & codes(report)}
    strangers = codes(report).difference(*APART.values())
    return [
        *(str(flip) for tables, flip in done.items() if tables not in named),
        *(f"{sorted(tables)} named beside {[*map(str, done.values())]}" for tables in named - done.keys()),
        *(f"{code} beside {[*map(str, done.values())]}" for code in strangers),
    ]


async def test_every_column_is_either_flipped_or_named_with_the_reason(postgres: EmbeddedPostgres) -> None:
    async with fresh_database(postgres, new=True) as database:
        admin = await asyncpg.connect(database.admin_dsn)
        columns = {f"{table}.{column}": kind for table, column, kind in await columns_of(admin)}
        await admin.close()
    assert UNSAID.keys() - columns.keys() == set()
    told = {name: kind for name, kind in columns.items() if name not in UNSAID}
    assert set(told.values()) <= FLIPS.keys()


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
