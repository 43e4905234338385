"""Check a Tallystick view, receipt or proof offline: is everything on the ledger, and signed?

    python tallystick_verify.py FILE [--trust TRUST.json] [--json]      0 valid, 1 invalid, 2 unreadable, 3 cannot tell

From the public keys of the log and the operator (the trust file) and nothing else, a valid view proves: the log signed
the checkpoint; each batch is in the log, signed by a key that the operator named and that was in force; each
attestation is in its batch; nothing is left over or used twice; the ledger recorded reader, consent, detail and these
figures. By tallystick_figures.py beside this file, the figures of a complete line follow from its attestations, and any
other line, called partial, agrees with what it shows; without that file all else is checked, and figures are not told.
It cannot prove that the ledger left nothing out of what it calls complete, nor that no key was revoked since."""
import argparse
import base64
import hashlib
import json
import sys
from collections import abc, namedtuple
from datetime import date
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # wherever it is run from, its companion lies beside it
FIGURES: Any = import_module("tallystick_figures") if (HERE / "tallystick_figures.py").is_file() else None
iso, VIEW, RECEIPT, PROOF = date.fromisoformat, "tallystick-view/1", "tallystick-receipt/1", "c2sp.org/tlog-proof@v1"
Step = namedtuple("Step", "name ok detail")  # ok None: it cannot be told
Report = namedtuple("Report", "code format steps partial")  # the exit code, "" for no format of ours
STEPS = ["format", "checkpoint", "batches", "attestations", "nothing left over", "keys", "signatures", "reading"]

class Fault(Exception):
    """What is wrong, as a sentence."""

# -- forms: values and their one spelling
def need(holds: Any, otherwise: str) -> Any:
    if holds:
        return True
    raise Fault(otherwise)
def attempt(check: abc.Callable[..., Any], *given: Any) -> Any:  # its answer, or a cross: nothing raises past this
    try:
        return check(*given)
    except Exception as fault:
        return False, str(fault) if isinstance(fault, Fault) else "malformed: a part missing, or of another kind"
def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
def dump(value: Any) -> bytes:  # RFC 8785, for values without fractions and with ASCII names
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
def parse(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_float=int, parse_constant=int)  # int() takes no fraction and no NaN
    except json.JSONDecodeError as fault:
        raise Fault(f"not JSON, from line {fault.lineno}, column {fault.colno} on" if data else "empty") from None
    except (ValueError, RecursionError):
        raise Fault("not JSON of this kind: not UTF-8, a fraction, or nested too deep") from None
def strict_json(data: bytes) -> Any:
    value = parse(data)
    return need(dump(value) == data, "JSON that is not canonical: a member twice, blanks, another order") and value
def exact(value: Any, names: str) -> list[Any]:  # the members of an object that has these and no others
    need(isinstance(value, dict) and sorted(value) == sorted(names.split()), f"not exactly the members {names}")
    return [value[name] for name in names.split()]
def unbase64(text: str, size: int | None = None, url: bool = False) -> bytes:  # RFC 4648, in its only spelling
    signs, text = (b"-_", text + "=" * (-len(text) % 4)) if url else (b"+/", text)
    data = base64.b64decode(text, signs)
    return need(base64.b64encode(data, signs).decode() == text and size in (None, len(data)), "unfit Base64") and data

# -- formats: trees, signatures, and what is signed
def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:  # the root: RFC 9162, 2.1.3.1
    need(type(index) is int and 0 <= index < size and (size == 1) == (not path), "a place or path of another tree")
    half = 1 << (size - 1).bit_length() >> 1
    if size == 1:
        return leaf
    if index < half:
        return sha(b"\1", climb(index, half, leaf, path[:-1]), path[-1])
    return sha(b"\1", path[-1], climb(index - half, size - half, leaf, path[:-1]))
def verify(alg: str, key: bytes, message: bytes, mark: bytes) -> bool:  # RFC 8032 or RFC 7518, 3.4; else it raises
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
    from cryptography.hazmat.primitives.hashes import SHA256
    if alg == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(mark, message)
    else:
        der = utils.encode_dss_signature(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:], "big"))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(der, message, ec.ECDSA(SHA256()))
    return len(mark) == 64
