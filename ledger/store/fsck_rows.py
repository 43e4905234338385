"""What fsck reads: the whole store, page by page, in one snapshot, as the auditor's role.

Rules
- One transaction, repeatable read and read only: a ledger that runs meanwhile neither disturbs nor is disturbed.
- Pages are keyset pages, so that memory stays bounded whatever the ledger's size.
- The role is the auditor's: its policies let it see every row. Another role would see no rows and call that a fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from ledger.errors import InvalidInput
from ledger.store.attestation_rows import AttestationRow
from ledger.store.consent_rows import ConsentRow
from ledger.store.database import Connection
from ledger.store.loan_rows import LoanRow
from ledger.store.log_rows import LOG_ID, EntryRow
from ledger.store.portfolio_rows import PortfolioDay, PortfolioLoan
from ledger.store.risk_rows import ALERT_COLUMNS, AlertRow, LinkRow

_AUDITOR = "SELECT pg_has_role(current_user, 'tallystick_audit', 'USAGE')"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


async def begin_snapshot(connection: Connection) -> None:
    """Begin the one transaction of a check. Raises InvalidInput ``auditor_needed``."""
    if not await connection.fetchval(_AUDITOR):
        raise InvalidInput(
            "auditor_needed", "this database role does not see every row",
            advice="set DATABASE_AUDIT_URL to the same database as the role tallystick_audit",
        )  # fmt: skip
    await connection.execute(_SNAPSHOT)


class TileRow(NamedTuple):
    """One stored full tile."""

    level: int
    n: int
    hashes: bytes
    root: bytes


_TILE = "SELECT level, n, hashes, root FROM tile WHERE log_id = $1 AND level = $2 AND n = $3"


async def stored_tile(connection: Connection, level: int, n: int) -> TileRow | None:
    """A full tile with its root column."""
    row = await connection.fetchrow(_TILE, LOG_ID, level, n)
    return None if row is None else TileRow(*row)


_TILE_COUNT = "SELECT count(*) FROM tile WHERE log_id = $1"


async def count_tiles(connection: Connection) -> int:
    """How many full tiles there are."""
    return await connection.fetchval(_TILE_COUNT, LOG_ID)  # type: ignore[no-any-return]


_BEYOND = "SELECT idx FROM entry WHERE log_id = $1 AND (idx >= $2 OR idx < 0) ORDER BY idx LIMIT $3"


async def entries_beyond(connection: Connection, size: int, limit: int) -> list[int]:
    """Indexes of entries that the head does not cover."""
    return [row["idx"] for row in await connection.fetch(_BEYOND, LOG_ID, size, limit)]


class CheckpointRow(NamedTuple):
    """One published checkpoint."""

    size: int
    root: bytes
    note: bytes
    signed_at: int


_CHECKPOINTS = """
SELECT size, root, note, signed_at FROM checkpoint WHERE log_id = $1 AND size > $2 AND size <= $3 ORDER BY size LIMIT $4
"""


async def checkpoints_between(connection: Connection, after: int, until: int, limit: int) -> list[CheckpointRow]:
    """Checkpoints of sizes above ``after`` up to ``until``, smallest first."""
    return [CheckpointRow(*row) for row in await connection.fetch(_CHECKPOINTS, LOG_ID, after, until, limit)]


_COLUMNS = (
    "a.tenant, a.batch_id, a.position, a.id, a.kind, a.subject, a.previous_batch, a.previous_position, a.commitment, "
    "a.path, a.sealed"
)
_OF_BATCHES = f"""
SELECT {_COLUMNS} FROM unnest($2::text[], $3::uuid[]) AS k(tenant, batch_id)
  JOIN attestation a ON a.log_id = $1 AND a.tenant = k.tenant AND a.batch_id = k.batch_id
 ORDER BY a.tenant, a.batch_id, a.position
"""


async def attestations_of_entries(
    connection: Connection, entries: Sequence[EntryRow]
) -> dict[tuple[str, UUID], list[AttestationRow]]:
    """The attestations of several batches, in order."""
    found: dict[tuple[str, UUID], list[AttestationRow]] = {}
    tenants, batches = [entry.tenant for entry in entries], [entry.batch_id for entry in entries]
    for row in await connection.fetch(_OF_BATCHES, LOG_ID, tenants, batches):
        found.setdefault((row["tenant"], row["batch_id"]), []).append(AttestationRow(*row))
    return found


_LAST_ERASURE = """
SELECT max(e.idx) FROM attestation a JOIN entry e USING (log_id, tenant, batch_id)
 WHERE a.log_id = $1 AND a.kind = 'erasure' AND a.kind IN ('key', 'erasure')
"""


async def last_erasure(connection: Connection) -> int:
    """Index of the newest erasure's entry, -1 when nothing was erased."""
    found = await connection.fetchval(_LAST_ERASURE, LOG_ID)
    return -1 if found is None else found


