"""Contracts: proposed by a lender, signed by all parties, ended or answered by them. Each step is an attestation.

Rules
- A lender proposes and signs in its own name; a borrower or guarantor signs by their own pseudonym. Nobody else sees a
  contract.
- The lender signs a step with a key of its own (a JWS that it sends), else with the key that the deployment keeps for it.
- A borrower or guarantor signs with their own key, or the deployment does after it authenticated them; the step says
  which.
- What contracts do to a lender's loans is signed with a key that the deployment keeps: the lender's signature under a
  contract is what allows it, so such a key is made then, if there is none.
- A contract that this version cannot execute (check.executable) is not signed and its proposals are not answered; it can
  be withdrawn or ended. Nor is one past its own last day proposed, signed or answered (``contract_expired``).
- Every request carries an idempotency key; the same one again gets the first answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from ledger.attestation.contract_kinds import DOCUMENT_BYTES_MAX, Effect
from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.attestation.envelope import parse
from ledger.attestation.jws import sign_jws, verify_jws
from ledger.attestation.keys import ES256, KeyHistory, PrivateKey, admit_public_key
from ledger.contract.check import examine
from ledger.contract.document import Document, canonical_bytes, contract_hash, read_document
from ledger.contract.memory import Memory, Proposal, Wait, decode_memory, ensure_lasting, waiting_proposals
from ledger.contract.program import CompiledContract
from ledger.contract.steps import CONTRACT_TYPE, step_payload
from ledger.errors import Conflict, InvalidInput, NotFound, Refused, Untrusted
from ledger.loan.state import decode_state
from ledger.node.authority import Authority
from ledger.node.clock import Sources
from ledger.node.consents import OwnSignature
from ledger.node.drafts import Draft
from ledger.node.idempotent import Request, earlier_answer, record_of
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Publisher
from ledger.node.sealer import Sealer
from ledger.store.attestation_rows import AttestationRow, attestations_at
from ledger.store.contract_rows import ContractRow, EffectRow, contracts_seen, effects_of, last_tick, read_contract
from ledger.store.database import Connection, Database
from ledger.store.loan_rows import read_loan
from ledger.types import AccountRef, Subject, TenantId, UnixMillis

Party = Literal["lender", "borrower", "guarantor", "deployment"]
StepName = Literal["proposed", "signed", "withdrawn", "terminated", "accepted", "declined"]


@dataclass(frozen=True)
class Caller:
    """Who takes a step: a lender's tenant, or a borrower (or guarantor) by pseudonym."""

    tenant: TenantId | None = None
    subject: Subject | None = None


@dataclass(frozen=True)
class KnownContract:
    """A contract as its parties see it. ``today`` is the last day that began, an ordinal; 0 before the first."""

    row: ContractRow
    document: Document
    memory: Memory
    today: int

    @property
    def hash(self) -> bytes:
        """Its name: SHA-256 of the canonical document."""
        return self.row.contract

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What may still be answered: a proposal that lapsed is none."""
        return waiting_proposals(self.memory, self.today)

    @property
    def waits(self) -> tuple[Wait, ...]:
        """Rules that wait for a consent of the borrower's."""
        return tuple(one for one in self.memory.waits if one.until >= self.today)


@dataclass(frozen=True)
class PastEffect:
    """One effect and where its attestation lies. ``body`` None: it was erased, and ``data`` is empty."""

    row: EffectRow
    attestation: AttestationRow
    body: Effect | None
    data: bytes


