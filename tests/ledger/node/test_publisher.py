"""Publishing: what is acknowledged is stored once and proven, what is refused leaves nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ledger.attestation.credit_kinds import Closure
from ledger.errors import Conflict, InvalidInput, NotFound, Refused, TallystickError, Unavailable, Untrusted
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import verify_inclusion
from ledger.node import publisher as publisher_module
from ledger.node.clock import Sources
from ledger.node.group_fold import read_cached
from ledger.node.loan_cache import CachedLoan
from ledger.node.node import Node
from ledger.node.publisher import Receipt
from ledger.store.tenant_rows import TenantRow
from ledger.types import Subject, UnixMillis
from tests.support.checks import contiguous, ensure_sound, rows_of
from tests.support.ledgers import KEYRING, ORIGIN, SOURCES, Lender, TestDatabase, running_node

COUNTS = """
SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM attestation), (SELECT count(*) FROM loan),
       (SELECT count(*) FROM consent), (SELECT count(*) FROM idempotency), (SELECT size FROM head)
"""


async def refusal(awaitable: Any) -> TallystickError:
    """The error that something ends with."""
    with pytest.raises(TallystickError) as caught:
        await awaitable
    return caught.value


def ensure_proven(receipt: Receipt) -> None:
    """The receipt alone proves its entry under the log's key."""
    said = open_checkpoint(receipt.checkpoint, [KEYRING.signer(ORIGIN).verifier], origin=ORIGIN).checkpoint
    assert said.size == receipt.tree_size
    verify_inclusion(
        index=receipt.index, size=said.size, leaf=receipt.leaf_hash, path=b"".join(receipt.path), root=said.root
    )


async def test_a_receipt_proves_its_entry(node: Node, acacia: Lender, database: TestDatabase) -> None:
    receipt = await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
    assert (receipt.index, receipt.tree_size, receipt.count, receipt.duplicate) == (2, 3, 2, False)
    ensure_proven(receipt)
    report = await ensure_sound(database)
    assert (report.checked["entries"], report.checked["attestations"], report.checked["loans"]) == (3, 4, 1)


async def test_the_same_batch_again_gets_the_first_index_and_adds_nothing(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    batch = acacia.batch(acacia.new_loan())
    first = await node.publisher.publish(acacia.name, *batch)
    before = await rows_of(database, COUNTS)
    again = await node.publisher.publish(acacia.name, *batch)
    assert (again.index, again.duplicate, again.committed_at) == (first.index, True, first.committed_at)
    ensure_proven(again)
    assert await rows_of(database, COUNTS) == before


async def test_one_batch_sent_many_times_at_once_is_stored_once_and_answered_each_time(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    loan = acacia.new_loan(500)
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    batch = acacia.batch([acacia.repayment(loan, 500)])  # clears the loan: a second repayment of it would be refused
    receipts = await asyncio.gather(*(node.publisher.publish(acacia.name, *batch) for _ in range(20)))
    assert {receipt.index for receipt in receipts} == {3}
    assert sorted(receipt.duplicate for receipt in receipts) == [False] + [True] * 19
    await ensure_sound(database)


async def test_the_same_id_over_other_bytes_is_a_conflict(node: Node, acacia: Lender, database: TestDatabase) -> None:
    batch_id = SOURCES.new_id()
    await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan(), batch_id))
    before = await rows_of(database, COUNTS)
    error = await refusal(node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan(), batch_id)))
    assert (type(error), error.code) == (Conflict, "batch_differs")
    assert await rows_of(database, COUNTS) == before


async def test_an_attestation_in_a_second_batch_is_a_conflict_that_names_its_line(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    loan = acacia.new_loan()
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    repayment = acacia.repayment(loan)
    await node.publisher.publish(acacia.name, *acacia.batch([repayment]))
    before = await rows_of(database, COUNTS)
    error = await refusal(node.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan), repayment])))
    assert (type(error), error.code, error.path) == (Conflict, "attestation_duplicate", "$[1].id")
    assert await rows_of(database, COUNTS) == before
    await ensure_sound(database)


