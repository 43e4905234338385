"""Contracts that wait for a consent, and offers that are accepted, on a real ledger: in the commit of their cause, and
the same again in a replay."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from ledger.attestation.contract_kinds import Effect
from ledger.attestation.credit_kinds import Schedule, ScheduleRow
from ledger.attestation.sharing_kinds import Purpose
from ledger.contract.document import Document, canonical_bytes, from_values
from ledger.errors import Refused
from ledger.node.clock import Sources
from ledger.node.contracts import PastEffect
from ledger.node.participants import DEPLOYMENT
from ledger.types import Subject
from tests.ledger.node.test_contracts import DAY, TODAY, Clock, World, replayed
from tests.support.checks import CAPTURE, artefact_for, asking, enrol_app, ensure_sound, grant, rows_of
from tests.support.ledgers import Lender, TestDatabase, running_node

PENALTY = {"effect": "penalty.apply", "code": "late", "amount": "loan.overdue / 10"}
ALERT = {"effect": "alert.raise", "code": "NO_CONSENT", "severity": 2, "to": "borrower"}
ASK = {"effect": "consent.require", "code": "103", "days": 5}
STEP = {"effect": "terms.change", "what": "term_days", "by": 30, "code": "x"}


@pytest.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    clock = Clock()
    async with running_node(database, sources=Sources(now=clock.now)) as node:
        found = World(node, clock, await Lender("acacia").enrol(node))
        await found.lend()
        yield found


def waiting(world: World, *rules: dict[str, Any], **members: Any) -> Document:
    """A contract whose rule wants a consent on the day after a missed due date: longer terms with it, else a warning."""
    rule = {
        "id": "eased", "prose": "Easier terms for who lets us look.", "on": ["repayment.missed"], "if": "true",
        "do": [ASK, STEP], "otherwise": [ALERT], "once": "per-loan",
    }  # fmt: skip
    values = json.loads(canonical_bytes(world.document("late-fee")))
    both = ["lender", "borrower"]
    granted = {"alert.raise": ["lender"], "consent.require": both, "penalty.apply": both, "terms.change": both}
    return from_values(values | {"rules": list(rules) or [rule], "authority": granted, "terms": {}} | members)


async def agreed(world: World, document: Document) -> bytes:
    known = await world.node.contracts.propose(world.lender.name, document, asking(world.lender.name))
    for caller, who in ((world.by_lender, world.lender.name), (world.by_borrower, DEPLOYMENT)):
        known = await world.node.contracts.step(caller, known.hash, "signed", asking(who))
    return known.hash


async def consent(world: World, consumer: str = "acacia", code: str = "103", **fields: Any) -> Any:
    """The borrower's consent to a purpose, granted to a consumer."""
    terms = {"purpose": Purpose(category="lending", code=code, text="to help"), "start": world.clock.now() - 1000}
    artefact = artefact_for(world.subject, consumer, **(terms | fields))
    await grant(world.node, artefact)
    return artefact


async def lend_today(world: World) -> None:
    """Another loan, of one instalment due in thirty days."""
    row = ScheduleRow(due=world.clock.today + 30 * DAY, n=1, principal=100_000)
    await world.publish(
        world.lender.new_loan(100_000, **world.where())[0],
        world.lender.attest("schedule", Schedule(cause="initial", currency="KES", rows=(row,), version=1),
                            **world.where()),
    )  # fmt: skip


async def history(world: World, contract: bytes) -> list[PastEffect]:
    return await world.node.contracts.history(world.by_lender, contract, (-1, -1), 100)


async def kind_of(database: TestDatabase, effect: Effect) -> str:
    """The kind of an effect's cause, by its place and its leaf."""
    (found,) = await rows_of(
        database, "SELECT a.kind FROM entry e JOIN attestation a USING (log_id, tenant, batch_id)"
        " WHERE e.idx = $1 AND a.commitment = $2", effect.cause.index, effect.cause.commitment,
    )  # fmt: skip
    return str(found[0])


