"""Alerts as a lender and a borrower see them: with reasons and proofs, to nobody else, each step on the ledger."""

from __future__ import annotations

import json
import os
from base64 import b64decode, urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.attestation.credit_kinds import Agreement, Delinquency, Disbursement, Overdue
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.node.publisher import Draft
from ledger.node.watcher import Watcher, shipped_rules
from ledger.types import TenantId
from tests.support.served import Application

SUBJECT = bytes(range(32))
TODAY = datetime.now(UTC).date()
LIST = """query ($states: [AlertState!], $severity: Int! = 1, $after: String) {
  alerts(first: 1, states: $states, severity: $severity, after: $after) {
    nodes { id rule severity reading baseline threshold reasons episode unnamedCauses state assignee snoozedUntil outcome
            subject account rulesHash commitment position path data
            entry { index count root leafHash statement tenant { name } }
            causes { index position commitment path statement kind data lender { name }
                     inclusionProof { index treeSize path } } }
    pageInfo { hasNextPage endCursor } } }"""
STEP = """mutation ($input: %sInput!) { %s(input: $input) {
  alert { id state assignee snoozedUntil outcome } errors { code reason path } } }"""


async def lend(application: Application, lender: str, subject: bytes = SUBJECT) -> None:
    """A loan, paid out today."""
    node, name = application.node, TenantId(lender)
    where: dict[str, Any] = {
        "effective_date": TODAY, "jurisdiction": "KE", "account": os.urandom(32), "subject": subject, "role": "borrower",
    }  # fmt: skip
    terms = Agreement(currency="KES", portfolio_type="instalment", principal=5_000)
    drafts = [
        Draft(kind="agreement", body=terms, **where),
        Draft(kind="disbursement", body=Disbursement(amount=5_000, currency="KES", tranche=1), **where),
    ]
    await node.publisher.publish_own(name, await node.authority.managed_key(name), drafts)


async def warned(application: Application) -> dict[str, Any]:
    """Baobab's borrower took two more loans at acacia: baobab's alert, as it lists it."""
    for lender in ("baobab", "acacia", "acacia"):
        await lend(application, lender)
    await Watcher(application.node, shipped_rules(), law=lambda country: True).catch_up()
    found = await application.data(LIST, application.lender("baobab"))
    alert: dict[str, Any] = found["alerts"]["nodes"][0]
    return alert


def step(name: str, alert: dict[str, Any], key: str = "k", **member: str) -> tuple[str, dict[str, Any]]:
    """The document and input of one step."""
    document = STEP % (name[0].upper() + name[1:], name)
    return document, {"idempotencyKey": key, "alert": alert["id"], **member}


async def take(application: Application, name: str, alert: dict[str, Any], who: str = "baobab", **rest: str) -> Any:
    document, asked = step(name, alert, **rest)
    return (await application.data(document, application.lender(who), input=asked))[name]


async def test_a_lender_sees_why_it_was_warned(application: Application) -> None:
    alert = await warned(application)
    shown = {
        name: alert[name] for name in ("rule", "severity", "reading", "baseline", "threshold", "reasons", "episode")
    }
    assert shown == {
        "rule": "stacking_loans_7", "severity": 4, "reading": 2, "baseline": 0, "threshold": 2,
        "reasons": ["new_loans_elsewhere"], "episode": 1,
    }  # fmt: skip
    assert (alert["state"], alert["unnamedCauses"], alert["causes"]) == ("OPEN", 2, [])
    assert b64decode(alert["subject"]) == SUBJECT
    assert b64decode(alert["rulesHash"]) == shipped_rules().digest
    assert alert["entry"]["tenant"]["name"] == "tallystick"


async def test_each_cause_that_the_lender_may_see_is_proven_to_the_log(application: Application) -> None:
    node, name, account = application.node, TenantId("baobab"), os.urandom(32)
    where: dict[str, Any] = {
        "effective_date": TODAY, "jurisdiction": "KE", "account": account, "subject": SUBJECT, "role": "borrower",
    }  # fmt: skip
    terms = Agreement(currency="KES", portfolio_type="instalment", principal=5_000)
    late = Delinquency(currency="KES", dpd_from=0, dpd_to=31, overdue=Overdue(principal=9), since=TODAY)
    drafts = [
        Draft(kind="agreement", body=terms, **where),
        Draft(kind="disbursement", body=Disbursement(amount=5_000, currency="KES", tranche=1), **where),
        Draft(kind="delinquency", body=late, **where),
    ]
    key = await node.authority.managed_key(name)
    _, (_, _, told) = await node.publisher.publish_own(name, key, drafts)
    await Watcher(node, shipped_rules()).catch_up()
    document = LIST.replace("first: 1", "first: 9")
    alerts = (await application.data(document, application.lender("baobab")))["alerts"]["nodes"]
    assert sorted(alert["rule"] for alert in alerts) == ["dpd_30", "first_miss"]
    for alert in alerts:
        ensure_in_its_batch(alert)
        assert b64decode(alert["account"]) == account
        (cause,) = [one for one in alert["causes"] if one["kind"] == "delinquency"][:1]
        assert cause["data"].encode() == told.data
        leaf = b64decode(cause["commitment"])
        assert leaf == leaf_hash(cause["data"].encode()) == told.commitment
        payload = cause["statement"].split(".")[1]
        statement = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        path = b"".join(map(b64decode, cause["path"]))
        root = b64decode(statement["root"] + "=" * (-len(statement["root"]) % 4))
        verify_inclusion(index=cause["position"], size=3, leaf=leaf, path=path, root=root)
        proof = cause["inclusionProof"]
        head = await application.data("{ ledgerHead { root size } }")
        assert proof["treeSize"] == head["ledgerHead"]["size"]
        verify_inclusion(
            index=proof["index"], size=proof["treeSize"], leaf=leaf_hash(cause["statement"].encode()),
            path=b"".join(map(b64decode, proof["path"])), root=b64decode(head["ledgerHead"]["root"]),
        )  # fmt: skip


