"""What a contract looks like to its parties, and the inputs by which they take their steps."""

from __future__ import annotations

from datetime import date
from typing import Any

import strawberry

from api.auth.permissions import Permission
from api.graphql.connections import Node
from api.graphql.consent_types import OwnSignatureInput
from api.graphql.context import Info
from api.graphql.fields import guarded_type, open_type
from api.graphql.payloads import IDEMPOTENCY
from api.graphql.scalars import UUID, Base64, Date, encode_global_id
from api.graphql.tenants import Tenant, find_tenant
from ledger.attestation.contract_kinds import Effect
from ledger.base64_strict import encode_url
from ledger.contract.document import Document, Item, Rule
from ledger.contract.memory import Proposal, Step, Wait
from ledger.node.contracts import KnownContract, PastEffect


@open_type(description="A name with its value, as text.")
class NamedValue:
    """A name with its value."""

    name: str = strawberry.field(description="The name.")
    value: str = strawberry.field(description="The value; a number in decimal digits.")


@open_type(description="One rule of a contract: its prose, and what it executes.")
class ContractRule:
    """One rule."""

    id: str = strawberry.field(description="Its name inside the contract.")
    prose: str = strawberry.field(description="What the parties read.")
    on: list[str] = strawberry.field(description="What makes the ledger look at it.")
    condition: str = strawberry.field(description="When it fires: an expression in CEL.")
    effects: list[str] = strawberry.field(description="What it does, one line each.")
    once: str = strawberry.field(description="How often: per-loan, per-instalment, per-day or per-event.")
    otherwise: list[str] = strawberry.field(description="What it does when a consent that it waits for does not come.")


@open_type(description="An effect that waits for signatures, or an offer.")
class ContractProposal:
    """An effect that waits for signatures, or an offer."""

    id: Base64 = strawberry.field(description="Its id: name it when you answer. 32 bytes.")
    rule: str = strawberry.field(description="The rule that opened it.")
    effect: str | None = strawberry.field(description="What happens when all have accepted; null for an offer.")
    arguments: list[NamedValue] = strawberry.field(description="With which values.")
    needs: list[str] = strawberry.field(description="Who must accept.")
    accepted: list[str] = strawberry.field(description="Who has.")
    until: Date = strawberry.field(description="The last day on which it can be accepted.")


@open_type(description="A rule that waits until the borrower consents.")
class ContractWait:
    """A rule that waits until the borrower consents."""

    id: Base64 = strawberry.field(description="The id of the effect that asked, 32 bytes.")
    rule: str = strawberry.field(description="The rule that waits.")
    purpose: str = strawberry.field(description="The code of the purpose for which the lender needs a consent.")
    until: Date = strawberry.field(description="The last day on which a consent lets it go on.")
    then: list[str] = strawberry.field(description="What is done when the consent stands, one line each.")
    otherwise: list[str] = strawberry.field(description="What is done after the last day instead, one line each.")


@open_type(description="Something that a contract did: recorded in the same transaction as its cause.")
class ContractEffect:
    """Something that a contract did."""

    id: Base64 = strawberry.field(description="SHA-256 of contract, rule, leaf hash of the cause and number. 32 bytes.")
    rule: str = strawberry.field(description="The rule that fired.")
    effect: str = strawberry.field(description="What was done; rule.failed when the rule could not be evaluated.")
    arguments: list[NamedValue] = strawberry.field(description="With which values.")
    cause_index: int = strawberry.field(description="Log index of the batch that holds the cause.")
    cause_batch: UUID = strawberry.field(description="The batch that holds the cause.")
    cause_position: int = strawberry.field(description="The cause's place in it.")
    inputs: Base64 = strawberry.field(description="SHA-256 of every value that the rule could see. 32 bytes.")
    index: int = strawberry.field(description="Log index of the batch that holds the record of this effect.")
    batch: UUID = strawberry.field(description="That batch.")
    position: int = strawberry.field(description="The record's place in it.")
    commitment: Base64 = strawberry.field(description="The record's commitment: its leaf in the batch. 32 bytes.")
    path: list[Base64] = strawberry.field(description="From the commitment to the batch's root, lowest first.")
    data: str = strawberry.field(description="The record itself: canonical JSON, of which the commitment is the leaf.")


@guarded_type(permission=Permission.CONTRACTS_READ, description="A contract on a loan, as its parties see it.")
class Contract(Node):
    """A contract on a loan."""

    hash: Base64 = strawberry.field(description="SHA-256 of the canonical document: what everybody signs. 32 bytes.")
    title: str = strawberry.field(description="Its title.")
    summary: str | None = strawberry.field(description="What it is about, in a few sentences.")
    state: str = strawberry.field(description="proposed, in_force, withdrawn or terminated.")
    account: Base64 = strawberry.field(description="The account it is about, 32 bytes.")
    currency: str = strawberry.field(description="ISO 4217 code of its amounts.")
    signed_by: list[str] = strawberry.field(description="Which parties have signed.")
    parties: list[str] = strawberry.field(description="Which parties must sign.")
    in_force_since: Date | None = strawberry.field(description="When the last of them signed.")
    expires: Date = strawberry.field(description="The first day on which nothing fires any more.")
    document: str = strawberry.field(description="The canonical document itself (RFC 8785).")
    rules: list[ContractRule] = strawberry.field(description="Its rules, in the order in which they are tried.")
    proposals: list[ContractProposal] = strawberry.field(description="What waits for an answer.")
    waits: list[ContractWait] = strawberry.field(description="Rules that wait for a consent of the borrower's.")
    lender_name: strawberry.Private[str]

    @strawberry.field(description="The lender.")
    async def lender(self, info: Info) -> Tenant:
        """The lender."""
        return await find_tenant(info, self.lender_name)


