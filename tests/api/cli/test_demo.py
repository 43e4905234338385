"""The demo as a user runs it: its facts, its exit code, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from api.cli.demo_server import environment
from api.cli.demo_source import LENDERS, lender_of, look_at, write_input
from api.cli.demo_steps import tampered
from api.settings import REPOSITORY
from crosschain.metro2.reader import Line, open_input, read
from crosschain.metro2.subjects import subject_rule
from ledger.errors import InvalidInput

REAL = "data/cfpb-metro2/test_local_zipped/m2_2k_lines_deidentified.TXT.zip"


ALREADY_TOLD = """
import json, sys, httpx
from pathlib import Path
from api.cli import demo_steps, main

async def told(server, folder, file, accounts, telling):
    async with httpx.AsyncClient() as client:
        await demo_steps.Story(server, demo_steps.Api(client, server.url), client, folder, telling).enrol()
    return json.loads(Path(sys.argv[1]).read_text())

demo_steps.tell_story = told
sys.exit(main.run(sys.argv[2:]))
"""
"""The command line with a story of one step, whose facts are in a file: for what comes after the story."""


def run(folder: Path, *arguments: str, already_told: Path | None = None) -> subprocess.Popen[str]:
    """`tallystick demo` as a process, whose temporary files fall into ``folder``."""
    surroundings = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(REPOSITORY)}
    start = ["-m", "api.cli.main"] if already_told is None else ["-c", ALREADY_TOLD, str(already_told)]
    command = [sys.executable, "-P", *start, "demo", *arguments]
    return subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.fixture
def folder() -> Any:
    """A folder with a short path that the database's own account can pass through."""
    with tempfile.TemporaryDirectory(prefix="tallystick-t-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def synthetic() -> tuple[int, str, str, list[str]]:
    """The whole demo on sixty accounts, once: its exit code, its two outputs, and what it left."""
    with tempfile.TemporaryDirectory(prefix="tallystick-t-") as name:
        Path(name).chmod(0o711)
        process = run(Path(name), "--accounts", "60", "--json")
        out, said = process.communicate(timeout=120)
        return process.returncode, out, said, left(Path(name))


@pytest.fixture
def already_told(synthetic: tuple[int, str, str, list[str]], tmp_path: Path) -> Path:
    """A file of the facts that the whole demo came to."""
    path = tmp_path / "facts.json"
    path.write_text(synthetic[1])
    return path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_synthetic_demo_keeps_every_promise_and_leaves_nothing(
    synthetic: tuple[int, str, str, list[str]],
) -> None:
    code, out, said, remains = synthetic
    assert code == 0, said
    facts = json.loads(out)
    promised = {
        "synthetic": True, "input": "synthetic", "subject_rule": "national-id", "records_in": 60, "rejected": [],
        "trailer_mismatches": [], "records_published": 60, "export_identical": 60, "after_revoke": "refused",
        "tampered": "refused", "tampered_step": "attestations", "bureau_without_consent": "refused", "fsck": "clean",
        "accesses_seen": 2,
    }  # fmt: skip
    assert {name: facts[name] for name in promised} == promised
    assert facts["view_lines_verified"] == facts["view_lines"] >= 3
    assert facts["view_lenders"] == 3
    assert facts["attestations"] > 20 * 60
    assert facts["repayment_seen_after_s"] < 1
    ensure_lived(facts["after_loan"])
    assert remains == []


def ensure_lived(told: dict[str, Any]) -> None:
    """The second borrower's loans: every step with its proof, and every figure that the story promises."""
    assert [(step["dpd"], step["stage"], step["class"], step["class_elsewhere"]["IN"]) for step in told["steps"]] == [
        *[(0, "active", "11", "standard")] * 6,  # two payouts, a plan, two payments on time, a due date
        *[(1, "active", "11", "SMA-0")], *[(4, "active", "11", "SMA-0")] * 2,  # missed, the fee, the warning
        *[(0, "active", "11", "standard")] * 2,  # the other lender: warned, and paid on time
        (20, "active", "11", "SMA-0"),  # the notice
        *[(0, "active", "11", "standard")] * 2, (0, "paid", "13", ""),  # cured, on time, closed
    ]  # fmt: skip
    proven = [*told["steps"], *told["alerts"], *told["effects"]]
    assert all(one["proof"] is True for one in proven)
    assert [step["day"] for step in told["steps"]] == sorted(step["day"] for step in told["steps"])
    assert [(one["lender"], one["rule"], len(one["causes"])) for one in told["alerts"]] == [
        ("baobab", "first_miss", 1), ("acacia", "miss_elsewhere", 1),
    ]  # fmt: skip
    assert told["alerts"][1]["causes"][0]["kind"] is None  # another lender's: its place and proof, not its content
    assert [(one["contract"], one["effect"], one["by"]) for one in told["effects"]] == [
        ("late-fee", "penalty.apply", "tallystick"), ("pre-negative-notice", "attestation.emit", "tallystick"),
        ("payment-closure", "attestation.emit", "tallystick"),
    ]  # fmt: skip
    assert told["effects"][0]["arguments"] == {"amount": "1000", "code": "late"}
    assert (told["explained"]["days_past_due"], told["explained"]["instalment"]["n"]) == (20, 1)
    assert told["explained"]["attestations_proven"] == 2
    assert told["tampered_effect"] == {"outcome": "refused", "code": "demo_proof_differs"}
    assert (told["replay"]["exit_code"], told["replay"]["effects"]) == (0, 3)
    assert told["proofs"] == 42


def test_the_regulators_file_comes_out_as_the_issue_says(folder: Path, shared: Path) -> None:
    process = run(folder, "--input", str(shared / REAL), "--json")
    out, said = process.communicate(timeout=180)
    assert process.returncode == 0, said
    facts = json.loads(out)
    assert (facts["records_in"], facts["export_identical"], facts["synthetic"]) == (1997, 1997, False)
    assert [(entry["line"], entry["rule"]) for entry in facts["rejected"]] == [(2, "line_length_unknown")]
    assert facts["trailer_mismatches"][0] == {"field": "total_base_records", "declared": 564618, "found": 1997}
    assert facts["view_lines_verified"] == facts["view_lines"] > 0
    assert (facts["after_revoke"], facts["tampered"], facts["subject_rule"]) == ("refused", "refused", "assigned")
    ensure_lived(facts["after_loan"])
    assert left(folder) == []


def test_asked_to_end_it_stops_its_server_and_sweeps(folder: Path, already_told: Path) -> None:
    process = run(folder, "--accounts", "60", "--serve", already_told=already_told)
    assert process.stderr is not None
    for line in process.stderr:
        if "until Ctrl-C" in line:
            break
    process.terminate()
    out, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (130, "stopped")
    assert "60 invented accounts" in out
    assert left(folder) == []


def test_a_server_that_dies_is_reported_with_what_it_said(folder: Path, already_told: Path) -> None:
    process = run(folder, "--serve", already_told=already_told)
    assert process.stderr is not None
    for line in process.stderr:
        if "until Ctrl-C" in line:
            break
    time.sleep(0.1)
    subprocess.run(["pkill", "-9", "-P", str(process.pid)], check=True)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "the server ended with code -9; its last lines" in said
    assert "GraphQL     POST" in said
    assert left(folder) == []


def test_the_borrower_that_is_chosen_has_loans_at_all_three_lenders(tmp_path: Path) -> None:
    path = tmp_path / "accounts.txt"
    write_input(path, 300)
    source = look_at(path)
    rule = subject_rule(source.rule, tenant="any", borrowers=source.borrowers)
    with open_input(path) as stream:
        lines = [item for item in read(stream) if isinstance(item, Line)]
    held = [lender_of(line) for line in lines if rule.borrower(line.record) == source.borrower]
    assert set(held) == set(LENDERS)
    assert (source.rule, source.as_of.isoformat(), source.rejects, len(lines)) == ("national-id", "2026-01-31", 0, 300)


def test_a_file_without_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_bytes(b"no such thing\n")
    with pytest.raises(InvalidInput, match="no record"):
        look_at(path)


def test_tampering_changes_one_digit_of_one_attestation() -> None:
    bundle = {"evidence": [{"attestation": '{"body":{"balance":129},"kind":"status_snapshot"}'}], "lines": []}
    changed = json.loads(tampered(json.dumps(bundle).encode()))
    assert changed["evidence"] == [{"attestation": '{"body":{"balance":120},"kind":"status_snapshot"}'}]


def test_no_setting_of_the_caller_reaches_the_demos_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_AUDIT_URL_FILE", "TALLYSTICK_PUBLIC_URL", "TALLYSTICK_HOST"):
        monkeypatch.setenv(name, "elsewhere")
    given = environment(tmp_path)
    assert "elsewhere" not in given.values()
    assert given["TALLYSTICK_HOME"] == str(tmp_path / "home")
    assert given["TALLYSTICK_CONFIG"] == str(tmp_path / "tallystick.toml")
