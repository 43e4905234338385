"""Group commit: what waits at one moment becomes one transaction, and a COMMIT is never abandoned half-way.

    begin, tenants set
    fold the group over loans and locked consents (a refused batch leaves it)    in the order of the line
    insert attestations, write loans                                             in the order of the line
    compare-and-swap the head, insert entries (the last lock), COMMIT            in the order of the line

Rules
- The transaction runs in a task of its own: a caller that goes away cancels nothing.
- No timeout and no cancellation reach COMMIT. When its outcome is unknown (the connection broke, or the server said
  that the commit may not be replicated) it is looked up by batch id on a new connection, after a later durable commit.
- A batch that is there already gets its first answer, again after a later commit. The same id with other bytes is a
  conflict. Neither costs the normal path anything: they show as a unique violation, and then the group is sorted out.
- Several groups are under way: the next is folded on what the one before *will* have committed (commit_line.py), while
  that one is at the database. A group that fails voids what was folded on it.
- A head that moved, a loan that moved, or an epoch that moved: roll back, reload, try again, at most COMMIT_RETRIES_MAX
  times. Optimistic, because every loser saw another's progress; who lost COMMIT_PATIENCE times takes the head row first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import asyncpg

from ledger.errors import TallystickError, Unavailable
from ledger.limits import COMMIT_PATIENCE, COMMIT_RETRIES_MAX, COPY_ATTESTATIONS_MIN
from ledger.node.aftermath import Aftermath
from ledger.node.chains import Chains
from ledger.node.clock import Sources
from ledger.node.commit_line import CommitLine, Outrun, Step, Ticket
from ledger.node.executor import Executor
from ledger.node.group_columns import acting_tenants, attestation_columns, is_small, loan_columns, single_rows
from ledger.node.group_fold import BatchRefused, GroupFold, Stale, read_cached
from ledger.node.growth import Growth, Moved, grown
from ledger.node.head_keeper import HeadKeeper
from ledger.node.loan_cache import CachedLoan, LoanCache, LoanKey
from ledger.node.pending import Committed, Pending
from ledger.node.projection import HistoriesNeeded, Projection
from ledger.store.database import Connection, Database, begin
from ledger.store.group_rows import STAGING, GroupColumns, stage_group, write_group
from ledger.store.idempotency_rows import insert_idempotency
from ledger.store.log_rows import acknowledge, advance, bump_epoch, insert_tiles
from ledger.store.small_commit import LoanMoved, commit_one, commit_small


class Renew(Protocol):
    """Prepares a batch again after keys or salts changed."""

    async def __call__(self, pending: Pending) -> None:
        """Verify the batch's key and seal it again. Raises what makes it unacceptable now."""
        ...


AfterAttempt = Callable[[list[Pending]], Awaitable[list[Pending]]]


class _Unknown(Exception):
    """COMMIT was sent and its outcome is not known."""


