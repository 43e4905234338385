"""Execution: a contract, what it remembers, one event and what can be seen of the loan; out come the effects.

    execution = execute(contract, memory, event, Inputs(loan))
    execution.effects      -> bodies of ``effect`` attestations, in order: publish them with their cause, in one transaction
    execution.memory       -> keep it beside the contract; a replay makes the same one

Rules
- Pure: no clock, no randomness, no I/O. The same arguments give the same bytes, in any process, on any day.
- Exactly once: the id of an effect is SHA-256(contract || rule || leaf hash of the cause || n), ``n`` counting the
  contract's effects of that cause from 0. The store holds ids unique; an event shown again gives nothing.
- Nothing fires before all parties signed, after termination, on or after the day ``expires``, or after its deadline,
  where the day is that of the log's latest tick (``Event.today``): an old value date does not wake an expired contract.
- An event that does nothing leaves the very memory that was given: ``execution.memory is memory``.
- Rules of a trigger are tried in the document's order, triggers in the order told, effects' own triggers after those.
  A rule sees the sums of what earlier rules just did (``contract.penalties``), and the loan as it was at the event.
- A rule is all or nothing: if its condition or one of its arguments has no value, or a value outside of its range, it
  does nothing, and ``rule.failed`` with the reason is recorded in its place, once a day.
- An effect on money that the document does not grant becomes ``proposal.open``; it lands when the last signature comes
  (``Event.answer``), as an effect of that answer. An amount of 0 does nothing. An offer that is accepted is recorded as
  ``offer.accepted``, with its terms, and is a trigger in turn; one that moves a term is ``terms.changed`` besides.
- At ``consent.require`` a rule waits, unless the consent stands already (``Event.standing``): what stands behind it in
  ``do``, its arguments settled, is done by the first event at which the consent stands, as effects of that event, behind
  ``consent.met``. On the first event past the last day it is ``consent.lapsed`` and ``otherwise`` instead. Meanwhile the
  rule does not fire again, other rules go on, and ``once`` counts it as fired. Waits are looked at before any rule.
- When the day's tick goes by another holiday list than the contract's, no rule is evaluated: ``calendar_differs``.

It always ends: a queue of triggers, each new one of a higher stratum than its cause (check.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from ledger.attestation.contract_kinds import Cause, Effect
from ledger.contract.bounds import INSTALMENTS_MAX, PROPOSALS_MAX
from ledger.contract.conditions import Failure, run
from ledger.contract.document import ENGINE
from ledger.contract.inputs import LoanInputs
from ledger.contract.memory import (
    ContractState,
    Memory,
    Proposal,
    Step,
    Wait,
    after_effect,
    after_event,
    answered,
    failing,
    may_fire,
    waiting_proposals,
)
from ledger.contract.occurrences import Occurrence
from ledger.contract.program import CompiledContract, CompiledEffect, CompiledRule
from ledger.contract.vocabulary import (
    CONSENT_LAPSED,
    CONSENT_MET,
    EFFECTS,
    FAILED,
    OFFER_ACCEPTED,
    PROPOSAL_DAYS,
    TRIGGERS,
    Value,
)

_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A party's answer to the proposal whose effect has this id."""

    effect: bytes
    party: str
    accepts: bool


class Event(msgspec.Struct, frozen=True, gc=False):
    """One attestation as a cause: its place in the log, the day it is about, the log's own day (the latest tick's, this
    one included; 0 before the first: then ``day`` counts), and what it means. Days are ordinals; ``calendars`` are a
    tick's holiday lists by name; ``standing`` are the purposes to which the borrower's consent stands just after it."""

    cause: Cause
    day: int
    today: int = 0
    happened: tuple[Occurrence, ...] = ()
    calendars: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    answer: Answer | None = None
    standing: frozenset[str] = frozenset()

    @property
    def log_day(self) -> int:
        """The day by which deadlines are judged."""
        return self.today or self.day


class Inputs(msgspec.Struct, frozen=True, gc=False):
    """What can be seen beside the event, on its day."""

    loan: LoanInputs


BLIND: Final = Inputs(LoanInputs())
"""Inputs for events that no rule looks at."""


class Execution(msgspec.Struct, frozen=True, gc=False):
    """What an event did in one contract, and what the contract remembers from then on."""

    effects: tuple[Effect, ...]
    memory: Memory