def read_trust(trust: Any) -> SimpleNamespace:  # the log's name, ID and key; the operator's key, as a fact about keys
    parsed = parse(trust) if isinstance(trust, bytes) else trust
    form, vkey, jwk, tenant = exact(parsed, "format log operator operatorTenant")
    (curve, kty, x), (name, key_id, key) = exact(jwk, "crv kty x"), vkey.split("+", 2)
    typed, public = unbase64(key, 33), base64.b64encode(unbase64(x, 32, url=True)).decode()
    need((form, curve, kty, typed[0]) == ("tallystick-trust/1", "Ed25519", "OKP", 1), "another format or kind of key")
    need(sha(name.encode(), b"\n", typed)[:4].hex() == key_id, "the log's key and its ID do not belong together")
    fact = {"alg": "EdDSA", "kid": None, "notBefore": 0, "owner": tenant, "publicKey": public}
    return SimpleNamespace(log=(name, key_id), key=typed[1:], operator=tenant, facts=[fact])
def open_checkpoint(note: str, origin: str, trust: Any) -> tuple[int, bytes]:  # C2SP: the tree's size and root
    body, tail = note.removesuffix("\n").split("\n\n")
    name, size, root, *_ = body.split("\n")
    marks = [(dash, who, unbase64(text)) for dash, who, text in (row.split(" ") for row in tail.split("\n"))]
    formed = size == str(abs(int(size))) and all(dash == "—" and len(mark) > 4 for dash, _, mark in marks)
    need(formed and note[-1] == "\n" and name == origin, f"not a checkpoint of {origin}")
    mine = [mark[4:] for _, who, mark in marks if trust and (who, mark[:4].hex()) == trust.log]
    valid = mine and all(attempt(verify, "EdDSA", trust.key, f"{body}\n".encode(), mark) is True for mark in mine)
    need(valid or not trust, "no valid signature of the trusted log key")
    return int(size), unbase64(root, 32)
def read_statement(token: str, ledger: str) -> SimpleNamespace:  # a compact JWS; nothing in it is proven yet
    head, payload, mark = token.split(".")
    header, said = (strict_json(unbase64(part, url=True)) for part in (head, payload))
    alg, _, typ = exact(header, "alg kid typ")
    origin, count, *_ = exact(said, "ledger count batch root tenant time")
    known = (origin, typ, type(count)) == (ledger, "tallystick-batch+jws", int) and alg in ("EdDSA", "ES256")
    message, raw = f"{head}.{payload}".encode(), need(known, "of another kind or log") and unbase64(mark, url=True)
    return SimpleNamespace(**header | said, by=lambda key: attempt(verify, alg, unbase64(key), message, raw) is True)
def read_proof(data: bytes) -> list[Any]:  # a C2SP tlog-proof in the order of a receipt; extra is the statement
    head, _, note = data.decode().partition("\n\n")
    form, extra, place, *path = head.split("\n")
    need(extra[:6] == "extra " and place == f"index {int(place[6:])}", "a proof without statement or index")
    return [note, form, int(place[6:]), note.partition("\n")[0], path, unbase64(extra[6:]).decode()]

# -- checks: each answers, or raises what is wrong
def check_use(places: list[Any], view: Any, evidence: list[Any]) -> None:  # each part is used; an attestation once
    rows, entries, named = view["evidence"], view["batches"], {at for these in places for at in these}
    shown = [(line["figures"]["lender"], line["figures"]["account"]) for line in view["lines"]]
    for said in (said for at, said in enumerate(evidence) if at not in named and "account" in said):
        need((said["tenant"], said["account"]) in shown, f"a loan of {said['tenant']} is missing: it has no line")
        raise Fault(f"{said['tenant']}: evidence that its line does not use")
    paths, homes = [part["path"] for part in (*entries, *rows)], [[row["batch"] for row in rows]]
    for lists, parts in (places, rows), (paths, view["hashes"]), (homes, entries):
        used = [at for these in lists for at in these]
        need({*used} == {*range(len(parts))} and {*map(type, [*lists, *used])} <= {list, int}, "a part unused")
    once = (sum(map(len, places)), len({*view["hashes"]}), len({entry["index"] for entry in entries}))
    need(once == (len(rows), len(view["hashes"]), len(entries)), "an attestation, hash or batch twice")
