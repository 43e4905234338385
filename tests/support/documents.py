"""GraphQL documents that several tests send, and the inputs that go with them."""

from __future__ import annotations

import os
from typing import Any

REFUSALS = "errors { code reason message path advice }"
RECEIPT = (
    "receipt { index treeSize batch leafHash root count committedAt path checkpoint statement duplicate document }"
)


def recording(name: str, kind: str) -> str:
    """The document of an event's mutation."""
    return f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ attestation {RECEIPT} {REFUSALS} }} }}"


AGREEMENT = recording("agreementRecord", "AgreementRecordInput")
DISBURSEMENT = recording("disbursementRecord", "DisbursementRecordInput")
REPAYMENT = recording("repaymentRecord", "RepaymentRecordInput")

CONSENT = "consent { id consent version state reads consumer { name } detail }"


def stepping(name: str, kind: str = "ConsentStepInput") -> str:
    """The document of a consent's mutation."""
    return f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {CONSENT} {REFUSALS} }} }}"


REQUEST = stepping("consentRequest", "ConsentRequestInput")

VIEW = f"""
query ($consent: ID!, $bundle: Boolean! = false) {{
  creditView(consent: $consent, withBundle: $bundle) {{
    view {{
      consent detail asOf evidence bundle access {{ index count }}
      lines {{
        account lender {{ name displayName }} balance pastDue daysPastDue currency principal stage flags history
      }}
    }}
    {REFUSALS}
  }}
}}"""


def key() -> str:
    """A fresh idempotency key."""
    return os.urandom(8).hex()


def agreement(number: str, national_id: str, **rest: Any) -> dict[str, Any]:
    """The input of a new loan of 1,000.00 KES."""
    whole = {
        "idempotencyKey": key(), "account": {"number": number}, "effectiveDate": "2026-01-05", "currency": "KES",
        "borrower": {"identifier": {"scheme": "national-id", "value": national_id}}, "principal": "100000",
        "portfolioType": "INSTALMENT", "product": "boda", "frequency": "MONTHLY", "instalments": 10,
    }  # fmt: skip
    return whole | rest


def event(number: str, **rest: Any) -> dict[str, Any]:
    """The members of every event's input, and more."""
    return {"idempotencyKey": key(), "account": {"number": number}, "effectiveDate": "2026-01-06"} | rest


def request(national_id: str, **rest: Any) -> dict[str, Any]:
    """The input of a request for consent."""
    whole = {
        "idempotencyKey": key(), "borrower": {"identifier": {"scheme": "national-id", "value": national_id}},
        "purpose": {"code": "103", "text": "Deciding on your application"}, "detail": "TRANSACTIONS",
        "fetch": "PERIODIC", "frequency": {"n": 10, "unit": "DAY"}, "expiresAt": "2030-01-01T00:00:00.000Z",
    }  # fmt: skip
    return whole | rest


def step(consent: str, **rest: Any) -> dict[str, Any]:
    """The input of a borrower's step."""
    return {"idempotencyKey": key(), "consent": consent} | rest
