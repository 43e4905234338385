"""Rows of early warning: parts of borrowers, links between them, how far the log was followed, alerts.

Rules
- The cursor moves by compare-and-swap, in the transaction that writes what was folded: two watchers cannot both win.
- ``epoch_holds`` is the last statement before COMMIT of a round without alerts: an erasure that came meanwhile moved the
  epoch, and what was folded before it is not written. A round with alerts has the commit's own check of the epoch.
- An alert's row takes the id of the attestation that was written beside it, and is there once (``risk_alert_once``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ledger.store.attestation_rows import AttestationRow
from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import Subject, TenantId

Cursor = tuple[int, int]
"""(entry index, position): the first attestation that was not taken in yet."""


class Found(NamedTuple):
    """An attestation of the log as the watcher reads it."""

    entry: int
    committed_at: int
    row: AttestationRow


class PartRow(NamedTuple):
    """One part of one borrower; ``tenant`` is the deployment for the shared part, ``wake`` is there alone."""

    tenant: str
    subject: bytes
    wake: int | None
    part: bytes


class LinkRow(NamedTuple):
    """A borrower's account at a lender, and what it is linked to."""

    tenant: str
    kind: str
    target: bytes
    subject: bytes
    account: bytes


class AlertRow(NamedTuple):
    """One alert as its audience sees it now; ``steps`` counts what was done with it."""

    tenant: str
    id: UUID
    subject: bytes
    account: bytes | None
    rule: str
    episode: int
    severity: int
    state: str
    assignee: str | None
    snoozed_until: date | None
    outcome: str | None
    steps: int


# -- following the log ------------------------------------------------------------------------------------------

_READ_CURSOR = "SELECT idx, position FROM risk_cursor WHERE log_id = $1"


async def read_cursor(connection: Connection) -> Cursor | None:
    """Where to go on; None before the first round."""
    row = await connection.fetchrow(_READ_CURSOR, LOG_ID)
    return None if row is None else (row["idx"], row["position"])


_FIRST_CURSOR = "INSERT INTO risk_cursor (log_id, idx, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_MOVE_CURSOR = "UPDATE risk_cursor SET idx = $4, position = $5 WHERE log_id = $1 AND idx = $2 AND position = $3"


async def move_cursor(connection: Connection, before: Cursor | None, after: Cursor) -> bool:
    """Move the cursor; False when it is not where it was thought to be."""
    if before is None:
        status: str = await connection.execute(_FIRST_CURSOR, LOG_ID, *after)
        return status == "INSERT 0 1"
    status = await connection.execute(_MOVE_CURSOR, LOG_ID, *before, *after)
    return status == "UPDATE 1"


_TENANTS_BETWEEN = "SELECT DISTINCT tenant FROM entry WHERE log_id = $1 AND idx >= $2 AND idx < $3"


async def tenants_between(connection: Connection, first: int, end: int) -> list[str]:
    """Who published entries ``first`` to before ``end``."""
    return [row["tenant"] for row in await connection.fetch(_TENANTS_BETWEEN, LOG_ID, first, end)]


_COLUMNS = "tenant, batch_id, position, id, kind, subject, previous_batch, previous_position, commitment, path, sealed"
_BETWEEN = f"""
SELECT e.idx, e.committed_at, {", ".join("a." + name for name in _COLUMNS.split(", "))} FROM entry e
 CROSS JOIN LATERAL (SELECT * FROM attestation x
                      WHERE x.log_id = e.log_id AND x.tenant = e.tenant AND x.batch_id = e.batch_id
                        AND x.kind = ANY($5::text[]) AND (e.idx > $2 OR x.position >= $3)
                      ORDER BY x.position OFFSET 0) a
 WHERE e.log_id = $1 AND e.idx >= $2 AND e.idx < $4 ORDER BY e.idx, a.position LIMIT $6
"""


