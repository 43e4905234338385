"""A loan's class through GraphQL: the lender's own country or another, with rule, source and date."""

from __future__ import annotations

from typing import Any

from tests.support import documents as docs
from tests.support.served import Application

CLASS = """
query ($number: String!, $asOf: Date, $country: String, $kind: LenderKind! = BANK) {
  loan(account: {number: $number}, asOf: $asOf) {
    daysPastDue
    classification(jurisdiction: $country, lenderKind: $kind) {
      jurisdiction status asOf pack version digest
      codes { scheme code label because rule source clause since grade } undecided { scheme code }
    }
  }
}"""

VIEW = """
query ($consent: ID!) {
  creditView(consent: $consent, asOf: "2030-05-05") {
    view { lines { daysPastDue classification { status codes { scheme code } } } } errors { code reason }
  }
}"""

SCHEDULE = {
    "currency": "KES", "cause": "INITIAL", "version": 1,
    "rows": [{"due": "2026-02-05", "principal": "50000"}, {"due": "2026-03-05", "principal": "50000"}],
}  # fmt: skip
PERSON = "KE-4711-0815"


async def record(application: Application, name: str, kind: str, asked: dict[str, Any]) -> None:
    """One event of acacia's."""
    found = await application.data(docs.recording(name, kind), application.lender(), input=asked)
    assert found[name]["errors"] == [], found


async def late_loan(application: Application) -> None:
    """A loan of which nothing was ever paid; its first instalment was due on 5 February 2026."""
    await record(application, "agreementRecord", "AgreementRecordInput", docs.agreement("A-1", PERSON))
    money = {"amount": "100000", "currency": "KES"}
    await record(application, "disbursementRecord", "DisbursementRecordInput", docs.event("A-1", **money))
    await record(application, "scheduleRecord", "ScheduleRecordInput", docs.event("A-1", **SCHEDULE))


async def found_on(application: Application, day: str, **rest: Any) -> tuple[int, dict[str, Any]]:
    """(days past due, classification) of the loan on a day."""
    loan = (await application.data(CLASS, application.lender(), number="A-1", asOf=day, **rest))["loan"]
    return loan["daysPastDue"], loan["classification"]


def codes(found: dict[str, Any]) -> dict[str, str]:
    """List -> code."""
    return {code["scheme"]: code["code"] for code in found["codes"]}


async def test_a_loan_has_the_codes_of_its_lenders_country_on_the_day(application: Application) -> None:
    await late_loan(application)
    days, found = await found_on(application, "2030-05-05")
    assert days == 1550
    assert (found["jurisdiction"], found["status"], found["asOf"], found["pack"]) == (
        "KE",
        "classified",
        "2030-05-05",
        "KE",
    )
    assert codes(found) == {"ke_npl_bank": "non_performing", "ifrs9_stage": "3"}
    assert len(found["digest"]) == 64


async def test_each_code_says_its_rule_its_source_and_since_when(application: Application) -> None:
    await late_loan(application)
    _, found = await found_on(application, "2030-05-05", country="US")
    assert found["codes"][0] == {
        "scheme": "metro2_status", "code": "84", "label": "180 days or more",
        "because": "1550 days, in the band of 180 or more", "rule": "metro2_status:84",
        "source": "Metro 2 format: account status and payment history profile, as published with the regulator's evaluator",
        "clause": "field 17A", "since": "2017-01-01", "grade": "page",
    }  # fmt: skip


async def test_a_microlender_goes_by_its_own_list(application: Application) -> None:
    await late_loan(application)
    _, found = await found_on(application, "2030-05-05", kind="MICROFINANCE")
    assert codes(found) == {"ke_npl_microfinance": "non_performing", "ifrs9_stage": "3"}


async def test_a_country_without_a_pack_says_so(application: Application) -> None:
    await late_loan(application)
    _, found = await found_on(application, "2030-05-05", country="BR")
    assert (found["status"], found["pack"], found["codes"]) == ("pack_unknown", None, [])


async def test_floors_in_another_currency_leave_a_list_undecided(application: Application) -> None:
    await late_loan(application)
    _, found = await found_on(application, "2030-05-05", country="DE")
    assert (codes(found), found["undecided"]) == (
        {"ifrs9_stage": "3"}, [{"scheme": "eu_default", "code": "currency_unconverted"}],
    )  # fmt: skip


async def test_another_lender_finds_no_loan_and_so_no_class(application: Application) -> None:
    await late_loan(application)
    found = await application.data(CLASS, application.lender("baobab"), number="A-1", asOf="2030-05-05")
    assert found["loan"] is None


async def consent_to(application: Application, **rest: Any) -> str:
    """The id of a granted consent to read."""
    found = await application.data(docs.REQUEST, application.app(), input=docs.request(PERSON, **rest))
    assert found["consentRequest"]["errors"] == [], found
    consent: str = found["consentRequest"]["consent"]["id"]
    subject = application.node.pseudonyms.subject("national-id", PERSON)
    answer = await application.data(
        docs.stepping("consentGrant"), application.borrower(subject), input=docs.step(consent)
    )
    assert answer["consentGrant"]["errors"] == [], answer
    return consent


async def test_a_consented_reader_sees_the_class_of_what_it_sees(application: Application) -> None:
    await late_loan(application)
    consent = await consent_to(application)
    (line,) = (await application.data(VIEW, application.app(), consent=consent))["creditView"]["view"]["lines"]
    assert line["classification"]["status"] == "classified"
    assert line["daysPastDue"] == 1550 and codes(line["classification"])["ke_npl_bank"] == "non_performing"


async def test_a_consent_that_leaves_out_the_days_gives_no_class(application: Application) -> None:
    await late_loan(application)
    consent = await consent_to(application, detail="PROFILE")
    (line,) = (await application.data(VIEW, application.app(), consent=consent))["creditView"]["view"]["lines"]
    assert (line["daysPastDue"], line["classification"]) == (None, {"status": "figures_withheld", "codes": []})
