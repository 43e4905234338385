"""Rows of the consent projection: read for display, locked for deciding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import Subject, TenantId


class ConsentRow(NamedTuple):
    """One version of one consent; ``tenant`` is the consumer. ``artefact`` is canonical JSON."""

    tenant: str
    consent: UUID
    version: int
    subject: bytes
    state: str
    artefact: bytes
    last_batch: UUID
    changed_at: int
    reads: int
    last_read: int | None


_COLUMNS = "tenant, consent, version, subject, state, artefact, last_batch, changed_at, reads, last_read"
_VERSIONS = f"SELECT {_COLUMNS} FROM consent WHERE log_id = $1 AND consent = $2 ORDER BY version"


async def consent_versions(connection: Connection, consent: UUID) -> list[ConsentRow]:
    """Every version of a consent that this transaction may see, oldest first."""
    return [ConsentRow(*row) for row in await connection.fetch(_VERSIONS, LOG_ID, consent)]


_LOCK = f"""
SELECT {_COLUMNS} FROM consent WHERE log_id = $1 AND consent = ANY($2::uuid[])
 ORDER BY tenant, consent, version FOR UPDATE
"""


async def lock_consents(connection: Connection, consents: Sequence[UUID]) -> dict[UUID, list[ConsentRow]]:
    """Every version of these consents, oldest first, locked until the transaction ends.

    A read's access record and a revoke take the same lock, so one of them is first in the log.
    """
    found: dict[UUID, list[ConsentRow]] = {}
    for row in await connection.fetch(_LOCK, LOG_ID, list(consents)):
        found.setdefault(row["consent"], []).append(ConsentRow(*row))
    return found


_INSERT = """
INSERT INTO consent
    (log_id, tenant, consent, version, subject, state, artefact, last_batch, changed_at, reads, last_read)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def insert_consent(connection: Connection, row: ConsentRow) -> None:
    """Add a version."""
    await connection.execute(_INSERT, LOG_ID, *row)


_UPDATE = """
UPDATE consent SET state = $5, artefact = $6, last_batch = $7, changed_at = $8, reads = $9, last_read = $10
 WHERE log_id = $1 AND tenant = $2 AND consent = $3 AND version = $4
"""


async def update_consent(connection: Connection, row: ConsentRow) -> None:
    """Write a version's new state."""
    await connection.execute(
        _UPDATE, LOG_ID, row.tenant, row.consent, row.version, row.state, row.artefact, row.last_batch, row.changed_at,
        row.reads, row.last_read,
    )  # fmt: skip


_GIVEN = f"""
SELECT {_COLUMNS} FROM consent WHERE log_id = $1 AND subject = ANY($2::bytea[]) AND tenant = ANY($3::text[])
 ORDER BY tenant, consent, version
"""


async def consents_given(
    connection: Connection, subjects: Sequence[bytes], consumers: Sequence[str]
) -> list[ConsentRow]:  # fmt: skip
    """Every version of the consents between these borrowers and these consumers that this transaction may see."""
    return [ConsentRow(*row) for row in await connection.fetch(_GIVEN, LOG_ID, list(subjects), list(consumers))]


def _page(owner: str) -> str:
    """All versions of the consents of one page; ``owner`` is the column that must be $2."""
    return f"""
WITH page AS (
    SELECT DISTINCT consent FROM consent WHERE log_id = $1 AND {owner} = $2 AND consent < $3
     ORDER BY consent DESC LIMIT $4)
SELECT {_COLUMNS} FROM consent WHERE log_id = $1 AND {owner} = $2 AND consent IN (SELECT consent FROM page)
 ORDER BY consent DESC, version
"""


_OF_SUBJECT, _OF_CONSUMER = _page("subject"), _page("tenant")


async def consents_of_subject(
    connection: Connection, subject: Subject, before: UUID, limit: int
) -> list[list[ConsentRow]]:
    """A borrower's consents, newest first, each with all its versions, oldest first; ``before`` is exclusive."""
    return _by_consent(await connection.fetch(_OF_SUBJECT, LOG_ID, subject, before, limit))


async def consents_of_consumer(
    connection: Connection, tenant: TenantId, before: UUID, limit: int
) -> list[list[ConsentRow]]:
    """What a consumer asked for, newest first, each with all its versions, oldest first; ``before`` is exclusive."""
    return _by_consent(await connection.fetch(_OF_CONSUMER, LOG_ID, tenant, before, limit))


def _by_consent(rows: Iterable[Sequence[Any]]) -> list[list[ConsentRow]]:
    found: dict[UUID, list[ConsentRow]] = {}
    for row in map(ConsentRow._make, rows):
        found.setdefault(row.consent, []).append(row)
    return list(found.values())


_ERASE = "DELETE FROM consent WHERE log_id = $1 AND subject = $2"


async def erase_consents(connection: Connection, subject: Subject) -> None:
    """Delete a subject's consents, whoever the consumer is."""
    await connection.execute(_ERASE, LOG_ID, subject)