class Committer:
    """One connection that commits groups; several may share a HeadKeeper."""

    def __init__(
        self,
        database: Database,
        keeper: HeadKeeper,
        loans: LoanCache,
        line: CommitLine,
        sources: Sources,
        renew: Renew,
        executor: Executor,
        chains: Chains,
    ) -> None:
        self._database = database
        self._keeper = keeper
        self._loans = loans
        self._line = line
        self._sources = sources
        self._renew = renew
        self._aftermath = Aftermath(database, keeper, loans, sources)
        self._folding = GroupFold(loans, executor, chains, sources)
        self._connection: Any = None
        self._doubtful = False
        self._cautious = False
        self._insistent = False

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=5)

    async def commit(self, group: list[Pending]) -> None:
        """Commit a group; every member is answered, with a result or an error, when this returns."""
        self._cautious = False
        try:
            for attempt in range(COMMIT_RETRIES_MAX):
                self._insistent = attempt >= COMMIT_PATIENCE
                group = [pending for pending in await self._attempt(group) if not pending.answered]
                if not group:
                    return
            raise Unavailable("ledger_contended", "other processes kept committing first", retry_after_s=1)
        except TallystickError as error:
            self._drop_connection()  # a transaction may be open on it
            for pending in group:
                pending.fail(error)
        except Exception as error:  # also the driver's InternalClientError, when a server dies in mid-answer
            self._drop_connection()
            for pending in group:
                pending.fail(Unavailable("database_failed", f"the database failed ({type(error).__name__})"))

    async def _attempt(self, group: list[Pending]) -> list[Pending]:
        """One try; gives the batches that must be tried again."""
        ticket, committed = self._line.join(), False
        after: AfterAttempt | None = None
        try:
            group = await self._renewed(group)
            if group:
                connection = await self._connected()
                optimistic = is_small(group) and not self._insistent
                commit = self._one_statement if optimistic else self._transaction
                await commit(connection, group, ticket)
            committed = True
            return []
        except Moved:
            await self._roll_back(reload=True)
        except Outrun:
            await self._roll_back(reload=False)
        except Stale:
            await self._roll_back(reload=False)
        except asyncpg.UniqueViolationError:
            await self._roll_back(reload=False)
            after = self._sort_out
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            await self._roll_back(reload=True)
        except BatchRefused as refused:
            await self._roll_back(reload=False)
            refused.pending.fail(refused.error)
        except _Unknown:
            self._drop_connection()
            after = self._look_up
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
            # Before COMMIT was sent nothing of the group can be there, so trying again is safe.
            self._drop_connection()
        finally:
            if not committed:
                self._loans.forget()
                self._cautious = True
            self._line.leave(ticket, committed=committed)
        return group if after is None else await after(group)

    async def _renewed(self, group: list[Pending]) -> list[Pending]:
        """Those of the group that are still acceptable under the present epoch."""
        ready = []
        for pending in group:
            try:
                if pending.epoch != self._keeper.head.epoch:
                    await self._renew(pending)
                ready.append(pending)
            except TallystickError as error:
                pending.fail(error)
        return ready

    async def _one_statement(self, connection: Any, group: list[Pending], ticket: Ticket) -> None:
        """The commit of a few attestations that touch loans only: the statement is its own transaction."""
        await self._turn_to_fold(ticket)
        loans, missing = self._loans.find([key for pending in group for key in pending.keys])
        if missing:
            async with self._database.reading(tenants=acting_tenants(group)) as reading:
                loans |= await read_cached(reading, missing)
        projection, now = Projection(loans, {}), self._sources.now()
        for pending in group:
            try:
                pending.chain = projection.apply(pending.batch, pending.keys, now)
            except (HistoriesNeeded, TallystickError):
                # A refusal is looked at by the ordinary transaction: is it a duplicate, is the cache stale?
                await self._transaction(connection, group, ticket)
                return
        changed = projection.changed_loans()
        self._loans.put(changed)
        ticket.reach(Step.FOLDED)
        await ticket.turn(Step.DONE)
        ticket.ensure_sound()
        async with self._keeper.turn:
            growth = grown(self._keeper.head, self._keeper.edge, group, self._sources.now())
            if not growth.full:
                answers: list[Committed] = []
                # The paths are worked out while the database is at work.
                asyncio.get_running_loop().call_soon(lambda: answers.extend(growth.answers()))
                await self._send_statement(connection, group, growth, changed)
                self._keeper.adopt(growth.after, growth.edge)
        if growth.full:  # one statement does not write tiles
            await begin(connection, tenants=acting_tenants(group))
            await self._write(connection, group, [], changed, ticket)
            return
        for pending, answer in zip(group, answers or growth.answers(), strict=True):
            pending.succeed(answer)
        if self._line.is_last(ticket):
            await asyncio.sleep(0)  # nobody waits for what is tidied up from here on: the answer goes first

    async def _send_statement(
        self, connection: Any, group: list[Pending], growth: Growth, changed: dict[LoanKey, CachedLoan]
    ) -> None:
        before, after, entries, tenants = growth.before, growth.after, growth.entries, acting_tenants(group)
        try:
            if len(changed) == len(group) == len(group[0].sealed) == 1:
                done = await commit_one(connection, tenants, before, after, entries[0], *single_rows(group[0], changed))
            else:
                columns = list(attestation_columns(group)), list(loan_columns(changed))
                done = await commit_small(connection, tenants, before, after, entries, columns)
        except LoanMoved:
            raise Moved from None
        except asyncpg.IntegrityConstraintViolationError:
            raise
        except BaseException as error:
            raise _Unknown from error
        if self._doubtful:
            raise _Unknown
        if not done:
            raise Moved

    async def _turn_to_fold(self, ticket: Ticket) -> None:
        """Wait for the group before: until it is folded, or, when this one failed once, until it is over. Two groups that
        failed would else go on voiding each other; and a refusal must not rest on memory."""
        await ticket.turn(Step.DONE if self._cautious else Step.FOLDED)
        if self._cautious:
            self._loans.forget()
        ticket.begin()

    async def _transaction(self, connection: Any, group: list[Pending], ticket: Ticket) -> None:
        await begin(connection, tenants=acting_tenants(group))
        await self._turn_to_fold(ticket)
        if self._insistent:  # all groups before are over, so nobody of this process waits for the row
            async with self._keeper.turn:
                await self._keeper.hold(connection, self._sources.now())
        if any(pending.concern for pending in group):
            await ticket.turn(Step.DONE)  # what contracts do names the index of its cause
            ticket.begin()

        async def before_is_over() -> None:
            await ticket.turn(Step.DONE)
            ticket.ensure_sound()

        folded = await self._folding.fold(
            connection, group, base=self._keeper.head.size, cautious=self._cautious, before_is_over=before_is_over
        )
        accepted, refused, changed = folded.accepted, folded.refused, folded.changed
        if refused:
            await ticket.turn(Step.DONE)  # what they were refused on is committed, or this group begins again
            ticket.ensure_sound()
        if not accepted:
            await connection.execute("ROLLBACK")
            _refuse(refused)
            return
        self._loans.put(changed)
        ticket.reach(Step.FOLDED)
        await self._write(connection, accepted, refused, changed, ticket)

    async def _write(
        self,
        connection: Any,
        accepted: list[Pending],
        refused: list[BatchRefused],
        changed: dict[LoanKey, CachedLoan],
        ticket: Ticket,
    ) -> None:
        """The rest of a transaction, from its folded group to the answers."""
        columns: GroupColumns | None = None
        if sum(len(pending.sealed) for pending in accepted) >= COPY_ATTESTATIONS_MIN:
            await stage_group(connection, attestation_columns(accepted), loan_columns(changed))
        else:
            columns = list(attestation_columns(accepted)), list(loan_columns(changed))
        await ticket.turn(Step.WRITTEN)
        ticket.ensure_sound()
        if await write_group(connection, columns) != len(changed):
            raise Moved
        for pending in accepted:
            # The key first: of two equal requests at once the second is a repetition, not a second act that is refused.
            if pending.idempotency is not None and not await insert_idempotency(connection, pending.idempotency):
                raise asyncpg.UniqueViolationError("idempotency key")
            if pending.effect is not None:
                try:
                    await pending.effect(connection)
                except TallystickError as error:
                    raise BatchRefused(pending, error) from None
        # Effects write rows too: a later group that locked one would wait in line for this one, and this one for it.
        ticket.reach(Step.WRITTEN)
        await ticket.turn(Step.DONE)
        ticket.ensure_sound()
        async with self._keeper.turn:
            growth = await self._advance(connection, accepted)
            await self._send_commit(connection)
            self._keeper.adopt(growth.after, growth.edge)
        _refuse(refused)
        for pending, answer in zip(accepted, growth.answers(), strict=True):
            pending.succeed(answer)

    async def _advance(self, connection: Any, accepted: list[Pending]) -> Growth:
        """Swap the head row and add the entries; raises Moved when it is not what we think."""
        growth = grown(self._keeper.head, self._keeper.edge, accepted, self._sources.now())
        voids = sum(pending.voids_caches for pending in accepted)
        if not await advance(connection, growth.before, growth.after, growth.entries):
            raise Moved
        if growth.full:
            await insert_tiles(connection, growth.full)
        if voids:
            await bump_epoch(connection, voids)
            growth = growth.with_epoch(growth.before.epoch + voids)
        return growth

    async def _send_commit(self, connection: Any) -> None:
        try:
            await connection.execute("COMMIT")
        except BaseException as error:
            # Whatever it was, the server may have committed: only a look-up can tell.
            raise _Unknown from error
        if self._doubtful:
            raise _Unknown

    async def _sort_out(self, group: list[Pending]) -> list[Pending]:
        """After a unique violation or an unknown outcome: what must be tried again."""
        clear = await self._aftermath.sort_out(group, self._acknowledged)
        return await self._one_by_one(clear) if len(clear) == len(group) > 1 else clear

    async def _look_up(self, group: list[Pending]) -> list[Pending]:
        """After a COMMIT of unknown outcome. When that cannot be looked up either, the answer says so."""
        try:
            return await self._sort_out(group)
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError, Unavailable):
            self._drop_connection()
            for pending in group:
                pending.fail(Unavailable(
                    "outcome_unknown", "the batch may be stored or not: the database went away",
                    advice="send the same batch again: it is stored once, and answered",
                ))  # fmt: skip
            return []

    async def _acknowledged(self) -> None:
        """A durable commit after what was just read: only now may it be told to anybody."""
        await acknowledge(await self._connected())
        if self._doubtful:
            raise Unavailable("commit_doubtful", "the standbys do not confirm what is committed")

    async def _one_by_one(self, group: list[Pending]) -> list[Pending]:
        """Nobody is known to be at fault, yet together they clash: commit each alone."""
        for pending in group:
            await self.commit([pending])
        return []

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.dedicated()
            self._doubtful = False
            self._connection.add_log_listener(self._heard)
            await self._connection.execute(STAGING)
        return self._connection

    def _heard(self, connection: Any, message: Any) -> None:
        """The server's warnings; one of them says that a commit may not have reached the standbys."""
        if "committed" in str(message).lower() and "replicated" in str(message).lower():
            self._doubtful = True

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None

    async def _roll_back(self, *, reload: bool) -> None:
        try:
            await self._connection.execute("ROLLBACK")
            if reload:
                async with self._keeper.turn:
                    await self._reload(self._connection)
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
            self._drop_connection()

    async def _reload(self, connection: Connection) -> None:
        self._loans.forget()
        await self._keeper.load(connection, self._sources.now())


def _refuse(refused: list[BatchRefused]) -> None:
    for each in refused:
        each.pending.fail(each.error)
