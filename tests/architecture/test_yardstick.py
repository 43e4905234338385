"""Sizes and manners of the source: files and functions are small, public names documented, nothing is left open."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    file for package in ("ledger", "crosschain", "api", "verifier") for file in (ROOT / package).rglob("*.py")
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LONG_FUNCTIONS: dict[str, str] = {}
MEDIAN_FUNCTION_LINES_MAX = 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    """A file's path from the root."""
    return file.relative_to(ROOT).as_posix()


def functions() -> list[tuple[str, int]]:
    """(place, lines) of every function."""
    found = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                found.append((f"{name_of(file)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1))
    return found


def test_no_file_is_long() -> None:
    lengths = {name_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    long = {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}
    assert long == {}


def test_no_function_is_long_and_half_of_them_are_short() -> None:
    sizes = functions()
    assert [place for place in sizes if place[1] > FUNCTION_LINES_MAX and place[0] not in LONG_FUNCTIONS] == []
    assert statistics.median(lines for _, lines in sizes) <= MEDIAN_FUNCTION_LINES_MAX


def undocumented(file: Path) -> list[str]:
    """Public classes, functions and methods without a docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    missing = [] if ast.get_docstring(tree) or file.stat().st_size == 0 else ["the module"]
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    while scopes:
        for node in scopes.pop().body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                if not ast.get_docstring(node):
                    missing.append(node.name)
                if isinstance(node, ast.ClassDef):
                    scopes.append(node)
    return missing


LIBRARY = [file for file in FILES if "verifier" not in file.parts]
"""The verifier is scripts that nothing of ours imports from: their steps speak for themselves."""


@pytest.mark.parametrize("file", LIBRARY, ids=name_of)
def test_public_names_are_documented(file: Path) -> None:
    assert undocumented(file) == []


LEFT_OPEN = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b|type: ignore(?!\[)|^\s*assert\b", re.M)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_nothing_is_left_open(file: Path) -> None:
    assert LEFT_OPEN.findall(file.read_text(encoding="utf-8")) == []
