"""Check a Tallystick view, receipt or proof offline: one file, written from the formats alone, trusting nobody.

    python tallystick_verify.py FILE [--trust TRUST.json] [--json]      0 valid, 1 invalid, 2 unreadable, 3 cannot tell

From the public keys of the log and the operator (the trust file) and nothing else, a valid view proves: the log signed the
checkpoint; each batch is in the log, signed by a key that the operator named and that was in force; each attestation is in
its batch; nothing is left over or used twice; the figures of a complete line follow from its attestations, and any other
line agrees with what is shown; the ledger recorded this reading: reader, consent, detail and exactly these figures.
It cannot prove that the ledger left nothing out of what it calls complete, nor that no key was revoked since."""
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

iso, VIEW, RECEIPT, PROOF = date.fromisoformat, "tallystick-view/1", "tallystick-receipt/1", "c2sp.org/tlog-proof@v1"
Step = namedtuple("Step", "name ok detail")  # ok None: it cannot be told
Report = namedtuple("Report", "code format steps")  # the exit code, the format ("": none of ours), each check in order
STEPS = ["format", "checkpoint", "batches", "attestations", "nothing left over", "keys", "signatures", "reading"]
TERMS = ["collateral", "frequency", "instalments", "limit", "portfolioType", "principal", "ratePpm"]
FIXED = {*TERMS, "account", "asOf", "continues", "currency", "lender", "opened", "product"}  # no hidden event moves it
BOOKS, PARTS, NEVER = ["balance", "scheduled", "status"], ["fee", "interest", "principal"], 1 << 63
PAST = {"charge", "correction", "deletion", "delinquency", "restructure", "reversal", "waiver"}  # what may change the past
MONEY = {"balance", "closed", "delinquentDays", "dpd", "flags", "lastPaid", "pastDue", "since", "stage"}  # payments move it
BOUGHT = {"firstDelinquency", "history", "historyFrom"}  # what goes on from the account before, at another lender
SHOWN = {*FIXED, *BOOKS, *MONEY, *BOUGHT}
FLAGS = ["charged_off", "closed", "defaulted", "disputed", "forborne", "paused"]
CODES = {"charged_off": "L", "closed": "E", "collection": "G", "foreclosed": "H", "repossessed": "K", "surrendered": "J"}
ANEW = ("correction", "restructure")
LINES, ODD = {"line_of_credit", "open", "revolving"}, {"allocationOrder", "businessDayConvention", "excessRule"}
STAGES = {after: stage for stage, events in {"sold": "transfer transferred",  # after [a stage and] an event
    "active": "disbursement approved+status_snapshot paid", "applied": "application", "declined": "declined",
    "approved": "approved new+agreement applied+agreement", "cancelled": "approved+withdrawn",
    "withdrawn": "applied+withdrawn", "recovered": "written_off+recovery"}.items() for after in events.split()}
LINK: Any = lambda b: {"continues": {"account": b["predecessor"], "lender": b["predecessorLender"]}  # noqa: E731
    if "predecessorLender" in b else None} if "predecessor" in b else {}