async def test_a_transition_that_the_loan_refuses_stores_nothing_of_its_batch(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    before = await rows_of(database, COUNTS)
    loan = acacia.new_loan()
    error = await refusal(node.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan)])))
    assert (type(error), error.code, error.path) == (Refused, "transition_refused", "$[0].kind")
    batch = acacia.batch([*loan, acacia.attest("closure", Closure(cause="refinanced"), account=b"a" * 32)])
    error = await refusal(node.publisher.publish(acacia.name, *batch))
    assert (error.code, error.path) == ("transition_refused", "$[2].kind")
    assert await rows_of(database, COUNTS) == before


async def test_a_refused_batch_does_not_take_its_group_along(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    good = [acacia.batch(acacia.new_loan()) for _ in range(10)]
    bad = [acacia.batch([acacia.repayment(acacia.new_loan())]) for _ in range(10)]
    mixed = [batch for pair in zip(good, bad, strict=True) for batch in pair]
    sent = (node.publisher.publish(acacia.name, *batch) for batch in mixed)
    answers = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Receipt, Refused] * 10
    assert contiguous((answer.index for answer in answers[::2]), 2)
    await ensure_sound(database)


async def test_an_effect_that_is_refused_leaves_nothing_behind_for_the_next_group(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    before = await rows_of(database, COUNTS)
    error = await refusal(node.authority.erase(Subject(b"x" * 32), "law"))
    assert (type(error), error.code) == (NotFound, "subject_unknown")
    assert await rows_of(database, COUNTS) == before
    await node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))
    await ensure_sound(database)


async def test_a_refused_effect_fails_alone_in_its_group(node: Node, acacia: Lender, database: TestDatabase) -> None:
    sent = [node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan())) for _ in range(8)]
    erasures = [node.authority.erase(Subject(bytes([n]) * 32), "law") for n in range(3)]
    answers = await asyncio.gather(*sent, *erasures, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Receipt] * 8 + [NotFound] * 3
    await ensure_sound(database)


