"""docs/errors.md lists every code that the source raises, with what it means and what to do; and no other.

python -m tests.architecture.test_error_codes        writes the rows that are missing, to be put into words
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "errors.md"
KINDS = ("InvalidInput", "Untrusted", "Refused", "Conflict", "NotFound", "Unavailable", "InvariantBroken")
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
_ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (.+) \| (.+) \| (.+) \|$", re.M)


def codes_raised() -> dict[str, tuple[str, str, str]]:
    """Code -> (kind, message, advice) of every error that is made with a literal code."""
    found: dict[str, tuple[str, str, str]] = {}
    for package in ("ledger", "crosschain", "api"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                    code, message = (_text(argument) for argument in (*node.args[:2], None, None)[:2])
                    advice = next((_text(word.value) for word in node.keywords if word.arg == "advice"), "")
                    if CODE.fullmatch(code):
                        known = found.get(code, (node.func.id, message, advice))
                        found[code] = (known[0], known[1] or message, known[2] or advice)
    return found


def _text(node: ast.AST | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "..." for part in node.values)
    return ""


def codes_documented() -> dict[str, tuple[str, str, str]]:
    """Code -> (kind, meaning, what to do) of every row of the page."""
    return {row[0]: (row[1], row[2], row[3]) for row in _ROW.findall(PAGE.read_text(encoding="utf-8"))}


def fsck_codes() -> dict[str, str]:
    """Code -> message of fsck's faults."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "ledger" / "node").glob("fsck*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("add", "equal")
            ):
                texts = [_text(argument) for argument in node.args]
                found |= {text: texts[-1] for text in texts[:-1] if CODE.fullmatch(text)}
    return found


def test_every_code_that_is_raised_is_documented_and_no_other() -> None:
    raised, documented = codes_raised().keys() | fsck_codes().keys(), codes_documented().keys()
    assert sorted(raised - documented) == []
    unknown = [code for code in sorted(documented - raised) if code not in _source()]
    assert unknown == []


def test_every_row_says_what_to_do() -> None:
    assert [code for code, row in codes_documented().items() if not all(cell.strip() for cell in row)] == []


def _source() -> str:
    files = [file for package in ("ledger", "crosschain", "api") for file in (ROOT / package).rglob("*.py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


_TO_DO = {
    "InvalidInput": "Correct what `path` names and send it again.",
    "Untrusted": "Do not use it; ask whoever made it for a genuine one.",
    "Refused": "Nothing was stored; change the request or ask for the right.",
    "Conflict": "The record stands; look at it, then use a fresh id if you meant something else.",
    "NotFound": "Check the id, and that it is yours to see.",
    "Unavailable": "Nothing was decided: wait for `Retry-After` seconds and send the same again.",
    "InvariantBroken": "Stop publishing, run `./tallystick fsck`, call the operator.",
    "fsck": "Stop publishing, keep fsck's output, restore from a backup and compare with the witnesses' checkpoints.",
}


def page() -> str:
    """The page: rows that are there keep their words, new ones get the source's."""
    rows = codes_documented() if PAGE.exists() else {}
    raised = codes_raised()
    for code, message in fsck_codes().items():
        raised.setdefault(code, ("fsck", message, ""))
    lines = ["# Error codes", "",
             "Programs match on the code; texts may change. The kind says whose turn it is (ledger/errors.py).",
             "`fsck` rows are faults that `./tallystick fsck` reports; `catalogue_*` faults are explained in",
             "ledger/store/audit.py.", "",
             "| code | kind | meaning | what to do |", "| --- | --- | --- | --- |"]  # fmt: skip
    for code in sorted(raised):
        kind, message, advice = raised[code]
        meaning = " ".join((message or code.replace("_", " ")).replace("|", "/").split())
        new = (kind, meaning[:1].upper() + meaning[1:] + ".", advice[:1].upper() + advice[1:] or _TO_DO[kind])
        lines.append("| " + " | ".join((f"`{code}`", *rows.get(code, new))) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