async def attestations_between(
    connection: Connection, first: Cursor, end: int, kinds: Sequence[str], limit: int
) -> list[Found]:
    """Attestations of these kinds from ``first`` to before entry ``end``, in log order, at most ``limit``."""
    rows = await connection.fetch(_BETWEEN, LOG_ID, *first, end, list(kinds), limit)
    return [Found(index, committed_at, AttestationRow(*columns)) for index, committed_at, *columns in rows]


_TICKS_UNTIL = """
SELECT idx, day FROM day_tick
 WHERE log_id = $1 AND idx < $3
   AND idx >= coalesce((SELECT max(idx) FROM day_tick WHERE log_id = $1 AND idx < $2), 0)
 ORDER BY idx
"""


async def ticks_until(connection: Connection, first: int, end: int) -> list[tuple[int, int]]:
    """(entry, day as an ordinal) of the days that began in entries ``first`` to before ``end``, and of the one before."""
    rows = await connection.fetch(_TICKS_UNTIL, LOG_ID, first, end)
    return [(row["idx"], row["day"].toordinal()) for row in rows]


_EPOCH_HOLDS = "SELECT 1 FROM head WHERE log_id = $1 AND epoch = $2 FOR SHARE"


async def epoch_holds(connection: Connection, epoch: int) -> bool:
    """Whether no key or salt came or went since ``epoch``; nobody commits until this transaction ends."""
    return await connection.fetchval(_EPOCH_HOLDS, LOG_ID, epoch) is not None


_EPOCH = "SELECT epoch FROM head WHERE log_id = $1"


async def read_epoch(connection: Connection) -> int:
    """The epoch of the head row."""
    return await connection.fetchval(_EPOCH, LOG_ID)  # type: ignore[no-any-return]


_LAZY = "SELECT set_config('synchronous_commit', 'off', true)"


async def may_be_lost(connection: Connection) -> None:
    """Let this transaction's COMMIT not wait for the disk: after a crash the same round is made again from the log."""
    await connection.execute(_LAZY)


# -- parts and links --------------------------------------------------------------------------------------------

_PARTS = "SELECT tenant, subject, wake, part FROM risk_part WHERE log_id = $1 AND subject = ANY($2::bytea[])"


async def read_parts(connection: Connection, subjects: Sequence[bytes]) -> list[PartRow]:
    """Every part of these borrowers that this transaction may see."""
    return [PartRow(*row) for row in await connection.fetch(_PARTS, LOG_ID, list(subjects))]


_PUT_PARTS = """
INSERT INTO risk_part (log_id, tenant, subject, wake, part)
SELECT $1, u.* FROM unnest($2::text[], $3::bytea[], $4::int[], $5::bytea[]) AS u
ON CONFLICT (log_id, tenant, subject) DO UPDATE SET wake = excluded.wake, part = excluded.part
"""


async def put_parts(connection: Connection, rows: Sequence[PartRow]) -> None:
    """Write parts, new or changed."""
    if rows:
        await connection.execute(
            _PUT_PARTS, LOG_ID, [row.tenant for row in rows], [row.subject for row in rows],
            [row.wake for row in rows], [row.part for row in rows],
        )  # fmt: skip


_WAKING = """
SELECT subject FROM risk_part WHERE log_id = $1 AND tenant = $2 AND wake <= $3 ORDER BY wake LIMIT $4
"""


async def waking(connection: Connection, deployment: TenantId, day: int, limit: int) -> list[bytes]:
    """Borrowers to be looked at on ``day`` or before, the longest due first."""
    return [row["subject"] for row in await connection.fetch(_WAKING, LOG_ID, deployment, day, limit)]


_LINKS = """
SELECT tenant, kind, target, subject, account FROM risk_link
 WHERE log_id = $1 AND kind = $2 AND target = ANY($3::bytea[])
"""


async def links_to(connection: Connection, kind: str, targets: Sequence[bytes]) -> list[LinkRow]:
    """Every link to these targets that this transaction may see."""
    return [LinkRow(*row) for row in await connection.fetch(_LINKS, LOG_ID, kind, list(targets))]


