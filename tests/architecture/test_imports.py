"""The house's plan, read from the imports: arrows point downwards, pure rooms touch nothing, SQL stays in store/."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ledger", "crosschain", "api")
PURE = ("attestation", "log", "loan", "jurisdiction", "consent", "subject", "view", "risk", "contract")
FLOORS = {
    "node": 6, "store": 5, "view": 4, "contract": 4, "risk": 4, "jurisdiction": 3, "loan": 2, "consent": 2, "log": 1,
    "attestation": 1, "subject": 1,
}  # fmt: skip
"""Folder of ledger/ -> its floor; a module may import from its own floor or below, and nothing but these."""

IMPURE = {"asyncpg", "starlette", "os", "time", "random", "secrets", "asyncio", "socket", "subprocess", "pathlib"}
MAY_TOUCH = {
    ("crosschain", "pathlib"): "names of files are arguments of its readers",
    ("crosschain", "random"): "the seeded generator of invented records",
}


def modules() -> list[Path]:
    """Every module of the product."""
    return sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def imports_of(file: Path) -> set[str]:
    """The dotted names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(ROOT)))
def test_arrows_point_downwards(file: Path) -> None:
    parts = file.relative_to(ROOT).parts
    package, room = parts[0], parts[1] if len(parts) > 2 else ""
    for name in imports_of(file):
        target = name.split(".")
        if target[0] not in PACKAGES:
            continue
        assert PACKAGES.index(target[0]) <= PACKAGES.index(package), f"{package} imports {name}"
        if package == target[0] == "ledger" and len(target) > 1 and target[1] in FLOORS:
            assert FLOORS.get(room, 0) >= FLOORS[target[1]], f"ledger/{room} imports {name}"


@pytest.mark.parametrize(
    "file",
    [
        file for file in modules()
        if file.relative_to(ROOT).parts[1] in PURE or file.relative_to(ROOT).parts[0] == "crosschain"
    ],
    ids=lambda file: str(file.relative_to(ROOT)),
)  # fmt: skip
def test_pure_rooms_have_no_clock_no_randomness_and_no_door(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    touched = {name.split(".")[0] for name in imports_of(file)} & IMPURE
    assert {name for name in touched if (package, name) not in MAY_TOUCH} == set()


_SQL = re.compile(
    r"\b(SELECT\s.+\sFROM\s|INSERT INTO\s|UPDATE\s+\w+\s+SET\s|DELETE FROM\s|CREATE TABLE\s|BEGIN;|TRUNCATE\s)", re.S
)


@pytest.mark.parametrize(
    "file",
    [file for file in modules() if "store" not in file.parts], ids=lambda file: str(file.relative_to(ROOT)),
)  # fmt: skip
def test_sql_stands_in_the_store_only(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    found = [
        node.value for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        and _SQL.search(node.value)
    ]  # fmt: skip
    assert found == []


def test_no_module_is_a_drawer_for_everything() -> None:
    forbidden = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
    assert [file for file in modules() if file.stem in forbidden or forbidden & set(file.parts)] == []
