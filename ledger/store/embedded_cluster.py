"""The folder of one embedded cluster: made whole or not at all, and handed to the account that will serve it.

Keeps true
- A folder that exists is complete: ``initdb`` works in ``postgres.new-*`` beside it, and one rename puts it in place.
- The superuser's password is random, in a 0600 file of ours; the server's account owns only ``data/`` and ``socket/``.
- Data pages carry checksums, every role needs scram, text is UTF8 in the C locale: the same order on every machine.

Rules
- Folders that a killed attempt left are swept by the next one. Callers hold the lock of the home (embedded.py).
- The socket lies in ``socket/``, unless its path would pass SOCKET_PATH_LIMIT: then in a private folder below ``/tmp``.

    make_cluster(programs, Path("/srv/tallystick/postgres"), owner=None)

What it does not do: run the server (embedded.py) or change a cluster's major version.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from ledger.errors import InvalidInput, Unavailable
from ledger.store import postgres_binaries as binaries
from ledger.store.postgres_binaries import Account

SUPERUSER = "postgres"
"""The only role of a new cluster."""

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
"""Bytes a socket's path may have: ``sizeof(sun_path) - 1``."""


def make_cluster(programs: Path, folder: Path, owner: Account | None) -> None:
    """Makes the cluster ``folder`` with ``programs``, its data owned by ``owner`` (None: by us).

    Raises Unavailable ``embedded_initdb_failed``.
    """
    for unfinished in folder.parent.glob("postgres.new-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=folder.parent))
    fresh.chmod(0o711)
    password = secrets.token_urlsafe(32)
    maker = binaries.initdb_account()
    _write_private(fresh / "superuser-password", password)
    _write_private(fresh / "pwfile", password, maker)
    _make_private(fresh / "data", maker)
    _run_initdb(programs, fresh, maker)
    (fresh / "pwfile").unlink()
    _hand_over(fresh / "data", owner)
    _make_private(fresh / "socket", owner)
    fresh.rename(folder)
    _sync_folder(folder.parent)


def check_version(data_folder: Path, version: str) -> None:
    """Raises InvalidInput ``embedded_wrong_version`` unless programs of ``version`` can serve ``data_folder``."""
    major = (data_folder / "PG_VERSION").read_text().strip()
    if version.split(".")[0] != major:
        raise InvalidInput(
            "embedded_wrong_version",
            f"the data in {data_folder} was made by another PostgreSQL",
            expected=major,
            found=version,
            advice="Name the programs of that version in TALLYSTICK_PG_BIN, or choose another TALLYSTICK_HOME.",
        )


def socket_folder_for(folder: Path, owner: Account | None) -> Path:
    """The folder for the socket, mode 0700: ``socket/``, or one in /tmp that the file ``socket-folder`` remembers."""
    near = folder / "socket"
    if socket_path_fits(near):
        return near
    record = folder / "socket-folder"
    if record.is_file() and _is_private(Path(record.read_text()), owner):
        return Path(record.read_text())
    short = Path(tempfile.mkdtemp(prefix="tallystick-", dir="/tmp"))
    _hand_over(short, owner)
    record.write_text(str(short))
    return short


def socket_path_fits(socket_folder: Path) -> bool:
    """Whether a server can listen there, and a URL can name it (a comma would separate two hosts)."""
    return len(os.fsencode(socket_folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT and "," not in str(socket_folder)


def log_tail(log_file: Path, start: int, lines: int = 12) -> str:
    """The last lines of the log that were written after byte ``start``."""
    if not log_file.is_file():
        return "(no log)"
    with log_file.open("rb") as log:
        log.seek(start)
        return "\n".join(log.read(64 * 1024).decode(errors="replace").splitlines()[-lines:])


def _run_initdb(programs: Path, fresh: Path, maker: Account | None) -> None:
    where = ["-D", str(fresh / "data"), "-U", SUPERUSER, f"--pwfile={fresh / 'pwfile'}", "--data-checksums"]
    how = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    ran = subprocess.run(  # noqa: S603
        [programs / "initdb", *where, *how],
        cwd="/",
        env=binaries.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **binaries.identity(maker),
    )
    if ran.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise Unavailable(
            "embedded_initdb_failed",
            f"PostgreSQL could not make its data folder:\n{ran.stderr.strip()[-600:]}",
            advice="Free disk space or choose another folder with TALLYSTICK_HOME; 'tallystick doctor' checks both.",
        )


def _write_private(file: Path, text: str, owner: Account | None = None) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(handle)
        if owner is not None:
            os.fchown(handle, owner.uid, owner.gid)


def _make_private(folder: Path, owner: Account | None) -> None:
    folder.mkdir(mode=0o700)
    _hand_over(folder, owner)


def _hand_over(folder: Path, owner: Account | None) -> None:
    """Gives ``folder`` and all in it to ``owner``; nothing to do when it is ours."""
    if owner is None:
        return
    for step, _, files in os.walk(folder):
        os.chown(step, owner.uid, owner.gid)
        for name in files:
            os.chown(Path(step) / name, owner.uid, owner.gid, follow_symlinks=False)


def _is_private(folder: Path, owner: Account | None) -> bool:
    """Whether ``folder`` is still the one we made: a real folder of the server's account that nobody else may enter."""
    try:
        about = folder.lstat()
    except FileNotFoundError:
        return False
    expected = owner.uid if owner is not None else os.geteuid()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == expected and stat.S_IMODE(about.st_mode) == 0o700


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
