"""The parties of the after-loan story at work: what each records, signs and reads over GraphQL, every bit of it proven.

    desk = Desk(api, trust, {"baobab": token, ...})
    await desk.record("baobab", REPAYMENT, BAOBAB_LOAN, day, amount="20000", currency="USD", channel="mobile")
    shown = await desk.loan("baobab", BAOBAB_LOAN, day)         # figures, class, explanation

Rules
- Nothing is taken from an answer before ``Desk.prove`` followed it from its bytes to a signed checkpoint (demo_proof.py),
  and before the bytes say what was recorded.
- An effect names its cause: that the cause is on the log, and that the effect's id follows from it, is checked as well.
- A class is asked for, never computed here: in the lender's own country, and in others for comparison.

Which step comes when is demo_after_loan.py's to say.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Final

from api.cli.demo_proof import Placed, Trust, check, check_entry, logged, placed
from api.cli.demo_steps import Api, mutation, promised
from ledger.base64_strict import decode_standard, encode_standard
from ledger.contract import library
from ledger.contract.document import Parties, canonical_bytes
from ledger.contract.engine import effect_id
from ledger.node.participants import DEPLOYMENT
from ledger.types import TenantId

_RECORDED: Final = "attestation receipt { index }"
AGREEMENT: Final = mutation("agreementRecord", "AgreementRecordInput", _RECORDED)
DISBURSEMENT: Final = mutation("disbursementRecord", "DisbursementRecordInput", _RECORDED)
SCHEDULE: Final = mutation("scheduleRecord", "ScheduleRecordInput", _RECORDED)
REPAYMENT: Final = mutation("repaymentRecord", "RepaymentRecordInput", _RECORDED)
STATUS: Final = mutation("statusRecord", "StatusRecordInput", _RECORDED)
_BEGIN: Final = mutation("dayBegin", "DayBeginInput", "index")
_PROPOSE: Final = mutation("contractPropose", "ContractProposeInput", "contract { hash }")
_SIGN: Final = mutation("contractSign", "ContractStepInput", "contract { hash state signedBy }")
_CLOSE: Final = mutation("alertClose", "AlertCloseInput", "alert { state outcome }")
_REQUEST: Final = mutation("consentRequest", "ConsentRequestInput", "consent { id }")
_GRANT: Final = mutation("consentGrant", "ConsentStepInput", "consent { state }")
_ATTESTATION: Final = """query ($id: UUID!) {
  attestation(attestation: $id) { kind position commitment path data entry { index } } }"""
_CLASS: Final = "{ jurisdiction status codes { scheme code label rule source clause } }"
_LOAN: Final = f"""query ($account: AccountInput!, $asOf: Date) {{ loan(account: $account, asOf: $asOf) {{
  account currency balance pastDue daysPastDue delinquentDays stage closed
  US: classification {_CLASS} IN: classification(jurisdiction: "IN") {_CLASS}
  CN: classification(jurisdiction: "CN") {_CLASS} KE: classification(jurisdiction: "KE") {_CLASS}
  explanation {{ stage daysPastDue instalment {{ n due missing }}
    reasons {{ rule sentence causes {{ attestation kind index }} }} }} }} }}"""
_HISTORY: Final = """query ($hash: Base64!) { contractHistory(hash: $hash, first: 50) { nodes {
  rule effect arguments { name value } causeIndex causePosition index position commitment path data } } }"""
_ALERTS: Final = """{ alerts(first: 100) { nodes { id subject rule severity reading reasons unnamedCauses
  index position commitment path data
  causes { index position commitment path kind data lender { displayName } } } } }"""

CLASSES: Final = ("US", "IN", "CN", "KE")
"""Countries whose packs are asked: the demo's lenders' own first, then others for comparison."""


class Desk:
    """Acts and reads for the story's lenders, and proves what it reads. ``proofs`` counts what held."""

    def __init__(self, api: Api, trust: Trust, tokens: dict[str, str]) -> None:
        self.proofs = 0
        self._api, self._trust, self._tokens = api, trust, tokens

    async def prove(self, token: str, where: Placed) -> str:
        """Follow an attestation to a signed checkpoint; gives whose it is. Raises Untrusted."""
        statement = check(where, await logged(self._api, token, where.index), self._trust)
        self.proofs += 1
        return str(statement.tenant)

    async def day(self, operator: str, day: date) -> int:
        """Begin a day; the log index of its tick, an entry that the deployment signed."""
        index: int = (await self._api.act(_BEGIN, operator, day=day.isoformat()))["index"]
        signed = check_entry(await logged(self._api, operator, index), self._trust)
        promised((signed.tenant, signed.count) == (DEPLOYMENT, 1), "day", DEPLOYMENT, signed.tenant)
        self.proofs += 1
        return index

    async def record(self, lender: str, document: str, account: str, day: date, **body: Any) -> int:
        """Record an event, then read and prove what stands on the ledger; gives its log index."""
        answer = await self._api.act(
            document, self._tokens[lender], account={"number": account}, effectiveDate=day.isoformat(), **body
        )  # fmt: skip
        return await self._own(lender, answer["attestation"], day)

    async def _own(self, lender: str, attestation: str, day: date | None) -> int:
        token = self._tokens[lender]
        answer = await self._api.ask(_ATTESTATION, token, id=attestation)
        said, index = json.loads(answer["data"]), answer["entry"]["index"]
        whose = await self.prove(token, placed(answer, index))
        promised((whose, said["tenant"], said["id"]) == (lender, lender, attestation), "proof", lender, said)
        promised(day is None or said["effectiveDate"] == day.isoformat(), "proof", day, said["effectiveDate"])
        return int(index)

    async def loan(self, lender: str, account: str, day: date) -> dict[str, Any]:
        """The loan on a day as its lender sees it."""
        return await self._api.ask(_LOAN, self._tokens[lender], account={"number": account}, asOf=day.isoformat())

    async def explained(self, lender: str, account: str, day: date) -> dict[str, Any]:
        """Why the loan stood where it stood, with every attestation that the reasons name proven."""
        found = (await self.loan(lender, account, day))["explanation"]
        named = {cause["attestation"] for reason in found["reasons"] for cause in reason["causes"]}
        for attestation in sorted(named):
            await self._own(lender, attestation, None)
        reasons = [
            {"rule": one["rule"], "sentence": one["sentence"], "attestations": len(one["causes"])}
            for one in found["reasons"]
        ]
        return {
            "day": day.isoformat(), "stage": found["stage"], "days_past_due": found["daysPastDue"],
            "instalment": found["instalment"], "reasons": reasons, "attestations_proven": len(named),
        }  # fmt: skip

    # -- contracts ------------------------------------------------------------------------------------------------

    async def agree(self, lender: str, borrower: str, subject: bytes, name: str, terms: dict[str, Any]) -> str:
        """A contract of the library: proposed by the lender, signed by both. Gives its hash, in force."""
        document = library.agree(
            library.load(name).document, parties=Parties(borrower=subject, lender=TenantId(lender)), **terms
        )
        token = self._tokens[lender]
        proposed = await self._api.act(_PROPOSE, token, document=canonical_bytes(document).decode())
        contract: str = proposed["contract"]["hash"]
        for signer in (token, borrower):
            signed = (await self._api.act(_SIGN, signer, contract=contract))["contract"]
        promised(signed["state"] == "in_force", "contract", "in_force", signed)
        return contract

    async def effects(self, lender: str, contract: str) -> list[dict[str, Any]]:
        """What a contract did, each with its record proven, and its cause: both on the log, and the id that ties them."""
        nodes = (await self._api.ask(_HISTORY, self._tokens[lender], hash=contract))["nodes"]
        return [await self._effect(lender, contract, node) for node in nodes]

    async def _effect(self, lender: str, contract: str, node: dict[str, Any]) -> dict[str, Any]:
        token, whose = self._tokens[lender], await self.prove(self._tokens[lender], placed(node))
        said = json.loads(node["data"])["body"]
        cause = decode_standard(said["cause"]["commitment"])
        due = effect_id(decode_standard(contract), node["rule"], cause, said["n"])
        promised(decode_standard(said["id"]) == due, "effect", encode_standard(due), said["id"])
        # The cause is a batch of one here, a day's tick or a payment: its commitment is the batch's root.
        await self.prove(token, Placed(node["causeIndex"], node["causePosition"], cause, b"", None))
        return {
            "contract": contract, "rule": node["rule"], "effect": node["effect"], "by": whose,
            "arguments": {each["name"]: each["value"] for each in node["arguments"]},
            "cause_index": node["causeIndex"], "index": node["index"], "proof": True,
        }  # fmt: skip

    async def altered(self, lender: str, contract: str) -> dict[str, Any]:
        """The first record of a contract with one digit changed, and everything else of its proof as it is."""
        nodes = (await self._api.ask(_HISTORY, self._tokens[lender], hash=contract))["nodes"]
        return {**nodes[0], "data": altered(nodes[0]["data"])}

    # -- warnings -------------------------------------------------------------------------------------------------

    async def monitoring(self, lender: str, reader: str, borrower: str, subject: bytes, until: str) -> None:
        """A lender asks the borrower for monitoring, and the borrower grants it."""
        asked = await self._api.act(
            _REQUEST, reader, borrower={"subject": encode_standard(subject)}, detail="TRANSACTIONS", fetch="PERIODIC",
            purpose={"code": "104", "text": "So that we can help before you fall behind"}, expiresAt=until,
        )  # fmt: skip
        granted = await self._api.act(_GRANT, borrower, consent=asked["consent"]["id"])
        promised(granted["consent"]["state"] == "ACTIVE", "consent", f"ACTIVE for {lender}", granted)

    async def alerts(self, lender: str, subject: bytes) -> list[dict[str, Any]]:
        """A lender's alerts about the borrower, each proven with every cause that it names."""
        token, found = self._tokens[lender], []
        for node in (await self._api.ask(_ALERTS, token))["nodes"]:
            if decode_standard(node["subject"]) != subject:
                continue
            await self.prove(token, placed(node))
            said = {(one["index"], one["commitment"]) for one in json.loads(node["data"])["body"].get("causes", [])}
            named = {(one["index"], one["commitment"]) for one in node["causes"]}
            promised(named == said, "alert", said, named)
            for cause in node["causes"]:
                await self.prove(token, placed(cause))
            found.append({
                "id": node["id"], "lender": lender, "rule": node["rule"], "severity": node["severity"],
                "reading": node["reading"], "reasons": node["reasons"], "unnamed_causes": node["unnamedCauses"],
                "causes": [{"lender": one["lender"]["displayName"], "index": one["index"], "kind": one["kind"]}
                           for one in node["causes"]],
                "index": node["index"], "proof": True,
            })  # fmt: skip
        return found

    async def close(self, lender: str, alert: str, outcome: str) -> None:
        """A lender says what came of an alert."""
        closed = (await self._api.act(_CLOSE, self._tokens[lender], alert=alert, outcome=outcome))["alert"]
        promised(closed == {"state": "CLOSED", "outcome": outcome}, "alert", outcome, closed)


def altered(data: str) -> str:
    """A record with one digit of the first amount changed (of the first number, where it has none)."""
    at = data.find('"amount":') + len('"amount":') if '"amount":' in data else next(
        place for place, sign in enumerate(data) if sign.isdigit()
    )  # fmt: skip
    return f"{data[:at]}{(int(data[at]) + 1) % 10}{data[at + 1 :]}"


def class_of(shown: dict[str, Any], country: str) -> str:
    """The first code of a country's pack, the list that it is known for; empty where it gives none."""
    codes = shown[country]["codes"]
    return str(codes[0]["code"]) if codes else ""
