"""The kinds of early warning and of scoring models: what was raised, what became of it, and which model may score.

- ``alert``: a rule was raised for one lender, its audience, about one borrower. It says the reading against the
  baseline, at most four reasons, and names as causes those attestations that its audience may read; how many more there
  were is a number. Another lender's figures cannot stand in it: a reading from elsewhere is a count or a date.
- ``alert_step``: what the audience did with it. The deployment publishes it for the lender, whose user it
  authenticated: a step and the state of the alert are one transaction, and lenders that keep their own keys need not
  sign each click. ``by`` says who.
- ``model``: a scoring model was registered, or promoted to decide. Everything about it is there by hash; a promotion
  carries at least two approvals.

All three are the deployment's. No credit view shows them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from ledger.attestation.fields import BasisPoints, Body, Code, Count, Hash, Name, SignedMoney
from ledger.attestation.sharing_kinds import FieldName, TenantName, Version

Seed = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Severity = Annotated[int, Meta(ge=1, le=4)]

OUTCOMES = ("confirmed", "false_alarm", "contacted", "restructured", "repaid", "other")
"""What a lender says of an alert when it closes it: these are the labels that rules are judged by."""


class AlertCause(Body, frozen=True, kw_only=True):
    """An attestation that the alert came from: its batch, the batch's log index, its place there, its commitment."""

    batch: UUID
    commitment: Hash
    index: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    position: Count


class Alert(Body, frozen=True, kw_only=True):
    """A rule raised for ``audience``. ``rules`` is the SHA-256 of the document that holds ``rule``; ``reading`` reached
    ``threshold`` where ``baseline`` is ordinary, in the rule's own unit; ``episode`` counts from 1 per rule, audience,
    borrower and ``account``; ``unnamed`` is how many causes are not named."""

    account: Hash | None = None
    audience: TenantName
    baseline: SignedMoney
    causes: Annotated[tuple[AlertCause, ...], Meta(max_length=8)] = ()
    episode: Annotated[int, Meta(ge=1, le=1_000_000)]
    reading: SignedMoney
    reasons: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=4)]
    rule: Code
    rules: Hash
    severity: Severity
    threshold: SignedMoney
    unnamed: Count = 0


class AlertStep(Body, frozen=True, kw_only=True):
    """What became of the alert with the attestation id ``alert``. ``assigned`` names an assignee, ``snoozed`` a day until
    which it rests, ``closed`` an outcome; ``opened`` takes a snooze or a closing back."""

    alert: UUID
    assignee: Name | None = None
    audience: TenantName
    by: Name
    outcome: Literal["confirmed", "false_alarm", "contacted", "restructured", "repaid", "other"] | None = None
    snoozed_until: date | None = None
    step: Literal["assigned", "closed", "opened", "snoozed"]


class Approval(Body, frozen=True, kw_only=True):
    """Somebody answers for a model: a compact JWS over the model's hash, by the key ``kid``."""

    approver: Name
    kid: Annotated[str, Meta(min_length=43, max_length=43)]
    signature: Annotated[str, Meta(max_length=4_096)]


class Model(Body, frozen=True, kw_only=True):
    """A scoring model. ``model`` is the SHA-256 of its document, ``cardHash`` of its model card, ``dataHash`` of the
    training data, ``challenger`` of the model it was compared with; ``metrics`` and ``fairness`` are basis points."""

    approvals: Annotated[tuple[Approval, ...], Meta(max_length=8)] = ()
    card_hash: Hash
    challenger: Hash | None = None
    data_hash: Hash
    fairness: Annotated[dict[FieldName, BasisPoints], Meta(max_length=64)]
    metrics: Annotated[dict[FieldName, BasisPoints], Meta(max_length=64)]
    model: Hash
    name: Name
    split_seed: Seed
    step: Literal["registered", "promoted"]
    version: Version
