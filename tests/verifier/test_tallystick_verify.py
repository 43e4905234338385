"""The offline verifier says yes to what the ledger makes, and never to anything else."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from ledger.attestation import credit_kinds as credit
from ledger.attestation.canonical import canonical
from ledger.log.merkle import paths_of
from ledger.log.proof import LogProof, marshal_proof
from ledger.view.bundle import build_receipt
from tests.verifier.small_ledger import NOON, ORIGIN, SmallLedger, agreement, day, two_lenders
from verifier.tallystick_verify import Report, main, text_of, verify_document

VERIFIER = Path(__file__).resolve().parents[2] / "verifier" / "tallystick_verify.py"


@pytest.fixture(scope="module")
def made() -> tuple[bytes, dict[str, Any]]:
    ledger, lines, as_of = two_lenders()
    return ledger.bundle(lines, as_of), ledger.trust()


def failing(report: Report) -> str:
    return next((f"{step.name}: {step.detail}" for step in report.steps if step.ok is False), "none")


def respell(bundle: bytes, change: Any) -> bytes:
    """The bundle after ``change(document)``, canonical again."""
    document = json.loads(bundle)
    change(document)
    return canonical(document)


def test_a_real_view_is_valid_and_every_line_has_its_tick(made: tuple[bytes, dict[str, Any]]) -> None:
    report = verify_document(*made)
    assert (report.code, [step.ok for step in report.steps]) == (0, [True] * 10)
    assert report.steps[-1].detail == "baobab, 13 attestations: all figures agree"


def test_without_a_trust_file_all_else_is_checked_and_the_answer_is_cannot_tell(
    made: tuple[bytes, dict[str, Any]],
) -> None:
    report = verify_document(made[0], None)
    assert report.code == 3
    assert [step.name for step in report.steps if step.ok is None] == ["checkpoint", "keys", "signatures"]
    spoilt = made[0].replace(b'"dpd":138', b'"dpd":0')
    assert verify_document(spoilt, None).code == 1


def test_no_single_flipped_bit_leaves_a_view_valid(made: tuple[bytes, dict[str, Any]]) -> None:
    bundle, trust = made
    random = Random(1)
    for at in range(0, len(bundle), 29):
        spoilt = bytearray(bundle)
        spoilt[at] ^= 1 << random.randrange(8)
        assert verify_document(bytes(spoilt), trust).code in (1, 2), bundle[at - 20 : at + 20]


def every_place(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, child in children for place in every_place(child, (*path, name)))]


def spelt(document: Any) -> bytes:
    """What ``canonical`` makes of a document with names in ASCII, in a fifth of its time."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def test_no_member_can_be_changed_removed_or_added_anywhere(made: tuple[bytes, dict[str, Any]]) -> None:
    bundle, trust = made
    assert spelt(json.loads(bundle)) == bundle  # so that no change is refused for its spelling
    random = Random(2)
    places = [place for place in every_place(json.loads(bundle)) if place]
    fixed = [place for place in places if len(place) <= 2 or place[0] in ("lines", "consent")]
    for place in fixed + random.sample(places, 150):
        for replacement in (None, "x", 7, [], {}, True, "remove", "extra"):
            document = json.loads(bundle)
            holder = document
            for name in place[:-1]:
                holder = holder[name]
            before = holder[place[-1]]
            if replacement == "remove":
                del holder[place[-1]]
            elif replacement == "extra" and isinstance(before, dict):
                before["zzz"] = 1
            elif replacement == "extra" and isinstance(before, list):
                before.append(0)
            else:
                holder[place[-1]] = replacement
            if (changed := spelt(document)) != bundle:
                assert verify_document(changed, trust).code in (1, 2), (place, replacement)


@pytest.mark.parametrize("garbage", [
    b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"format":"tallystick-view/1"}', b'{"format":"tallystick-receipt/1"}',
    b"[" * 100_000, b'{"format":' * 5_000, b'{"a":1,"a":2}', b'{"format":"other"}', b'{"format":[]}', b"1" * 5_000,
    b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n", b"c2sp.org/tlog-proof@v1\n\xff",
    b"NaN",
])  # fmt: skip
def test_garbage_is_refused_without_a_traceback(garbage: bytes) -> None:
    assert verify_document(garbage, None).code in (1, 2)
    assert verify_document(garbage, {"format": "x"}).code == 2


def test_json_that_says_the_same_in_another_spelling_is_refused(made: tuple[bytes, dict[str, Any]]) -> None:
    bundle, trust = made
    document = json.loads(bundle)
    for spelling in (bundle + b"\n", json.dumps(document).encode(), bundle[:-1] + b',"subject":"' + b'"}'):
        assert verify_document(spelling, trust).code in (1, 2)


