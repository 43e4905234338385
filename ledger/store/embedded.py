"""A PostgreSQL of our own, started and stopped like a file that is opened and closed.

Keeps true
- Nobody but us gets in: no TCP, a socket folder with mode 0700, scram for every role, a random password in a 0600 file.
- The server never runs as root (postgres_binaries.py says as whom).
- One data folder has at most one server, however many processes use it.

Rules
- ``start`` starts the server or joins the one that runs; each user holds a shared lock (flock) on ``postgres.users``.
- ``stop`` lets go, and the last user out stops the server. The kernel drops the lock of a killed process.
- A killed user leaves the server running; the next ``start`` joins it, and the next last ``stop`` stops it.
- A killed server is started again by the next ``start``. Its ``postmaster.pid`` may name a zombie, or a stranger that
  was given the same number; PostgreSQL's own test cannot tell those from a rival. We can, and say so in
  ``PG_GRANDPARENT_PID``: it waives that test for this one number and keeps the one that matters, of the shared memory.
  Children of the killed server that still hold that memory get a few seconds to go.

Layout: ``HOME/postgres.lock``, ``HOME/postgres.users``, and the cluster ``HOME/postgres/`` with ``data/``, ``socket/``,
``server.log`` and ``superuser-password``. When root's home cannot be entered by the server's account,
``HOME/postgres-folder`` names a folder below ``/var/lib/tallystick`` that takes the place of ``HOME/postgres/``.

    server = EmbeddedPostgres(Path(".tallystick"))
    server.start()
    connection = await asyncpg.connect(server.admin_dsn())
    server.stop()

What it does not do: watch the server (call ``start`` again), upgrade a data folder to another major version, create
roles or databases.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

from ledger.errors import InvalidInput, Unavailable
from ledger.store import embedded_cluster as cluster
from ledger.store import postgres_binaries as binaries

PORT = 5432
"""Only a part of the socket's name; nothing listens on the network."""

START_DEADLINE_S = 300.0
"""Seconds until a start is given up. Replaying 4 GB of WAL after a crash takes minutes on a slow disk."""

RIVAL_DEADLINE_S = 30.0
"""Seconds for the children of a killed server to let go of its shared memory."""

STOP_DEADLINE_S = 120.0
POLL_S = 0.02
LOG_LIMIT_BYTES = 8 * 1024 * 1024
"""Past this size the server's log is put aside as ``server.log.1`` at the next start."""

FAR_FOLDER = Path("/var/lib/tallystick")
"""Where root's clusters lie whose home the server's account cannot enter."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "50",
    "shared_buffers": "128MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "autovacuum": "on",
    "jit": "off",  # our statements are short; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log must hold nothing personal: neither a statement nor the DETAIL line with a row's values.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
"""What every server is started with. Durability is never traded away here."""

STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""``pg_ctl stop`` modes and the signal each stands for (PostgreSQL manual, section "Shutting Down the Server")."""

RIVAL_SIGNS = ("Is another post", "is still in use", "already exists")
"""What the log says while the remains of a killed server are still there."""

_left_running: list[subprocess.Popen[bytes]] = []
"""Servers we started and left to others; kept, since a dropped Popen of a living child warns."""


class Postmaster(NamedTuple):
    """What ``postmaster.pid`` says (PostgreSQL source, ``miscadmin.h``: LOCK_FILE_LINE_*)."""

    pid: int
    data_folder: str
    socket_folder: Path | None
    ready: bool