@strawberry.input(description="A contract to propose.")
class ContractProposeInput:
    """A contract to propose."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    document: str = strawberry.field(
        description="The document as JSON or TOML, in any order and spacing. Samples are left out: no part of it. Its "
        "canonical form has at most 11,000 bytes."
    )


@strawberry.input(description="A step in a contract.")
class ContractStepInput:
    """A step in a contract."""

    idempotency_key: strawberry.ID = strawberry.field(description=IDEMPOTENCY)
    contract: Base64 = strawberry.field(description="The contract's hash, 32 bytes.")
    reason: str | None = strawberry.field(description="Why, as a code; for an ending.", default=None)
    signature: OwnSignatureInput | None = strawberry.field(
        description="The party's own signature over the step; absent: the deployment's for the authenticated party.",
        default=None,
    )


@strawberry.input(description="An answer to a proposal.")
class ContractAnswerInput(ContractStepInput):
    """An answer to a proposal."""

    proposal: Base64 = strawberry.field(description="The proposal's id, 32 bytes.")
    accepts: bool = strawberry.field(description="Whether the caller accepts.")


def contract_of(known: KnownContract) -> Contract:
    """A contract for its parties."""
    document, memory = known.document, known.memory
    return Contract(
        id=strawberry.ID(encode_global_id("Contract", encode_url(known.hash))), hash=Base64(known.hash),
        title=document.title, summary=document.summary, state=memory.state, account=Base64(document.account),
        currency=document.currency, signed_by=list(memory.signed), parties=list(document.parties.roles()),
        in_force_since=Date(date.fromordinal(memory.began)) if memory.began else None, expires=Date(document.expires),
        document=known.row.document.decode(), rules=[_rule(rule) for rule in document.rules],
        proposals=[_proposal(one) for one in known.proposals],
        waits=[_wait(document, one) for one in known.waits], lender_name=document.parties.lender,
    )  # fmt: skip


def effect_of(past: PastEffect) -> ContractEffect | None:
    """An effect for the contract's parties; None when it was erased."""
    body, stored = past.body, past.attestation
    if not isinstance(body, Effect):
        return None
    path = [Base64(stored.path[at : at + 32]) for at in range(0, len(stored.path), 32)]
    return ContractEffect(
        id=Base64(body.id), rule=body.rule, effect=body.effect, arguments=named(body.arguments),
        cause_index=body.cause.index, cause_batch=UUID(str(body.cause.batch)), cause_position=body.cause.position,
        inputs=Base64(body.inputs), index=past.row.idx, batch=UUID(str(past.row.batch_id)),
        position=past.row.position, commitment=Base64(stored.commitment), path=path, data=past.data.decode(),
    )  # fmt: skip


def named(values: dict[str, Any]) -> list[NamedValue]:
    """Values by name, in the names' order."""
    return [NamedValue(name=name, value=str(values[name])) for name in sorted(values)]


def _rule(rule: Rule) -> ContractRule:
    return ContractRule(
        id=rule.id, prose=rule.prose, on=list(rule.on), condition=rule.when, effects=[_line(one) for one in rule.do],
        once=rule.once, otherwise=[_line(one) for one in rule.otherwise],
    )  # fmt: skip


def _line(item: Item) -> str:
    """An effect and its arguments, in the order of their names."""
    return " ".join([str(item["effect"]), *(f"{name}={item[name]}" for name in sorted(item) if name != "effect")])


def _wait(document: Document, one: Wait) -> ContractWait:
    rule = next(rule for rule in document.rules if rule.id == one.rule)

    def lines(items: tuple[Item, ...], steps: tuple[Step, ...]) -> list[str]:
        return [_line({"effect": items[number]["effect"], **arguments}) for number, arguments in steps]

    return ContractWait(
        id=Base64(one.id), rule=one.rule, purpose=one.code, until=Date(date.fromordinal(one.until)),
        then=lines(rule.do, one.then), otherwise=lines(rule.otherwise, one.otherwise),
    )  # fmt: skip


def _proposal(one: Proposal) -> ContractProposal:
    return ContractProposal(
        id=Base64(one.id), rule=one.rule, effect=one.effect or None, arguments=named(one.arguments),
        needs=list(one.needs), accepted=list(one.accepted), until=Date(date.fromordinal(one.until)),
    )  # fmt: skip