def effect_id(contract: bytes, rule: str, commitment: bytes, n: int) -> bytes:
    """The name of an effect, known before it happens: 32 bytes. ``n`` is eight bytes, the most significant first."""
    return sha256(contract + rule.encode() + commitment + n.to_bytes(8, "big")).digest()


def reads_on_time(contract: CompiledContract) -> bool:
    """Whether a contract looks at ``contract.on_time``; where none of its rules does, it is not counted."""
    return "contract.on_time" in contract.names


def listens(contract: CompiledContract, memory: Memory, event: Event) -> bool:
    """Whether any rule looks at an event: where not, ``execute`` needs no inputs (``BLIND`` will do)."""
    return (
        event.answer is not None
        or any(one.trigger in contract.by_trigger for one in event.happened)
        or any(_is_over(wait, event) for wait in memory.waits)
    )


def _is_over(wait: Wait, event: Event) -> bool:
    """Whether a rule waits no longer: its consent stands, or the last day is past."""
    return event.log_day > wait.until or wait.code in event.standing


def execute(contract: CompiledContract, memory: Memory, event: Event, inputs: Inputs) -> Execution:
    """All that ``event`` does in ``contract``. Raises nothing that depends on the event or the inputs."""
    if (event.cause.index, event.cause.position) <= memory.handled:
        return Execution((), memory)
    if memory.state != ContractState.IN_FORCE or event.log_day >= contract.document.expires.toordinal():
        return Execution((), memory)
    before = memory
    if reads_on_time(contract):
        memory = after_event(memory, event.happened)
    handled = (event.cause.index, event.cause.position)
    if not listens(contract, memory, event):
        return Execution((), before if memory is before else msgspec.structs.replace(memory, handled=handled))
    running = _Run(contract, memory, event, inputs)
    running.settle()
    if event.answer is not None:
        running.answer(event.answer)
    running.drain()
    if not running.effects and running.memory is before:
        return Execution((), before)
    return Execution(tuple(running.effects), msgspec.structs.replace(running.memory, handled=handled))


