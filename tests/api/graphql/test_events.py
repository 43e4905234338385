"""Single events under a managed key, and signed batches, through GraphQL."""

from __future__ import annotations

import asyncio
import os
from base64 import b64decode, b64encode
from typing import Any

import pytest

from api.auth.permissions import Role
from api.cli.verify import load_verifier
from ledger.log.merkle import leaf_hash
from ledger.types import TenantId
from tests.support import documents as docs
from tests.support.served import Application, enrol_signer

LOAN = """
query ($number: String!, $asOf: Date) {
  loan(account: {number: $number}, asOf: $asOf) {
    balance pastDue daysPastDue stage status flags opened closed principal currency product
  }
}"""

EVENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("disbursementRecord", "DisbursementRecordInput", {"amount": "100000", "currency": "KES"}),
    (
        "scheduleRecord", "ScheduleRecordInput",
        {"currency": "KES", "cause": "INITIAL", "version": 1, "rows": [
            {"due": "2026-02-05", "principal": "50000", "interest": "1000"},
            {"due": "2026-03-05", "principal": "50000"},
        ]},
    ),
    (
        "chargeRecord", "ChargeRecordInput",
        {"amount": "500", "currency": "KES", "component": "FEE", "due": "2026-02-05", "reason": "late"},
    ),
    ("repaymentRecord", "RepaymentRecordInput", {"amount": "20000", "currency": "KES", "channel": "mobile"}),
    ("statusRecord", "StatusRecordInput", {"currency": "KES", "status": "PAST_DUE", "balance": "81500"}),
    ("disputeOpen", "DisputeOpenInput", {"claim": "not_mine"}),
]  # fmt: skip
"""Every event but agreement, reversal and closure, in an order that a loan's life allows."""


async def record(application: Application, name: str, kind: str, asked: dict[str, Any], who: str = "acacia") -> Any:
    found = await application.data(docs.recording(name, kind), application.lender(who), input=asked)
    assert found[name]["errors"] == [], found
    return found[name]


async def new_loan(application: Application, number: str = "A-1", who: str = "acacia", **rest: Any) -> Any:
    asked = docs.agreement(number, "KE-4711-0815", **rest)
    return await record(application, "agreementRecord", "AgreementRecordInput", asked, who)


async def test_a_whole_life_of_a_loan_is_recorded_event_by_event(application: Application) -> None:
    await new_loan(application)
    told = {name: await record(application, name, kind, docs.event("A-1", **said)) for name, kind, said in EVENTS}
    found = (await application.data(LOAN, application.lender(), number="A-1"))["loan"]
    assert (found["balance"], found["stage"], found["status"]) == ("81500", "active", "past_due")
    assert found["flags"] == ["disputed"]
    reversal = {"repayment": told["repaymentRecord"]["attestation"], "amount": "20000", "currency": "KES"}
    await record(application, "reversalRecord", "ReversalRecordInput", docs.event("A-1", cause="BOUNCED", **reversal))
    await record(
        application, "repaymentRecord", "RepaymentRecordInput",
        docs.event("A-1", effectiveDate="2026-02-01", amount="101500", currency="KES", channel="bank"),
    )  # fmt: skip
    closure = docs.event("A-1", effectiveDate="2026-02-02", cause="PAID")
    await record(application, "closureRecord", "ClosureRecordInput", closure)
    found = (await application.data(LOAN, application.lender(), number="A-1"))["loan"]
    assert (found["stage"], found["closed"], found["flags"]) == ("paid", "2026-02-02", ["closed", "disputed"])


async def test_a_receipt_proves_its_entry_offline(application: Application) -> None:
    receipt = (await new_loan(application))["receipt"]
    assert b64decode(receipt["leafHash"]) == leaf_hash(receipt["statement"].encode())
    assert (receipt["count"], receipt["treeSize"], receipt["duplicate"]) == (1, receipt["index"] + 1, False)
    report = load_verifier().verify_document(receipt["document"].encode(), application.node.trust())
    assert (report.code, report.format) == (0, "tallystick-receipt/1")


async def test_the_same_event_twice_is_recorded_once_and_answered_alike(application: Application) -> None:
    asked = docs.agreement("A-1", "KE-4711-0815")
    first = await record(application, "agreementRecord", "AgreementRecordInput", asked)
    size = await application.size()
    again = await record(application, "agreementRecord", "AgreementRecordInput", asked)
    assert again["attestation"] == first["attestation"]
    assert again["receipt"] == first["receipt"] | {"duplicate": True}
    assert await application.size() == size


async def test_another_event_under_a_used_key_is_a_conflict_and_changes_nothing(application: Application) -> None:
    asked = docs.agreement("A-1", "KE-4711-0815")
    await record(application, "agreementRecord", "AgreementRecordInput", asked)
    size = await application.size()
    found = await application.data(docs.AGREEMENT, application.lender(), input=asked | {"principal": "100001"})
    assert found["agreementRecord"]["receipt"] is None
    (error,) = found["agreementRecord"]["errors"]
    assert (error["code"], error["reason"], error["path"]) == ("CONFLICT", "idempotency_reused", ["idempotencyKey"])
    assert await application.size() == size