def test_evidence_of_one_line_does_not_prove_another(made: tuple[bytes, dict[str, Any]]) -> None:
    def swap(document: Any) -> None:
        first, second = document["lines"]
        first["evidence"], second["evidence"] = second["evidence"], first["evidence"]

    report = verify_document(respell(made[0], swap), made[1])
    assert failing(report) == "line 1: evidence about another lender, account or borrower"


def test_evidence_that_is_dropped_from_a_complete_line_is_missed() -> None:
    ledger, lines, as_of = two_lenders()
    short = [lines[0]._replace(rows=lines[0].rows[:-2]), lines[1]]
    report = verify_document(ledger.bundle(short, as_of), ledger.trust())
    assert failing(report).startswith("line 1: acacia: the evidence says otherwise of balance, ")


def test_a_partial_line_is_valid_and_names_what_is_only_stated() -> None:
    ledger, _, as_of = two_lenders()
    ledger.consent_rows.clear()
    lines = [ledger.line("acacia", b"\x0a" * 32, as_of, "SUMMARY")]
    ledger.record_access(lines, "SUMMARY")
    ledger.key_rows = ledger.key_rows[:1]
    report = verify_document(ledger.bundle(lines, as_of, "SUMMARY"), ledger.trust())
    assert (report.code, failing(report)) == (0, "none")
    assert report.steps[-1].detail == (
        "acacia, partial, 2 attestations: only stated: balance, delinquentDays, dpd, lastPaid, pastDue, since, stage"
    )
    assert (report.partial, text_of(report).splitlines()[-1]) == (1, "valid, 1 of 1 lines partial")


def test_a_complete_line_that_is_called_partial_is_said_to_be_partial(made: tuple[bytes, dict[str, Any]]) -> None:
    def demote(document: Any) -> None:
        document["lines"][0]["complete"] = False

    assert verify_document(*made).partial == 0
    report = verify_document(respell(made[0], demote), made[1])
    assert [step.detail for step in report.steps[-2:]] == [
        "acacia, partial, 6 attestations: all figures agree", "baobab, 13 attestations: all figures agree",
    ]  # fmt: skip
    assert (report.code, report.partial) == (0, 1)
    assert text_of(report).splitlines()[-1] == "valid, 1 of 2 lines partial"


def test_a_loan_that_is_left_out_is_called_missing_with_its_evidence_or_without(
    made: tuple[bytes, dict[str, Any]],
) -> None:
    def drop(document: Any) -> None:
        document["lines"].pop()

    report = verify_document(respell(made[0], drop), made[1])
    assert failing(report) == "nothing left over: a loan of baobab is missing: it has no line"
    ledger, lines, as_of = two_lenders()
    ledger.key_rows.pop()
    report = verify_document(ledger.bundle(lines[:1], as_of), ledger.trust())
    assert failing(report) == (
        "reading: a loan is missing: the access record names another view: lines 2, not 1; other figures"
    )


def test_evidence_that_a_line_does_not_use_is_named(made: tuple[bytes, dict[str, Any]]) -> None:
    def drop(document: Any) -> None:
        document["lines"][0]["evidence"].pop()

    report = verify_document(respell(made[0], drop), made[1])
    assert failing(report) == "nothing left over: acacia: evidence that its line does not use"


def test_a_partial_line_may_not_contradict_what_is_disclosed() -> None:
    ledger, _, as_of = two_lenders()
    good = ledger.line("acacia", b"\x0a" * 32, as_of, "SUMMARY")
    lines = [good._replace(line=msgspec.structs.replace(good.line, principal=1))]
    ledger.consent_rows.clear()
    ledger.record_access(lines, "SUMMARY")
    ledger.key_rows = ledger.key_rows[:1]
    report = verify_document(ledger.bundle(lines, as_of, "SUMMARY"), ledger.trust())
    assert failing(report) == "line 1: acacia: the evidence says otherwise of principal"