class _Run:
    """One execution under way: the memory so far, the effects so far, and the triggers still to be looked at."""

    def __init__(self, contract: CompiledContract, memory: Memory, event: Event, inputs: Inputs) -> None:
        self.contract = contract
        self.memory = memory
        self.event = event
        self.inputs = inputs
        self.today = event.log_day
        self.effects: list[Effect] = []
        self.waiting: deque[tuple[Occurrence, int | None]] = deque((one, None) for one in event.happened)
        self.misdated = _calendar_differs(contract, event)

    def drain(self) -> None:
        """Look at every trigger; each rule of it once."""
        while self.waiting:
            happened, after = self.waiting.popleft()
            bound = None
            for rule in self.contract.by_trigger.get(happened.trigger, ()):
                bound = self._try(rule, happened, after, bound)

    def _try(self, rule: CompiledRule, happened: Occurrence, after: int | None, bound: _Bound | None) -> _Bound | None:
        """One rule. Gives back what the next rule may go on using: the bound inputs, if nothing changed them."""
        scope = self._scope(rule, happened)
        if self.today > rule.deadline or not may_fire(self.memory, rule.once, rule.id, scope):
            return bound
        if rule.waits and any(wait.rule == rule.id for wait in self.memory.waits):
            return bound
        bound = bound or self._bind(happened)
        holds = Failure("calendar_differs") if self.misdated else run(rule.when, bound.activation)
        if isinstance(holds, Failure):
            self._fail(rule, holds, "if", after, bound.hash())
        elif holds:
            self._fire(rule, scope, after, bound)
        return None if bound.effects != len(self.effects) else bound

    def _bind(self, happened: Occurrence) -> _Bound:
        values = bind(self.contract, self.memory, self.inputs, happened, self.today)
        return _Bound(values, self.contract.environment.Activation(values), len(self.effects))

    def _scope(self, rule: CompiledRule, happened: Occurrence) -> int | None:
        if rule.once == "per-day":
            return self.event.day
        if rule.once != "per-instalment":
            return None
        return min(int(happened.values.get("event.instalment", self.inputs.loan.instalment)), INSTALMENTS_MAX)

    def _fire(self, rule: CompiledRule, scope: int | None, after: int | None, bound: _Bound) -> None:
        """All effects of a rule, or its failure."""
        settled: list[tuple[Step, ...]] = []
        for member, effects in (("do", rule.do), ("otherwise", rule.otherwise)):
            steps: list[Step] = []
            for number, effect in enumerate(effects):
                arguments = dict(effect.constants)
                for name, wanted, program in effect.programs:
                    value = run(program, bound.activation)
                    if not isinstance(value, Failure) and not wanted.least <= value <= wanted.most:
                        value = Failure("argument_out_of_range")
                    if isinstance(value, Failure):
                        return self._fail(rule, value, f"{member}.{number}.{name}", after, bound.hash())
                    arguments[name] = int(value)
                if arguments.get("amount") != 0 or not EFFECTS[effect.name].money:
                    steps.append((number, arguments))
            settled.append(tuple(steps))
        do, otherwise = settled
        return self._proceed(rule, do, otherwise, _Stand(rule.once, scope, after, bound.hash()))

    def _proceed(self, rule: CompiledRule, do: tuple[Step, ...], otherwise: tuple[Step, ...], on: _Stand) -> None:
        """The effects of a rule up to where it waits."""
        if not self._room(rule.do, do):
            return self._fail(rule, Failure("proposals_too_many"), "do", on.after, on.inputs)
        for place, (number, arguments) in enumerate(do):
            if rule.do[number].name != "consent.require":
                self._land(rule.id, rule.do[number], arguments, on)
            elif arguments["code"] in self.event.standing:
                self._record(CONSENT_MET, rule.id, {"code": arguments["code"]}, on)
            else:
                return self._wait(rule, arguments, do[place + 1 :], otherwise, on)
        return None

    def _room(self, effects: Sequence[CompiledEffect], steps: Sequence[Step]) -> bool:
        """Whether what may be opened finds room among the open proposals."""
        opened = sum(not effects[number].granted or effects[number].name == "proposal.open" for number, _ in steps)
        return not opened or opened + len(waiting_proposals(self.memory, self.today)) <= PROPOSALS_MAX

    def _wait(
        self, rule: CompiledRule, arguments: dict[str, int | str], then: tuple[Step, ...],
        otherwise: tuple[Step, ...], on: _Stand,
    ) -> None:  # fmt: skip
        days = int(arguments["days"])
        asked = self._record("consent.require", rule.id, arguments | {"until": self._until(days)}, on)
        wait = Wait(asked.id, rule.id, str(arguments["code"]), self.today + days, then, otherwise)
        self.memory = msgspec.structs.replace(self.memory, waits=(*self.memory.waits, wait))

    def settle(self) -> None:
        """The rules whose waiting is over go on, or do otherwise."""
        for wait in [wait for wait in self.memory.waits if _is_over(wait, self.event)]:
            lapsed, rule = self.today > wait.until, self.contract.rules[wait.rule]
            waits = tuple(one for one in self.memory.waits if one.id != wait.id)
            self.memory = msgspec.structs.replace(self.memory, waits=waits)
            on = _Stand("", None, None, _wait_hash(wait, met=not lapsed))
            self._record(CONSENT_LAPSED if lapsed else CONSENT_MET, rule.id, {"code": wait.code}, on)
            on = on._replace(after=len(self.effects) - 1)
            if not lapsed:
                self._proceed(rule, wait.then, wait.otherwise, on)
            elif not self._room(rule.otherwise, wait.otherwise):
                self._fail(rule, Failure("proposals_too_many"), "otherwise", on.after, on.inputs)
            else:
                for number, arguments in wait.otherwise:
                    self._land(rule.id, rule.otherwise[number], arguments, on)

    def _land(self, rule: str, effect: CompiledEffect, arguments: dict[str, int | str], on: _Stand) -> None:
        name, told = effect.name, dict(arguments)
        if not effect.granted:
            told |= {"effect": name, "needs": ",".join(effect.needs), "until": self._until(PROPOSAL_DAYS)}
            name = "proposal.open"
        elif name == "proposal.open":
            told |= {"needs": str(arguments["to"]), "until": self._until(int(arguments["days"]))}
        self._record(name, rule, told, on)
        if effect.granted:
            self._becomes(EFFECTS[name].becomes, told)

    def _until(self, days: int) -> str:
        """The last day on which a proposal of today may be answered."""
        return date.fromordinal(self.today + days).isoformat()

    def _becomes(self, trigger: str | None, arguments: Mapping[str, int | str]) -> None:
        """An effect that is a trigger in turn waits behind the others; the trigger tells what it tells and no more."""
        if trigger is None or trigger not in self.contract.by_trigger:
            return
        told: dict[str, Value] = {f"event.{key}": arguments.get(key, 0) for key in TRIGGERS[trigger].inputs}
        self.waiting.append((Occurrence(trigger, {**told, "event.day": self.event.day}), len(self.effects) - 1))

    def _fail(self, rule: CompiledRule, failure: Failure, at: str, after: int | None, inputs: bytes) -> None:
        if self.event.day > self.memory.by_day.get(failing(rule.id), 0):
            told: dict[str, int | str] = {"at": at, "code": failure.code}
            self._record(FAILED, rule.id, told, _Stand(rule.once, self.event.day, after, inputs))

    def answer(self, answer: Answer) -> None:
        """A party answered a proposal; when it was the last signature needed, its effect lands, or the offer stands."""
        self.memory, ready = answered(
            self.memory, answer.effect, answer.party, accepts=answer.accepts, today=self.today
        )
        if ready is None:
            return
        on = _Stand("", None, None, _answer_hash(ready, answer))
        if ready.effect:
            self._record(ready.effect, ready.rule, ready.arguments, on)
            self._becomes(EFFECTS[ready.effect].becomes, ready.arguments)
            return
        terms = {name: value for name, value in ready.arguments.items() if name != "days"}
        self._record(OFFER_ACCEPTED, ready.rule, terms, on)
        self._becomes(OFFER_ACCEPTED, terms)
        if "what" in terms:
            self._becomes(EFFECTS["terms.change"].becomes, terms)

    def _record(self, name: str, rule: str, arguments: Mapping[str, int | str], on: _Stand) -> Effect:
        n, cause, document = len(self.effects), self.event.cause, self.contract.document
        effect = Effect(
            account=document.account, after=on.after, arguments=dict(arguments), cause=cause, contract=self.contract.hash,
            effect=name, engine=ENGINE, id=effect_id(self.contract.hash, rule, cause.commitment, n), inputs=on.inputs,
            lender=document.parties.lender, n=n, rule=rule, scope=on.scope,
        )  # fmt: skip
        self.effects.append(effect)
        self.memory = after_effect(self.memory, on.once, effect, self.today)
        return effect


