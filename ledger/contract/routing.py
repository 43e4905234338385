"""Which contracts hear of an attestation, and as what: the same answer at the commit and in a replay.

    if hears(contract, attestation, deployment="tally"):
        event = event_of(contract, attestation, cause, before=before, after=after, today=today)

Rules
- A contract hears what its lender says of its account, what the lender or the deployment says of its borrower, the
  answers to its proposals, and the ticks where it waits for a day. Never what another lender says: that reaches it as
  warnings addressed to its lender.
- Of consents it hears those that its borrower gave its lender, and none that was given to somebody else. One that waits
  for a consent is asked of every day, and told which purposes stand (consents.py).
- It does not hear effects, its own or others': what its effects trigger was executed with them, in one go.
- A rule sees the loan as it is just after the attestation, and on the attestation's day; ``event.*`` tells what was
  before.
"""

from __future__ import annotations

from datetime import date

import msgspec

from ledger.attestation.contract_kinds import Cause, Tick
from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.envelope import Attestation, Envelope
from ledger.attestation.risk_kinds import Alert
from ledger.attestation.sharing_kinds import Artefact, Consent
from ledger.contract.document import Document
from ledger.contract.engine import Answer, Event, reads_on_time
from ledger.contract.occurrences import TRIGGERING_KINDS, occurrences, tick_occurrences
from ledger.contract.program import CompiledContract
from ledger.loan.state import LoanState

TICK_TRIGGERS = frozenset({"disaster.declared", "repayment.missed", "tick.day"})
"""Triggers that a tick may be."""

CONSENT_TRIGGERS = frozenset({"consent.granted", "consent.revoked"})
"""Triggers that a step of a consent may be."""

ANSWERS = ("accepted", "declined")
"""Steps of a contract that are events of its engine."""


def hears(contract: CompiledContract, attestation: Attestation, deployment: str) -> bool:
    """Whether a contract is to be executed for an attestation. Says nothing of whether it is in force."""
    envelope, body, document = attestation.envelope, attestation.body, contract.document
    if envelope.kind == "tick":
        return hears_ticks(contract)
    if envelope.kind == "contract":
        return isinstance(body, ContractStep) and body.step in ANSWERS and body.contract == contract.hash
    if envelope.kind not in TRIGGERING_KINDS or envelope.tenant not in (document.parties.lender, deployment):
        return False
    if envelope.kind == "consent" and not hears_consents(contract):
        return False
    if isinstance(body, Alert) and body.audience != document.parties.lender:
        return False
    return _concerns(document, envelope)


def hears_ticks(contract: CompiledContract) -> bool:
    """Whether the days' ticks mean anything to a contract: most rules do not wait for a day."""
    return contract.waits or reads_on_time(contract) or not TICK_TRIGGERS.isdisjoint(contract.by_trigger)


def hears_consents(contract: CompiledContract) -> bool:
    """Whether the borrower's consents mean anything to a contract."""
    return contract.waits or not CONSENT_TRIGGERS.isdisjoint(contract.by_trigger)


def _concerns(document: Document, envelope: Envelope) -> bool:
    if envelope.account is not None:
        return envelope.tenant == document.parties.lender and envelope.account == document.account
    return envelope.subject == document.parties.borrower


def event_of(
    contract: CompiledContract, attestation: Attestation, cause: Cause, *,
    before: LoanState | None, after: LoanState | None, today: int, consent: Artefact | None = None,
    standing: frozenset[str] = frozenset(),
) -> Event:  # fmt: skip
    """An attestation as an event of a contract. ``before`` and ``after`` are the contract's loan around it, the same
    twice when the attestation is not about the loan; ``today`` is the day of the log's latest tick, an ordinal, 0 before
    the first; for a tick itself, of the one before it. ``consent`` are the terms of the consent that it is about,
    ``standing`` the purposes that the borrower allows just after it."""
    body, day = attestation.body, attestation.envelope.effective_date
    if isinstance(body, Tick):
        told = tick_occurrences(body, after, contract.document.calendar)
        return Event(cause, body.day.toordinal(), max(today, body.day.toordinal()), told, calendars=body.calendars,
                     standing=standing)  # fmt: skip
    if isinstance(body, ContractStep):
        answer = Answer(body.effect or b"", body.party, body.step == "accepted")
        return Event(cause, day.toordinal(), today, answer=answer, standing=standing)
    if isinstance(body, Consent):
        body = msgspec.structs.replace(body, artefact=consent)
    told = occurrences(attestation.envelope.kind, body, before=before, after=after, day=day)
    return Event(cause, day.toordinal(), today, told, standing=standing)


def log_day_of(attestation: Attestation, today: int) -> int:
    """The log's day just after an attestation: ``Event.log_day`` of its event."""
    body = attestation.body
    return max(today, body.day.toordinal()) if isinstance(body, Tick) else (
        today or attestation.envelope.effective_date.toordinal()
    )  # fmt: skip


def landing_day(cause: Attestation, today: int) -> date:
    """The day of what an effect means for the loan: its cause's value date where that is about an account, else (a
    consent, a step of the contract, a tick) the log's day."""
    if cause.envelope.account is not None:
        return cause.envelope.effective_date
    return date.fromordinal(log_day_of(cause, today))


def day_of(event: Event) -> date:
    """The day on which the loan is looked at for an event."""
    return date.fromordinal(event.day)
