"""Where a loan is in its life, and which event may follow which.

    NEW -> APPLIED -> APPROVED -> ACTIVE | PAID | OVERPAID -> WRITTEN_OFF | REFINANCED | SOLD | SETTLED_SHORT ...

Rules
- The table is total: a pair of stage and event is listed with the stage that follows, or it is refused.
- Active, paid and overpaid are one place with three names: each event may follow all of them or none, and which of the
  three a running loan is follows from its money (``settled``), in value-date order. That is why a payment that comes
  late, or back-dated, or goes back, never makes an earlier event unlawful.
- Days past due, default, forbearance, pause, dispute and charge-off are *not* stages: they are facts beside the stage.
  In particular charge-off is accounting (the loan stays active and owed), write-off closes.
- A lender's books (``snapshot``) are evidence of an active loan: an imported account need not tell of its disbursement.
- A lender's file restates an ended account for months: the same agreement, charge-off and end again leave the stage.
- To undo is to delete: a deleted disbursement leaves an approved loan, if nothing came after it that needs one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from ledger.errors import Refused


class Stage(StrEnum):
    """One place in a loan's life."""

    NEW = "new"
    APPLIED = "applied"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    ACTIVE = "active"
    PAID = "paid"
    OVERPAID = "overpaid"
    SETTLED_SHORT = "settled_short"
    REFINANCED = "refinanced"
    WRITTEN_OFF = "written_off"
    RECOVERED = "recovered"
    SOLD = "sold"
    FRAUD = "fraud"


class Event(StrEnum):
    """What happened to a loan, as far as its stage is concerned."""

    APPLICATION = "application"
    APPROVAL = "approval"
    COUNTER_OFFER = "counter_offer"
    DECLINE = "decline"
    WITHDRAWAL = "withdrawal"
    AGREEMENT = "agreement"
    DISBURSEMENT = "disbursement"
    SNAPSHOT = "snapshot"
    TERMS = "terms"  # schedule, restructure, collateral, guarantee, pause, resume
    CHARGE = "charge"
    REPAYMENT = "repayment"
    REVERSAL = "reversal"
    STANDING = "standing"  # delinquency, default, cure, waiver: beside the stage
    CHARGE_OFF = "charge_off"  # accounting loss: beside the stage, and restated after the end
    RECOVERY = "recovery"
    CLOSURE_PAID = "closure_paid"
    CLOSURE_SHORT = "closure_short"
    CLOSURE_REFINANCED = "closure_refinanced"
    CLOSURE_WRITTEN_OFF = "closure_written_off"
    CLOSURE_FRAUD = "closure_fraud"
    CLOSURE_CANCELLED = "closure_cancelled"
    TRANSFER = "transfer"
    RECORD = "record"  # dispute, correction, deletion, extension: about the record, never about the stage


def _stays(stage: Stage, *events: Event) -> dict[tuple[Stage, Event], Stage]:
    return {(stage, event): stage for event in events}


_S, _E = Stage, Event
LIVE: Final = (_S.ACTIVE, _S.PAID, _S.OVERPAID)
"""The three names of a running loan; ``settled`` says which."""

_ENDED: Final = (_S.SETTLED_SHORT, _S.REFINANCED, _S.WRITTEN_OFF, _S.RECOVERED, _S.SOLD, _S.FRAUD)
_RUNNING: Final = (
    _E.AGREEMENT, _E.DISBURSEMENT, _E.SNAPSHOT, _E.TERMS, _E.CHARGE, _E.REPAYMENT, _E.REVERSAL, _E.STANDING,
    _E.CHARGE_OFF, _E.RECOVERY, _E.CLOSURE_PAID,
)  # fmt: skip
_ENDS: Final = {
    _E.CLOSURE_SHORT: _S.SETTLED_SHORT, _E.CLOSURE_REFINANCED: _S.REFINANCED, _E.CLOSURE_WRITTEN_OFF: _S.WRITTEN_OFF,
    _E.CLOSURE_FRAUD: _S.FRAUD, _E.TRANSFER: _S.SOLD,
}  # fmt: skip