class _Stand(NamedTuple):
    """What an effect of a rule stands on: how its rule is counted and by what, the ``n`` of the effect that brought it
    about, and the hash of what was seen."""

    once: str
    scope: int | None
    after: int | None
    inputs: bytes


class _Bound:
    """The values that a trigger's rules see, ready for the engine, and how many effects there were when they were read."""

    def __init__(self, values: dict[str, Value], activation: Any, effects: int) -> None:
        self.values = values
        self.activation = activation
        self.effects = effects

    def hash(self) -> bytes:
        """SHA-256 of the values as canonical JSON."""
        return sha256(_ENCODER.encode(self.values)).digest()


def bind(
    contract: CompiledContract, memory: Memory, inputs: Inputs, happened: Occurrence, today: int
) -> dict[str, Value]:
    """A value for every name that an expression of the contract reads and this trigger tells; no other."""
    values: dict[str, Value] = {}
    for name in contract.names:
        room, _, field_name = name.partition(".")
        if room == "loan":
            values[name] = getattr(inputs.loan, field_name)
        elif room == "event":
            if name in happened.values:
                values[name] = happened.values[name]
        else:
            values[name] = (
                contract.terms[name] if name in contract.terms else _remembered(contract, memory, field_name, today)
            )
    return values


def _remembered(contract: CompiledContract, memory: Memory, name: str, today: int) -> int:
    if name == "age_days":
        return today - memory.began
    if name == "days_left":
        return contract.document.expires.toordinal() - today
    return int(getattr(memory, name))


def _calendar_differs(contract: CompiledContract, event: Event) -> bool:
    if contract.calendar is None:
        return False
    name, digest = contract.calendar
    return name in event.calendars and event.calendars[name].hex() != digest


def _answer_hash(proposal: Proposal, answer: Answer) -> bytes:
    """What an accepted effect stands on: the proposal, and whose answer was the last."""
    return sha256(_ENCODER.encode({"party": answer.party, "proposal": proposal.id.hex()})).digest()


def _wait_hash(wait: Wait, *, met: bool) -> bytes:
    """What an effect stands on that waited for a consent: who asked, and whether it came."""
    return sha256(_ENCODER.encode({"asked": wait.id.hex(), "met": met})).digest()
