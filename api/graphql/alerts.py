"""Alerts: a lender lists its own, sees why and on what proof, and says what became of each; a borrower sees that it was.

Rules
- A lender sees the alerts it is the audience of. What other lenders did is in them as counts and dates only; a cause of
  another lender's is named where a consent shows it, and then by place and commitment, never by content.
- Every step is published on the ledger (``alert_step``), signed by the deployment for the lender's user.
- A borrower sees which rule was raised, for whom and when, with the entry that proves it; not what was done with it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from enum import Enum
from typing import Annotated, Any, TypeVar
from uuid import UUID as Uuid

import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import After, Connection, First, GlobalIdArgument, Node, page_of
from api.graphql.context import Context, Info
from api.graphql.errors import UserError
from api.graphql.fields import guarded_field, guarded_mutation, guarded_type, open_type
from api.graphql.log import Entry, InclusionProof, entry_of
from api.graphql.payloads import IDEMPOTENCY, Input, answered, errors_field
from api.graphql.scalars import UUID, Base64, Date, decode_global_id, encode_global_id, page_size
from api.graphql.tenants import Tenant, find_tenant
from ledger.errors import InvalidInput, NotFound
from ledger.node.alert_desk import AlertDesk, ProvenCause, SeenAlert, Step
from ledger.node.idempotent import request_of
from ledger.store.attestation_rows import LAST_ID
from ledger.types import UnixMillis

Payload = TypeVar("Payload")


@strawberry.enum(description="Where an alert is in its life.")
class AlertState(Enum):
    """Where an alert is in its life."""

    OPEN = strawberry.enum_value("open", description="Nobody took it up, or a snooze is over.")
    ASSIGNED = strawberry.enum_value("assigned", description="Somebody works on it.")
    SNOOZED = strawberry.enum_value("snoozed", description="It rests until a day.")
    CLOSED = strawberry.enum_value("closed", description="Done, with an outcome.")


@strawberry.enum(description="What came of an alert: the label that its rule is judged by.")
class AlertOutcome(Enum):
    """What came of an alert."""

    CONFIRMED = strawberry.enum_value("confirmed", description="The trouble was real.")
    FALSE_ALARM = strawberry.enum_value("false_alarm", description="There was nothing to it.")
    CONTACTED = strawberry.enum_value("contacted", description="The borrower was spoken to.")
    RESTRUCTURED = strawberry.enum_value("restructured", description="Terms were changed.")
    REPAID = strawberry.enum_value("repaid", description="It was paid.")
    OTHER = strawberry.enum_value("other", description="Something else.")


@guarded_type(permission=Permission.ALERTS_READ, description="An attestation from which an alert came, with its proof.")
class AlertCause:
    """A cause with its proof."""

    index: int = strawberry.field(description="Index of its log entry.")
    position: int = strawberry.field(description="Its place in its batch, from 0.")
    batch: UUID = strawberry.field(description="The batch's id.")
    commitment: Base64 = strawberry.field(description="RFC 6962 leaf hash of the attestation's bytes.")
    path: list[Base64] = strawberry.field(description="From the commitment to the batch's root: at most 12 nodes.")
    statement: str = strawberry.field(description="The entry: the batch's signed statement, which holds that root.")
    inclusion_proof: InclusionProof = strawberry.field(description="Proof that the entry is in the log.")
    kind: str | None = strawberry.field(description="What it says; null when it is another lender's.")
    data: str | None = strawberry.field(description="Its exact bytes; null when it is another lender's.")
    lender_name: strawberry.Private[str]

    @strawberry.field(description="Who published it.")
    async def lender(self, info: Info) -> Tenant:
        """Who published it."""
        return await find_tenant(info, self.lender_name)


@guarded_type(permission=Permission.ALERTS_READ, description="A warning about one of the caller's borrowers.")
class Alert(Node):
    """A warning about one of the caller's borrowers."""

    alert: UUID = strawberry.field(description="Id of its attestation.")
    subject: Base64 = strawberry.field(description="The borrower's pseudonym, 32 bytes.")
    account: Base64 | None = strawberry.field(description="The account, where the rule is about one loan.")
    rule: str = strawberry.field(description="Code of the rule that was raised.")
    rules_hash: Base64 = strawberry.field(description="SHA-256 of the document that holds the rule.")
    severity: int = strawberry.field(description="1 worth knowing, to 4 act today.")
    reading: int = strawberry.field(description="What was read, in the rule's own unit.")
    baseline: int = strawberry.field(description="An ordinary reading; the rule is armed again down there.")
    threshold: int = strawberry.field(description="From here on it is raised.")
    reasons: list[str] = strawberry.field(description="Codes, the main one first: at most four.")
    episode: int = strawberry.field(description="How often this rule was raised about this borrower and account.")
    unnamed_causes: int = strawberry.field(description="How many more causes there are, that are not named.")
    state: AlertState = strawberry.field(description="Where it is in its life today.")
    assignee: str | None = strawberry.field(description="Who works on it, or last did.")
    snoozed_until: Date | None = strawberry.field(description="The day on which it is open again.")
    outcome: AlertOutcome | None = strawberry.field(description="What came of it.")
    raised_at: UnixMillis = strawberry.field(description="When it was raised.")
    index: int = strawberry.field(description="Index of its log entry.")
    position: int = strawberry.field(description="Its place in its batch, from 0.")
    commitment: Base64 = strawberry.field(description="RFC 6962 leaf hash of its attestation's bytes.")
    path: list[Base64] = strawberry.field(description="From the commitment to the batch's root: at most 12 nodes.")
    data: str = strawberry.field(description="Its attestation's exact bytes: RFC 8785 canonical JSON.")
    seen: strawberry.Private[SeenAlert]

    @strawberry.field(description="The causes that the caller may see, each with its proof: at most eight.")
    async def causes(self, info: Info) -> list[AlertCause]:
        """The causes with their proofs."""
        desk = AlertDesk(info.context.node)
        return [_cause_of(cause) for cause in await desk.causes(info.context.tenant, self.seen)]

    @strawberry.field(description="The log entry that proves it.")
    async def entry(self, info: Info) -> Entry:
        """The log entry that proves it."""
        return entry_of(await info.context.services.publications.entry(self.index))


