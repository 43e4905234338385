"""The closed vocabulary of contracts: what may happen, what a rule can see of it, and what a rule may do.

    TRIGGERS["repayment.received"].inputs      -> {"amount": INT, "dpd": INT, ...}, seen as ``event.amount``
    STANDING_INPUTS["loan.dpd"].type           -> INT, seen by every rule
    EFFECTS["penalty.apply"].arguments         -> {"amount": an integer or an expression, "reason": a code}

Rules
- Values are INT, BOOL or STRING, nothing else; a name has one type wherever it stands.
- Every trigger and effect has a *stratum*. A rule fires only effects of a higher stratum than its trigger, an effect is
  a trigger of its own stratum, and the strata are finite: so every event ends (check.py proves it for a document).
- An effect that touches money lands at once only where the document's ``authority`` grants it; otherwise it becomes a
  proposal that waits for the signatures named in ``needs``. Any other effect must be granted, or the document is refused.
- ``consent.require`` holds its rule: what stands behind it in ``do`` waits until the borrower's consent to the purpose
  stands on the ledger. If it does not by the last of ``days``, ``otherwise`` is done instead. A rule that waits does not
  fire again.
- An offer takes effect with its acceptance, where lender and borrower (guarantor) both stand behind it: the lender by
  ``authority``, the other by the answer.
- Amounts are minor units of the document's currency, days are days, ``day`` is a proleptic ordinal (0001-01-01 is 1).

Nothing is added by a document: a new word is a change of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ledger.contract.bounds import INTEGER_MAX

Type = Literal["INT", "BOOL", "STRING"]
Value = int | bool | str
Role = Literal["lender", "borrower", "guarantor"]
ROLES: Final[tuple[Role, ...]] = ("lender", "borrower", "guarantor")


@dataclass(frozen=True)
class Input:
    """One name that expressions may use: its type, and what it means."""

    type: Type
    meaning: str


@dataclass(frozen=True)
class Trigger:
    """Something that happens: its stratum, what it tells (as ``event.NAME``), and what it means."""

    stratum: int
    inputs: dict[str, Input]
    meaning: str


@dataclass(frozen=True)
class Argument:
    """One argument of an effect. INT: a whole number or an expression, from ``least`` to ``most``. STRING: one of
    ``words`` where there are any, else a code of 1 to 32 of ``a-z A-Z 0-9 . _ -``."""

    type: Literal["INT", "STRING"]
    meaning: str
    least: int = 0
    most: int = INTEGER_MAX
    words: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Effect:
    """Something a rule does. ``needs``: whose authority it takes. ``becomes``: the trigger that it is in turn."""

    stratum: int
    arguments: dict[str, Argument]
    needs: tuple[Role, ...]
    meaning: str
    money: bool = False
    becomes: str | None = None


def _int(meaning: str) -> Input:
    return Input("INT", meaning)


def _bool(meaning: str) -> Input:
    return Input("BOOL", meaning)


def _string(meaning: str) -> Input:
    return Input("STRING", meaning)


_AMOUNT: Final = _int("minor units")
_CODE: Final = _string("a code")

TRIGGERS: Final[dict[str, Trigger]] = {
    "alert.raised": Trigger(1, {"code": _CODE, "severity": _int("1 lowest to 4 highest")}, "a warning was raised"),
    "application.enquired": Trigger(0, {"amount": _AMOUNT, "code": _string("purpose or product")},
                                    "the borrower asked this lender for credit"),
    "collateral.released": Trigger(5, {"code": _CODE}, "this contract released what secures the loan"),
    "collateral.valued": Trigger(0, {"amount": _AMOUNT, "code": _string("kind of the thing")},
                                 "what secures the loan was valued"),
    "consent.granted": Trigger(0, {"code": _string("purpose")}, "the borrower allowed a reading"),
    "consent.revoked": Trigger(0, {"code": _string("purpose")}, "the borrower ended a consent"),
    "disaster.declared": Trigger(0, {"code": _string("region"), "days": _int("days granted")},
                                 "a disaster was declared on the day's tick"),
    "discount.applied": Trigger(3, {"amount": _AMOUNT, "code": _CODE}, "this contract applied a discount"),
    "dispute.opened": Trigger(0, {"code": _string("what is claimed")}, "the borrower contests something"),
    "loan.closed": Trigger(0, {"code": _string("cause")}, "the loan ended"),
    "loan.disbursed": Trigger(0, {"amount": _AMOUNT, "tranche": _int("counts from 1")}, "money was paid out"),
    "offer.accepted": Trigger(0, {"amount": _AMOUNT, "code": _CODE, "offer": _string("what was offered")},
                              "an offer of this contract was accepted by the one it was made to"),
    "penalty.applied": Trigger(3, {"amount": _AMOUNT, "code": _CODE}, "this contract applied a penalty"),
    "repayment.missed": Trigger(0, {"amount": _AMOUNT, "instalment": _int("its number, from 1")},
                                "the day after a due date, its instalment not fully met"),
    "repayment.received": Trigger(
        0,
        {"amount": _AMOUNT, "cleared": _int("instalments that it completed"), "code": _string("channel"),
         "dpd": _int("days past due just before it"), "instalment": _int("the oldest one unmet before it; 0: none")},
        "money came in",
    ),
    "repayment.reversed": Trigger(0, {"amount": _AMOUNT, "code": _string("cause")}, "a payment was taken back"),
    "score.published": Trigger(0, {"code": _string("model"), "score": _int("points")}, "a score was published"),
    "terms.changed": Trigger(4, {"by": _int("how much it moved"), "code": _CODE}, "this contract changed the terms"),
    "tick.day": Trigger(0, {"business_day": _bool("by the contract's calendar; it must name one")},
                        "a day began"),
}  # fmt: skip
"""What may happen. ``event.day`` is told by every one: the day that it is about."""

CAUSES: Final[tuple[dict[str, int], ...]] = (
    {"disaster.declared": 16, "repayment.missed": 1, "tick.day": 1},
    {"loan.closed": 1, "repayment.received": 1},
)
"""Triggers that one attestation can be at once, and how many times; any other is one trigger, once."""

EVENT_DAY: Final = Input("INT", "the day the event is about, an ordinal")

STANDING_INPUTS: Final[dict[str, Input]] = {
    "loan.age_days": _int("days since the agreement"),
    "loan.balance": _int("owed in all, minor units; 0 where unknown"),
    "loan.balance_known": _bool("whether loan.balance is known"),
    "loan.charged_off": _bool("charged off in the books"),
    "loan.charges": _int("fees and penalties added so far, minor units"),
    "loan.collateral": _bool("secured"),
    "loan.days_since_paid": _int("days since the last payment; since the agreement where there was none"),
    "loan.days_to_due": _int("days to the next due date; -1 where there is none"),
    "loan.defaulted": _bool("default was declared"),
    "loan.delinquent_days": _int("days past due less grace and pauses"),
    "loan.disbursed": _int("paid out, minor units"),
    "loan.disputed": _bool("the borrower contests it"),
    "loan.dpd": _int("days past due"),
    "loan.forborne": _bool("terms were eased because of difficulty"),
    "loan.grace_days": _int("days of grace that were agreed"),
    "loan.instalment": _int("number of the oldest unmet instalment, from 1; 0: none unmet or no schedule"),
    "loan.instalments": _int("instalments of the schedule"),
    "loan.overdue": _int("past due, minor units; 0 where unknown"),
    "loan.paid": _int("repaid so far, minor units"),
    "loan.paused": _bool("a pause covers the day"),
    "loan.principal": _int("lent by the agreement, minor units"),
    "loan.rate_ppm": _int("yearly rate, parts per million"),
    "loan.stage": _string("the place in its life: active, paid, ..."),
    "contract.age_days": _int("days since it came in force"),
    "contract.days_left": _int("days until it expires"),
    "contract.discounts": _int("sum of discounts it applied, minor units"),
    "contract.on_time": _int("instalments paid in full on time, in a row"),
    "contract.penalties": _int("sum of penalties it applied, minor units"),
}
"""What every rule can see beside its event; the document's own ``terms`` are ``contract.NAME`` too."""