# Connections are told that every statement looks rows up by key (database.py). These join whole tables: hashed that is
# seconds, row by row it grows with the square.
_HASHED = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on; SET LOCAL enable_nestloop = off"
_BY_KEY = "RESET enable_hashjoin; RESET enable_seqscan; RESET enable_nestloop"


async def _read_through(connection: Connection, statement: str, *arguments: object) -> list[Any]:
    """The rows of a statement that reads its tables from end to end."""
    await connection.execute(_HASHED)
    rows = await connection.fetch(statement, LOG_ID, *arguments)
    await connection.execute(_BY_KEY)
    return list(rows)


_ORPHANS = f"""
SELECT {_COLUMNS} FROM attestation a LEFT JOIN entry e USING (log_id, tenant, batch_id)
 WHERE a.log_id = $1 AND e.idx IS NULL ORDER BY a.tenant, a.batch_id, a.position LIMIT $2
"""


async def orphans(connection: Connection, limit: int) -> list[AttestationRow]:
    """Attestations whose batch is no entry of the log."""
    return [AttestationRow(*row) for row in await _read_through(connection, _ORPHANS, limit)]


_DANGLING = f"""
SELECT {_COLUMNS} FROM attestation a LEFT JOIN attestation b ON b.log_id = a.log_id AND b.tenant = a.tenant
                                    AND b.batch_id = a.previous_batch AND b.position = a.previous_position
 WHERE a.log_id = $1 AND (a.previous_batch IS NOT NULL OR a.previous_position IS NOT NULL) AND b.batch_id IS NULL
 ORDER BY a.tenant, a.batch_id, a.position LIMIT $2
"""


async def dangling(connection: Connection, limit: int) -> list[AttestationRow]:
    """Attestations that name one before them which is not there."""
    return [AttestationRow(*row) for row in await _read_through(connection, _DANGLING, limit)]


_LOOSE_ENDS = """
SELECT a.tenant, a.batch_id, a.position FROM attestation a
 WHERE a.log_id = $1 AND a.kind = ANY($2::text[]) AND (a.tenant, a.batch_id, a.position) > ($3, $4, $5)
   AND NOT EXISTS (SELECT FROM loan l WHERE l.log_id = a.log_id AND l.tenant = a.tenant
                      AND l.last_batch = a.batch_id AND l.last_position = a.position)
   AND NOT EXISTS (SELECT FROM attestation n WHERE n.log_id = a.log_id AND n.tenant = a.tenant
                      AND n.previous_batch = a.batch_id AND n.previous_position = a.position)
 ORDER BY a.tenant, a.batch_id, a.position LIMIT $6
"""


async def loose_ends(
    connection: Connection, kinds: Sequence[str], after: tuple[str, UUID, int], limit: int
) -> list[tuple[str, UUID, int]]:
    """The newest attestations of chains that no loan leads to; ``kinds`` are those about accounts."""
    return [tuple(row) for row in await _read_through(connection, _LOOSE_ENDS, list(kinds), *after, limit)]


_FORKS = """
SELECT tenant, previous_batch, previous_position FROM attestation
 WHERE log_id = $1 AND previous_batch IS NOT NULL
 GROUP BY tenant, previous_batch, previous_position HAVING count(*) > 1 ORDER BY 1, 2, 3 LIMIT $2
"""


async def forks(connection: Connection, limit: int) -> list[tuple[str, UUID, int]]:
    """Attestations that two others name as the one before them."""
    return [tuple(row) for row in await connection.fetch(_FORKS, LOG_ID, limit)]


_CONSENT_SUBJECTS = """
SELECT subject FROM attestation WHERE log_id = $1 AND kind = 'consent' AND subject > $2
 UNION SELECT subject FROM consent WHERE log_id = $1 AND subject > $2 ORDER BY 1 LIMIT $3
"""


async def consent_subjects(connection: Connection, after: bytes, limit: int) -> list[bytes]:
    """Subjects with a consent, in the log or in the projection; ``after`` is exclusive."""
    return [row["subject"] for row in await connection.fetch(_CONSENT_SUBJECTS, LOG_ID, after, limit)]


_CONSENT_EVENTS = f"""
SELECT {_COLUMNS} FROM attestation a JOIN entry e USING (log_id, tenant, batch_id)
 WHERE a.log_id = $1 AND a.subject = ANY($2::bytea[]) AND a.kind IN ('consent', 'access') ORDER BY e.idx, a.position
"""


async def consent_events(connection: Connection, subjects: Sequence[bytes]) -> list[AttestationRow]:
    """Every consent step and access record about these subjects, in log order."""
    return [AttestationRow(*row) for row in await connection.fetch(_CONSENT_EVENTS, LOG_ID, list(subjects))]


