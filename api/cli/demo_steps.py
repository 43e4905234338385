"""The story that ``tallystick demo`` tells, one step a method: each does it, checks it, and adds to the facts.

    enrol -> publish -> consent -> view -> verify -> repay -> who looked -> export -> revoke -> tamper
          -> after the loan -> fsck

Rules
- Everything goes over HTTP to a server in another process; a step asserts nothing that it did not see in an answer.
- Whose account is whose is demo_source.py's to say.
- The verifier runs as a separate process on the files that the app was given: the counts are its verdicts. Of a line
  whose past was changed it may say that it cannot tell; that is counted, and no line may be wrong.
- The first step that is not as promised raises InvariantBroken ``demo_<step>``.

    facts = await tell_story(server, folder, None, 2000, Telling())
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from api.cli.demo_report import Telling
from api.cli.demo_server import Server, environment
from api.cli.demo_source import LENDERS, lender_of, look_at, write_input
from api.cli.exchange_runs import export_file, import_file
from api.cli.ledger_client import Credentials, Ledger
from api.cli.verify import VERIFIER
from ledger.attestation.keys import PrivateKey
from ledger.errors import InvariantBroken
from ledger.node.participants import DEPLOYMENT

BUREAU: Final = "jacaranda"
APP: Final = "pochi"
_REFUSALS: Final = "errors { code reason message }"
_ADDED: Final = ("records_in", "records_published", "attestations", "batches")
_VIEW: Final = f"""query ($consent: ID!, $asOf: Date, $bundle: Boolean!) {{
  creditView(consent: $consent, asOf: $asOf, withBundle: $bundle) {{
    view {{ evidence bundle access {{ index }}
      lines {{ account currency balance scheduled stage flags lender {{ name }} }} }} {_REFUSALS} }} }}"""
_ACCESSES: Final = "{ me { accesses(first: 100) { nodes { index lines readAt consumer { name displayName } } } } }"


def mutation(name: str, kind: str, asked: str) -> str:
    """The document of a mutation: ``asked`` of its payload, and its refusals."""
    return f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {asked} {_REFUSALS} }} }}"


_ENROL: Final = mutation("tenantEnrol", "TenantEnrolInput", "tenant { name }")
_KEY: Final = mutation("keyEnrol", "KeyEnrolInput", "key { kid }")
_REQUEST: Final = mutation("consentRequest", "ConsentRequestInput", "consent { id state }")
_GRANT: Final = mutation("consentGrant", "ConsentStepInput", "consent { state }")
_REVOKE: Final = mutation("consentRevoke", "ConsentStepInput", "consent { state }")
_REPAY: Final = mutation("repaymentRecord", "RepaymentRecordInput", "attestation receipt { index }")


class Api:
    """The server as its clients see it: GraphQL with a token for each party."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client, self._url = client, url

    async def token(self, tenant: str, role: str, **more: str) -> str:
        """A token of the development issuer."""
        answer = await self._client.post(f"{self._url}/dev/token", json={"tenant": tenant, "roles": [role], **more})
        promised(answer.status_code == 200, "token", "an access token", answer.text[:300])
        token: str = answer.json()["access_token"]
        return token

    async def ask(self, document: str, token: str, /, **variables: Any) -> dict[str, Any]:
        """The payload of a document with one root field; expected refusals are in its ``errors``."""
        body, headers = {"query": document, "variables": variables}, {"authorization": f"Bearer {token}"}
        answer = await self._client.post(f"{self._url}/graphql", json=body, headers=headers)
        told = answer.json()
        promised("errors" not in told, "graphql", "an answer without errors", told.get("errors"))
        (payload,) = told["data"].values()
        return dict(payload)

    async def act(self, document: str, token: str, /, **given: Any) -> dict[str, Any]:
        """A mutation that has to succeed, under a fresh idempotency key."""
        payload = await self.ask(document, token, input={"idempotencyKey": secrets.token_hex(8)} | given)
        promised(payload["errors"] == [], "mutation", "no refusal", payload["errors"])
        return payload

    async def file(self, path: str) -> bytes:
        """A plain file that the server publishes."""
        return (await self._client.get(self._url + path)).raise_for_status().content


