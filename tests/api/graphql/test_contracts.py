"""Contracts as their parties use them: proposed, signed, executed with a proof, answered, ended; nobody else sees one."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64decode, b64encode, urlsafe_b64decode
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.auth.permissions import Role
from ledger.attestation.credit_kinds import Agreement, Disbursement, Repayment, Schedule, ScheduleRow
from ledger.attestation.jws import sign_jws
from ledger.attestation.keys import PrivateKey
from ledger.contract import library
from ledger.contract.document import Parties, canonical_bytes, contract_hash
from ledger.contract.source import read_source
from ledger.contract.steps import CONTRACT_TYPE, step_payload
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.node.drafts import Draft
from ledger.types import TenantId, UnixMillis
from tests.support.served import Application

SUBJECT, ACCOUNT = bytes(range(32)), bytes(range(32, 64))
TODAY = datetime.now(UTC).date()
AT = "2026-11-24T10:00:00.000Z"
AT_MS = UnixMillis(1_795_514_400_000)
LATE = ((1, -10), (2, 20))
"""A schedule: number, and days from today; the first one is ten days late."""

SHOWN = """contract { hash title state account currency signedBy parties inForceSince expires document lender { name }
  proposals { id rule effect arguments { name value } needs accepted until } }"""
LIST = """query ($first: Int!, $after: String, $account: AccountInput) {
  contracts(first: $first, after: $after, account: $account) { nodes { hash } pageInfo { hasNextPage endCursor } } }"""
ONE = "query ($hash: Base64!) { contract(hash: $hash) { title state } }"
HISTORY = """query ($hash: Base64!, $after: String) { contractHistory(hash: $hash, first: 1, after: $after) {
  nodes { id rule effect arguments { name value } causeIndex causeBatch causePosition inputs index batch position
          commitment path data } pageInfo { hasNextPage endCursor } } }"""
SIMULATE = """query ($source: String!) { contractSimulate(document: $source) {
  hash document notes faults { code path message } steps { day says trigger does } } }"""
DAY = "mutation ($input: DayBeginInput!) { dayBegin(input: $input) { day index errors { code reason path } } }"


def text(value: bytes) -> str:
    return b64encode(value).decode()


def mutation(name: str) -> str:
    kind = {"contractPropose": "ContractProposeInput", "contractAnswer": "ContractAnswerInput"}
    asked = kind.get(name, "ContractStepInput")
    return f"mutation ($input: {asked}!) {{ {name}(input: $input) {{ {SHOWN} errors {{ code reason path }} }} }}"


async def ask(application: Application, name: str, who: dict[str, str], **asked: Any) -> dict[str, Any]:
    """The payload of one step."""
    asked = {"idempotencyKey": os.urandom(8).hex()} | asked
    payload: dict[str, Any] = (await application.data(mutation(name), who, input=asked))[name]
    return payload


def refusals(payload: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["code"], error["reason"]) for error in payload["errors"]]


async def publish(application: Application, *bodies: tuple[str, Any]) -> None:
    """Facts about the loan in acacia's name, as of today."""
    node, name = application.node, TenantId("acacia")
    where: dict[str, Any] = {
        "effective_date": TODAY, "jurisdiction": "KE", "account": ACCOUNT, "subject": SUBJECT, "role": "borrower",
    }  # fmt: skip
    drafts = [Draft(kind=kind, body=body, **where) for kind, body in bodies]
    await node.publisher.publish_own(name, await node.authority.managed_key(name), drafts)