_CONSENTS = """
SELECT tenant, consent, version, subject, state, artefact, last_batch, changed_at, reads, last_read FROM consent
 WHERE log_id = $1 AND subject = ANY($2::bytea[]) ORDER BY tenant, consent, version
"""


async def consents_about(connection: Connection, subjects: Sequence[bytes]) -> list[ConsentRow]:
    """The consent projection's rows about these subjects."""
    return [ConsentRow(*row) for row in await connection.fetch(_CONSENTS, LOG_ID, list(subjects))]


_ALERT_SUBJECTS = """
SELECT subject FROM attestation WHERE log_id = $1 AND kind IN ('alert', 'alert_step') AND subject > $2
 UNION SELECT subject FROM risk_alert WHERE log_id = $1 AND subject > $2 ORDER BY 1 LIMIT $3
"""


async def alert_subjects(connection: Connection, after: bytes, limit: int) -> list[bytes]:
    """Subjects with an alert, in the log or in the projection; ``after`` is exclusive."""
    return [row["subject"] for row in await connection.fetch(_ALERT_SUBJECTS, LOG_ID, after, limit)]


_ALERT_EVENTS = f"""
SELECT e.idx, {_COLUMNS} FROM attestation a JOIN entry e USING (log_id, tenant, batch_id)
 WHERE a.log_id = $1 AND a.subject = ANY($2::bytea[]) AND a.kind IN ('alert', 'alert_step') ORDER BY e.idx, a.position
"""


async def alert_events(connection: Connection, subjects: Sequence[bytes]) -> list[tuple[int, AttestationRow]]:
    """(entry index, attestation) of every alert about these subjects and every step with one, in log order."""
    rows = await connection.fetch(_ALERT_EVENTS, LOG_ID, list(subjects))
    return [(index, AttestationRow(*columns)) for index, *columns in rows]


_ALERTS = f"SELECT {ALERT_COLUMNS} FROM risk_alert WHERE log_id = $1 AND subject = ANY($2::bytea[])"


async def alerts_about(connection: Connection, subjects: Sequence[bytes]) -> list[AlertRow]:
    """The alert projection's rows about these subjects."""
    return [AlertRow(*row) for row in await connection.fetch(_ALERTS, LOG_ID, list(subjects))]


_MODEL_EVENTS = f"""
SELECT e.idx, {_COLUMNS} FROM attestation a JOIN entry e USING (log_id, tenant, batch_id)
 WHERE a.log_id = $1 AND a.kind = 'model' ORDER BY e.idx, a.position
"""


async def model_events(connection: Connection) -> list[tuple[int, AttestationRow]]:
    """(entry index, attestation) of every registration and promotion of a scoring model, in log order."""
    rows = await connection.fetch(_MODEL_EVENTS, LOG_ID)
    return [(index, AttestationRow(*columns)) for index, *columns in rows]


_RISK_SUBJECTS = """
SELECT subject FROM loan WHERE log_id = $1 AND subject > $2
 UNION SELECT subject FROM attestation WHERE log_id = $1 AND kind = 'enquiry' AND subject > $2 AND kind IN (
              'access', 'consent', 'enquiry', 'score', 'statement', 'alt_data', 'insolvency', 'notice', 'identity_link')
 UNION SELECT subject FROM risk_part WHERE log_id = $1 AND subject > $2
 UNION SELECT subject FROM risk_link WHERE log_id = $1 AND subject > $2 ORDER BY 1 LIMIT $3
"""


async def risk_subjects(connection: Connection, after: bytes, limit: int) -> list[bytes]:
    """Borrowers of whom early warning may know something; ``after`` is exclusive."""
    return [row["subject"] for row in await connection.fetch(_RISK_SUBJECTS, LOG_ID, after, limit)]


_LOANS_ABOUT = "SELECT tenant, last_batch, last_position FROM loan WHERE log_id = $1 AND subject = ANY($2::bytea[])"


async def loans_about(connection: Connection, subjects: Sequence[bytes]) -> list[tuple[str, UUID, int]]:
    """Where the chain of each of these borrowers' loans ends."""
    return [tuple(row) for row in await connection.fetch(_LOANS_ABOUT, LOG_ID, list(subjects))]


_ENQUIRIES_ABOUT = f"""
SELECT {_COLUMNS} FROM attestation a WHERE a.log_id = $1 AND a.subject = ANY($2::bytea[])
   AND a.kind IN ('consent', 'enquiry') ORDER BY a.tenant, a.batch_id, a.position
"""


async def enquiries_about(connection: Connection, subjects: Sequence[bytes]) -> list[AttestationRow]:
    """What early warning reads of these borrowers that belongs to no account."""
    return [AttestationRow(*row) for row in await connection.fetch(_ENQUIRIES_ABOUT, LOG_ID, list(subjects))]