@guarded_type(permission=Permission.BORROWER_READ, description="That a lender was warned about the caller.")
class BorrowerAlert:
    """That a lender was warned about the borrower who calls."""

    alert: UUID = strawberry.field(description="Id of its attestation.")
    rule: str = strawberry.field(description="Code of the rule that was raised.")
    reasons: list[str] = strawberry.field(description="Codes, the main one first: at most four.")
    raised_at: UnixMillis = strawberry.field(description="When.")
    index: int = strawberry.field(description="Index of its log entry.")
    lender_name: strawberry.Private[str]

    @strawberry.field(description="Who was warned.")
    async def lender(self, info: Info) -> Tenant:
        """Who was warned."""
        return await find_tenant(info, self.lender_name)

    @strawberry.field(description="The log entry that proves it.")
    async def entry(self, info: Info) -> Entry:
        """The log entry that proves it."""
        return entry_of(await info.context.services.publications.entry(self.index))


def _key_field() -> Any:
    return strawberry.field(description=IDEMPOTENCY)


@strawberry.input(description="Give an alert to somebody.")
class AlertAssignInput:
    """Give an alert to somebody."""

    idempotency_key: str = _key_field()
    alert: strawberry.ID = strawberry.field(description="Global id of the alert.")
    assignee: str = strawberry.field(description="Who works on it: 1 to 128 characters.")


@strawberry.input(description="Let an alert rest.")
class AlertSnoozeInput:
    """Let an alert rest."""

    idempotency_key: str = _key_field()
    alert: strawberry.ID = strawberry.field(description="Global id of the alert.")
    until: Date = strawberry.field(description="The day on which it is open again; a day to come.")


@strawberry.input(description="Close an alert.")
class AlertCloseInput:
    """Close an alert."""

    idempotency_key: str = _key_field()
    alert: strawberry.ID = strawberry.field(description="Global id of the alert.")
    outcome: AlertOutcome = strawberry.field(description="What came of it.")


