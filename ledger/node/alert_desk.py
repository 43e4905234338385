"""Where a lender works on its alerts: lists them, reads why, proves the causes, says what became of them.

    seen = await desk.of_lender("acacia", before=LAST_ID, limit=20, states=("open",))
    whole = await desk.whole("acacia", alert_id)            # the attestation, and the proof of each cause
    after = await desk.step("acacia", alert_id, Step("closed", by="asha", outcome="contacted"), request)

Rules
- A lender sees the alerts of which it is the audience and no others; a borrower sees that an alert about them was raised,
  by which rule and for whom, and nothing of what its lender did with it.
- A step is an ``alert_step`` attestation of the deployment and the alert's new state, in one transaction; the same
  request again gets the first answer. Two steps at once: the second finds that the alert moved.
- A cause is proven by its own bytes where they are the caller's, and always by its place: the path from the commitment to
  its batch's root, and from its entry to the head. The record of a contract's effect is the deployment's; it is its
  lender's to read all the same, as the contract's history shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

from ledger.attestation.contract_kinds import Effect
from ledger.attestation.envelope import parse
from ledger.attestation.risk_kinds import Alert, AlertCause, AlertStep
from ledger.errors import Conflict, InvalidInput, NotFound
from ledger.node.drafts import Draft
from ledger.node.idempotent import Request, earlier_answer, record_of
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.risk.alerts import next_state, state_on
from ledger.store.attestation_rows import AttestationRow, attestations_by_id, attestations_of_batch
from ledger.store.database import Connection
from ledger.store.log_rows import entries_by_batch, read_entries
from ledger.store.risk_rows import AlertRow, alerts_of_subject, alerts_of_tenant, read_alert, step_alert
from ledger.types import Subject, TenantId

Outcome = Literal["confirmed", "false_alarm", "contacted", "restructured", "repaid", "other"]
StepName = Literal["assigned", "closed", "opened", "snoozed"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a lender's user does with an alert; each step has its own member."""

    step: StepName
    by: str
    assignee: str | None = None
    snoozed_until: date | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class SeenAlert:
    """An alert as it stands today, with what its attestation says: ``data`` is its exact bytes, ``path`` leads from its
    commitment to its batch's root."""

    row: AlertRow
    state: str
    alert: Alert
    jurisdiction: str
    raised_at: int
    batch_id: UUID
    index: int
    position: int
    commitment: bytes
    data: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class ProvenCause:
    """A cause with the proof that it is on the ledger: ``path`` to its batch's root, ``log_path`` to the root of
    ``tree_size`` entries. ``kind`` and ``data`` are there when the attestation is the caller's own, or what a contract of
    the caller's did."""

    cause: AlertCause
    lender: str
    kind: str | None
    data: bytes | None
    path: tuple[bytes, ...]
    log_path: tuple[bytes, ...]
    tree_size: int
    statement: bytes