def bounced(**lie: Any) -> Report:
    """A view of one loan with a payment that went back, its figures as they are or with a lie among them."""
    ledger, account, as_of = SmallLedger(), b"\x0a" * 32, day("2019-01-31")
    ledger.enrol("acacia")
    paid = ledger.attest("acacia", credit.Repayment(amount=7, channel="cash", currency="KES"), "2018-08-14", account)
    back = credit.Reversal(amount=7, cause="bounced", currency="KES")
    ledger.publish("acacia", [
        ledger.attest("acacia", agreement(), "2018-07-15", account),
        ledger.attest("acacia", credit.Disbursement(amount=9, currency="KES", tranche=1), "2018-07-15", account),
        paid, ledger.attest("acacia", back, "2018-08-20", account, refs=(paid.envelope.id,)),
        ledger.attest("acacia", credit.ChargeOff(amount=9, currency="KES", original_amount=9), "2018-12-01", account),
    ])  # fmt: skip
    line = ledger.line("acacia", account, as_of)
    lines = [line._replace(line=msgspec.structs.replace(line.line, **lie))]
    ledger.record_access(lines)
    return verify_document(ledger.bundle(lines, as_of), ledger.trust())


def test_where_the_past_was_changed_the_money_cannot_be_told_and_all_else_is_checked() -> None:
    report = bounced()
    assert (report.code, failing(report)) == (3, "none")
    assert report.steps[-1].detail == (
        "acacia, 5 attestations: cannot tell: balance, delinquentDays, dpd, flags, stage"
    )
    assert bounced(balance=1).code == 3
    assert failing(bounced(principal=1)) == "line 1: acacia: the evidence says otherwise of principal"
    assert failing(bounced(flags=())) == "line 1: acacia: a flag is not shown"


def test_a_day_before_some_of_the_evidence_cannot_be_told() -> None:
    ledger, account, as_of = SmallLedger(), b"\x0a" * 32, day("2018-07-31")
    ledger.enrol("acacia")
    ledger.publish("acacia", [
        ledger.attest("acacia", agreement(), "2018-07-15", account),
        ledger.attest("acacia", agreement(principal=7), "2018-08-15", account),
    ])  # fmt: skip
    lines = [ledger.line("acacia", account, as_of)]
    ledger.record_access(lines)
    assert verify_document(ledger.bundle(lines, as_of), ledger.trust()).code == 3


def test_without_an_access_record_reader_and_consent_cannot_be_told() -> None:
    ledger, lines, as_of = two_lenders()
    report = verify_document(ledger.bundle(lines, as_of, consent_evidence=[]), ledger.trust())
    assert (report.code, [step.name for step in report.steps if step.ok is None]) == (3, ["reading"])


@pytest.mark.parametrize(("lie", "said"), [
    ({"consumer": "other-app"}, "consumer other-app, not pesa-app"), ({"lines": 1}, "lines 1, not 2"),
    ({"consent_version": 2}, "consentVersion 2, not 1"), ({"detail": "SUMMARY"}, "detail SUMMARY, not TRANSACTIONS"),
    ({"view_hash": bytes(32)}, "other figures"),
])  # fmt: skip
def test_an_access_record_of_another_reading_is_refused_and_says_what_differs(lie: dict[str, Any], said: str) -> None:
    ledger, lines, as_of = two_lenders()
    ledger.consent_rows.clear()
    ledger.record_access(lines, **lie)
    report = verify_document(ledger.bundle(lines, as_of), ledger.trust())
    assert failing(report) == f"reading: the access record names another view: {said}"


def one_loan(window: dict[str, Any], time: int = NOON, key: str = "") -> Report:
    """A view of one loan whose lender's key has this window and whose batch has this time."""
    ledger, account, as_of = SmallLedger(), b"\x0a" * 32, day("2019-01-31")
    ledger.enrol("baobab")
    ledger.enrol("acacia", **window)
    if not key:
        ledger.key_rows.pop(0)
    ledger.publish("acacia", [ledger.attest("acacia", agreement(), "2018-07-15", account)], time=time, key=key)
    lines = [ledger.line("acacia", account, as_of)]
    ledger.record_access(lines)
    return verify_document(ledger.bundle(lines, as_of), ledger.trust())


def test_a_key_counts_inside_its_window_and_before_its_compromise() -> None:
    assert failing(one_loan({})) == "none"
    assert failing(one_loan({"compromised_from": NOON + 1})) == "none"
    assert "key not in force, or compromised" in failing(one_loan({"compromised_from": NOON}))
    assert failing(one_loan({"not_before": NOON, "not_after": NOON + 1})) == "none"
    assert "key not in force" in failing(one_loan({"not_after": NOON}))
    assert "key not in force" in failing(one_loan({"not_before": NOON + 1}))


def test_a_later_revocation_of_the_same_key_counts_too() -> None:
    ledger, lines, as_of = two_lenders()
    ledger.name_key("acacia", step="revoked", compromised_from=NOON)
    assert "compromised" in failing(verify_document(ledger.bundle(lines, as_of), ledger.trust()))