@strawberry.input(description="Open an alert again.")
class AlertOpenInput:
    """Open an alert again."""

    idempotency_key: str = _key_field()
    alert: strawberry.ID = strawberry.field(description="Global id of the alert.")


@strawberry.type
class AlertPayload:
    """What the payload of every step holds."""

    alert: Alert | None = strawberry.field(description="The alert after the step.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to alertAssign.")
class AlertAssignPayload(AlertPayload):
    """The answer to alertAssign."""


@open_type(description="The answer to alertSnooze.")
class AlertSnoozePayload(AlertPayload):
    """The answer to alertSnooze."""


@open_type(description="The answer to alertClose.")
class AlertClosePayload(AlertPayload):
    """The answer to alertClose."""


@open_type(description="The answer to alertOpen.")
class AlertOpenPayload(AlertPayload):
    """The answer to alertOpen."""


@strawberry.type
class AlertMutation:
    """The steps of an alert."""

    @guarded_mutation(permission=Permission.ALERTS_WORK, description="Give an alert to somebody.")
    async def alert_assign(self, info: Info, input: Input[AlertAssignInput]) -> AlertAssignPayload:
        """Give an alert to somebody."""
        return await _step(AlertAssignPayload, info.context, "alertAssign", input, assignee=input.assignee)

    @guarded_mutation(permission=Permission.ALERTS_WORK, description="Let an alert rest until a day.")
    async def alert_snooze(self, info: Info, input: Input[AlertSnoozeInput]) -> AlertSnoozePayload:
        """Let an alert rest."""
        return await _step(AlertSnoozePayload, info.context, "alertSnooze", input, snoozed_until=input.until)

    @guarded_mutation(permission=Permission.ALERTS_WORK, description="Close an alert with its outcome.")
    async def alert_close(self, info: Info, input: Input[AlertCloseInput]) -> AlertClosePayload:
        """Close an alert."""
        return await _step(AlertClosePayload, info.context, "alertClose", input, outcome=input.outcome.value)

    @guarded_mutation(permission=Permission.ALERTS_WORK, description="Open an alert again.")
    async def alert_open(self, info: Info, input: Input[AlertOpenInput]) -> AlertOpenPayload:
        """Open an alert again."""
        return await _step(AlertOpenPayload, info.context, "alertOpen", input)


@strawberry.type
class AlertQuery:
    """A lender's own alerts."""

    @guarded_field(permission=Permission.ALERTS_READ, description="The caller's alerts, newest first.")
    async def alerts(
        self,
        info: Info,
        first: First,
        after: After = None,
        states: Annotated[
            list[AlertState] | None, strawberry.argument(description="Only in these states; absent: in any.")
        ] = None,
        severity: Annotated[int, strawberry.argument(description="Only of this severity or more: 1 to 4.")] = 1,
    ) -> Connection[Alert]:
        """The caller's alerts."""
        context, size = info.context, page_size(first)
        cursors, scope = context.services.cursors, f"alerts/{context.tenant}"
        before = LAST_ID if after is None else Uuid(str(cursors.decode(scope, after)[0]))
        wanted = None if states is None else [state.value for state in states]
        found = await AlertDesk(context.node).of_lender(
            context.tenant, before=before, limit=size + 1, states=wanted, severity=max(1, min(severity, 5))
        )
        shown = [(cursors.encode(scope, str(each.row.id)), alert_of(each)) for each in found[:size]]
        return page_of(shown, more=len(found) > size, after=after)  # type: ignore[no-any-return]

    @guarded_field(permission=Permission.ALERTS_READ, description="An alert of the caller's; null when there is none.")
    async def alert(self, info: Info, id: GlobalIdArgument) -> Alert | None:
        """An alert of the caller's."""
        return await alert_by_key(info.context, decode_global_id(id, "Alert").key)


async def alert_by_key(context: Context, key: str) -> Alert | None:
    """An alert as its audience sees it; None when it is not the caller's."""
    try:
        return alert_of(await AlertDesk(context.node).one(context.tenant, _uuid(key)))
    except NotFound:
        return None