SAME: Any = lambda *_: {}  # noqa: E731
PAID = {"balance": 0, "met": 0, "pastDue": 0, "plan": [], "since": None}
FOLD: dict[str, Any] = {  # kind: (loan, body, day) -> what changes, but for stage, currency and product
    "agreement": lambda s, b, d: dict.fromkeys(TERMS) | {"collateral": False, "graceDays": 0, "opened": d} | b | LINK(b),
    "charge_off": lambda s, b, d: {"charged_off": s.charged_off or d,
        "firstDelinquency": s.firstDelinquency or b.get("firstDelinquency")}, "transfer": lambda s, b, d: {"closed": d},
    "closure": lambda s, b, d: {"closed": d} | (PAID | {"cleared": d} | (  # before the books: their word is the newer one
        {"balance": s.balance or 0, "pastDue": s.pastDue or 0, "since": s.since} if d < s.first else {})
        if b["cause"] == "paid" else {}),
    "cure": lambda s, b, d: {"defaulted": s.defaulted and iso(b["probationEnd"])},
    "default": lambda *_: {"defaulted": date.max}, "dispute": lambda s, b, d: {"disputed": b["state"] == "opened"},
    "disbursement": lambda s, b, d: {"balance": (s.balance or 0) + s.take},
    "pause": lambda s, b, d: {"pauses": [*s.pauses, (iso(b["start"]), iso(b["until"]))]},
    "repayment": lambda s, b, d: {"lastPaid": max(s.lastPaid or d, d), "met": s.met + max(s.take - (s.pastDue or 0), 0),
        "balance": None if s.balance is None else s.balance - s.take, "pastDue": s.pastDue and max(s.pastDue - s.take, 0),
        "since": s.since if s.pastDue is None or s.pastDue > s.take else None},
    "restructure": lambda s, b, d: {"forborne": s.forborne or b.get("forborne")},
    "resume": lambda s, b, d: {"pauses": [(start, min(until, d)) for start, until in s.pauses if start <= d]},
    "schedule": lambda s, b, d: {"plan": [(iso(row["due"]), sum(row.get(part, 0) for part in PARTS)) for row in b["rows"]],
        "balance": max(s.balance or 0, total(b, "principal")) + total(b, "fee") + total(b, "interest"), "planned": True},
    "status_snapshot": lambda s, b, d: {name: b[name] for name in BOOKS if name in b} | {"told": d} | ({
        "since": d - timedelta(b["dpd"]) if b.get("dpd") else None,
        "pastDue": b.get("pastDue", s.pastDue if b.get("dpd") else s.pastDue and 0)}
        if {"dpd", "pastDue"} & {*b} or b["status"] == "current" else {}) if "status" in b else {}}
def total(plan: Any, part: str) -> int:
    return sum(row.get(part, 0) for row in plan["rows"])
def need(holds: Any, otherwise: str) -> Any:
    if holds:
        return True
    raise ValueError(otherwise)
def attempt(check: abc.Callable[..., Any], *given: Any) -> Any:  # its answer, or a cross: nothing raises further than here
    try:
        return check(*given)
    except Exception as fault:
        return False, str(fault) if isinstance(fault, ValueError) else f"malformed ({type(fault).__name__})"
def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
def dump(value: Any) -> bytes:  # RFC 8785, for values without fractions and with ASCII names; a date is its ISO text
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode()
def strict_json(data: bytes) -> Any:
    value = json.loads(data.decode(), parse_float=int, parse_constant=int)  # int() takes no fraction and no NaN
    return need(dump(value) == data, "JSON that is not canonical: a member twice, blanks, another order") and value
def exact(value: Any, names: str) -> list[Any]:  # the members of an object that has these and no others
    need(isinstance(value, dict) and sorted(value) == sorted(names.split()), f"not exactly the members {names}")
    return [value[name] for name in names.split()]
def unbase64(text: str, size: int | None = None, url: bool = False) -> bytes:  # RFC 4648, in the only spelling of the bytes
    signs, pad = (b"-_", "=" * (-len(text) % 4)) if url else (b"+/", "")
    data = base64.b64decode(text + pad, signs)
    return need(base64.b64encode(data, signs).decode() == text + pad and size in (None, len(data)), "unfit Base64") and data
def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:  # the root (RFC 9162, 2.1.3.1, from the top)
    need(type(index) is int and 0 <= index < size and (size == 1) == (not path), "a place or path of another tree")
    half, below, beside = 1 << (size - 1).bit_length() >> 1, path[:-1], path[-1:]
    return (leaf if size == 1 else sha(b"\1", climb(index, half, leaf, below), *beside) if index < half else
            sha(b"\1", *beside, climb(index - half, size - half, leaf, below)))
def verify(alg: str, key: bytes, message: bytes, mark: bytes) -> bool:  # RFC 8032, or RFC 7518 section 3.4; else it raises
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
    from cryptography.hazmat.primitives.hashes import SHA256
    if alg == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(mark, message)
    else:
        der = utils.encode_dss_signature(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:], "big"))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(der, message, ec.ECDSA(SHA256()))
    return len(mark) == 64
