"""A lender asks why a loan stands where it stands: today, on a day to come, and as it was known before."""

from __future__ import annotations

from base64 import b64encode
from datetime import date
from typing import Any

from ledger.attestation import credit_kinds as credit
from ledger.types import TenantId
from tests.api.graphql.test_events import new_loan, record
from tests.support import documents as docs
from tests.support.ledgers import Lender
from tests.support.served import Application, enrol_signer

WHY = """
query ($number: String!, $asOf: Date, $knownAt: Int) {
  loan(account: {number: $number}, asOf: $asOf) {
    stage daysPastDue
    explanation(knownAt: $knownAt) {
      asOf knownAt stage daysPastDue delinquentDays guarantors collateralRanks successor predecessor
      instalment { n due missing penalty fee interest principal }
      reasons { rule sentence causes { attestation kind index } }
    }
  }
}"""
KES: dict[str, Any] = {"currency": "KES"}
ROWS = [{"due": "2026-02-05", "principal": "50000", "interest": "1000"}, {"due": "2026-03-05", "principal": "50000"}]


async def paid_loan(application: Application) -> dict[str, Any]:
    """A loan whose first instalment was paid by a payment that then bounced: what was recorded, by name."""
    told = {"agreement": await new_loan(application)}
    events = [
        ("disbursementRecord", "DisbursementRecordInput", {"amount": "100000", **KES}),
        ("scheduleRecord", "ScheduleRecordInput", {"cause": "INITIAL", "version": 1, "rows": ROWS, **KES}),
        ("repaymentRecord", "RepaymentRecordInput",
         {"amount": "51000", "channel": "mobile", "effectiveDate": "2026-02-04", **KES}),
    ]  # fmt: skip
    for name, kind, said in events:
        told[name] = await record(application, name, kind, docs.event("A-1", **said))
    return told


async def why(application: Application, **variables: Any) -> Any:
    return (await application.data(WHY, application.lender(), number="A-1", **variables))["loan"]


async def test_a_bounced_payment_is_explained_and_the_earlier_answer_stays_provable(application: Application) -> None:
    told = await paid_loan(application)
    before = told["repaymentRecord"]["receipt"]["index"]
    reversal = docs.event(
        "A-1", effectiveDate="2026-02-09", cause="BOUNCED", repayment=told["repaymentRecord"]["attestation"],
        amount="51000", **KES,
    )  # fmt: skip
    bounced = await record(application, "reversalRecord", "ReversalRecordInput", reversal)
    now = await why(application, asOf="2026-02-20")
    assert (now["stage"], now["daysPastDue"]) == ("active", 15)
    found = now["explanation"]
    assert (found["asOf"], found["knownAt"], found["stage"], found["daysPastDue"]) == ("2026-02-20", None, "active", 15)
    assert found["instalment"] == {
        "n": 1, "due": "2026-02-05", "missing": "51000", "penalty": "0", "fee": "0", "interest": "1000",
        "principal": "50000",
    }  # fmt: skip
    by_rule = {reason["rule"]: reason for reason in found["reasons"]}
    assert [cause["kind"] for cause in by_rule[1]["causes"]] == ["schedule"]
    assert by_rule[9]["causes"] == [
        {"attestation": told["repaymentRecord"]["attestation"], "kind": "repayment", "index": before},
        {"attestation": bounced["attestation"], "kind": "reversal", "index": bounced["receipt"]["index"]},
    ]
    earlier = (await why(application, asOf="2026-02-20", knownAt=before))["explanation"]
    assert (earlier["knownAt"], earlier["daysPastDue"], earlier["instalment"]) == (before, 0, None)
    assert {reason["rule"] for reason in earlier["reasons"]} == {0, 1}


async def test_a_day_to_come_assumes_that_nothing_more_is_paid_and_a_day_past_leaves_out_what_came_later(
    application: Application,
) -> None:
    await paid_loan(application)
    coming = (await why(application, asOf="2099-03-06"))["explanation"]
    assert (coming["instalment"]["n"], coming["instalment"]["due"]) == (2, "2026-03-05")
    past = await why(application, asOf="2026-02-03")
    assert (past["daysPastDue"], past["explanation"]["stage"]) == (0, "active")
    assert await why(application, asOf="2001-01-01") is None


async def test_nothing_was_known_before_the_loan_was_recorded(application: Application) -> None:
    told = await new_loan(application)
    assert (await why(application, knownAt=told["receipt"]["index"] - 1))["explanation"] is None
    assert (await why(application, knownAt=told["receipt"]["index"]))["explanation"]["stage"] == "approved"