async def lend(application: Application, schedule: tuple[tuple[int, int], ...] = LATE) -> None:
    """A loan of 500.00 KES in two instalments."""
    rows = tuple(ScheduleRow(due=TODAY + timedelta(days), n=n, principal=25_000) for n, days in schedule)
    await publish(
        application,
        ("agreement", Agreement(currency="KES", portfolio_type="instalment", principal=50_000)),
        ("disbursement", Disbursement(amount=50_000, currency="KES", tranche=1)),
        ("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1)),
    )


def source(name: str = "late-fee", *, lender: str = "acacia", borrower: bytes = SUBJECT, **changed: Any) -> str:
    """A contract of the library between these parties, as a person might write it: backwards, with air and nulls."""
    document = library.agree(
        library.load(name).document, parties=Parties(borrower=borrower, lender=lender), account=ACCOUNT,
        currency="KES", expires=date(2032, 1, 1),
    )  # fmt: skip
    values = json.loads(canonical_bytes(document)) | changed
    return json.dumps(dict(reversed(values.items())) | {"model": None}, indent=3)


async def proposed(application: Application, document: str | None = None) -> str:
    """The hash of a contract that acacia proposed."""
    payload = await ask(application, "contractPropose", application.lender(), document=document or source())
    assert payload["errors"] == []
    found: str = payload["contract"]["hash"]
    return found


async def agreed(application: Application, document: str | None = None) -> str:
    """The hash of a contract in force."""
    contract = await proposed(application, document)
    for who in (application.lender(), application.borrower(SUBJECT)):
        payload = await ask(application, "contractSign", who, contract=contract)
        assert payload["errors"] == []
    assert payload["contract"]["state"] == "in_force"
    return contract


async def begin(application: Application, day: date = TODAY, key: str = "d", **rest: Any) -> dict[str, Any]:
    asked = {"idempotencyKey": key, "day": day.isoformat(), **rest}
    payload: dict[str, Any] = (await application.data(DAY, application.operator, input=asked))["dayBegin"]
    return payload


async def test_both_parties_sign_and_the_contract_is_in_force(application: Application) -> None:
    await lend(application)
    payload = await ask(application, "contractPropose", application.lender(), document=source())
    shown = payload["contract"]
    values = json.loads(shown["document"])
    assert list(values) == sorted(values)
    assert "model" not in values
    assert leaf(shown["document"]) == b64decode(shown["hash"])
    assert (shown["state"], shown["signedBy"], shown["parties"]) == ("proposed", [], ["lender", "borrower"])
    assert (shown["account"], shown["currency"], shown["expires"]) == (text(ACCOUNT), "KES", "2032-01-01")
    assert shown["lender"] == {"name": "acacia"}
    contract, borrower = shown["hash"], application.borrower(SUBJECT)
    first = (await ask(application, "contractSign", application.lender(), contract=contract))["contract"]
    assert (first["state"], first["signedBy"], first["inForceSince"]) == ("proposed", ["lender"], None)
    both = (await ask(application, "contractSign", borrower, contract=contract))["contract"]
    assert (both["state"], sorted(both["signedBy"])) == ("in_force", ["borrower", "lender"])
    assert both["inForceSince"] == TODAY.isoformat()
    again = await ask(application, "contractSign", borrower, contract=contract)
    assert refusals(again) == [("REFUSED", "contract_step_refused")]


async def test_a_source_in_toml_with_samples_is_the_same_contract(application: Application) -> None:
    source_text = library.source_of("late-fee").decode()
    payload = await ask(application, "contractPropose", application.lender(), document=source_text)
    assert payload["errors"] == []
    assert b64decode(payload["contract"]["hash"]) == contract_hash(library.load("late-fee").document)
    assert "samples" not in json.loads(payload["contract"]["document"])


def leaf(document: str) -> bytes:
    """The hash by which everybody names this canonical document."""
    return contract_hash(read_source(document.encode()).document)


UNKNOWN_NAME = [
    {"id": "r", "prose": "When it rains", "on": ["tick.day"], "if": "loan.rain > 0",
     "do": [{"effect": "penalty.apply", "code": "late", "amount": 1}]}
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        (source(rules=UNKNOWN_NAME), "contract_invalid", ["rules", "0", "if"]),
        (source(currency="KE"), "contract_malformed", ["currency"]),
        ("[]", "contract_malformed", []),
        ("title =", "contract_malformed", []),
        (source(lender="baobab"), "contract_mismatch", ["parties", "lender"]),
        (source(borrower=bytes(32)), "contract_mismatch", ["parties", "borrower"]),
        (source(currency="USD"), "contract_mismatch", ["currency"]),
        (source(summary="x" * 900, rules=[
            {"id": f"r{n}", "prose": "y" * 1_000, "on": ["tick.day"], "if": "loan.dpd > 90",
             "do": [{"effect": "alert.raise", "code": "LATE", "severity": 1}]} for n in range(10)
        ], authority={"alert.raise": ["lender"]}), "contract_long", None),
    ],
)  # fmt: skip
async def test_a_document_that_does_not_fit_is_refused_with_its_place(
    application: Application, document: str, code: str, path: list[str] | None
) -> None:
    await lend(application)
    size = await application.size()
    payload = await ask(application, "contractPropose", application.lender(), document=document)
    assert payload["contract"] is None
    assert [(error["code"], error["reason"], error["path"]) for error in payload["errors"]] == [
        ("INVALID_INPUT", code, path)
    ]
    assert await application.size() == size


