"""Settings: the order of their sources, and nothing misspelt or twice passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from api import settings
from ledger.errors import InvalidInput


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tallystick.toml"
    file.write_text('port = 1\nhome = "state"\norigin = "file.example/log"\n')
    return file


def refusal(**arguments: object) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as refused:
        settings.load(**arguments)  # type: ignore[arg-type]
    return refused.value.code, refused.value.path


def test_the_defaults_are_a_loopback_server_in_the_checkout() -> None:
    found = settings.load(environ={})
    assert (found.host, found.port, found.origin) == ("127.0.0.1", 8470, "tallystick.local/ledger")
    assert (found.home, found.database_url) == (settings.REPOSITORY / ".tallystick", None)
    assert (found.key_name, found.base_url) == ("tallystick.local/ledger", "http://127.0.0.1:8470")


def test_flag_beats_environment_beats_file_beats_default(file: Path) -> None:
    environ = {"TALLYSTICK_PORT": "2"}
    assert settings.load({"port": 3}, environ=environ, file=file).port == 3
    assert settings.load({"port": None}, environ=environ, file=file).port == 2
    assert settings.load(environ={}, file=file).port == 1
    assert settings.load(environ={}, file=file).host == "127.0.0.1"


def test_a_home_in_the_file_is_relative_to_the_file(file: Path) -> None:
    assert settings.load(environ={}, file=file).home == file.parent / "state"


def test_a_secret_may_come_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:canary@h/d\n")
    found = settings.load(environ={"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert found.database_url == "postgresql://u:canary@h/d"
    assert "canary" not in repr(found)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://", "DATABASE_URL_FILE": str(tmp_path)}
    assert refusal(environ=environ) == ("setting_twice", "DATABASE_URL")


def test_a_secret_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    environ = {"DATABASE_ADMIN_URL_FILE": str(tmp_path / "none")}
    assert refusal(environ=environ) == ("setting_invalid", "DATABASE_ADMIN_URL_FILE")


def test_names_that_do_not_exist_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("prot = 1\n")
    assert refusal(environ={}, file=tmp_path / "x.toml") == ("setting_unknown", "prot")
    assert refusal(environ={"TALLYSTICK_PROT": "1"}) == ("setting_unknown", "TALLYSTICK_PROT")
    assert refusal(flags={"prot": 1}, environ={}) == ("setting_unknown", "prot")


@pytest.mark.parametrize("value", ["-1", "65536", "80.5", "http", "٣", True])
def test_a_port_that_is_none_is_refused(value: object) -> None:
    assert refusal(flags={"port": value}, environ={}) == ("setting_invalid", "port")


def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("origin = 7\n")
    assert refusal(environ={}, file=tmp_path / "x.toml") == ("setting_invalid", "origin")


def test_a_settings_file_that_is_absent_or_malformed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("port = \n")
    assert refusal(environ={}, file=tmp_path / "none.toml")[0] == "settings_file_missing"
    assert refusal(environ={}, file=tmp_path / "x.toml")[0] == "settings_file_malformed"
    assert refusal(environ={"TALLYSTICK_CONFIG": str(tmp_path / "x.toml")})[0] == "settings_file_malformed"
