"""A lender asks why a loan stands where it stands: today, on a day to come, and as it was known before."""

from __future__ import annotations

from typing import Any

from tests.api.graphql.test_events import new_loan, record
from tests.support import documents as docs
from tests.support.served import Application

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