async def test_a_contract_is_proposed_once(application: Application) -> None:
    asked = {"idempotencyKey": "mine", "document": source()}
    first = await ask(application, "contractPropose", application.lender(), **asked)
    size = await application.size()
    assert await ask(application, "contractPropose", application.lender(), **asked) == first
    again = await ask(application, "contractPropose", application.lender(), document=source())
    assert refusals(again) == [("CONFLICT", "contract_exists")]
    other = asked | {"document": source("payment-closure")}
    refused = await ask(application, "contractPropose", application.lender(), **other)
    assert refusals(refused) == [("CONFLICT", "idempotency_reused")]
    assert await application.size() == size


async def test_a_step_under_one_key_is_one_step_and_another_under_it_a_conflict(application: Application) -> None:
    contract = await agreed(application)
    asked = {"idempotencyKey": "mine", "contract": contract, "reason": "moved"}
    first = await ask(application, "contractTerminate", application.lender(), **asked)
    assert (first["errors"], first["contract"]["state"]) == ([], "in_force")
    size = await application.size()
    assert await ask(application, "contractTerminate", application.lender(), **asked) == first
    for name, changed in (("contractTerminate", {"reason": "paid"}), ("contractWithdraw", {})):
        payload = await ask(application, name, application.lender(), **asked | changed)
        assert refusals(payload) == [("CONFLICT", "idempotency_reused")]
    assert await application.size() == size


async def test_equal_requests_at_one_moment_all_get_the_first_answer(application: Application) -> None:
    asked: dict[str, Any] = {"idempotencyKey": "a", "document": source()}
    found = await asyncio.gather(
        *[ask(application, "contractPropose", application.lender(), **asked) for _ in range(3)]
    )
    assert [payload["errors"] for payload in found] == [[], [], []]
    size, contract = await application.size(), found[0]["contract"]["hash"]
    asked = {"idempotencyKey": "b", "contract": contract}
    found = await asyncio.gather(*[ask(application, "contractSign", application.lender(), **asked) for _ in range(3)])
    assert [(payload["errors"], payload["contract"]["signedBy"]) for payload in found] == 3 * [([], ["lender"])]
    assert await application.size() == size + 1


