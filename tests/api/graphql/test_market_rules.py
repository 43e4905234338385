"""The rule across lenders through GraphQL: the lender's own country says whether anything is told."""

from __future__ import annotations

import os
from typing import Any

from tests.support import documents as docs
from tests.support.served import ENROL, Application

ASK = """
query ($number: String!) {
  pulledAcrossLenders(account: {number: $number}) {
    code applied atLeast claimsCounted claimsBad lendersCounted basis evidence source clause
  }
}"""


async def enrol(application: Application, name: str) -> None:
    """A Chinese lender with a managed key."""
    asked = {
        "idempotencyKey": os.urandom(8).hex(),
        "tenant": name,
        "displayName": name,
        "role": "LENDER",
        "country": "CN",
    }
    found = await application.data(ENROL, application.operator, input=asked)
    assert found["tenantEnrol"]["errors"] == [], found


async def lend(application: Application, who: str, number: str, due: str) -> None:
    """1,000.00 to the same firm, due in one sum."""
    whole: list[tuple[str, str, dict[str, Any]]] = [
        ("agreementRecord", "AgreementRecordInput", docs.agreement(number, "FIRM-1", currency="CNY")),
        ("disbursementRecord", "DisbursementRecordInput", docs.event(number, amount="100000", currency="CNY")),
        ("scheduleRecord", "ScheduleRecordInput", docs.event(
            number, currency="CNY", cause="INITIAL", version=1, rows=[{"due": due, "principal": "100000"}]
        )),
    ]  # fmt: skip
    for name, kind, asked in whole:
        found = await application.data(docs.recording(name, kind), application.lender(who), input=asked)
        assert found[name]["errors"] == [], found


async def test_a_chinese_lender_learns_counts_and_a_kenyan_one_nothing(application: Application) -> None:
    for who in ("dogwood", "elm"):
        await enrol(application, who)
    await lend(application, "dogwood", "D-1", "2060-01-01")
    await lend(application, "elm", "E-1", "2026-02-01")
    await lend(application, "acacia", "A-1", "2026-02-01")
    found = (await application.data(ASK, application.lender("dogwood"), number="D-1"))["pulledAcrossLenders"]
    assert found["evidence"].endswith("art. 10") and found["source"] in found["evidence"]
    assert {name: found[name] for name in found if name not in ("evidence", "source")} == {
        "code": "applied", "applied": True, "atLeast": "substandard", "claimsCounted": 3, "claimsBad": 2,
        "lendersCounted": 3, "basis": "law", "clause": "art. 10",
    }  # fmt: skip
    kenyan = (await application.data(ASK, application.lender("acacia"), number="A-1"))["pulledAcrossLenders"]
    assert (kenyan["code"], kenyan["applied"], kenyan["lendersCounted"]) == ("value_none", None, None)


async def test_a_loan_of_somebody_else_is_not_there(application: Application) -> None:
    await enrol(application, "dogwood")
    assert await application.code(ASK, application.lender("dogwood"), number="D-404") == "loan_unknown"
    assert await application.code(ASK, application.app(), number="D-404") == "permission_denied"
