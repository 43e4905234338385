"""Early warning on the ledger: follows the committed log, folds features, publishes alerts.

    watcher = Watcher(node, shipped_rules())
    await watcher.run()                       # until cancelled; in the server's process or in one of its own
    await watcher.catch_up()                  # take in everything that is committed now, then return

Rules
- **Exactly once.** A round folds what was committed since the cursor. Its features, its alerts and the cursor's move are
  one transaction: with alerts it is the transaction of their batch (``effect``), without any it is a small one of its
  own. A crash leaves a whole round or nothing of it, and the next round begins where the cursor stands.
- **No storms.** What is raised is remembered in the lender's own part, so that the same transaction that publishes an
  alert also keeps it from being published again.
- **Erasure wins.** A round that began before a subject's key was destroyed is not written (the epoch moved); nothing
  that was erased is opened, and parts and alerts go with the key.
- **Time.** An event is seen on the day of its commit (UTC); days begin by this process's clock. Ticks on the log set
  neither: they only say whether a plan was told late (ledger/risk/folding.py). When a day begins, borrowers with something
  due, or with a rule that is raised, are looked at again, but not before all that was committed on earlier days is folded;
  a round of a day's beginning moves no cursor.
- Whom an alert may tell of what: consents that are active when it is committed, and ``law`` by the lender's country.
- Nothing here is on the way of a publication: while no watcher runs, publishing does no work for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Final
from uuid import UUID

from ledger.attestation.risk_kinds import AlertCause
from ledger.errors import Conflict, Unavailable
from ledger.node.drafts import Draft
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT, Participants
from ledger.node.watch_round import FOLLOWED_KINDS, Borrowers, Raised, Round
from ledger.risk.alerts import alert_body, legal_basis_of
from ledger.risk.signals import RuleBook, read_rules
from ledger.store.database import Connection
from ledger.store.log_rows import read_head
from ledger.store.risk_rows import (
    Cursor,
    Found,
    NewAlert,
    attestations_between,
    commitments_at,
    epoch_holds,
    insert_alerts,
    may_be_lost,
    move_cursor,
    put_links,
    put_parts,
    read_cursor,
    read_epoch,
    tenants_between,
    ticks_until,
    waking,
)
from ledger.types import TenantId

ROUND_ATTESTATIONS_MAX: Final = 512
"""Attestations of one round: tens of milliseconds of folding, so that an alert never waits for long."""

ROUND_ENTRIES_MAX: Final = 512
"""Entries that one round looks at."""

ROUND_WAKING_MAX: Final = 256
"""Borrowers looked at in one round of a day's beginning."""

POLL_S: Final = 0.05
"""How often the head is looked at: one row by key, a tenth of the latency that is promised."""

RETRY_S: Final = 0.2
"""After a round that failed: the database is away, or others commit faster than this process can."""

Law = Callable[[str], bool]
"""Whether the law of a country (ISO 3166) lets a lender be told of events elsewhere without the borrower's consent."""


def no_law(country: str) -> bool:
    """Consent alone lets a lender hear of other lenders."""
    return False


def shipped_rules() -> RuleBook:
    """The rules that come with the product: ledger/risk/rules/early_warning.toml."""
    return read_rules(files("ledger.risk").joinpath("rules", "early_warning.toml").read_bytes())


@dataclass
class Watched:
    """What a watcher did since it started."""

    attestations: int = 0
    rounds: int = 0
    alerts: int = 0
    failures: int = 0