async def test_two_borrowers_may_choose_the_same_key(application: Application) -> None:
    other = bytes(32)
    for borrower in (SUBJECT, other):
        contract = await proposed(application, source(borrower=borrower))
        asked = {"idempotencyKey": "mine", "contract": contract}
        payload = await ask(application, "contractSign", application.borrower(borrower), **asked)
        assert (payload["errors"], payload["contract"]["signedBy"]) == ([], ["borrower"])


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
async def test_a_borrower_signs_with_an_own_key_and_only_over_the_step(application: Application, alg: Any) -> None:
    key, contract = PrivateKey.from_random(alg, b"\x03" * 32), await proposed(application)
    public = {name: value for name, value in key.public_jwk().items() if name in ("kty", "crv", "x", "y")}
    payload = step_payload(b64decode(contract), "borrower", "signed", AT_MS)
    elsewhere = step_payload(b64decode(contract), "borrower", "terminated", AT_MS)
    for signed, typ, reason in (
        (elsewhere, CONTRACT_TYPE, ("INVALID_INPUT", "contract_signature_differs")),
        (payload, "tallystick-consent+jws", ("UNTRUSTED", "jws_typ_wrong")),
        (payload, CONTRACT_TYPE, None),
    ):
        signature = public | {"jws": sign_jws(signed, key, typ).decode(), "at": AT}
        size = await application.size()
        who = application.borrower(SUBJECT)
        found = await ask(application, "contractSign", who, contract=contract, signature=signature)
        assert refusals(found) == ([] if reason is None else [reason])
        assert await application.size() == size + (reason is None)
    assert found["contract"]["signedBy"] == ["borrower"]


async def test_a_lender_signs_with_an_enrolled_key_alone(application: Application) -> None:
    key, contract = PrivateKey.from_random("EdDSA", b"\x04" * 32), await proposed(application)
    public = {name: key.public_jwk()[name] for name in ("kty", "crv", "x")}
    jws = sign_jws(step_payload(b64decode(contract), "lender", "signed", AT_MS), key, CONTRACT_TYPE).decode()
    signature = public | {"jws": jws, "at": AT}
    payload = await ask(application, "contractSign", application.lender(), contract=contract, signature=signature)
    assert refusals(payload) == [("UNTRUSTED", "key_unknown")]