async def test_the_same_event_sent_twenty_times_at_once_is_recorded_once(application: Application) -> None:
    asked = docs.agreement("A-1", "KE-4711-0815")
    size = await application.size()
    calls = (record(application, "agreementRecord", "AgreementRecordInput", asked) for _ in range(20))
    told = await asyncio.gather(*calls)
    assert len({(each["attestation"], each["receipt"]["index"]) for each in told}) == 1
    assert await application.size() == size + 1


async def test_a_key_belongs_to_its_tenant(application: Application) -> None:
    asked = docs.agreement("A-1", "KE-4711-0815")
    first = await record(application, "agreementRecord", "AgreementRecordInput", asked, "acacia")
    other = await record(application, "agreementRecord", "AgreementRecordInput", asked, "baobab")
    assert first["attestation"] != other["attestation"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"currency": "KEZ"}, "currency_unknown"),
        ({"principal": "-1"}, "out_of_range"),
        ({"borrower": {"identifier": {"scheme": "nickname", "value": "x"}}}, "scheme_unknown"),
        ({"borrower": {"subject": "AAAA"}}, "subject_length"),
        ({"account": {"reference": "AAAA"}}, "account_length"),
        ({"jurisdiction": "ke"}, "jurisdiction_unknown"),
        ({"idempotencyKey": ""}, "idempotency_key"),
    ],
)
async def test_what_cannot_be_accepted_is_refused_with_its_code_and_changes_nothing(
    application: Application, change: dict[str, Any], reason: str
) -> None:
    size = await application.size()
    asked = docs.agreement("A-1", "KE-4711-0815") | change
    found = await application.data(docs.AGREEMENT, application.lender(), input=asked)
    (error,) = found["agreementRecord"]["errors"]
    assert (error["code"], error["reason"]) == ("INVALID_INPUT", reason)
    assert await application.size() == size


async def test_a_repayment_on_an_account_that_is_not_there_names_no_borrower(application: Application) -> None:
    asked = docs.event("A-404", amount="1", currency="KES", channel="cash")
    found = await application.data(docs.REPAYMENT, application.lender(), input=asked)
    assert found["repaymentRecord"]["errors"][0]["reason"] == "subject_missing"


async def test_a_lender_that_signs_itself_has_no_managed_key(application: Application) -> None:
    await enrol_signer(application, "cedar")
    found = await application.data(
        docs.AGREEMENT, application.lender("cedar"), input=docs.agreement("C-1", "KE-4711-0815")
    )
    assert found["agreementRecord"]["errors"][0]["reason"] == "key_not_managed"


PUBLISH = f"""
mutation ($statement: String!, $ndjson: String!) {{
  attestationsPublish(input: {{statement: $statement, ndjson: $ndjson}}) {{ {docs.RECEIPT} {docs.REFUSALS} }}
}}"""


