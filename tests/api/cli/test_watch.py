"""``tallystick watch`` as a user runs it: once, with rules of one's own, and until it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.node.watcher import shipped_rules
from tests.conftest import REPOSITORY

RULES = REPOSITORY / "ledger" / "risk" / "rules" / "early_warning.toml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the module's ledger; PostgreSQL, which drops root, may pass through it."""
    folder = tmp_path_factory.mktemp("watch")
    for passed in (folder, folder.parent, folder.parent.parent):
        passed.chmod(0o711)
    return folder


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TALLYSTICK_", "DATABASE_"))}
    programs = os.environ.get("TALLYSTICK_PG_BIN")
    return kept | {"TALLYSTICK_HOME": str(home)} | ({"TALLYSTICK_PG_BIN": programs} if programs else {})


def watch(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api.cli.main", "watch", *options]
    return subprocess.run(command, cwd=REPOSITORY, env=environment(home), capture_output=True, text=True, timeout=90)


def test_once_takes_in_what_there_is_and_ends(home: Path) -> None:
    done = watch(home, "--once", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"attestations": 0, "alerts": 0, "rounds": 1}


def test_rules_of_ones_own_are_refused_with_what_is_wrong(home: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.read_text().replace("baseline = 4\n", "baseline = 9\n"))
    done = watch(home, "--once", "--json", "--rules", str(rules))
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "rules_threshold")


def test_it_says_by_which_rules_it_watches_and_stops_when_told(home: Path) -> None:
    command = [sys.executable, "-m", "api.cli.main", "watch", "--json"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": True, "rules": shipped_rules().digest.hex()}
        process.send_signal(signal.SIGTERM)
        assert set(json.loads(process.stdout.readline())) == {"attestations", "alerts", "rounds"}
    assert process.returncode == 0