async def test_two_hundred_batches_at_once_share_transactions_and_stand_in_one_history(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    batches = [acacia.batch(acacia.new_loan()) for _ in range(200)]
    receipts = await asyncio.gather(*(node.publisher.publish(acacia.name, *batch) for batch in batches))
    assert contiguous((receipt.index for receipt in receipts), 2)
    assert len({receipt.tree_size for receipt in receipts}) < 100
    for receipt in receipts:
        ensure_proven(receipt)
    await ensure_sound(database)


async def test_batches_of_one_loan_are_taken_in_the_order_of_arrival(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    loan = acacia.new_loan(100)
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    chain = [acacia.batch([acacia.repayment(loan, 1)]) for _ in range(30)]
    receipts = await asyncio.gather(*(node.publisher.publish(acacia.name, *batch) for batch in chain))
    assert [receipt.index for receipt in receipts] == list(range(3, 33))
    assert await rows_of(database, "SELECT count(*) FROM loan") == [(1,)]
    await ensure_sound(database)


async def test_a_full_tile_boundary_inside_a_group_is_crossed_soundly(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    for size in (250, 8):
        batches = [acacia.batch(acacia.new_loan()) for _ in range(size)]
        receipts = await asyncio.gather(*(node.publisher.publish(acacia.name, *batch) for batch in batches))
        for receipt in receipts:
            ensure_proven(receipt)
    report = await ensure_sound(database)
    assert (report.size, report.checked["tiles"]) == (260, 1)


async def test_past_the_bound_the_queue_is_full_and_says_when_to_come_back(
    node: Node, acacia: Lender, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "QUEUE_BATCHES_MAX", 4)
    sent = (node.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan())) for _ in range(40))
    answers = await asyncio.gather(*sent, return_exceptions=True)
    full = [answer for answer in answers if isinstance(answer, Unavailable)]
    stored = [answer for answer in answers if isinstance(answer, Receipt)]
    assert len(full) + len(stored) == 40 and full and stored
    assert {(error.code, error.retry_after_s) for error in full} == {("queue_full", 1)}
    assert await rows_of(database, "SELECT count(*) FROM entry") == [(2 + len(stored),)]


async def test_a_caller_that_goes_away_cancels_nothing(node: Node, acacia: Lender, database: TestDatabase) -> None:
    batches = [acacia.batch(acacia.new_loan()) for _ in range(30)]
    tasks = [asyncio.create_task(node.publisher.publish(acacia.name, *batch)) for batch in batches]
    for turns, task in enumerate(tasks):
        for _ in range(turns % 4):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    receipts = [await node.publisher.publish(acacia.name, *batch) for batch in batches]
    assert len({receipt.index for receipt in receipts}) == 30
    await ensure_sound(database)


@pytest.mark.parametrize(
    ("spoil", "kind", "code"),
    [
        (
            lambda token, body: (token[:-40] + token[-40:-20].swapcase() + token[-20:], body),
            Untrusted,
            "signature_invalid",
        ),
        (lambda token, body: (token, body[:-1]), InvalidInput, "body_unterminated"),
        (lambda token, body: (token, body + body.splitlines(keepends=True)[0]), InvalidInput, "count_differs"),
        (lambda token, body: (token, body.replace(b'"KES"', b'"UGX"')), Untrusted, "root_differs"),
        (lambda token, body: (token, b"".join(reversed(body.splitlines(keepends=True)))), Untrusted, "root_differs"),
    ],
)
async def test_a_spoilt_batch_is_refused_before_it_is_queued(
    node: Node, acacia: Lender, database: TestDatabase, spoil: Any, kind: type, code: str
) -> None:
    before = await rows_of(database, COUNTS)
    error = await refusal(node.publisher.publish(acacia.name, *spoil(*acacia.batch(acacia.new_loan()))))
    assert (type(error), error.code) == (kind, code)
    assert await rows_of(database, COUNTS) == before


async def test_another_tenants_batch_is_refused(node: Node, acacia: Lender) -> None:
    baobab = await Lender("baobab").enrol(node)
    error = await refusal(node.publisher.publish(acacia.name, *baobab.batch(baobab.new_loan())))
    assert error.code == "key_unknown"
    baobab.name = acacia.name  # its key, the other's name
    error = await refusal(node.publisher.publish(acacia.name, *baobab.batch(baobab.new_loan())))
    assert error.code == "key_unknown"


async def test_time_never_goes_back_in_the_log_when_the_clock_does(database: TestDatabase) -> None:
    hours = [0]
    sources = Sources(now=lambda: UnixMillis(SOURCES.now() + hours[0] * 3_600_000))
    async with running_node(database, sources=sources) as node:
        times = []
        for number, hours[0] in enumerate((0, -1, -30, 0, -1)):
            await node.authority.enrol_tenant(TenantRow(f"lender-{number}", "A lender", "lender", "KE"), None)
            times.append((await node.log.head()).committed_at)
        assert times == sorted(set(times))
    await ensure_sound(database)


async def test_a_small_batch_that_fills_a_tile_forgets_no_loan(
    node: Node, acacia: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    loan = acacia.new_loan(1_000_000)
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    reads: list[object] = []

    async def counted(connection: object, keys: list[bytes]) -> dict[bytes, CachedLoan]:
        reads.append(keys)
        return await read_cached(connection, keys)

    monkeypatch.setattr("ledger.node.committer.read_cached", counted)
    monkeypatch.setattr("ledger.node.group_fold.read_cached", counted)
    while (await node.log.head()).size <= 258:
        await node.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan, 1)]))
    assert reads == []
