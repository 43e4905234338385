"""Check a Tallystick view, receipt or proof offline: one file, written from the formats alone, trusting nobody.

    python tallystick_verify.py FILE [--trust TRUST.json] [--json]      0 valid, 1 invalid, 2 unreadable, 3 cannot tell

From the log's key and the operator's key (the trust file) and nothing else, a valid view proves:
- the checkpoint is signed by the log; each batch is in the log, signed by a key that the operator named, in force then;
- each attestation is canonical, in its batch and said by the batch's tenant; nothing is left over or used twice;
- the figures of a complete line follow from its attestations; the terms of any other line agree with what is shown;
- the ledger recorded this reading: reader, consent, detail and the hash of exactly these figures.
It cannot prove that the ledger left nothing out of what it calls complete, nor that no key was revoked since."""
from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Step = namedtuple("Step", "name ok detail")  # ok None: it cannot be told
Report = namedtuple("Report", "code format steps")  # the exit code, the format ("": none of ours), each check in order
Verdict = tuple[bool | None, str]
VIEW, RECEIPT, PROOF = "tallystick-view/1", "tallystick-receipt/1", "c2sp.org/tlog-proof@v1"
STEPS = ["format", "checkpoint", "batches", "attestations", "nothing left over", "keys", "signatures", "reading"]
SIZE_MAX, NEVER = 64 * 1024 * 1024, 2**63  # bytes; Unix milliseconds
TERMS = ["collateral", "frequency", "instalments", "limit", "portfolioType", "principal", "ratePpm"]
FIXED = {*TERMS, "account", "asOf", "currency", "lender", "opened", "product"}  # what a hidden event does not move
BOOKS = ["balance", "pastDue", "scheduled", "status"]
FIGURES = {*FIXED, *BOOKS, "closed", "delinquentDays", "dpd", "flags", "history", "historyFrom", "lastPaid", "since",
           "stage"}
SIGNS = {"charge": 1, "disbursement": 1, "repayment": -1, "reversal": 1, "waiver": -1}
STAGES = {"application": "applied", "charge": "active", "disbursement": "active", "reversal": "active",
          "new agreement": "approved", "applied agreement": "approved", "approved": "approved", "declined": "declined",
          "applied withdrawn": "withdrawn", "approved withdrawn": "cancelled", "approved status_snapshot": "active",
          "transfer": "sold", "transferred": "sold", "written_off recovery": "recovered"}  # after [stage and] event
CODES = {"charged_off": "L", "closed": "E", "collection": "G", "foreclosed": "H", "repossessed": "K",
         "surrendered": "J"}
RAISES = {"charge_off": "charged_off", "default": "defaulted", "opened": "disputed"}
FLAGS = {"charged_off", "closed", "defaulted", "disputed", "forborne", "paused"}
iso = date.fromisoformat

class Wrong(Exception):
    """A check that does not hold; the text says which."""

def need(holds: Any, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)

def dump(value: Any) -> bytes:
    """RFC 8785, for values without fractions and with ASCII names; a date is its ISO text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode()

def strict_json(data: bytes) -> Any:
    value = json.loads(data.decode(), parse_float=int, parse_constant=int)  # int() takes no fraction and no NaN
    need(dump(value) == data, "JSON that is not canonical: a member twice, blanks, another order or spelling")
    return value

def exact(value: Any, names: str) -> list[Any]:
    """The members of an object that has these and no others."""
    need(isinstance(value, dict) and sorted(value) == sorted(names.split()), f"not exactly the members {names}")
    return [value[name] for name in names.split()]

def unbase64(text: str, size: int | None = None, url: bool = False) -> bytes:
    """RFC 4648 in the only spelling of its bytes; ``url``: its section 5, without padding."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if url else base64.b64decode(text)
    again = base64.urlsafe_b64encode(data).rstrip(b"=") if url else base64.b64encode(data)
    need(again == text.encode() and size in (None, len(data)), "Base64 of another form or length")
    return data

def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()