async def test_a_signed_batch_is_published_once(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    token, body = cedar.batch(cedar.new_loan())
    asked = {"statement": token.decode(), "ndjson": body.decode()}
    first = (await application.data(PUBLISH, application.lender("cedar"), **asked))["attestationsPublish"]
    size = await application.size()
    again = (await application.data(PUBLISH, application.lender("cedar"), **asked))["attestationsPublish"]
    assert (first["receipt"]["index"], first["receipt"]["count"]) == (size - 1, 2)
    assert again["receipt"]["index"] == first["receipt"]["index"]
    assert (first["receipt"]["duplicate"], again["receipt"]["duplicate"]) == (False, True)
    assert await application.size() == size


async def test_another_tenants_batch_is_refused(application: Application) -> None:
    cedar = await enrol_signer(application, "cedar")
    token, body = cedar.batch(cedar.new_loan())
    size = await application.size()
    asked = {"statement": token.decode(), "ndjson": body.decode()}
    found = await application.data(PUBLISH, application.headers("acacia", Role.LENDER), **asked)
    assert found["attestationsPublish"]["errors"][0]["reason"] == "key_unknown"
    assert await application.size() == size


async def test_money_is_a_text_of_minor_units(application: Application) -> None:
    asked = docs.agreement("A-1", "KE-4711-0815") | {"principal": 100_000}
    whole = await application.ask(docs.AGREEMENT, application.lender(), input=asked)
    assert whole["errors"][0]["extensions"]["code"] == "minor_units_invalid"


async def test_a_reference_and_the_number_behind_it_are_the_same_account(application: Application) -> None:
    await new_loan(application)
    reference = application.node.pseudonyms.account("acacia", "A-1")
    document = "query ($ref: Base64!) { loan(account: {reference: $ref}) { product } }"
    found = await application.data(document, application.lender(), ref=b64encode(reference).decode())
    assert found["loan"]["product"] == "boda"
    none = await application.data(document, application.lender(), ref=b64encode(os.urandom(32)).decode())
    assert none["loan"] is None


SLOTS = [
    f"{age}_{component}"
    for age in ("PAST_DUE", "DUE", "ADVANCE")
    for component in ("PRINCIPAL", "INTEREST", "FEE", "PENALTY")
]
"""Principal first: what came in late lessens the principal, and the interest stays unmet."""


async def test_an_agreements_own_terms_are_recorded_and_counted_by(application: Application) -> None:
    terms = {
        "allocationOrder": SLOTS, "excessRule": "RE_AMORTISE", "businessDayConvention": "MODIFIED_FOLLOWING",
        "calendar": "KE", "graceDays": 5, "predecessor": b64encode(b"\x0a" * 32).decode(),
        "predecessorLender": "baobab",
    }  # fmt: skip
    await new_loan(application, **terms)
    where = application.node.pseudonyms.account("acacia", "A-1")
    account = (await application.node.reader.lender_account(TenantId("acacia"), where)).account
    (agreed,) = account.of_kind("agreement")
    assert agreed.body.allocation_order == tuple(slot.lower() for slot in SLOTS)
    assert (agreed.body.excess_rule, agreed.body.business_day_convention, agreed.body.calendar) == (
        "re_amortise", "MF", "KE",
    )  # fmt: skip
    assert (agreed.body.grace_days, account.predecessor) == (5, ("baobab", b"\x0a" * 32))
    money = docs.event("A-1", amount="100000", currency="KES")
    await record(application, "disbursementRecord", "DisbursementRecordInput", money)
    rows = [
        {"due": "2026-02-07", "principal": "50000", "interest": "1000"},
        {"due": "2026-03-07", "principal": "50000"},
    ]
    plan = docs.event("A-1", currency="KES", cause="INITIAL", version=1, rows=rows)
    await record(application, "scheduleRecord", "ScheduleRecordInput", plan)
    late = docs.event("A-1", effectiveDate="2026-02-20", amount="50000", currency="KES", channel="cash")
    await record(application, "repaymentRecord", "RepaymentRecordInput", late)
    found = await application.data(WHY, application.lender(), number="A-1", asOf="2026-02-21")
    why = found["loan"]["explanation"]
    # 7 February 2026 is a Saturday: due on Monday the 9th
    assert (why["daysPastDue"], why["delinquentDays"], why["predecessor"]) == (12, 7, terms["predecessor"])
    assert why["instalment"] == {"due": "2026-02-09", "interest": "1000", "principal": "0"}
    assert {3, 5} <= {reason["rule"] for reason in why["reasons"]}


WHY = """
query ($number: String!, $asOf: Date) {
  loan(account: {number: $number}, asOf: $asOf) {
    explanation {
      daysPastDue delinquentDays predecessor instalment { due interest principal } reasons { rule }
    }
  }
}"""


@pytest.mark.parametrize(("convention", "excess", "recorded"), [
    ("FOLLOWING", "NEXT", ("F", "next")), ("MODIFIED_FOLLOWING", "LAST", ("MF", "last")),
    ("PRECEDING", "RE_AMORTISE", ("P", "re_amortise")), ("MODIFIED_PRECEDING", None, ("MP", None)),
])  # fmt: skip
async def test_each_convention_and_rule_is_recorded_as_the_attestations_word(
    application: Application, convention: str, excess: str | None, recorded: tuple[str, str | None]
) -> None:
    await new_loan(application, businessDayConvention=convention, excessRule=excess)
    where = application.node.pseudonyms.account("acacia", "A-1")
    (agreed,) = (await application.node.reader.lender_account(TenantId("acacia"), where)).account.of_kind("agreement")
    assert (agreed.body.business_day_convention, agreed.body.excess_rule) == recorded


@pytest.mark.parametrize(("terms", "reason", "path"), [
    ({"allocationOrder": SLOTS[:11]}, "length_wrong", None),
    ({"allocationOrder": [*SLOTS[:11], SLOTS[0]]}, "allocation_order_wrong", ["body", "allocationOrder"]),
    ({"predecessor": "AAAA", "predecessorLender": "baobab"}, "length_wrong", None),
])  # fmt: skip
async def test_terms_that_cannot_be_counted_by_are_refused(
    application: Application, terms: dict[str, Any], reason: str, path: list[str] | None
) -> None:
    size = await application.size()
    asked = docs.agreement("A-1", "KE-4711-0815") | terms
    found = await application.data(docs.AGREEMENT, application.lender(), input=asked)
    (error,) = found["agreementRecord"]["errors"]
    assert (error["code"], error["reason"]) == ("INVALID_INPUT", reason)
    assert path is None or error["path"] == path
    assert await application.size() == size


async def test_a_word_that_is_no_slot_is_refused_before_anything_is_done(application: Application) -> None:
    asked = docs.agreement("A-1", "KE-4711-0815") | {"excessRule": "FIRST"}
    whole = await application.ask(docs.AGREEMENT, application.lender(), input=asked)
    assert "ExcessRule" in whole["errors"][0]["message"]
