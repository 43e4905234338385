"""Whole-state checks and the small records that tests of the store and the node share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from ledger.attestation.sharing_kinds import Artefact, Capture, Purpose, Span
from ledger.node.fsck import fsck
from ledger.node.fsck_report import FsckReport
from ledger.node.idempotent import Request, request_of
from ledger.node.node import Node
from ledger.store.tenant_rows import TenantRow
from ledger.types import Subject, TenantId, UnixMillis
from tests.support.ledgers import KEYRING, ORIGIN, SOURCES, TestDatabase

CAPTURE = Capture(at=UnixMillis(1_700_000_000_000), authenticator="pin", channel="app")
YEAR_MS = 365 * 24 * 3600 * 1000


async def report_of(database: TestDatabase, **options: Any) -> FsckReport:
    """What fsck says of a test database."""
    return await fsck(database.audit_dsn, KEYRING, origin=ORIGIN, **options)


async def ensure_sound(database: TestDatabase, **options: Any) -> FsckReport:
    """The report of a database in which everything holds; fails the test with the faults otherwise."""
    report = await report_of(database, **options)
    if report.faults:
        raise AssertionError(report.faults)
    return report


async def rows_of(database: TestDatabase, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """What a superuser sees."""
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


async def change(database: TestDatabase, *statements: str) -> None:
    """Run statements as a superuser, past triggers and foreign keys: what an intruder or a bad disk would do."""
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        await connection.execute("SET session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def codes(report: FsckReport) -> set[str]:
    """The codes of a report's faults."""
    return {fault.code for fault in report.faults}


async def enrol_app(node: Node, name: str = "fintech") -> TenantId:
    """An app that asks for consents."""
    await node.authority.enrol_tenant(TenantRow(name, name.title(), "app", "KE"), None)
    return TenantId(name)


def artefact_for(subject: bytes, consumer: str = "fintech", **fields: Any) -> Artefact:
    """A consent to read everything about a subject for a year, ten thousand times an hour."""
    whole: dict[str, Any] = {
        "categories": ("LOAN",), "consent": SOURCES.new_id(), "consumer": consumer, "data_life": Span(n=1, unit="YEAR"),
        "detail": "TRANSACTIONS", "expiry": SOURCES.now() + YEAR_MS, "fetch": "PERIODIC",
        "frequency": Span(n=10_000, unit="HOUR"), "jurisdiction": "KE", "legal_basis": "consent", "mode": "VIEW",
        "purpose": Purpose(category="lending", code="101", text="to decide on a loan"), "start": SOURCES.now() - 1000,
        "subject": subject, "version": 1,
    }  # fmt: skip
    return Artefact(**(whole | fields))


def asking(tenant: str, what: str = "consent") -> Request:
    """A request with a fresh idempotency key."""
    key = str(SOURCES.new_id())
    return request_of(TenantId(tenant), key, what, {"key": key})


async def grant(node: Node, artefact: Artefact) -> None:
    """Request and grant a consent."""
    subject = Subject(artefact.subject)
    await node.consents.request(artefact, asking(artefact.consumer))
    await node.consents.decide(subject, artefact.consent, "granted", asking("tallystick"), capture=CAPTURE)


def contiguous(indexes: Iterable[int], first: int) -> bool:
    """Whether indexes are ``first``, ``first`` + 1, ... in some order."""
    found = sorted(indexes)
    return found == list(range(first, first + len(found)))
