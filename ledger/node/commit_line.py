"""The order in which a process's groups go to the ledger: folded, written and committed one after the other.

    ticket = line.join()                       at once, in the order of arrival
    await ticket.turn(FOLDED); ... ; ticket.reach(FOLDED)
    await ticket.turn(WRITTEN); ticket.ensure_sound(); ... ; ticket.reach(WRITTEN)
    await ticket.turn(DONE); ticket.ensure_sound(); ... COMMIT
    line.leave(ticket, committed=True)

Rules
- Each stage is passed in order, so that a group is folded on what the group before it *will* have committed, while that
  one is still at the database: the two work at the same time even when they are about the same loans.
- When a group fails, what was folded on it is void: every later group finds out before it writes and again before it
  commits (``Outrun``), forgets what it knew and begins again.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum


class Step(IntEnum):
    """How far a group is."""

    FOLDED = 0
    WRITTEN = 1
    DONE = 2


class Outrun(Exception):
    """A group before this one failed; what was folded on it does not hold."""


class Ticket:
    """A group's place in the line."""

    def __init__(self, line: CommitLine, previous: Ticket | None) -> None:
        self._line = line
        self._previous = previous
        self._failures = line.failures
        self._reached = -1
        self._waiting: list[tuple[Step, asyncio.Future[None]]] = []  # mostly nobody, while one publisher is alone

    async def turn(self, step: Step) -> None:
        """Wait until every group before has reached ``step``: also those before one that left without its turn."""
        while (before := self._previous) is not None:
            if before._reached < step:
                await before._until(step)
            if before._reached < Step.DONE:
                return  # it took its own turn at this step after all before it
            self._previous = before._previous

    def reach(self, step: Step) -> None:
        """This group has come so far."""
        self._reached = max(self._reached, step)
        for awaited, future in self._waiting:
            if awaited <= step and not future.done():
                future.set_result(None)
        if step is Step.DONE:
            while self._previous is not None and self._previous._reached == Step.DONE:
                self._previous = self._previous._previous  # or every ticket since the start would stay in memory

    async def _until(self, step: Step) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        await future

    def begin(self) -> None:
        """What is folded from here on rests on the groups that did not fail until now."""
        self._failures = self._line.failures

    def ensure_sound(self) -> None:
        """Raises Outrun when a group failed since :meth:`begin`."""
        if self._failures != self._line.failures:
            raise Outrun


class CommitLine:
    """The line of one process."""

    def __init__(self) -> None:
        self.failures = 0
        self._last: Ticket | None = None

    def join(self) -> Ticket:
        """A place at the end."""
        self._last = Ticket(self, self._last)
        return self._last

    def is_last(self, ticket: Ticket) -> bool:
        """Whether no group came after."""
        return self._last is ticket

    def leave(self, ticket: Ticket, *, committed: bool) -> None:
        """The group is through, or gave up."""
        if not committed:
            self.failures += 1
        ticket.reach(Step.DONE)
