"""One borrower with loans at three lenders, a consent to an app, and the app's token: what a view is read from."""

from __future__ import annotations

import json
import os
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from typing import Any

from benchmarks.publish import Publishing
from benchmarks.server import ORIGIN, Server
from benchmarks.wire import Connection, post_json
from benchmarks.workload import SOURCES, Workload
from ledger.attestation.credit_kinds import Agreement, StatusSnapshot
from ledger.attestation.envelope import compose

LENDERS = ("acacia", "baobab", "cedar")
MONTHS = 24
REQUEST = (
    "mutation($input: ConsentRequestInput!) "
    "{ consentRequest(input: $input) { consent { id } errors { code message } } }"
)
GRANT = (
    "mutation($input: ConsentStepInput!) { consentGrant(input: $input) { consent { state } errors { code message } } }"
)
VIEW = """query($consent: ID!, $bundle: Boolean!) { creditView(consent: $consent, withBundle: $bundle) {
  view { evidence bundle access { index } lines { account lender { name } portfolioType opened currency principal balance
         pastDue daysPastDue stage status history flags } } errors { code message } } }"""


@dataclass(frozen=True)
class SharedBorrower:
    """What a reader needs."""

    consent: str
    token: str
    lines: int
    attestations: int


async def share(server: Server, lines: int) -> SharedBorrower:
    """Publish ``lines`` loans of one borrower (agreement and 24 monthly snapshots each), and obtain the consent."""
    lenders = {name: Workload(name, ORIGIN) for name in LENDERS}
    for name, workload in lenders.items():
        await server.enrol(name, "LENDER", workload.key.public_jwk())
    await server.enrol("fintech", "APP", None)
    lender_token = await server.token(LENDERS[0], ["lender"])
    identifier = {"scheme": "national-id", "value": f"B{os.urandom(6).hex()}"}
    connection = await Connection.open(server.base_url)
    resolved = await post_json(connection, "/v1/subjects", {"identifiers": [identifier]}, lender_token)
    connection.close()
    subject = b64decode(resolved["subjects"][0])
    count = 0
    for number in range(lines):
        workload = lenders[LENDERS[number % len(LENDERS)]]
        count += await _publish_loan(server, workload, subject)
    app = await server.token("fintech", ["app"])
    asked = {
        "idempotencyKey": "ask", "borrower": {"identifier": identifier}, "detail": "TRANSACTIONS", "fetch": "PERIODIC",
        "purpose": {"code": "102", "text": "Measuring"}, "expiresAt": "2030-01-01T00:00:00.000Z",
        "frequency": {"n": 10_000, "unit": "HOUR"},
    }  # fmt: skip
    consent = _result(await server.graphql(app, REQUEST, {"input": asked}), "consentRequest")["id"]
    borrower = await server.token("tallystick", ["borrower"], urlsafe_b64encode(subject).decode().rstrip("="))
    _result(
        await server.graphql(borrower, GRANT, {"input": {"idempotencyKey": "yes", "consent": consent}}), "consentGrant"
    )
    return SharedBorrower(consent, app, lines, count)


async def read(connection: Connection, shared: SharedBorrower, *, bundle: bool) -> Any:
    """One credit view."""
    variables = {"consent": shared.consent, "bundle": bundle}
    answer = await post_json(connection, "/graphql", {"query": VIEW, "variables": variables}, shared.token)
    view = (answer.get("data") or {}).get("creditView", {}).get("view")
    if view is None or len(view["lines"]) != shared.lines:
        raise RuntimeError(f"the view is not what was shared: {json.dumps(answer)[:300]}")
    return view


def _result(data: Any, name: str) -> Any:
    if data[name]["errors"]:
        raise RuntimeError(f"{name} was refused: {data[name]['errors']}")
    return data[name]["consent"]


async def _publish_loan(server: Server, workload: Workload, subject: bytes) -> int:
    account = os.urandom(32)

    def attest(kind: str, body: Any, day: date) -> Any:
        fields: dict[str, Any] = {
            "account": account, "effective_date": day, "id": SOURCES.new_id(), "jurisdiction": "KE", "kind": kind,
            "legal_basis": "contract", "reported_at": SOURCES.now(), "role": "borrower", "salt": os.urandom(16),
            "subject": subject, "tenant": workload.lender,
        }  # fmt: skip
        return compose(fields, body)

    events = [attest("agreement", Agreement(currency="KES", portfolio_type="instalment", principal=5_000_000),
                     date(2024, 1, 2))]  # fmt: skip
    for month in range(MONTHS):
        day = date(2024 + (month + 1) // 12, (month + 1) % 12 + 1, 1)
        snapshot = StatusSnapshot(balance=5_000_000 - 200_000 * month, currency="KES", dpd=0, status="current")
        events.append(attest("status_snapshot", snapshot, day))
    publishing = Publishing(server, workload, await server.token(workload.lender, ["lender"]))
    connection = await Connection.open(server.base_url)
    await publishing.post(connection, workload.signed(events))
    connection.close()
    return len(events)
