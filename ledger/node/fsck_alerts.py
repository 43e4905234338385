"""fsck's look at alerts: the state of each, worked out again from its attestation and the steps that followed.

Rules
- Every ``alert`` attestation that can be opened has one row, and every row has its attestation.
- The row is what the alert says, moved by its steps in log order through the table of ``ledger.risk.alerts``.
- A step about an alert that there is not, or that its state does not allow, is a fault of its own.

What it does not do: derive the counts of early warning again (fsck_risk.py).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ledger.attestation.envelope import Attestation
from ledger.attestation.risk_kinds import Alert, AlertStep
from ledger.errors import NotFound, TallystickError
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FsckReport, Progress
from ledger.risk.alerts import next_state
from ledger.store.fsck_rows import alert_events, alert_subjects, alerts_about
from ledger.store.risk_rows import AlertRow

SUBJECTS_A_PAGE: Final = 64
"""Borrowers whose alerts are in memory together."""

Key = tuple[str, UUID]


async def check_alerts(report: FsckReport, opener: Opener, progress: Progress) -> None:
    """Every alert against its attestation and its steps."""
    after, done = b"", 0
    while page := await alert_subjects(opener.connection, after, SUBJECTS_A_PAGE):
        await _check_page(report, opener, page)
        after, done = page[-1], done + len(page)
        progress("alerts", done, done)


async def _check_page(report: FsckReport, opener: Opener, subjects: list[bytes]) -> None:
    events = await alert_events(opener.connection, subjects)
    keys = await opener.keys_of([row for _, row in events])
    expected: dict[Key, AlertRow] = {}
    for index, row in events:
        where = f"entry {index}, attestation {row.position}"
        try:
            attestation = opener.opened(row, keys, index)
            if attestation is not None:
                _fold(expected, attestation)
        except TallystickError as error:
            report.add("alert_unfoldable", where, f"{error.code}: {error.message}")
    stored = {(row.tenant, row.id): row for row in await alerts_about(opener.connection, subjects)}
    for key in sorted(expected.keys() | stored.keys()):
        report.count("alerts")
        where, message = f"alert {key[1]} of {key[0]}", "not what its attestation and steps give"
        report.equal(stored.get(key), expected.get(key), "alert_differs", where, message)


def _fold(rows: dict[Key, AlertRow], attestation: Attestation) -> None:
    body, envelope = attestation.body, attestation.envelope
    if isinstance(body, Alert):
        rows[body.audience, envelope.id] = AlertRow(
            body.audience, envelope.id, envelope.subject or b"", body.account, body.rule, body.episode, body.severity,
            "open", None, None, None, 0,
        )  # fmt: skip
    elif isinstance(body, AlertStep):
        before = rows.get((body.audience, body.alert))
        if before is None:
            raise NotFound("alert_unknown", "a step about an alert that there is not")
        rows[body.audience, body.alert] = before._replace(
            state=next_state(before.state, body.step), assignee=body.assignee or before.assignee,
            snoozed_until=body.snoozed_until, outcome=body.outcome, steps=before.steps + 1,
        )  # fmt: skip