def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162 section 2.1.3.1, read from the root down)."""
    need(type(index) is int and 0 <= index < size and (size == 1) == (not path), "a place or path of another tree")
    half, below = 1 << (size - 1).bit_length() >> 1, path[:-1]
    if size == 1:
        return leaf
    if index < half:
        return sha(b"\1", climb(index, half, leaf, below), path[-1])
    return sha(b"\1", path[-1], climb(index - half, size - half, leaf, below))

def signed(alg: str, key: bytes, message: bytes, mark: bytes) -> bool:
    """Ed25519 (RFC 8032), or ECDSA on P-256 with r || s (RFC 7518 section 3.4)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
    from cryptography.hazmat.primitives.hashes import SHA256
    try:
        if alg == "EdDSA":
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(mark, message)
        else:
            der = utils.encode_dss_signature(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:], "big"))
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(der, message, ec.ECDSA(SHA256()))
    except Exception:
        return False
    return len(mark) == 64

def read_trust(trust: Any) -> SimpleNamespace:
    """The log's key (a C2SP vkey), and the operator's as the one fact about keys that nobody has to state."""
    form, vkey, jwk, tenant = exact(trust, "format log operator operatorTenant")
    (curve, kty, x), (name, key_id, key) = exact(jwk, "crv kty x"), vkey.split("+", 2)
    typed, known = unbase64(key, 33), (form, curve, kty) == ("tallystick-trust/1", "Ed25519", "OKP")
    need(known and typed[0] == 1 and sha(name.encode(), b"\n", typed)[:4].hex() == key_id, "not a trust file")
    public = base64.b64encode(unbase64(x, 32, url=True)).decode()
    own = {"alg": "EdDSA", "kid": None, "notBefore": 0, "owner": tenant, "publicKey": public}
    return SimpleNamespace(log=(name, key_id), log_key=typed[1:], own=own, tenant=tenant)

def open_checkpoint(note: str, origin: str, trust: SimpleNamespace | None) -> tuple[int, bytes]:
    """Size and root of a C2SP checkpoint of this origin, signed by the log's key if there is a trust file."""
    body, tail = note.removesuffix("\n").split("\n\n")
    name, size, root, *_ = body.split("\n")
    need(note[-1] == "\n" and name == origin and size == str(int(size)), f"not a checkpoint of {origin}")
    rows = [(dash, signer, unbase64(mark)) for dash, signer, mark in (row.split(" ") for row in tail.split("\n"))]
    need(all(dash == "—" and len(mark) > 4 for dash, _, mark in rows), "not a signature line")
    marks = [mark[4:] for _, signer, mark in rows if trust and (signer, mark[:4].hex()) == trust.log]
    valid = trust and marks and all(signed("EdDSA", trust.log_key, f"{body}\n".encode(), mark) for mark in marks)
    need(valid or not trust, "no valid signature of the trusted log key")
    return int(size), unbase64(root, 32)

def read_statement(token: str, ledger: str) -> SimpleNamespace:
    """A batch statement (a compact JWS); nothing in it is proven yet."""
    head, payload, mark = token.split(".")
    header, said = (strict_json(unbase64(part, url=True)) for part in (head, payload))
    alg, _, typ = exact(header, "alg kid typ")
    known = exact(said, "ledger batch count root tenant time")[0] == ledger and type(said["count"]) is int
    need(known and typ == "tallystick-batch+jws" and alg in ("EdDSA", "ES256"), "a statement of another kind or log")
    message, raw = f"{head}.{payload}".encode(), unbase64(mark, url=True)
    return SimpleNamespace(**header | said, by=lambda key: signed(alg, unbase64(key), message, raw))


def owed(loan: Any) -> Any:
    return sum(due for _, due in loan.plan) + loan.charges - loan.paid if loan.plan else loan.balance