class EmbeddedPostgres:
    """The server of one home folder. Cheap to make; nothing happens before ``start``.

    ``settings`` adds to or overrides SETTINGS. Methods raise Unavailable or InvalidInput, each with a code and advice.
    """

    def __init__(
        self,
        home: Path,
        bin_dir: Path | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        start_deadline_s: float = START_DEADLINE_S,
    ) -> None:
        self.home = home.absolute()
        self._bin_dir = bin_dir
        self._settings = {**SETTINGS, **(settings or {})}
        self._start_deadline_s = start_deadline_s
        self._account = binaries.server_account()
        self._process: subprocess.Popen[bytes] | None = None
        self._users: int | None = None
        self._socket_folder: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the cluster lies, or will lie: below the home, or the folder that ``postgres-folder`` names."""
        record = self.home / "postgres-folder"
        return Path(record.read_text().strip()) if record.is_file() else self.home / "postgres"

    @property
    def data_folder(self) -> Path:
        """PostgreSQL's own data folder (PGDATA)."""
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """Process id of the running server (the postmaster), whoever started it; None when there is none."""
        found = self._postmaster()
        return found.pid if found is not None and self._lives(found) else None

    def is_running(self) -> bool:
        """Whether a server of this data folder runs and accepts connections."""
        found = self._postmaster()
        return found is not None and found.ready and self._lives(found)

    def start(self) -> None:
        """Starts the server, making its cluster first if there is none, or joins the one that runs. Safe to repeat.

        A server that is dying at this very moment may still be joined: when it then refuses a connection, start again.

        Raises Unavailable ``embedded_start_failed``, ``embedded_initdb_failed`` or ``embedded_busy``, InvalidInput
        ``embedded_wrong_version`` or ``embedded_not_yours``, and what postgres_binaries raises.
        """
        deadline = time.monotonic() + self._start_deadline_s
        try:
            self._prepare_home()
            with self._exclusively(deadline):
                if self.pid is None:
                    self._start_alone(deadline)
                self._await_ready(deadline)
                self._join()
        except PermissionError as error:
            raise InvalidInput(
                "embedded_not_yours",
                "the data folder belongs to another account",
                found=error.filename,
                advice="Run as the account that made it, or set TALLYSTICK_HOME to a folder of your own.",
            ) from error

    def stop(self, mode: str = "fast") -> None:
        """Lets go of the server; the last user stops it.

        ``mode`` is ``smart``, ``fast`` or ``immediate`` (a crash on purpose). Does nothing when no server
        runs. Raises Unavailable ``embedded_stop_slow`` past STOP_DEADLINE_S.
        """
        if mode not in STOP_SIGNALS:
            raise InvalidInput("stop_mode_unknown", "no such mode", expected="smart, fast or immediate", found=mode)
        if not self.home.is_dir():
            return
        with self._exclusively(time.monotonic() + STOP_DEADLINE_S):
            last = self._leave()
            if last:
                self._halt(STOP_SIGNALS[mode])
            elif self._process is not None:
                _left_running.append(self._process)
            self._process = None

    def admin_dsn(self) -> str:
        """Connection URL of the superuser, password inside: for migrations and tests, never to be shown."""
        return self.dsn(cluster.SUPERUSER, (self.folder / "superuser-password").read_text(), "postgres")

    def dsn(self, user: str, password: str, database: str) -> str:
        """Connection URL over the private socket, as libpq and asyncpg read it.

        Raises Unavailable ``embedded_not_started`` before ``start``.
        """
        if self._socket_folder is None:
            raise Unavailable("embedded_not_started", "the embedded PostgreSQL was not started", advice="Start it.")
        where = urlencode({"host": str(self._socket_folder), "port": PORT}, safe="/", quote_via=quote)
        return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@/{quote(database, safe='')}?{where}"

    # -- the two locks ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _exclusively(self, deadline: float) -> Iterator[None]:
        """One process at a time starts or stops; the kernel frees the lock of a killed one."""
        lock = os.open(self.home / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _try_lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise Unavailable(
                        "embedded_busy",
                        "another process has been starting or stopping this database all the while",
                        advice=f"Wait, or find it: it holds {self.home / 'postgres.lock'}.",
                    )
                time.sleep(POLL_S)
            yield
        finally:
            os.close(lock)

    def _join(self) -> None:
        if self._users is None:
            self._users = self._open_users()
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _open_users(self) -> int:
        return os.open(self.home / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)

    def _leave(self) -> bool:
        """Lets go of the users' lock; True when nobody else holds it."""
        users = self._users if self._users is not None else self._open_users()
        self._users = None
        try:
            return _try_lock(users, fcntl.LOCK_EX)
        finally:
            os.close(users)

    # -- starting ------------------------------------------------------------------------------------------------------

    def _prepare_home(self) -> None:
        """Makes the home, and for root chooses once where the server's account can reach its cluster."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o711)
        if self._account is None or self.folder.exists() or binaries.reachable_by(self.home, self._account):
            return
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        far = FAR_FOLDER / name
        far.mkdir(parents=True, exist_ok=True, mode=0o711)
        (self.home / "postgres-folder").write_text(f"{far / 'postgres'}\n")

    def _start_alone(self, deadline: float) -> None:
        found = binaries.find_binaries(self._bin_dir)
        programs, version = binaries.usable_binaries(found, self._account, self.folder.parent)
        if not self.data_folder.is_dir():
            cluster.make_cluster(programs, self.folder, self._account)
        cluster.check_version(self.data_folder, version)
        self._set_log_aside()
        self._launch(programs, cluster.socket_folder_for(self.folder, self._account), deadline)

    def _set_log_aside(self) -> None:
        if self.log_file.is_file() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def _launch(self, programs: Path, socket_folder: Path, deadline: float) -> None:
        """Starts ``postgres``, again and again while the remains of a killed server are in the way."""
        patience = min(deadline, time.monotonic() + RIVAL_DEADLINE_S)
        self._reap()
        while True:
            said_before = self.log_file.stat().st_size if self.log_file.is_file() else 0
            self._process = self._spawn(programs, socket_folder)
            if self._came_up(self._process, deadline):
                return
            code, self._process = self._process.returncode, None
            told = cluster.log_tail(self.log_file, said_before)
            if not any(sign in told for sign in RIVAL_SIGNS) or time.monotonic() > patience:
                raise Unavailable(
                    "embedded_start_failed",
                    f"PostgreSQL did not start (exit {code}); its log ends:\n{told}",
                    advice=f"Read {self.log_file}; 'tallystick doctor' checks disk, permissions and programs.",
                )
            time.sleep(10 * POLL_S)

    def _spawn(self, programs: Path, socket_folder: Path) -> subprocess.Popen[bytes]:
        environment = binaries.environment()
        stale = self._postmaster()
        if stale is not None:  # no server of ours has that number now: start() looked
            environment["PG_GRANDPARENT_PID"] = str(stale.pid)
        quoted = '"' + str(socket_folder).replace('"', '""') + '"'
        chosen = {**self._settings, "unix_socket_directories": quoted, "port": str(PORT)}
        arguments = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603
                [programs / "postgres", "-D", self.data_folder, *arguments],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at our terminal is for us
                **binaries.identity(self._account),
            )
        finally:
            os.close(log)

    def _came_up(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Waits until ``process`` accepts connections (True) or has exited (False)."""
        while process.poll() is None:
            found = self._postmaster()
            if found is not None and found.pid == process.pid and found.ready:
                return True
            if time.monotonic() > deadline:
                process.send_signal(STOP_SIGNALS["fast"])
                process.wait(STOP_DEADLINE_S)
                return False
            time.sleep(POLL_S)
        return False

    def _await_ready(self, deadline: float) -> None:
        """Waits for a server that runs already, which may be replaying its log, and takes its socket folder."""
        while not self.is_running():
            if self.pid is None or time.monotonic() > deadline:
                raise Unavailable(
                    "embedded_start_failed",
                    f"the running PostgreSQL is not ready; its log ends:\n{cluster.log_tail(self.log_file, 0)}",
                    advice=f"Read {self.log_file}, then start again.",
                )
            time.sleep(POLL_S)
        found = self._postmaster()
        self._socket_folder = found.socket_folder if found is not None else None

    # -- the running server --------------------------------------------------------------------------------------------

    def _postmaster(self) -> Postmaster | None:
        try:
            lines = (self.data_folder / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(lines) < 2 or not lines[0].lstrip("-").isdigit():
            return None
        socket_folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        return Postmaster(abs(int(lines[0])), lines[1], socket_folder, len(lines) > 7 and lines[7].strip() == "ready")

    def _lives(self, found: Postmaster) -> bool:
        """Whether the process is that server: not a zombie (no command line), not a stranger with the same number."""
        if self._process is not None and self._process.pid == found.pid and self._process.poll() is not None:
            return False
        try:
            if Path("/proc/self").exists():
                return os.fsencode(found.data_folder) in Path(f"/proc/{found.pid}/cmdline").read_bytes()
            os.kill(found.pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    def _halt(self, how: signal.Signals) -> None:
        found = self._postmaster()
        if found is not None and self._lives(found):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, how)
            self._await_gone(found)
        self._reap()

    def _reap(self) -> None:
        """Collects the exit of a server we started; one that outlived its data folder is told to go."""
        if self._process is not None:
            self._process.send_signal(STOP_SIGNALS["immediate"])
            self._process.wait(STOP_DEADLINE_S)

    def _await_gone(self, found: Postmaster) -> None:
        deadline = time.monotonic() + STOP_DEADLINE_S
        while self._lives(found):
            if time.monotonic() > deadline:
                raise Unavailable(
                    "embedded_stop_slow",
                    f"PostgreSQL (process {found.pid}) is still stopping",
                    advice=f"Read {self.log_file}; its data is safe, and the next start joins it or starts anew.",
                )
            time.sleep(POLL_S)


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
