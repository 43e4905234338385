"""The offline verifier says yes to what the ledger makes, and never to anything else."""

from __future__ import annotations

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
from verifier.tallystick_verify import Report, main, verify_document

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


def test_no_member_can_be_changed_removed_or_added_anywhere(made: tuple[bytes, dict[str, Any]]) -> None:
    bundle, trust = made
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
            if canonical(document) != bundle:
                assert verify_document(canonical(document), trust).code in (1, 2), (place, replacement)


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
        "acacia, 2 attestations: only stated: balance, delinquentDays, dpd, lastPaid, pastDue, since, stage"
    )


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


@pytest.mark.parametrize("lie", [
    {"consumer": "other-app"}, {"lines": 1}, {"consent_version": 2}, {"detail": "SUMMARY"}, {"view_hash": bytes(32)},
])  # fmt: skip
def test_an_access_record_of_another_reading_is_refused(lie: dict[str, Any]) -> None:
    ledger, lines, as_of = two_lenders()
    ledger.consent_rows.clear()
    ledger.record_access(lines, **lie)
    report = verify_document(ledger.bundle(lines, as_of), ledger.trust())
    assert failing(report) == "reading: the access record names another view"


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


def test_the_paths_of_a_batch_of_one_are_empty() -> None:
    assert paths_of([b"\x01" * 32])[1] == [b""]
