"""The commit when its connection fails: at every call, before it was sent and after it was carried out.

The table is exhaustive: for each shape of transaction, the k-th call on the committer's connection fails, k = 1, 2, ...
until a commit makes no k-th call. Whatever fails, the caller is answered, the batch is stored once, and fsck finds
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from ledger.errors import Conflict, Unavailable
from ledger.node.node import Node
from ledger.store import log_rows
from ledger.store.database import Connection, Database
from ledger.store.tenant_rows import TenantRow
from ledger.types import Subject
from tests.support.checks import artefact_for, asking, enrol_app, ensure_sound, grant, rows_of
from tests.support.ledgers import SOURCES, Lender, TestDatabase, running_node

SENT = ("execute", "fetch", "fetchrow", "fetchval", "executemany")


class Plan:
    """Which call fails, how, and whether it came to that."""

    def __init__(self, call: int = 0, flavour: str = "before") -> None:
        self.call = call
        self.flavour = flavour
        self.seen: list[str] = []
        self.happened = False

    async def carry_out(self, connection: Any, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """One call, or its failure."""
        self.seen.append(str(arguments[0]).strip()[:40])
        due = not self.happened and len(self.seen) == self.call
        if due and self.flavour == "before":
            await self._fail(connection)
        answer = await getattr(connection, name)(*arguments, **options)
        if due:
            await self._fail(connection)
        return answer

    async def _fail(self, connection: Any) -> None:
        self.happened = True
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


def commits(statement: object) -> bool:
    """Whether a call is a COMMIT, or the one statement that is a whole small commit."""
    return statement == "COMMIT" or "WITH acting" in str(statement)


class Faulty:
    """A connection that follows a plan."""

    def __init__(self, connection: Any, plan: Plan) -> None:
        self._connection = connection
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in SENT:
            return found

        async def call(*arguments: Any, **options: Any) -> Any:
            return await self._plan.carry_out(self._connection, name, arguments, options)

        return call


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plan in force (the last of the list); every committer's connection follows it."""
    plans = [Plan()]
    opened = Database.dedicated

    async def dedicated(self: Database) -> Any:
        return Faulty(await opened(self), plans[-1])

    monkeypatch.setattr(Database, "dedicated", dedicated)
    return plans


@asynccontextmanager
async def founded(database: TestDatabase) -> AsyncIterator[tuple[Node, Lender]]:
    """A node with a lender and an app."""
    async with running_node(database) as node:
        acacia = await Lender("acacia").enrol(node)
        await enrol_app(node)
        yield node, acacia


Act = Callable[[Node, Lender], Awaitable[Any]]


async def publish_loan(node: Node, acacia: Lender) -> None:
    """A batch with a new loan and one that changes it."""
    loan = acacia.new_loan()
    first = await node.publisher.publish(acacia.name, *acacia.batch(loan))
    second = await node.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan)]))
    assert second.index == first.index + 1


async def request_consent(node: Node, acacia: Lender) -> None:
    """A consent with its projection row and idempotency key."""
    artefact = artefact_for(SOURCES.random(32))
    await grant(node, artefact)
    assert (await node.consents.seen_by_borrower(Subject(artefact.subject), artefact.consent)).state == "active"


async def enrol_lender(node: Node, acacia: Lender) -> None:
    """A key attestation with its effect and the epoch."""
    name = f"t{SOURCES.random(6).hex()}"
    await node.authority.enrol_tenant(TenantRow(name, "A lender", "lender", "KE"), None)
    assert (await node.authority.managed_key(name)).alg == "EdDSA"


async def erase_subject(node: Node, acacia: Lender) -> None:
    """A tombstone with the destruction of the salt."""
    loan = acacia.new_loan()
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    await node.authority.erase(Subject(loan[0].envelope.subject or b""), "law")


@pytest.mark.parametrize("flavour", ["before", "after"])
@pytest.mark.parametrize("act", [publish_loan, request_consent, enrol_lender, erase_subject])
async def test_whatever_call_fails_the_batch_is_stored_once_and_answered(
    database: TestDatabase, plan: list[Plan], act: Act, flavour: str
) -> None:
    async with founded(database):
        pass
    calls = 0
    while True:
        async with running_node(database) as node:
            acacia = await Lender(f"acacia-{calls}").enrol(node)
            for committer in node.publisher._committers:
                committer._drop_connection()
            plan.append(Plan(calls + 1, flavour))
            await act(node, acacia)
            undisturbed = None if plan[-1].happened else len(plan[-1].seen)
            plan.append(Plan())
        if undisturbed is not None:
            break
        calls += 1
    assert calls == undisturbed >= (2 if act is publish_loan else 6)
    assert await rows_of(database, "SELECT count(*) - count(DISTINCT (tenant, batch_id)) FROM entry") == [(0,)]
    await ensure_sound(database)


@pytest.mark.parametrize("flavour", ["before", "after"])
async def test_a_group_whose_commit_fails_is_stored_once(
    database: TestDatabase, plan: list[Plan], flavour: str
) -> None:
    async with founded(database) as (node, acacia):
        plan.append(CommitFails(flavour))
        for committer in node.publisher._committers:
            committer._drop_connection()
        batches = [acacia.batch(acacia.new_loan()) for _ in range(40)]
        receipts = await asyncio.gather(*(node.publisher.publish(acacia.name, *batch) for batch in batches))
        assert plan[-1].happened
        assert sorted(receipt.index for receipt in receipts) == list(range(3, 43))
        await ensure_sound(database)