class Contracts:
    """The life of contracts on one node."""

    def __init__(
        self, database: Database, publisher: Publisher, authority: Authority, sealer: Sealer, sources: Sources
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._authority = authority
        self._sealer = sealer
        self._sources = sources

    async def propose(self, lender: TenantId, document: Document, request: Request) -> KnownContract:
        """A lender proposes a contract about one of its loans, present or to come.

        Raises InvalidInput (``contract_invalid`` with the first fault, ``contract_long``, ``contract_mismatch``),
        Refused ``contract_expired``, Conflict ``contract_exists``.
        """
        await self._once(request, lambda: self._propose(lender, document, request))
        return await self.seen(Caller(tenant=lender), contract_hash(document))

    async def _propose(self, lender: TenantId, document: Document, request: Request) -> None:
        contract = contract_hash(document)
        self._ensure_fit(document)
        ensure_lasting(document, _day(self._sources.now()).toordinal())
        if document.parties.lender != lender:
            raise InvalidInput("contract_mismatch", "the contract names another lender", path="$.parties.lender")
        await self._ensure_loan(lender, document)
        async with self._database.reading(tenants=(lender,)) as connection:
            if await read_contract(connection, contract) is not None:
                raise Conflict("contract_exists", "this contract was proposed before", found=contract.hex())
        await self._publish(document, "proposed", "lender", request, contents=canonical_bytes(document))

    async def step(
        self, caller: Caller, contract: bytes, step: StepName, request: Request, *, reason: str | None = None,
        effect: bytes | None = None, own: OwnSignature | None = None,
    ) -> KnownContract:  # fmt: skip
        """A party signs, withdraws, terminates, or accepts or declines a proposal (``effect``).

        Raises NotFound ``contract_unknown``, Refused ``contract_*``, InvalidInput, Untrusted.
        """

        async def act() -> None:
            known = await self.seen(caller, contract)
            party = _party_of(caller, known.document)
            if step in ("signed", "accepted", "declined"):
                self._ensure_fit(known.document)
                ensure_lasting(known.document, _day(self._sources.now()).toordinal())
            if effect is not None:
                _ensure_waiting(known, effect, party)
            if party == "lender" and step == "signed":
                await self._ensure_executor_key(TenantId(known.document.parties.lender))
            await self._publish(known.document, step, party, request, reason=reason, effect=effect, own=own)

        await self._once(request, act)
        return await self.seen(caller, contract)

    async def seen(self, caller: Caller, contract: bytes) -> KnownContract:
        """A contract as one of its parties may see it. Raises NotFound ``contract_unknown``."""
        async with self._reading(caller) as connection:
            row, today = await read_contract(connection, contract), await _today(connection)
        if row is None:
            raise NotFound("contract_unknown", "no such contract")
        return _known(row, today)

    async def page(
        self, caller: Caller, after: bytes, limit: int, account: AccountRef | None = None
    ) -> list[KnownContract]:
        """Contracts of a party by hash; ``after`` is exclusive."""
        async with self._reading(caller) as connection:
            today = await _today(connection)
            return [_known(row, today) for row in await contracts_seen(connection, after, limit, account)]

    async def history(self, caller: Caller, contract: bytes, after: tuple[int, int], limit: int) -> list[PastEffect]:
        """What a contract did, in log order. Raises NotFound ``contract_unknown``."""
        await self.seen(caller, contract)
        async with self._reading(caller) as connection:
            rows = await effects_of(connection, contract, after, limit)
        places = [(row.batch_id, row.position) for row in rows]
        async with self._database.reading(tenants=(DEPLOYMENT,)) as connection:
            stored = await attestations_at(connection, DEPLOYMENT, places)
        opened = await self._sealer.open(stored)
        found = {
            (row.batch_id, row.position): (row, data) for row, data in zip(stored, opened, strict=True)
        }  # fmt: skip
        past = []
        for row in rows:
            attestation, data = found[row.batch_id, row.position]
            body = None if data is None else parse(data).body
            past.append(PastEffect(row, attestation, body if isinstance(body, Effect) else None, data or b""))
        return past

    async def _once(self, request: Request, act: Callable[[], Awaitable[None]]) -> None:
        """Act, unless the same request did before, or did at this very moment: a refusal then speaks of its own act."""
        if await earlier_answer(self._database, request) is not None:
            return
        try:
            await act()
        except (Conflict, Refused):
            if await earlier_answer(self._database, request) is None:
                raise

    def _reading(self, caller: Caller):  # type: ignore[no-untyped-def]
        if caller.tenant is not None:
            return self._database.reading(tenants=(caller.tenant,))
        return self._database.reading(subject=caller.subject)

    def _ensure_fit(self, document: Document) -> CompiledContract:
        size = len(canonical_bytes(document))
        if size > DOCUMENT_BYTES_MAX:
            raise InvalidInput("contract_long", "a contract on the ledger is one attestation",
                               expected=f"<= {DOCUMENT_BYTES_MAX} bytes", found=size,
                               advice="Split it into two contracts.")  # fmt: skip
        examined = examine(document)
        if examined.contract is None:
            fault = examined.faults[0]
            raise InvalidInput("contract_invalid", f"{fault.code}: {fault.message}", path=fault.path,
                               expected=fault.expected, found=fault.found,
                               advice="Run `tallystick contract check FILE` to see every fault.")  # fmt: skip
        return examined.contract

    async def _ensure_loan(self, lender: TenantId, document: Document) -> None:
        async with self._database.reading(tenants=(lender,)) as connection:
            loan = await read_loan(connection, lender, AccountRef(document.account))
        if loan is None:
            return
        if loan.subject != document.parties.borrower:
            raise InvalidInput("contract_mismatch", "the loan is another borrower's", path="$.parties.borrower")
        currency = decode_state(loan.state).currency
        if currency and currency != document.currency:
            raise InvalidInput("contract_mismatch", "the loan is in another currency", path="$.currency",
                               expected=currency, found=document.currency)  # fmt: skip

    async def _ensure_executor_key(self, lender: TenantId) -> None:
        try:
            await self._authority.managed_key(lender)
        except Refused:
            await self._authority.enrol_key(lender, None)

    async def _publish(
        self, document: Document, step: StepName, party: Party, request: Request, *, contents: bytes | None = None,
        reason: str | None = None, effect: bytes | None = None, own: OwnSignature | None = None,
    ) -> None:  # fmt: skip
        contract, now = contract_hash(document), self._sources.now()
        signature, signer = await self._signature(document, step, party, effect, own, now)
        body = ContractStep(
            account=document.account, contract=contract, document=contents, effect=effect,
            lender=document.parties.lender, party=party, reason=reason, signature=signature, signer_key=signer,
            step=step,
        )  # fmt: skip
        participants = await self._publisher.participants(document.parties.lender)
        draft = Draft(
            kind="contract", body=body, effective_date=_day(now), subject=document.parties.borrower, role="borrower",
            jurisdiction=participants.tenant(TenantId(document.parties.lender)).country,
        )  # fmt: skip
        batch_id = self._sources.new_id()
        record = record_of(request, author=DEPLOYMENT, batch_id=batch_id, answer=contract.hex(), now=now)
        await self._publisher.publish_own(
            DEPLOYMENT, self._authority.operator, [draft], batch_id=batch_id, idempotency=record,
            tenants=(TenantId(document.parties.lender), request.tenant), voids_caches=True,
        )  # fmt: skip

    async def _signature(
        self, document: Document, step: StepName, party: Party, effect: bytes | None, own: OwnSignature | None,
        now: UnixMillis,
    ) -> tuple[str, bytes | None]:  # fmt: skip
        """(JWS over the step, the party's public key when it signed itself)."""
        contract = contract_hash(document)
        if own is not None:
            return own.jws.decode("latin-1"), await self._verified(document, step, party, effect, own)
        payload = step_payload(contract, party, step, now, effect)
        if party != "lender":
            return sign_jws(payload, self._authority.operator, CONTRACT_TYPE).decode(), None
        key = await self._lender_key(TenantId(document.parties.lender), step)
        return sign_jws(payload, key, CONTRACT_TYPE).decode(), key.raw

    async def _lender_key(self, lender: TenantId, step: StepName) -> PrivateKey:
        if step == "proposed":
            await self._ensure_executor_key(lender)
        return await self._authority.managed_key(lender)

    async def _verified(
        self, document: Document, step: StepName, party: Party, effect: bytes | None, own: OwnSignature
    ) -> bytes:
        """The raw public key of a party's own signature. Raises Untrusted, InvalidInput."""
        key = admit_public_key(own.jwk, not_before_ms=UnixMillis(0))
        if party == "lender":
            lender = TenantId(document.parties.lender)
            keys = (await self._publisher.participants(lender)).keys_of(lender)
            if key.kid not in {enrolled.kid for enrolled in keys}:
                raise Untrusted("key_unknown", "not a key of this lender", path="signature.jwk")
        else:
            keys = KeyHistory([key])
        payload = step_payload(contract_hash(document), party, step, own.at, effect)
        if verify_jws(own.jws, keys, typ=CONTRACT_TYPE, at_ms=own.at).payload != payload:
            raise InvalidInput("contract_signature_differs", "the signature is over something else", path="signature",
                               advice="sign exactly the step's payload")  # fmt: skip
        return b"\x04" + key.raw if key.alg == ES256 else key.raw


def _party_of(caller: Caller, document: Document) -> Party:
    if caller.tenant is not None:
        return "lender"
    return "borrower" if caller.subject == document.parties.borrower else "guarantor"


def _ensure_waiting(known: KnownContract, effect: bytes, party: Party) -> None:
    """A proposal is answered by whom it waits for, on the days until it lapses."""
    if not any(one.id == effect and party in one.needs for one in known.proposals):
        raise Refused("proposal_not_open", "no such proposal waits for this party", path="effect")


async def _today(connection: Connection) -> int:
    last = await last_tick(connection)
    return 0 if last is None else last.toordinal()


def _known(row: ContractRow, today: int) -> KnownContract:
    return KnownContract(row, read_document(row.document), decode_memory(row.memory), today)


def _day(now: UnixMillis) -> date:
    return datetime.fromtimestamp(now / 1000, UTC).date()
