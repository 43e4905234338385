"""``tallystick contract``: what a newcomer sees of a sound contract, of faults, and of a sample that is not met."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import cli, run
from ledger.contract.document import canonical_bytes, contract_hash
from ledger.contract.library import load, names, source_of


def called(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["contract", *arguments], env={"COLUMNS": "160"})


@pytest.fixture
def late_fee(tmp_path: Path) -> Path:
    file = tmp_path / "late-fee.toml"
    file.write_bytes(source_of("late-fee"))
    return file


def test_a_sound_contract_is_shown_with_its_prose_and_what_it_does(late_fee: Path) -> None:
    result = called("check", str(late_fee))
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "A late fee with a cap"
    assert lines[1] == f"contract {contract_hash(load('late-fee').document).hex()}"
    assert lines[2] == "1 rules; signed by lender and borrower; ends on 2029-01-01; at most 1 effects of one event"
    assert "late-fee: When an instalment is more than three days late" in result.output
    assert "penalty.apply amount=100000 code=late  [late-fee]" in result.output
    assert result.output.count("as expected") == 6


def test_json_is_one_object_with_the_same(late_fee: Path) -> None:
    shown = json.loads(called("check", str(late_fee), "--json").output)
    assert (shown["valid"], shown["faults"], shown["effectsPerCause"]) == (True, [], 1)
    assert [sample["does"] for sample in shown["samples"]] == [
        [], ["penalty.apply amount=100000 code=late"], [], [], ["penalty.apply amount=200000 code=late"], [],
    ]  # fmt: skip


def test_the_canonical_bytes_can_be_written(late_fee: Path) -> None:
    result = called("check", str(late_fee), "--canonical")
    assert result.output.encode() == canonical_bytes(load("late-fee").document)


def test_each_fault_is_named_with_its_place(late_fee: Path) -> None:
    text = late_fee.read_text().replace("loan.delinquent_days >", "loan.delinqent_days >").replace('"KES"', '"XXX"')
    late_fee.write_text(text)
    result = called("check", str(late_fee))
    assert result.exit_code == 1
    assert "not to be signed: 2 faults" in result.output
    assert "currency_unknown at $.currency" in result.output
    assert "name_unknown at $.rules[0].if" in result.output
    assert "expected: loan.delinquent_days?" in result.output
    shown = json.loads(called("check", str(late_fee), "--json").output)
    assert [fault["path"] for fault in shown["faults"]] == ["$.currency", "$.rules[0].if"]
    assert (shown["valid"], shown["samples"]) == (False, [])


def test_a_sample_that_is_not_met_ends_with_false(late_fee: Path) -> None:
    late_fee.write_text(late_fee.read_text().replace("amount=100000 code", "amount=100001 code"))
    result = called("check", str(late_fee))
    assert result.exit_code == 1
    assert result.output.count("NOT AS EXPECTED") == 1
    assert "expected: penalty.apply amount=100001 code=late" in result.output


def test_a_contract_without_samples_is_shown_on_an_ordinary_loan(tmp_path: Path) -> None:
    file = tmp_path / "bare.json"
    file.write_bytes(canonical_bytes(load("pre-negative-notice").document))
    result = called("check", str(file))
    assert result.exit_code == 0
    assert "On an ordinary loan it would" in result.output
    assert "attestation.emit code=pre_negative days=30 kind=notice  [notice]" in result.output


def test_what_cannot_be_read_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.json"
    file.write_text("{]")
    assert run(["contract", "check", str(file), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "json_malformed"


def test_the_library_is_listed_and_each_source_printed() -> None:
    listed = called("library").output
    assert all(f"{name}\n" in listed for name in names())
    assert [row["name"] for row in json.loads(called("library", "--json").output)] == list(names())
    assert called("library", "late-fee").output.encode() == source_of("late-fee")
    assert run(["contract", "library", "none"]) == 1