def promised(holds: bool, step: str, expected: object, found: object) -> None:
    """Raises InvariantBroken ``demo_<step>`` unless the step is as promised."""
    if not holds:
        raise InvariantBroken(f"demo_{step}", "the demo did not come out as promised", expected=expected, found=found)


async def tell_story(
    server: Server, folder: Path, file: Path | None, accounts: int, telling: Telling
) -> dict[str, Any]:
    """The whole demo against a running server; the facts as plain JSON values.

    Raises InvariantBroken ``demo_*`` at the first step that is not as promised, and what a client of the ledger raises.
    """
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=httpx.Timeout(120.0, connect=5.0)) as client:
        story = Story(server, Api(client, server.url), client, folder, telling)
        for step in (story.enrol, lambda: story.read_file(file, accounts), story.publish, story.consent, story.view,
                     story.verify, story.repay, story.accesses, story.export, story.revoke, story.tamper,
                     story.after_loan, story.fsck):  # fmt: skip
            await step()
    return story.facts | {"seconds": round(time.monotonic() - began, 3), "durations_s": story.durations}


class Story:
    """The steps, in order; each one leaves what the next needs."""

    def __init__(self, server: Server, api: Api, client: httpx.AsyncClient, folder: Path, telling: Telling) -> None:
        self.facts: dict[str, Any] = {}
        self.durations: dict[str, float] = {}
        self._server, self._api, self._client, self._folder, self._telling = server, api, client, folder, telling
        self._lenders: dict[str, Credentials] = {}
        self._tell("Start", "An empty ledger: its own database, and a server on this machine", server.url)

    def _tell(self, step: str, told: str, figures: str) -> None:
        self.durations[step.lower().replace(" ", "_")] = self._telling.row(step, told, figures)

    async def enrol(self) -> None:
        """Three lenders with keys of their own, a bureau, an app."""
        operator = await self._api.token(DEPLOYMENT, "operator")
        for number, (name, shown) in enumerate(LENDERS.items()):
            key = PrivateKey.from_random("ES256" if number == 2 else "EdDSA", os.urandom(32))
            public = {member: value for member, value in key.public_jwk().items() if member in ("kty", "crv", "x", "y")}
            who = {"tenant": name, "displayName": shown, "country": "US"}
            await self._api.act(_ENROL, operator, **who, role="LENDER", jwk=public)
            # A second key, kept by the deployment, for the single events that are recorded through GraphQL.
            await self._api.act(_KEY, operator, tenant=name)
            token = await self._api.token(name, "lender")
            self._lenders[name] = Credentials(name, self._server.origin, self._server.url, key, os.urandom(32), token)
        for name, shown, role in ((BUREAU, "Jacaranda Bureau", "BUREAU"), (APP, "Pochi App", "APP")):
            await self._api.act(_ENROL, operator, tenant=name, displayName=shown, country="US", role=role)
        self._tell("Enrol", "Everybody's signing keys are put on the ledger; the lenders' private keys stay with them",
                   f"{len(LENDERS)} lenders, 1 bureau, 1 app")  # fmt: skip

    async def read_file(self, file: Path | None, accounts: int) -> None:
        """The input: the caller's file, or one that is written now."""
        path = file
        if path is None:
            path = self._folder / "synthetic.txt"
            await asyncio.to_thread(write_input, path, accounts)
        self._source = source = await asyncio.to_thread(look_at, path)
        self.facts |= {
            "input": str(file) if file else "synthetic", "synthetic": file is None, "as_of": source.as_of.isoformat(),
            "subject_rule": source.rule, "borrowers": source.borrowers if source.rule == "assigned" else None,
        }  # fmt: skip
        origin = f"{path.name}" if file else f"{accounts:,} invented accounts, written to a file"
        self._tell("Read", f"A Metro 2 file as lenders send it to bureaus: {origin}",
                   f"borrowers by rule '{source.rule}'")  # fmt: skip

    async def publish(self) -> None:
        """The file, split among the lenders, becomes signed attestations."""
        began = time.monotonic()
        with self._telling.bars() as bar:
            reports = await asyncio.gather(*[self._import(lender, bar) for lender in self._lenders.values()])
        seconds = time.monotonic() - began
        total: Counter[str] = Counter()
        for report in reports:
            total.update({name: report[name] for name in _ADDED})
        rejected = {(entry["line"], entry["rule"]): entry for report in reports for entry in report["rejected"]}
        own = sum(report["rejected_count"] - self._source.rejects for report in reports)
        self.facts |= dict(total) | {
            "rejected": [rejected[key] for key in sorted(rejected)],
            "rejected_count": self._source.rejects + own,
            "trailer_mismatches": reports[0]["trailer_mismatches"],
            "attestations_per_s": round(total["attestations"] / seconds, 1),
            "records_per_s": round(total["records_published"] / seconds, 1),
        }
        promised(total["records_published"] + own == total["records_in"], "publish", total["records_in"], dict(total))
        self._tell(
            "Publish", "Each lender signs its records in batches and posts them; each is answered once it is durable",
            f"{total['records_published']:,} records, {total['attestations']:,} attestations in {total['batches']} "
            f"batches, {self.facts['attestations_per_s']:,.0f} attestations/s, "
            f"{self.facts['rejected_count']} rejected",
        )  # fmt: skip

    async def _import(self, lender: Credentials, bar: Callable[[str, int, int], None] | None) -> dict[str, Any]:
        shown, source = LENDERS[lender.tenant], self._source
        report = await import_file(
            source.path, lender, as_of=source.as_of, subject_rule_name=source.rule, client=self._client,
            borrowers=source.borrowers, select=lambda line: lender_of(line) == lender.tenant,
            progress=None if bar is None else lambda done, total: bar(shown, done, total),
        )  # fmt: skip
        if bar is not None:
            bar(shown, 1, 1)
        return report

    async def consent(self) -> None:
        """The app asks, the borrower grants."""
        scheme, value = self._source.borrower
        first = next(iter(self._lenders.values()))
        (pseudonym,) = await Ledger(self._client, first).subjects([self._source.borrower])
        subject = urlsafe_b64encode(pseudonym).decode().rstrip("=")
        self._app = await self._api.token(APP, "app")
        self._borrower = await self._api.token(DEPLOYMENT, "borrower", subject=subject)
        asked = await self._api.act(
            _REQUEST, self._app, borrower={"identifier": {"scheme": scheme, "value": value}}, detail="TRANSACTIONS",
            purpose={"code": "103", "text": "Deciding on your application for a loan"}, fetch="PERIODIC",
            frequency={"n": 100, "unit": "DAY"}, expiresAt=_in_thirty_days(),
        )  # fmt: skip
        self._consent: str = asked["consent"]["id"]
        early = await self._read()
        promised(early["view"] is None, "consent", "no read before the grant", "a view")
        granted = await self._api.act(_GRANT, self._borrower, consent=self._consent)
        promised(granted["consent"]["state"] == "ACTIVE", "consent", "ACTIVE", granted["consent"])
        self._tell("Consent", "The app asks one borrower for every loan and transaction; before the borrower's grant a "
                   "read is refused", "granted")  # fmt: skip

    async def _read(self, *, bundle: bool = False, token: str | None = None) -> dict[str, Any]:
        day_ = self._source.as_of.isoformat()
        return await self._api.ask(_VIEW, token or self._app, consent=self._consent, asOf=day_, bundle=bundle)

    async def view(self) -> None:
        """The app reads; a bureau with no consent of its own may not."""
        payload = await self._read(bundle=True)
        view = payload["view"]
        promised(view is not None and bool(view["lines"]), "view", "at least one loan", payload["errors"])
        stranger = await self._read(token=await self._api.token(BUREAU, "bureau"))
        promised(stranger["view"] is None, "view", "nothing for a bureau without consent", "a view")
        self._view, lenders = view, {line["lender"]["name"] for line in view["lines"]}
        self._write("view.json", view["bundle"].encode())
        self._write("trust.json", await self._api.file("/trust.json"))
        self.facts |= {"view_lines": len(view["lines"]), "view_lenders": len(lenders),
                       "view_attestations": view["evidence"], "bureau_without_consent": "refused"}  # fmt: skip
        self._tell("View", "The app reads the borrower's loans across lenders, with proofs; the bureau, which nobody "
                   "gave consent, is refused", f"{len(view['lines'])} loans at {len(lenders)} lenders, "
                   f"{view['evidence']} attestations behind them, {len(view['bundle']) // 1024} KiB")  # fmt: skip

    async def verify(self) -> None:
        """The independent verifier, as another process, on what the app was given."""
        code, report = await self._verifier("view.json")
        lines = [step for step in report["steps"] if step["name"].startswith("line ")]
        verified, untold = (sum(step["ok"] is sought for step in lines) for sought in (True, None))
        shown, steps = self.facts["view_lines"], len(report["steps"])
        self.facts |= {"view_lines_verified": verified, "view_lines_untold": untold, "verifier_steps": steps}
        others = [step for step in report["steps"] if step["ok"] is False or (step["ok"] is None and step not in lines)]
        promised(code == (3 if untold else 0) and not others, "verify", "no step that does not hold", others)
        promised(verified > 0 and len(lines) == shown, "verify", shown, len(lines))
        rest = f"; of {untold} it says that it cannot tell" if untold else ""
        self._tell("Verify", "A separate program, which shares no code with the ledger and trusts two public keys, "
                   "computes every line again from the signed evidence",
                   f"{verified} of {shown} lines verified{rest}")  # fmt: skip

    async def repay(self) -> None:
        """A lender records a repayment; the app sees it."""
        line = next((line for line in self._view["lines"] if _owes(line)), None)
        if line is None:
            self._tell("Repay", "Skipped: this borrower owes nothing that a repayment could lower", "-")
            return
        before = int(line["balance"])
        amount = min(before // 2, int(line["scheduled"] or 0) or before // 2) or 1
        token, began = self._lenders[line["lender"]["name"]].token, time.monotonic()
        await self._api.act(
            _REPAY, token, account={"reference": line["account"]}, effectiveDate=self._source.as_of.isoformat(),
            amount=str(amount), currency=line["currency"], channel="mobile",
        )  # fmt: skip
        after = (await self._read())["view"]
        seen = round(time.monotonic() - began, 3)
        now = next((other["balance"] for other in after["lines"] if other["account"] == line["account"]), None)
        promised(now == str(before - amount), "repay", before - amount, now)
        self.facts["repayment_seen_after_s"] = seen
        self._tell("Repay", f"{LENDERS[line['lender']['name']]} records a repayment; the app reads again and sees the "
                   "lower balance", f"visible {seen * 1000:,.0f} ms after it was sent")  # fmt: skip

    async def accesses(self) -> None:
        """The borrower lists who looked."""
        nodes = (await self._api.ask(_ACCESSES, self._borrower))["accesses"]["nodes"]
        readers = {node["consumer"]["name"] for node in nodes}
        promised(readers == {APP}, "accesses", APP, readers)
        indexes = {node["index"] for node in nodes}
        promised(self._view["access"]["index"] in indexes, "accesses", "a record of the first read", indexes)
        self.facts["accesses_seen"] = len(nodes)
        self._tell(
            "Who looked",
            "The borrower lists who read the own data; each reading is an entry of the log",
            f"{len(nodes)} reading{'s' * (len(nodes) > 1)}, by {nodes[0]['consumer']['displayName']}",
        )

    async def export(self) -> None:
        """The three lenders write the file back, and it is held against the original."""
        report = await export_file(
            list(self._lenders.values()), out=self._folder / "export.txt", created=self._source.as_of,
            client=self._client, compare_with=self._source.path,
        )  # fmt: skip
        identical, published = report["export_identical"], self.facts["records_published"]
        self.facts |= {"export_identical": identical, "export_differing": report["differing"]}
        promised((identical, report["differing"], report["extra"]) == (published, 0, 0), "export", published, report)
        self._tell("Export", "The lenders write their records back from the ledger, compared byte for byte with the "
                   "original", f"{identical:,} of {published:,} identical")  # fmt: skip

    async def revoke(self) -> None:
        """The borrower revokes; the next read is refused."""
        await self._api.act(_REVOKE, self._borrower, consent=self._consent)
        payload = await self._read()
        reasons = [error["reason"] for error in payload["errors"]]
        refused = payload["view"] is None and reasons == ["consent_revoked"]
        self.facts["after_revoke"] = "refused" if refused else "read"
        promised(refused, "revoke", "consent_revoked", reasons or "a view")
        self._tell("Revoke", "The borrower takes the consent back; the app's next read is refused", "refused")

    async def tamper(self) -> None:
        """One digit of the evidence is changed; the verifier has to notice."""
        original = (self._folder / "view.json").read_bytes()
        self._write("tampered.json", tampered(original))
        code, report = await self._verifier("tampered.json")
        wrong = [step for step in report["steps"] if step["ok"] is False]
        self.facts["tampered"] = "refused" if code == 1 and wrong else "accepted"
        promised(self.facts["tampered"] == "refused", "tamper", "exit code 1", code)
        self.facts |= {"tampered_step": wrong[0]["name"], "tampered_detail": wrong[0]["detail"]}
        self._tell("Tamper", "One digit in one attestation of the saved view is changed; the verifier refuses the file "
                   "and says where", f"refused at step '{wrong[0]['name']}'")  # fmt: skip

    async def after_loan(self) -> None:
        """Another borrower's loans through their whole life: demo_after_loan.py tells it."""
        from api.cli.demo_after_loan import AfterLoan

        told = AfterLoan(self._api, self._server.origin, self._command, self._tell)
        self.facts["after_loan"] = await told.tell_story()

    async def fsck(self) -> None:
        """The whole ledger is rebuilt from storage and compared."""
        code, report = await self._command("fsck", "--json")
        clean = code == 0 and report.get("ok") is True
        self.facts["fsck"] = "clean" if clean else "faults"
        promised(clean, "fsck", "a clean ledger", report.get("faults") or report)
        self.facts["log_entries"] = report["size"]
        self._tell("Audit", "'tallystick fsck': every hash, signature, loan and consent is computed again from storage",
                   f"{report['size']} log entries, no fault")  # fmt: skip

    async def _command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-P", "-m", "api.cli.main", *arguments]
        code, out = await run_command(command, environment(self._folder.parent))
        return code, json.loads(out or b"{}")

    async def _verifier(self, name: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-I", str(VERIFIER), str(self._folder / name),
                   "--trust", str(self._folder / "trust.json"), "--json"]  # fmt: skip
        code, out = await run_command(command, None)
        promised(code in (0, 1, 2, 3) and bool(out), "verify", "a report of the verifier", f"exit code {code}")
        return code, json.loads(out)

    def _write(self, name: str, data: bytes) -> None:
        (self._folder / name).write_bytes(data)


def tampered(bundle: bytes) -> bytes:
    """The bundle with one digit of an attestation's balance (else of its first amount or date) changed.

    Raises InvariantBroken ``demo_tamper`` for a bundle without attestations.
    """
    document = json.loads(bundle)
    for number in (r'"balance":\d*', r'"principal":\d*', r'"effectiveDate":"\d*'):
        for entry in document["evidence"]:
            found = re.search(number, entry["attestation"])
            if found and found[0][-1].isdigit():
                text, at = entry["attestation"], found.end() - 1
                entry["attestation"] = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
                return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    raise InvariantBroken("demo_tamper", "the bundle holds no attestation")


def _owes(line: dict[str, Any]) -> bool:
    return line["stage"] == "active" and not line["flags"] and int(line["balance"] or 0) > 1


def _in_thirty_days() -> str:
    return (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT00:00:00.000Z")


async def run_command(command: list[str], env: dict[str, str] | None) -> tuple[int, bytes]:
    """Exit code and output of a process, which is not left behind."""
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out
