"""Rules that look at a loan's past, through GraphQL: default for a German lender, observation for a Chinese one."""

from __future__ import annotations

from typing import Any

import pytest

from api.graphql.fields import field_permissions
from api.graphql.schema import SCHEMA
from tests.support import documents as docs
from tests.support.served import ENROL, Application

PAST = """
query ($number: String!, $asOf: Date, $country: String, $retail: Boolean! = true) {
  loan(account: {number: $number}, asOf: $asOf) {
    daysPastDue
    classification(jurisdiction: $country, retail: $retail) { codes { scheme code because } undecided { scheme code } }
    defaultStatus(jurisdiction: $country, retail: $retail) {
      asOf code counterDays since trigger clearSince probationUntil cure ruling { source clause grade }
    }
    observation(jurisdiction: $country) {
      observed restructuredSince periods bad upgrade upgradeFrom
    }
  }
}"""


async def enrol(application: Application, name: str, country: str) -> None:
    """A lender of a country."""
    asked = {"idempotencyKey": name, "tenant": name, "displayName": name.title(), "role": "LENDER", "country": country}
    found = await application.data(ENROL, application.operator, input=asked)
    assert found["tenantEnrol"]["errors"] == [], found


async def record(application: Application, who: str, name: str, **asked: Any) -> None:
    """One event of a lender's loan L-1."""
    kind = name[0].upper() + name[1:] + "Input"
    found = await application.data(
        docs.recording(name, kind), application.lender(who), input=docs.event("L-1", **asked)
    )
    assert found[name]["errors"] == [], found


async def lend(application: Application, who: str, country: str, currency: str) -> None:
    """1,000.00 in four instalments from February to May 2026, of which nothing is paid."""
    await enrol(application, who, country)
    agreed = docs.agreement("L-1", "P-1", currency=currency)
    found = await application.data(docs.AGREEMENT, application.lender(who), input=agreed)
    assert found["agreementRecord"]["errors"] == [], found
    await record(application, who, "disbursementRecord", amount="100000", currency=currency)
    rows = [{"due": f"2026-0{month}-05", "principal": "25000"} for month in range(2, 6)]
    await record(application, who, "scheduleRecord", currency=currency, cause="INITIAL", version=1, rows=rows)


async def loan_on(application: Application, who: str, day: str, **rest: Any) -> dict[str, Any]:
    """The loan on a day."""
    found = await application.data(PAST, application.lender(who), number="L-1", asOf=day, **rest)
    loan: dict[str, Any] = found["loan"]
    return loan


@pytest.mark.parametrize(("day", "code", "counter"), [
    ("2026-05-06", "not_defaulted", 90), ("2026-05-07", "defaulted", 91), ("2027-05-07", "defaulted", 456),
])  # fmt: skip
async def test_a_german_loan_is_in_default_by_its_own_history(
    application: Application, day: str, code: str, counter: int
) -> None:
    await lend(application, "linde", "DE", "EUR")
    loan = await loan_on(application, "linde", day)
    assert (loan["defaultStatus"]["code"], loan["defaultStatus"]["counterDays"]) == (code, counter)
    listed = {found["scheme"]: found["code"] for found in loan["classification"]["codes"]}
    assert listed["eu_default"] == ("yes" if code == "defaulted" else "no")


async def test_a_payment_begins_the_probation_and_the_answer_cites_its_rule(application: Application) -> None:
    await lend(application, "linde", "DE", "EUR")
    paid = {"effectiveDate": "2026-05-10", "amount": "100000", "currency": "EUR", "channel": "bank"}
    await record(application, "linde", "chargeRecord", effectiveDate="2026-05-01", amount="1", currency="EUR",
                 component="FEE", due="2027-05-01", reason="copy")  # fmt: skip
    await record(application, "linde", "repaymentRecord", **paid)
    loan = await loan_on(application, "linde", "2026-06-01")
    assert loan["defaultStatus"] == {
        "asOf": "2026-06-01", "code": "probation", "counterDays": 0, "since": "2026-05-07", "trigger": "days_past_due",
        "clearSince": "2026-05-10", "probationUntil": "2026-08-10", "cure": "probation_runs",
        "ruling": {
            "source": "Regulation (EU) 575/2013, art. 178, default of an obligor", "clause": "art. 178(1)(b)",
            "grade": "general",
        },
    }  # fmt: skip
    assert loan["daysPastDue"] == 0
    found = {code["scheme"]: (code["code"], code["because"]) for code in loan["classification"]["codes"]}
    assert found["eu_default"] == ("yes", "defaulted")
    before = await loan_on(application, "linde", "2026-05-06")
    assert before["defaultStatus"]["code"] == "not_defaulted"


async def test_floors_for_another_debtor_and_a_country_without_the_rule(application: Application) -> None:
    await lend(application, "linde", "DE", "EUR")
    loan = await loan_on(application, "linde", "2026-05-07", retail=False)
    assert loan["defaultStatus"]["counterDays"] == 32, "500.00 euro were passed on 6 April"
    loan = await loan_on(application, "linde", "2026-05-07", country="KE")
    assert (loan["defaultStatus"]["code"], loan["defaultStatus"]["cure"]) == ("value_none", "value_none")
    whole = await application.ask(PAST, application.lender("linde"), number="L-1", asOf="2026-05-07", country="BR")
    assert {error["extensions"]["code"] for error in whole["errors"]} == {"pack_unknown"}


async def test_a_chinese_loan_is_bad_until_its_upgrade(application: Application) -> None:
    await lend(application, "dogwood", "CN", "CNY")
    late = await loan_on(application, "dogwood", "2026-05-07")
    assert (late["observation"]["bad"], late["observation"]["upgrade"]) == (True, "arrears_open")
    await record(application, "dogwood", "chargeRecord", effectiveDate="2026-05-01", amount="1", currency="CNY",
                 component="FEE", due="2027-05-01", reason="copy")  # fmt: skip
    paid = {"effectiveDate": "2026-05-10", "amount": "100000", "currency": "CNY", "channel": "bank"}
    await record(application, "dogwood", "repaymentRecord", **paid)
    loan = await loan_on(application, "dogwood", "2026-06-01")
    assert loan["observation"] == {
        "observed": False, "restructuredSince": None, "periods": None, "bad": True, "upgrade": "periods_short",
        "upgradeFrom": None,
    }  # fmt: skip
    codes = {code["scheme"]: (code["code"], code["because"]) for code in loan["classification"]["codes"]}
    assert codes["cn_general"] == ("substandard", "impaired")


async def test_of_a_day_before_the_loan_nothing_is_said(application: Application) -> None:
    await lend(application, "linde", "DE", "EUR")
    document = """{ loans(first: 1, asOf: "2020-01-01") { nodes {
        defaultStatus { code } observation { observed bad } classification { status }
    } } }"""
    (found,) = (await application.data(document, application.lender("linde")))["loans"]["nodes"]
    assert found == {
        "defaultStatus": {"code": "not_running"}, "observation": {"observed": False, "bad": False},
        "classification": {"status": "figures_withheld"},
    }  # fmt: skip


def test_a_tradeline_has_no_past_to_ask_for() -> None:
    names = {name for name in field_permissions(SCHEMA) if name.startswith(("Loan.", "Tradeline."))}
    assert {"Loan.defaultStatus", "Loan.observation", "Tradeline.classification"} <= names
    assert not names & {"Tradeline.defaultStatus", "Tradeline.observation"}
