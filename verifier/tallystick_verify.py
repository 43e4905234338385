"""Check a Tallystick view, receipt or proof offline: one file, written from the formats alone, trusting nobody.

    python tallystick_verify.py FILE [--trust TRUST.json] [--json]      0 valid, 1 invalid, 2 unreadable, 3 cannot tell

A valid view proves, from the log's key and the operator's key (the trust file) and nothing else:
- Checkpoint: a C2SP signed note over origin, size and root, signed by the log's key.
- Batch: a JWS, in the log by an RFC 6962 path, whose key the operator named for its tenant and which was in force then.
- Attestation: canonical bytes (RFC 8785), in its batch by a second path, said by the batch's own tenant.
- Line: if "complete", each figure is computed again; else what is disclosed has to agree, the rest is only stated.
- Reading: the ledger's access record names reader, consent, detail and the hash of exactly these figures.
- Nothing is left over: each hash, batch and attestation is used, no member is unknown.
It cannot prove that the ledger left nothing out of what it calls complete, nor that no key was revoked since."""
from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

SIZE_MAX = 64 * 1024 * 1024  # bytes
VIEW = ["format", "checkpoint", "batches", "attestations", "keys", "signatures", "nothing left over", "reading"]
SHORT = ["format", "checkpoint", "statement"]
TERMS = ["frequency", "instalments", "limit", "portfolioType", "principal", "product", "ratePpm"]
OTHERS = ["closed", "collateral", "currency", "lastPaid", "opened", "scheduled", "status"]
SOFT = {"balance", "delinquentDays", "dpd", "flags", "history", "historyFrom", "lastPaid", "pastDue", "scheduled",
        "since", "stage"}  # figures that an attestation which is not disclosed may have moved
CODES = {"charged_off": "L", "closed": "E", "collection": "G", "foreclosed": "H", "repossessed": "K",
         "surrendered": "J"}
SIGNS = {"charge": 1, "disbursement": 1, "repayment": -1, "reversal": 1, "waiver": -1}
MOVES = """application: new applied | agreement: new approved | agreement: applied approved | approved: applied approved
 | declined: applied declined | withdrawn: applied withdrawn | withdrawn: approved cancelled | charge: paid active
 | disbursement: approved active | status_snapshot: approved active | recovery: written_off recovered
 | reversal: paid active | reversal: overpaid active | reversal: written_off active"""
STAGES = {(event, before): after for event, before, after in
           (move.replace(":", "").split() for move in MOVES.split("|"))}

class Wrong(Exception):
    """A check that does not hold; the text says which."""

class Step(NamedTuple):
    """One check; ``ok`` None: it cannot be told."""
    name: str
    ok: bool | None
    detail: str

class Report(NamedTuple):
    """All checks in order, the exit code they lead to, and the document's format ("": none of ours)."""
    code: int
    format: str
    steps: list[Step]

def need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)

def dump(value: Any) -> bytes:
    """RFC 8785, for values without fractions and with ASCII names."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

def strict_json(data: bytes) -> Any:
    value = json.loads(data.decode(), parse_float=int, parse_constant=int)  # int() takes no fraction and no NaN
    need(dump(value) == data, "JSON that is not canonical: a member twice, blanks, another order or spelling")
    return value

def exact(value: Any, names: str) -> list[Any]:
    """The members of an object that has these and no others."""
    need(isinstance(value, dict) and sorted(value) == sorted(names.split()), f"not exactly the members {names}")
    return [value[name] for name in names.split()]

def pick(items: list[Any], indexes: list[int], used: list[int]) -> list[Any]:
    used += indexes
    need(type(indexes) is list and all(type(at) is int and 0 <= at < len(items) for at in indexes), "no such place")
    return [items[at] for at in indexes]

def unbase64(text: str, size: int | None = None, url: bool = False) -> bytes:
    padded = text.translate(str.maketrans("-_+/", "+/..")) + "=" * (-len(text) % 4) if url else text
    data = base64.b64decode(padded, validate=True)
    need(base64.b64encode(data).decode() == padded and size in (None, len(data)), "Base64 of another form or length")
    return data

def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()

def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162 section 2.1.3.2)."""
    need(type(index) is int and type(size) is int and 0 <= index < size, "a position outside its tree")
    node, last = leaf, size - 1
    for sibling in path:
        need(last > 0, "a path that goes on above the root")
        from_left = index & 1 or index == last
        node = sha(b"\1", sibling, node) if from_left else sha(b"\1", node, sibling)
        while from_left and index and not index & 1:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    need(last == 0, "a path that ends below the root")
    return node