_LINKS_OF = "SELECT tenant, kind, target, subject, account FROM risk_link WHERE log_id = $1 AND subject = $2"


async def links_of(connection: Connection, subject: bytes) -> list[LinkRow]:
    """Every link of a borrower that this transaction may see."""
    return [LinkRow(*row) for row in await connection.fetch(_LINKS_OF, LOG_ID, subject)]


_PUT_LINKS = """
INSERT INTO risk_link (log_id, tenant, kind, target, subject, account)
SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[]) AS u
ON CONFLICT DO NOTHING
"""


async def put_links(connection: Connection, rows: Iterable[LinkRow]) -> None:
    """Add links; those that are there already stay."""
    columns = list(zip(*rows, strict=True))
    if columns:
        await connection.execute(_PUT_LINKS, LOG_ID, *map(list, columns))


_ACTIVE = """
SELECT tenant, subject, artefact FROM consent
 WHERE log_id = $1 AND subject = ANY($2::bytea[]) AND state = 'active'
"""


async def active_consents(connection: Connection, subjects: Sequence[bytes]) -> list[tuple[str, bytes, bytes]]:
    """(consumer, subject, artefact) of the active consents about these borrowers that this transaction may see."""
    return [tuple(row) for row in await connection.fetch(_ACTIVE, LOG_ID, list(subjects))]


async def hold_consents(connection: Connection, subjects: Sequence[bytes]) -> list[tuple[str, bytes, bytes]]:
    """The same, and none of them is paused or revoked before this transaction ends."""
    return [tuple(row) for row in await connection.fetch(_ACTIVE + " FOR SHARE", LOG_ID, list(subjects))]


_PLACES = """
SELECT e.idx, a.position, a.batch_id, a.commitment FROM unnest($2::bigint[], $3::smallint[]) AS u(idx, position)
 CROSS JOIN LATERAL (SELECT * FROM entry x WHERE x.log_id = $1 AND x.idx = u.idx OFFSET 0) e
 CROSS JOIN LATERAL (SELECT * FROM attestation y WHERE y.log_id = $1 AND y.tenant = e.tenant
                            AND y.batch_id = e.batch_id AND y.position = u.position OFFSET 0) a
"""


async def commitments_at(
    connection: Connection, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], tuple[UUID, bytes]]:
    """(batch, commitment) of the attestations at these (index, position) places that this transaction may see."""
    rows = await connection.fetch(_PLACES, LOG_ID, [place[0] for place in places], [place[1] for place in places])
    return {(row["idx"], row["position"]): (row["batch_id"], row["commitment"]) for row in rows}


# -- alerts -----------------------------------------------------------------------------------------------------

ALERT_COLUMNS = "tenant, id, subject, account, rule, episode, severity, state, assignee, snoozed_until, outcome, steps"
_INSERT_ALERTS = """
INSERT INTO risk_alert (log_id, tenant, id, subject, account, rule, episode, severity, state)
SELECT $1, u.tenant, a.id, u.subject, u.account, u.rule, u.episode, u.severity, 'open'
  FROM unnest($4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::int[], $9::smallint[], $10::int[])
    AS u(tenant, subject, account, rule, episode, severity, position)
 CROSS JOIN LATERAL (SELECT * FROM attestation x WHERE x.log_id = $1 AND x.tenant = $2 AND x.batch_id = $3
                            AND x.position = u.position OFFSET 0) a
"""


class NewAlert(NamedTuple):
    """A row to be; its id is its attestation's, at its place in the list."""

    tenant: str
    subject: bytes
    account: bytes | None
    rule: str
    episode: int
    severity: int


async def insert_alerts(connection: Connection, author: TenantId, batch: UUID, alerts: Sequence[NewAlert]) -> int:
    """Add the alerts that ``batch`` holds in this order; gives how many were added."""
    columns = [list(column) for column in zip(*alerts, strict=True)]
    status: str = await connection.execute(_INSERT_ALERTS, LOG_ID, author, batch, *columns, list(range(len(alerts))))
    return int(status.rpartition(" ")[2])