def test_another_tenants_key_does_not_sign_for_a_lender() -> None:
    report = one_loan({}, key="baobab")
    assert failing(report) == "signatures: 2: no key of acacia signed it"


def test_a_key_that_a_lender_names_for_itself_is_nobodys() -> None:
    ledger, lines, as_of = two_lenders()
    ledger.key_rows.clear()
    ledger.name_key("acacia", step="enrolled", publisher="acacia")
    report = verify_document(ledger.bundle(lines, as_of), ledger.trust())
    assert failing(report) == "keys: not a key of the operator's naming"


def test_a_checkpoint_of_another_origin_or_key_is_refused() -> None:
    ledger, lines, as_of = two_lenders()
    bundle = ledger.bundle(lines, as_of, origin="ledger.example/other")
    assert failing(verify_document(bundle, ledger.trust())) == "checkpoint: not a checkpoint of ledger.example/other"
    other = SmallLedger()
    other.signer = type(other.signer)(ORIGIN, b"\x08" * 32)
    report = verify_document(ledger.bundle(lines, as_of), other.trust() | {"operator": ledger.trust()["operator"]})
    assert failing(report) == "checkpoint: no valid signature of the trusted log key"


def test_an_operator_key_that_is_not_the_trusted_one_names_nobody() -> None:
    ledger, lines, as_of = two_lenders()
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64.urlsafe_b64encode(b"\x09" * 32).decode().rstrip("=")}
    report = verify_document(ledger.bundle(lines, as_of), ledger.trust() | {"operator": jwk})
    assert failing(report) == "signatures: 0: no key of tallystick signed it"


def receipt() -> tuple[SmallLedger, bytes]:
    ledger, _, _ = two_lenders()
    note, paths = ledger.note()
    return ledger, build_receipt(
        origin=ORIGIN, index=2, statement=ledger.tokens[2], path=paths[2], checkpoint_note=note
    )


def test_a_receipt_and_a_tlog_proof_show_that_a_statement_is_in_the_log() -> None:
    ledger, data = receipt()
    assert verify_document(data, ledger.trust()).code == 0
    assert verify_document(data, None).code == 3
    note, paths = ledger.note()
    proof = marshal_proof(LogProof(index=2, path=paths[2], checkpoint=note, extra=ledger.tokens[2]))
    report = verify_document(proof, ledger.trust())
    assert (report.code, report.steps[-1].detail[:31]) == (0, "entry 2: 5 attestations of acac")
    assert verify_document(proof.replace(b"index 2", b"index 3"), ledger.trust()).code == 1


def test_no_flipped_bit_leaves_a_receipt_or_a_proof_valid() -> None:
    ledger, data = receipt()
    note, paths = ledger.note()
    proof = marshal_proof(LogProof(index=2, path=paths[2], checkpoint=note, extra=ledger.tokens[2]))
    for document in (data, proof):
        for at in range(len(document)):
            spoilt = bytearray(document)
            spoilt[at] ^= 1 << at % 8
            assert verify_document(bytes(spoilt), ledger.trust()).code in (1, 2), document[at - 9 : at + 9]