_REASON: Final = Argument("STRING", "why, as a code")
_MONEY: Final = Argument("INT", "minor units; nothing happens at 0")
_WHO: Final = Argument("STRING", "to whom", words=ROLES)
_WAIT: Final = Argument("INT", "days until it lapses", 1, 366)

EFFECTS: Final[dict[str, Effect]] = {
    "alert.raise": Effect(
        1, {"code": _REASON, "severity": Argument("INT", "1 lowest to 4 highest", 1, 4),
            "to": Argument("STRING", "whose attention", words=ROLES, optional=True)},
        ("lender",), "raises a warning", becomes="alert.raised",
    ),
    "attestation.emit": Effect(
        2, {"code": _REASON, "days": Argument("INT", "days it covers, from the event's day", 0, 3_660, optional=True),
            "kind": Argument("STRING", "what it says", words=("classification", "closure", "notice", "pause"))},
        ("lender",), "states a fact about the loan",
    ),
    "collateral.release": Effect(
        5, {"code": _REASON}, ("lender",), "frees what secures the loan", money=True, becomes="collateral.released",
    ),
    "consent.require": Effect(
        5, {"code": Argument("STRING", "purpose"), "days": _WAIT}, ("lender", "borrower"),
        "holds its rule until the borrower consents; what stands behind it in `do` waits",
    ),
    "discount.apply": Effect(
        3, {"amount": _MONEY, "code": _REASON}, ("lender",), "takes an amount off what is owed", money=True,
        becomes="discount.applied",
    ),
    "penalty.apply": Effect(
        3, {"amount": _MONEY, "code": _REASON}, ("lender", "borrower"), "adds an amount to what is owed", money=True,
        becomes="penalty.applied",
    ),
    "proposal.open": Effect(
        6, {"amount": Argument("INT", "minor units", optional=True),
            "by": Argument("INT", "how much the term moves; may be negative", -INTEGER_MAX, optional=True),
            "code": _REASON, "days": _WAIT,
            "offer": Argument("STRING", "what is offered",
                              words=("guarantor_call", "refinance", "restructure", "settlement")),
            "to": _WHO,
            "what": Argument("STRING", "which term", words=("rate_ppm", "term_days"), optional=True)},
        ("lender",), "offers something that takes effect when it is accepted",
    ),
    "terms.change": Effect(
        4, {"by": Argument("INT", "how much it moves; may be negative", -INTEGER_MAX), "code": _REASON,
            "what": Argument("STRING", "which term", words=("grace_days", "rate_ppm", "term_days"))},
        ("lender", "borrower"), "moves a term of the loan", money=True, becomes="terms.changed",
    ),
}  # fmt: skip
"""What a rule may do."""


