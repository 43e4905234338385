"""Begins each day: one signed ``tick`` on the ledger, by which time reaches contracts.

    await ticker.begin(date(2026, 3, 1), declared=(...))      # by the operator
    await ticker.start()                                      # or by itself, when the day turns in UTC

Rules
- A day begins once, days begin in order, and none before it is there (UTC). The store holds it unique, so that of several
  processes one does it.
- A process that was away begins each day that it missed, in order; a gap of more than CATCH_UP_DAYS_MAX days begins the
  last of them only: what a contract did not live through it does not make up one by one for months.
- A tick names the holiday lists that the ledger goes by in the day's year; a contract that pins another one does nothing
  that day but say so.

What this module does not do: begin days for early warning. The watcher takes an event's day from its commit and turns days
by its own clock (watcher.py); ticks only tell it whether a plan was told late by the days of the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from ledger.attestation.contract_kinds import Declaration, Tick
from ledger.errors import InvariantBroken, Refused, TallystickError
from ledger.loan.calendars import HASHES
from ledger.node.clock import Sources
from ledger.node.drafts import Draft
from ledger.node.executor import day_began
from ledger.node.idempotent import Request, earlier_answer, record_of
from ledger.node.managed_keys import ManagedKeys
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Publisher
from ledger.store.contract_rows import last_tick, tick_of
from ledger.store.database import Database

CATCH_UP_DAYS_MAX: Final = 31
"""Days that a process begins one after the other when it was away; a month, the longest business cycle of a contract."""

LOOK_S: Final = 20.0
"""Seconds between two looks at the clock: a day begins at most so late."""

DAY: Final = timedelta(days=1)


class Ticker:
    """The days of one ledger."""

    def __init__(
        self, database: Database, publisher: Publisher, keys: ManagedKeys, sources: Sources, country: str
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keys = keys
        self._sources = sources
        self._country = country
        self._task: asyncio.Task[None] | None = None

    def today(self) -> date:
        """The day in UTC."""
        return datetime.fromtimestamp(self._sources.now() / 1000, UTC).date()

    async def last(self) -> date | None:
        """The newest day that began."""
        async with self._database.reading() as connection:
            return await last_tick(connection)

    async def begin(self, day: date, declared: Sequence[Declaration] = (), *, request: Request | None = None) -> int:
        """Begin a day; gives the log index of its tick. The same ``request`` again gets the first answer.

        Raises Refused ``day_ahead``, ``day_began``.
        """
        if request is None or await earlier_answer(self._database, request) is None:
            await self._ensure_next(day)
            await self._publish(Tick(calendars=calendars_of(day.year), day=day, declared=tuple(declared)), request)
        async with self._database.reading() as connection:
            found = await tick_of(connection, day)
        if found is None:
            raise InvariantBroken("tick_lost", "a day began and its entry is not there")
        return found

    async def _ensure_next(self, day: date) -> None:
        last = await self.last()
        if day > self.today():
            raise Refused("day_ahead", "that day is not there yet", path="day", expected=f"<= {self.today()}")
        if last is not None and day <= last:
            raise day_began(day)

    async def _publish(self, body: Tick, request: Request | None) -> None:
        draft = Draft(kind="tick", body=body, effective_date=body.day, jurisdiction=self._country)
        batch_id, now = self._sources.new_id(), self._sources.now()
        record = None if request is None else record_of(
            request, author=DEPLOYMENT, batch_id=batch_id, answer=body.day.isoformat(), now=now
        )  # fmt: skip
        await self._publisher.publish_own(
            DEPLOYMENT, self._keys.operator, [draft], batch_id=batch_id, idempotency=record,
            tenants=() if request is None else (request.tenant,),
        )  # fmt: skip

    async def start(self) -> None:
        """Begin the days as they come."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Begin no more days."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def catch_up(self) -> list[date]:
        """Begin every day that is there and did not begin; gives them."""
        last, today = await self.last(), self.today()
        first = today if last is None or (today - last).days > CATCH_UP_DAYS_MAX else last + DAY
        began = []
        while first <= today:
            await self.begin(first)
            began.append(first)
            first += DAY
        return began

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TallystickError):  # another process began it, or the database is away
                await self.catch_up()
            await asyncio.sleep(LOOK_S)


def calendars_of(year: int) -> dict[str, bytes]:
    """The holiday lists that the ledger goes by in a year, by name."""
    return {name: bytes.fromhex(digest) for name, digest in HASHES.items() if name.endswith(f"/{year}")}
