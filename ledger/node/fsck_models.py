"""fsck's look at scoring models: what may decide, worked out again from the ``model`` attestations.

Rules
- Every registered model has one row and every row its registration: the document has the hash that the log knows it by,
  and its figures are those that were registered.
- A row decides exactly when its promotion stands on the ledger, and each of the approvers' signatures there is over this
  document, this challenger and these figures.

What it does not do: verify the signatures with the approvers' keys as they are today. They were good when the promotion was
committed; a key that was revoked since says nothing about that day. Nor does it count months again (``score_month``):
they are nobody's claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.attestation.risk_kinds import Model
from ledger.base64_strict import decode_url
from ledger.errors import TallystickError
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FsckReport
from ledger.node.scoring import payload_of, registration_of
from ledger.risk.model_rules import model_body
from ledger.store.fsck_rows import model_events
from ledger.store.model_rows import ModelRow, read_models

MODELS_CHECKED_MAX: Final = 10_000
"""Models compared: far above what a deployment registers in its life."""


@dataclass
class _Told:
    """What the log says of one model."""

    registered: Model | None = None
    promoted: Model | None = None


async def check_models(report: FsckReport, opener: Opener) -> None:
    """Every model against its registration and its promotion."""
    told = await _told(report, opener)
    stored = {row.digest: row for row in await read_models(opener.connection, MODELS_CHECKED_MAX)}
    for digest in sorted(told.keys() | stored.keys()):
        report.count("models")
        where, row = f"model {digest.hex()}", stored.get(digest)
        said = told.get(digest, _Told())
        if row is None or said.registered is None:
            report.add("model_differs", where, "a row without a registration, or a registration without a row")
            continue
        try:
            _compare(report, where, row, said)
        except TallystickError as error:
            report.add("model_differs", where, f"{error.code}: {error.message}")


async def _told(report: FsckReport, opener: Opener) -> dict[bytes, _Told]:
    events = await model_events(opener.connection)
    keys = await opener.keys_of([row for _, row in events])
    found: dict[bytes, _Told] = {}
    for index, row in events:
        try:
            attestation = opener.opened(row, keys, index)
        except TallystickError as error:
            report.add("model_differs", f"entry {index}", f"{error.code}: {error.message}")
            continue
        if attestation is not None and isinstance(attestation.body, Model):
            body = attestation.body
            setattr(found.setdefault(body.model, _Told()), body.step, body)
    return found


def _compare(report: FsckReport, where: str, row: ModelRow, said: _Told) -> None:
    registration = registration_of(row)
    body = model_body(registration, step="registered")
    report.equal(body, said.registered, "model_differs", where, "not the document and figures that were registered")
    named = (registration.card.document.name, registration.card.document.version)
    report.equal((row.name, row.version), named, "model_differs", where, "not the document's name and version")
    decides = row.promoted_at is not None
    report.equal(
        decides, said.promoted is not None, "model_differs", where, "decides without a promotion, or not with one"
    )
    approvals = () if said.promoted is None else said.promoted.approvals
    for approval in approvals:
        signed = decode_url(approval.signature.split(".")[1])
        report.equal(signed, payload_of(row), "model_differs", where, f"{approval.approver} signed for something else")