def signed(alg: str, key: bytes, message: bytes, signature: bytes) -> bool:
    """Ed25519 (RFC 8032), or ECDSA on P-256 with r || s (RFC 7518 section 3.4)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
    try:
        if alg == "EdDSA":
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        else:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
            point.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return len(signature) == 64

def read_trust(trust: Any) -> SimpleNamespace:
    form, vkey, jwk, tenant = exact(trust, "format log operator operatorTenant")
    (curve, kty, x), (name, key_id, key) = exact(jwk, "crv kty x"), vkey.split("+", 2)
    typed, known = unbase64(key, 33), (form, curve, kty) == ("tallystick-trust/1", "Ed25519", "OKP")
    need(known and typed[0] == 1 and sha(name.encode(), b"\n", typed)[:4].hex() == key_id, "not a trust file")
    return SimpleNamespace(log=(name, key_id), log_key=typed[1:], key=unbase64(x, 32, url=True), tenant=tenant)

def open_checkpoint(note: str, origin: str, trust: SimpleNamespace | None) -> tuple[int, bytes, bool]:
    """Size and root of a C2SP checkpoint of this origin, and whether the log's key signed it."""
    body, _, tail = note.rpartition("\n\n")
    need(tail.endswith("\n") and all(char == "\n" or char >= " " for char in note), "not a signed note")
    name, size, root, *_ = body.split("\n")
    need(name == origin and size == str(int(size)) and len(size) < 20, f"not a checkpoint of {origin}")
    verdicts = []
    for dash, signer, text in (line.split(" ") for line in tail[:-1].split("\n")):
        raw = unbase64(text)
        need(dash == "—" and len(raw) > 4, "not a signature line")
        if trust and (signer, raw[:4].hex()) == trust.log:
            verdicts.append(signed("EdDSA", trust.log_key, f"{body}\n".encode(), raw[4:]))
    need(not trust or (bool(verdicts) and all(verdicts)), "no valid signature of the trusted log key")
    return int(size), unbase64(root, 32), bool(verdicts)

def read_statement(token: str, ledger: str) -> SimpleNamespace:
    """A batch statement; nothing in it is proven yet."""
    head, payload, signature = token.split(".")
    alg, kid, typ = exact(strict_json(unbase64(head, url=True)), "alg kid typ")
    content = strict_json(unbase64(payload, url=True))
    _, origin, count, root, tenant, time = exact(content, "batch ledger count root tenant time")
    known = typ == "tallystick-batch+jws" and alg in ("EdDSA", "ES256")
    need(known and origin == ledger, "a statement of another kind or log")
    message, raw, leaf = f"{head}.{payload}".encode(), unbase64(signature, url=True), sha(b"\0", token.encode())
    return SimpleNamespace(tenant=tenant, time=time, count=count, root=unbase64(root, 32), alg=alg, kid=kid, leaf=leaf,
                           by=lambda key: signed(alg, key, message, raw))

def owed(loan: SimpleNamespace) -> int | None:
    balance: int | None = loan.balance
    return sum(amount for _, amount in loan.plan) + loan.charges - loan.paid if loan.plan else balance