async def borrower_alerts(context: Context, first: int, after: str | None) -> Any:
    """A page of the alerts about the borrower who calls, newest first."""
    size, cursors, scope = page_size(first), context.services.cursors, f"borrower-alerts/{context.subject.hex()}"
    before = LAST_ID if after is None else Uuid(str(cursors.decode(scope, after)[0]))
    found = await AlertDesk(context.node).of_borrower(context.subject, before=before, limit=size + 1)
    shown = [(cursors.encode(scope, str(each.row.id)), _borrower_alert_of(each)) for each in found[:size]]
    return page_of(shown, more=len(found) > size, after=after)


def alert_of(seen: SeenAlert) -> Alert:
    """An alert as the API shows it."""
    row, body = seen.row, seen.alert
    return Alert(
        id=strawberry.ID(encode_global_id("Alert", str(row.id))),
        alert=UUID(str(row.id)),
        subject=Base64(row.subject),
        account=None if body.account is None else Base64(body.account),
        rule=body.rule,
        rules_hash=Base64(body.rules),
        severity=body.severity,
        reading=body.reading,
        baseline=body.baseline,
        threshold=body.threshold,
        reasons=list(body.reasons),
        episode=body.episode,
        unnamed_causes=body.unnamed,
        state=AlertState(seen.state),
        assignee=row.assignee,
        snoozed_until=None if row.snoozed_until is None else Date(row.snoozed_until),
        outcome=None if row.outcome is None else AlertOutcome(row.outcome),
        raised_at=UnixMillis(seen.raised_at),
        index=seen.index,
        position=seen.position,
        commitment=Base64(seen.commitment),
        path=[Base64(node) for node in seen.path],
        data=seen.data.decode(),
        seen=seen,
    )


def _borrower_alert_of(seen: SeenAlert) -> BorrowerAlert:
    return BorrowerAlert(
        alert=UUID(str(seen.row.id)),
        rule=seen.alert.rule,
        reasons=list(seen.alert.reasons),
        raised_at=UnixMillis(seen.raised_at),
        index=seen.index,
        lender_name=seen.row.tenant,
    )


def _cause_of(proven: ProvenCause) -> AlertCause:
    cause, nodes = proven.cause, [Base64(node) for node in proven.log_path]
    return AlertCause(
        index=cause.index,
        position=cause.position,
        batch=UUID(str(cause.batch)),
        commitment=Base64(cause.commitment),
        path=[Base64(node) for node in proven.path],
        statement=proven.statement.decode(),
        inclusion_proof=InclusionProof(index=cause.index, tree_size=proven.tree_size, path=nodes),
        kind=proven.kind,
        data=None if proven.data is None else proven.data.decode(),
        lender_name=proven.lender,
    )


_STEPS: dict[str, Any] = {
    "alertAssign": "assigned",
    "alertClose": "closed",
    "alertOpen": "opened",
    "alertSnooze": "snoozed",
}


async def _step(payload: type[Payload], context: Context, name: str, asked: Any, **member: Any) -> Payload:
    async def act() -> Payload:
        alert = _uuid(decode_global_id(asked.alert, "Alert").key)
        content = {"alert": str(alert)} | {key: str(value) for key, value in member.items()}
        request = request_of(context.tenant, asked.idempotency_key, name, content)
        step = Step(step=_STEPS[name], by=_user_of(context), **member)
        seen = await AlertDesk(context.node).step(context.tenant, alert, step, request)
        return payload(alert=alert_of(seen))  # type: ignore[call-arg]

    work: Awaitable[Payload] = act()
    return await answered(payload, work)


def _user_of(context: Context) -> str:
    """Who acts, as the token's issuer names them."""
    return "" if context.principal is None else context.principal.client_id[:128]


def _uuid(key: str) -> Uuid:
    try:
        return Uuid(key)
    except ValueError:
        raise InvalidInput("global_id_invalid", "not an id of this ledger", path="$.id") from None
