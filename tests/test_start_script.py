"""./tallystick: finds a python that runs, sets up once and only once, and then gets out of the way.

A stand-in checkout with an empty lock and a command line of two lines keeps these tests off the network. One of them is set
up for real, with python's own venv, and used by all that only start it. Where it is the script's part of a set-up that is
tested (what it sweeps, whom it lets wait, what it does with a refusal), the python it finds makes a venv by copying that
one; everything else, pip too, is real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMAND_LINE = "import os, sys\nprint('ran', *sys.argv[1:], os.getcwd())\nsys.exit(7 if '--fail' in sys.argv else 0)\n"
QUICK_PYTHON = 'case "$1 $2" in "-m venv") exec {cp} -a "{venv}/." "$3" ;; esac; exec {python} "$@"'
"""A python whose ``-m venv`` copies one that is ready; it does all else as python does."""
SHELL_TOOLS = ("sh", "dirname", "readlink", "cksum", "mkdir", "mv", "rm", "ls", "id")


def make_checkout(root: Path) -> Path:
    """A folder with the real script, an empty lock, and a command line that says what it was given."""
    (root / "api" / "cli").mkdir(parents=True)
    shutil.copy2(ROOT / "tallystick", root / "tallystick")
    (root / "requirements.lock").write_text("# nothing is needed\n")
    (root / "api" / "cli" / "main.py").write_text(COMMAND_LINE)
    return root


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that was never started."""
    return make_checkout(tmp_path / "a checkout")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A checkout with what its first start said, which set it up for real. Start it, change nothing in it."""
    root = make_checkout(tmp_path_factory.mktemp("ready") / "a checkout")
    return root, start(root, "hello")


@pytest.fixture
def ready(first: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """The checkout that is set up. Start it, change nothing in it."""
    return first[0]


@pytest.fixture
def quick(ready: Path, tmp_path: Path) -> str:
    """The path of a python that copies the ready venv instead of making one."""
    file = tmp_path / "quick-python"
    cp = shutil.which("cp")
    program(file, QUICK_PYTHON.format(cp=cp, venv=ready / ".venv", python=os.path.realpath(sys.executable)))
    return str(file)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH of nothing but the shell's tools, so that a test decides which pythons there are."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in SHELL_TOOLS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def environment(**more: str) -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nonexistent", **more}


def start(root: Path, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "tallystick", *arguments],
        cwd=cwd or root,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_the_first_start_sets_up_and_the_second_is_quiet_and_quick(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, told = first
    assert (told.returncode, told.stdout) == (0, f"ran hello {root}\n"), told.stderr
    assert "setting up" in told.stderr
    began = time.monotonic()
    second = start(root, "hello")
    assert time.monotonic() - began < 1
    assert (second.returncode, second.stdout, second.stderr) == (0, f"ran hello {root}\n", "")


def test_the_exit_code_the_arguments_and_the_directory_pass_through(ready: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "api").mkdir(parents=True)
    (elsewhere / "api" / "__init__.py").write_text("raise SystemExit('the wrong api')")
    ran = start(ready, "two words", "--fail", cwd=elsewhere)
    assert (ran.returncode, ran.stdout) == (7, f"ran two words --fail {elsewhere}\n")


def test_a_link_to_the_script_works(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "tallystick").symlink_to(ready / "tallystick")
    ran = start(tmp_path, "linked")
    assert (ran.stdout, ran.stderr) == (f"ran linked {tmp_path}\n", "")  # nothing is set up beside the link


def test_the_stamp_is_the_checksum_of_the_lock_and_a_new_lock_sets_up_again(ready: Path, tmp_path: Path) -> None:
    root = shutil.copytree(ready, tmp_path / "a copy", symlinks=True)
    stamp = root / ".venv" / "tallystick-stamp"
    lock = root / "requirements.lock"
    summed = subprocess.run(["cksum"], input=lock.read_bytes(), capture_output=True, check=True).stdout
    assert stamp.read_bytes() == summed
    lock.write_text("# another one\n")
    assert "setting up" in start(root).stderr
    assert stamp.read_bytes() != summed


def test_a_set_up_that_was_cut_short_is_swept_and_done_again(checkout: Path, quick: str) -> None:
    venv = checkout / ".venv"
    (venv / "lib" / "half").mkdir(parents=True)
    (venv / "tallystick-stamp").write_text("building\n")
    assert start(checkout, "x", TALLYSTICK_PYTHON=quick).returncode == 0
    assert not (venv / "lib" / "half").exists()


def test_a_set_up_that_is_killed_is_done_again_by_the_next_start(checkout: Path, quick: str) -> None:
    command = [str(checkout / "tallystick")]
    with subprocess.Popen(command, env=environment(), start_new_session=True, stderr=subprocess.DEVNULL) as killed:
        while not (checkout / ".venv" / "lib").exists():
            time.sleep(0.01)
        os.killpg(killed.pid, 9)
    assert (checkout / ".venv" / "tallystick-stamp").read_text() == "building\n"
    assert start(checkout, "x", TALLYSTICK_PYTHON=quick).returncode == 0


def test_first_starts_at_the_same_time_set_up_once(checkout: Path, quick: str) -> None:
    command, variables = [checkout / "tallystick", "x"], environment(TALLYSTICK_PYTHON=quick)
    starts = [subprocess.Popen(command, cwd=checkout, env=variables, stdout=-1, stderr=-1, text=True) for _ in range(3)]
    told = [started.communicate(timeout=120) for started in starts]
    assert [out for out, _ in told] == [f"ran x {checkout}\n"] * 3
    assert sum("setting up" in err for _, err in told) == 1


def test_a_library_with_another_hash_than_the_lock_says_is_refused(checkout: Path, quick: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "thing-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "")
        wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
        wheel.writestr("thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("thing-1.dist-info/RECORD", "")
    (checkout / "requirements.lock").write_text(f"thing==1 --hash=sha256:{'0' * 64}\n")
    ran = start(checkout, TALLYSTICK_PYTHON=quick, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "DO NOT MATCH THE HASHES" in ran.stderr
    assert "could not be installed" in ran.stderr


def test_a_folder_that_holds_something_else_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    ran = start(checkout, TALLYSTICK_VENV=str(tmp_path / "letters"))
    assert ran.returncode == 2
    assert [entry.name for entry in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_a_python_that_does_not_run_or_is_old_is_passed_over(checkout: Path, tools: Path, quick: str) -> None:
    program(tools / "python3", "echo 'shim: command not found' >&2; exit 127")
    program(tools / "python3.13", "case $* in *version_info*) exit 1 ;; esac; exit 0")
    (tools / "python3.12").symlink_to(quick)
    ran = start(checkout, "x", PATH=str(tools))
    assert (ran.returncode, ran.stdout) == (0, f"ran x {checkout}\n"), ran.stderr
    assert "shim" not in ran.stderr


def test_without_any_python_one_line_says_what_to_type(checkout: Path, tools: Path) -> None:
    ran = start(checkout, PATH=str(tools))
    assert ran.returncode == 4
    assert "sudo apt-get install -y python3 python3-venv" in ran.stderr


NO_ENSUREPIP = 'case $* in *"import ensurepip"*) test -e "$0.fixed" || exit 1 ;; esac; exec "{python}" "$@"'


def test_without_ensurepip_the_line_to_type_is_printed(checkout: Path, tools: Path) -> None:
    program(tools / "python3", NO_ENSUREPIP.format(python=os.path.realpath(sys.executable)))
    (tools / "id").unlink()
    program(tools / "id", "echo 1000")
    ran = start(checkout, PATH=str(tools))
    assert ran.returncode == 4
    assert "sudo apt-get update && sudo apt-get install -y python3-venv" in ran.stderr


def test_without_ensurepip_root_installs_it(checkout: Path, tools: Path, quick: str) -> None:
    program(tools / "python3", NO_ENSUREPIP.format(python=quick))
    (tools / "id").unlink()
    program(tools / "id", "echo 0")
    program(tools / "apt-get", f'case $* in *install*python3-venv*) : >"{tools}/python3.fixed" ;; esac')
    ran = start(checkout, "x", PATH=str(tools))
    assert (ran.returncode, ran.stdout) == (0, f"ran x {checkout}\n"), ran.stderr
