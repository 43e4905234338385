"""requirements.lock: complete, hashed, without an address, and its checker finds each fault."""

from __future__ import annotations

import importlib.util
import tomllib
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    loader = SourceFileLoader("requirements_check", str(ROOT / ".ci" / "requirements-check"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_lock_has_no_fault(checker: ModuleType) -> None:
    assert checker.faults(LOCK, PROJECT) == []


def test_no_address_stands_in_the_lock() -> None:
    assert "://" not in LOCK


def test_the_lock_pins_the_development_tools_too(checker: ModuleType) -> None:
    assert {"pytest", "hypothesis", "mypy", "ruff"} <= set(checker.pins(LOCK))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("pyjwt==", "pyjwt==1.", "pyjwt: must be 2.12 or newer"),
        ("strawberry-graphql==", "strawberry-graphql==0.0.", "strawberry-graphql: must be 0.312.3 or newer"),
        ("asyncpg==", "asyncpg-other==", "asyncpg: not pinned"),
        ("pytest==", "pytest==1.", "pytest: pinned at 1."),
        ("    # via\n", "    # via /home/someone\n", "a path"),
        ("    # via\n", "    # via https://registry.example\n", "an address"),
        ("click==8", "loose==1\nclick==8", "loose==1: no hash"),
    ],
)
def test_each_fault_of_a_lock_is_found(checker: ModuleType, old: str, new: str, fault: str) -> None:
    assert old in LOCK
    assert any(fault in found for found in checker.faults(LOCK.replace(old, new, 1), PROJECT))