def check_keys(batches: Any, facts: list[Any], operator: str) -> None:  # by these facts about keys
    for index, batch in batches.items():
        known = [fact for fact in facts if fact["owner"] == batch.tenant and fact["kid"] in (None, batch.kid)]
        good = all(fact["alg"] == batch.alg and batch.by(fact["publicKey"]) for fact in known)
        need(good and (known or batch.tenant == operator), f"{index}: no key of {batch.tenant} signed it")
        ends = (fact.get(end, 1 << 63) for fact in known for end in ("notAfter", "compromisedFrom"))
        early = any(batch.time < fact["notBefore"] for fact in known)
        need(not early and all(batch.time < end for end in ends), f"{index}: key not in force, or compromised")
def check_reading(view: Any, shown: list[Any], operator: str) -> Any:  # the view itself, by the access record
    (consent, detail, _, version), lines = exact(view["consent"], "consent detail evidence version"), view["lines"]
    about = {(row["tenant"], row["subject"], row["body"]["consent"]) for row in shown}
    reads, steps = ([row for row in shown if row["kind"] == kind] for kind in ("access", "consent"))
    own = about <= {(operator, view["subject"], consent)} and len(reads) + len(steps) == len(shown)
    need(own and len(reads) < 2, "not of this consent, or two access records")
    if not reads:
        return None, "stated only: no access record proves reader, consent and that no figure was left out"
    at, read = reads[0]["at"], reads[0]["body"]
    facts = {"consumer": view["consumer"], "consentVersion": version, "detail": detail, "lines": len(lines)}
    told = {name: read.get(name) for name in facts}
    other = [f"{name} {told[name]}, not {facts[name]}" for name in facts if dump(told[name]) != dump(facts[name])]
    if read["viewHash"] != base64.b64encode(sha(dump([line["figures"] for line in lines]))).decode():
        other.append("other figures")
    lost = "a loan is missing: " if read["lines"] > len(lines) else ""
    need(not other, f"{lost}the access record names another view: {'; '.join(other)}")
    last = max(((row["at"], row["body"]["step"]) for row in steps if row["at"] < at), default=(at, "granted"))[1]
    return need(last in ("granted", "resumed"), "the consent was not in force when it was read"), (
        f"read by {view['consumer']}, recorded in entry {at[0]}, figures unabridged")
def check_line(line: Any, events: list[Any], subject: str, as_of: str) -> Any:  # whose evidence it is; then figures
    complete, _, shown = exact(line, "complete evidence figures")
    about = {(event["tenant"], event.get("account"), event.get("subject")) for event in events}
    mine, order = about <= {(shown["lender"], shown["account"], subject)}, [event["at"] for event in events]
    need(mine, "evidence about another lender, account or borrower")
    need(shown["asOf"] == as_of and order == sorted({*order}) and type(complete) is bool, "another day or order")
    ok, why = FIGURES.judge(shown, complete, events) if FIGURES else (None, "figures not told without their file")
    extent = "" if ok is False else f", {'' if complete else 'partial, '}{len(events)} attestations"
    return ok, f"{shown['lender']}{extent}: {why}"