def test_the_command_line_prints_ticks_and_ends_with_the_documented_code(
    made: tuple[bytes, dict[str, Any]], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    view, trust, broken = tmp_path / "view.json", tmp_path / "trust.json", tmp_path / "broken.json"
    view.write_bytes(made[0])
    trust.write_text(json.dumps(made[1]))
    broken.write_bytes(made[0].replace(b'"dpd":138', b'"dpd":139'))
    assert main([str(view), "--trust", str(trust)]) == 0
    shown = capfdbinary.readouterr().out.decode().splitlines()
    assert (shown[1], shown[-1]) == ("✓ checkpoint: ledger.example/test, 6 entries", "valid")
    assert main([str(broken), "--trust", str(trust), "--json"]) == 1
    assert json.loads(capfdbinary.readouterr().out)["code"] == 1
    assert main([str(view)]) == 3
    assert main([str(tmp_path / "none.json")]) == 2
    assert main([str(view), "--trust", str(view)]) == 2


@pytest.mark.parametrize(("file", "trust", "said"), [
    ("none.json", "trust.json", "none.json: No such file or directory"),
    ("view.json", "none.json", "none.json: No such file or directory"),
    ("empty.json", "trust.json", "empty.json: empty"),
    ("cut.json", "trust.json", "cut.json: not JSON, from line 1, column 38 on"),
    ("view.json", "cut.json", "cut.json: not a trust file: not JSON, from line 1, column 38 on"),
    ("view.json", "null.json", "null.json: not a trust file: not exactly the members format log operator operatorTenant"),
    ("view.json", "spoilt.json", "spoilt.json: not a trust file: the log's key and its ID do not belong together"),
    ("null.json", "trust.json", "null.json: a format that is not known here"),
    ("fraction.json", "trust.json",
     "fraction.json: not JSON of this kind: not UTF-8, a fraction, or nested too deep"),
])  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_file(
    made: tuple[bytes, dict[str, Any]], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes],
    file: str, trust: str, said: str,
) -> None:  # fmt: skip
    log = made[1]["log"]
    spoilt = made[1] | {"log": log[:-6] + ("A" if log[-6] != "A" else "B") + log[-5:]}
    for name, data in {
        "view.json": made[0], "empty.json": b"", "cut.json": b'{"format":"tallystick-trust/1","log":',
        "null.json": b"null", "fraction.json": b"[1.5]", "trust.json": json.dumps(made[1]).encode(),
        "spoilt.json": json.dumps(spoilt).encode(),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    assert main([str(tmp_path / file), "--trust", str(tmp_path / trust)]) == 2
    shown = capfdbinary.readouterr()
    assert shown.err.decode() == f"unreadable: {tmp_path}/{said}\n"
    assert b"Error" not in shown.out


def test_a_damaged_trust_file_is_not_a_fault_of_the_view(made: tuple[bytes, dict[str, Any]]) -> None:
    report = verify_document(made[0], made[1] | {"log": "x"})
    assert (report.code, failing(report)) == (
        2, "trust file: not a trust file: malformed: a part missing, or of another kind",
    )  # fmt: skip


def test_no_sentence_names_an_exception(made: tuple[bytes, dict[str, Any]]) -> None:
    bundle, trust = made
    for place in [place for place in every_place(json.loads(bundle)) if place and len(place) < 4][:80]:
        document = json.loads(bundle)
        holder = document
        for name in place[:-1]:
            holder = holder[name]
        holder[place[-1]] = None
        said = failing(verify_document(canonical(document), trust))
        assert "Error" not in said and "Exception" not in said, said


def test_it_runs_alone_imports_nothing_of_the_ledger_and_loads_fast() -> None:
    program = (
        "import sys, time; start = time.perf_counter(); import tallystick_verify; took = time.perf_counter() - start; "
        "unwanted = ('ledger', 'api', 'crosschain', 'cryptography'); "
        "print(took, *sorted(m for m in sys.modules if m.split('.')[0] in unwanted))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=VERIFIER.parent, capture_output=True, text=True, check=True
    ).stdout.split()
    assert float(printed[0]) < 0.3
    assert printed[1:] == []


@pytest.mark.parametrize("options", [[], ["-I"]])
def test_both_files_run_from_any_folder_as_one_command(
    made: tuple[bytes, dict[str, Any]], tmp_path: Path, options: list[str]
) -> None:
    (tmp_path / "view.json").write_bytes(made[0])
    (tmp_path / "trust.json").write_text(json.dumps(made[1]))
    command = [sys.executable, *options, str(VERIFIER), "view.json", "--trust", "trust.json"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.decode().splitlines()
    assert printed[-2:] == ["✓ line 2: baobab, 13 attestations: all figures agree", "valid"]


def test_taken_alone_it_checks_all_but_the_figures(made: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    alone = tmp_path / VERIFIER.name
    alone.write_bytes(VERIFIER.read_bytes())
    (tmp_path / "view.json").write_bytes(made[0])
    (tmp_path / "trust.json").write_text(json.dumps(made[1]))
    command = [sys.executable, str(alone), "view.json", "--trust", "trust.json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    printed = ended.stdout.decode().splitlines()
    assert (ended.returncode, [line[0] for line in printed[:8]]) == (3, ["✓"] * 8)
    assert printed[-2:] == ["– line 2: baobab, 13 attestations: figures not told without their file", "cannot tell"]


@pytest.mark.parametrize("name", ["tallystick_verify.py", "tallystick_figures.py"])
def test_each_of_the_two_files_is_under_250_lines_of_at_most_120_columns(name: str) -> None:
    lines = (VERIFIER.parent / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) < 250
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", ["tallystick_verify.py", "tallystick_figures.py"])
def test_each_of_the_two_files_imports_the_standard_library_cryptography_and_the_other(name: str) -> None:
    tree = ast.parse((VERIFIER.parent / name).read_text(encoding="utf-8"))
    imported = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]
        for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }  # fmt: skip
    assert imported - sys.stdlib_module_names <= {"cryptography"}


def test_the_paths_of_a_batch_of_one_are_empty() -> None:
    assert paths_of([b"\x01" * 32])[1] == [b""]
