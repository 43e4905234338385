"""Contracts on a real ledger: effects with their cause, once, visible to the parties, and the same again in a replay."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger.attestation.batch import verify_statement
from ledger.attestation.contract_kinds import Cause, Declaration, Effect
from ledger.attestation.credit_kinds import Disbursement, Repayment, Schedule, ScheduleRow
from ledger.attestation.envelope import Attestation
from ledger.attestation.keys import KeyHistory, PublicKey
from ledger.contract import check, library
from ledger.contract.document import Document, Parties
from ledger.contract.replay import Replayed
from ledger.errors import Conflict, InvalidInput, NotFound, Refused, TallystickError
from ledger.log.merkle import verify_inclusion
from ledger.node import projection
from ledger.node.alert_desk import AlertDesk
from ledger.node.clock import Sources
from ledger.node.contracts import Caller
from ledger.node.drafts import Draft
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.replaying import replay
from ledger.types import AccountRef, Subject, TenantId, UnixMillis
from tests.support.checks import asking, change, ensure_sound, rows_of
from tests.support.ledgers import KEYRING, ORIGIN, SOURCES, Lender, TestDatabase, running_node

TODAY = date.fromtimestamp(SOURCES.now() / 1000)  # noqa: DTZ012
DAY = timedelta(days=1)
LAST = UUID(int=2**128 - 1)
EFFECTS = "SELECT count(*) FROM contract_effect"


class Clock:
    """The node's clock: real time and some days."""

    def __init__(self) -> None:
        self.days = 0

    def now(self) -> UnixMillis:
        return UnixMillis(SOURCES.now() + self.days * 24 * 3600 * 1000)

    @property
    def today(self) -> date:
        return TODAY + self.days * DAY


