"""What is known of one loan now: a fold over its attestations in log order, small enough for one row.

    state = None
    for attestation in events:
        state = fold(state, attestation.envelope, attestation.body)

Rules
- ``fold`` is pure: same events, same state. The projection in the store is this value; fsck folds again and compares.
- It refuses an event that the transition table (lifecycle.py) does not allow, and money in another currency than the
  agreement's. Events about the record itself (dispute, extension, correction) never move the stage.
- A status snapshot states what the lender's books say; an older snapshot than the newest only fills the history.
- Amounts are minor units. ``paid`` is the sum of repayments less reversals; which instalment is unmet follows from it
  and the schedule (arrears.py), so the order in which payments arrive does not matter.

What this module does not do: say how late a loan is on a day (arrears.py), or what a lateness means in a country.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.envelope import Envelope
from ledger.attestation.fields import Body
from ledger.errors import Refused
from ledger.loan.history import character_of, month_of, with_month
from ledger.loan.lifecycle import Event, Stage, next_stage

DAY: Final = timedelta(days=1)


class LoanState(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One loan. Dates are in the lender's business zone, amounts minor units of ``currency``.

    ``schedule`` is (due date as a proleptic ordinal, amount due) of each instalment; ``since`` the day from which the
    books count days past due, where they do and no schedule says better; ``as_of`` the day of the newest snapshot.
    """

    stage: str = Stage.NEW.value
    subject: bytes = b""
    currency: str = ""
    opened: date | None = None
    closed: date | None = None
    portfolio_type: str = ""
    product: str = ""
    principal: int = 0
    limit: int | None = None
    rate_ppm: int | None = None
    instalments: int | None = None
    frequency: str = ""
    grace_days: int = 0
    collateral: bool = False
    disbursed: int = 0
    charges: int = 0
    paid: int = 0
    last_paid: date | None = None
    balance: int | None = None
    past_due: int | None = None
    scheduled: int | None = None
    status: str = ""
    since: date | None = None
    as_of: date | None = None
    grid_newest: int = 0
    grid: str = ""
    schedule: tuple[tuple[int, int], ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    charged_off: date | None = None
    first_delinquency: date | None = None
    defaulted: date | None = None
    forborne: bool = False
    disputed: bool = False
    events: int = 0


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(LoanState)
NEW_LOAN: Final = LoanState()


def encode_state(state: LoanState) -> bytes:
    """The state as the bytes of its projection row."""
    return _ENCODER.encode(state)


def decode_state(data: bytes) -> LoanState:
    """The state of a projection row."""
    return _DECODER.decode(data)


def owed(state: LoanState) -> int | None:
    """What is still owed in all, minor units: by the schedule where there is one, else by the books; None: unknown."""
    if state.schedule:
        return sum(amount for _, amount in state.schedule) + state.charges - state.paid
    return state.balance


def fold(state: LoanState | None, envelope: Envelope, body: Body) -> LoanState:
    """The loan after one more attestation about it.

    Raises Refused: ``transition_refused``, ``currency_differs``, ``subject_differs``.
    """
    before = state if state is not None else NEW_LOAN
    _same_loan(before, envelope, body)
    changes = _CHANGES[envelope.kind](before, envelope, body)
    event = changes.pop("event", None) or _EVENTS.get(envelope.kind, Event.RECORD)
    stage = next_stage(before.stage, event)
    if stage is Stage.ACTIVE:
        changes["closed"] = None  # a reversal or a late charge opens a paid loan again
    changes["stage"] = stage.value
    changes["events"] = before.events + 1
    if not before.subject:
        changes["subject"] = envelope.subject
    return msgspec.structs.replace(before, **changes)


def _same_loan(before: LoanState, envelope: Envelope, body: Body) -> None:
    if before.subject and before.subject != envelope.subject and envelope.role == "borrower":
        raise Refused("subject_differs", "the account belongs to another borrower", path="$.subject",
                      advice="publish an identity_link first when two pseudonyms are one person")  # fmt: skip
    currency = getattr(body, "currency", None)
    if currency is not None and before.currency and currency != before.currency:
        raise Refused("currency_differs", "the agreement is in another currency", path="$.body.currency",
                      expected=before.currency, found=currency)  # fmt: skip


Changes = dict[str, Any]


def _application(before: LoanState, envelope: Envelope, body: credit.Application) -> Changes:
    return {"currency": body.currency, "product": body.product}


def _decision(before: LoanState, envelope: Envelope, body: credit.Decision) -> Changes:
    return {"event": _DECISIONS[body.outcome]}


def _agreement(before: LoanState, envelope: Envelope, body: credit.Agreement) -> Changes:
    return {
        "currency": body.currency,
        "opened": envelope.effective_date,
        "portfolio_type": body.portfolio_type,
        "product": body.product or before.product,
        "principal": body.principal,
        "limit": body.limit,
        "rate_ppm": body.rate_ppm,
        "instalments": body.instalments,
        "frequency": body.frequency or "",
        "grace_days": body.grace_days,
        "collateral": body.collateral,
    }


def _disbursement(before: LoanState, envelope: Envelope, body: credit.Disbursement) -> Changes:
    disbursed = before.disbursed + body.amount
    return {"disbursed": disbursed, "balance": (before.balance or 0) + body.amount, "currency": body.currency}


def _schedule(before: LoanState, envelope: Envelope, body: credit.Schedule) -> Changes:
    rows = tuple((row.due.toordinal(), row.principal + row.interest + row.fee) for row in body.rows)
    return {"schedule": rows, "currency": body.currency}


def _charge(before: LoanState, envelope: Envelope, body: credit.Charge) -> Changes:
    return {"charges": before.charges + body.amount, "balance": _moved(before.balance, body.amount)}


def _waiver(before: LoanState, envelope: Envelope, body: credit.Waiver) -> Changes:
    return {"charges": before.charges - body.amount, "balance": _moved(before.balance, -body.amount)}


def _repayment(before: LoanState, envelope: Envelope, body: credit.Repayment) -> Changes:
    remaining = owed(before)
    event = Event.REPAYMENT
    if remaining is not None and before.stage in _MONEY_STAGES:
        event = (
            Event.REPAYMENT if body.amount < remaining
            else Event.REPAYMENT_CLEARING if body.amount == remaining and remaining > 0
            else Event.REPAYMENT_EXCEEDING
        )  # fmt: skip
    last = before.last_paid
    changes: Changes = {
        "event": event,
        "paid": before.paid + body.amount,
        "balance": _moved(before.balance, -body.amount),
        "last_paid": envelope.effective_date if last is None else max(last, envelope.effective_date),
    }
    if before.past_due is not None:
        changes["past_due"] = max(before.past_due - body.amount, 0)
        if changes["past_due"] == 0:
            changes["since"] = None
    if event is not Event.REPAYMENT:
        changes["closed"] = envelope.effective_date
    return changes


def _reversal(before: LoanState, envelope: Envelope, body: credit.Reversal) -> Changes:
    return {
        "paid": before.paid - body.amount,
        "balance": _moved(before.balance, body.amount),
        "past_due": _moved(before.past_due, body.amount),
    }


def _snapshot(before: LoanState, envelope: Envelope, body: credit.StatusSnapshot) -> Changes:
    day = envelope.effective_date
    character = body.history_code or character_of(body.status, body.dpd)
    newest, grid = with_month(before.grid_newest, before.grid, month_of(day), character)
    changes: Changes = {"grid_newest": newest, "grid": grid}
    if body.status is None or (before.as_of is not None and day < before.as_of):
        return changes
    dpd_days = body.dpd or 0
    return changes | {
        "currency": body.currency or before.currency,
        "as_of": day,
        "status": body.status,
        "balance": body.balance if body.balance is not None else before.balance,
        "past_due": body.past_due if body.past_due is not None else before.past_due,
        "scheduled": body.scheduled if body.scheduled is not None else before.scheduled,
        "since": day - DAY * dpd_days if dpd_days else None,
    }


def _delinquency(before: LoanState, envelope: Envelope, body: credit.Delinquency) -> Changes:
    overdue = body.overdue
    total = overdue.fee + overdue.interest + overdue.penalty + overdue.principal
    return {"since": body.since if body.dpd_to else None, "past_due": total}


def _pause(before: LoanState, envelope: Envelope, body: credit.Pause) -> Changes:
    return {"pauses": (*before.pauses, (body.start.toordinal(), body.until.toordinal()))}


def _resume(before: LoanState, envelope: Envelope, body: credit.Resume) -> Changes:
    day = envelope.effective_date.toordinal()
    return {"pauses": tuple((start, min(until, day)) for start, until in before.pauses if start <= day)}


def _restructure(before: LoanState, envelope: Envelope, body: credit.Restructure) -> Changes:
    return {"forborne": before.forborne or body.forborne}


def _default(before: LoanState, envelope: Envelope, body: credit.Default) -> Changes:
    return {"defaulted": before.defaulted or envelope.effective_date}


def _cure(before: LoanState, envelope: Envelope, body: credit.Cure) -> Changes:
    return {"defaulted": None}


def _charge_off(before: LoanState, envelope: Envelope, body: credit.ChargeOff) -> Changes:
    return {
        "charged_off": before.charged_off or envelope.effective_date,
        "first_delinquency": before.first_delinquency or body.first_delinquency,
    }


def _closure(before: LoanState, envelope: Envelope, body: credit.Closure) -> Changes:
    return {"event": _CLOSURES[body.cause], "closed": envelope.effective_date}


def _transfer(before: LoanState, envelope: Envelope, body: credit.Transfer) -> Changes:
    return {"closed": envelope.effective_date}


def _dispute(before: LoanState, envelope: Envelope, body: sharing.Dispute) -> Changes:
    return {"disputed": body.state == "opened"}


def _nothing(before: LoanState, envelope: Envelope, body: Body) -> Changes:
    return {}


def _moved(amount: int | None, by: int) -> int | None:
    return None if amount is None else amount + by


_MONEY_STAGES: Final = frozenset({Stage.ACTIVE.value, Stage.PAID.value, Stage.OVERPAID.value})
_DECISIONS: Final = {
    "approved": Event.APPROVAL, "countered": Event.COUNTER_OFFER,
    "declined": Event.DECLINE, "withdrawn": Event.WITHDRAWAL,
}  # fmt: skip
_CLOSURES: Final = {
    "paid": Event.CLOSURE_PAID, "settled_short": Event.CLOSURE_SHORT, "refinanced": Event.CLOSURE_REFINANCED,
    "written_off": Event.CLOSURE_WRITTEN_OFF, "fraud": Event.CLOSURE_FRAUD, "transferred": Event.TRANSFER,
    "cancelled": Event.CLOSURE_CANCELLED,
}  # fmt: skip
_EVENTS: Final = {
    "application": Event.APPLICATION, "agreement": Event.AGREEMENT, "disbursement": Event.DISBURSEMENT,
    "status_snapshot": Event.SNAPSHOT, "schedule": Event.TERMS, "restructure": Event.TERMS,
    "collateral": Event.TERMS, "guarantee": Event.TERMS, "pause": Event.TERMS, "resume": Event.TERMS,
    "charge": Event.CHARGE, "waiver": Event.STANDING, "reversal": Event.REVERSAL, "delinquency": Event.STANDING,
    "default": Event.STANDING, "cure": Event.STANDING, "charge_off": Event.CHARGE_OFF, "recovery": Event.RECOVERY,
    "transfer": Event.TRANSFER,
}  # fmt: skip
_CHANGES: Final[dict[str, Callable[[LoanState, Envelope, Any], Changes]]] = {
    "agreement": _agreement, "application": _application, "charge": _charge, "charge_off": _charge_off,
    "closure": _closure, "collateral": _nothing, "correction": _nothing, "cure": _cure, "decision": _decision,
    "default": _default, "deletion": _nothing, "delinquency": _delinquency, "disbursement": _disbursement,
    "dispute": _dispute, "extension": _nothing, "guarantee": _nothing, "pause": _pause, "recovery": _nothing,
    "repayment": _repayment, "restructure": _restructure, "resume": _resume, "reversal": _reversal,
    "schedule": _schedule, "status_snapshot": _snapshot, "transfer": _transfer, "waiver": _waiver,
}  # fmt: skip
FOLDED_KINDS: Final = frozenset(_CHANGES)
"""Every kind that is about an account: each has a place in the fold (a test compares this with the registry)."""
