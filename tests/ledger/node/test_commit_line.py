"""The line of groups: each stage in order, later groups learn of a failure, and nothing stays in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from ledger.node.commit_line import CommitLine, Outrun, Step, Ticket


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Group:
    """A group that goes through the line a stage at a time and notes when."""

    def __init__(self, line: CommitLine, name: str, notes: list[str]) -> None:
        self.line, self.name, self.notes = line, name, notes
        self.ticket = line.join()
        self.may = {step: asyncio.Event() for step in Step}

    async def pass_through(self) -> None:
        """All three stages, each when it is allowed to."""
        for step in Step:
            await self.may[step].wait()
            await self.ticket.turn(step)
            if step is Step.FOLDED:
                self.ticket.begin()
            else:
                self.ticket.ensure_sound()
            self.notes.append(f"{self.name} {step.name}")
            if step is not Step.DONE:
                self.ticket.reach(step)
        self.line.leave(self.ticket, committed=True)

    def allow(self, *steps: Step) -> None:
        """Let it come to these."""
        for step in steps or tuple(Step):
            self.may[step].set()


async def test_the_first_group_waits_for_nobody() -> None:
    ticket = CommitLine().join()
    for step in Step:
        await asyncio.wait_for(ticket.turn(step), 1)


async def test_each_stage_is_passed_in_the_order_of_arrival() -> None:
    line, notes = CommitLine(), []
    groups = [Group(line, name, notes) for name in "abc"]
    running = [asyncio.create_task(group.pass_through()) for group in groups]
    for group in reversed(groups):
        group.allow()
        await settle()
    await asyncio.gather(*running)
    for step in Step:
        assert [note for note in notes if note.endswith(step.name)] == [f"{name} {step.name}" for name in "abc"]


async def test_a_group_is_folded_while_the_one_before_is_at_the_database() -> None:
    line, notes = CommitLine(), []
    first, second = Group(line, "a", notes), Group(line, "b", notes)
    running = [asyncio.create_task(group.pass_through()) for group in (first, second)]
    second.allow()
    await settle()
    assert notes == []
    first.allow(Step.FOLDED)
    await settle()
    assert notes == ["a FOLDED", "b FOLDED"]
    first.allow(Step.WRITTEN)
    await settle()
    assert notes == ["a FOLDED", "b FOLDED", "a WRITTEN", "b WRITTEN"]
    first.allow(Step.DONE)
    await asyncio.gather(*running)
    assert notes[4:] == ["a DONE", "b DONE"]


async def test_reaching_a_stage_reaches_those_before_it() -> None:
    line = CommitLine()
    first, second = line.join(), line.join()
    first.reach(Step.WRITTEN)
    await asyncio.wait_for(second.turn(Step.FOLDED), 1)
    await asyncio.wait_for(second.turn(Step.WRITTEN), 1)
    waiting = asyncio.create_task(second.turn(Step.DONE))
    await settle()
    assert not waiting.done()
    line.leave(first, committed=True)
    await asyncio.wait_for(waiting, 1)


async def test_a_group_that_began_before_a_failure_is_outrun_and_one_that_begins_after_is_sound() -> None:
    line = CommitLine()
    first, second, third = line.join(), line.join(), line.join()
    first.reach(Step.FOLDED)
    second.begin()
    second.ensure_sound()
    line.leave(first, committed=False)
    with pytest.raises(Outrun):
        second.ensure_sound()
    third.begin()
    third.ensure_sound()
    line.leave(second, committed=False)
    with pytest.raises(Outrun):
        third.ensure_sound()


async def test_a_commit_outruns_nobody() -> None:
    line = CommitLine()
    first, second = line.join(), line.join()
    second.begin()
    line.leave(first, committed=True)
    second.ensure_sound()
    assert line.failures == 0


async def test_a_group_learns_whether_one_came_after_it() -> None:
    line = CommitLine()
    first = line.join()
    assert line.is_last(first)
    second = line.join()
    assert (line.is_last(first), line.is_last(second)) == (False, True)


async def test_a_group_that_is_no_longer_awaited_holds_nobody_back() -> None:
    line = CommitLine()
    first, second, third = line.join(), line.join(), line.join()
    gone = asyncio.create_task(second.turn(Step.FOLDED))
    waiting = asyncio.create_task(third.turn(Step.DONE))
    await settle()
    gone.cancel()
    line.leave(first, committed=True)
    line.leave(second, committed=False)
    await asyncio.wait_for(waiting, 1)


async def test_a_group_that_gives_up_holds_nobody_back() -> None:
    line = CommitLine()
    first, second = line.join(), line.join()
    waiting = [asyncio.create_task(second.turn(step)) for step in Step]
    await settle()
    assert not any(task.done() for task in waiting)
    line.leave(first, committed=False)
    await asyncio.wait_for(asyncio.gather(*waiting), 1)


async def attempt(line: CommitLine, failing: list[str], name: str, done: list[str]) -> None:
    """A group the way the committer runs one: again after a failure, then folding only when the one before is over."""
    cautious = False
    for _ in range(8):
        ticket, committed = line.join(), False
        try:
            await ticket.turn(Step.DONE if cautious else Step.FOLDED)
            ticket.begin()
            ticket.reach(Step.FOLDED)
            await asyncio.sleep(0)
            await ticket.turn(Step.WRITTEN)
            ticket.ensure_sound()
            if name in failing:
                failing.remove(name)
                raise Outrun
            ticket.reach(Step.WRITTEN)
            await ticket.turn(Step.DONE)
            ticket.ensure_sound()
            done.append(name)
            committed = True
            return
        except Outrun:
            cautious = True
        finally:
            line.leave(ticket, committed=committed)
    pytest.fail(f"{name} never came through")


async def test_groups_that_fail_do_not_keep_voiding_each_other() -> None:
    line, done = CommitLine(), []
    names = [f"g{number}" for number in range(24)]
    failing = names[::3] + names[::5]
    await asyncio.wait_for(asyncio.gather(*(attempt(line, failing, name, done) for name in names)), 5)
    assert sorted(done) == sorted(names)
    assert failing == []


async def test_a_cancelled_group_lets_the_next_one_pass() -> None:
    line, done = CommitLine(), []
    first = line.join()
    stuck = asyncio.create_task(attempt(line, [], "stuck", done))
    await settle()
    after = asyncio.create_task(attempt(line, [], "after", done))
    await settle()
    stuck.cancel()
    line.leave(first, committed=True)
    await asyncio.wait_for(after, 1)
    assert done == ["after"]
    assert line.failures >= 1


async def test_tickets_are_let_go_once_they_are_through() -> None:
    line, seen = CommitLine(), weakref.WeakSet[Ticket]()
    for number in range(500):
        ticket = line.join()
        seen.add(ticket)
        line.leave(ticket, committed=number % 2 == 0)
    del ticket
    gc.collect()
    assert len(seen) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_group_that_leaves_without_its_turn_lets_nobody_overtake_those_before_it(committed: bool) -> None:
    line = CommitLine()
    first, empty, third = line.join(), line.join(), line.join()
    line.leave(empty, committed=committed)
    waiting = asyncio.create_task(third.turn(Step.DONE))
    await settle()
    assert not waiting.done()
    first.reach(Step.WRITTEN)
    await settle()
    assert not waiting.done()
    line.leave(first, committed=True)
    await asyncio.wait_for(waiting, 1)


async def test_tickets_that_end_in_the_reverse_order_are_let_go_too() -> None:
    line, seen = CommitLine(), weakref.WeakSet[Ticket]()
    for _ in range(50):
        some = [line.join() for _ in range(10)]
        seen.update(some)
        for ticket in reversed(some):
            line.leave(ticket, committed=True)
    del some, ticket
    line.leave(line.join(), committed=True)
    gc.collect()
    assert len(seen) == 0