def ensure_in_its_batch(alert: dict[str, Any]) -> None:
    """The alert's own bytes are what the deployment signed: both of one round lie in one batch."""
    entry, leaf = alert["entry"], b64decode(alert["commitment"])
    assert entry["count"] == 2
    assert leaf == leaf_hash(alert["data"].encode())
    assert json.loads(alert["data"])["body"]["rule"] == alert["rule"]
    path = b"".join(map(b64decode, alert["path"]))
    verify_inclusion(index=alert["position"], size=2, leaf=leaf, path=path, root=b64decode(entry["root"]))
    assert b64decode(entry["leafHash"]) == leaf_hash(entry["statement"].encode())


async def test_nobody_else_sees_it(application: Application) -> None:
    alert = await warned(application)
    assert (await application.data(LIST, application.lender("acacia")))["alerts"]["nodes"] == []
    document = "query ($id: ID!) { alert(id: $id) { rule } node(id: $id) { id } }"
    assert await application.data(document, application.lender("acacia"), id=alert["id"]) == {
        "alert": None,
        "node": None,
    }
    told = await take(application, "alertAssign", alert, "acacia", assignee="mallory")
    assert (told["alert"], [error["reason"] for error in told["errors"]]) == (None, ["alert_unknown"])
    assert (await application.data(document, application.lender("baobab"), id=alert["id"]))["alert"] == {
        "rule": "stacking_loans_7"
    }


async def test_its_life_is_on_the_ledger_step_by_step(application: Application) -> None:
    alert = await warned(application)
    size = await application.size()
    assert (await take(application, "alertAssign", alert, key="1", assignee="asha"))["alert"] == {
        "id": alert["id"], "state": "ASSIGNED", "assignee": "asha", "snoozedUntil": None, "outcome": None,
    }  # fmt: skip
    until = (TODAY + timedelta(days=3)).isoformat()
    snoozed = await take(application, "alertSnooze", alert, key="2", until=until)
    assert (snoozed["alert"]["state"], snoozed["alert"]["snoozedUntil"]) == ("SNOOZED", until)
    closed = await take(application, "alertClose", alert, key="3", outcome="CONTACTED")
    assert (closed["alert"]["state"], closed["alert"]["outcome"]) == ("CLOSED", "CONTACTED")
    refused = await take(application, "alertAssign", alert, key="4", assignee="asha")
    assert [error["reason"] for error in refused["errors"]] == ["alert_step_refused"]
    opened = await take(application, "alertOpen", alert, key="5")
    assert (opened["alert"]["state"], opened["alert"]["outcome"]) == ("OPEN", None)
    assert await application.size() == size + 4


async def test_the_same_step_again_gets_the_first_answer_and_another_under_its_key_is_a_conflict(
    application: Application,
) -> None:
    alert = await warned(application)
    first = await take(application, "alertClose", alert, outcome="OTHER")
    size = await application.size()
    assert await take(application, "alertClose", alert, outcome="OTHER") == first
    other = await take(application, "alertClose", alert, outcome="REPAID")
    assert [error["reason"] for error in other["errors"]] == ["idempotency_reused"]
    assert await application.size() == size


@pytest.mark.parametrize(
    ("name", "member", "reason"),
    [
        ("alertOpen", {}, "alert_step_refused"),
        ("alertSnooze", {"until": TODAY.isoformat()}, "alert_snooze_past"),
        ("alertAssign", {"assignee": ""}, "length_wrong"),
    ],
)
async def test_a_step_that_makes_no_sense_changes_nothing(
    application: Application, name: str, member: dict[str, str], reason: str
) -> None:
    alert = await warned(application)
    size = await application.size()
    told = await take(application, name, alert, **member)
    assert (told["alert"], [error["reason"] for error in told["errors"]]) == (None, [reason])
    assert await application.size() == size


async def test_the_list_is_filtered_and_comes_in_pages(application: Application) -> None:
    alert = await warned(application)
    await lend(application, "acacia", bytes(32))
    for _ in range(2):
        await lend(application, "baobab", bytes(32))
    await lend(application, "baobab", SUBJECT)
    who = application.lender("baobab")

    async def ids(**asked: Any) -> list[str]:
        return [node["id"] for node in (await application.data(LIST, who, **asked))["alerts"]["nodes"]]

    assert await ids(states=["OPEN"]) == [alert["id"]]
    assert await ids(states=["CLOSED", "SNOOZED"]) == []
    assert await ids(severity=4) == [alert["id"]]
    assert await ids(severity=99) == []
    page = (await application.data(LIST, who))["alerts"]["pageInfo"]
    assert page["hasNextPage"] is False
    assert await ids(after=page["endCursor"]) == []
    assert await application.code(LIST, application.lender("acacia"), after=page["endCursor"]) == "cursor_invalid"


async def test_a_borrower_sees_that_it_was_raised_and_not_what_became_of_it(application: Application) -> None:
    alert = await warned(application)
    await take(application, "alertClose", alert, outcome="CONFIRMED")
    document = "{ me { alerts(first: 5) { nodes { rule reasons lender { name } entry { index } } } } }"
    found = await application.data(document, application.borrower(SUBJECT))
    assert found["me"]["alerts"]["nodes"] == [{
        "rule": "stacking_loans_7", "reasons": ["new_loans_elsewhere"], "lender": {"name": "baobab"},
        "entry": {"index": alert["entry"]["index"]},
    }]  # fmt: skip
    assert (await application.data(document, application.borrower(bytes(32))))["me"]["alerts"]["nodes"] == []
