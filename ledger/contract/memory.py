"""What a contract remembers: who signed, what fired already, what it added up, what waits for an answer or a consent.

    None --proposed--> PROPOSED --signed by all--> IN_FORCE --terminated--> TERMINATED
                       PROPOSED --withdrawn--> WITHDRAWN

Rules
- A memory is a fold: of the contract's own steps and effects on the ledger (``after_step``, ``after_effect``) and of the
  events it was shown (``after_event``). Nothing else is in it, so a replay builds it again from the log.
- ``once`` is decided here: a rule that fired is remembered by loan, by instalment or by its last day. A failed
  evaluation is recorded once a day for each rule.
- ``handled`` is the place in the log of the last event that did something. An event at or before it was seen and gives
  nothing again; one after it that did nothing would do nothing again. So most events leave a memory as it is, and
  nothing is to be written.
- Every party signs the same hash, once. Termination takes lender and borrower both, or the deployment with a reason.
- Nothing is proposed, signed or answered on or after the day ``expires``; it can still be withdrawn or ended.
- What may grow is bounded: firings by rules and instalments, proposals by PROPOSALS_MAX, waits by rules: one each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Any, Final

import msgspec

from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.contract_kinds import Effect
from ledger.contract.document import Document
from ledger.contract.occurrences import Occurrence
from ledger.contract.vocabulary import FAILED
from ledger.errors import InvalidInput, Refused


class ContractState(StrEnum):
    """Where a contract is in its life."""

    PROPOSED = "proposed"
    IN_FORCE = "in_force"
    WITHDRAWN = "withdrawn"
    TERMINATED = "terminated"


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """Something that waits for signatures: the effect that lands when all of ``needs`` accept it by the day ``until``.
    ``effect`` is empty for an offer, which changes nothing by itself. ``id`` is the id of the effect that opened it."""

    id: bytes
    rule: str
    effect: str
    arguments: dict[str, int | str]
    needs: tuple[str, ...]
    until: int
    scope: int | None = None
    accepted: tuple[str, ...] = ()


Step = tuple[int, dict[str, int | str]]
"""An effect that waits: its place in the rule's ``do`` (or ``otherwise``), and its arguments, which are settled."""


class Wait(msgspec.Struct, frozen=True, gc=False):
    """A rule that waits for the borrower's consent to ``code`` until the day ``until`` (an ordinal): then ``then`` is
    done, else ``otherwise``. ``id`` is the id of the effect that asked."""

    id: bytes
    rule: str
    code: str
    until: int
    then: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()


