"""May this consumer read now? Yes, or no with the reason.

    decision = decide(row state, artefact, consumer="fintech", detail="SUMMARY", now=...)
    decision.allowed, decision.reason        -> True, "" | False, "consent_revoked"

Rules, in this order
- Only the consumer that the artefact names; only an ACTIVE consent; only from ``start`` to before ``expiry``.
- No more detail than was granted (PROFILE < SUMMARY < TRANSACTIONS).
- A one-time consent is spent by its first read. A periodic one allows ``frequency.n`` reads in each hour, day, month or
  year (of 3,600 s, 24 h, 30 d, 365 d, counted from 1970): a window that is over gives the reads back.
- The decision is taken twice: before the lines are read, and again under the consent's lock in the transaction that
  publishes the access record. The second one counts, so that no read has a log index after the revoke's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.attestation.sharing_kinds import Artefact
from ledger.consent.artefact import ConsentState
from ledger.types import UnixMillis

DETAILS: Final = ("PROFILE", "SUMMARY", "TRANSACTIONS")
_HOUR_MS: Final = 3_600_000
UNIT_MS: Final = {"HOUR": _HOUR_MS, "DAY": 24 * _HOUR_MS, "MONTH": 720 * _HOUR_MS, "YEAR": 8_760 * _HOUR_MS}
_BY_STATE: Final = {
    ConsentState.REQUESTED: "consent_not_granted",
    ConsentState.REJECTED: "consent_rejected",
    ConsentState.PAUSED: "consent_paused",
    ConsentState.REVOKED: "consent_revoked",
    ConsentState.EXPIRED: "consent_expired",
    ConsentState.SUPERSEDED: "consent_superseded",
}


@dataclass(frozen=True)
class Use:
    """How often a consent was read: in all for a one-time one, in the window of ``last_read`` for a periodic one."""

    reads: int
    last_read: UnixMillis | None


@dataclass(frozen=True)
class Decision:
    """``reason`` is a stable code, empty when allowed; ``use`` is what to record if the read goes ahead."""

    allowed: bool
    reason: str
    use: Use


def decide(
    state: ConsentState, artefact: Artefact, use: Use, *, consumer: str, detail: str, now: UnixMillis
) -> Decision:
    """May ``consumer`` read at ``detail`` now?"""
    reason = _refusal(state, artefact, consumer, detail, now)
    if reason:
        return Decision(False, reason, use)
    reads = _reads_in_window(artefact, use, now)
    if artefact.fetch == "ONETIME" and reads >= 1:
        return Decision(False, "consent_spent", use)
    if artefact.fetch == "PERIODIC" and reads >= artefact.frequency.n:
        return Decision(False, "consent_too_often", use)
    return Decision(True, "", Use(reads + 1, now))


def _refusal(state: ConsentState, artefact: Artefact, consumer: str, detail: str, now: UnixMillis) -> str:
    if artefact.consumer != consumer:
        return "consent_other_consumer"
    if state is not ConsentState.ACTIVE:
        return _BY_STATE[state]
    if now < artefact.start:
        return "consent_not_started"
    if now >= artefact.expiry:
        return "consent_expired"
    if DETAILS.index(detail) > DETAILS.index(artefact.detail):
        return "consent_detail_exceeded"
    return ""


def _reads_in_window(artefact: Artefact, use: Use, now: UnixMillis) -> int:
    if use.last_read is None:
        return 0
    if artefact.fetch == "ONETIME":
        return use.reads
    width = UNIT_MS[artefact.frequency.unit]
    return use.reads if now // width == use.last_read // width else 0