async def test_contracts_are_listed_in_pages_by_their_hash(application: Application) -> None:
    hashes = sorted([
        await proposed(application), await proposed(application, source("payment-closure")),
        await proposed(application, source("disaster-grace")),
    ], key=b64decode)  # fmt: skip
    for who in (application.lender(), application.borrower(SUBJECT)):
        seen: list[str] = []
        after, more = None, True
        while more:
            page = (await application.data(LIST, who, first=2, after=after))["contracts"]
            seen += [node["hash"] for node in page["nodes"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert seen == hashes
    for reference, count in ((ACCOUNT, 3), (bytes(32), 0)):
        account = {"reference": text(reference)}
        page = (await application.data(LIST, application.lender(), first=9, account=account))["contracts"]
        assert len(page["nodes"]) == count


async def test_a_contract_is_shown_to_its_parties_and_to_nobody_else(application: Application) -> None:
    await lend(application)
    contract = await agreed(application)
    await begin(application)
    size = await application.size()
    for party in (application.lender(), application.borrower(SUBJECT)):
        found = await application.data(ONE, party, hash=contract)
        assert found["contract"] == {"title": "A late fee with a cap", "state": "in_force"}
    for stranger in (application.lender("baobab"), application.borrower(bytes(32))):
        assert (await application.data(ONE, stranger, hash=contract)) == {"contract": None}
        assert (await application.data(LIST, stranger, first=5))["contracts"]["nodes"] == []
        assert await application.code(HISTORY, stranger, hash=contract) == "contract_unknown"
        for name in ("contractSign", "contractWithdraw", "contractTerminate"):
            payload = await ask(application, name, stranger, contract=contract)
            assert refusals(payload) == [("NOT_FOUND", "contract_unknown")]
    for role in (Role.APP, Role.BUREAU, Role.OPERATOR):
        assert await application.code(ONE, application.headers("fintech", role), hash=contract) == "permission_denied"
    assert await application.code(mutation("contractPropose"), application.borrower(SUBJECT), input={
        "idempotencyKey": "k", "document": source()}) == "permission_denied"  # fmt: skip
    assert await application.size() == size


async def test_a_document_is_tried_on_its_own_samples(application: Application) -> None:
    size = await application.size()
    found = await application.data(SIMULATE, application.lender(), source=library.source_of("late-fee").decode())
    simulated = found["contractSimulate"]
    assert simulated["faults"] == []
    assert b64decode(simulated["hash"]) == leaf(simulated["document"])
    assert [(step["day"], step["trigger"], step["does"]) for step in simulated["steps"]] == [
        ("2026-03-04", "tick.day", []),
        ("2026-03-05", "tick.day", ["penalty.apply amount=100000 code=late"]),
        ("2026-03-06", "tick.day", []),
        ("2026-04-05", "tick.day", []),
        ("2026-05-05", "tick.day", ["penalty.apply amount=200000 code=late"]),
        ("2026-06-05", "tick.day", []),
    ]
    assert await application.size() == size


async def test_a_document_without_samples_is_tried_on_an_ordinary_loan(application: Application) -> None:
    found = (await application.data(SIMULATE, application.borrower(SUBJECT), source=source()))["contractSimulate"]
    fired = [(step["says"], step["does"]) for step in found["steps"] if step["does"]]
    assert fired == [("Eight days past due", ["penalty.apply amount=5000 code=late"])]
    faulty = await application.data(SIMULATE, application.lender(), source=source(rules=UNKNOWN_NAME))
    assert faulty["contractSimulate"]["steps"] == []
    (fault,) = faulty["contractSimulate"]["faults"]
    assert (fault["code"], fault["path"]) == ("name_unknown", "$.rules[0].if")
    assert await application.code(SIMULATE, application.lender(), source="{") == "json_malformed"


async def test_an_operator_begins_a_day_once_and_none_ahead(application: Application) -> None:
    yesterday = TODAY - timedelta(1)
    first = await begin(application, yesterday)
    assert (first["day"], first["index"], first["errors"]) == (yesterday.isoformat(), await application.size() - 1, [])
    size = await application.size()
    assert await begin(application, yesterday) == first
    assert refusals(await begin(application, TODAY)) == [("CONFLICT", "idempotency_reused")]
    assert refusals(await begin(application, yesterday, key="e")) == [("REFUSED", "day_began")]
    ahead = await begin(application, datetime.now(UTC).date() + timedelta(1), key="e")
    assert refusals(ahead) == [("REFUSED", "day_ahead")]
    short = {"region": "KE-30", "days": 30, "document": text(b"short")}
    for declared in (short, short | {"document": text(bytes(32)), "days": -1}):
        payload = await begin(application, TODAY, key="e", declared=[declared])
        assert [error["code"] for error in payload["errors"]] == ["INVALID_INPUT"]
    for who in (application.lender(), application.borrower(SUBJECT), application.app()):
        asked = {"idempotencyKey": "e", "day": TODAY.isoformat()}
        assert await application.code(DAY, who, input=asked) == "permission_denied"
    assert await application.size() == size


async def test_an_effect_is_proven_from_its_record_to_the_head_of_the_log(application: Application) -> None:
    await lend(application)
    contract = await agreed(application)
    tick = await begin(application)
    for who in (application.lender(), application.borrower(SUBJECT)):
        page = (await application.data(HISTORY, who, hash=contract))["contractHistory"]
        (effect,) = page["nodes"]
    assert page["pageInfo"]["hasNextPage"] is False
    assert (effect["rule"], effect["effect"], effect["causeIndex"]) == ("late-fee", "penalty.apply", tick["index"])
    assert effect["arguments"] == [{"name": "amount", "value": "1250"}, {"name": "code", "value": "late"}]
    body = json.loads(effect["data"])["body"]
    assert (body["contract"], body["id"], body["inputs"]) == (contract, effect["id"], effect["inputs"])
    commitment = b64decode(effect["commitment"])
    assert commitment == leaf_hash(effect["data"].encode())
    document = """query ($record: Int!, $cause: Int!) { ledgerHead { root size }
      record: entry(index: $record) { batch count root statement tenant { name } }
      cause: entry(index: $cause) { batch } inclusionProof(index: $record) { index treeSize path } }"""
    log = await application.data(document, record=effect["index"], cause=effect["causeIndex"])
    assert (log["record"]["batch"], log["cause"]["batch"]) == (effect["batch"], effect["causeBatch"])
    assert log["record"]["tenant"] == {"name": "tallystick"}
    payload = log["record"]["statement"].split(".")[1]
    statement = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    root = b64decode(log["record"]["root"])
    assert b64decode(statement["root"] + "=" * (-len(statement["root"]) % 4)) == root
    path = b"".join(map(b64decode, effect["path"]))
    verify_inclusion(index=effect["position"], size=log["record"]["count"], leaf=commitment, path=path, root=root)
    proof = log["inclusionProof"]
    assert proof["treeSize"] == log["ledgerHead"]["size"]
    verify_inclusion(
        index=effect["index"], size=proof["treeSize"], leaf=leaf_hash(log["record"]["statement"].encode()),
        path=b"".join(map(b64decode, proof["path"])), root=b64decode(log["ledgerHead"]["root"]),
    )  # fmt: skip


async def test_a_proposal_lands_when_the_party_that_it_waits_for_accepts(application: Application) -> None:
    await lend(application, schedule=((1, 10), (2, 60)))
    contract = await agreed(application, source("payment-closure"))
    await publish(application, ("repayment", Repayment(amount=25_000, channel="mobile", currency="KES")))
    shown = f"query ($hash: Base64!) {{ {SHOWN.replace('contract {', 'contract(hash: $hash) {', 1)} }}"
    (proposal,) = (await application.data(shown, application.lender(), hash=contract))["contract"]["proposals"]
    assert (proposal["rule"], proposal["effect"], proposal["needs"]) == ("early-bird", "discount.apply", ["lender"])
    assert proposal["until"] == (TODAY + timedelta(30)).isoformat()
    asked = {"contract": contract, "proposal": proposal["id"], "accepts": True}
    refused = await ask(application, "contractAnswer", application.borrower(SUBJECT), **asked)
    assert refusals(refused) == [("REFUSED", "proposal_not_open")]
    unknown = await ask(application, "contractAnswer", application.lender(), **asked | {"proposal": text(bytes(3))})
    assert refusals(unknown) == [("REFUSED", "proposal_not_open")]
    payload = await ask(application, "contractAnswer", application.lender(), **asked, idempotencyKey="mine")
    assert (payload["errors"], payload["contract"]["proposals"]) == ([], [])
    declined = asked | {"accepts": False, "idempotencyKey": "mine"}
    assert refusals(await ask(application, "contractAnswer", application.lender(), **declined)) == [
        ("CONFLICT", "idempotency_reused")
    ]
    effects: list[str] = []
    after, more = None, True
    while more:
        page = (await application.data(HISTORY, application.lender(), hash=contract, after=after))["contractHistory"]
        effects += [node["effect"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert effects == ["proposal.open", "discount.apply"]


async def test_a_declined_proposal_does_nothing(application: Application) -> None:
    await lend(application, schedule=((1, 10), (2, 60)))
    contract = await agreed(application, source("payment-closure"))
    await publish(application, ("repayment", Repayment(amount=25_000, channel="mobile", currency="KES")))
    page = (await application.data(HISTORY, application.lender(), hash=contract))["contractHistory"]
    asked = {"contract": contract, "proposal": page["nodes"][0]["id"], "accepts": False}
    payload = await ask(application, "contractAnswer", application.lender(), **asked)
    assert (payload["errors"], payload["contract"]["proposals"]) == ([], [])
    again = await ask(application, "contractAnswer", application.lender(), **asked | {"accepts": True})
    assert refusals(again) == [("REFUSED", "proposal_not_open")]
    history = (await application.data(HISTORY, application.lender(), hash=contract))["contractHistory"]
    assert history["pageInfo"]["hasNextPage"] is False


async def test_a_contract_ends_when_both_ended_it_and_then_does_nothing(application: Application) -> None:
    await lend(application)
    contract = await agreed(application)
    early = await ask(application, "contractWithdraw", application.lender(), contract=contract)
    assert refusals(early) == [("REFUSED", "contract_step_refused")]
    states = []
    for who in (application.borrower(SUBJECT), application.lender()):
        payload = await ask(application, "contractTerminate", who, contract=contract, reason="agreed")
        states.append(payload["contract"]["state"])
    assert states == ["in_force", "terminated"]
    await begin(application)
    assert (await application.data(HISTORY, application.lender(), hash=contract))["contractHistory"]["nodes"] == []


async def test_a_contract_that_is_withdrawn_is_not_signed_any_more(application: Application) -> None:
    contract = await proposed(application)
    payload = await ask(application, "contractWithdraw", application.lender(), contract=contract)
    assert payload["contract"]["state"] == "withdrawn"
    late = await ask(application, "contractSign", application.borrower(SUBJECT), contract=contract)
    assert refusals(late) == [("REFUSED", "contract_step_refused")]
    wordy = await ask(
        application, "contractWithdraw", application.lender(), contract=contract, reason="Not a code! " * 20
    )
    assert [error["code"] for error in wordy["errors"]] == ["INVALID_INPUT"]


ASKING = [{
    "id": "ask", "prose": "Who lets us look gets a longer term, else a warning.", "on": ["tick.day"], "if": "true",
    "do": [{"effect": "consent.require", "code": "103", "days": 5},
           {"effect": "terms.change", "what": "term_days", "by": "loan.dpd * 3", "code": "eased"}],
    "otherwise": [{"effect": "alert.raise", "code": "CALL", "severity": 2}], "once": "per-loan",
}]  # fmt: skip
BOTH = ["lender", "borrower"]
WAITING = """query ($hash: Base64!) { contract(hash: $hash) {
  waits { id rule purpose until then otherwise } rules { effects otherwise } } }"""


async def test_a_party_sees_which_rule_waits_for_which_consent_and_what_follows(application: Application) -> None:
    await lend(application)
    granted = {"alert.raise": ["lender"], "consent.require": BOTH, "terms.change": BOTH}
    document = source(rules=ASKING, authority=granted, terms={})
    contract = await agreed(application, document)
    assert (await begin(application))["errors"] == []
    known = (await application.data(WAITING, application.borrower(SUBJECT), hash=contract))["contract"]
    (record,) = (await application.data(HISTORY, application.lender(), hash=contract))["contractHistory"]["nodes"]
    assert known["waits"] == [{
        "id": record["id"], "rule": "ask", "purpose": "103", "until": (TODAY + timedelta(5)).isoformat(),
        "then": ["terms.change by=30 code=eased what=term_days"], "otherwise": ["alert.raise code=CALL severity=2"],
    }]  # fmt: skip
    assert known["rules"] == [{
        "effects": ["consent.require code=103 days=5", "terms.change by=loan.dpd * 3 code=eased what=term_days"],
        "otherwise": ["alert.raise code=CALL severity=2"],
    }]  # fmt: skip
    found = (await application.data(SIMULATE, application.lender(), source=document))["contractSimulate"]
    assert found["notes"] == ["rule ask: waits until the borrower consents to 103; after 5 days it does otherwise"]
    assert [line for step in found["steps"] for line in step["does"]][1:] == [
        "consent.lapsed code=103", "alert.raise code=CALL severity=2",
    ]  # fmt: skip


async def test_a_contract_past_its_last_day_is_not_proposed(application: Application) -> None:
    await lend(application)
    payload = await ask(
        application, "contractPropose", application.lender(), document=source(expires=TODAY.isoformat())
    )
    assert (payload["contract"], refusals(payload)) == (None, [("REFUSED", "contract_expired")])
