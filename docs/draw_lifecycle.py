"""Draws the transition table of a loan, so that docs/loan-lifecycle.md shows what the code does and nothing else.

    PYTHONPATH=. .venv/bin/python docs/draw_lifecycle.py             print the table
    PYTHONPATH=. .venv/bin/python docs/draw_lifecycle.py --write     put it into docs/loan-lifecycle.md

A test compares the page with ``drawn()``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.loan.lifecycle import TRANSITIONS, Event, Stage

PAGE = Path(__file__).parent / "loan-lifecycle.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def drawn() -> str:
    """One row a stage: which events leave it where it is, and which lead to another stage."""
    rows = ["| stage | stays | moves |", "| --- | --- | --- |"]
    for stage in Stage:
        allowed = [(event, TRANSITIONS[stage, event]) for event in Event if (stage, event) in TRANSITIONS]
        stays = ", ".join(f"`{event}`" for event, after in allowed if after is stage)
        moves = ", ".join(f"`{event}` → `{after}`" for event, after in allowed if after is not stage)
        rows.append(f"| `{stage}` | {stays or '-'} | {moves or '-'} |")
    return "\n".join(rows)


def with_table(page: str) -> str:
    """The page with the table between its two marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{drawn()}\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(drawn() + "\n")
