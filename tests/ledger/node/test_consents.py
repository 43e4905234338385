"""Versions of a consent under races: whatever the order, the log's order decides, and fsck finds nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ledger.attestation.sharing_kinds import Artefact
from ledger.errors import Conflict, Refused, TallystickError
from ledger.node.node import Node
from ledger.types import Subject, TenantId
from tests.support.checks import CAPTURE, artefact_for, asking, enrol_app, ensure_sound, grant, rows_of
from tests.support.ledgers import Lender, TestDatabase

_EVENTS = """
SELECT e.idx, a.kind FROM attestation a JOIN entry e USING (tenant, batch_id)
 WHERE a.subject = $1 AND a.kind IN ('access', 'consent') ORDER BY e.idx
"""


async def in_force(node: Node, lender: Lender) -> tuple[TenantId, Artefact]:
    """An app with a granted consent to see the transactions of somebody's one loan."""
    app = await enrol_app(node)
    loan = lender.new_loan()
    await node.publisher.publish(lender.name, *lender.batch(loan))
    artefact = artefact_for(loan[0].envelope.subject or b"")
    await grant(node, artefact)
    return app, artefact


async def ask_for_less(node: Node, artefact: Artefact) -> None:
    """The consumer asks to replace a consent by one for SUMMARY."""
    terms = artefact_for(artefact.subject, detail="SUMMARY")
    await node.consents.request(terms, asking("fintech"), replaces=artefact.consent)


async def decide(node: Node, artefact: Artefact, step: str) -> None:
    """The borrower decides."""
    whose = Subject(artefact.subject)
    await node.consents.decide(whose, artefact.consent, step, asking("tallystick"), capture=CAPTURE)


async def test_a_read_that_the_grant_overtakes_is_made_again_under_the_new_terms(
    node: Node, acacia: Lender, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, artefact = await in_force(node, acacia)
    await ask_for_less(node, artefact)
    whole, details = node.reader._disclosed, []

    async def overtaken(subject: Subject, terms: Artefact, *rest: Any, **options: Any) -> Any:
        """The lines as they were read, while the borrower grants the new version."""
        found = await whole(subject, terms, *rest, **options)
        details.append(terms.detail)
        if len(details) == 1:
            await decide(node, artefact, "granted")
        return found

    monkeypatch.setattr(node.reader, "_disclosed", overtaken)
    view = await node.reader.credit_view(app, artefact.consent)
    assert details == ["TRANSACTIONS", "SUMMARY"]
    assert view.detail == "SUMMARY"
    events = await rows_of(database, _EVENTS, artefact.subject)
    # request and grant; request; superseded and granted in one entry; then the one read
    assert [kind for _, kind in events] == ["consent"] * 5 + ["access"]
    assert events[-2][0] == events[-3][0] < events[-1][0] == view.receipt.index
    reads = await rows_of(database, "SELECT version, state, reads FROM consent ORDER BY version")
    assert reads == [(1, "superseded", 0), (2, "active", 1)]
    await ensure_sound(database)


async def test_reads_and_the_grant_of_new_terms_at_once_leave_each_read_under_the_terms_of_its_place(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    app, artefact = await in_force(node, acacia)
    await ask_for_less(node, artefact)
    reads = [node.reader.credit_view(app, artefact.consent, with_bundle=False) for _ in range(8)]
    _, *views = await asyncio.gather(decide(node, artefact, "granted"), *reads)
    events = await rows_of(database, _EVENTS, artefact.subject)
    granted = max(idx for idx, kind in events if kind == "consent")
    for view in views:
        assert view.detail == ("SUMMARY" if view.receipt.index > granted else "TRANSACTIONS")
    await ensure_sound(database)


@pytest.mark.parametrize("steps", [("granted", "revoked"), ("revoked", "granted"), ("rejected", "granted")])
async def test_two_decisions_at_once_leave_one_history_and_nothing_that_was_revoked_reads(
    node: Node, acacia: Lender, database: TestDatabase, steps: tuple[str, str]
) -> None:
    app, artefact = await in_force(node, acacia)
    await ask_for_less(node, artefact)
    outcomes = await asyncio.gather(*(decide(node, artefact, step) for step in steps), return_exceptions=True)
    refused = [each for each in outcomes if each is not None]
    assert {type(each) for each in refused} <= {Refused}
    states = [state for (state,) in await rows_of(database, "SELECT state FROM consent ORDER BY version")]
    if refused:
        assert states in (["superseded", "active"], ["revoked", "rejected"], ["active", "rejected"])
    else:  # the revoke was asked for when the grant had been committed
        assert (steps, states) == (("granted", "revoked"), ["superseded", "revoked"])
    if "active" not in states:
        with pytest.raises(Refused, match="does not allow"):
            await node.reader.credit_view(app, artefact.consent)
    await ensure_sound(database)


async def test_two_requests_for_new_terms_at_once_leave_one_that_waits(
    node: Node, acacia: Lender, database: TestDatabase
) -> None:
    _, artefact = await in_force(node, acacia)
    outcomes = await asyncio.gather(*(ask_for_less(node, artefact) for _ in range(3)), return_exceptions=True)
    refused = [each for each in outcomes if each is not None]
    assert len(refused) == 2
    assert all(isinstance(each, Refused | Conflict) for each in refused)
    assert await rows_of(database, "SELECT version, state FROM consent ORDER BY version") == [
        (1, "active"), (2, "requested"),
    ]  # fmt: skip
    await ensure_sound(database)


async def test_a_request_that_the_revoke_overtakes_is_refused_by_the_log(
    node: Node, acacia: Lender, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, artefact = await in_force(node, acacia)
    whole = node.consents._publish

    async def overtaken(*arguments: Any) -> None:
        """The consumer's request, checked already, after the borrower's revoke."""
        monkeypatch.setattr(node.consents, "_publish", whole)
        await decide(node, artefact, "revoked")
        await whole(*arguments)

    monkeypatch.setattr(node.consents, "_publish", overtaken)
    with pytest.raises(TallystickError) as caught:
        await ask_for_less(node, artefact)
    assert (caught.value.code, caught.value.path) == ("consent_not_in_force", "$[0].body.artefact.supersedes")
    assert await rows_of(database, "SELECT version, state FROM consent") == [(1, "revoked")]
    await ensure_sound(database)


async def test_a_consent_has_a_hundred_versions_at_most(
    node: Node, acacia: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, artefact = await in_force(node, acacia)
    monkeypatch.setattr("ledger.node.consents.CONSENT_VERSIONS_MAX", 2)
    await ask_for_less(node, artefact)
    await decide(node, artefact, "granted")
    with pytest.raises(Refused) as caught:
        await ask_for_less(node, artefact)
    assert caught.value.code == "consent_versions_full"
