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
from collections import abc, namedtuple
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Step = namedtuple("Step", "name ok detail")  # ok None: it cannot be told
Report = namedtuple("Report", "code format steps")  # the exit code, the format ("": none of ours), each check in order
VIEW, RECEIPT, PROOF = "tallystick-view/1", "tallystick-receipt/1", "c2sp.org/tlog-proof@v1"
STEPS = ["format", "checkpoint", "batches", "attestations", "nothing left over", "keys", "signatures", "reading"]
SIZE_MAX, NEVER = 64 << 20, 1 << 63  # bytes; Unix milliseconds
TERMS = ["collateral", "frequency", "instalments", "limit", "portfolioType", "principal", "ratePpm"]
FIXED = {*TERMS, "account", "asOf", "currency", "lender", "opened", "product"}  # what a hidden event does not move
BOOKS, LATE = ["balance", "pastDue", "scheduled", "status"], ["delinquentDays", "dpd", "lastPaid", "since"]
FIGURES = {*FIXED, *BOOKS, *LATE, "closed", "flags", "history", "historyFrom", "stage"}
FLAGS = ["charged_off", "closed", "defaulted", "disputed", "forborne", "paused"]
CODES = {"charged_off": "L", "closed": "E", "collection": "G", "foreclosed": "H", "repossessed": "K", "surrendered": "J"}
SIGNS = {"charge": 1, "disbursement": 1, "repayment": -1, "reversal": 1, "waiver": -1}  # how the balance moves
STAGES = {after: stage for stage, events in {  # after [a stage and] an event; any other event leaves the stage
    "active": "charge disbursement reversal approved+status_snapshot", "approved": "new+agreement applied+agreement approved",
    "applied": "application", "declined": "declined", "withdrawn": "applied+withdrawn", "cancelled": "approved+withdrawn",
    "sold": "transfer transferred", "recovered": "written_off+recovery"}.items() for after in events.split()}
FOLD: dict[str, Any] = {  # kind: (loan, body, day) -> what changes, but for stage, balance, currency and product
    "agreement": lambda s, b, d: dict.fromkeys(TERMS) | {"collateral": False, "graceDays": 0, "opened": d} | b,
    "charge": lambda s, b, d: {"charges": s.charges + b["amount"]}, "closure": lambda s, b, d: {"closed": d},
    "charge_off": lambda s, b, d: {"charged_off": s.charged_off or d}, "cure": lambda s, b, d: {"defaulted": None},
    "default": lambda s, b, d: {"defaulted": d}, "dispute": lambda s, b, d: {"disputed": b["state"] == "opened"},
    "delinquency": lambda s, b, d: {"since": iso(b["since"]) if b["dpdTo"] else None, "pastDue": sum(b["overdue"].values())},
    "pause": lambda s, b, d: {"pauses": [*s.pauses, (iso(b["start"]), iso(b["until"]))]},
    "repayment": lambda s, b, d: {"paid": s.paid + b["amount"], "pastDue": s.pastDue and max(s.pastDue - b["amount"], 0),
        "since": s.since if s.pastDue is None or s.pastDue > b["amount"] else None, "lastPaid": max(s.lastPaid or d, d)},
    "restructure": lambda s, b, d: {"forborne": s.forborne or b.get("forborne")},
    "resume": lambda s, b, d: {"pauses": [(start, min(until, d)) for start, until in s.pauses if start <= d]},
    "reversal": lambda s, b, d: {"paid": s.paid - b["amount"], "pastDue": None if s.pastDue is None else s.pastDue + b["amount"]},
    "schedule": lambda s, b, d: {"plan": [
        (iso(row["due"]), sum(row.get(part, 0) for part in ("fee", "interest", "principal"))) for row in b["rows"]]},
    "status_snapshot": lambda s, b, d: {name: b[name] for name in BOOKS if name in b} | {
        "told": d, "since": d - timedelta(b["dpd"]) if b.get("dpd") else None} if "status" in b and d >= (s.told or d) else {},
    "transfer": lambda s, b, d: {"closed": d}, "waiver": lambda s, b, d: {"charges": s.charges - b["amount"]}}
