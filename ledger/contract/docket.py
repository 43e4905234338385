"""The contracts in hand and the order of the log: one attestation after the other, and what each makes contracts do.

    docket = Docket("tallystick", today=0)
    docket.put(ContractKey("acacia", digest), Held(canonical_bytes, subject, memory))
    docket.take(placed, loans)           -> (Effect(...), ...): bodies of ``effect`` attestations, in order
    docket.changed()                     -> the contracts whose memory moved

Rules
- A commit and a replay both go through here, so that what a contract does is written once: a committer puts in the
  contracts that a group concerns (executor.py), a replay every contract of the log (replay.py).
- Who hears of what is routing.py's to say, and what an event does the engine's: this keeps contracts and their memories,
  and asks them in the order of their hashes, each over its loan as it is just after the attestation.
- Where no rule waits for what happened, nothing is looked at: most events cost a look into a table.
- A contract's own steps move its memory here; an accepted or declined proposal is an event like any other. One that ended
  hears nothing any more.
- A borrower's consents are followed beside (consents.py), for contracts that wait for one or listen to them.
- Only contracts that were put in are seen, and the one that a step proposes.
- A contract that this version cannot execute (it pins another engine, say, from before an upgrade) does nothing: its cause
  goes on, its own steps still move it, and it can be ended. It is never proposed here.

It reads no clock and no store: loans and contracts are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from ledger.attestation.contract_kinds import Cause, Effect, Tick
from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.envelope import Attestation
from ledger.attestation.sharing_kinds import Artefact, Consent
from ledger.contract.check import compiled, executable
from ledger.contract.consents import Consents, Given
from ledger.contract.document import Document, read_document
from ledger.contract.engine import BLIND, Inputs, execute, listens
from ledger.contract.inputs import loan_inputs
from ledger.contract.memory import ContractState, Memory, after_step
from ledger.contract.program import CompiledContract
from ledger.contract.routing import day_of, event_of, hears, log_day_of
from ledger.errors import InvalidInput, Refused
from ledger.loan.state import LoanState


class ContractKey(NamedTuple):
    """A contract by its lender and its hash."""

    lender: str
    hash: bytes


class LoanRef(NamedTuple):
    """A loan by its lender and its account."""

    lender: str
    account: bytes


class Placed(NamedTuple):
    """An attestation at its place in the log, with the loan that it is about just before it (None: no loan, or new)."""

    idx: int
    batch: UUID
    position: int
    attestation: Attestation
    before: LoanState | None = None


@dataclass
class Held:
    """One contract in hand, by its document's canonical bytes. ``memory`` None: it is being proposed.

    ``contract`` raises Unavailable where the engine is missing; ``document`` what read_document raises.
    """

    data: bytes
    subject: bytes
    memory: Memory | None

    @cached_property
    def contract(self) -> CompiledContract | None:
        """Ready to execute; None: not by this version, so it does nothing."""
        return executable(self.data)

    @cached_property
    def document(self) -> Document:
        """What the parties signed."""
        return read_document(self.data) if self.contract is None else self.contract.document

    @property
    def in_force(self) -> bool:
        """Whether events reach it."""
        return self.memory is not None and self.memory.state == ContractState.IN_FORCE

    @property
    def ended(self) -> bool:
        """Whether nothing reaches it any more."""
        return self.memory is not None and self.memory.state in (ContractState.TERMINATED, ContractState.WITHDRAWN)


Loans = Callable[[LoanRef], LoanState | None]
"""The loan as it is just after the attestation that is taken."""


class Docket:
    """The contracts in hand. ``executions`` counts how often one was asked what an event does."""

    def __init__(self, deployment: str, today: int) -> None:
        """``today`` is the day of the log's latest tick, an ordinal; 0 before the first."""
        self.executions = 0
        self._deployment = deployment
        self._today = today
        self._held: dict[ContractKey, Held] = {}
        self._of_loan: dict[LoanRef, list[ContractKey]] = {}
        self._of_subject: dict[bytes, list[ContractKey]] = {}
        self._living: list[ContractKey] | None = None
        self._changed: dict[ContractKey, None] = {}
        self._consents = Consents()

    @property
    def today(self) -> int:
        """The day of the log's latest tick, an ordinal; 0 before the first."""
        return self._today

    @property
    def contracts(self) -> Mapping[ContractKey, Held]:
        """Every contract that was ever in hand, ended ones too."""
        return self._held

    def put(self, key: ContractKey, held: Held) -> None:
        """Take a contract in hand."""
        if key not in self._held:
            self._of_loan.setdefault(LoanRef(key.lender, held.document.account), []).append(key)
            self._of_subject.setdefault(held.subject, []).append(key)
            self._living = None
        self._held[key] = held

    def held(self, key: ContractKey) -> Held | None:
        """A contract in hand."""
        return self._held.get(key)

    def learn_consent(self, artefact: Artefact, state: str) -> None:
        """A version of a borrower's consent, as it is stored: contracts that wait for one are to be told."""
        self._consents.learn(artefact, state)

    def changed(self) -> list[tuple[ContractKey, Held]]:
        """The contracts whose memory moved since the last call, in the order in which they first did."""
        moved, self._changed = list(self._changed), {}
        return [(key, self._held[key]) for key in moved]

    def take(self, placed: Placed, loans: Loans) -> tuple[Effect, ...]:
        """What one more attestation makes the contracts do. Raises Refused and InvalidInput for a contract's own step
        that is not possible (``contract_*``); nothing else raises."""
        body = placed.attestation.body
        if isinstance(body, ContractStep):
            self._step(placed, body)
        ours = isinstance(body, Consent) and placed.attestation.envelope.tenant == self._deployment
        moved = self._consents.see(placed.attestation) if ours else None
        effects: list[Effect] = []
        for key in self._concerned(placed.attestation):
            effects += self._run(key, placed, loans, moved)
        if isinstance(body, Tick):
            self._today = max(self._today, body.day.toordinal())
        return tuple(effects)

    def _concerned(self, attestation: Attestation) -> list[ContractKey]:
        """The contracts that might hear of an attestation, in the order of execution."""
        envelope, body = attestation.envelope, attestation.body
        if isinstance(body, Tick):
            if self._living is None:
                self._living = _in_order([key for key, held in self._held.items() if not held.ended])
            return self._living
        if isinstance(body, ContractStep):
            return [ContractKey(body.lender, body.contract)]
        if envelope.account is not None:
            return _in_order(self._of_loan.get(LoanRef(envelope.tenant, envelope.account), []))
        return _in_order(self._of_subject.get(envelope.subject or b"", []))

    def _step(self, placed: Placed, step: ContractStep) -> None:
        """A contract's own step moves its memory."""
        key, envelope = ContractKey(step.lender, step.contract), placed.attestation.envelope
        held = self._held.get(key)
        if held is None:
            if step.document is None:
                raise Refused("contract_unknown", "no such contract", path="$.body.contract")
            compiled(step.document)  # whoever proposes today does so in today's terms
            held = Held(step.document, envelope.subject or b"", None)
            if held.document.parties.borrower != envelope.subject:
                raise InvalidInput("contract_mismatch", "the contract is with another borrower", path="$.subject")
            self.put(key, held)
        held.memory = after_step(held.memory, held.document, step, envelope.effective_date.toordinal())
        self._changed[key] = None
        if held.ended:
            self._of_loan[LoanRef(key.lender, held.document.account)].remove(key)
            self._of_subject[held.subject].remove(key)
            self._living = None

    def _run(self, key: ContractKey, placed: Placed, loans: Loans, moved: Given | None) -> tuple[Effect, ...]:
        held, attestation = self._held[key], placed.attestation
        if held.memory is None or not held.in_force:
            return ()
        contract = held.contract
        if contract is None or not hears(contract, attestation, self._deployment):
            return ()
        consent, standing = None if moved is None else moved.artefact, frozenset[str]()
        if isinstance(attestation.body, Consent) and (consent is None or consent.consumer != key.lender):
            return ()  # what the borrower agrees with somebody else is no business of this lender
        if contract.waits:
            day = log_day_of(attestation, self._today)
            standing = self._consents.standing(held.subject, key.lender, day)
        after = loans(LoanRef(key.lender, contract.document.account))
        before = placed.before if attestation.envelope.account is not None else after
        cause = Cause(batch=placed.batch, commitment=attestation.commitment, index=placed.idx, position=placed.position)
        event = event_of(contract, attestation, cause, before=before, after=after, today=self._today, consent=consent,
                         standing=standing)  # fmt: skip
        seen = BLIND
        if after is not None and listens(contract, held.memory, event):
            seen = Inputs(loan_inputs(after, day_of(event)))
        self.executions += 1
        execution = execute(contract, held.memory, event, seen)
        if execution.memory is not held.memory:
            held.memory = execution.memory
            self._changed[key] = None
        return execution.effects


def _in_order(keys: list[ContractKey]) -> list[ContractKey]:
    return sorted(keys, key=lambda key: key.hash)
