"""A ledger with a row in every table: loans, a portfolio, scores, warnings, a contract at work; and fsck beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg

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
from ledger.node.alert_desk import AlertDesk, Step
from ledger.node.contracts import Caller
from ledger.node.fsck import fsck_over
from ledger.node.fsck_report import FsckReport
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
from tests.support.checks import artefact_for, asking, enrol_app, ensure_sound, grant
from tests.support.ledgers import KEYRING, ORIGIN, Lender, TestDatabase, fresh_database, running_node


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