_LAST_EPISODE = """
SELECT coalesce(max(episode), 0) FROM risk_alert
 WHERE log_id = $1 AND tenant = $2 AND rule = $3 AND subject = $4 AND coalesce(account, '') = $5
"""


async def last_episode(connection: Connection, tenant: str, rule: str, subject: bytes, account: bytes) -> int:
    """How often a rule was raised for a lender about a borrower and an account."""
    return await connection.fetchval(  # type: ignore[no-any-return]
        _LAST_EPISODE, LOG_ID, tenant, rule, subject, account
    )


_OF_TENANT = f"""
SELECT {ALERT_COLUMNS} FROM risk_alert
 WHERE log_id = $1 AND tenant = $2 AND id < $3 AND severity >= $4
   AND ($5::text[] IS NULL OR
        CASE WHEN state = 'snoozed' AND snoozed_until <= $6 THEN 'open' ELSE state END = ANY($5))
 ORDER BY id DESC LIMIT $7
"""


async def alerts_of_tenant(
    connection: Connection, tenant: TenantId, *, before: UUID, states: Sequence[str] | None, severity: int,
    today: date, limit: int,
) -> list[AlertRow]:  # fmt: skip
    """A lender's alerts, newest first: ``severity`` or more, in one of ``states`` as they read today; ``before`` is
    exclusive."""
    wanted = None if states is None else list(states)
    rows = await connection.fetch(_OF_TENANT, LOG_ID, tenant, before, severity, wanted, today, limit)
    return [AlertRow(*row) for row in rows]


_OF_SUBJECT = f"""
SELECT {ALERT_COLUMNS} FROM risk_alert WHERE log_id = $1 AND subject = $2 AND id < $3 ORDER BY id DESC LIMIT $4
"""


async def alerts_of_subject(connection: Connection, subject: Subject, *, before: UUID, limit: int) -> list[AlertRow]:
    """The alerts about a borrower, newest first; ``before`` is exclusive."""
    return [AlertRow(*row) for row in await connection.fetch(_OF_SUBJECT, LOG_ID, subject, before, limit)]


_ONE = f"SELECT {ALERT_COLUMNS} FROM risk_alert WHERE log_id = $1 AND tenant = $2 AND id = $3"


async def read_alert(connection: Connection, tenant: TenantId, alert: UUID) -> AlertRow | None:
    """One alert of a lender."""
    row = await connection.fetchrow(_ONE, LOG_ID, tenant, alert)
    return None if row is None else AlertRow(*row)


_STEP = """
UPDATE risk_alert SET state = $5, assignee = $6, snoozed_until = $7, outcome = $8, steps = $4 + 1
 WHERE log_id = $1 AND tenant = $2 AND id = $3 AND steps = $4
"""


async def step_alert(connection: Connection, before: AlertRow, after: AlertRow) -> bool:
    """Write an alert's new state; False when it moved meanwhile."""
    status: str = await connection.execute(
        _STEP, LOG_ID, before.tenant, before.id, before.steps, after.state, after.assignee, after.snoozed_until,
        after.outcome,
    )  # fmt: skip
    return status == "UPDATE 1"


_ERASE = (
    "DELETE FROM risk_part WHERE log_id = $1 AND subject = $2",
    "DELETE FROM risk_link WHERE log_id = $1 AND subject = $2",
    "DELETE FROM risk_link WHERE log_id = $1 AND kind = 'guarantor' AND target = $2",
    "DELETE FROM risk_alert WHERE log_id = $1 AND subject = $2",
    "DELETE FROM score_shadow WHERE log_id = $1 AND subject = $2",
)


async def erase_risk(connection: Connection, subject: Subject) -> None:
    """Delete what early warning and challengers know of a borrower, whoever the lender is."""
    for statement in _ERASE:
        await connection.execute(statement, LOG_ID, subject)