class Watcher:
    """Follows one ledger. One at a time does the work; a second one finds the cursor moved and begins anew."""

    def __init__(self, node: Node, book: RuleBook, *, law: Law = no_law) -> None:
        self._node = node
        self._book = book
        self._law = law
        self._borrowers = Borrowers()
        self._cursor: Cursor | None = None
        self._known = False
        self._epoch = -1
        self._size = 0
        self._day = 0
        self._behind = False
        self.watched = Watched()

    async def run(self) -> None:
        """Follow the log until cancelled. A round that was overtaken, or met a database that is away, is made again;
        what contradicts itself (Untrusted, InvariantBroken) is raised, since it would be met again and again."""
        while True:
            try:
                busy = await self.step()
                await asyncio.sleep(0 if busy else POLL_S)
            except (Unavailable, Conflict):
                self.forget()
                self.watched.failures += 1
                await asyncio.sleep(RETRY_S)

    async def catch_up(self) -> None:
        """Take in everything that is committed and due now. Raises what a round raises."""
        while await self.step():
            pass

    def forget(self) -> None:
        """Drop everything in memory: the store knows."""
        self._borrowers.forget()
        self._known = False

    async def step(self) -> bool:
        """One round; whether there was anything to do. Raises TallystickError, and then nothing of it took effect."""
        if not self._known:
            async with self._node.database.reading() as connection:
                self._cursor = await read_cursor(connection)
            self._known = True
        try:
            busy = await self._log_round()
            if self._day != self._today().toordinal() and not self._behind:
                busy |= await self._day_round()
            return busy
        except BaseException:
            self.forget()
            raise

    # -- rounds ---------------------------------------------------------------------------------------------------

    async def _log_round(self) -> bool:
        first, self._behind = self._cursor or (0, 0), False
        async with self._node.database.reading() as connection:
            head = await read_head(connection)
            if head is None or head.size <= first[0]:
                return False
            end = min(head.size, first[0] + ROUND_ENTRIES_MAX)
            names = await tenants_between(connection, first[0], end)
            ticks = await ticks_until(connection, first[0], end)
        self._size = head.size
        participants = await self._under(head.epoch, names)
        tenants = sorted({TenantId(name) for name in names} | {DEPLOYMENT})
        async with self._node.database.reading(tenants=tenants) as connection:
            found = await attestations_between(connection, first, end, FOLLOWED_KINDS, ROUND_ATTESTATIONS_MAX)
        work = self._round(participants, ticks)
        taken = await work.take(found)
        rest = taken < len(found) or len(found) == ROUND_ATTESTATIONS_MAX
        after = (found[taken - 1].entry, found[taken - 1].row.position + 1) if rest else (end, 0)
        await self._commit(work, after)
        self.watched.attestations += taken
        self._note_days(found[:taken], more=rest or end < head.size)
        return True

    def _note_days(self, taken: Sequence[Found], *, more: bool) -> None:
        """A day begins once what was committed before it is folded; and again, when some of that was read after it."""
        today = self._today()
        self._behind = more and (not taken or _day_of(taken[-1].committed_at) < today)
        if taken and _day_of(taken[0].committed_at) < today:
            self._day = 0

    async def _day_round(self) -> bool:
        today = self._today()
        async with self._node.database.reading(tenants=(DEPLOYMENT,)) as connection:
            subjects = await waking(connection, DEPLOYMENT, today.toordinal(), ROUND_WAKING_MAX)
            if not subjects:
                self._day = today.toordinal()  # all of them were looked at
                return False
            epoch = await read_epoch(connection)
        work = self._round(await self._under(epoch, ()))
        await work.wake(subjects, today.toordinal())
        await self._commit(work, self._cursor)
        return True

    def _round(self, participants: Participants, ticks: Sequence[tuple[int, int]] = ()) -> Round:
        return Round(self._node, self._book, self._law, participants, self._borrowers, ticks)

    async def _under(self, epoch: int, names: Sequence[str]) -> Participants:
        """Everybody, as of ``epoch``; what was in memory under another one is void."""
        publisher, keeper = self._node.publisher, self._node.keeper
        if epoch != self._epoch:
            self._borrowers.forget()
            if keeper.head.epoch != epoch:
                async with self._node.database.reading() as connection, keeper.turn:
                    await keeper.load(connection, self._node.sources.now())
            self._epoch = epoch
        return await publisher.participants(*names)

    def _today(self) -> date:
        return _day_of(self._node.sources.now())

    # -- writing --------------------------------------------------------------------------------------------------

    async def _commit(self, work: Round, after: Cursor | None) -> None:
        if work.raised:
            await self._publish(work, after)
        elif work.changed or after != self._cursor:
            await self._save(work, after)
        self._cursor = after
        work.keep()
        self.watched.rounds += 1
        self.watched.alerts += len(work.raised)

    async def _save(self, work: Round, after: Cursor | None) -> None:
        async with self._node.database.writing(tenants=work.tenants) as connection:
            await may_be_lost(connection)
            await self._write(connection, work, after)
            if not await epoch_holds(connection, self._epoch):
                raise _moved()

    async def _write(self, connection: Connection, work: Round, after: Cursor | None) -> None:
        if after is not None and after != self._cursor and not await move_cursor(connection, self._cursor, after):
            raise _moved()
        await put_parts(connection, work.rows())
        await put_links(connection, work.links)

    async def _publish(self, work: Round, after: Cursor | None) -> None:
        """One batch with the round's alerts; everything else of the round is its effect."""
        node, batch = self._node, self._node.sources.new_id()
        drafts = await self._drafts(work.raised)
        rows = [_new_alert(raised) for raised in work.raised]

        async def effect(connection: Connection) -> None:
            if await read_epoch(connection) != self._epoch or not await work.consents_hold(connection):
                raise _moved()
            await self._write(connection, work, after)
            if await insert_alerts(connection, DEPLOYMENT, batch, rows) != len(rows):
                raise _moved()

        if node.keeper.head.size < self._size:  # another process commits: begin from its head
            async with node.database.reading() as connection, node.keeper.turn:
                await node.keeper.load(connection, node.sources.now())
        await node.publisher.publish_own(
            DEPLOYMENT, node.authority.operator, drafts, tenants=work.tenants, effect=effect, batch_id=batch
        )

    async def _drafts(self, raised: Sequence[Raised]) -> list[Draft]:
        places = sorted({(cause.entry, cause.position) for each in raised for cause in each.signal.causes})
        lenders = sorted({TenantId(cause.lender) for each in raised for cause in each.signal.causes})
        found: dict[tuple[int, int], tuple[UUID, bytes]] = {}
        if places:
            async with self._node.database.reading(tenants=lenders) as connection:
                found = await commitments_at(connection, places)
        today = self._today()
        return [self._draft(each, found, today) for each in raised]

    def _draft(self, raised: Raised, found: dict[tuple[int, int], tuple[UUID, bytes]], today: date) -> Draft:
        causes = []
        for cause in raised.signal.causes:
            at = (cause.entry, cause.position)
            if at in found:
                batch, commitment = found[at]
                causes.append(AlertCause(batch=batch, commitment=commitment, index=at[0], position=at[1]))
        return Draft(
            kind="alert", body=alert_body(raised.signal, self._book, raised.lender, causes), effective_date=today,
            jurisdiction=raised.country, legal_basis=legal_basis_of(raised.signal, lawful=raised.lawful),
            subject=raised.subject, role="borrower",
        )  # fmt: skip


def _new_alert(raised: Raised) -> NewAlert:
    signal = raised.signal
    rule, account = signal.rule, signal.account or None
    return NewAlert(raised.lender, raised.subject, account, rule.code, signal.episode, rule.severity)


def _day_of(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()


def _moved() -> Conflict:
    """What was folded rests on something that is not so any more."""
    return Conflict("watch_overtaken", "the cursor, a key or a consent moved while a round was made",
                    advice="nothing is lost: the round is made again")  # fmt: skip