async def test_a_rule_goes_on_in_the_commit_of_the_consent_that_it_waited_for(
    world: World, database: TestDatabase
) -> None:
    contract = await agreed(world, waiting(world))
    await world.days(31)
    known = await world.node.contracts.seen(world.by_borrower, contract)
    assert [(one.rule, one.code, one.until) for one in known.waits] == [
        ("eased", "103", (TODAY + 36 * DAY).toordinal())
    ]
    assert await world.did(contract) == ["consent.require"]
    await enrol_app(world.node)
    await consent(world, "fintech")  # somebody else's consent
    await consent(world, code="101")  # another purpose
    await world.days(1)
    assert await world.did(contract) == ["consent.require"]
    entries = await rows_of(database, "SELECT count(*) FROM entry")
    await consent(world)
    assert await world.did(contract) == ["consent.require", "consent.met", "terms.change"]
    assert await rows_of(database, "SELECT count(*) FROM entry") == [
        (entries[0][0] + 4,)
    ]  # asked, granted, and two more
    met, changed = [past.body for past in (await history(world, contract))[1:]]
    assert met is not None and changed is not None
    assert (await kind_of(database, met), met.cause, changed.after) == ("consent", changed.cause, met.n)
    assert await rows_of(database, "SELECT count(*) FROM attestation WHERE kind = 'restructure'") == [(1,)]
    assert (await world.node.contracts.seen(world.by_borrower, contract)).waits == ()
    await world.days(8)
    assert len(await world.did(contract)) == 3
    found = await replayed(database)
    assert (found.effects, found.faults) == (3, ())
    await ensure_sound(database)


async def test_without_the_consent_the_first_day_past_the_last_does_otherwise(
    world: World, database: TestDatabase
) -> None:
    contract = await agreed(world, waiting(world))
    await world.days(36)
    assert await world.did(contract) == ["consent.require"]
    await ensure_sound(database)  # a rule that waits is in the row and in the replay
    await world.days(1)
    assert await world.did(contract) == ["consent.require", "consent.lapsed", "alert.raise"]
    lapsed = (await history(world, contract))[1].body
    assert lapsed is not None
    assert await kind_of(database, lapsed) == "tick"
    await consent(world)
    assert len(await world.did(contract)) == 3
    found = await replayed(database)
    assert (found.effects, found.faults) == (3, ())
    await ensure_sound(database)


async def test_a_consent_from_before_the_contract_counts_and_a_revoked_one_does_not(
    world: World, database: TestDatabase
) -> None:
    given = await consent(world)
    contract = await agreed(world, waiting(world))
    await world.days(31)
    assert await world.did(contract) == ["consent.met", "terms.change"]
    world.account = bytes(reversed(world.account))
    await lend_today(world)
    await world.node.consents.decide(
        Subject(world.subject), given.consent, "revoked", asking(DEPLOYMENT), capture=CAPTURE
    )
    again = await agreed(world, waiting(world))
    await world.days(31)
    assert await world.did(again) == ["consent.require"]
    found = await replayed(database)
    assert (found.effects, found.faults) == (3, ())
    await ensure_sound(database)


async def test_a_paused_consent_lets_the_rule_go_on_when_it_is_resumed(world: World, database: TestDatabase) -> None:
    given = await consent(world)
    contract = await agreed(world, waiting(world))

    async def decide(step: str) -> None:
        whose = Subject(world.subject)
        await world.node.consents.decide(whose, given.consent, step, asking(DEPLOYMENT), capture=CAPTURE)

    await decide("paused")
    await world.days(31)
    assert await world.did(contract) == ["consent.require"]
    await decide("resumed")
    assert await world.did(contract) == ["consent.require", "consent.met", "terms.change"]
    assert (await replayed(database)).faults == ()
    await ensure_sound(database)


