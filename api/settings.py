"""The settings of a process, read once, typed and frozen.

Rules
- A setting is taken from the first that has it: the command line's flag, the environment, ``tallystick.toml``, the
  default.
- In the environment ``database_url`` is ``DATABASE_URL``, and so with ``database_admin_url`` and ``database_audit_url``;
  every other setting is ``TALLYSTICK_`` and its name. In the file the names stand as they are here, at top level.
- A secret may come from a file: ``DATABASE_URL_FILE`` names it, its last line break is dropped. Both is an error.
- A name that is not known is an error, in the file and in the environment: a misspelt setting never passes unnoticed.
- Relative paths in the file are relative to the file; elsewhere to the working directory.

    >>> load(environ={"TALLYSTICK_PORT": "9000"}).port
    9000

What it does not do: connect, create folders, or read the file twice.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from ledger.errors import InvalidInput

REPOSITORY = Path(__file__).resolve().parent.parent
"""The checkout this code runs from."""

FILE_NAME = "tallystick.toml"
PREFIX = "TALLYSTICK_"
UNPREFIXED = {
    "database_url": "DATABASE_URL",
    "database_admin_url": "DATABASE_ADMIN_URL",
    "database_audit_url": "DATABASE_AUDIT_URL",
}
SECRETS = frozenset(UNPREFIXED)
"""Settings that may come from a file and are never printed."""

NOT_SETTINGS = frozenset({"VENV", "PYTHON", "SHARED", "PG_BIN", "TEST_PG_BIN", "CONFIG"})
"""Variables with our prefix that the start script, the launcher and the tests read; CONFIG names the settings file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default. Secrets stay out of ``repr``."""

    home: Path = REPOSITORY / ".tallystick"
    """Folder of the embedded database and the deployment's own keys."""

    database_url: str | None = field(default=None, repr=False)
    """PostgreSQL 15 or newer as the application's role; None: the embedded one."""

    database_admin_url: str | None = field(default=None, repr=False)
    """The same database as a role that may migrate it; only ``migrate`` uses it."""

    database_audit_url: str | None = field(default=None, repr=False)
    """The same database as the role tallystick_audit; only ``fsck`` uses it."""

    host: str = "127.0.0.1"
    """Address the server listens on."""

    port: int = 8470
    """TCP port the server listens on, 0 to 65535; 0 lets the system choose."""

    origin: str = "tallystick.local/ledger"
    """The log's origin: first line of every checkpoint (C2SP tlog-checkpoint). Never change it on a living log."""

    log_name: str | None = None
    """Name of the key that signs checkpoints (C2SP signed-note); None: the origin."""

    public_url: str | None = None
    """Where clients reach the server; None: http at host and port."""

    @property
    def key_name(self) -> str:
        """The name that checkpoints are signed under."""
        return self.log_name or self.origin

    @property
    def base_url(self) -> str:
        """The address to tell clients, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


NAMES = tuple(entry.name for entry in fields(Settings))
"""Every setting, in the order of the documentation."""


def variable_of(name: str) -> str:
    """The environment variable of the setting ``name``."""
    return UNPREFIXED.get(name, PREFIX + name.upper())


def load(
    flags: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """The settings in force. ``flags`` holds the command line's; None means "not given" there.

    ``file`` defaults to TALLYSTICK_CONFIG, then ``tallystick.toml`` in the working directory, then the checkout's.
    Raises InvalidInput ``setting_unknown``, ``setting_invalid``, ``setting_twice``, ``settings_file_missing`` or
    ``settings_file_malformed``.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    _refuse_unknown(given, "the command line")
    merged = {**_from_file(_choose_file(file, environ)), **_from_environment(environ), **given}
    return Settings(**{name: _checked(name, value) for name, value in merged.items()})  # type: ignore[arg-type]


def _choose_file(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = file or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    if named is None:
        return next((found for found in (Path.cwd() / FILE_NAME, REPOSITORY / FILE_NAME) if found.is_file()), None)
    if not named.is_file():
        raise InvalidInput("settings_file_missing", "the settings file is not there", found=named)
    return named


def _from_file(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        found: dict[str, object] = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("settings_file_malformed", f"{file} is not TOML: {error}") from error
    _refuse_unknown(found, str(file))
    if isinstance(found.get("home"), str):
        found["home"] = file.parent / str(found["home"])
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in NAMES:
        variable = variable_of(name)
        value, kept_in = environ.get(variable), environ.get(variable + "_FILE") if name in SECRETS else None
        if value and kept_in:
            raise InvalidInput("setting_twice", f"both {variable} and {variable}_FILE are set", path=variable)
        if kept_in:
            value = _read_secret(Path(kept_in), variable + "_FILE")
        if value:
            found[name] = value
    known = {variable_of(name) for name in NAMES} | {PREFIX + name for name in NOT_SETTINGS}
    strangers = {name: None for name in environ if name.startswith(PREFIX) and name not in known}
    _refuse_unknown(strangers, "the environment")
    return found


def _read_secret(file: Path, variable: str) -> str:
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("setting_invalid", "cannot read a secret's file", path=variable, found=file) from error


def _refuse_unknown(found: Mapping[str, object], where: str) -> None:
    for name in found:
        if name not in NAMES:
            raise InvalidInput(
                "setting_unknown",
                f"{where} has a setting that does not exist",
                path=name,
                expected=", ".join(NAMES),
                advice="Correct its name or take it out.",
            )


def _checked(name: str, value: object) -> object:
    if name == "home":
        return Path(str(value)).expanduser().absolute()
    if name == "port":
        return _port(value)
    if not isinstance(value, str) or not value:
        raise InvalidInput("setting_invalid", "not a text", path=name, expected="text")
    return value


def _port(value: object) -> int:
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit() or int(str(value)) > 65_535:
        raise InvalidInput(
            "setting_invalid", "a port is a whole number", path="port", expected="0 to 65535", found=value
        )
    return int(str(value))
