"""Rows of what challengers made of a lender's borrowers: one for each score that one ran beside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import TenantId


class ShadowRow(NamedTuple):
    """What ``challenger`` made of a borrower whom ``model`` gave ``points``, in the score of ``batch_id``."""

    tenant: str
    batch_id: UUID
    subject: bytes
    model: bytes
    challenger: bytes
    scored_on: date
    as_of: int
    points: int
    challenger_ppm: int


class NewestRow(NamedTuple):
    """A borrower's newest reading of a month by one challenger; ``scores`` is how many rows that challenger has there."""

    challenger: bytes
    subject: bytes
    scored_on: date
    points: int
    challenger_ppm: int
    scores: int


_COLUMNS = "tenant, batch_id, subject, model, challenger, scored_on, as_of, points, challenger_ppm"
_INSERT = f"INSERT INTO score_shadow (log_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


async def insert_shadow(connection: Connection, row: ShadowRow) -> None:
    """Add a row, in the transaction of its score."""
    await connection.execute(_INSERT, LOG_ID, *row)


_NEWEST = """
SELECT DISTINCT ON (challenger, subject) challenger, subject, scored_on, points, challenger_ppm,
       count(*) OVER (PARTITION BY challenger) AS scores
  FROM score_shadow WHERE log_id = $1 AND tenant = $2 AND model = $3 AND scored_on BETWEEN $4 AND $5
 ORDER BY challenger, subject, as_of DESC, batch_id DESC LIMIT $6
"""


async def newest_of_days(
    connection: Connection, tenant: TenantId, model: bytes, days: tuple[date, date], limit: int
) -> list[NewestRow]:
    """The newest reading of each borrower by each challenger, of the scores from the first of ``days`` to the second."""
    return [NewestRow(*row) for row in await connection.fetch(_NEWEST, LOG_ID, tenant, model, *days, limit)]


_STATES = "SELECT subject, state FROM loan WHERE log_id = $1 AND tenant = $2 AND subject = ANY($3::bytea[])"


async def loan_states(connection: Connection, tenant: TenantId, subjects: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """(borrower, encoded state) of every loan that a lender has with these borrowers."""
    return [tuple(row) for row in await connection.fetch(_STATES, LOG_ID, tenant, list(subjects))]


_SCORES = f"""
SELECT {", ".join(f"s.{name}" for name in _COLUMNS.split(", "))}, e.idx,
       a.tenant, a.batch_id, a.position, a.id, a.kind, a.subject, a.previous_batch, a.previous_position, a.commitment,
       a.path, a.sealed
  FROM (SELECT * FROM score_shadow WHERE log_id = $1 AND (tenant, batch_id) > ($2, $3)
         ORDER BY tenant, batch_id LIMIT $4) s
  LEFT JOIN entry e ON e.log_id = s.log_id AND e.tenant = s.tenant AND e.batch_id = s.batch_id
  LEFT JOIN attestation a ON a.log_id = s.log_id AND a.tenant = s.tenant AND a.batch_id = s.batch_id AND a.kind = 'score'
 ORDER BY s.tenant, s.batch_id, a.position
"""
_SHADOW_COLUMNS = len(ShadowRow._fields)


async def shadows_with_scores(
    connection: Connection, after: tuple[str, UUID], limit: int
) -> list[tuple[ShadowRow, tuple[int, AttestationRow] | None]]:
    """Rows of every tenant with the scores that their batches hold (entry index, attestation), for the auditor;
    ``after`` is an exclusive (tenant, batch)."""
    found: list[tuple[ShadowRow, tuple[int, AttestationRow] | None]] = []
    for row in await connection.fetch(_SCORES, LOG_ID, *after, limit):
        shadow, index, rest = row[:_SHADOW_COLUMNS], row[_SHADOW_COLUMNS], row[_SHADOW_COLUMNS + 1 :]
        score = None if index is None or rest[0] is None else (index, AttestationRow(*rest))
        found.append((ShadowRow(*shadow), score))
    return found