class CommitFails(Plan):
    """The first COMMIT fails."""

    def __init__(self, flavour: str, always: bool = False) -> None:
        super().__init__(flavour=flavour)
        self.always = always

    async def carry_out(self, connection: Any, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """One call, or its failure when it is COMMIT."""
        if not commits(arguments[0]) or (self.happened and not self.always):
            return await getattr(connection, name)(*arguments, **options)
        if self.flavour == "after":
            await getattr(connection, name)(*arguments, **options)
        await self._fail(connection)
        return None


async def test_the_backend_killed_in_a_transaction_costs_one_more_try(database: TestDatabase, plan: list[Plan]) -> None:
    class Killed(Plan):
        """The server process ends just before COMMIT reaches it."""

        async def carry_out(self, connection: Any, name: str, arguments: Any, options: Any) -> Any:
            if commits(arguments[0]) and not self.happened:
                self.happened = True
                await rows_of(database, "SELECT pg_terminate_backend($1)", connection.get_server_pid())
            return await getattr(connection, name)(*arguments, **options)

    async with founded(database) as (node, acacia):
        plan.append(Killed())
        for committer in node.publisher._committers:
            committer._drop_connection()
        receipt = await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
        assert (plan[-1].happened, receipt.index, receipt.duplicate) == (True, 3, False)
        await ensure_sound(database)


@pytest.mark.parametrize(("flavour", "again"), [("before", False), ("after", True)])
async def test_an_outcome_that_cannot_be_looked_up_is_said_to_be_unknown_and_the_retry_finds_it(
    database: TestDatabase, plan: list[Plan], monkeypatch: pytest.MonkeyPatch, flavour: str, again: bool
) -> None:
    async with founded(database) as (node, acacia):
        plan.append(CommitFails(flavour))
        for committer in node.publisher._committers:
            committer._drop_connection()
        batch = acacia.batch(acacia.new_loan())
        with monkeypatch.context() as away:

            async def nobody(self: Database) -> Any:
                raise Unavailable("database_unreachable", "away")

            opened = Database.dedicated

            async def once(self: Database) -> Any:
                away.setattr(Database, "dedicated", nobody)
                return await opened(self)

            away.setattr(Database, "dedicated", once)
            with pytest.raises(Unavailable) as caught:
                await node.publisher.publish(acacia.name, *batch)
        assert caught.value.code == "outcome_unknown"
        receipt = await node.publisher.publish(acacia.name, *batch)
        assert (receipt.index, receipt.duplicate) == (3, again)
        await ensure_sound(database)


async def test_a_duplicate_is_answered_only_after_a_later_durable_commit(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with founded(database) as (node, acacia):
        batch = acacia.batch(acacia.new_loan())
        await node.publisher.publish(acacia.name, *batch)

        async def frozen(connection: Connection) -> None:
            raise asyncpg.ConnectionDoesNotExistError("the standbys are away")

        monkeypatch.setattr("ledger.node.committer.acknowledge", frozen)
        with pytest.raises(Unavailable):
            await node.publisher.publish(acacia.name, *batch)
        monkeypatch.setattr("ledger.node.committer.acknowledge", log_rows.acknowledge)
        assert (await node.publisher.publish(acacia.name, *batch)).duplicate


async def test_a_commit_that_may_not_be_replicated_is_not_acknowledged_until_it_is(
    database: TestDatabase, plan: list[Plan]
) -> None:
    warning = "canceling wait for synchronous replication: committed locally, but might not have been replicated"
    heard: list[str] = []

    class Doubtful(Plan):
        """The server warns at COMMIT, as it does when its standbys are away."""

        async def carry_out(self, connection: Any, name: str, arguments: Any, options: Any) -> Any:
            answer = await getattr(connection, name)(*arguments, **options)
            heard.append(str(arguments[0])[:30])
            if commits(arguments[0]) and not self.happened:
                self.happened = True
                committer = next(c for c in node.publisher._committers if c._connection is not None)
                committer._heard(None, f"WARNING: {warning}")
            return answer

    async with founded(database) as (node, acacia):
        plan.append(Doubtful())
        for committer in node.publisher._committers:
            committer._drop_connection()
        receipt = await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
        assert (receipt.index, receipt.duplicate) == (3, True)
        assert heard[-1].startswith("SELECT pg_logical_emit_message")
        await ensure_sound(database)


async def test_a_defect_in_the_commit_fails_its_group_and_the_next_one_is_served(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with founded(database) as (node, acacia):
        with monkeypatch.context() as broken:

            async def fail(*arguments: Any) -> None:
                raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

            broken.setattr("ledger.node.committer.write_group", fail)
            with pytest.raises(Unavailable) as caught:
                await node.authority.enrol_key(acacia.name, None)
        assert caught.value.code == "database_failed"
        assert (await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))).index == 3
        await ensure_sound(database)


async def test_the_same_idempotency_key_raced_by_two_requests_is_answered_once(database: TestDatabase) -> None:
    async with founded(database) as (node, _):
        request = asking("fintech")
        artefacts = [artefact_for(SOURCES.random(32)) for _ in range(6)]
        asked = (node.consents.request(artefact, request) for artefact in artefacts)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert {type(error) for error in refused} <= {Conflict}
        assert await rows_of(database, "SELECT count(*) FROM consent") == [(1,)]
        assert await rows_of(database, "SELECT count(*) FROM idempotency") == [(1,)]
        await ensure_sound(database)
