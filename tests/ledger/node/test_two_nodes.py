"""Two processes on one database: one history, and what one of them revokes or erases binds the other at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest

from ledger.attestation.sharing_kinds import Erasure
from ledger.errors import Conflict, Refused, TallystickError, Untrusted
from ledger.log.checkpoint import open_checkpoint
from ledger.log.merkle import verify_consistency
from ledger.node.node import Node
from ledger.node.participants import DEPLOYMENT
from ledger.node.publisher import Draft, Receipt
from ledger.types import Subject, UnixMillis
from tests.support.checks import CAPTURE, artefact_for, asking, contiguous, enrol_app, ensure_sound, grant, rows_of
from tests.support.ledgers import KEYRING, ORIGIN, SOURCES, Lender, TestDatabase, running_node

VERIFIER = KEYRING.signer(ORIGIN).verifier


@pytest.fixture
async def other(database: TestDatabase, node: Node) -> AsyncIterator[Node]:
    """A second node over the same database."""
    async with running_node(database) as found:
        yield found


async def test_racing_nodes_write_one_history_and_lose_nothing(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    acked: list[Receipt] = []

    async def client(through: Node, batches: int) -> None:
        for _ in range(batches):
            batch = acacia.batch(acacia.new_loan())
            while True:
                try:
                    acked.append(await through.publisher.publish(acacia.name, *batch))
                    break
                except TallystickError as error:
                    assert error.code == "ledger_contended"

    await asyncio.gather(*(client(through, 15) for through in (node, other) for _ in range(10)))
    assert contiguous((receipt.index for receipt in acked), 2)
    assert len(acked) == 300
    stored = await rows_of(database, "SELECT idx, leaf_hash FROM entry WHERE idx >= 2 ORDER BY idx")
    assert stored == sorted((receipt.index, receipt.leaf_hash) for receipt in acked)
    heads: dict[int, bytes] = {}
    for receipt in acked:
        said = open_checkpoint(receipt.checkpoint, [VERIFIER], origin=ORIGIN).checkpoint
        assert heads.setdefault(said.size, said.root) == said.root
    last = max(heads)
    for size in sorted(heads)[:-1]:
        path = b"".join(await node.log.consistency(size, last))
        verify_consistency(old_size=size, new_size=last, old_root=heads[size], new_root=heads[last], path=path)
    await ensure_sound(database)


async def test_who_lost_the_head_twice_holds_it_and_is_not_starved(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    beside: list[asyncio.Task[Receipt]] = []

    async def overtaken(connection: object) -> None:
        """While this node's batch is written, the other one commits, as far as it can."""
        beside.append(asyncio.create_task(other.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))))
        await asyncio.wait(beside[-1:], timeout=0.5)

    body = Erasure(attestations=0, law="none", request=SOURCES.new_id())
    draft = Draft(kind="erasure", body=body, effective_date=date(2026, 1, 31), jurisdiction="KE")
    operator = node.authority.operator
    publishing = node.publisher.publish_own(DEPLOYMENT, operator, [draft], effect=overtaken, voids_caches=True)
    receipt, _ = await asyncio.wait_for(publishing, 10)
    overtaking = await asyncio.gather(*beside)
    assert [found.index < receipt.index for found in overtaking] == [True, True, False]
    await ensure_sound(database)


async def test_one_loan_changed_through_both_nodes_keeps_every_event(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    loan = acacia.new_loan(1_000)
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    sent = [
        through.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan, 1)]))
        for _ in range(20)
        for through in (node, other)
    ]
    answers = await asyncio.gather(*sent, return_exceptions=True)
    stored = [answer for answer in answers if isinstance(answer, Receipt)]
    assert {getattr(answer, "code", "stored") for answer in answers} <= {"stored", "ledger_contended"}
    report = await ensure_sound(database)
    assert report.checked["attestations"] == 2 + 2 + len(stored)