class World:
    """One lender, one borrower, one loan of four instalments that fall due every thirty days."""

    def __init__(self, node: Node, clock: Clock, lender: Lender) -> None:
        self.node, self.clock, self.lender = node, clock, lender
        self.subject, self.account = os.urandom(32), os.urandom(32)
        self.by_lender = Caller(tenant=lender.name)
        self.by_borrower = Caller(subject=Subject(self.subject))
        self.guarantor = os.urandom(32)
        self.by_guarantor = Caller(subject=Subject(self.guarantor))

    def where(self, **fields: Any) -> dict[str, Any]:
        return {"account": self.account, "subject": self.subject, "effective_date": self.clock.today} | fields

    async def publish(self, *attestations: Attestation, node: Node | None = None) -> None:
        batch = self.lender.batch(attestations, at=self.clock.now())
        await (node or self.node).publisher.publish(self.lender.name, *batch)

    async def lend(self) -> None:
        rows = tuple(ScheduleRow(due=TODAY + n * 30 * DAY, n=n, principal=25_000) for n in range(1, 5))
        await self.publish(
            self.lender.new_loan(100_000, **self.where())[0],
            self.lender.attest("disbursement", Disbursement(amount=100_000, currency="KES", tranche=1), **self.where()),
            self.lender.attest("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1), **self.where()),
        )  # fmt: skip

    async def repay(self, amount: int, node: Node | None = None) -> None:
        loan = self.lender.new_loan(1, account=self.account, subject=self.subject)
        await self.publish(self.lender.repayment(loan, amount, effective_date=self.clock.today), node=node)

    def document(self, name: str, **terms: int) -> Document:
        sample = library.load(name).document
        guarantor = None if sample.parties.guarantor is None else self.guarantor
        parties = Parties(borrower=self.subject, guarantor=guarantor, lender=self.lender.name)
        return library.agree(
            sample, parties=parties, account=self.account, currency="KES",
            expires=TODAY + 900 * DAY, terms=terms,
        )  # fmt: skip

    async def agree(self, name: str, **terms: int) -> bytes:
        """A contract of the library, signed by all its parties; gives its hash."""
        document = self.document(name, **terms)
        known = await self.node.contracts.propose(self.lender.name, document, asking(self.lender.name))
        signers = [(self.by_lender, self.lender.name), (self.by_borrower, DEPLOYMENT), (self.by_guarantor, DEPLOYMENT)]
        for caller, who in signers[: len(document.parties.roles())]:
            known = await self.node.contracts.step(caller, known.hash, "signed", asking(who))
        assert known.memory.state == "in_force"
        return known.hash

    async def days(self, count: int) -> None:
        """Let days pass, each with its tick."""
        for _ in range(count):
            self.clock.days += 1
            await self.node.ticker.begin(self.clock.today)

    async def did(self, contract: bytes) -> list[str]:
        """What a contract did, as effect names."""
        past = await self.node.contracts.history(self.by_lender, contract, (-1, -1), 100)
        return [each.body.effect for each in past if each.body is not None]

    async def loan(self) -> Any:
        return await self.node.reader.lender_loan(self.lender.name, AccountRef(self.account), as_of=self.clock.today)


@pytest.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    clock = Clock()
    async with running_node(database, sources=Sources(now=clock.now)) as node:
        found = World(node, clock, await Lender("acacia").enrol(node))
        await found.lend()
        yield found


async def replayed(database: TestDatabase, **options: Any) -> Replayed:
    return await replay(database.audit_dsn, KEYRING, origin=ORIGIN, **options)


async def test_a_late_fee_lands_on_the_loan_with_its_cause_and_a_replay_gives_it_again(
    world: World, database: TestDatabase
) -> None:
    contract = await world.agree("late-fee")
    await world.days(33)
    assert await world.did(contract) == []
    before = (await world.loan()).balance
    await world.days(1)
    assert await world.did(contract) == ["penalty.apply"]
    assert (await world.loan()).balance == before + 25_000 * 500 // 10_000
    await world.days(2)
    assert await world.did(contract) == ["penalty.apply"]
    (past,) = await world.node.contracts.history(world.by_borrower, contract, (-1, -1), 10)
    assert past.body is not None
    assert (past.body.arguments, past.body.lender, past.body.n) == ({"amount": 1_250, "code": "late"}, "acacia", 0)
    (place,) = await rows_of(
        database, "SELECT e.tenant, a.position FROM entry e JOIN attestation a USING (log_id, tenant, batch_id)"
        " WHERE e.idx = $1 AND a.commitment = $2", past.body.cause.index, past.body.cause.commitment,
    )  # fmt: skip
    assert place == (DEPLOYMENT, past.body.cause.position)
    found = await replayed(database)
    assert (found.contracts, found.effects, found.faults) == (1, 1, ())
    await ensure_sound(database)


async def test_a_payment_that_clears_the_loan_closes_it_in_the_same_transaction(
    world: World, database: TestDatabase
) -> None:
    contract = await world.agree("payment-closure")
    entries = await rows_of(database, "SELECT count(*) FROM entry")
    await world.repay(100_000)
    assert await rows_of(database, "SELECT count(*) FROM entry") == [(entries[0][0] + 3,)]
    assert "attestation.emit" in await world.did(contract)
    assert (await world.loan()).stage == "paid"
    assert (await replayed(database)).faults == ()
    await ensure_sound(database)


async def test_nothing_fires_before_both_signed_or_after_both_ended_it(world: World) -> None:
    document = world.document("late-fee")
    known = await world.node.contracts.propose(world.lender.name, document, asking(world.lender.name))
    await world.node.contracts.step(world.by_lender, known.hash, "signed", asking(world.lender.name))
    await world.days(40)
    assert await world.did(known.hash) == []
    await world.node.contracts.step(world.by_borrower, known.hash, "signed", asking(DEPLOYMENT))
    await world.days(1)
    assert await world.did(known.hash) == ["penalty.apply"]
    for caller in (world.by_lender, world.by_borrower):
        known = await world.node.contracts.step(caller, known.hash, "terminated", asking(world.lender.name))
    assert known.memory.state == "terminated"
    await world.days(40)
    assert await world.did(known.hash) == ["penalty.apply"]


async def test_a_proposal_lands_when_it_is_accepted(world: World, database: TestDatabase) -> None:
    contract = await world.agree("payment-closure", discount=2_000)
    await world.days(2)
    await world.repay(75_000)
    known = await world.node.contracts.seen(world.by_borrower, contract)
    (proposal,) = known.memory.proposals
    assert (proposal.effect, proposal.needs) == ("discount.apply", ("lender",))
    with pytest.raises(Refused, match="proposal"):
        await world.node.contracts.step(
            world.by_borrower, contract, "accepted", asking(DEPLOYMENT), effect=proposal.id
        )  # fmt: skip
    await world.node.contracts.step(
        world.by_lender, contract, "accepted", asking(world.lender.name), effect=proposal.id
    )  # fmt: skip
    assert await world.did(contract) == ["proposal.open", "discount.apply"]
    assert (await world.loan()).balance == 23_000
    assert (await replayed(database)).faults == ()


async def test_a_proposal_that_lapsed_is_not_answered(world: World) -> None:
    contract = await world.agree("payment-closure", discount=2_000)
    await world.days(2)
    await world.repay(75_000)
    known = await world.node.contracts.seen(world.by_lender, contract)
    assert known.proposals == known.memory.proposals != ()
    await world.days(31)
    for seen in (await world.node.contracts.seen(world.by_lender, contract),
                 *await world.node.contracts.page(world.by_borrower, b"", 10)):  # fmt: skip
        assert (seen.proposals, seen.memory.proposals) == ((), known.memory.proposals)
    with pytest.raises(Refused) as late:
        await world.node.contracts.step(
            world.by_lender, contract, "accepted", asking(world.lender.name), effect=known.memory.proposals[0].id
        )  # fmt: skip
    assert late.value.code == "proposal_not_open"
    assert await world.did(contract) == ["proposal.open"]


async def test_a_contracts_alert_stands_in_its_lenders_list_with_the_effect_as_its_cause(
    world: World, database: TestDatabase
) -> None:
    contract = await world.agree("restructuring-offer")
    await world.days(37)
    desk = AlertDesk(world.node)
    (seen,) = await desk.of_lender(world.lender.name, before=LAST, limit=10)
    alert = seen.alert
    assert (alert.rule, alert.reasons, alert.severity, alert.rules) == ("contract", ("STRESS",), 3, contract)
    assert (alert.account, alert.episode, seen.state) == (world.account, 1, "open")
    past = await world.node.contracts.history(world.by_lender, contract, (-1, -1), 10)
    assert [each.body.effect for each in past if each.body is not None] == ["alert.raise", "proposal.open"]
    (cause,) = await desk.causes(world.lender.name, seen)
    assert cause.cause.commitment == past[0].attestation.commitment
    assert (cause.cause.index, cause.cause.position) == (past[0].row.idx, past[0].row.position)
    assert (cause.kind, cause.data, cause.lender) == ("effect", past[0].data, "tallystick")
    operator = KEYRING.operator_key()
    key = PublicKey(operator.kid, operator.alg, operator.raw, UnixMillis(0))
    batch, _ = verify_statement(cause.statement, KeyHistory([key]), now=None)
    verify_inclusion(
        index=cause.cause.position, size=batch.count, leaf=cause.cause.commitment, path=b"".join(cause.path),
        root=batch.root,
    )  # fmt: skip
    (shut,) = await desk.causes(TenantId("baobab"), seen)
    assert (shut.kind, shut.data, shut.cause) == (None, None, cause.cause)  # the contract is none of theirs
    await world.repay(25_000)
    await world.days(30)
    assert [one.alert.episode for one in await desk.of_lender(world.lender.name, before=LAST, limit=10)] == [2, 1]
    found = await replayed(database)
    assert (found.effects, found.faults) == (3, ())
    await ensure_sound(database)


async def test_events_that_are_too_much_for_one_batch_land_in_several(
    world: World, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await world.agree("rate-step-down", every=1, floor_ppm=-9_000)
    one = world.account, world.subject
    world.account, world.subject = os.urandom(32), os.urandom(32)
    world.by_borrower = Caller(subject=Subject(world.subject))
    await world.lend()
    second = await world.agree("rate-step-down", every=1, floor_ppm=-9_000)
    other = world.account, world.subject
    monkeypatch.setattr(projection, "REPLAY_STEPS_MAX", 6)  # one loan's chain is five attestations by then
    await world.publish(*[
        world.lender.attest("repayment", Repayment(amount=25_000, channel="mobile", currency="KES"),
                            **world.where(account=account, subject=subject))
        for account, subject in (one, other)
    ])  # fmt: skip
    assert (await world.did(first), await world.did(second)) == (["terms.change"], ["terms.change"])
    restructured = "SELECT count(*) FROM attestation WHERE kind = 'restructure'"
    assert await rows_of(database, restructured) == [(2,)]
    assert (await replayed(database)).faults == ()
    await ensure_sound(database)


async def test_a_declared_disaster_pauses_the_loan(world: World) -> None:
    contract = await world.agree("disaster-grace")
    rule = world.document("disaster-grace")
    region = str(rule.terms.get("region", "KE-30"))
    world.clock.days += 1
    declared = (Declaration(days=30, document=os.urandom(32), region=region),)
    await world.node.ticker.begin(world.clock.today, declared)
    assert "attestation.emit" in await world.did(contract)
    assert "paused" in ((await world.loan()).flags or ())


async def test_the_same_request_again_is_the_same_step(world: World) -> None:
    request = asking(world.lender.name)
    document = world.document("late-fee")
    first = await world.node.contracts.propose(world.lender.name, document, request)
    assert await world.node.contracts.propose(world.lender.name, document, request) == first
    with pytest.raises(Conflict, match="proposed before"):
        await world.node.contracts.propose(world.lender.name, document, asking(world.lender.name))


async def test_what_does_not_fit_is_refused_by_code(world: World) -> None:
    with pytest.raises(InvalidInput) as wrong:
        await world.node.contracts.propose(
            world.lender.name,
            library.agree(
                library.load("late-fee").document, parties=Parties(borrower=os.urandom(32), lender=world.lender.name),
                account=world.account, currency="KES", expires=TODAY + DAY,
            ), asking(world.lender.name),
        )  # fmt: skip
    assert wrong.value.code == "contract_mismatch"
    dollars = msgspec.structs.replace(world.document("late-fee"), currency="USD")
    with pytest.raises(InvalidInput) as foreign:
        await world.node.contracts.propose(world.lender.name, dollars, asking(world.lender.name))
    assert (foreign.value.code, foreign.value.path, foreign.value.expected) == (
        "contract_mismatch",
        "$.currency",
        "KES",
    )
    contract = await world.agree("late-fee")
    with pytest.raises(Refused) as again:
        await world.node.contracts.step(world.by_lender, contract, "signed", asking(world.lender.name))
    assert again.value.code == "contract_step_refused"


async def test_a_contract_is_seen_by_its_parties_alone(world: World) -> None:
    contract = await world.agree("late-fee")
    other = await Lender("baobab").enrol(world.node)
    for stranger in (Caller(tenant=other.name), Caller(subject=Subject(os.urandom(32)))):
        with pytest.raises(NotFound):
            await world.node.contracts.seen(stranger, contract)
        assert await world.node.contracts.page(stranger, b"", 10) == []
    assert len(await world.node.contracts.page(world.by_borrower, b"", 10)) == 1


async def test_a_guarantor_signs_sees_and_answers_a_contract_that_calls_them(
    world: World, database: TestDatabase
) -> None:
    document = world.document("guarantor-call", warn_days=2, call_days=4, answer_days=3)
    contracts = world.node.contracts
    known = await contracts.propose(world.lender.name, document, asking(world.lender.name))
    contract = known.hash
    for caller, who in ((world.by_lender, world.lender.name), (world.by_borrower, DEPLOYMENT)):
        known = await contracts.step(caller, contract, "signed", asking(who))
    assert (known.memory.state, known.memory.signed) == ("proposed", ("lender", "borrower"))
    known = await contracts.step(world.by_guarantor, contract, "signed", asking(DEPLOYMENT))
    assert (known.memory.state, known.memory.signed) == ("in_force", ("lender", "borrower", "guarantor"))
    assert [one.hash for one in await contracts.page(world.by_guarantor, b"", 10)] == [contract]
    await world.days(34)
    past = await contracts.history(world.by_guarantor, contract, (-1, -1), 10)
    assert [(one.body.effect, one.body.arguments["to"]) for one in past if one.body is not None] == [
        ("alert.raise", "guarantor"), ("proposal.open", "guarantor"),
    ]  # fmt: skip
    (proposal,) = (await contracts.seen(world.by_guarantor, contract)).proposals
    for caller in (world.by_lender, world.by_borrower):
        with pytest.raises(Refused) as others:
            await contracts.step(caller, contract, "accepted", asking(DEPLOYMENT), effect=proposal.id)
        assert others.value.code == "proposal_not_open"
    known = await contracts.step(world.by_guarantor, contract, "accepted", asking(DEPLOYMENT), effect=proposal.id)
    assert known.proposals == ()
    stranger = Caller(subject=Subject(os.urandom(32)))
    for each in (stranger, Caller(tenant=(await Lender("baobab").enrol(world.node)).name)):
        with pytest.raises(NotFound):
            await contracts.seen(each, contract)
        with pytest.raises(NotFound):
            await contracts.history(each, contract, (-1, -1), 10)
        with pytest.raises(NotFound):
            await contracts.step(each, contract, "terminated", asking(DEPLOYMENT))
        assert await contracts.page(each, b"", 10) == []
    found = await replayed(database)
    assert (found.contracts, found.effects, found.faults) == (1, 3, ())
    await ensure_sound(database)


async def test_a_guarantor_alone_cannot_end_a_contract_or_sign_for_the_borrower(world: World) -> None:
    contract = await world.agree("guarantor-call")
    known = await world.node.contracts.step(world.by_guarantor, contract, "terminated", asking(DEPLOYMENT))
    assert known.memory.state == "in_force"
    with pytest.raises(Refused) as again:
        await world.node.contracts.step(world.by_guarantor, contract, "signed", asking(DEPLOYMENT))
    assert again.value.code == "contract_step_refused"


async def test_erasing_a_guarantor_leaves_the_borrowers_contract(world: World, database: TestDatabase) -> None:
    contract = await world.agree("guarantor-call", warn_days=2, call_days=4)
    await world.publish(*world.lender.new_loan(1_000, account=os.urandom(32), subject=world.guarantor))
    await world.days(33)
    await world.node.authority.erase(Subject(world.guarantor), "GDPR 17")
    assert await world.did(contract) == ["alert.raise"]
    await world.days(2)
    assert await world.did(contract) == ["alert.raise", "proposal.open"]
    assert len(await world.node.contracts.page(world.by_borrower, b"", 10)) == 1
    assert (await replayed(database)).faults == ()
    await ensure_sound(database)


async def test_a_contract_of_another_engine_does_nothing_and_stops_nothing(
    world: World, database: TestDatabase, upgrade: Callable[[], None]
) -> None:
    contract = await world.agree("late-fee")
    await world.days(34)
    assert await world.did(contract) == ["penalty.apply"]
    document = world.document("payment-closure")
    known = await world.node.contracts.propose(world.lender.name, document, asking(world.lender.name))
    upgrade()
    await world.repay(10_000)
    await world.days(40)
    assert await world.did(contract) == ["penalty.apply"]
    with pytest.raises(InvalidInput, match="engine_unknown"):
        await world.node.contracts.step(world.by_lender, known.hash, "signed", asking(world.lender.name))
    with pytest.raises(InvalidInput, match="engine_unknown"):
        await world.node.contracts.propose(
            world.lender.name, world.document("rate-step-down"), asking(world.lender.name)
        )  # fmt: skip
    await world.node.contracts.step(world.by_lender, known.hash, "withdrawn", asking(world.lender.name))
    found = await replayed(database)
    assert (found.contracts, found.effects, found.untold, found.faults) == (2, 0, 1, ())
    report = await ensure_sound(database)
    assert report.checked["unexecuted"] == report.checked["contracts"] == 2
    for caller in (world.by_lender, world.by_borrower):
        ended = await world.node.contracts.step(caller, contract, "terminated", asking(world.lender.name))
    assert ended.memory.state == "terminated"
    await ensure_sound(database)


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Makes this version one of another engine than that of the contracts so far."""

    def forget() -> None:
        check.compiled.cache_clear()
        check.executable.cache_clear()

    def run() -> None:
        monkeypatch.setattr(check, "ENGINE", "cel-expr-python/0.2.0")
        forget()

    yield run
    monkeypatch.undo()
    forget()


async def test_a_lender_cannot_publish_effects_itself(world: World) -> None:
    contract = await world.agree("late-fee")
    effect = forged(world, contract)
    forgery = world.lender.attest("effect", effect, account=None, subject=world.subject, effective_date=TODAY)
    with pytest.raises(Refused) as refused:
        await world.publish(forgery)
    assert refused.value.code == "kind_reserved"


async def test_a_replay_names_an_effect_that_is_missing_and_one_that_was_not_due(
    world: World, database: TestDatabase
) -> None:
    contract = await world.agree("late-fee")
    await world.days(35)
    effect = forged(world, contract)
    draft = Draft(
        kind="effect", body=effect, effective_date=TODAY, jurisdiction="KE", subject=world.subject, role="borrower"
    )
    await world.node.publisher.publish_own(DEPLOYMENT, world.node.authority.operator, [draft])
    found = await replayed(database)
    assert [(fault.code, fault.effect) for fault in found.faults] == [("effect_extra", effect.id)]
    await change(database, "DELETE FROM attestation WHERE kind = 'effect'")
    found = await replayed(database)
    assert [(fault.code, fault.rule) for fault in found.faults] == [("effect_missing", "late-fee")]
    assert (await replayed(database, first=0, last=3)).faults == ()


async def test_a_day_begins_once_in_order_and_not_ahead(world: World) -> None:
    await world.days(1)
    with pytest.raises(Refused) as again:
        await world.node.ticker.begin(world.clock.today)
    with pytest.raises(Refused) as ahead:
        await world.node.ticker.begin(world.clock.today + DAY)
    assert (again.value.code, ahead.value.code) == ("day_began", "day_ahead")
    world.clock.days += 3
    assert await world.node.ticker.catch_up() == [TODAY + n * DAY for n in (2, 3, 4)]
    assert await world.node.ticker.catch_up() == []


async def test_two_processes_have_each_effect_once(world: World, database: TestDatabase) -> None:
    contract = await world.agree("late-fee")
    await world.days(33)
    world.clock.days += 1
    async with running_node(database, sources=Sources(now=world.clock.now)) as other:
        outcomes = []
        for node in (world.node, other):
            try:
                await node.ticker.begin(world.clock.today)
                outcomes.append("began")
            except TallystickError as error:
                outcomes.append(error.code)
        assert outcomes == ["began", "day_began"]
        await world.repay(5_000, node=other)
        await world.repay(5_000)
    assert await world.did(contract) == ["penalty.apply"]
    assert await rows_of(database, EFFECTS) == [(1,)]
    assert (await replayed(database)).faults == ()
    await ensure_sound(database)


async def test_erasure_takes_a_borrowers_contracts_along(world: World, database: TestDatabase) -> None:
    contract = await world.agree("late-fee")
    await world.days(35)
    await world.node.authority.erase(Subject(world.subject), "GDPR 17")
    with pytest.raises(NotFound):
        await world.node.contracts.seen(world.by_lender, contract)
    await world.days(1)
    assert await rows_of(database, EFFECTS) == [(0,)]
    assert (await replayed(database)).faults == ()


def forged(world: World, contract: bytes) -> Effect:
    """An effect that nothing made due."""
    cause = Cause(batch=SOURCES.new_id(), commitment=os.urandom(32), index=1, position=0)
    return Effect(
        account=world.account, arguments={"amount": 1, "code": "late"}, cause=cause, contract=contract,
        effect="penalty.apply", engine="cel-expr-python/0.1.3", id=os.urandom(32), inputs=os.urandom(32),
        lender=world.lender.name, n=0, rule="late-fee",
    )  # fmt: skip


async def test_of_two_that_begin_a_day_at_once_one_is_told_that_it_began(world: World) -> None:
    world.clock.days += 1
    outcomes = await asyncio.gather(
        *(world.node.ticker.begin(world.clock.today) for _ in range(3)), return_exceptions=True
    )
    refused = [each.code for each in outcomes if isinstance(each, TallystickError)]
    assert (len([each for each in outcomes if isinstance(each, int)]), refused) == (1, ["day_began", "day_began"])