class Memory(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A contract's memory. Days are ordinals; ``began`` 0: not yet in force; amounts are minor units;
    ``by_instalment`` has a bit for each number."""

    state: str = ContractState.PROPOSED.value
    signed: tuple[str, ...] = ()
    ending: tuple[str, ...] = ()
    began: int = 0
    handled: tuple[int, int] = (-1, -1)
    by_loan: tuple[str, ...] = ()
    by_instalment: dict[str, bytes] = {}
    by_day: dict[str, int] = {}
    penalties: int = 0
    discounts: int = 0
    on_time: int = 0
    proposals: tuple[Proposal, ...] = ()
    waits: tuple[Wait, ...] = ()


FRESH: Final = Memory()
_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_DECODER: Final = msgspec.msgpack.Decoder(Memory)


def encode_memory(memory: Memory) -> bytes:
    """A memory as the bytes of its projection row."""
    return _ENCODER.encode(memory)


def decode_memory(data: bytes) -> Memory:
    """The memory of a projection row."""
    return _DECODER.decode(data)


def after_step(memory: Memory | None, document: Document, step: ContractStep, day: int) -> Memory:
    """The memory after one more step. ``accepted`` and ``declined`` are events of the engine and change nothing here.

    Raises Refused ``contract_step_refused``, ``contract_party_unknown``, ``contract_expired``; InvalidInput
    ``contract_mismatch``.
    """
    if step.lender != document.parties.lender or step.account != document.account:
        raise InvalidInput("contract_mismatch", "the step names another lender or account", path="$.body.account")
    if step.party != "deployment" and step.party not in document.parties.roles():
        raise Refused("contract_party_unknown", "this contract has no such party", path="$.body.party",
                      expected=", ".join(document.parties.roles()), found=step.party)  # fmt: skip
    state = None if memory is None else memory.state
    if step.step not in ("terminated", "withdrawn"):
        ensure_lasting(document, day)
    if step.step == "proposed" and state is None:
        return FRESH
    if memory is not None and (state, step.step) in _STEPS:
        return _STEPS[state, step.step](memory, document, step, day)
    raise _refused(state, step)


def ensure_lasting(document: Document, day: int) -> None:
    """Raises Refused ``contract_expired`` on and after the day on which nothing fires any more (``day`` an ordinal)."""
    if day >= document.expires.toordinal():
        raise Refused("contract_expired", "a contract is proposed, signed and answered before it expires",
                      path="$.expires", expected=f"after {date.fromordinal(day)}", found=document.expires.isoformat(),
                      advice="Propose a contract that ends later.")  # fmt: skip


def _signed(memory: Memory, document: Document, step: ContractStep, day: int) -> Memory:
    if step.party == "deployment" or step.party in memory.signed:
        raise _refused(memory.state, step)
    signed = (*memory.signed, step.party)
    if set(signed) != set(document.parties.roles()):
        return msgspec.structs.replace(memory, signed=signed)
    return msgspec.structs.replace(memory, signed=signed, state=ContractState.IN_FORCE.value, began=day)


def _withdrawn(memory: Memory, document: Document, step: ContractStep, day: int) -> Memory:
    return msgspec.structs.replace(memory, state=ContractState.WITHDRAWN.value)


def _terminated(memory: Memory, document: Document, step: ContractStep, day: int) -> Memory:
    if step.party == "deployment" and step.reason is None:
        raise Refused("contract_step_refused", "the deployment says why it ends a contract", path="$.body.reason")
    ending = (*memory.ending, step.party)
    agreed = step.party == "deployment" or {"lender", "borrower"} <= set(ending)
    state = ContractState.TERMINATED.value if agreed else memory.state
    gone: dict[str, Any] = {"proposals": (), "waits": ()} if agreed else {}
    return msgspec.structs.replace(memory, ending=ending, state=state, **gone)


def _unchanged(memory: Memory, document: Document, step: ContractStep, day: int) -> Memory:
    return memory


def _refused(state: str | None, step: ContractStep) -> Refused:
    return Refused("contract_step_refused", f"a contract that is {state or 'not there'} cannot be {step.step} by "
                   f"the {step.party}", path="$.body.step")  # fmt: skip


_STEPS: Final[dict[tuple[str | None, str], Callable[[Memory, Document, ContractStep, int], Memory]]] = {
    (ContractState.PROPOSED.value, "signed"): _signed,
    (ContractState.PROPOSED.value, "withdrawn"): _withdrawn,
    (ContractState.IN_FORCE.value, "terminated"): _terminated,
    (ContractState.IN_FORCE.value, "accepted"): _unchanged,
    (ContractState.IN_FORCE.value, "declined"): _unchanged,
}
"""(state, step) -> how it changes the memory. A pair that is not here is refused."""


def after_event(memory: Memory, happened: tuple[Occurrence, ...]) -> Memory:
    """The memory that an event leaves before any rule looks at it; the very same one where it adds nothing."""
    on_time = memory.on_time
    for one in happened:
        if one.trigger == "repayment.received":
            on_time = on_time + int(one.values["event.cleared"]) if not one.values["event.dpd"] else 0
        elif one.trigger == "repayment.missed":
            on_time = 0
    return memory if on_time == memory.on_time else msgspec.structs.replace(memory, on_time=on_time)


def waiting_proposals(memory: Memory, today: int) -> tuple[Proposal, ...]:
    """Proposals that may still be answered on the day ``today`` (an ordinal), oldest first."""
    return tuple(one for one in memory.proposals if one.until >= today)


def may_fire(memory: Memory, once: str, rule: str, scope: int | None) -> bool:
    """Whether a rule with this ``once`` may fire again for this instalment or day."""
    if once == "per-loan":
        return rule not in memory.by_loan
    if once == "per-instalment":
        return not _has(memory.by_instalment.get(rule, b""), scope or 0)
    return once != "per-day" or (scope or 0) > memory.by_day.get(rule, 0)


def after_effect(memory: Memory, once: str, effect: Effect, today: int) -> Memory:
    """The memory after an effect landed, failed or became a proposal. ``once`` is its rule's. Proposals that lapsed
    are forgotten when another is opened."""
    if effect.effect == FAILED:
        return msgspec.structs.replace(memory, by_day={**memory.by_day, failing(effect.rule): effect.scope or 0})
    changes: dict[str, Any] = {}
    if effect.scope is not None and once == "per-day":
        changes["by_day"] = {**memory.by_day, effect.rule: effect.scope}
    elif effect.scope is not None:
        fired = _with(memory.by_instalment.get(effect.rule, b""), effect.scope)
        changes["by_instalment"] = {**memory.by_instalment, effect.rule: fired}
    elif once == "per-loan" and effect.rule not in memory.by_loan:
        changes["by_loan"] = (*memory.by_loan, effect.rule)
    amount = effect.arguments.get("amount", 0)
    if effect.effect == "penalty.apply":
        changes["penalties"] = memory.penalties + int(amount)
    elif effect.effect == "discount.apply":
        changes["discounts"] = memory.discounts + int(amount)
    elif effect.effect == "proposal.open":
        changes["proposals"] = (*waiting_proposals(memory, today), proposal_of(effect))
    return msgspec.structs.replace(memory, **changes)


def _has(bits: bytes, number: int) -> bool:
    """Whether the set of small numbers, one bit each, has this one."""
    return number >> 3 < len(bits) and bool(bits[number >> 3] >> (number & 7) & 1)


def _with(bits: bytes, number: int) -> bytes:
    grown = bytearray(bits.ljust((number >> 3) + 1, b"\0"))
    grown[number >> 3] |= 1 << (number & 7)
    return bytes(grown)


def failing(rule: str) -> str:
    """The key under which a rule's last failure is remembered; no rule's id has such a sign."""
    return f"{rule}!"


def proposal_of(effect: Effect) -> Proposal:
    """The proposal that a ``proposal.open`` opens."""
    arguments = dict(effect.arguments)
    name, needs, until = (arguments.pop(key, "") for key in ("effect", "needs", "until"))
    signers, last = tuple(str(needs).split(",")), date.fromisoformat(str(until)).toordinal()
    return Proposal(effect.id, effect.rule, str(name), arguments, signers, last, effect.scope)


def answered(memory: Memory, effect: bytes, party: str, *, accepts: bool, today: int) -> tuple[Memory, Proposal | None]:
    """The memory after ``party`` answered a proposal, and the proposal when this was the last signature it needed."""
    waiting = waiting_proposals(memory, today)
    found = next((one for one in waiting if one.id == effect and party in one.needs), None)
    if found is None:
        return memory, None
    others = tuple(one for one in memory.proposals if one.id != effect)
    accepted = tuple(sorted({*found.accepted, party}))
    if not accepts or set(accepted) == set(found.needs):
        return msgspec.structs.replace(memory, proposals=others), found if accepts else None
    signed = msgspec.structs.replace(found, accepted=accepted)
    kept = tuple(signed if one.id == effect else one for one in memory.proposals)
    return msgspec.structs.replace(memory, proposals=kept), None
