"""Replay: the log's attestations in order, every contract executed again, every effect compared byte for byte.

    replayer = Replayer("tally", loans, documents={})
    for entry in entries:                  from the log's first batch on, in order
        replayer.see(entry)
    report = replayer.report()
    report.faults     -> (ReplayFault("effect_missing", ..., cause index and position, expected bytes), ...)
    report.root       -> one hash over every effect that the log must hold

Rules
- Contracts are executed by the docket (docket.py) that executes them in the commit too: what is here is the comparison.
- Nothing is taken from a database: documents come with the attestations that propose them, or by their hash from
  ``documents``; memories, loans and counts are folded again from the entries.
- An effect is compared by the canonical bytes of its body (contract_kinds.Effect). ``effect_missing``: due and not there.
  ``effect_extra``: there and not due. ``effect_differs``: the right id, other bytes. ``effect_twice``: there again.
  ``effect_early``: stands before its cause. ``document_missing``: a contract that cannot be read is named; its effects
  are neither right nor wrong, and are counted as ``untold``. ``step_refused``: the contract's life has no such step.
- A contract that pins another engine or vocabulary is not executed, and that is no fault: its steps are followed, its
  effects are ``untold``. The version that it pins can tell.
- A fault proves itself: the inclusion of the cause and of the effect, the signed document, and this rule. The key that
  signed the log answers for it.
- ``first`` and ``last`` choose the causes that are compared, by log index; everything before is folded all the same.
- A process that stopped between a cause and its effects cannot be seen: they are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Protocol
from uuid import UUID

from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.contract_kinds import Effect
from ledger.attestation.envelope import Attestation, Envelope, encode_body
from ledger.contract.check import pins_this_engine
from ledger.contract.docket import ContractKey, Docket, Held, Placed
from ledger.contract.document import Document, contract_hash, read_document
from ledger.contract.landing import LANDED_KINDS
from ledger.contract.memory import Memory
from ledger.contract.program import CompiledContract
from ledger.errors import InvalidInput, Refused
from ledger.loan.state import LoanState


@dataclass(frozen=True, slots=True)
class LogAttestation:
    """One attestation where it lies: the log index of its batch, the batch, and its place there."""

    index: int
    batch: UUID
    position: int
    attestation: Attestation


class Loans(Protocol):
    """The fold of every loan, in the form that whoever replays has."""

    def see(self, index: int, attestation: Attestation) -> None:
        """Take one more attestation, from the batch at this log index."""

    def of(self, lender: str, account: bytes) -> LoanState | None:
        """The loan as it is now."""


@dataclass(frozen=True)
class ReplayFault:
    """One disagreement between the log and its replay. ``index`` and ``position`` are the cause's place; ``expected`` and
    ``found`` canonical bodies of effects. A fault of a step has no effect, and -1 for the place."""

    code: str
    contract: bytes
    effect: bytes
    rule: str
    index: int
    position: int
    expected: bytes | None = None
    found: bytes | None = None


@dataclass(frozen=True)
class Replayed:
    """What a replay found. ``root`` is SHA-256 over the effects that are due, each as length (8 bytes) and bytes."""

    attestations: int
    contracts: int
    executions: int
    effects: int
    untold: int
    root: bytes
    faults: tuple[ReplayFault, ...]


@dataclass
class _Tally:
    attestations: int = 0
    effects: int = 0
    untold: int = 0
    faults: list[ReplayFault] = field(default_factory=list)


class Replayer:
    """One replay under way; feed it the log from its beginning."""

    def __init__(
        self,
        deployment: str,
        loans: Loans,
        documents: Mapping[bytes, bytes],
        first: int = 0,
        last: int | None = None,
    ) -> None:
        self._docket = Docket(deployment, 0)
        self._loans = loans
        self._documents = documents
        self._range = (first, last)
        self._unreadable: set[bytes] = set()
        self._due: dict[bytes, bytes] = {}
        self._met: set[bytes] = set()
        self._bodies: dict[bytes, Effect] = {}
        self._root = sha256()
        self._tally = _Tally()
        self._landing: set[UUID] = set()

    def see(self, entry: LogAttestation) -> None:
        """Take the next attestation of the log. Raises Unavailable where the engine is missing."""
        attestation = entry.attestation
        envelope, body = attestation.envelope, attestation.body
        self._tally.attestations += 1
        if isinstance(body, Effect):
            self._landing.add(envelope.id)
            self._compare(entry, body)
            return
        before = self._loans.of(envelope.tenant, envelope.account) if envelope.account else None
        self._loans.see(entry.index, attestation)
        if self._landed(envelope):
            return
        placed = Placed(entry.index, entry.batch, entry.position, attestation, before)
        effects = self._stepped(placed, body) if isinstance(body, ContractStep) else self._taken(placed)
        if self._compared(entry.index):
            self._expect(effects)

    def due(self, skip: int = 0) -> tuple[Effect, ...]:
        """The effects that the log must hold so far, in order, after the first ``skip`` of them."""
        return tuple(islice(self._bodies.values(), skip, None))

    def memories(self) -> dict[bytes, tuple[CompiledContract, Memory]]:
        """What each contract that was executed remembers now, by its hash; ended ones too."""
        return {
            key.hash: (one.contract, one.memory) for key, one in self._docket.contracts.items()
            if one.memory is not None and one.contract is not None
        }  # fmt: skip

    def unexecuted(self) -> dict[bytes, tuple[Document, Memory]]:
        """Contracts that pin another engine, by hash, with what their own steps alone come to."""
        return {
            key.hash: (one.document, one.memory) for key, one in self._docket.contracts.items()
            if one.memory is not None and one.contract is None
        }  # fmt: skip

    def report(self) -> Replayed:
        """What was found so far; an effect that is due and was not seen counts as missing."""
        missing = [
            _fault("effect_missing", self._bodies[key], expected=data)
            for key, data in self._due.items()
            if key not in self._met
        ]
        tally, docket = self._tally, self._docket
        return Replayed(
            attestations=tally.attestations, contracts=len(docket.contracts), executions=docket.executions,
            effects=tally.effects, untold=tally.untold, root=self._root.digest(), faults=(*tally.faults, *missing),
        )  # fmt: skip

    def _landed(self, envelope: Envelope) -> bool:
        """Whether this is the event that an effect meant for the loan: it was published with the effect, and no contract
        hears of it."""
        named = self._landing.intersection(envelope.refs) if envelope.kind in LANDED_KINDS else set()
        self._landing -= named
        return bool(named)

    def _taken(self, placed: Placed) -> tuple[Effect, ...]:
        return self._docket.take(placed, lambda ref: self._loans.of(*ref))

    def _stepped(self, placed: Placed, step: ContractStep) -> tuple[Effect, ...]:
        """A contract's own step, which the ledger may have taken though it has no place."""
        key, faults = ContractKey(step.lender, step.contract), self._tally.faults
        if self._docket.held(key) is None:
            held = _found(step.document or self._documents.get(step.contract) or b"", step.contract)
            if held is None or held.contract is None:
                self._unreadable.add(step.contract)
            if held is None:
                faults.append(_of_step("document_missing", step))
                return ()
            self._docket.put(key, held)
        try:
            return self._taken(placed)
        except (InvalidInput, Refused):
            faults.append(_of_step("step_refused", step))
            return ()

    def _expect(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            data = encode_body(effect)
            self._due[effect.id] = data
            self._bodies[effect.id] = effect
            self._root.update(len(data).to_bytes(8, "big") + data)
            self._tally.effects += 1

    def _compared(self, index: int) -> bool:
        first, last = self._range
        return index >= first and (last is None or index <= last)

    def _compare(self, entry: LogAttestation, found: Effect) -> None:
        """An effect of the log against what is due."""
        if not self._compared(found.cause.index):
            return
        if found.contract in self._unreadable:
            self._tally.untold += 1
            return
        data, due = encode_body(found), self._due.get(found.id)
        code = None
        if found.id in self._met:
            code = "effect_twice"
        elif due is None:
            early = (entry.index, entry.position) <= (found.cause.index, found.cause.position)
            code = "effect_early" if early else "effect_extra"
        elif due != data:
            code = "effect_differs"
        self._met.add(found.id)
        if code is not None:
            self._tally.faults.append(_fault(code, found, expected=due, found=data))


def _found(data: bytes, contract: bytes) -> Held | None:
    """A contract from its document; None when that is not the document, or was never one to execute."""
    try:
        document = read_document(data)
    except InvalidInput:
        return None
    held = Held(data, document.parties.borrower, None)
    sound = held.contract is not None or not pins_this_engine(document)
    return held if sound and contract_hash(document) == contract else None


def _of_step(code: str, step: ContractStep) -> ReplayFault:
    return ReplayFault(code, step.contract, b"", "", -1, -1)


def _fault(code: str, effect: Effect, *, expected: bytes | None = None, found: bytes | None = None) -> ReplayFault:
    return ReplayFault(
        code, effect.contract, effect.id, effect.rule, effect.cause.index, effect.cause.position, expected, found
    )