_NEIGHBOURS = """
SELECT DISTINCT o.subject FROM risk_link l
  JOIN risk_link o ON o.log_id = l.log_id AND o.kind = 'item' AND o.target = l.target
 WHERE l.log_id = $1 AND l.subject = ANY($2::bytea[]) AND l.kind = 'item'
 UNION SELECT target FROM risk_link WHERE log_id = $1 AND subject = ANY($2::bytea[]) AND kind = 'guarantor'
"""


async def risk_neighbours(connection: Connection, subjects: Sequence[bytes]) -> list[bytes]:
    """Who pledged what these borrowers pledged, and who answers for their debts."""
    return [row["subject"] for row in await connection.fetch(_NEIGHBOURS, LOG_ID, list(subjects))]


_LINKS_ABOUT = """
SELECT tenant, kind, target, subject, account FROM risk_link WHERE log_id = $1 AND subject = ANY($2::bytea[])
"""


async def risk_links_about(connection: Connection, subjects: Sequence[bytes]) -> list[LinkRow]:
    """The links of these borrowers as they are stored."""
    return [LinkRow(*row) for row in await connection.fetch(_LINKS_ABOUT, LOG_ID, list(subjects))]


_PORTFOLIO_COLUMNS = ", ".join("p." + name for name in PortfolioLoan._fields)
_PORTFOLIO_LOANS = f"""
SELECT p.tenant, l.subject, l.version, l.last_batch, l.last_position, l.state, {_PORTFOLIO_COLUMNS} FROM portfolio_loan p
  LEFT JOIN LATERAL (SELECT * FROM loan x WHERE x.log_id = p.log_id AND x.tenant = p.tenant AND x.account = p.account
                      OFFSET 0) l ON true
 WHERE p.log_id = $1 AND (p.tenant, p.account) > ($2, $3) ORDER BY p.tenant, p.account LIMIT $4
"""


class Copied(NamedTuple):
    """A portfolio's row of a loan beside the loan that it was made from; ``loan`` is None where there is none."""

    tenant: str
    loan: LoanRow | None
    row: PortfolioLoan


async def portfolio_loans(connection: Connection, after: tuple[str, bytes], limit: int) -> list[Copied]:
    """Portfolio rows of every tenant with their loans; ``after`` is an exclusive (tenant, account)."""
    found = []
    for tenant, subject, version, batch, position, state, *columns in await connection.fetch(
        _PORTFOLIO_LOANS, LOG_ID, *after, limit
    ):
        row = PortfolioLoan(*columns)
        loan = None if subject is None else LoanRow(tenant, row.account, subject, version, batch, position, state)
        found.append(Copied(tenant, loan, row))
    return found


_DAY_COLUMNS = ", ".join("d." + name for name in PortfolioDay._fields)
_PORTFOLIO_DAYS = f"""
SELECT d.tenant, {_DAY_COLUMNS} FROM unnest($2::text[], $3::bytea[]) AS k(tenant, account)
 CROSS JOIN LATERAL (SELECT * FROM portfolio_day x WHERE x.log_id = $1 AND x.tenant = k.tenant AND x.account = k.account
                      OFFSET 0) d
 ORDER BY d.tenant, d.account, d.day
"""


async def portfolio_days(
    connection: Connection, loans: Sequence[tuple[str, bytes]]
) -> dict[tuple[str, bytes], list[PortfolioDay]]:
    """The past days that are kept of these (tenant, account) loans, in order."""
    found: dict[tuple[str, bytes], list[PortfolioDay]] = {}
    columns = [loan[0] for loan in loans], [loan[1] for loan in loans]
    for tenant, *row in await connection.fetch(_PORTFOLIO_DAYS, LOG_ID, *columns):
        found.setdefault((tenant, row[0]), []).append(PortfolioDay(*row))
    return found


_LONE_DAYS = """
SELECT DISTINCT d.tenant, d.account FROM portfolio_day d
  LEFT JOIN portfolio_loan p ON p.log_id = d.log_id AND p.tenant = d.tenant AND p.account = d.account
 WHERE d.log_id = $1 AND p.account IS NULL ORDER BY 1, 2 LIMIT $2
"""


async def lone_days(connection: Connection, limit: int) -> list[tuple[str, bytes]]:
    """(tenant, account) of past days that belong to no portfolio's loan."""
    return [tuple(row) for row in await _read_through(connection, _LONE_DAYS, limit)]


_MONTHS = "SELECT tenant, model, month, counts FROM score_month WHERE log_id = $1 ORDER BY tenant, model, month"


async def score_months(connection: Connection) -> list[tuple[str, bytes, int, bytes]]:
    """Every lender's months under every model."""
    return [tuple(row) for row in await connection.fetch(_MONTHS, LOG_ID)]