def follow(loan: SimpleNamespace, kind: str, body: dict[str, Any], day: date) -> None:
    """The loan after one more attestation, in log order."""
    shown, amount, before = loan.shown, body.get("amount", 0) * SIGNS.get(kind, 0), owed(loan)
    shown["currency"] = body.get("currency") or shown.get("currency")
    loan.stage = STAGES.get((body.get("outcome", kind), loan.stage), loan.stage)
    if kind == "disbursement" or loan.balance is not None:
        loan.balance = (loan.balance or 0) + amount
    if kind in ("charge", "waiver"):
        loan.charges += amount
    elif kind in ("repayment", "reversal"):
        loan.paid -= amount
        loan.overdue = None if loan.overdue is None else max(loan.overdue + amount, 0)
        if kind == "repayment":
            loan.since = None if loan.overdue == 0 else loan.since
            shown["lastPaid"] = max(shown.get("lastPaid") or "", day.isoformat())
            if before is not None and before + amount <= 0:
                loan.stage, shown["closed"] = "paid" if before + amount == 0 < before else "overpaid", day.isoformat()
    elif kind in ("application", "agreement"):
        shown["product"] = body.get("product") or shown.get("product")
        if kind == "agreement":
            shown |= {name: body.get(name) for name in TERMS if name != "product"} | {"opened": day.isoformat()}
            shown["collateral"], loan.grace = body.get("collateral", False), body.get("graceDays", 0)
    elif kind == "schedule":
        dues = [sum(row.get(part, 0) for part in ("fee", "interest", "principal")) for row in body["rows"]]
        loan.plan = list(zip((date.fromisoformat(row["due"]) for row in body["rows"]), dues, strict=True))
    elif kind == "status_snapshot":
        dpd, status = body.get("dpd") or 0, body.get("status")
        code = "D" if status is None and "dpd" not in body else CODES.get(status or "") or str(min(dpd // 30, 6))
        loan.months[month(day)] = body.get("historyCode") or code
        if status is not None and (loan.told is None or day >= loan.told):
            loan.told, loan.since, shown["status"] = day, day - timedelta(dpd) if dpd else None, status
            loan.balance, loan.overdue = body.get("balance", loan.balance), body.get("pastDue", loan.overdue)
            shown["scheduled"] = body.get("scheduled", shown.get("scheduled"))
    elif kind == "delinquency":
        loan.since = date.fromisoformat(body["since"]) if body["dpdTo"] else None
        loan.overdue = sum(body["overdue"].values())
    elif kind == "pause":
        loan.pauses.append((date.fromisoformat(body["start"]), date.fromisoformat(body["until"])))
    elif kind == "resume":
        loan.pauses = [(start, min(until, day)) for start, until in loan.pauses if start <= day]
    elif kind in ("closure", "transfer"):
        ending = body.get("cause", "transferred")
        loan.stage, shown["closed"] = "sold" if ending == "transferred" else ending, day.isoformat()
    loan.off = loan.off or (day if kind == "charge_off" else None)
    raised = {"charged_off": kind == "charge_off", "defaulted": kind == "default", "forborne": body.get("forborne"),
              "disputed": body.get("state") == "opened"}
    dropped = {"cure": {"defaulted"}, "dispute": {"disputed"}}.get(kind, set())
    loan.flags = (loan.flags - dropped) | {flag for flag, holds in raised.items() if holds}
    shown["closed"] = None if loan.stage == "active" else shown.get("closed")

def month(day: date) -> int:
    return day.year * 12 + day.month - 1

def figures(events: list[dict[str, Any]], as_of: date) -> dict[str, Any]:
    """What these attestations, in log order, say of a loan on a day; None where they say nothing."""
    loan = SimpleNamespace(stage="new", paid=0, charges=0, grace=0, balance=None, overdue=None, since=None, told=None,
                           off=None, plan=[], pauses=[], months={}, shown={}, flags=set())
    for event in events:
        follow(loan, event["kind"], event["body"], date.fromisoformat(event["effectiveDate"]))
    last, left = min(as_of, loan.off or as_of), loan.paid - loan.charges
    since, overdue = (None, 0) if loan.plan else (loan.since, loan.overdue)
    for due, amount in loan.plan:  # days past due count from the oldest instalment that is not met in full
        short = amount - min(max(left, 0), amount) if due < last else 0
        since, overdue, left = since or (due if short else None), overdue + short, left - amount
    counting = loan.stage in ("active", "sold")
    since = since if counting and since is not None and since < last else None
    days = (last - since).days if since else 0
    paused = sum(max((min(end, last) - max(start, since)).days, 0) for start, end in loan.pauses) if since else 0
    before, oldest = month(loan.told or as_of), max(min(loan.months, default=0), max(loan.months, default=0) - 83)
    grid = ("B" if at < oldest else loan.months.get(at, "D") for at in range(before - 1, before - 25, -1))
    now = {"closed": loan.shown.get("closed"), "paused": any(start <= as_of < end for start, end in loan.pauses)}
    from_month = f"{(before - 1) // 12:04}-{(before - 1) % 12 + 1:02}"
    shown: dict[str, Any] = dict.fromkeys(TERMS + OTHERS) | loan.shown
    return shown | {
        "asOf": as_of.isoformat(), "balance": owed(loan), "dpd": days, "stage": loan.stage,
        "delinquentDays": max(days - loan.grace - paused, 0),
        "flags": sorted(loan.flags | {word for word, holds in now.items() if holds}),
        "history": "".join(grid) if loan.months else None, "historyFrom": from_month if loan.months else None,
        "pastDue": overdue if counting else 0, "since": since.isoformat() if since else None}

def check_line(line: Any, events: list[Any], subject: str, as_of: str) -> tuple[bool, str]:
    """One line of the view against the attestations behind it; what to say when it holds."""
    complete, _, shown = exact(line, "complete evidence figures")
    lender, account, order = shown["lender"], shown["account"], [event.at for event in events]
    about = {(event.said["tenant"], event.said.get("account"), event.said.get("subject")) for event in events}
    need(about <= {(lender, account, subject)}, "evidence about another lender, account or borrower")
    need(order == sorted(set(order)), "evidence that is not in log order")
    found = figures([event.said for event in events], date.fromisoformat(as_of))
    found |= {"account": account, "lender": lender}
    need(set(shown) <= set(found) and shown["asOf"] == as_of, "a figure that no line has, or of another day")
    other = sorted(name for name, value in shown.items() if dump(value) != dump(found[name]))
    wrong = other if complete is True else [name for name in other if name not in SOFT and found[name] is not None]
    need(not wrong and isinstance(complete, bool), f"{lender}: the evidence says otherwise of {', '.join(wrong)}")
    need(set(found["flags"]) <= set(shown.get("flags", found["flags"])), f"{lender}: a flag is not shown")
    agree = f"only stated: {', '.join(other)}" if other else "all figures agree"
    return True, f"{lender}, {len(events)} attestations: {agree}"

def check_reading(document: Any, evidence: list[Any], operator: str) -> tuple[bool | None, str]:
    """The access record and the consent's steps, as far as they are disclosed, against what the view says of itself."""
    consent, detail, places, version = exact(document["consent"], "consent detail evidence version")
    rows = [evidence[at] for at in places]
    for row in rows:
        body, own = row.said["body"], (row.said["tenant"], row.said["subject"]) == (operator, document["subject"])
        need(own and row.said["kind"] in ("access", "consent") and body["consent"] == consent, "not of this consent")
    records = [row for row in rows if row.said["kind"] == "access"]
    steps = sorted((row.at, row.said["body"]["step"]) for row in rows if row.said["kind"] == "consent")
    need(len(records) < 2, "two access records")
    if not records:
        return None, "stated only: no access record proves reader, consent and that no figure was left out"
    body = records[0].said["body"]
    shown = sha(dump([line["figures"] for line in document["lines"]]))
    facts = dump([body["consumer"], body.get("consentVersion"), body["detail"], body["lines"]])
    same = facts == dump([document["consumer"], version, detail, len(document["lines"])])
    need(same and unbase64(body["viewHash"]) == shown, "the access record names another view")
    earlier = [step for at, step in steps if at < records[0].at]
    need(not earlier or earlier[-1] in ("granted", "resumed"), "the consent was not in force when it was read")
    return True, f"read by {document['consumer']}, recorded in entry {records[0].at[0]}, figures unabridged"

def check_view(document: Any, trust: SimpleNamespace | None) -> Iterator[tuple[bool | None, str]]:
    """The checks of a view, in the order of VIEW, then one for each line."""
    _, rows, note, _, consumer, entries, form, nodes, keys, ledger, lines, subject = exact(
        document, "asOf evidence checkpoint consent consumer batches format hashes keys ledger lines subject")
    hashes, in_paths, in_rows = [unbase64(node, 32) for node in nodes], list[int](), list[int]()
    need(len(unbase64(subject)) == 32 and all(isinstance(word, str) for word in (consumer, ledger)), "no subject")
    yield True, f"{form} for {consumer}, {len(lines)} lines"
    size, root, by_log = open_checkpoint(note, ledger, trust)
    yield by_log or None, f"{ledger}, {size} entries" + ("" if by_log else "; whose signature it is, is not known")
    batches, evidence = [], []
    for index, path, token in (exact(entry, "index path statement") for entry in entries):
        batches.append((index, read_statement(token, ledger)))
        reached = climb(index, size, batches[-1][1].leaf, pick(hashes, path, in_paths))
        need(reached == root, f"{index} is not in the log")
    yield True, f"{len(batches)} signed statements are entries of the log"
    for text, at, path, position in (exact(row, "attestation batch path position") for row in rows):
        (index, batch), said = pick(batches, [at], in_rows)[0], strict_json(text.encode())
        reached = climb(position, batch.count, sha(b"\0", text.encode()), pick(hashes, path, in_paths))
        need(reached == batch.root and said["tenant"] == batch.tenant, f"an attestation is not in its batch {index}")
        evidence.append(SimpleNamespace(at=(index, position), said=said, batch=batch))
    yield True, f"{len(evidence)} attestations are in their batches, unchanged"
    places = list[int]()
    named = pick(evidence, keys, places)
    operator = trust.tenant if trust else named[0].said["tenant"] if named else ""
    key_facts, said_by = [row.said["body"] for row in named], {(key.said["kind"], key.said["tenant"]) for key in named}
    need(said_by <= {("key", operator)}, "not a key of the operator's naming")
    need(not trust or all(row.batch.by(trust.key) for row in named), "a key that the operator did not sign for")
    yield bool(trust) or None, f"{len(named)} keys named by {operator}" + ("" if trust else ", whose own is not known")
    for index, batch in batches:
        facts = [fact for fact in key_facts if (fact["owner"], fact["kid"]) == (batch.tenant, batch.kid)]
        ends = [fact[end] for fact in facts for end in ("notAfter", "compromisedFrom") if end in fact]
        by_operator = batch.tenant == operator and (not trust or batch.by(trust.key))
        good = all(fact["alg"] == batch.alg and batch.by(unbase64(fact["publicKey"])) for fact in facts)
        need(by_operator or (bool(facts) and good), f"{index}: no key of {batch.tenant} signed it")
        begins = max((fact["notBefore"] for fact in facts), default=0)
        in_force = begins <= batch.time < min(ends, default=2**63)
        need(in_force, f"{index}: key not in force, or compromised")
    yield bool(trust) or None, "each batch by a key of its tenant, in force at its time"
    consent_places, line_places = document["consent"]["evidence"], [at for line in lines for at in line["evidence"]]
    pick(evidence, [*consent_places, *line_places], places)
    need(sorted(places) == list(range(len(rows))), "an attestation that is used twice, or not at all")
    need((len(set(in_paths)), len(set(in_rows))) == (len(nodes), len(entries)), "a hash or batch that is not used")
    need((len(set(nodes)), len(dict(batches))) == (len(nodes), len(batches)), "a hash or batch twice")
    yield True, "every hash, batch and attestation is used"
    yield attempt(check_reading, document, evidence, operator)  # from here on, a cross does not stop the rest
    for line in lines:
        yield attempt(check_line, line, [evidence[at] for at in line["evidence"]], subject, document["asOf"])

def attempt(check: Callable[..., tuple[bool | None, str]], *given: Any) -> tuple[bool | None, str]:
    try:
        return check(*given)
    except Exception as fault:
        return False, reason(fault)

def reason(fault: Exception) -> str:
    return str(fault) if isinstance(fault, Wrong) else f"malformed ({type(fault).__name__})"

def check_inclusion(document: dict[str, Any], trust: SimpleNamespace | None) -> Iterator[tuple[bool | None, str]]:
    """A receipt, or a tlog-proof in its shape: one statement is an entry of the log."""
    note, form, index, origin, path, token = exact(document, "checkpoint format index ledger path statement")
    yield True, form
    size, root, by_log = open_checkpoint(note, origin, trust)
    yield by_log or None, f"{origin}, {size} entries" + ("" if by_log else "; whose signature it is, is not known")
    batch = read_statement(token, origin)
    reached = climb(index, size, batch.leaf, [unbase64(node, 32) for node in path])
    need(reached == root, "the statement is not in the log")
    yield True, f"entry {index}: {batch.count} attestations of {batch.tenant} (whose key is not part of this proof)"

def from_tlog_proof(data: bytes) -> dict[str, Any]:
    """A C2SP tlog-proof as a receipt; its extra line holds the statement."""
    head, _, note = data.decode().partition("\n\n")
    form, extra, place, *path = head.split("\n")
    index, origin = int(place[6:]), note.partition("\n")[0]
    need(extra[:6] == "extra " and place == f"index {index}", "a proof without statement or index")
    statement = unbase64(extra[6:]).decode()
    return {"checkpoint": note, "format": form, "index": index, "ledger": origin, "path": path, "statement": statement}

FORMATS: dict[str, Any] = {"tallystick-view/1": (check_view, VIEW), "c2sp.org/tlog-proof@v1": (check_inclusion, SHORT),
                           "tallystick-receipt/1": (check_inclusion, SHORT)}

def verify_document(data: bytes, trust: dict[str, Any] | None) -> Report:
    """Check any of the three forms; never raises for what it is given."""
    steps, form, names = list[Step](), "", VIEW
    try:
        need(len(data) <= SIZE_MAX, "more than 64 MiB")
        known = None if trust is None else read_trust(trust)
        document = from_tlog_proof(data) if data.startswith(b"c2sp.org/tlog-proof@v1\n") else strict_json(data)
        checks, names = FORMATS[document["format"]]
        form = document["format"]
        for ok, detail in checks(document, known):
            steps.append(Step([*names, f"line {len(steps) - 7}"][min(len(steps), len(names))], ok, detail))
    except Exception as fault:
        steps.append(Step([*names, "lines"][min(len(steps), len(names))], False, reason(fault)))
    seen = {step.ok for step in steps}
    return Report((1 if form else 2) if False in seen else 3 if None in seen else 0, form, steps)

def text_of(report: Report) -> str:
    """The report for people: a tick or a cross a step, and the verdict."""
    marks, ends = {True: "✓", False: "✗", None: "–"}, ("valid", "invalid", "unreadable", "cannot tell")
    lines = [*(f"{marks[step.ok]} {step.name}: {step.detail}" for step in report.steps), ends[report.code]]
    return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)

def main(arguments: list[str]) -> int:
    """The command line; the exit code."""
    import argparse
    parser = argparse.ArgumentParser(description="Check a Tallystick view, receipt or proof offline.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--trust", type=Path, help="the log's and the operator's public keys")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    try:
        trust = json.loads(options.trust.read_bytes()) if options.trust else None
        report = verify_document(options.file.read_bytes(), trust)
    except (OSError, ValueError, RecursionError) as fault:
        print(f"unreadable: {type(fault).__name__}", file=sys.stderr)
        return 2
    as_json = json.dumps({**report._asdict(), "steps": [step._asdict() for step in report.steps]})
    sys.stdout.buffer.write(f"{as_json if options.json else text_of(report)}\n".encode())
    return report.code

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