iso, month = date.fromisoformat, lambda day: day.year * 12 + day.month - 1

class Wrong(Exception):
    """A check that does not hold; the text says which."""

def need(holds: Any, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)

def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()

def dump(value: Any) -> bytes:  # RFC 8785, for values without fractions and with ASCII names; a date is its ISO text
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode()

def strict_json(data: bytes) -> Any:
    value = json.loads(data.decode(), parse_float=int, parse_constant=int)  # int() takes no fraction and no NaN
    need(dump(value) == data, "JSON that is not canonical: a member twice, blanks, another order or spelling")
    return value

def exact(value: Any, names: str) -> list[Any]:  # the members of an object that has these and no others
    need(isinstance(value, dict) and sorted(value) == sorted(names.split()), f"not exactly the members {names}")
    return [value[name] for name in names.split()]

def unbase64(text: str, size: int | None = None, url: bool = False) -> bytes:  # RFC 4648, in the only spelling of the bytes
    signs, pad = (b"-_", "=" * (-len(text) % 4)) if url else (b"+/", "")
    data = base64.b64decode(text + pad, signs)
    need(base64.b64encode(data, signs).decode() == text + pad and size in (None, len(data)), "Base64 of another form or length")
    return data

def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:  # the root (RFC 9162, 2.1.3.1, from the top)
    need(type(index) is int and 0 <= index < size and (size == 1) == (not path), "a place or path of another tree")
    half, below, beside = 1 << (size - 1).bit_length() >> 1, path[:-1], path[-1:]
    return (leaf if size == 1 else sha(b"\1", climb(index, half, leaf, below), *beside) if index < half else
            sha(b"\1", *beside, climb(index - half, size - half, leaf, below)))

def attempt(check: abc.Callable[..., Any], *given: Any) -> Any:
    """What a check answers, or its cross with the reason: nothing that a document holds raises further than here."""
    try:
        return check(*given)
    except Exception as fault:
        return False, str(fault) if isinstance(fault, Wrong) else f"malformed ({type(fault).__name__})"

def verify(alg: str, key: bytes, message: bytes, mark: bytes) -> bool:
    """Ed25519 (RFC 8032), or ECDSA on P-256 with r || s (RFC 7518 section 3.4); raises as the library does."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
    from cryptography.hazmat.primitives.hashes import SHA256
    if alg == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(mark, message)
    else:
        der = utils.encode_dss_signature(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:], "big"))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(der, message, ec.ECDSA(SHA256()))
    return len(mark) == 64

def read_trust(trust: Any) -> tuple[Any, ...]:
    """The log's name and key ID, its key, and the operator's key as the one fact about keys that nobody has to state."""
    form, vkey, jwk, tenant = exact(trust, "format log operator operatorTenant")
    (curve, kty, x), (name, key_id, key) = exact(jwk, "crv kty x"), vkey.split("+", 2)
    typed, public = unbase64(key, 33), base64.b64encode(unbase64(x, 32, url=True)).decode()
    known = [form, curve, kty, typed[0], key_id]
    need(known == ["tallystick-trust/1", "Ed25519", "OKP", 1, sha(name.encode(), b"\n", typed)[:4].hex()], "not a trust file")
    return (name, key_id), typed[1:], {"alg": "EdDSA", "kid": None, "notBefore": 0, "owner": tenant, "publicKey": public}

def open_checkpoint(note: str, origin: str, log: Any, key: bytes) -> tuple[int, bytes]:
    """Size and root of a C2SP checkpoint of this origin, signed by the log's key if there is a trust file."""
    body, tail = note.removesuffix("\n").split("\n\n")
    (name, size, root, *_), rows = body.split("\n"), [row.split(" ") for row in tail.split("\n")]
    need(note[-1] == "\n" and name == origin and size == str(abs(int(size))), f"not a checkpoint of {origin}")
    marks = [(dash, (signer, (mark := unbase64(text))[:4].hex()), mark[4:]) for dash, signer, text in rows]
    need(all(dash == "—" and mark for dash, _, mark in marks), "not a signature line")
    valid = [attempt(verify, "EdDSA", key, f"{body}\n".encode(), mark) is True for _, who, mark in marks if who == log]
    need(log is None or valid and all(valid), "no valid signature of the trusted log key")
    return int(size), unbase64(root, 32)