TRANSITIONS: Final[dict[tuple[Stage, Event], Stage]] = {
    (_S.NEW, _E.APPLICATION): _S.APPLIED,
    (_S.NEW, _E.AGREEMENT): _S.APPROVED,
    (_S.APPLIED, _E.APPROVAL): _S.APPROVED,
    (_S.APPLIED, _E.DECLINE): _S.DECLINED,
    (_S.APPLIED, _E.WITHDRAWAL): _S.WITHDRAWN,
    (_S.APPLIED, _E.AGREEMENT): _S.APPROVED,
    **_stays(_S.APPLIED, _E.COUNTER_OFFER),
    (_S.APPROVED, _E.WITHDRAWAL): _S.CANCELLED,
    (_S.APPROVED, _E.CLOSURE_CANCELLED): _S.CANCELLED,
    (_S.APPROVED, _E.DISBURSEMENT): _S.ACTIVE,
    (_S.APPROVED, _E.SNAPSHOT): _S.ACTIVE,
    **_stays(_S.APPROVED, _E.AGREEMENT, _E.TERMS),
    **{(stage, event): _S.ACTIVE for stage in LIVE for event in _RUNNING},
    **{(stage, event): end for stage in LIVE for event, end in _ENDS.items()},
    **{(end, event): end for event, end in _ENDS.items()},
    **{(stage, event): stage for stage in _ENDED for event in (_E.AGREEMENT, _E.SNAPSHOT, _E.CHARGE_OFF)},
    (_S.SETTLED_SHORT, _E.REVERSAL): _S.ACTIVE,
    (_S.REFINANCED, _E.REVERSAL): _S.ACTIVE,
    (_S.WRITTEN_OFF, _E.REVERSAL): _S.ACTIVE,
    (_S.WRITTEN_OFF, _E.RECOVERY): _S.RECOVERED,
    **_stays(_S.RECOVERED, _E.RECOVERY),
    **_stays(_S.SOLD, _E.REVERSAL, _E.RECOVERY),
    **{(stage, _E.RECORD): stage for stage in Stage if stage is not _S.NEW},
}
"""(stage, event) -> the stage that follows; ACTIVE after a running loan means one of LIVE. A pair that is not here is
refused."""


# A StrEnum is equal to its value and hashes like it: the same table, for the hot path that has only values.
_BY_VALUE: Final[Mapping[tuple[str, str], Stage]] = {
    (str(s), str(e)): following for (s, e), following in TRANSITIONS.items()
}


def next_stage(stage: str, event: str) -> Stage:
    """The stage after ``event``; both may be given by their values. Raises Refused ``transition_refused``."""
    following = _BY_VALUE.get((stage, event))
    if following is None:
        raise Refused(
            "transition_refused", f"a loan that is {stage} has no {event}", path="$.kind",
            advice="publish the missing earlier event first, or correct the wrong one",
        )  # fmt: skip
    return following


def settled(balance: int | None, cleared: object) -> Stage:
    """Which of the three a running loan is: ``balance`` in minor units, ``cleared`` whether a payment, a waiver or the
    lender's word brought it down to nothing since something was owed last."""
    if not cleared or balance is None or balance > 0:
        return Stage.ACTIVE
    return Stage.PAID if balance == 0 else Stage.OVERPAID


DECISIONS: Final = {
    "approved": Event.APPROVAL, "countered": Event.COUNTER_OFFER,
    "declined": Event.DECLINE, "withdrawn": Event.WITHDRAWAL,
}  # fmt: skip
CLOSURES: Final = {
    "paid": Event.CLOSURE_PAID, "settled_short": Event.CLOSURE_SHORT, "refinanced": Event.CLOSURE_REFINANCED,
    "written_off": Event.CLOSURE_WRITTEN_OFF, "fraud": Event.CLOSURE_FRAUD, "transferred": Event.TRANSFER,
    "cancelled": Event.CLOSURE_CANCELLED,
}  # fmt: skip
EVENTS: Final[Mapping[str, Event]] = {
    "agreement": Event.AGREEMENT, "application": Event.APPLICATION, "charge": Event.CHARGE,
    "charge_off": Event.CHARGE_OFF, "collateral": Event.TERMS, "correction": Event.RECORD, "cure": Event.STANDING,
    "default": Event.STANDING, "deletion": Event.RECORD, "delinquency": Event.STANDING,
    "disbursement": Event.DISBURSEMENT, "dispute": Event.RECORD, "extension": Event.RECORD, "guarantee": Event.TERMS,
    "pause": Event.TERMS, "recovery": Event.RECOVERY, "repayment": Event.REPAYMENT, "restructure": Event.TERMS,
    "resume": Event.TERMS, "reversal": Event.REVERSAL, "schedule": Event.TERMS, "status_snapshot": Event.SNAPSHOT,
    "transfer": Event.TRANSFER, "waiver": Event.STANDING,
}  # fmt: skip
"""Kind of attestation -> event; a decision's and a closure's event is that of its outcome and its cause."""
