"""Early warning on a real ledger: each alert once, over crashes, within consent; erasure takes everything along."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from ledger.attestation.credit_kinds import (
    Collateral,
    Disbursement,
    Enquiry,
    Guarantee,
    Repayment,
    Schedule,
    ScheduleRow,
)
from ledger.attestation.envelope import Attestation, parse
from ledger.attestation.sharing_kinds import Purpose
from ledger.errors import Conflict, TallystickError
from ledger.node import watch_round, watcher
from ledger.node.alert_desk import AlertDesk
from ledger.node.clock import Sources
from ledger.node.node import Node
from ledger.node.publications import Publications
from ledger.node.watcher import Watcher, shipped_rules
from ledger.store.attestation_rows import LAST_ID
from ledger.types import Subject, UnixMillis
from tests.support.checks import CAPTURE, artefact_for, asking, ensure_sound, grant, rows_of
from tests.support.ledgers import SOURCES, Lender, TestDatabase, running_node

BOOK = shipped_rules()
TODAY = date.fromtimestamp(SOURCES.now() / 1000)  # noqa: DTZ012
DAY_MS = 24 * 3600 * 1000
ALERTS = "SELECT tenant, rule, episode FROM risk_alert ORDER BY id"


class Clock:
    """The node's clock: real time and some days."""

    def __init__(self) -> None:
        self.days = 0

    def now(self) -> UnixMillis:
        return UnixMillis(SOURCES.now() + self.days * DAY_MS)


