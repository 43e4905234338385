"""Running ledgers for tests: each over a database of its own on the session's PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from ledger.attestation.batch import Statement, sign_statement
from ledger.attestation.credit_kinds import Agreement, Disbursement, Repayment
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.attestation.keys import PrivateKey
from ledger.log.merkle import root_of
from ledger.node.clock import Sources
from ledger.node.keyring import Keyring, random_keyring
from ledger.node.node import Node
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import APP, AUDIT, migrate
from ledger.store.tenant_rows import TenantRow
from ledger.types import TenantId

ORIGIN = "ledger.example/test"
KEYRING = random_keyring()
"""One keyring for the session: the database roles are the cluster's, and so are their passwords."""
SOURCES = Sources()


@dataclass
class TestDatabase:
    """A migrated database with the ways into it."""

    __test__ = False
    admin_dsn: str
    app_dsn: str
    audit_dsn: str


@asynccontextmanager
async def fresh_database(postgres: EmbeddedPostgres, *, new: bool = False) -> AsyncIterator[TestDatabase]:
    """A migrated database that nobody used: an emptied one where that can be had (making one takes a quarter of a
    second), else, or when ``new`` is asked for, a new one. One whose catalogue a test changed is dropped."""
    server = await asyncpg.connect(postgres.admin_dsn())
    idle = _IDLE.setdefault(postgres.folder, [])
    name = idle.pop() if idle and not new else await _make(postgres, server)
    app, audit = KEYRING.app_password.hex(), KEYRING.audit_password.hex()
    try:
        yield TestDatabase(_admin_dsn(postgres, name), postgres.dsn(APP, app, name), postgres.dsn(AUDIT, audit, name))
    finally:
        if await _emptied(postgres, server, name):
            idle.append(name)
        else:
            await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


_IDLE: dict[Path, list[str]] = {}
_AS_MADE: dict[Path, str] = {}
_CATALOGUE = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
    SELECT concat('class', relname, relkind, relowner, relrowsecurity, relforcerowsecurity, relacl) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat('column', attrelid::regclass, attname, attacl) FROM pg_attribute
     WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT concat('constraint', conname, conrelid::regclass) FROM pg_constraint
    UNION ALL SELECT concat('policy', polname, polrelid::regclass, pg_get_expr(polqual, polrelid)) FROM pg_policy
    UNION ALL SELECT concat('trigger', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat('function', proname, prosrc, prosecdef, proacl) FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace) AS whole(line)
"""
_EMPTY = """
SET session_replication_role = replica; DELETE FROM head; DELETE FROM tile; DELETE FROM checkpoint;
DELETE FROM entry; DELETE FROM attestation; DELETE FROM loan; DELETE FROM portfolio_loan; DELETE FROM portfolio_day;
DELETE FROM consent; DELETE FROM subject_salt; DELETE FROM idempotency; DELETE FROM token_issuer;
DELETE FROM managed_key; DELETE FROM signing_key; DELETE FROM tenant; DELETE FROM contract;
DELETE FROM contract_effect; DELETE FROM day_tick; DELETE FROM model; DELETE FROM score_month; DELETE FROM risk_part;
DELETE FROM score_shadow; DELETE FROM risk_link; DELETE FROM risk_cursor; DELETE FROM risk_alert
"""


def _admin_dsn(postgres: EmbeddedPostgres, name: str) -> str:
    return postgres.admin_dsn().replace("/postgres?", f"/{name}?")


async def _make(postgres: EmbeddedPostgres, server: Any) -> str:
    name = f"test_{os.urandom(6).hex()}"
    await server.execute(f"CREATE DATABASE {name}")
    app, audit = KEYRING.app_password.hex(), KEYRING.audit_password.hex()
    await migrate(_admin_dsn(postgres, name), app_password=app, audit_password=audit)
    if postgres.folder not in _AS_MADE:
        connection = await asyncpg.connect(_admin_dsn(postgres, name))
        _AS_MADE[postgres.folder] = await connection.fetchval(_CATALOGUE)
        await connection.close()
    return name


async def _emptied(postgres: EmbeddedPostgres, server: Any, name: str) -> bool:
    """Whether the database is as it was made, and empty now."""
    await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    try:
        connection = await asyncpg.connect(_admin_dsn(postgres, name))
        try:
            as_made: bool = await connection.fetchval(_CATALOGUE) == _AS_MADE[postgres.folder]
            if as_made:
                await connection.execute(_EMPTY)
            return as_made
        finally:
            await connection.close()
    except (asyncpg.PostgresError, OSError):
        return False


@asynccontextmanager
async def running_node(
    database: TestDatabase, *, home: Path | None = None, keyring: Keyring = KEYRING, sources: Sources | None = None
) -> AsyncIterator[Node]:
    """A node over a test database."""
    node = await Node.open(database.app_dsn, keyring, origin=ORIGIN, home=home, sources=sources)
    try:
        yield node
    finally:
        await node.close()


class Lender:
    """A lender with a key of its own, which signs batches the way a real one does."""

    def __init__(self, name: str, alg: str = "EdDSA") -> None:
        self.name = TenantId(name)
        self.key = PrivateKey.from_random(alg, os.urandom(32))

    async def enrol(self, node: Node) -> Lender:
        """Let the lender take part."""
        row = TenantRow(self.name, self.name.title(), "lender", "KE")
        await node.authority.enrol_tenant(row, self.key.public_jwk())
        return self

    def attest(self, kind: str, body: Body, **fields: Any) -> Attestation:
        """One attestation; account and subject are random unless given."""
        whole: dict[str, Any] = {
            "account": os.urandom(32), "effective_date": date(2026, 1, 31), "id": SOURCES.new_id(),
            "jurisdiction": "KE", "kind": kind, "legal_basis": "contract", "reported_at": SOURCES.now(),
            "role": "borrower", "salt": os.urandom(16), "subject": os.urandom(32), "tenant": self.name,
        }  # fmt: skip
        return compose(whole | fields, body)

    def batch(
        self, attestations: Sequence[Attestation], batch_id: UUID | None = None, at: int | None = None
    ) -> tuple[bytes, bytes]:
        """(signed statement, NDJSON body); ``at`` is the time it was signed, now unless given."""
        statement = Statement(
            batch=batch_id or SOURCES.new_id(), count=len(attestations), ledger=ORIGIN,
            root=root_of([a.commitment for a in attestations]), tenant=self.name,
            time=SOURCES.now() if at is None else at,
        )  # fmt: skip
        return sign_statement(statement, self.key), b"".join(a.data + b"\n" for a in attestations)

    def new_loan(self, amount: int = 100_000, **fields: Any) -> list[Attestation]:
        """Agreement and disbursement of one new loan."""
        where = {"account": os.urandom(32), "subject": os.urandom(32)} | fields
        return [
            self.attest("agreement", Agreement(currency="KES", portfolio_type="instalment", principal=amount), **where),
            self.attest("disbursement", Disbursement(amount=amount, currency="KES", tranche=1), **where),
        ]

    def repayment(self, loan: Sequence[Attestation], amount: int = 1_000, **fields: Any) -> Attestation:
        """A repayment of a loan made by :meth:`new_loan`."""
        envelope = loan[0].envelope
        where = {"account": envelope.account, "subject": envelope.subject} | fields
        return self.attest("repayment", Repayment(amount=amount, channel="mobile", currency="KES"), **where)