def read_trust(trust: Any) -> tuple[Any, ...]:  # the log's name and key ID, its key, the operator's as a fact about keys
    form, vkey, jwk, tenant = exact(trust, "format log operator operatorTenant")
    (curve, kty, x), (name, key_id, key) = exact(jwk, "crv kty x"), vkey.split("+", 2)
    typed, public = unbase64(key, 33), base64.b64encode(unbase64(x, 32, url=True)).decode()
    known = (form, curve, kty, typed[0], sha(name.encode(), b"\n", typed)[:4].hex())
    need(known == ("tallystick-trust/1", "Ed25519", "OKP", 1, key_id), "not a trust file")
    return (name, key_id), typed[1:], {"alg": "EdDSA", "kid": None, "notBefore": 0, "owner": tenant, "publicKey": public}
def open_checkpoint(note: str, origin: str, log: Any, key: bytes) -> tuple[int, bytes]:  # C2SP: the tree's size and root
    (body, tail), (name, size, root, *_) = note.removesuffix("\n").split("\n\n"), note.split("\n\n")[0].split("\n")
    marks = [(dash, who, unbase64(text)) for dash, who, text in (row.split(" ") for row in tail.split("\n"))]
    formed = size == str(abs(int(size))) and all(dash == "—" and len(mark) > 4 for dash, _, mark in marks)
    need(formed and note[-1] == "\n" and name == origin, f"not a checkpoint of {origin}")
    mine = [mark[4:] for _, who, mark in marks if (who, mark[:4].hex()) == log]
    valid = mine and all(attempt(verify, "EdDSA", key, f"{body}\n".encode(), mark) is True for mark in mine)
    need(valid or log is None, "no valid signature of the trusted log key")
    return int(size), unbase64(root, 32)
def read_statement(token: str, ledger: str) -> SimpleNamespace:  # a compact JWS; nothing in it is proven yet
    head, payload, mark = token.split(".")
    header, said = (strict_json(unbase64(part, url=True)) for part in (head, payload))
    (alg, _, typ), (origin, count, *_) = exact(header, "alg kid typ"), exact(said, "ledger count batch root tenant time")
    known = (origin, typ, type(count)) == (ledger, "tallystick-batch+jws", int) and alg in ("EdDSA", "ES256")
    message, raw = f"{head}.{payload}".encode(), need(known, "of another kind or log") and unbase64(mark, url=True)
    return SimpleNamespace(**header | said, by=lambda key: attempt(verify, alg, unbase64(key), message, raw) is True)
def read_proof(data: bytes) -> list[Any]:  # a C2SP tlog-proof in the order of a receipt; its extra line is the statement
    head, _, note = data.decode().partition("\n\n")
    form, extra, place, *path = head.split("\n")
    need(extra[:6] == "extra " and place == f"index {int(place[6:])}", "a proof without statement or index")
    return [note, form, int(place[6:]), note.partition("\n")[0], path, unbase64(extra[6:]).decode()]
