"""The door of the command line: quick, quiet, and plain about what went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from api.cli import main
from api.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from ledger import errors

ROOT = Path(__file__).resolve().parents[3]


def end_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Replaces the door's commands by one that raises ``error``."""

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def fail(as_json: bool) -> None:
        raise error

    monkeypatch.setattr(main.cli, "get_command", lambda ctx, name: fail)


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_help_begins_with_examples_and_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    told = capsys.readouterr().out
    assert told.index("Examples:") < told.index("Commands:") < told.index("Exit codes:")
    assert all(f"\n  {name} " in told for name in main.COMMANDS)
    assert all(f"\n  {code.value} " in told for code in ExitCode)


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"tallystick {project['version']}\n"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from api.cli import main; main.run(['--help']); print(*sys.modules, file=sys.stderr)"
    loaded = set(python("-c", code).stderr.split())
    assert "click" in loaded
    assert loaded & {"asyncpg", "strawberry", "starlette", "cryptography", "rich", "msgspec", "asyncio"} == set()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("a", "b"), 2),
        (errors.Untrusted("a", "b"), 1),
        (errors.Refused("a", "b"), 1),
        (errors.Conflict("a", "b"), 1),
        (errors.NotFound("a", "b"), 1),
        (errors.Unavailable("a", "b"), 4),
        (errors.InvariantBroken("a", "b"), 70),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: errors.TallystickError, code: int
) -> None:
    end_with(monkeypatch, error)
    assert main.run(["x"]) == code


def test_every_kind_of_error_is_in_the_table() -> None:
    kinds = errors.TallystickError.__subclasses__()
    assert [
        kind.__name__ for kind in kinds if kind is not errors.InvariantBroken and exit_code_of(kind("a", "b")) == 70
    ] == []
    assert set(MEANINGS) == set(ExitCode)


def test_an_error_tells_what_why_and_next_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end_with(
        monkeypatch, errors.InvalidInput("unit_wrong", "wrong unit", path="$.x", expected=1, found=2, advice="Fix.")
    )
    assert main.run(["x"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "error: wrong unit\n  why:  at $.x; expected 1; found 2; code unit_wrong\n  next: Fix.\n"


def test_an_error_is_json_on_stdout_when_json_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end_with(monkeypatch, errors.Unavailable("queue_full", "busy", retry_after_s=3))
    assert main.run(["x", "--json"]) == 4
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": {"code": "queue_full", "message": "busy", "retry_after_s": 3}}
    assert told.err == ""


def test_a_defect_is_70_and_not_mistaken_for_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end_with(monkeypatch, RuntimeError("a bug"))
    assert main.run(["x"]) == 70
    assert "RuntimeError: a bug" in capsys.readouterr().err


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    end_with(monkeypatch, KeyboardInterrupt())
    assert main.run(["x"]) == 130
    assert capsys.readouterr().err.strip() == "stopped"


@pytest.mark.parametrize("line", [["nonsense"], ["doctor", "--nonsense"], ["import", "nonsense"]])
def test_a_wrong_command_line_is_2_and_points_to_help(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(line) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "--help" in told.err


def test_doctor_reports_every_check_as_json(tmp_path: Path) -> None:
    ran = python("-m", "api.cli.main", "doctor", "--json", TALLYSTICK_HOME=str(tmp_path / "home"))
    report = json.loads(ran.stdout)
    assert [entry["check"] for entry in report["checks"]] == [
        *("python", "libraries", "postgres", "home", "socket", "disk", "clock", "database")
    ]
    assert report["ok"] == (ran.returncode == 0)
    assert all(entry["ok"] or entry["remedy"] for entry in report["checks"])


def test_doctor_names_a_database_that_does_not_answer_and_hides_its_address(tmp_path: Path) -> None:
    url = f"postgresql://u:secret-canary@/d?host={tmp_path}"
    ran = python("-m", "api.cli.main", "doctor", "--json", DATABASE_URL=url, TALLYSTICK_HOME=str(tmp_path))
    found = {entry["check"]: entry for entry in json.loads(ran.stdout)["checks"]}
    assert ran.returncode == 1
    assert (found["database"]["ok"], found["database"]["found"]) == (False, "no answer (FileNotFoundError)")
    assert "secret-canary" not in ran.stdout + ran.stderr


def test_the_test_command_passes_arguments_and_exit_code_through() -> None:
    none_chosen = python("-m", "api.cli.main", "test", "tests/test_lock.py", "-k", "nothing_has_this_name")
    assert none_chosen.returncode == 5
    assert "deselected" in none_chosen.stdout
