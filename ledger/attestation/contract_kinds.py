"""The kinds around a contract: its steps, what it did, and the day ticks by which time reaches it.

- ``contract``: a document was proposed, signed, withdrawn or terminated, or a proposal that it opened was answered.
- ``effect``: a rule of a contract in force fired, or failed to be evaluated. Its canonical body *is* the record that a
  replay from the log must give again, byte for byte (ledger/contract/replay.py); the envelope around it (id, salt,
  time) is not part of that.
- ``tick``: a day began. Contracts have no other clock.

All three are the deployment's: it checks signatures and executes, and its key answers for a missing or an extra effect.
The contract's lender and account stand in the body, since the envelope's tenant is the deployment. No credit view shows
these kinds: the terms are between the parties, and what other readers may know is published as an event of the loan.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from ledger.attestation.fields import Body, Code, Count, Days, Hash, Name, SignedMoney
from ledger.attestation.sharing_kinds import FieldName, TenantName

DOCUMENT_BYTES_MAX = 11_000
"""Bytes of a contract document inside its attestation: in base64, with the envelope, it stays under 16 KiB. A longer
document (up to 64 kB) is kept beside the log under its hash."""

EffectName = Annotated[str, Meta(min_length=3, max_length=32, pattern=r"^[a-z]+\.[a-z]+\Z")]
RuleId = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]
Argument = SignedMoney | Annotated[str, Meta(max_length=128)]
Index = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Contract(Body, frozen=True, kw_only=True):
    """One step in the life of a contract. ``contract`` is the SHA-256 of the canonical document, ``party`` whose step it
    is, ``signature`` a compact JWS over the step; ``signerKey`` is there when it is the party's own key, absent when the
    deployment signed after it authenticated the party. ``effect`` is the proposal that is accepted or declined."""

    account: Hash
    contract: Hash
    document: Annotated[bytes, Meta(min_length=2, max_length=DOCUMENT_BYTES_MAX)] | None = None
    effect: Hash | None = None
    lender: TenantName
    party: Literal["lender", "borrower", "guarantor", "deployment"]
    reason: Code | None = None
    signature: Annotated[str, Meta(max_length=4_096)] | None = None
    signer_key: Annotated[bytes, Meta(min_length=32, max_length=65)] | None = None
    step: Literal["proposed", "signed", "withdrawn", "terminated", "accepted", "declined"]


class Cause(Body, frozen=True, kw_only=True):
    """The attestation that made a rule fire: its batch, its place there, its leaf hash, and the batch's log index."""

    batch: UUID
    commitment: Hash
    index: Index
    position: Count


class Effect(Body, frozen=True, kw_only=True):
    """What a rule did. ``id`` = SHA-256(contract || rule || cause's commitment || n); ``inputs`` is the hash of every
    value that the rule could see; ``after`` the ``n`` of the effect that triggered this one, where one did; ``scope``
    the instalment or day that the rule's ``once`` is counted by. ``rule.failed`` records an evaluation error."""

    account: Hash
    after: Count | None = None
    arguments: Annotated[dict[FieldName, Argument], Meta(max_length=16)]
    cause: Cause
    contract: Hash
    effect: EffectName
    engine: Name
    id: Hash
    inputs: Hash
    lender: TenantName
    n: Count
    rule: RuleId
    scope: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None


class Declaration(Body, frozen=True, kw_only=True):
    """A public fact with consequences in contracts: a disaster declared for ``region``, granting ``days`` from the
    tick's day on, by the instrument whose bytes have the hash ``document``."""

    days: Days
    document: Hash
    region: Code


class Tick(Body, frozen=True, kw_only=True):
    """The day ``day`` began. ``calendars`` are the hashes of the holiday lists that the ledger goes by that day, by name
    (``CN/2026``)."""

    calendars: Annotated[
        dict[Annotated[str, Meta(min_length=4, max_length=32, pattern=r"^[A-Z]{2}[A-Za-z0-9/-]*\Z")], Hash],
        Meta(max_length=64),
    ]
    day: date
    declared: Annotated[tuple[Declaration, ...], Meta(max_length=16)] = ()