class AlertDesk:
    """Alerts over one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._database = node.database

    async def of_lender(
        self, lender: TenantId, *, before: UUID, limit: int, states: Sequence[str] | None = None, severity: int = 1
    ) -> list[SeenAlert]:
        """A lender's alerts, newest first; ``before`` is exclusive."""
        async with self._database.reading(tenants=(lender,)) as connection:
            rows = await alerts_of_tenant(
                connection, lender, before=before, states=states, severity=severity, today=self._today(), limit=limit
            )
        return await self._seen(rows)

    async def one(self, lender: TenantId, alert: UUID) -> SeenAlert:
        """One alert of a lender's. Raises NotFound ``alert_unknown``."""
        async with self._database.reading(tenants=(lender,)) as connection:
            row = await read_alert(connection, lender, alert)
        seen = await self._seen([row] if row is not None else [])
        if not seen:
            raise NotFound("alert_unknown", "no such alert")
        return seen[0]

    async def of_borrower(self, subject: Subject, *, before: UUID, limit: int) -> list[SeenAlert]:
        """The alerts about a borrower, newest first; ``before`` is exclusive."""
        async with self._database.reading(subject=subject) as connection:
            rows = await alerts_of_subject(connection, subject, before=before, limit=limit)
        return await self._seen(rows)

    async def causes(self, lender: TenantId, seen: SeenAlert) -> list[ProvenCause]:
        """The proof of every cause that the alert names."""
        return [await self._proven(lender, cause) for cause in seen.alert.causes]

    async def step(self, lender: TenantId, alert: UUID, step: Step, request: Request) -> SeenAlert:
        """A lender's step. Raises NotFound ``alert_unknown``, Refused ``alert_step_refused``, InvalidInput
        ``alert_snooze_past``, Conflict (``alert_moved``, ``idempotency_*``)."""
        if await earlier_answer(self._database, request) is not None:
            return await self.one(lender, alert)
        seen = await self.one(lender, alert)
        before, now, today = seen.row, self._node.sources.now(), self._today()
        if step.snoozed_until is not None and step.snoozed_until <= today:
            raise InvalidInput("alert_snooze_past", "a snooze ends on a day to come", path="until")
        state = next_state(seen.state, step.step)
        after = before._replace(
            state=state, assignee=step.assignee or before.assignee, snoozed_until=step.snoozed_until,
            outcome=step.outcome, steps=before.steps + 1,
        )  # fmt: skip

        async def effect(connection: Connection) -> None:
            if not await step_alert(connection, before, after):
                raise Conflict("alert_moved", "somebody else took a step at this moment",
                               advice="read the alert again")  # fmt: skip

        body = AlertStep(
            alert=alert, assignee=step.assignee, audience=lender, by=step.by, outcome=step.outcome,
            snoozed_until=step.snoozed_until, step=step.step,
        )  # fmt: skip
        draft = Draft(
            kind="alert_step", body=body, effective_date=today, jurisdiction=seen.jurisdiction, subject=before.subject,
            role="borrower", refs=(alert,),
        )  # fmt: skip
        batch = self._node.sources.new_id()
        await self._node.publisher.publish_own(
            DEPLOYMENT, self._node.authority.operator, [draft], tenants=(lender,), effect=effect, batch_id=batch,
            idempotency=record_of(request, author=DEPLOYMENT, batch_id=batch, answer=str(alert), now=now),
        )  # fmt: skip
        return await self.one(lender, alert)

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _seen(self, rows: Sequence[AlertRow]) -> list[SeenAlert]:
        """Alerts with their attestations; those of a borrower erased at this moment are left out."""
        if not rows:
            return []
        async with self._database.reading(tenants=(DEPLOYMENT,)) as connection:
            stored = {row.id: row for row in await attestations_by_id(connection, DEPLOYMENT, [r.id for r in rows])}
            entries = await entries_by_batch(
                connection, [DEPLOYMENT] * len(stored), [row.batch_id for row in stored.values()]
            )
        opened = dict(zip(stored, await self._node.sealer.open(list(stored.values())), strict=True))
        today = self._today()
        found = []
        for row in rows:
            data, at = opened.get(row.id), stored.get(row.id)
            if data is None or at is None:
                continue
            attestation = parse(data)
            if isinstance(attestation.body, Alert):
                index = entries[DEPLOYMENT, at.batch_id].idx
                found.append(SeenAlert(
                    row, state_on(row.state, row.snoozed_until, today), attestation.body,
                    attestation.envelope.jurisdiction, attestation.envelope.reported_at, at.batch_id, index,
                    at.position, at.commitment, data, _nodes(at.path),
                ))  # fmt: skip
        return found

    async def _proven(self, lender: TenantId, cause: AlertCause) -> ProvenCause:
        async with self._database.reading() as connection:
            entry = (await read_entries(connection, cause.index, cause.index + 1))[0]
        async with self._database.reading(tenants=(TenantId(entry.tenant),)) as connection:
            rows = await attestations_of_batch(connection, TenantId(entry.tenant), entry.batch_id)
        row: AttestationRow = rows[cause.position]
        kind, data = await self._shown(lender, row)
        head = await self._node.log.head()
        log_path = await self._node.log.inclusion(cause.index, head.size)
        return ProvenCause(
            cause, entry.tenant, kind, data, _nodes(row.path), tuple(log_path), head.size, entry.statement
        )

    async def _shown(self, lender: TenantId, row: AttestationRow) -> tuple[str | None, bytes | None]:
        """(kind, bytes) of a cause, as far as they are this lender's to read."""
        if row.tenant not in (lender, DEPLOYMENT):
            return None, None
        (data,) = await self._node.sealer.open([row])
        if row.tenant == lender:
            return row.kind, data
        body = None if data is None else parse(data).body
        return (row.kind, data) if isinstance(body, Effect) and body.lender == lender else (None, None)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._node.sources.now() / 1000, UTC).date()


def _nodes(path: bytes) -> tuple[bytes, ...]:
    """The hashes of a stored path, lowest first."""
    return tuple(path[at : at + 32] for at in range(0, len(path), 32))