def read_statement(token: str, ledger: str) -> SimpleNamespace:
    """A batch statement (a compact JWS); nothing in it is proven yet."""
    (head, payload, mark), names = token.split("."), "ledger batch count root tenant time"
    header, said = (strict_json(unbase64(part, url=True)) for part in (head, payload))
    (alg, _, typ), (origin, _, count, *_) = exact(header, "alg kid typ"), exact(said, names)
    known = (origin, typ, type(count)) == (ledger, "tallystick-batch+jws", int) and alg in ("EdDSA", "ES256")
    need(known, "a statement of another kind or log")
    message, raw = f"{head}.{payload}".encode(), unbase64(mark, url=True)
    return SimpleNamespace(**header | said, by=lambda key: attempt(verify, alg, unbase64(key), message, raw) is True)

def read_proof(data: bytes) -> list[Any]:
    """The members of a C2SP tlog-proof, in the order of a receipt's; its extra line holds the statement."""
    head, _, note = data.decode().partition("\n\n")
    form, extra, place, *path = head.split("\n")
    need(extra[:6] == "extra " and place == f"index {int(place[6:])}", "a proof without statement or index")
    return [note, form, int(place[6:]), note.partition("\n")[0], path, unbase64(extra[6:]).decode()]

def figures(events: list[Any], as_of: date) -> dict[str, Any]:
    """What these attestations, in log order, say of a loan on a day (minor units); what they do not say is absent."""
    blank = dict.fromkeys([*FIGURES, *FLAGS, "told", "owed"]) | dict.fromkeys(["charges", "graceDays", "paid"], 0)
    loan, months = SimpleNamespace(**blank | {"pauses": [], "plan": [], "stage": "new"}), dict[int, str]()
    for kind, body, day in ((event["kind"], event["body"], iso(event["effectiveDate"])) for event in events):
        event = body["cause"] if kind == "closure" else body.get("outcome", kind)
        loan.stage = STAGES.get(f"{loan.stage}+{event}", STAGES.get(event, event if kind == "closure" else loan.stage))
        if kind == "disbursement" or loan.balance is not None:
            loan.balance = (loan.balance or 0) + body.get("amount", 0) * SIGNS.get(kind, 0)
        vars(loan).update({name: body[name] for name in ("currency", "product") if name in body})
        vars(loan).update(FOLD[kind](loan, body, day) if kind in FOLD else {})
        loan.owed = sum(due for _, due in loan.plan) + loan.charges - loan.paid if loan.plan else loan.balance
        if kind == "repayment" and loan.owed is not None and loan.owed <= 0:
            loan.stage, loan.closed = "overpaid" if loan.owed else "paid", day
        loan.closed = None if loan.stage == "active" else loan.closed
        if kind == "status_snapshot":
            late = str(min(body.get("dpd", 0) // 30, 6)) if {"dpd", "status"} & {*body} else "D"
            months[month(day)] = body.get("historyCode", CODES.get(body.get("status"), late))
    last, left, counts = min(as_of, loan.charged_off or as_of), loan.paid - loan.charges, loan.stage in ("active", "sold")
    since, overdue = (None, 0) if loan.plan else (loan.since, loan.pastDue)
    for due, amount in loan.plan:  # days past due count from the oldest instalment that is not met in full
        short = amount - min(max(left, 0), amount) if due < last else 0
        since, overdue, left = since or (due if short else None), overdue + short, left - amount
    since = since if counts and since and since < last else last
    days, spared = (last - since).days, sum(max((min(end, last) - max(start, since)).days, 0) for start, end in loan.pauses)
    end, oldest = month(loan.told or as_of) - 1, max(min(months, default=0), max(months, default=0) - 83)
    grid = ["B" if at < oldest else months.get(at, "D") for at in range(end, end - 24, -1)] if months else []
    loan.paused = any(start <= as_of < until for start, until in loan.pauses)
    found = vars(loan) | {
        "asOf": as_of, "balance": loan.owed, "delinquentDays": max(days - loan.graceDays - spared, 0), "dpd": days,
        "flags": [word for word in FLAGS if vars(loan)[word]], "history": "".join(grid) or None, "since": since if days else None,
        "historyFrom": f"{end // 12:04}-{end % 12 + 1:02}" if grid else None, "pastDue": overdue if counts else 0}
    return {name: found[name] for name in FIGURES if found[name] is not None}

def check_line(line: Any, events: list[Any], subject: str, as_of: str) -> tuple[bool, str]:
    """One line of the view against the attestations behind it; what to say when it holds."""
    complete, _, shown = exact(line, "complete evidence figures")
    lender, account, order = shown["lender"], shown["account"], [event["at"] for event in events]
    about = {(event["tenant"], event.get("account"), event.get("subject")) for event in events}
    need(about <= {(lender, account, subject)}, "evidence about another lender, account or borrower")
    need(order == sorted({*order}), "evidence that is not in log order")
    need({*shown} <= FIGURES and shown["asOf"] == as_of, "a figure that no line has, or of another day")
    found = figures(events, iso(as_of)) | {"account": account, "lender": lender}
    other = sorted(name for name, value in shown.items() if dump(value) != dump(found.get(name)))
    wrong = other if complete is True else [name for name in other if name in FIXED and name in found]
    need(not wrong and isinstance(complete, bool), f"{lender}: the evidence says otherwise of {', '.join(wrong)}")
    kept = {"charged_off", "forborne"} & {*found["flags"]}  # no event takes these away
    need(kept <= {*shown.get("flags", kept)}, f"{lender}: a flag is not shown")
    agree = f"only stated: {', '.join(other)}" if other else "all figures agree"
    return True, f"{lender}, {len(events)} attestations: {agree}"

def check_reading(view: Any, evidence: list[Any], operator: str) -> tuple[bool | None, str]:
    """The access record and the consent's steps, as far as they are disclosed, against what the view says of itself."""
    (consent, detail, places, version), lines = exact(view["consent"], "consent detail evidence version"), view["lines"]
    rows = sorted((row["at"], row["kind"], row["body"], row["tenant"], row["subject"]) for row in map(evidence.__getitem__, places))
    own = {(tenant, subject, body["consent"]) for _, _, body, tenant, subject in rows} <= {(operator, view["subject"], consent)}
    reads = [(at, body) for at, kind, body, *_ in rows if kind == "access"]
    steps = [(at, body["step"]) for at, kind, body, *_ in rows if kind == "consent"]
    need(own and len(reads) < 2 and len(reads) + len(steps) == len(rows), "not of this consent, or two access records")
    if not reads:
        return None, "stated only: no access record proves reader, consent and that no figure was left out"
    (at, read), shown = reads[0], base64.b64encode(sha(dump([line["figures"] for line in lines]))).decode()
    facts = {"consumer": view["consumer"], "consentVersion": version, "detail": detail, "lines": len(lines), "viewHash": shown}
    need(dump({name: read.get(name) for name in facts}) == dump(facts), "the access record names another view")
    last = max((step for step in steps if step[0] < at), default=(at, "granted"))[1]
    need(last in ("granted", "resumed"), "the consent was not in force when it was read")
    return True, f"read by {view['consumer']}, recorded in entry {at[0]}, figures unabridged"

def check(data: bytes, trusted: Any) -> abc.Iterator[tuple[bool | None, str]]:
    """The checks in the order of STEPS, then one for each line; of a receipt or proof, the first three."""
    need(len(data) <= SIZE_MAX, "more than 64 MiB")
    log, log_key, *own = (None, b"") if trusted is None else read_trust(trusted)
    view = {"format": PROOF} if data.startswith(f"{PROOF}\n".encode()) else strict_json(data)
    if view["format"] == VIEW:
        as_of, rows, note, consent, consumer, entries, form, nodes, keys, ledger, lines, subject = exact(
            view, "asOf evidence checkpoint consent consumer batches format hashes keys ledger lines subject")
        need(isinstance(consumer, str) and unbase64(subject, 32) and str(iso(as_of)) == as_of, "no reader or no day")
    else:
        note, form, index, ledger, nodes, token = (
            read_proof(data) if len(view) == 1 else exact(view, "checkpoint format index ledger path statement"))
        need(form in (RECEIPT, PROOF), "a format that is not known here")
        entries = [{"index": index, "path": [*range(len(nodes))], "statement": token}]
    yield True, form
    (size, root), told = open_checkpoint(note, ledger, log, log_key), bool(own) or None
    yield told, f"{ledger}, {size} entries"
    hashes, batches, evidence = [unbase64(node, 32) for node in nodes], dict[int, Any](), list[Any]()
    for index, path, token in (exact(entry, "index path statement") for entry in entries):
        need(climb(index, size, sha(b"\0", token.encode()), [hashes[at] for at in path]) == root, f"{index} is not in the log")
        batches[index] = batch = read_statement(token, ledger)
    if form != VIEW:
        yield True, f"entry {index}: {batch.count} attestations of {batch.tenant} (whose key is not part of this proof)"
        return
    yield True, f"{len(batches)} signed statements are entries of the log"
    for text, at, path, position in (exact(row, "attestation batch path position") for row in rows):
        batch, index, said, hops = batches[entries[at]["index"]], entries[at]["index"], strict_json(text.encode()), [hashes[at] for at in path]
        reached = climb(position, batch.count, sha(b"\0", text.encode()), hops)
        need((reached, said["tenant"]) == (unbase64(batch.root), batch.tenant), f"an attestation is not in its batch {index}")
        evidence.append(said | {"at": (index, position)})
    yield True, f"{len(evidence)} attestations are in their batches, unchanged"
    places, homes = [keys, consent["evidence"], *(line["evidence"] for line in lines)], [row["batch"] for row in rows]
    for lists, parts in (places, rows), ([part["path"] for part in (*entries, *rows)], nodes), ([homes], entries):
        used = [at for these in lists for at in these]
        whole = {*used} == {*range(len(parts))} and {*map(type, lists), *map(type, used)} <= {list, int}
        need(whole, "a part that is not there, or not used")
    once = (sum(map(len, places)), len({*nodes}), len(batches)) == (len(rows), len(nodes), len(entries))
    need(once, "an attestation, hash or batch twice")
    yield True, "every hash, batch and attestation is used"
    facts = [*own, *(evidence[at]["body"] for at in keys)]
    operator = own[0]["owner"] if own else evidence[keys[0]]["tenant"] if keys else ""
    named = {(evidence[at]["kind"], evidence[at]["tenant"]) for at in keys}
    need(named <= {("key", operator)}, "not a key of the operator's naming")
    yield told, f"{len(keys)} keys named by {operator}"
    for index, batch in batches.items():
        known = [fact for fact in facts if fact["owner"] == batch.tenant and fact["kid"] in (None, batch.kid)]
        good = all(fact["alg"] == batch.alg and batch.by(fact["publicKey"]) for fact in known)
        need(good and (known or batch.tenant == operator), f"{index}: no key of {batch.tenant} signed it")
        span = [(fact["notBefore"], fact.get("notAfter", NEVER), fact.get("compromisedFrom", NEVER)) for fact in known]
        in_force = all(first <= batch.time < min(ends) for first, *ends in span)
        need(in_force, f"{index}: key not in force, or compromised")
    yield told, "each batch by a key of its tenant, in force at its time"
    yield attempt(check_reading, view, evidence, operator)  # from here on, a cross does not stop the rest
    for line in lines:
        yield attempt(check_line, line, [evidence[at] for at in line["evidence"]], subject, as_of)

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
