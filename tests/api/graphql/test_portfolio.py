"""A lender's portfolio through GraphQL: its own loans, on any day, in figures that add up."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from api.auth.permissions import Role
from tests.support import documents as docs
from tests.support.served import Application

WHOLE = """
query ($asOf: Date!, $since: Date!) {
  portfolio(asOf: $asOf) {
    asOf
    byClass(jurisdiction: "KE") { currency code label loans balance overdue }
    heatMap(months: 1) { day bucket loans balance overdue }
    rollRates(since: $since) { origin target loans balance shareBp }
    vintages(months: 0) { opened day age loans lent balance over30Bp over90Bp lostBp }
    atRisk { currency loans balance late overdue over30 over90 par30Bp par90Bp chargedOff unknown }
  }
}"""
WORKLIST = """
query ($asOf: Date!, $first: Int!, $after: String, $fewest: Int! = 1) {
  portfolio(asOf: $asOf) {
    worklist(first: $first, after: $after, fewest: $fewest) {
      nodes { account daysPastDue delinquentDays since overdue balance flags product }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""
DAY, SINCE = "2026-06-30", "2026-04-30"


async def record(application: Application, name: str, kind: str, asked: dict[str, Any], who: str = "acacia") -> None:
    """One event."""
    found = await application.data(docs.recording(name, kind), application.lender(who), input=asked)
    assert found[name]["errors"] == [], found


async def new_loan(application: Application, number: str, due: str, who: str = "acacia") -> None:
    """1,000.00 lent on 5 January 2026, due in one sum."""
    await record(application, "agreementRecord", "AgreementRecordInput", docs.agreement(number, f"ID-{number}"), who)
    money = {"amount": "100000", "currency": "KES"}
    await record(application, "disbursementRecord", "DisbursementRecordInput", docs.event(number, **money), who)
    rows = [{"due": due, "principal": "100000"}]
    plan = docs.event(number, currency="KES", cause="INITIAL", version=1, rows=rows)
    await record(application, "scheduleRecord", "ScheduleRecordInput", plan, who)


@pytest.fixture
async def book(application: Application) -> Application:
    """Three loans of acacia's: one on time, one 30 days late and one 121 on the last of June; and one of baobab's."""
    for number, due in (("A-1", "2026-12-01"), ("A-2", "2026-05-31"), ("A-3", "2026-03-01")):
        await new_loan(application, number, due)
    payment = docs.event("A-3", effectiveDate="2026-03-05", amount="40000", currency="KES", channel="mobile")
    await record(application, "repaymentRecord", "RepaymentRecordInput", payment)
    await new_loan(application, "B-1", "2026-02-01", "baobab")
    return application


async def test_the_whole_portfolio_on_a_day(book: Application) -> None:
    found = (await book.data(WHOLE, book.lender(), asOf=DAY, since=SINCE))["portfolio"]
    assert found["asOf"] == DAY
    assert found["byClass"] == [
        {"currency": "KES", "code": "performing", "label": "performing", "loans": 2, "balance": "200000",
         "overdue": "100000"},
        {"currency": "KES", "code": "non_performing", "label": "non-performing", "loans": 1, "balance": "60000",
         "overdue": "60000"},
    ]  # fmt: skip
    assert [(cell["day"], cell["bucket"], cell["balance"]) for cell in found["heatMap"]] == [
        ("2026-05-31", "0", "200000"), ("2026-05-31", "90-119", "60000"),
        (DAY, "0", "100000"), (DAY, "30-59", "100000"), (DAY, "120-149", "60000"),
    ]  # fmt: skip
    assert [(cell["origin"], cell["target"], cell["balance"], cell["shareBp"]) for cell in found["rollRates"]] == [
        ("0", "0", "100000", 5000), ("0", "30-59", "100000", 5000), ("60-89", "120-149", "60000", 10000),
    ]  # fmt: skip
    assert found["vintages"] == [
        {"opened": "2026-01-01", "day": DAY, "age": 5, "loans": 3, "lent": "300000", "balance": "260000",
         "over30Bp": 2000, "over90Bp": 2000, "lostBp": 0},
    ]  # fmt: skip
    assert found["atRisk"] == [
        {"currency": "KES", "loans": 3, "balance": "260000", "late": 2, "overdue": "160000", "over30": "60000",
         "over90": "60000", "par30Bp": 2308, "par90Bp": 2308, "chargedOff": "0", "unknown": 0},
    ]  # fmt: skip


async def test_the_worklist_goes_on_where_a_page_ended(book: Application) -> None:
    first = (await book.data(WORKLIST, book.lender(), asOf=DAY, first=1))["portfolio"]["worklist"]
    account = b64encode(book.node.pseudonyms.account("acacia", "A-3")).decode()
    assert first["nodes"] == [
        {"account": account, "daysPastDue": 121, "delinquentDays": 121, "since": "2026-03-01", "overdue": "60000",
         "balance": "60000", "flags": [], "product": "boda"},
    ]  # fmt: skip
    assert first["pageInfo"]["hasNextPage"] is True
    after = first["pageInfo"]["endCursor"]
    second = (await book.data(WORKLIST, book.lender(), asOf=DAY, first=1, after=after))["portfolio"]["worklist"]
    assert ([node["daysPastDue"] for node in second["nodes"]], second["pageInfo"]["hasNextPage"]) == ([30], False)
    late = (await book.data(WORKLIST, book.lender(), asOf=DAY, first=9, fewest=90))["portfolio"]["worklist"]
    assert [node["daysPastDue"] for node in late["nodes"]] == [121]


async def test_a_cursor_of_another_day_is_refused(book: Application) -> None:
    page = (await book.data(WORKLIST, book.lender(), asOf=DAY, first=1))["portfolio"]["worklist"]
    after = page["pageInfo"]["endCursor"]
    assert await book.code(WORKLIST, book.lender(), asOf=SINCE, first=1, after=after) == "cursor_invalid"


async def test_each_lender_sees_its_own(book: Application) -> None:
    found = (await book.data(WHOLE, book.lender("baobab"), asOf=DAY, since=SINCE))["portfolio"]
    assert [(row["loans"], row["balance"], row["par30Bp"]) for row in found["atRisk"]] == [(1, "100000", 10000)]


@pytest.mark.parametrize("role", [Role.APP, Role.BORROWER, Role.OPERATOR])
async def test_nobody_but_a_lender_may_ask(book: Application, role: Role) -> None:
    borrower = bytes(32) if role is Role.BORROWER else None
    who = book.headers("fintech" if role is Role.APP else "tallystick", role, subject=borrower)
    document = "query { portfolio { atRisk { loans } } }"
    assert await book.code(document, who) == "permission_denied"
    assert await book.code(document) == "token_missing"


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ('byClass(jurisdiction: "BR") { code }', "pack_unknown"),
        ('byClass(jurisdiction: "KE", scheme: "cn_general") { code }', "pack_list_unknown"),
        ("heatMap(months: 37) { bucket }", "out_of_range"),
        ('rollRates(since: "2026-06-30") { origin }', "days_reversed"),
    ],
)
async def test_what_cannot_be_counted_is_refused(book: Application, field: str, code: str) -> None:
    document = f'query {{ portfolio(asOf: "{DAY}") {{ {field} }} }}'
    assert await book.code(document, book.lender()) == code


async def test_without_a_day_it_is_today(book: Application) -> None:
    found = (await book.data("query { portfolio { asOf atRisk { loans } } }", book.lender()))["portfolio"]
    assert len(found["asOf"]) == 10 and found["atRisk"] == [{"loans": 3}]
