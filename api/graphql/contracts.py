"""Contracts: proposed by a lender, signed by its parties, executed by the ledger, seen by the parties and nobody else.

Rules
- A lender acts by its token's tenant, a borrower or guarantor by the token's subject; a token that names a subject acts as
  that person.
- What a contract did is in its ``history``, each effect with the place of its cause and of its record in the log;
  ``inclusionProof`` proves either of them, ``tallystick replay`` all of them.
- ``contractSimulate`` runs a document that nobody signed on sample events and changes nothing.
- A day begins by itself in UTC; ``dayBegin`` is for an operator who begins it by hand, or declares a disaster with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import msgspec
import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import After, Connection, First, page_of
from api.graphql.consents import own_signature
from api.graphql.context import Context, Info
from api.graphql.contract_types import (
    Contract,
    ContractAnswerInput,
    ContractEffect,
    ContractProposeInput,
    ContractStepInput,
    contract_of,
    effect_of,
)
from api.graphql.errors import UserError
from api.graphql.fields import guarded_field, guarded_mutation, open_type
from api.graphql.payloads import IDEMPOTENCY, AccountInput, Input, account_of, answered, errors_field
from api.graphql.scalars import Base64, Date, page_size
from ledger.attestation.contract_kinds import Declaration
from ledger.base64_strict import decode_url, encode_url
from ledger.contract.check import examine
from ledger.contract.document import canonical_bytes, contract_hash
from ledger.contract.simulate import ordinary_life, simulate
from ledger.contract.source import read_source
from ledger.errors import NotFound
from ledger.node.contracts import Caller, StepName
from ledger.node.idempotent import Request, request_of
from ledger.types import TenantId

Hash = Annotated[Base64, strawberry.argument(description="The contract's hash, 32 bytes.")]


@strawberry.type
class ContractPayload:
    """What the payload of every step holds."""

    contract: Contract | None = strawberry.field(description="The contract after the step.", default=None)
    errors: list[UserError] = errors_field()


@open_type(description="The answer to contractPropose.")
class ContractProposePayload(ContractPayload):
    """The answer to contractPropose."""


@open_type(description="The answer to contractSign.")
class ContractSignPayload(ContractPayload):
    """The answer to contractSign."""


@open_type(description="The answer to contractWithdraw.")
class ContractWithdrawPayload(ContractPayload):
    """The answer to contractWithdraw."""


@open_type(description="The answer to contractTerminate.")
class ContractTerminatePayload(ContractPayload):
    """The answer to contractTerminate."""


@open_type(description="The answer to contractAnswer.")
class ContractAnswerPayload(ContractPayload):
    """The answer to contractAnswer."""


@open_type(description="One sample event, and what the contract would do.")
class SimulatedStep:
    """One sample event."""

    day: Date = strawberry.field(description="The day of the event.")
    says: str = strawberry.field(description="What happens, in words.")
    trigger: str | None = strawberry.field(description="The trigger; null for an answer to a proposal.")
    does: list[str] = strawberry.field(description="Its effects, one line each.")


@open_type(description="A fault of a contract document.")
class ContractFault:
    """A fault of a document."""

    code: str = strawberry.field(description="A stable code.")
    path: str = strawberry.field(description="Where.")
    message: str = strawberry.field(description="What is wrong.")


@open_type(description="What a document is, and what it would do.")
class Simulation:
    """What a document would do."""

    hash: Base64 = strawberry.field(description="SHA-256 of its canonical form: what the parties would sign. 32 bytes.")
    document: str = strawberry.field(description="Its canonical form.")
    faults: list[ContractFault] = strawberry.field(description="Why it cannot be signed; empty when it can.")
    notes: list[str] = strawberry.field(description="What whoever signs should know.")
    steps: list[SimulatedStep] = strawberry.field(description="The samples in their order.")


@strawberry.input(description="A disaster that was declared.")
class DeclarationInput:
    """A disaster that was declared."""

    region: str = strawberry.field(description="Where, as a code (ISO 3166-2 where there is one).")
    days: int = strawberry.field(description="Days that it grants, from the tick's day on.")
    document: Base64 = strawberry.field(description="SHA-256 of the instrument that declares it. 32 bytes.")


@strawberry.input(description="A day that begins.")
class DayBeginInput:
    """A day that begins."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    day: Date = strawberry.field(description="The day, not after today in UTC.")
    declared: list[DeclarationInput] = strawberry.field(description="Disasters declared with it.", default_factory=list)