def check(data: bytes, trust: Any) -> abc.Iterator[Any]:  # in the order of STEPS, then each line; of a receipt, three
    need(len(data) <= 64 << 20, "more than 64 MiB")
    view = {"format": PROOF} if data.startswith(f"{PROOF}\n".encode()) else strict_json(data)
    need(isinstance(view, dict) and view.get("format") in (VIEW, RECEIPT, PROOF), "a format that is not known here")
    if view["format"] == VIEW:
        as_of, rows, note, consent, consumer, entries, form, nodes, keys, ledger, lines, subject = exact(
            view, "asOf evidence checkpoint consent consumer batches format hashes keys ledger lines subject")
        need(isinstance(consumer, str) and unbase64(subject, 32) and str(iso(as_of)) == as_of, "no reader or no day")
    else:
        note, form, index, ledger, nodes, token = read_proof(data) if view["format"] == PROOF else exact(
            view, "checkpoint format index ledger path statement")
        entries = [{"index": index, "path": [*range(len(nodes))], "statement": token}]
    yield True, form
    (size, root), told = open_checkpoint(note, ledger, trust), bool(trust) or None
    yield told, f"{ledger}, {size} entries"
    hashes, batches, evidence = [unbase64(node, 32) for node in nodes], dict[int, Any](), list[Any]()
    for index, path, token in (exact(entry, "index path statement") for entry in entries):
        said, hops = read_statement(token, ledger), [hashes[at] for at in path]
        need(climb(index, size, sha(b"\0", token.encode()), hops) == root, f"{index} is not in the log")
        batches[index] = said
    if form != VIEW:
        yield True, f"entry {index}: {said.count} attestations of {said.tenant}, whose key is not shown"
        return
    yield True, f"{len(batches)} signed statements are entries of the log"
    for text, at, path, position in (exact(row, "attestation batch path position") for row in rows):
        index, said, hops = entries[at]["index"], strict_json(text.encode()), [hashes[hop] for hop in path]
        root, batch = climb(position, batches[index].count, sha(b"\0", text.encode()), hops), batches[index]
        need((root, said["tenant"]) == (unbase64(batch.root), batch.tenant), f"an attestation is not in batch {index}")
        evidence.append(said | {"at": (index, position)})
    yield True, f"{len(evidence)} attestations are in their batches, unchanged"
    places = [keys, consent["evidence"], *(line["evidence"] for line in lines)]
    check_use(places, view, evidence)
    yield True, "every hash, batch and attestation is used"
    operator = trust.operator if trust else evidence[keys[0]]["tenant"] if keys else ""
    named = {(evidence[at]["kind"], evidence[at]["tenant"]) for at in keys} <= {("key", operator)}
    yield need(named, "not a key of the operator's naming") and told, f"{len(keys)} keys named by {operator}"
    check_keys(batches, (trust.facts if trust else []) + [evidence[at]["body"] for at in keys], operator)
    yield told, "each batch by a key of its tenant, in force at its time"
    yield attempt(check_reading, view, [evidence[at] for at in consent["evidence"]], operator)
    yield from (attempt(check_line, line, [evidence[at] for at in line["evidence"]], subject, as_of) for line in lines)

# -- answers
def verify_document(data: bytes, trust: Any) -> Report:  # trust: a file or its value; never raises
    trusted, steps = None if trust is None else attempt(read_trust, trust), list[Step]()
    if isinstance(trusted, tuple):
        return Report(2, "", [Step("trust file", False, f"not a trust file: {trusted[1]}")], 0)
    checks = check(data, trusted)
    for ok, detail in iter(lambda: attempt(next, checks, None), None):
        steps.append(Step(STEPS[len(steps)] if len(steps) < len(STEPS) else f"line {len(steps) - 7}", ok, detail))
    (_, known, form), seen = steps[0], {step.ok for step in steps}
    code = (1 if known else 2) if False in seen else 3 if None in seen else 0
    return Report(code, form if known else "", steps, sum(", partial, " in row.detail for row in steps[8:]))
def text_of(report: Report) -> str:  # for people: a tick or a cross a step, and the verdict
    marks, ends = {True: "✓", False: "✗", None: "–"}, ("valid", "invalid", "unreadable", "cannot tell")
    some = f", {report.partial} of {len(report.steps) - 8} lines partial" if report.partial else ""
    lines = [*(f"{marks[step.ok]} {step.name}: {step.detail}" for step in report.steps), ends[report.code] + some]
    return "\n".join("".join(char if char.isprintable() else "?" for char in line) for line in lines)
def unreadable(report: Report, file: Any, trust: Any) -> str:  # of a report with code 2: which file, and what is wrong
    return f"unreadable: {trust if report.steps[0].name == 'trust file' else file}: {report.steps[0].detail}"
def main(arguments: list[str]) -> int:  # the command line; the exit code
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, action in ("file", "store"), ("--trust", "store"), ("--json", "store_true"):
        parser.add_argument(name, action=action)
    given = parser.parse_args(arguments)
    try:
        trust = None if given.trust is None else Path(given.trust).read_bytes()
        report = verify_document(Path(given.file).read_bytes(), trust)
    except OSError as fault:
        print(f"unreadable: {fault.filename}: {fault.strerror}", file=sys.stderr)
        return 2
    if report.code == 2:
        print(unreadable(report, given.file, given.trust), file=sys.stderr)
    as_json = json.dumps({**report._asdict(), "steps": [step._asdict() for step in report.steps]})
    sys.stdout.buffer.write(f"{as_json if given.json else text_of(report)}\n".encode())
    return int(report.code)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
