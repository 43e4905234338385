"""``tallystick verify`` says what the verifier says, for one file or several, without loading the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.verify import verify
from tests.verifier.small_ledger import two_lenders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger, lines, as_of = two_lenders()
    bundle = ledger.bundle(lines, as_of)
    (tmp_path / "view.json").write_bytes(bundle)
    (tmp_path / "spoilt.json").write_bytes(bundle.replace(b'"dpd":138', b'"dpd":1'))
    (tmp_path / "trust.json").write_text(json.dumps(ledger.trust()))
    return tmp_path


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(verify, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_good_view_ends_with_zero_and_a_spoilt_one_with_one(folder: Path) -> None:
    trust = ("--trust", folder / "trust.json")
    code, shown = run(folder / "view.json", *trust)
    assert (code, shown.splitlines()[-1]) == (0, "valid")
    code, shown = run(folder / "view.json", folder / "spoilt.json", *trust)
    assert (code, shown.count("✗")) == (1, 2)


def test_without_trust_it_cannot_tell_and_with_a_missing_file_it_is_a_usage_error(folder: Path) -> None:
    assert run(folder / "view.json")[0] == 3
    assert run(folder / "nothing.json")[0] == 2
    assert run(folder / "view.json", "--trust", folder / "nothing.json")[0] == 2
    (folder / "bad.json").write_text("{")
    code, shown = run(folder / "view.json", "--trust", folder / "bad.json")
    assert code == 2
    why = "not a trust file: not JSON, from line 1, column 2 on"
    assert shown.splitlines() == [f"✗ trust file: {why}", "unreadable", f"unreadable: {folder}/bad.json: {why}"]
    code, shown = run(folder / "bad.json", "--trust", folder / "trust.json")
    assert (code, shown.splitlines()[-1]) == (2, f"unreadable: {folder}/bad.json: not JSON, from line 1, column 2 on")


def test_json_is_one_object_for_one_file_and_a_list_for_several(folder: Path) -> None:
    one = json.loads(run(folder / "view.json", "--json")[1])
    several = json.loads(run(folder / "view.json", folder / "spoilt.json", "--json")[1])
    assert (one["code"], one["format"], one["steps"][0]["name"]) == (3, "tallystick-view/1", "format")
    assert [report["code"] for report in several] == [3, 1]


def test_the_command_imports_neither_the_ledger_nor_the_schema() -> None:
    program = (
        "import sys; from api.cli.verify import load_verifier; load_verifier(); "
        "print([m for m in sys.modules if m.split('.')[0] in ('ledger', 'strawberry', 'cryptography')])"
    )
    root = Path(__file__).resolve().parents[3]
    printed = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert printed.stdout == "[]\n"