def follow(loan: Any, kind: str, body: dict[str, Any], day: date) -> None:
    """The loan after one more attestation, in log order; amounts are minor units."""
    amount, before = body.get("amount", 0) * SIGNS.get(kind, 0), owed(loan)
    event = body["cause"] if kind == "closure" else body.get("outcome", kind)
    loan.stage = STAGES.get(f"{loan.stage} {event}", STAGES.get(event, event if kind == "closure" else loan.stage))
    loan.currency, loan.product = body.get("currency", loan.currency), body.get("product", loan.product)
    if kind == "disbursement" or loan.balance is not None:
        loan.balance = (loan.balance or 0) + amount
    if kind in ("charge", "waiver"):
        loan.charges += amount
    elif kind in ("repayment", "reversal"):
        loan.paid, loan.pastDue = loan.paid - amount, None if loan.pastDue is None else max(loan.pastDue + amount, 0)
        if kind == "repayment":
            loan.since, loan.lastPaid = loan.since if loan.pastDue != 0 else None, max(loan.lastPaid or day, day)
            if before is not None and before + amount <= 0:
                loan.stage, loan.closed = "paid" if before + amount == 0 < before else "overpaid", day
    elif kind == "agreement":
        vars(loan).update(dict.fromkeys(TERMS) | {"collateral": False, "graceDays": 0, "opened": day} | body)
    elif kind == "schedule":
        dues = [sum(row.get(part, 0) for part in ("fee", "interest", "principal")) for row in body["rows"]]
        loan.plan = [(iso(row["due"]), due) for row, due in zip(body["rows"], dues, strict=True)]
    elif kind == "status_snapshot":
        dpd, status = body.get("dpd", 0), body.get("status")
        code = CODES.get(str(status), "D" if status is None and "dpd" not in body else str(min(dpd // 30, 6)))
        loan.months[month(day)] = body.get("historyCode", code)
        if status is not None and day >= (loan.told or day):
            vars(loan).update({name: body.get(name, vars(loan)[name]) for name in BOOKS})
            loan.told, loan.since = day, day - timedelta(dpd) if dpd else None
    elif kind == "delinquency":
        loan.since, loan.pastDue = iso(body["since"]) if body["dpdTo"] else None, sum(body["overdue"].values())
    elif kind == "pause":
        loan.pauses.append((iso(body["start"]), iso(body["until"])))
    elif kind == "resume":
        loan.pauses = [(start, min(until, day)) for start, until in loan.pauses if start <= day]
    elif kind in ("closure", "transfer", "charge_off"):
        vars(loan).update({"off": loan.off or day} if kind == "charge_off" else {"closed": day})
    loan.closed = None if loan.stage == "active" else loan.closed
    word = body.get("state", kind)
    loan.raised -= {"defaulted"} if kind == "cure" else {"disputed"} if kind == "dispute" else set()
    loan.raised |= {RAISES[word]} if word in RAISES else {"forborne"} if body.get("forborne") else set()

def month(day: date) -> int:
    return day.year * 12 + day.month - 1

def figures(events: list[Any], as_of: date) -> dict[str, Any]:
    """What these attestations, in log order, say of a loan on a day; what they do not say is absent."""
    blank = dict.fromkeys([*FIGURES, "off", "told"]) | dict.fromkeys(["charges", "graceDays", "paid"], 0)
    loan = SimpleNamespace(**blank | {"stage": "new"}, plan=[], pauses=[], months={}, raised=set())
    for event in events:
        follow(loan, event["kind"], event["body"], iso(event["effectiveDate"]))
    last, left, counting = min(as_of, loan.off or as_of), loan.paid - loan.charges, loan.stage in ("active", "sold")
    since, overdue = (None, 0) if loan.plan else (loan.since, loan.pastDue)
    for due, amount in loan.plan:  # days past due count from the oldest instalment that is not met in full
        short = amount - min(max(left, 0), amount) if due < last else 0
        since, overdue, left = since or (due if short else None), overdue + short, left - amount
    since = since if counting and since is not None and since < last else None
    days = (last - since).days if since else 0
    spared = sum(max((min(end, last) - max(start, since)).days, 0) for start, end in loan.pauses) if since else 0
    end, oldest = month(loan.told or as_of) - 1, max(min(loan.months, default=0), max(loan.months, default=0) - 83)
    if loan.months:
        loan.history = "".join("B" if at < oldest else loan.months.get(at, "D") for at in range(end, end - 24, -1))
        loan.historyFrom = f"{end // 12:04}-{end % 12 + 1:02}"
    also = {"closed": loan.closed, "paused": any(start <= as_of < until for start, until in loan.pauses)}
    found = vars(loan) | {"asOf": as_of, "balance": owed(loan), "dpd": days, "pastDue": overdue if counting else 0,
        "delinquentDays": max(days - loan.graceDays - spared, 0), "since": since,
        "flags": sorted(loan.raised | {word for word, holds in also.items() if holds})}
    return {name: found[name] for name in FIGURES if found[name] is not None}

def check_line(line: Any, events: list[Any], subject: str, as_of: str) -> Verdict:
    """One line of the view against the attestations behind it; what to say when it holds."""
    complete, _, shown = exact(line, "complete evidence figures")
    lender, account, order = shown["lender"], shown["account"], [event["at"] for event in events]
    about = {(event["tenant"], event.get("account"), event.get("subject")) for event in events}
    need(about <= {(lender, account, subject)}, "evidence about another lender, account or borrower")
    need(order == sorted(set(order)), "evidence that is not in log order")
    need(FIGURES.issuperset(shown) and shown["asOf"] == as_of, "a figure that no line has, or of another day")
    found = figures(events, iso(as_of)) | {"account": account, "lender": lender}
    other = sorted(name for name, value in shown.items() if dump(value) != dump(found.get(name)))
    wrong = other if complete is True else [name for name in other if name in FIXED and name in found]
    need(not wrong and isinstance(complete, bool), f"{lender}: the evidence says otherwise of {', '.join(wrong)}")
    kept = set(found["flags"]) & (FLAGS if complete else {"charged_off", "forborne"})
    need(kept <= set(shown.get("flags", kept)), f"{lender}: a flag is not shown")
    agree = f"only stated: {', '.join(other)}" if other else "all figures agree"
    return True, f"{lender}, {len(events)} attestations: {agree}"

def check_reading(document: Any, evidence: list[Any], operator: str) -> Verdict:
    """The access record and the consent's steps, as far as they are disclosed, against what the view says of itself."""
    consent, detail, places, version = exact(document["consent"], "consent detail evidence version")
    rows = [(evidence[at]["at"], evidence[at]["kind"], evidence[at]["body"]) for at in places]
    own = {(evidence[at]["tenant"], evidence[at]["subject"], evidence[at]["body"]["consent"]) for at in places}
    known = {kind for _, kind, _ in rows} <= {"access", "consent"} and own <= {(operator, document["subject"], consent)}
    read, *more = [(at, body) for at, kind, body in rows if kind == "access"] or [((), None)]
    need(known and not more, "not of this consent, or two access records")
    if read[1] is None:
        return None, "stated only: no access record proves reader, consent and that no figure was left out"
    shown = base64.b64encode(sha(dump([line["figures"] for line in document["lines"]]))).decode()
    facts = {"consumer": document["consumer"], "consentVersion": version, "detail": detail,
             "lines": len(document["lines"]), "viewHash": shown}
    need(dump({name: read[1].get(name) for name in facts}) == dump(facts), "the access record names another view")
    steps = sorted((at, body["step"]) for at, kind, body in rows if kind == "consent" and at < read[0])
    need(not steps or steps[-1][1] in ("granted", "resumed"), "the consent was not in force when it was read")
    return True, f"read by {document['consumer']}, recorded in entry {read[0][0]}, figures unabridged"

def check(data: bytes, trusted: Any) -> Iterator[Verdict]:
    """The checks in the order of STEPS, then one for each line; of a receipt or proof, the first three."""
    need(len(data) <= SIZE_MAX, "more than 64 MiB")
    trust = None if trusted is None else read_trust(trusted)
    document = from_proof(data) if data.startswith(f"{PROOF}\n".encode()) else strict_json(data)
    if document["format"] == VIEW:
        as_of, rows, note, consent, consumer, entries, _, nodes, keys, ledger, lines, subject = exact(
            document, "asOf evidence checkpoint consent consumer batches format hashes keys ledger lines subject")
        need(isinstance(consumer, str) and unbase64(subject, 32) and str(iso(as_of)) == as_of, "no reader or no day")
    else:
        note, form, index, ledger, nodes, token = exact(document, "checkpoint format index ledger path statement")
        need(form in (RECEIPT, PROOF), "a format that is not known here")
        entries = [{"index": index, "path": [*range(len(nodes))], "statement": token}]
    yield True, document["format"]
    (size, root), told = open_checkpoint(note, ledger, trust), bool(trust) or None
    yield told, f"{ledger}, {size} entries"
    hashes, batches, evidence = [unbase64(node, 32) for node in nodes], dict[int, Any](), list[Any]()
    for index, path, token in (exact(entry, "index path statement") for entry in entries):
        batches[index] = batch = read_statement(token, ledger)
        reached = climb(index, size, sha(b"\0", token.encode()), [hashes[at] for at in path])
        need(reached == root, f"{index} is not in the log")
    if document["format"] != VIEW:
        yield True, f"entry {index}: {batch.count} attestations of {batch.tenant} (whose key is not part of this proof)"
        return
    yield True, f"{len(batches)} signed statements are entries of the log"
    for text, at, path, position in (exact(row, "attestation batch path position") for row in rows):
        index, said, leaf = entries[at]["index"], strict_json(text.encode()), sha(b"\0", text.encode())
        batch, hops = batches[index], [hashes[at] for at in path]
        in_batch = climb(position, batch.count, leaf, hops) == unbase64(batch.root)
        need(in_batch and said["tenant"] == batch.tenant, f"an attestation is not in its batch {index}")
        evidence.append(said | {"at": (index, position)})
    yield True, f"{len(evidence)} attestations are in their batches, unchanged"
    places = [keys, consent["evidence"], *(line["evidence"] for line in lines)]
    used = places, [part["path"] for part in (*entries, *rows)], [[row["batch"] for row in rows]]
    for lists, count in zip(used, (len(rows), len(nodes), len(entries)), strict=True):
        kinds = {type(part) for part in lists} | {type(at) for part in lists for at in part}
        every = {at for part in lists for at in part} == {*range(count)}
        need(every and kinds <= {list, int}, "a part that is not there, or not used")
    once = (sum(map(len, places)), len({*nodes}), len(batches)) == (len(rows), len(nodes), len(entries))
    need(once, "an attestation, hash or batch twice")
    yield True, "every hash, batch and attestation is used"
    operator = trust.tenant if trust else evidence[keys[0]]["tenant"] if keys else ""
    named = {(evidence[at]["kind"], evidence[at]["tenant"]) for at in keys}
    need(named <= {("key", operator)}, "not a key of the operator's naming")
    yield told, f"{len(keys)} keys named by {operator}"
    facts = [evidence[at]["body"] for at in keys] + ([trust.own] if trust else [])
    for index, batch in batches.items():
        known = [fact for fact in facts if fact["owner"] == batch.tenant and fact["kid"] in (None, batch.kid)]
        good = all(fact["alg"] == batch.alg and batch.by(fact["publicKey"]) for fact in known)
        need(good and (known or batch.tenant == operator), f"{index}: no key of {batch.tenant} signed it")
        ends = [fact.get(end, NEVER) for fact in known for end in ("notAfter", "compromisedFrom")]
        need(all(fact["notBefore"] <= batch.time for fact in known) and batch.time < min(ends, default=NEVER),
             f"{index}: key not in force, or compromised")
    yield told, "each batch by a key of its tenant, in force at its time"
    yield attempt(check_reading, document, evidence, operator)  # from here on, a cross does not stop the rest
    for line in lines:
        yield attempt(check_line, line, [evidence[at] for at in line["evidence"]], subject, as_of)

def from_proof(data: bytes) -> dict[str, Any]:
    """A C2SP tlog-proof as a receipt; its extra line holds the statement."""
    head, _, note = data.decode().partition("\n\n")
    form, extra, place, *path = head.split("\n")
    index, token = int(place[6:]), unbase64(extra[6:]).decode()
    need(extra[:6] == "extra " and place == f"index {index}", "a proof without statement or index")
    origin = note.partition("\n")[0]
    return {"checkpoint": note, "format": form, "index": index, "ledger": origin, "path": path, "statement": token}

def attempt(check: Callable[..., Any], *given: Any) -> Any:
    """What a check answers, or its cross with the reason: nothing that a document holds raises further than here."""
    try:
        return check(*given)
    except Exception as fault:
        return False, str(fault) if isinstance(fault, Wrong) else f"malformed ({type(fault).__name__})"

def verify_document(data: bytes, trust: Any) -> Report:
    """Check any of the three forms; never raises for what it is given."""
    steps, checks = list[Step](), check(data, trust)
    for ok, detail in iter(lambda: attempt(next, checks, None), None):
        steps.append(Step(STEPS[len(steps)] if len(steps) < len(STEPS) else f"line {len(steps) - 7}", ok, detail))
    (_, known, form), seen = steps[0], {step.ok for step in steps}
    return Report((1 if known else 2) if False in seen else 3 if None in seen else 0, form if known else "", steps)

def text_of(report: Report) -> str:
    """The report for people: a tick or a cross a step, and the verdict."""
    marks, ends = {True: "✓", False: "✗", None: "–"}, ("valid", "invalid", "unreadable", "cannot tell")
    lines = [*(f"{marks[step.ok]} {step.name}: {step.detail}" for step in report.steps), ends[report.code]]
    return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)

def main(arguments: list[str]) -> int:
    """The command line; the exit code."""
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
    return int(report.code)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
