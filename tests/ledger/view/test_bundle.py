"""A bundle is canonical, says each thing once, and is fast to make."""

from __future__ import annotations

import json
import time
from hashlib import sha256

import pytest

from ledger.attestation import credit_kinds as credit
from ledger.attestation.canonical import canonical, parse_canonical
from ledger.errors import InvariantBroken
from ledger.view.bundle import LineEvidence, build_receipt, view_hash
from tests.verifier.small_ledger import ORIGIN, SmallLedger, agreement, day, two_lenders
from verifier.tallystick_verify import verify_document


def test_a_bundle_is_its_own_canonical_form_and_says_each_thing_once() -> None:
    ledger, lines, as_of = two_lenders()
    bundle = ledger.bundle(lines, as_of)
    document = json.loads(bundle)
    assert canonical(parse_canonical(bundle)) == bundle
    assert len(set(document["hashes"])) == len(document["hashes"])
    assert sorted(batch["index"] for batch in document["batches"]) == [0, 1, 2, 3, 4, 5]
    assert [len(line["evidence"]) for line in document["lines"]] == [6, 13]
    assert len(document["evidence"]) == 6 + 13 + 2 + 1


def test_an_attestation_behind_two_lines_stands_once() -> None:
    ledger, lines, as_of = two_lenders()
    document = json.loads(ledger.bundle([lines[0], lines[0]], as_of))
    assert document["lines"][0]["evidence"] == document["lines"][1]["evidence"]
    assert len(document["evidence"]) == 6 + 2 + 1


def test_a_line_may_go_out_with_part_of_its_evidence_or_none() -> None:
    ledger, lines, as_of = two_lenders()
    document = json.loads(ledger.bundle([LineEvidence(lines[0].line, [], False)], as_of))
    assert (document["lines"][0]["complete"], document["lines"][0]["evidence"]) == (False, [])


def test_the_view_hash_is_over_the_figures_as_the_bundle_has_them() -> None:
    ledger, lines, as_of = two_lenders()
    document = json.loads(ledger.bundle(lines, as_of))
    figures = canonical([line["figures"] for line in document["lines"]])
    assert view_hash([row.line for row in lines]) == sha256(figures).digest()
    assert view_hash([]) == sha256(b"[]").digest()


def test_a_batch_without_a_path_breaks_an_invariant() -> None:
    ledger, lines, as_of = two_lenders()
    with pytest.raises(InvariantBroken) as caught:
        ledger.bundle(lines, as_of, log_paths={})
    assert caught.value.code == "bundle_path_missing"


def test_a_receipt_is_canonical_and_takes_a_path_in_either_form() -> None:
    ledger, _, _ = two_lenders()
    note, paths = ledger.note()
    whole = build_receipt(origin=ORIGIN, index=1, statement=ledger.tokens[1], path=paths[1], checkpoint_note=note)
    nodes = [paths[1][at : at + 32] for at in range(0, len(paths[1]), 32)]
    assert canonical(parse_canonical(whole)) == whole
    assert build_receipt(
        origin=ORIGIN, index=1, statement=ledger.tokens[1], path=nodes, checkpoint_note=note
    ) == whole  # fmt: skip


def test_twelve_lines_of_twenty_six_attestations_are_built_in_milliseconds_and_verified_in_tens() -> None:
    ledger, as_of = SmallLedger(), day("2019-01-31")
    ledger.enrol("acacia")
    accounts = [bytes([n]) * 32 for n in range(1, 13)]
    for account in accounts:
        said = [ledger.attest("acacia", agreement(), "2016-12-01", account)]
        for n in range(25):
            books = credit.StatusSnapshot(balance=n, currency="KES", dpd=n, past_due=n, status="current")
            said.append(ledger.attest("acacia", books, f"{2017 + n // 12}-{n % 12 + 1:02}-28", account))
        ledger.publish("acacia", said)
    lines = [ledger.line("acacia", account, as_of) for account in accounts]
    ledger.record_access(lines)
    note, paths = ledger.note()
    fixed = {"checkpoint_note": note, "log_paths": dict(enumerate(paths))}
    took = []
    for _ in range(5):
        start = time.perf_counter()
        bundle = ledger.bundle(lines, as_of, **fixed)
        took.append(time.perf_counter() - start)
    start = time.perf_counter()
    assert verify_document(bundle, ledger.trust()).code == 0
    verifying = time.perf_counter() - start
    assert min(took) < 0.05, took
    assert verifying < 0.5
    print(f"built {min(took) * 1e3:.2f} ms, verified {verifying * 1e3:.1f} ms, {len(bundle)} bytes")
