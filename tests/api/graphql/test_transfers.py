"""Selling a loan through GraphQL: the seller's transfer, the buyer's agreement, and the history that follows."""

from __future__ import annotations

from typing import Any

from tests.api.graphql.test_events import new_loan, record
from tests.support import documents as docs
from tests.support.served import Application

LOAN = """query ($number: String!) { loan(account: {number: $number}, asOf: "2026-06-30") {
    account stage daysPastDue firstDelinquency continues { account lender { name } } explanation { successor }
} }"""
TRANSFER = ("transferRecord", "TransferRecordInput")


async def loan_of(application: Application, who: str, number: str) -> dict[str, Any]:
    """A lender's loan."""
    found: dict[str, Any] = (await application.data(LOAN, application.lender(who), number=number))["loan"]
    return found


async def late_loan(application: Application) -> str:
    """Acacia's loan, of which the instalment of 5 February is unpaid; its reference."""
    await new_loan(application)
    money = docs.event("A-1", amount="100000", currency="KES")
    await record(application, "disbursementRecord", "DisbursementRecordInput", money)
    rows = [{"due": "2026-02-05", "principal": "50000"}, {"due": "2026-12-05", "principal": "50000"}]
    plan = docs.event("A-1", currency="KES", cause="INITIAL", version=1, rows=rows)
    await record(application, "scheduleRecord", "ScheduleRecordInput", plan)
    account: str = (await loan_of(application, "acacia", "A-1"))["account"]
    return account


def sale(**rest: Any) -> dict[str, Any]:
    """The input of a sale on 1 April."""
    whole = {"effectiveDate": "2026-04-01", "buyer": "baobab", "balance": "100000", "currency": "KES"}
    return docs.event("A-1", **(whole | rest))


async def test_a_sale_that_both_record_joins_the_loans(application: Application) -> None:
    before = await late_loan(application)
    link = {"predecessor": before, "predecessorLender": "acacia", "effectiveDate": "2026-04-01"}
    await new_loan(application, "B-7", "baobab", **link)
    after = (await loan_of(application, "baobab", "B-7"))["account"]
    assert (await loan_of(application, "baobab", "B-7"))["continues"] is None, "the seller has not said so yet"
    asked = sale(newAccount=after)
    told = await record(application, *TRANSFER, asked)
    bought, sold = await loan_of(application, "baobab", "B-7"), await loan_of(application, "acacia", "A-1")
    assert bought["continues"] == {"account": before, "lender": {"name": "acacia"}}
    assert (bought["firstDelinquency"], sold["stage"], sold["explanation"]["successor"]) == (
        "2026-02-05",
        "sold",
        after,
    )
    again = await record(application, *TRANSFER, asked)
    assert again["attestation"] == told["attestation"], "the same request, the same answer"


async def test_the_seller_is_the_caller_and_a_sale_needs_no_account(application: Application) -> None:
    await late_loan(application)
    told = await record(application, *TRANSFER, sale(buyer="elsewhere"))
    document = f'{{ attestation(attestation: "{told["attestation"]}") {{ data }} }}'
    data = (await application.data(document, application.lender()))["attestation"]["data"]
    assert '"seller":"acacia"' in data and '"newAccount"' not in data


async def refusal(application: Application, **rest: Any) -> tuple[str, str]:
    """(code, reason) of a sale that is refused."""
    found = await application.data(docs.recording(*TRANSFER), application.lender(), input=sale(**rest))
    assert found["transferRecord"]["receipt"] is None
    (error,) = found["transferRecord"]["errors"]
    return error["code"], error["reason"]


async def test_what_a_sale_is_refused_for(application: Application) -> None:
    somewhere = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert await refusal(application) == ("INVALID_INPUT", "subject_missing")
    await new_loan(application)
    assert await refusal(application) == ("REFUSED", "transition_refused"), "nothing was lent yet"
    assert await refusal(application, buyer="nobody", newAccount=somewhere) == ("REFUSED", "tenant_unknown")
    money = docs.event("A-1", amount="100000", currency="KES")
    await record(application, "disbursementRecord", "DisbursementRecordInput", money)
    assert await refusal(application, currency="UGX") == ("REFUSED", "currency_differs")