@open_type(description="The answer to dayBegin.")
class DayBeginPayload:
    """The answer to dayBegin."""

    day: Date | None = strawberry.field(description="The day that began.", default=None)
    index: int | None = strawberry.field(description="Log index of its tick.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type
class ContractMutation:
    """The steps of a contract, and the day's tick."""

    @guarded_mutation(permission=Permission.CONTRACTS_PROPOSE, description="Propose a contract about an own loan.")
    async def contract_propose(self, info: Info, input: Input[ContractProposeInput]) -> ContractProposePayload:
        """Propose a contract."""
        context = info.context

        async def act() -> ContractProposePayload:
            document = read_source(input.document.encode()).document
            content = {"contract": contract_hash(document).hex()}
            request = request_of(context.tenant, input.idempotency_key, "contractPropose", content)
            known = await context.node.contracts.propose(context.tenant, document, request)
            return ContractProposePayload(contract=contract_of(known))

        return await answered(ContractProposePayload, act())

    @guarded_mutation(permission=Permission.CONTRACTS_SIGN, description="Sign a contract.")
    async def contract_sign(self, info: Info, input: Input[ContractStepInput]) -> ContractSignPayload:
        """Sign a contract."""
        return await _step(ContractSignPayload, info.context, "signed", input)

    @guarded_mutation(permission=Permission.CONTRACTS_SIGN, description="Withdraw a contract that is not in force.")
    async def contract_withdraw(self, info: Info, input: Input[ContractStepInput]) -> ContractWithdrawPayload:
        """Withdraw a contract."""
        return await _step(ContractWithdrawPayload, info.context, "withdrawn", input)

    @guarded_mutation(
        permission=Permission.CONTRACTS_SIGN, description="End a contract: it ends when lender and borrower both did."
    )
    async def contract_terminate(self, info: Info, input: Input[ContractStepInput]) -> ContractTerminatePayload:
        """End a contract."""
        return await _step(ContractTerminatePayload, info.context, "terminated", input)

    @guarded_mutation(permission=Permission.CONTRACTS_SIGN, description="Accept or decline a proposal of a contract.")
    async def contract_answer(self, info: Info, input: Input[ContractAnswerInput]) -> ContractAnswerPayload:
        """Accept or decline a proposal."""
        step: StepName = "accepted" if input.accepts else "declined"
        return await _step(ContractAnswerPayload, info.context, step, input, effect=bytes(input.proposal))

    @guarded_mutation(permission=Permission.DAYS_BEGIN, description="Begin a day on the ledger.")
    async def day_begin(self, info: Info, input: Input[DayBeginInput]) -> DayBeginPayload:
        """Begin a day."""
        declared = [
            Declaration(days=one.days, document=bytes(one.document), region=one.region) for one in input.declared
        ]

        async def act() -> DayBeginPayload:
            content = {"day": input.day.isoformat(), "declared": [msgspec.to_builtins(one) for one in declared]}
            request = request_of(info.context.tenant, input.idempotency_key, "dayBegin", content)
            index = await info.context.node.ticker.begin(input.day, declared, request=request)
            return DayBeginPayload(day=input.day, index=index)

        return await answered(DayBeginPayload, act())


@strawberry.type
class ContractQuery:
    """Contracts."""

    @guarded_field(permission=Permission.CONTRACTS_READ, description="The caller's contracts, by hash.")
    async def contracts(
        self,
        info: Info,
        first: First,
        after: After = None,
        account: Annotated[
            AccountInput | None, strawberry.argument(description="Those about this account of the caller's.")
        ] = None,
    ) -> Connection[Contract]:
        """The caller's contracts."""
        context, size, caller = info.context, page_size(first), _caller(info.context)
        cursors, scope = context.services.cursors, f"contracts/{context.tenant}/{caller.subject!r}"
        start = b"" if after is None else decode_url(str(cursors.decode(scope, after)[0]))
        reference = None if account is None else account_of(context, account)
        found = await context.node.contracts.page(caller, start, size + 1, reference)
        shown = [(cursors.encode(scope, encode_url(known.hash)), contract_of(known)) for known in found[:size]]
        return page_of(shown, more=len(found) > size, after=after)  # type: ignore[no-any-return]

    @guarded_field(permission=Permission.CONTRACTS_READ, description="One contract; null: the caller has no such.")
    async def contract(self, info: Info, hash: Hash) -> Contract | None:
        """One contract."""
        try:
            return contract_of(await info.context.node.contracts.seen(_caller(info.context), bytes(hash)))
        except NotFound:
            return None

    @guarded_field(permission=Permission.CONTRACTS_READ, description="What a contract did, in the order of the log.")
    async def contract_history(
        self, info: Info, hash: Hash, first: First, after: After = None
    ) -> Connection[ContractEffect]:
        """What a contract did."""
        context, size, caller = info.context, page_size(first), _caller(info.context)
        cursors, scope = context.services.cursors, f"contractHistory/{bytes(hash).hex()}"
        start = (-1, -1)
        if after is not None:
            index, position = cursors.decode(scope, after)
            start = int(index), int(position)
        found = await context.node.contracts.history(caller, bytes(hash), start, size + 1)
        shown = [
            (cursors.encode(scope, past.row.idx, past.row.position), effect)
            for past in found[:size] if (effect := effect_of(past)) is not None
        ]  # fmt: skip
        return page_of(shown, more=len(found) > size, after=after)  # type: ignore[no-any-return]

    @guarded_field(
        permission=Permission.CONTRACTS_READ,
        description="What a document is and what it would do on sample events: those in it, else an ordinary loan's.",
    )
    async def contract_simulate(
        self,
        info: Info,
        document: Annotated[
            str, strawberry.argument(description="The document as JSON or TOML, with or without samples.")
        ],
    ) -> Simulation:
        """What a document would do."""
        source = read_source(document.encode())
        examined = examine(source.document)
        steps = () if examined.contract is None else simulate(
            examined.contract, source.samples or ordinary_life(source.document)
        )  # fmt: skip
        return Simulation(
            hash=Base64(contract_hash(source.document)), document=canonical_bytes(source.document).decode(),
            faults=[ContractFault(code=one.code, path=one.path, message=one.message) for one in examined.faults],
            notes=list(examined.notes),
            steps=[
                SimulatedStep(day=Date(step.sample.day), says=step.sample.say, trigger=step.sample.on,
                              does=list(step.does)) for step in steps
            ],
        )  # fmt: skip


def _caller(context: Context) -> Caller:
    """A borrower when the token names one, else the lender."""
    principal = context.principal
    if principal is not None and principal.subject is not None:
        return Caller(subject=principal.subject)
    return Caller(tenant=context.tenant)


def _request(context: Context, key: str, operation: str, content: dict[str, Any]) -> Request:
    request = request_of(TenantId(context.tenant), key, f"contract/{operation}", content)
    owner = _caller(context).subject
    # Borrowers share a tenant: each has keys of their own.
    return request if owner is None else replace(request, key=f"{owner.hex()}/{request.key}")


async def _step(
    payload: type[Any], context: Context, step: StepName, asked: ContractStepInput, effect: bytes | None = None
) -> Any:
    async def act() -> Any:
        content = {
            "contract": bytes(asked.contract).hex(), "effect": None if effect is None else effect.hex(),
            "reason": asked.reason, "signature": asked.signature and strawberry.asdict(asked.signature),
        }  # fmt: skip
        request = _request(context, asked.idempotency_key, step, content)
        known = await context.node.contracts.step(
            _caller(context), bytes(asked.contract), step, request, reason=asked.reason, effect=effect,
            own=own_signature(asked.signature),
        )  # fmt: skip
        return payload(contract=contract_of(known))

    return await answered(payload, act())