def figures(events: list[Any], as_of: date) -> tuple[dict[str, Any], set[str]]:  # what these say; what is unsure
    blank = dict.fromkeys([*SHOWN, *FLAGS, "told", "cleared", "planned"]) | {"graceDays": 0, "met": 0, "stage": "new"}
    blank["first"] = date.max  # the first day of which the books speak, while they and terms are all there is of money
    s, months, unsure, newest = SimpleNamespace(**blank, pauses=[], plan=[]), dict[int, str](), set[str](), date.min
    for kind, b, day in ((event["kind"], event["body"], iso(event["effectiveDate"])) for event in events):
        event = b["cause"] if kind == "closure" else b.get("outcome", kind)
        books, share = kind == "status_snapshot", b.get("allocated")
        s.stage = STAGES.get(f"{s.stage}+{event}", STAGES.get(event, event if kind == "closure" else s.stage))
        fits = {"agreement": not ODD & {*b} and s.portfolioType in (None, b.get("portfolioType")), "closure": True,
                "repayment": not share or not (s.planned or "excess" in share), "status_snapshot": not s.plan,
                "schedule": not (s.told or s.lastPaid or s.plan or b.get("cause") in ANEW), "disbursement": not s.planned}
        money = kind in {*fits, *PAST} and (not books or "status" in b) and event in ("paid", b.get("outcome", kind))
        early = kind == "agreement" or (kind == "closure" and day < s.first)
        here = fits.get(kind) and (day >= newest or early)  # forwards in time, or it takes a replay
        unsure |= SHOWN if day > as_of or kind in ("correction", "deletion") else MONEY if money and not here else set()
        unsure |= {*BOOKS, *BOUGHT} if books and "status" in b and day < (s.told or day) else set()  # newer books are told
        s.take = share.get("principal", 0) if share else b.get("amount", 0)  # what no plan asks for is income
        vars(s).update({name: b[name] for name in ("currency", "product") if name in b} | FOLD.get(kind, SAME)(s, b, day))
        clears, newest = kind == "repayment" and s.balance is not None and s.portfolioType not in LINES, max(newest, day)
        if money and kind != "agreement":
            s.first = min(s.first, day) if books and (s.balance or 0) <= 0 else date.min
        s.cleared = None if (s.balance or 0) > 0 else s.cleared or (day if clears else None)
        if books:
            late = str(min(b.get("dpd", 0) // 30, 6)) if {"dpd", "status"} & {*b} else "D"
            months[day.year * 12 + day.month] = b.get("historyCode", CODES.get(b.get("status"), late))
    ended, over = s.stage in ("sold", "written_off", "recovered"), s.stage == "active" and s.cleared
    s.closed = s.cleared if s.stage == "active" and over else None if s.stage == "active" else s.closed
    s.stage = s.stage if not over else "overpaid" if s.balance else "paid"
    counts, last = ended or s.stage == "active", min(as_of, s.charged_off or as_of, (ended and s.closed) or as_of)
    since, left, overdue = s.since, s.met, s.pastDue if s.pastDue is not None or not s.planned else 0
    for due, amount in s.plan:  # days past due count from the oldest instalment that is not met in full
        short = amount - min(max(left, 0), amount) if due < last else 0
        since, overdue = since or (due if short else None), (overdue or 0) + short if short else overdue
        left -= amount
    since = first = since if counts and since and since < last else last
    days, spared = (last - since).days, 0
    for start, end in sorted(s.pauses):
        spared, first = spared + max((min(end, last) - max(start, first)).days, 0), max(first, min(end, last))
    told, oldest = s.told or as_of, max(min(months, default=0), max(months, default=0) - 83)
    end, s.paused = told.year * 12 + told.month - 1, any(start <= as_of < until for start, until in s.pauses)
    s.defaulted = s.defaulted and as_of < s.defaulted
    unsure |= BOUGHT if s.continues else set()  # whether the seller says so too is not in these
    grid = ["B" if at < oldest else months.get(at, "D") for at in range(end, end - 24, -1)] if months else []
    found = vars(s) | {"asOf": as_of, "delinquentDays": max(days - s.graceDays - spared, 0), "dpd": days,
        "flags": [word for word in FLAGS if vars(s)[word]], "history": "".join(grid) or None,
        "pastDue": overdue if counts else 0, "since": since if days else None,
        "historyFrom": f"{(end - 1) // 12:04}-{(end - 1) % 12 + 1:02}" if grid else None}
    return {name: found[name] for name in SHOWN if found[name] is not None}, unsure
def check_line(line: Any, events: list[Any], subject: str, as_of: str) -> Any:  # one line, by the attestations behind it
    complete, _, shown = exact(line, "complete evidence figures")
    lender, account, order = shown["lender"], shown["account"], [event["at"] for event in events]
    about = {(event["tenant"], event.get("account"), event.get("subject")) for event in events}
    need(about <= {(lender, account, subject)}, "evidence about another lender, account or borrower")
    need({*shown} <= SHOWN and shown["asOf"] == as_of and order == sorted({*order}), "another day, figure or order")
    told, unsure = figures(events, iso(as_of))
    found, unsure = told | {"account": account, "lender": lender}, unsure - {"account", "asOf", "lender"}
    if "continues" in found and complete is True and not unsure >= SHOWN - {"account", "asOf", "lender"}:
        own = found.get("history", "")
        months = zip(own, shown.get("history", own), strict=True) if own else ()
        need(all(mine in (month, "B") for mine, month in months), f"{lender}: its own months are others")
    if "continues" not in shown:  # one side's word alone shows nothing
        found.pop("continues", None)
    other = sorted(name for name, value in shown.items() if dump(value) != dump(found.get(name)) or name in unsure)
    wrong = [name for name in other if name not in unsure and (complete is True or (name in FIXED and name in found))]
    need(not wrong and isinstance(complete, bool), f"{lender}: the evidence says otherwise of {', '.join(wrong)}")
    hidden = {"charged_off", "forborne"} & ({*found["flags"]} - {*shown.get("flags", found["flags"])})
    doubt = "cannot tell" if complete and unsure else "only stated"
    agree = f"{doubt}: {', '.join(other)}" if other else "all figures agree"
    need("opened" in unsure or not hidden, f"{lender}: a flag is not shown")
    return None if complete and unsure else True, f"{lender}, {len(events)} attestations: {agree}"
def check_reading(view: Any, shown: list[Any], operator: str) -> Any:  # what the view says of itself, by the access record
    (consent, detail, _, version), lines = exact(view["consent"], "consent detail evidence version"), view["lines"]
    about = {(row["tenant"], row["subject"], row["body"]["consent"]) for row in shown}
    reads, steps = ([row for row in shown if row["kind"] == kind] for kind in ("access", "consent"))
    own = about <= {(operator, view["subject"], consent)} and len(reads) + len(steps) == len(shown)
    need(own and len(reads) < 2, "not of this consent, or two access records")
    if not reads:
        return None, "stated only: no access record proves reader, consent and that no figure was left out"
    at, read = reads[0]["at"], reads[0]["body"]
    facts = {"consumer": view["consumer"], "consentVersion": version, "detail": detail, "lines": len(lines),
             "viewHash": base64.b64encode(sha(dump([line["figures"] for line in lines]))).decode()}
    need(dump({name: read.get(name) for name in facts}) == dump(facts), "the access record names another view")
    last = max(((row["at"], row["body"]["step"]) for row in steps if row["at"] < at), default=(at, "granted"))[1]
    return need(last in ("granted", "resumed"), "the consent was not in force when it was read"), (
        f"read by {view['consumer']}, recorded in entry {at[0]}, figures unabridged")
def check(data: bytes, trusted: Any) -> abc.Iterator[Any]:  # in the order of STEPS, then each line; of a receipt, three
    need(len(data) <= 64 << 20, "more than 64 MiB")
    log, log_key, *own = (None, b"") if trusted is None else read_trust(trusted)
    view = {"format": PROOF} if data.startswith(f"{PROOF}\n".encode()) else strict_json(data)
    if view["format"] == VIEW:
        as_of, rows, note, consent, consumer, entries, form, nodes, keys, ledger, lines, subject = exact(
            view, "asOf evidence checkpoint consent consumer batches format hashes keys ledger lines subject")
        need(isinstance(consumer, str) and unbase64(subject, 32) and str(iso(as_of)) == as_of, "no reader or no day")
    else:
        need(view["format"] in (RECEIPT, PROOF), "a format that is not known here")
        note, form, index, ledger, nodes, token = read_proof(data) if view["format"] == PROOF else exact(
            view, "checkpoint format index ledger path statement")
        entries = [{"index": index, "path": [*range(len(nodes))], "statement": token}]
    yield True, form
    (size, root), told = open_checkpoint(note, ledger, log, log_key), bool(own) or None
    yield told, f"{ledger}, {size} entries"
    hashes, batches, evidence = [unbase64(node, 32) for node in nodes], dict[int, Any](), list[Any]()
    for index, path, token in (exact(entry, "index path statement") for entry in entries):
        batches[index], hops = read_statement(token, ledger), [hashes[at] for at in path]
        need(climb(index, size, sha(b"\0", token.encode()), hops) == root, f"{index} is not in the log")
    if form != VIEW:
        yield True, f"entry {index}: {batches[index].count} attestations of {batches[index].tenant}, whose key is not shown"
        return
    yield True, f"{len(batches)} signed statements are entries of the log"
    for text, at, path, position in (exact(row, "attestation batch path position") for row in rows):
        index, said, hops = entries[at]["index"], strict_json(text.encode()), [hashes[hop] for hop in path]
        reached, batch = climb(position, batches[index].count, sha(b"\0", text.encode()), hops), batches[index]
        need((reached, said["tenant"]) == (unbase64(batch.root), batch.tenant), f"an attestation is not in batch {index}")
        evidence.append(said | {"at": (index, position)})
    yield True, f"{len(evidence)} attestations are in their batches, unchanged"
    places, homes = [keys, consent["evidence"], *(line["evidence"] for line in lines)], [row["batch"] for row in rows]
    for lists, parts in (places, rows), ([part["path"] for part in (*entries, *rows)], nodes), ([homes], entries):
        used = [at for these in lists for at in these]
        need({*map(type, [*lists, *used])} <= {list, int} and {*used} == {*range(len(parts))}, "a part missing, or unused")
    once = (sum(map(len, places)), len({*nodes}), len(batches)) == (len(rows), len(nodes), len(entries))
    yield need(once, "an attestation, hash or batch twice"), "every hash, batch and attestation is used"
    operator, facts = own[0]["owner"] if own else "", own + [evidence[at]["body"] for at in keys]
    operator = operator or (evidence[keys[0]]["tenant"] if keys else "")
    named = {(evidence[at]["kind"], evidence[at]["tenant"]) for at in keys} <= {("key", operator)}
    yield need(named, "not a key of the operator's naming") and told, f"{len(keys)} keys named by {operator}"
    for index, batch in batches.items():
        known = [fact for fact in facts if fact["owner"] == batch.tenant and fact["kid"] in (None, batch.kid)]
        good = all(fact["alg"] == batch.alg and batch.by(fact["publicKey"]) for fact in known)
        need(good and (known or batch.tenant == operator), f"{index}: no key of {batch.tenant} signed it")
        spans = [(fact["notBefore"], *(fact.get(end, NEVER) for end in ("notAfter", "compromisedFrom"))) for fact in known]
        need(all(a <= batch.time < min(b, c) for a, b, c in spans), f"{index}: key not in force, or compromised")
    yield told, "each batch by a key of its tenant, in force at its time"
    yield attempt(check_reading, view, [evidence[at] for at in consent["evidence"]], operator)
    yield from (attempt(check_line, line, [evidence[at] for at in line["evidence"]], subject, as_of) for line in lines)
def verify_document(data: bytes, trust: Any) -> Report:  # any of the three forms; never raises for what it is given
    steps, checks = list[Step](), check(data, trust)
    for ok, detail in iter(lambda: attempt(next, checks, None), None):
        steps.append(Step(STEPS[len(steps)] if len(steps) < len(STEPS) else f"line {len(steps) - 7}", ok, detail))
    (_, known, form), seen = steps[0], {step.ok for step in steps}
    return Report((1 if known else 2) if False in seen else 3 if None in seen else 0, form if known else "", steps)
def text_of(report: Report) -> str:  # for people: a tick or a cross a step, and the verdict
    marks, ends = {True: "✓", False: "✗", None: "–"}, ("valid", "invalid", "unreadable", "cannot tell")
    lines = [*(f"{marks[step.ok]} {step.name}: {step.detail}" for step in report.steps), ends[report.code]]
    return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)
def main(arguments: list[str]) -> int:  # the command line; the exit code
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, action in ("file", "store"), ("--trust", "store"), ("--json", "store_true"):
        parser.add_argument(name, action=action)
    given = parser.parse_args(arguments)
    try:
        report = verify_document(Path(given.file).read_bytes(), given.trust and json.loads(Path(given.trust).read_bytes()))
    except (OSError, ValueError, RecursionError) as fault:
        print(f"unreadable: {type(fault).__name__}", file=sys.stderr)
        return 2
    as_json = json.dumps({**report._asdict(), "steps": [step._asdict() for step in report.steps]})
    sys.stdout.buffer.write(f"{as_json if given.json else text_of(report)}\n".encode())
    return int(report.code)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