SOLD = """
query ($number: String!, $asOf: Date, $knownAt: Int) {
  loan(account: {number: $number}, asOf: $asOf) {
    history historyFrom firstDelinquency balance continues { account lender { name } }
    explanation(knownAt: $knownAt) {
      history firstDelinquency predecessor continues { account lender { name } }
      insolvencies { type filed courtReference }
    }
  }
}"""


async def says(application: Application, lender: Lender, kind: str, body: Any, account: bytes | None, on: date) -> int:
    """A batch of one attestation about the borrower, signed by a lender; gives its index."""
    whose = application.node.pseudonyms.subject("national-id", "KE-4711-0815")
    told = lender.attest(kind, body, account=account, subject=whose, effective_date=on)
    return (await application.node.publisher.publish(lender.name, *lender.batch([told]))).index


async def test_a_bought_loan_shows_the_sellers_months_when_the_seller_says_that_it_sold_it(
    application: Application,
) -> None:
    cedar, there = await enrol_signer(application, "cedar"), b"\x0c" * 32
    books = credit.StatusSnapshot(balance=77, history_code="2", status="past_due", **KES)
    loss = credit.ChargeOff(amount=77, first_delinquency=date(2025, 10, 5), original_amount=77, **KES)
    agreed = credit.Agreement(portfolio_type="instalment", principal=77, **KES)
    paid_out = credit.Disbursement(amount=77, tranche=1, **KES)
    for kind, body in (
        ("agreement", agreed), ("disbursement", paid_out), ("status_snapshot", books), ("charge_off", loss)
    ):  # fmt: skip
        await says(application, cedar, kind, body, there, date(2025, 12, 31))
    account = b64encode(there).decode()
    await new_loan(application, predecessor=account, predecessorLender="cedar")
    asked = {"number": "A-1", "asOf": "2026-02-10"}
    alone = (await application.data(SOLD, application.lender(), **asked))["loan"]
    assert (alone["history"], alone["continues"], alone["explanation"]["continues"]) == (None, None, None)
    assert alone["explanation"]["predecessor"] == account
    sale = credit.Transfer(
        balance=77, buyer="acacia", new_account=application.node.pseudonyms.account(TenantId("acacia"), "A-1"),
        seller="cedar", **KES,
    )  # fmt: skip
    index = await says(application, cedar, "transfer", sale, there, date(2026, 1, 5))
    followed = {
        "history": "D2" + "B" * 22, "firstDelinquency": "2025-10-05",
        "continues": {"account": account, "lender": {"name": "cedar"}},
    }  # fmt: skip
    found = (await application.data(SOLD, application.lender(), **asked))["loan"]
    why = found.pop("explanation")
    assert found == followed | {"historyFrom": "2026-01", "balance": None}
    assert why == followed | {"predecessor": account, "insolvencies": []}
    before = (await application.data(SOLD, application.lender(), **asked, knownAt=index - 1))["loan"]["explanation"]
    assert (before["continues"], before["history"], before["firstDelinquency"]) == (None, None, None)


async def test_an_explanation_names_an_insolvency_that_is_open_on_the_day(application: Application) -> None:
    cedar, here = await enrol_signer(application, "cedar"), b"\x0c" * 32
    agreed = credit.Agreement(portfolio_type="instalment", principal=77, **KES)
    await says(application, cedar, "agreement", agreed, here, date(2026, 1, 1))
    filed = {"filed": date(2026, 1, 20), "court_ref": b"\x07" * 32, "type": "bankruptcy"}
    await says(application, cedar, "insolvency", credit.Insolvency(**filed), None, date(2026, 1, 21))
    over = credit.Insolvency(**filed, discharged=date(2026, 3, 1))
    await says(application, cedar, "insolvency", over, None, date(2026, 3, 1))
    document = SOLD.replace("{number: $number}", "{reference: $ref}").replace("$number: String!", "$ref: Base64!")
    named = []
    for day in ("2026-01-20", "2026-01-21", "2026-02-28", "2026-03-01"):
        asked = {"ref": b64encode(here).decode(), "asOf": day}
        found = await application.data(document, application.lender("cedar"), **asked)
        named.append(found["loan"]["explanation"]["insolvencies"])
    stated = {"type": "bankruptcy", "filed": "2026-01-20", "courtReference": b64encode(b"\x07" * 32).decode()}
    assert named == [[], [stated], [stated], []]
