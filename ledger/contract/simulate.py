"""What a contract would do: sample events run through the very engine, on a memory that nobody keeps.

    for step in simulate(contract, samples):
        step.does        -> ("penalty.apply amount=10000 code=late",)
        step.as_expected -> True, or None when the sample expects nothing in particular

A consent that a sample grants stands until a sample revokes it.

Without samples of its own a contract is shown on ``ordinary_life``: one loan that pays, falls behind, is warned about
and recovers, in the events that the contract listens to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec

from ledger.attestation.contract_kinds import Cause, Effect
from ledger.contract.document import Document
from ledger.contract.engine import Answer, Event, Inputs, execute
from ledger.contract.inputs import LoanInputs
from ledger.contract.memory import ContractState, Memory, waiting_proposals
from ledger.contract.occurrences import Occurrence
from ledger.contract.program import CompiledContract
from ledger.contract.source import Sample
from ledger.contract.vocabulary import TRIGGERS, Value

_NOWHERE: Final = UUID("00000000-0000-7000-8000-000000000000")
_ABSENT: Final[dict[str, Value]] = {"INT": 0, "BOOL": True, "STRING": ""}
_FIRST_DAY: Final = date(2026, 1, 5)


@dataclass(frozen=True)
class Step:
    """One sample and what the contract did: its effects, each as a line, and whether that was expected."""

    sample: Sample
    effects: tuple[Effect, ...]
    does: tuple[str, ...]
    as_expected: bool | None


def simulate(contract: CompiledContract, samples: Sequence[Sample]) -> tuple[Step, ...]:
    """The samples in their order, on a contract in force since the first one's day."""
    if not samples:
        return ()
    first = samples[0].day.toordinal()
    memory = Memory(state=ContractState.IN_FORCE, signed=contract.document.parties.roles(), began=first)
    steps, today, standing = [], first, set[str]()
    for number, sample in enumerate(samples):
        today = max(today, sample.day.toordinal())
        if sample.on == "consent.granted":
            standing.add(str(sample.event.get("code", "")))
        elif sample.on == "consent.revoked":
            standing.discard(str(sample.event.get("code", "")))
        event = msgspec.structs.replace(_event(sample, memory, number, today), standing=frozenset(standing))
        done = execute(contract, memory, event, Inputs(sample.loan))
        memory = done.memory
        does = tuple(line_of(effect) for effect in done.effects)
        steps.append(Step(sample, done.effects, does, None if sample.expect is None else does == sample.expect))
    return tuple(steps)


def line_of(effect: Effect) -> str:
    """An effect as a line: its name, and its arguments in order of their names."""
    told = (f"{name}={effect.arguments[name]}" for name in sorted(effect.arguments))
    return " ".join((effect.effect, *told))


def _event(sample: Sample, memory: Memory, number: int, today: int) -> Event:
    cause = Cause(batch=_NOWHERE, commitment=sha256(b"sample %d" % number).digest(), index=number, position=0)
    day = sample.day.toordinal()
    if sample.answer is not None:
        oldest = next((one.id for one in waiting_proposals(memory, today)), bytes(32))
        return Event(cause, day, today, answer=Answer(oldest, sample.answer.party, sample.answer.accepts))
    trigger = sample.on or ""
    told: dict[str, Value] = {f"event.{name}": _ABSENT[known.type] for name, known in TRIGGERS[trigger].inputs.items()}
    told |= {f"event.{name}": value for name, value in sample.event.items()}
    return Event(cause, day, today, (Occurrence(trigger, {**told, "event.day": day}),))


def ordinary_life(document: Document) -> tuple[Sample, ...]:
    """Events of an ordinary loan that this contract listens to."""
    listening = {trigger for rule in document.rules for trigger in rule.on}
    if any(item.get("effect") == "consent.require" for rule in document.rules for item in rule.do):
        listening |= {"consent.granted", "tick.day"}
    return tuple(sample for sample in _LIFE if sample.on in listening)


_LOAN: Final = LoanInputs(
    balance=600_000, balance_known=True, collateral=True, days_to_due=30, disbursed=600_000, instalment=1,
    instalments=6, principal=600_000, rate_ppm=180_000, stage="active",
)  # fmt: skip


def _on(after_days: int, trigger: str, say: str, loan: dict[str, int | bool | str], **told: Value) -> Sample:
    return Sample(day=_FIRST_DAY + timedelta(after_days), on=trigger, say=say, event=dict(told),
                  loan=msgspec.structs.replace(_LOAN, age_days=after_days, **loan))  # fmt: skip


_LATE: Final[dict[str, int | bool | str]] = {"instalment": 2, "paid": 100_000, "balance": 500_000, "overdue": 100_000}


def _late(days: int) -> dict[str, int | bool | str]:
    return {**_LATE, "dpd": days, "delinquent_days": days, "days_to_due": 30 - days % 30}


_LIFE: Final = (
    _on(0, "loan.disbursed", "The loan is paid out", {}, amount=600_000, tranche=1),
    _on(31, "repayment.received", "The first instalment, on time", {"instalment": 2, "paid": 100_000,
        "balance": 500_000}, amount=100_000, cleared=1, code="mobile", dpd=0, instalment=1),
    _on(40, "application.enquired", "The borrower asks for credit elsewhere", {"instalment": 2}, amount=0, code="103"),
    _on(60, "repayment.missed", "The second instalment is missed", _late(1), amount=100_000, instalment=2),
    _on(60, "tick.day", "One day past due", _late(1), business_day=True),
    _on(64, "alert.raised", "A warning from the ledger", _late(5), code="STACKING", severity=4),
    _on(67, "tick.day", "Eight days past due", _late(8), business_day=True),
    _on(70, "disaster.declared", "A disaster is declared where the borrower lives", _late(11), code="KE-47", days=30),
    _on(90, "tick.day", "31 days past due", _late(31), business_day=True),
    _on(95, "dispute.opened", "The borrower contests it", {**_late(36), "disputed": True}, code="not-mine"),
    _on(120, "tick.day", "61 days past due", _late(61), business_day=True),
    _on(125, "collateral.valued", "What secures it is valued", _late(66), amount=400_000, code="motorcycle"),
    _on(130, "consent.revoked", "The borrower ends a consent", _late(71), code="103"),
    _on(131, "consent.granted", "The borrower gives a consent", _late(72), code="103"),
    _on(132, "score.published", "A new score", _late(73), code="card-1", score=540),
    _on(140, "repayment.received", "All arrears are paid", {"instalment": 3, "paid": 200_000, "balance": 400_000},
        amount=100_000, cleared=1, code="mobile", dpd=81, instalment=2),
    _on(141, "repayment.reversed", "That payment bounces", _late(82), amount=100_000, code="bounced"),
    _on(180, "repayment.received", "Everything is paid", {"instalment": 0, "paid": 600_000, "balance": 0,
        "stage": "paid"}, amount=500_000, cleared=5, code="mobile", dpd=121, instalment=2),
    _on(180, "loan.closed", "The loan ends", {"instalment": 0, "paid": 600_000, "balance": 0, "stage": "paid"},
        code="paid"),
)  # fmt: skip
