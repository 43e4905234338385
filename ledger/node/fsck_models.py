"""fsck's look at scoring models and challengers: what may decide, worked out again from the ``model`` attestations.

Rules
- Every registered model has one row and every row its registration: the document has the hash that the log knows it by,
  and its figures are those that were registered.
- A row decides exactly when its promotion stands on the ledger, and each of the approvers' signatures there is over this
  document, this challenger and these figures. A challenger never decides, and stands beside the card it was compared with.
- Every row of what a challenger made of a borrower belongs to a score on the ledger: its lender, borrower, card, points,
  day and ``asOf`` are that score's, and its challenger is one that was registered beside that card.

What it does not do: run challengers again (``score_shadow.challenger_ppm``), since the inputs stay with the lender, who
can, from the snapshot whose hash is in the score. Nor say that such a row is missing: a challenger may have been registered
after the score, or not have been allowed to run. Nor verify the signatures with the approvers' keys as they are today: they
were good when the promotion was committed, and a key that was revoked since says nothing about that day. Nor does it count
months again (``score_month``): they are nobody's claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ledger.attestation.envelope import Attestation
from ledger.attestation.risk_kinds import Model
from ledger.attestation.sharing_kinds import Score
from ledger.base64_strict import decode_url
from ledger.errors import TallystickError
from ledger.node.fsck_batches import Opener
from ledger.node.fsck_report import FsckReport
from ledger.node.scoring import registration_of
from ledger.risk.model_rules import approval_payload, model_body
from ledger.store.fsck_rows import model_events
from ledger.store.model_rows import ModelRow, read_models
from ledger.store.shadow_rows import ShadowRow, shadows_with_scores

MODELS_CHECKED_MAX: Final = 10_000
"""Models compared: far above what a deployment registers in its life."""

SHADOWS_A_PAGE: Final = 512


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
    await _check_shadows(report, opener, {digest: row.beside for digest, row in stored.items()})


async def _check_shadows(report: FsckReport, opener: Opener, beside: Mapping[bytes, bytes | None]) -> None:
    after = ("", UUID(int=0))
    while page := await shadows_with_scores(opener.connection, after, SHADOWS_A_PAGE):
        keys = await opener.keys_of([score[1] for _, score in page if score is not None])
        for row, score in page:
            report.count("shadows")
            where = f"shadow of the score in batch {row.batch_id} of {row.tenant}"
            attestation = None
            try:
                attestation = None if score is None else opener.opened(score[1], keys, score[0])
            except TallystickError as error:
                report.add("shadow_differs", where, f"{error.code}: {error.message}")
            _compare_shadow(report, where, row, attestation)
            registered = beside.get(row.challenger)
            report.equal(registered, row.model, "shadow_differs", where, "no challenger that stands beside this card")
        after = page[-1][0].tenant, page[-1][0].batch_id


def _compare_shadow(report: FsckReport, where: str, row: ShadowRow, attestation: Attestation | None) -> None:
    if attestation is None or not isinstance(attestation.body, Score):
        report.add("shadow_differs", where, "a row without its score")
        return
    body, envelope = attestation.body, attestation.envelope
    said = (envelope.subject, body.model_hash, envelope.effective_date, body.as_of, body.value)
    kept = (row.subject, row.model, row.scored_on, row.as_of, row.points)
    report.equal(kept, said, "shadow_differs", where, "not the borrower, card, day or points of its score")


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
    named = (registration.model.document.name, registration.model.document.version)
    report.equal((row.name, row.version), named, "model_differs", where, "not the document's name and version")
    report.equal(row.beside, registration.beside, "model_differs", where, "not beside the card it was compared with")
    decides = row.promoted_at is not None
    if decides and registration.beside is not None:
        report.add("model_differs", where, "a challenger that decides")
    report.equal(
        decides, said.promoted is not None, "model_differs", where, "decides without a promotion, or not with one"
    )
    approvals = () if said.promoted is None else said.promoted.approvals
    due = approval_payload(row.digest, bytes.fromhex(registration.figures.challenger), registration.digest)
    for approval in approvals:
        signed = decode_url(approval.signature.split(".")[1])
        report.equal(signed, due, "model_differs", where, f"{approval.approver} signed for something else")