async def test_a_consent_of_anothers_is_not_heard_and_a_revoked_one_has_its_purpose(
    world: World, database: TestDatabase
) -> None:
    rules = [
        {"id": step, "prose": "It is noticed.", "on": [f"consent.{step}"], "if": "event.code == '103'",
         "do": [ALERT | {"code": step}]} for step in ("granted", "revoked")
    ]  # fmt: skip
    given = await consent(world)
    contract = await agreed(world, waiting(world, *rules))
    await enrol_app(world.node)
    other = await consent(world, "fintech")
    for one in (other, given):
        await world.node.consents.decide(
            Subject(world.subject), one.consent, "revoked", asking(DEPLOYMENT), capture=CAPTURE
        )
    await consent(world)
    codes = [past.body.arguments["code"] for past in await history(world, contract) if past.body is not None]
    assert codes == ["revoked", "granted"]
    assert (await replayed(database)).faults == ()
    await ensure_sound(database)


async def test_an_accepted_offer_restructures_the_loan_in_the_commit_of_the_answer(
    world: World, database: TestDatabase
) -> None:
    contract = await world.agree("restructuring-offer")
    await world.days(36)
    (offer,) = (await world.node.contracts.seen(world.by_borrower, contract)).proposals
    assert (offer.effect, offer.needs, offer.arguments["by"]) == ("", ("borrower",), 90)
    with pytest.raises(Refused) as lender:
        await world.node.contracts.step(
            world.by_lender, contract, "accepted", asking(world.lender.name), effect=offer.id
        )
    assert lender.value.code == "proposal_not_open"
    assert "forborne" not in ((await world.loan()).flags or ())
    await world.node.contracts.step(world.by_borrower, contract, "accepted", asking(DEPLOYMENT), effect=offer.id)
    assert await world.did(contract) == ["alert.raise", "proposal.open", "offer.accepted"]
    accepted = (await history(world, contract))[-1].body
    assert accepted is not None
    assert accepted.arguments == {
        "by": 90, "code": "early-help", "offer": "restructure", "to": "borrower", "what": "term_days",
    }  # fmt: skip
    assert await kind_of(database, accepted) == "contract"
    assert "forborne" in ((await world.loan()).flags or ())
    landed = "SELECT tenant, count(*) FROM attestation WHERE kind = 'restructure' GROUP BY tenant"
    assert await rows_of(database, landed) == [("acacia", 1)]
    with pytest.raises(Refused):
        await world.node.contracts.step(world.by_borrower, contract, "accepted", asking(DEPLOYMENT), effect=offer.id)
    found = await replayed(database)
    assert (found.effects, found.faults) == (3, ())
    await ensure_sound(database)


async def test_a_contract_past_its_last_day_is_not_proposed_signed_or_answered(world: World) -> None:
    until: date = TODAY + 40 * DAY
    document = waiting(world, {
        "id": "fee", "prose": "A fee.", "on": ["repayment.missed"], "if": "true", "do": [PENALTY],
    }, authority={}, expires=until.isoformat())  # fmt: skip
    late = waiting(world, expires=until.isoformat())
    contracts, name = world.node.contracts, world.lender.name
    unsigned = await contracts.propose(name, late, asking(name))
    await contracts.step(world.by_lender, unsigned.hash, "signed", asking(name))
    contract = await agreed(world, document)
    await world.days(31)
    (fee,) = (await contracts.seen(world.by_lender, contract)).proposals
    world.clock.days += (until - world.clock.today).days
    acts = [
        lambda: contracts.propose(
            name, waiting(world, expires=(until - timedelta(1)).isoformat()), asking(name)
        ),
        lambda: contracts.step(world.by_borrower, unsigned.hash, "signed", asking(DEPLOYMENT)),
        lambda: contracts.step(world.by_lender, contract, "accepted", asking(name), effect=fee.id),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(Refused) as refused:
            await act()
        assert (refused.value.code, refused.value.path) == ("contract_expired", "$.expires")
    known = await contracts.step(world.by_lender, unsigned.hash, "withdrawn", asking(name))
    assert known.memory.state == "withdrawn"
    for caller in (world.by_lender, world.by_borrower):
        known = await contracts.step(caller, contract, "terminated", asking(name))
    assert known.memory.state == "terminated"