async def test_the_same_batch_through_both_nodes_is_stored_once(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    for _ in range(15):
        batch = acacia.batch(acacia.new_loan())
        first, second = await asyncio.gather(
            node.publisher.publish(acacia.name, *batch), other.publisher.publish(acacia.name, *batch)
        )
        assert first.index == second.index
        assert sorted((first.duplicate, second.duplicate)) == [False, True]
    await ensure_sound(database)


async def test_a_key_revoked_through_one_node_signs_nothing_more_through_the_other(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    await other.publisher.publish(acacia.name, *acacia.batch(acacia.new_loan()))  # the other node knows the key
    batch = acacia.batch(acacia.new_loan())
    await node.authority.end_key(acacia.name, acacia.key.kid, compromised_from=UnixMillis(SOURCES.now() - 1))
    before = await rows_of(database, "SELECT size FROM head")
    with pytest.raises(Untrusted) as caught:
        await other.publisher.publish(acacia.name, *batch)
    assert caught.value.code == "key_revoked"
    assert await rows_of(database, "SELECT size FROM head") == before
    await ensure_sound(database)


async def test_a_managed_key_that_was_read_before_its_revocation_signs_nothing_after_it(
    node: Node, other: Node, database: TestDatabase
) -> None:
    lender = Lender("baobab")
    key = await node.authority.enrol_key(await enrol_app(node, lender.name), None)
    held = await other.authority.managed_key(lender.name)
    await node.authority.end_key(lender.name, held.kid, compromised_from=UnixMillis(0))
    await other.publisher.refresh()
    async with other.database.reading() as connection:
        await other.keeper.load(connection, SOURCES.now())
    with pytest.raises(Untrusted) as caught:
        await other.publisher.publish_own(lender.name, held, [])
    assert caught.value.code == "key_revoked"
    assert key.kid
    await ensure_sound(database)


async def test_revoking_races_publishing_and_the_log_agrees_with_itself(
    node: Node, other: Node, database: TestDatabase
) -> None:
    for number in range(8):
        lender = await Lender(f"lender-{number}").enrol(node)
        batches = [lender.batch(lender.new_loan()) for _ in range(12)]
        answers = await asyncio.gather(
            *(other.publisher.publish(lender.name, *batch) for batch in batches[:6]),
            node.authority.end_key(lender.name, lender.key.kid, compromised_from=UnixMillis(SOURCES.now() - 1000)),
            *(other.publisher.publish(lender.name, *batch) for batch in batches[6:]),
            return_exceptions=True,
        )
        revoked = answers[6].index
        for answer in answers[:6] + answers[7:]:
            assert answer.index < revoked if isinstance(answer, Receipt) else answer.code == "key_revoked"
    await ensure_sound(database)


async def test_what_is_published_while_a_subject_is_erased_is_sealed_under_a_living_salt(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    for _ in range(12):
        loan = acacia.new_loan()
        subject = Subject(loan[0].envelope.subject or b"")
        await other.publisher.publish(acacia.name, *acacia.batch(loan))
        sent = [acacia.batch(acacia.new_loan(subject=subject)) for _ in range(6)]
        answers = await asyncio.gather(
            *(other.publisher.publish(acacia.name, *batch) for batch in sent[:3]),
            node.authority.erase(subject, "law"),
            *(node.publisher.publish(acacia.name, *batch) for batch in sent[3:]),
            return_exceptions=True,
        )
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        assert {getattr(error, "code", error) for error in errors} <= {"subject_erased", "ledger_contended"}
        erased = answers[3].receipt.index
        live = await rows_of(
            database,
            "SELECT count(*) FROM attestation JOIN entry USING (tenant, batch_id) WHERE subject = $1 AND idx > $2",
            subject, erased,
        )  # fmt: skip
        salts = await rows_of(database, "SELECT count(*) FROM subject_salt WHERE subject = $1", subject)
        assert salts[0][0] >= min(live[0][0], 1)
    await ensure_sound(database)


async def test_no_read_stands_after_the_revoke_that_ends_its_consent(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    app = await enrol_app(node)
    served = refused = 0
    for turn in range(0, 20, 3):
        loan = acacia.new_loan()
        subject = Subject(loan[0].envelope.subject or b"")
        await node.publisher.publish(acacia.name, *acacia.batch(loan))
        artefact = artefact_for(subject)
        await grant(node, artefact)

        async def revoke(consent: object = artefact.consent, whose: Subject = subject, wait: int = turn) -> int:
            await asyncio.sleep(wait / 2000)
            while True:
                try:
                    await node.consents.decide(whose, consent, "revoked", asking("tallystick"), capture=CAPTURE)
                    break
                except TallystickError as error:
                    assert error.code == "ledger_contended"
            rows = await rows_of(
                database,
                "SELECT max(e.idx) FROM attestation a JOIN entry e USING (tenant, batch_id) "
                "WHERE a.subject = $1 AND a.kind = 'consent'",
                whose,
            )
            return int(rows[0][0])

        readers = [
            through.reader.credit_view(app, artefact.consent, with_bundle=False)
            for through in (node, other, node, other)
        ]
        revoked, *answers = await asyncio.gather(revoke(), *readers, return_exceptions=True)
        assert isinstance(revoked, int)
        reads = await rows_of(
            database,
            "SELECT e.idx FROM attestation a JOIN entry e USING (tenant, batch_id) "
            "WHERE a.subject = $1 AND a.kind = 'access'",
            subject,
        )
        assert all(index < revoked for (index,) in reads)
        views = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(reads) == len(views)
        assert {type(answer) for answer in answers if isinstance(answer, BaseException)} <= {Refused, Conflict} or {
            answer.code for answer in answers if isinstance(answer, TallystickError)
        } <= {"consent_revoked", "ledger_contended"}
        served, refused = served + len(views), refused + len(answers) - len(views)
        with pytest.raises(Refused):
            await other.reader.credit_view(app, artefact.consent, with_bundle=False)
    assert served and refused
    await ensure_sound(database)


async def test_a_loan_erased_through_one_node_is_not_brought_back_by_what_the_other_remembers(
    node: Node, other: Node, acacia: Lender, database: TestDatabase
) -> None:
    loan = acacia.new_loan()
    subject = Subject(loan[0].envelope.subject or b"")
    await other.publisher.publish(acacia.name, *acacia.batch(loan))
    await other.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan)]))
    await node.authority.erase(subject, "law")
    with pytest.raises(Refused) as caught:
        await other.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan)]))
    assert caught.value.code == "transition_refused"
    assert await rows_of(database, "SELECT count(*) FROM loan WHERE subject = $1", subject) == [(0,)]
    await ensure_sound(database)


async def test_a_loan_erased_here_is_not_brought_back(node: Node, acacia: Lender, database: TestDatabase) -> None:
    loan = acacia.new_loan()
    subject = Subject(loan[0].envelope.subject or b"")
    await node.publisher.publish(acacia.name, *acacia.batch(loan))
    await node.authority.erase(subject, "law")
    with pytest.raises(Refused):
        await node.publisher.publish(acacia.name, *acacia.batch([acacia.repayment(loan)]))
    assert await rows_of(database, "SELECT count(*) FROM loan WHERE subject = $1", subject) == [(0,)]
    await ensure_sound(database)
