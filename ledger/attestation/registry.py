"""Every kind in one table: its structure, who may publish it, what it is about, and the rules beyond its types.

    SPECS["repayment"].body         -> credit_kinds.Repayment
    SPECS["consent"].publisher      -> "deployment": only the ledger's own tenant, after it checked the step
    check_body(kind, body, refs)    raises InvalidInput with a code and the field's path

Adding a kind: a structure in credit_kinds.py or sharing_kinds.py, a row here, and a place in the loan's transition table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation import risk_kinds as risk
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.fields import Body
from ledger.currency import MINOR_DIGITS
from ledger.errors import InvalidInput, InvariantBroken

Publisher = Literal["lender", "deployment"]
About = Literal["account", "subject", "nothing"]
Kind = Literal[
    "access", "agreement", "alert", "alert_step", "alt_data", "application", "charge", "charge_off", "closure",
    "collateral", "consent", "contract", "correction", "cure", "decision", "default", "deletion", "delinquency",
    "disbursement", "dispute", "effect", "enquiry", "erasure", "extension", "guarantee", "identity_link", "insolvency",
    "key", "model", "notice", "pause", "recovery", "repayment", "restructure", "resume", "reversal", "schedule",
    "score", "statement", "status_snapshot", "tick", "transfer", "waiver",
]  # fmt: skip
"""The name of a kind, as it stands in an envelope."""


def _agreement(body: credit.Agreement, refs: int) -> None:
    named = len(set(body.allocation_order or ()))
    if body.allocation_order is not None and named < len(body.allocation_order):
        raise InvalidInput(
            "allocation_order_wrong", "an allocation order names each of the twelve slots once",
            path="$.body.allocationOrder", expected=len(body.allocation_order), found=named,
        )  # fmt: skip


def _repayment(body: credit.Repayment, refs: int) -> None:
    if body.allocated is not None and body.allocated.total() != body.amount:
        raise InvalidInput(
            "allocation_mismatch", "the allocated parts do not add up to the amount",
            path="$.body.allocated", expected=body.amount, found=body.allocated.total(),
        )  # fmt: skip


def _schedule(body: credit.Schedule, refs: int) -> None:
    for position, row in enumerate(body.rows):
        if row.n != position + 1:
            raise InvalidInput(
                "schedule_order", "rows are numbered from 1 in order",
                path=f"$.body.rows[{position}].n", expected=position + 1, found=row.n,
            )  # fmt: skip
        if position and row.due < body.rows[position - 1].due:
            raise InvalidInput("schedule_order", "due dates go forward", path=f"$.body.rows[{position}].due")


def _pause(body: credit.Pause, refs: int) -> None:
    if body.until < body.start:
        raise InvalidInput("period_reversed", "a pause ends on or after its start", path="$.body.until")


def _alt_data(body: sharing.AltData, refs: int) -> None:
    if body.period_to < body.period_from:
        raise InvalidInput("period_reversed", "a period ends on or after its start", path="$.body.periodTo")


def _needs_reference(body: Body, refs: int) -> None:
    if refs == 0:
        raise InvalidInput("reference_missing", "names no attestation that it is about", path="$.refs", expected=">= 1")


def _statement(body: sharing.Statement, refs: int) -> None:
    words = len(body.text.split())
    if words > 100:
        raise InvalidInput("statement_long", "a statement has at most 100 words", path="$.body.text", found=words)


def _decision(body: credit.Decision, refs: int) -> None:
    if body.outcome == "approved" and (body.amount is None or body.currency is None):
        raise InvalidInput("field_missing", "an approval states its amount and currency", path="$.body.amount")


def _consent(body: sharing.Consent, refs: int) -> None:
    if body.step in ("requested", "granted") and body.artefact is None:
        raise InvalidInput("field_missing", "this step carries the artefact", path="$.body.artefact")
    if body.artefact is not None and (body.artefact.consent, body.artefact.version) != (body.consent, body.version):
        raise InvalidInput("consent_mismatch", "the artefact names another consent or version", path="$.body.artefact")


def _score(body: sharing.Score, refs: int) -> None:
    if not body.scale_min <= body.value <= body.scale_max:
        raise InvalidInput("score_range", "the score is outside its scale", path="$.body.value")


def _contract(body: contracting.Contract, refs: int) -> None:
    if body.document is not None and sha256(body.document).digest() != body.contract:
        raise InvalidInput("contract_mismatch", "the document has another hash", path="$.body.contract")
    if (body.step in ("accepted", "declined")) != (body.effect is not None):
        raise InvalidInput("field_missing", "an answer, and nothing else, names its proposal", path="$.body.effect")


def _alert(body: risk.Alert, refs: int) -> None:
    if not body.baseline < body.threshold <= body.reading:
        raise InvalidInput("alert_reading", "an alert reads its threshold or more, above its baseline",
                           path="$.body.reading", expected=f">= {body.threshold}", found=body.reading)  # fmt: skip


def _alert_step(body: risk.AlertStep, refs: int) -> None:
    members = {"assigned": body.assignee, "snoozed": body.snoozed_until, "closed": body.outcome}
    for step, member in members.items():
        if (member is not None) != (body.step == step):
            raise InvalidInput("alert_step_member", "each step carries its own member and no other", path="$.body.step")


def _model(body: risk.Model, refs: int) -> None:
    approvers = {approval.approver for approval in body.approvals}
    if body.step == "promoted" and (len(approvers) < 2 or body.challenger is None):
        raise InvalidInput("model_unapproved", "a promotion names a challenger and two approvers", path="$.body.approvals",
                           expected=">= 2", found=len(approvers))  # fmt: skip


Rule = Callable[[Any, int], None]


@dataclass(frozen=True)
class Spec:
    """What the ledger knows of one kind."""

    body: type[Body]
    about: About = "account"
    publisher: Publisher = "lender"
    rule: Rule | None = None
    disclosed: bool = True
    """Whether a credit view may show it to a consented reader."""


SPECS: Final[dict[str, Spec]] = {
    "access": Spec(sharing.Access, "subject", "deployment", disclosed=False),
    "agreement": Spec(credit.Agreement, rule=_agreement),
    "alert": Spec(risk.Alert, "subject", "deployment", _alert, disclosed=False),
    "alert_step": Spec(risk.AlertStep, "subject", "deployment", _alert_step, disclosed=False),
    "alt_data": Spec(sharing.AltData, "subject", rule=_alt_data),
    "application": Spec(credit.Application),
    "charge": Spec(credit.Charge),
    "charge_off": Spec(credit.ChargeOff),
    "closure": Spec(credit.Closure),
    "collateral": Spec(credit.Collateral),
    "consent": Spec(sharing.Consent, "subject", "deployment", _consent, disclosed=False),
    "contract": Spec(contracting.Contract, "subject", "deployment", _contract, disclosed=False),
    "correction": Spec(sharing.Correction, rule=_needs_reference),
    "cure": Spec(credit.Cure),
    "decision": Spec(credit.Decision, rule=_decision),
    "default": Spec(credit.Default),
    "deletion": Spec(sharing.Deletion, rule=_needs_reference),
    "delinquency": Spec(credit.Delinquency),
    "disbursement": Spec(credit.Disbursement),
    "dispute": Spec(sharing.Dispute),
    "effect": Spec(contracting.Effect, "subject", "deployment", disclosed=False),
    "enquiry": Spec(credit.Enquiry, "subject"),
    "erasure": Spec(sharing.Erasure, "nothing", "deployment", disclosed=False),
    "extension": Spec(sharing.Extension, disclosed=False),
    "guarantee": Spec(credit.Guarantee),
    "identity_link": Spec(sharing.IdentityLink, "subject", disclosed=False),
    "insolvency": Spec(credit.Insolvency, "subject"),
    "key": Spec(sharing.KeyEvent, "nothing", "deployment", disclosed=False),
    "model": Spec(risk.Model, "nothing", "deployment", _model, disclosed=False),
    "notice": Spec(sharing.Notice, "subject"),
    "pause": Spec(credit.Pause, rule=_pause),
    "recovery": Spec(credit.Recovery),
    "repayment": Spec(credit.Repayment, rule=_repayment),
    "restructure": Spec(credit.Restructure),
    "resume": Spec(credit.Resume),
    "reversal": Spec(credit.Reversal, rule=_needs_reference),
    "schedule": Spec(credit.Schedule, rule=_schedule),
    "score": Spec(sharing.Score, "subject", rule=_score),
    "statement": Spec(sharing.Statement, "subject", rule=_statement),
    "status_snapshot": Spec(credit.StatusSnapshot),
    "tick": Spec(contracting.Tick, "nothing", "deployment", disclosed=False),
    "transfer": Spec(credit.Transfer),
    "waiver": Spec(credit.Waiver),
}
"""Kind -> what the ledger knows of it."""


def check_body(kind: str, body: Body, refs: int) -> None:
    """The rules of ``kind`` beyond its types: currency known, sums that add up, order of rows.

    ``refs`` is how many attestations the envelope refers to. Raises InvalidInput.
    """
    currency = getattr(body, "currency", None)
    if currency is not None and currency not in MINOR_DIGITS:
        raise InvalidInput("currency_unknown", "not an active ISO 4217 code", path="$.body.currency", found=currency)
    rule = SPECS[kind].rule
    if rule is not None:
        rule(body, refs)


def _require_canonical_order(structure: type[msgspec.Struct]) -> None:
    names = structure.__struct_encode_fields__
    if list(names) != sorted(names) or not all(name.isascii() for name in names):
        raise InvariantBroken("kind_order", f"members of {structure.__name__} are not in ASCII order", found=names)


def every_structure() -> list[type[msgspec.Struct]]:
    """Every structure that can stand in an attestation's body, nested ones included."""
    modules = (credit, contracting, risk, sharing)
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Body) and value is not Body
    ]


for _structure in every_structure():
    _require_canonical_order(_structure)