class World:
    """Three lenders, one borrower, a watcher."""

    def __init__(self, node: Node, clock: Clock, lenders: Sequence[Lender]) -> None:
        self.node, self.clock = node, clock
        self.acacia, self.baobab, self.cedar = lenders
        self.subject = os.urandom(32)
        self.watcher = Watcher(node, BOOK)
        self.desk = AlertDesk(node)

    async def publish(self, lender: Lender, *attestations: Attestation) -> None:
        await self.node.publisher.publish(lender.name, *lender.batch(attestations))

    async def lend(self, lender: Lender, subject: bytes | None = None, *, due: Sequence[int] = (30, 60)) -> bytes:
        """A loan of 1,000 an instalment, due so many days from today; gives its account."""
        where = {"account": os.urandom(32), "subject": subject or self.subject, "effective_date": TODAY}
        rows = tuple(
            ScheduleRow(due=TODAY + timedelta(days=days), n=n, principal=1_000) for n, days in enumerate(due, 1)
        )
        agreement = lender.new_loan(1_000 * len(rows), **where)[0]
        await self.publish(
            lender, agreement,
            lender.attest("disbursement", Disbursement(amount=1_000 * len(rows), currency="KES", tranche=1), **where),
            lender.attest("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1), **where),
        )  # fmt: skip
        return where["account"]  # type: ignore[return-value]

    async def bring(self, lender: Lender, *, paid: int, of: int = 4) -> None:
        """A loan that began long ago, with its plan and what was paid on it, told today: in one batch and a later one."""
        began = TODAY - timedelta(days=150)
        due = [began + timedelta(days=30 * n) for n in range(1, of + 1)]
        where = {"account": os.urandom(32), "subject": self.subject, "effective_date": began}
        rows = tuple(ScheduleRow(due=day, n=n, principal=1_000) for n, day in enumerate(due, 1))
        money = [
            lender.attest("repayment", Repayment(amount=1_000, channel="cash", currency="KES"),
                          **{**where, "effective_date": day})
            for day in due[:paid]
        ]  # fmt: skip
        await self.publish(
            lender, lender.new_loan(1_000 * of, **where)[0],
            lender.attest("disbursement", Disbursement(amount=1_000 * of, currency="KES", tranche=1), **where),
            lender.attest("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1), **where),
            *money[:1],
        )  # fmt: skip
        if money[1:]:
            await self.publish(lender, *money[1:])

    async def enquire(self, lender: Lender, times: int = 1) -> None:
        for _ in range(times):
            enquiry = Enquiry(depth="hard", purpose="origination")
            where = {"account": None, "role": None, "subject": self.subject, "effective_date": TODAY}
            await self.publish(lender, lender.attest("enquiry", enquiry, **where))

    async def consent(self, consumer: str = "acacia", **fields: Any) -> None:
        purpose = Purpose(category="lending", code="104", text="to watch over the loan")
        await grant(self.node, artefact_for(self.subject, consumer, purpose=purpose, **fields))

    async def alerts(self) -> list[tuple[str, str]]:
        await self.watcher.catch_up()
        found = []
        for lender in (self.acacia, self.baobab, self.cedar):
            seen = await self.desk.of_lender(lender.name, before=LAST_ID, limit=100)
            found += [(lender.name, each.alert.rule) for each in reversed(seen)]
        return found


@pytest.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    clock = Clock()
    async with running_node(database, sources=Sources(now=clock.now)) as node:
        yield World(node, clock, [await Lender(name).enrol(node) for name in ("acacia", "baobab", "cedar")])
        await ensure_sound(database)  # and everything that was folded is what fsck folds again


async def test_stacking_elsewhere_is_an_alert_on_the_ledger_and_told_once(world: World, database: TestDatabase) -> None:
    account = await world.lend(world.acacia)
    await world.consent()
    await world.enquire(world.baobab, 2)
    assert await world.alerts() == []
    await world.enquire(world.cedar)
    assert await world.alerts() == [("acacia", "stacking_enquiries_7")]
    await world.enquire(world.cedar)
    assert await world.alerts() == [("acacia", "stacking_enquiries_7")]
    (seen,) = await world.desk.of_lender(world.acacia.name, before=LAST_ID, limit=10)
    alert = seen.alert
    assert (alert.reading, alert.baseline, alert.threshold, alert.severity) == (3, 1, 3, 3)
    assert (alert.rules, alert.reasons, alert.causes, alert.unnamed) == (BOOK.digest, ("enquiries_elsewhere",), (), 3)
    assert (seen.row.subject, alert.account, alert.audience, account != b"") == (world.subject, None, "acacia", True)
    await ensure_sound(database)


async def test_without_consent_only_the_lenders_own_signals_are_raised(world: World) -> None:
    await world.lend(world.acacia)
    await world.enquire(world.baobab, 9)
    assert await world.alerts() == []


async def test_the_law_of_its_country_can_let_a_lender_hear_of_counts(world: World) -> None:
    world.watcher = Watcher(world.node, BOOK, law=lambda country: country == "KE")
    await world.lend(world.acacia)
    await world.enquire(world.baobab, 3)
    assert await world.alerts() == [("acacia", "stacking_enquiries_7")]


async def test_a_consent_that_comes_later_is_a_reason_to_look_again(world: World) -> None:
    await world.lend(world.acacia)
    await world.enquire(world.baobab, 3)
    assert await world.alerts() == []
    await world.consent()
    assert await world.alerts() == [("acacia", "stacking_enquiries_7")]


async def test_a_missed_instalment_is_told_to_its_lender_and_to_the_other_that_may_hear(world: World) -> None:
    account = await world.lend(world.baobab, due=(5,))
    await world.lend(world.acacia)
    await world.consent(detail="SUMMARY")
    assert await world.alerts() == []
    world.clock.days = 8
    assert await world.alerts() == []
    world.clock.days = 9
    assert await world.alerts() == [("acacia", "miss_elsewhere"), ("baobab", "first_miss")]
    (seen,) = await world.desk.of_lender(world.baobab.name, before=LAST_ID, limit=10)
    assert (seen.alert.account, seen.alert.reading) == (account, 1)
    (cause,) = await world.desk.causes(world.baobab.name, seen)
    assert (cause.kind, cause.lender, cause.cause.commitment) == (
        "schedule",
        "baobab",
        parse(cause.data or b"").commitment,
    )
    (other,) = await world.desk.of_lender(world.acacia.name, before=LAST_ID, limit=10)
    assert (other.alert.causes, other.alert.unnamed) == ((), 1)
    world.clock.days = 35
    assert await world.alerts() == [
        ("acacia", "miss_elsewhere"), ("acacia", "first_miss"), ("baobab", "first_miss"), ("baobab", "dpd_30"),
    ]  # fmt: skip


async def test_a_lender_that_brings_its_history_warns_of_nothing_that_was_paid(world: World) -> None:
    await world.lend(world.acacia, due=(300,))
    await world.consent()
    await world.bring(world.baobab, paid=4)
    assert await world.alerts() == []
    world.clock.days = 1
    assert await world.alerts() == []


async def test_a_watcher_that_comes_a_day_late_reads_all_of_a_history_before_it_judges_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.bring(world.baobab, paid=3)
    monkeypatch.setattr(watcher, "ROUND_ATTESTATIONS_MAX", 2)  # the plan, and the payments only later
    world.clock.days = 1
    assert sorted(await world.alerts()) == [("baobab", "dpd_30"), ("baobab", "first_miss")]
    seen = await world.desk.of_lender(world.baobab.name, before=LAST_ID, limit=10)
    assert [each.alert.reading for each in seen if each.alert.rule == "first_miss"] == [1]


async def test_what_was_committed_before_midnight_and_read_after_it_is_still_told_that_day(world: World) -> None:
    await world.lend(world.acacia, due=(300,))
    world.clock.days = 1
    assert await world.alerts() == []
    world.clock.days = 0
    await world.bring(world.baobab, paid=3)
    world.clock.days = 1
    assert sorted(await world.alerts()) == [("baobab", "dpd_30"), ("baobab", "first_miss")]


async def test_what_a_history_leaves_unpaid_is_told_once_when_the_next_day_begins(
    world: World, database: TestDatabase
) -> None:
    await world.lend(world.acacia, due=(300,))
    await world.consent()
    await world.bring(world.baobab, paid=3)
    assert await world.alerts() == []
    world.clock.days = 1
    told = [("acacia", "miss_elsewhere"), ("baobab", "dpd_30"), ("baobab", "first_miss")]
    assert sorted(await world.alerts()) == told
    world.watcher = Watcher(world.node, BOOK)
    world.clock.days = 2
    assert sorted(await world.alerts()) == told
    await ensure_sound(database)


async def test_a_plan_told_before_it_was_due_by_the_ledgers_own_days_is_judged_at_once(world: World) -> None:
    await world.node.ticker.begin(TODAY - timedelta(days=121))  # past days are begun one by one: due first on 120
    await world.bring(world.baobab, paid=0)
    await world.node.ticker.begin(TODAY - timedelta(days=116))
    assert sorted(await world.alerts()) == [("baobab", "dpd_30"), ("baobab", "dpd_60"), ("baobab", "first_miss")]


async def test_a_plan_told_after_a_day_of_the_ledger_on_which_it_was_due_is_told_late(world: World) -> None:
    await world.node.ticker.begin(TODAY - timedelta(days=119))
    await world.bring(world.baobab, paid=0)
    assert await world.alerts() == []
    world.clock.days = 1
    assert sorted(await world.alerts()) == [("baobab", "dpd_30"), ("baobab", "dpd_60"), ("baobab", "first_miss")]


async def test_the_day_of_a_tick_is_not_the_watchers_day(world: World) -> None:
    await world.lend(world.baobab, due=(5,))
    await world.node.ticker.begin(TODAY - timedelta(days=3))
    assert await world.alerts() == []
    world.clock.days = 9
    assert await world.alerts() == [("baobab", "first_miss")]  # no tick began that day


async def test_causes_at_another_lender_are_named_under_a_consent_that_shows_them(world: World) -> None:
    await world.lend(world.acacia)
    await world.consent()
    await world.lend(world.baobab)
    await world.lend(world.cedar)
    assert await world.alerts() == [("acacia", "stacking_loans_7")]
    (seen,) = await world.desk.of_lender(world.acacia.name, before=LAST_ID, limit=10)
    causes = await world.desk.causes(world.acacia.name, seen)
    assert [(cause.lender, cause.kind, cause.data) for cause in causes] == [
        ("cedar", None, None),
        ("baobab", None, None),
    ]
    stored = await Publications(world.node.database, world.node.log, world.node.sealer).entry(causes[0].cause.index)
    assert (stored.batch_id, stored.statement) == (causes[0].cause.batch, causes[0].statement)


async def test_a_guarantors_miss_and_a_thing_pledged_twice_reach_those_they_concern(world: World) -> None:
    guarantor, item = os.urandom(32), os.urandom(32)
    account = await world.lend(world.acacia, due=(80,))
    where = {"account": account, "subject": world.subject, "effective_date": TODAY}
    pledge = Collateral(currency="KES", item=item, kind="car", lien_rank=1, value=9, valued_on=TODAY)
    await world.publish(
        world.acacia, world.acacia.attest("guarantee", Guarantee(guarantor=guarantor, type="personal"), **where),
        world.acacia.attest("collateral", pledge, **where),
    )  # fmt: skip
    world.watcher = Watcher(world.node, BOOK, law=lambda country: True)
    stranger = os.urandom(32)
    theirs = await world.lend(world.baobab, stranger, due=(80,))
    await world.publish(
        world.baobab, world.baobab.attest("collateral", pledge, account=theirs, subject=stranger, effective_date=TODAY)
    )
    await world.lend(world.cedar, guarantor, due=(3,))
    assert await world.alerts() == [("acacia", "pledged_twice"), ("baobab", "pledged_twice")]
    world.clock.days = 7
    assert await world.alerts() == [
        ("acacia", "pledged_twice"), ("acacia", "guarantor_missed"), ("baobab", "pledged_twice"), ("cedar", "first_miss"),
    ]  # fmt: skip


async def test_a_watcher_that_begins_anew_goes_on_where_the_store_stands(world: World, database: TestDatabase) -> None:
    await world.lend(world.acacia)
    await world.consent()
    await world.enquire(world.baobab, 3)
    assert len(await world.alerts()) == 1
    world.watcher = Watcher(world.node, BOOK)
    await world.enquire(world.baobab, 2)
    assert await world.alerts() == [("acacia", "stacking_enquiries_7"), ("acacia", "stacking_enquiries_30")]
    assert await rows_of(database, ALERTS) == [
        ("acacia", "stacking_enquiries_7", 1), ("acacia", "stacking_enquiries_30", 1),
    ]  # fmt: skip


async def test_a_round_whose_outcome_was_lost_is_neither_doubled_nor_dropped(
    world: World, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.lend(world.acacia)
    await world.consent()
    await world.enquire(world.baobab, 3)
    publish = world.node.publisher.publish_own

    async def never_started(*arguments: Any, **options: Any) -> Any:
        raise Conflict("crashed", "before")

    async def lost(*arguments: Any, **options: Any) -> Any:
        await publish(*arguments, **options)
        raise Conflict("crashed", "after")

    for crash in (never_started, lost):
        monkeypatch.setattr(world.node.publisher, "publish_own", crash)
        with pytest.raises(TallystickError, match="crashed"):
            await world.watcher.catch_up()
    monkeypatch.setattr(world.node.publisher, "publish_own", publish)
    assert await world.alerts() == [("acacia", "stacking_enquiries_7")]
    assert await rows_of(database, ALERTS) == [("acacia", "stacking_enquiries_7", 1)]
    await ensure_sound(database)


async def test_two_watchers_raise_each_alert_once(world: World, database: TestDatabase) -> None:
    other = Watcher(world.node, BOOK)
    await world.lend(world.acacia)
    await world.consent()
    await world.watcher.catch_up()
    await other.catch_up()
    await world.enquire(world.baobab, 3)
    await world.watcher.catch_up()
    with pytest.raises(Conflict, match="watch_overtaken"):
        await other.step()
    await other.catch_up()
    assert await rows_of(database, ALERTS) == [("acacia", "stacking_enquiries_7", 1)]


async def test_small_rounds_raise_what_large_ones_raise(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.lend(world.acacia)
    await world.consent()
    await world.lend(world.baobab)
    await world.lend(world.cedar)
    await world.enquire(world.baobab, 5)
    monkeypatch.setattr(watcher, "ROUND_ATTESTATIONS_MAX", 1)
    monkeypatch.setattr(watch_round, "ROUND_ALERTS_MAX", 1)
    assert await world.alerts() == [
        ("acacia", "stacking_loans_7"), ("acacia", "stacking_enquiries_7"), ("acacia", "stacking_enquiries_30"),
    ]  # fmt: skip


async def test_erasure_takes_features_links_and_alerts_along_and_nothing_brings_them_back(
    world: World, database: TestDatabase
) -> None:
    await world.lend(world.acacia)
    await world.consent()
    await world.enquire(world.baobab, 3)
    assert len(await world.alerts()) == 1
    await world.enquire(world.baobab)
    await world.node.authority.erase(Subject(world.subject), "KE DPA 40")
    assert await world.alerts() == []
    counts = (
        "SELECT (SELECT count(*) FROM risk_part), (SELECT count(*) FROM risk_link), (SELECT count(*) FROM risk_alert)"
    )
    assert await rows_of(database, counts) == [(0, 0, 0)]
    await ensure_sound(database)


async def test_an_erasure_during_a_round_voids_the_round(
    world: World, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.lend(world.acacia)
    await world.watcher.catch_up()
    await world.enquire(world.baobab)
    save = world.watcher._save

    async def overtaken(*arguments: Any) -> None:
        await world.node.authority.erase(Subject(world.subject), "KE DPA 40")
        await save(*arguments)

    monkeypatch.setattr(world.watcher, "_save", overtaken)
    with pytest.raises(Conflict, match="watch_overtaken"):
        await world.watcher.step()
    monkeypatch.setattr(world.watcher, "_save", save)
    await world.watcher.catch_up()
    assert await rows_of(database, "SELECT count(*) FROM risk_part") == [(0,)]


async def test_no_alert_under_a_consent_comes_after_its_revoke(
    world: World, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.lend(world.acacia)
    await world.consent()
    await world.enquire(world.baobab, 3)
    drafts = world.watcher._drafts

    async def overtaken(*arguments: Any) -> Any:
        (known,) = await world.node.consents.of_borrower(Subject(world.subject), LAST_ID, 9)
        whose, consent = Subject(world.subject), known.current.consent
        await world.node.consents.decide(whose, consent, "revoked", asking("tallystick"), capture=CAPTURE)
        return await drafts(*arguments)

    monkeypatch.setattr(world.watcher, "_drafts", overtaken)
    with pytest.raises(Conflict, match="watch_overtaken"):
        await world.watcher.step()
    monkeypatch.setattr(world.watcher, "_drafts", drafts)
    assert await world.alerts() == []
    await ensure_sound(database)


async def test_no_lender_sees_anothers_alerts_or_part(world: World, database: TestDatabase) -> None:
    await world.lend(world.acacia)
    await world.lend(world.baobab)
    await world.consent()
    await world.enquire(world.cedar, 3)
    await world.watcher.catch_up()
    async with world.node.database.reading(tenants=(world.baobab.name,)) as connection:
        assert [row["tenant"] for row in await connection.fetch("SELECT tenant FROM risk_part")] == ["baobab"]
        assert await connection.fetch("SELECT * FROM risk_alert") == []
    async with world.node.database.reading() as connection:
        assert await connection.fetch("SELECT * FROM risk_part") == []