@dataclass(frozen=True)
class Offer:
    """A word after ``offer``: whose signatures it takes, the lender's grant and the answer together, the arguments that
    say what is offered (all of ``asks``, and ``more``), and what its acceptance means for the loan."""

    needs: tuple[Role, ...]
    asks: tuple[str, ...]
    meaning: str
    more: tuple[str, ...] = ()


OFFERS: Final[dict[str, Offer]] = {
    "guarantor_call": Offer(("lender", "guarantor"), ("amount",), "a record alone"),
    "refinance": Offer(("lender", "borrower"), (), "`restructure`, refinance, not forborne", ("amount", "by", "what")),
    "restructure": Offer(("lender", "borrower"), ("by", "what"),
                         "`restructure`, forborne: rate_cut, extend, else re_amortise", ("amount",)),
    "settlement": Offer(("lender", "borrower"), ("amount",), "a record alone"),
}  # fmt: skip
"""What may be offered."""

OFFER_TERMS: Final = frozenset(("amount", "by", "what"))
"""The arguments of ``proposal.open`` that say what is offered."""

PROPOSAL_DAYS: Final = 30
"""Days that an effect waits for its signatures when the document did not grant it."""

FAILED: Final = "rule.failed"
"""The name under which a failed evaluation is recorded. No rule can ask for it, nor for the next three."""

CONSENT_MET: Final = "consent.met"
"""The consent that a rule asked for stands: what waited for it goes on."""

CONSENT_LAPSED: Final = "consent.lapsed"
"""The consent that a rule asked for did not come in time: ``otherwise`` is done in place of what waited."""

OFFER_ACCEPTED: Final = "offer.accepted"
"""An offer was accepted; its terms are the arguments."""


def event_inputs(trigger: str) -> dict[str, Input]:
    """Full names, ``event.`` in front, of what ``trigger`` tells."""
    told = {f"event.{name}": value for name, value in TRIGGERS[trigger].inputs.items()}
    return {"event.day": EVENT_DAY, **told}


EVENT_INPUTS: Final[dict[str, Input]] = {
    name: value for trigger in TRIGGERS for name, value in event_inputs(trigger).items()
}
"""Every ``event.`` name of any trigger. A test holds that a name has one type."""
