"""Writes the tables of docs/contracts.md from the vocabulary: ``python docs/draw_vocabulary.py``; a test compares them."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ledger.contract.vocabulary import EFFECTS, OFFERS, STANDING_INPUTS, TRIGGERS, Argument  # noqa: E402

PAGE = ROOT / "docs" / "contracts.md"
BEGIN, END = "<!-- vocabulary: from the code; a test compares -->\n", "<!-- end of vocabulary -->"


def _argument(name: str, argument: Argument) -> str:
    said = " or ".join(argument.words) if argument.words else f"{argument.type}, {argument.meaning}"
    return f"`{name}`{' (optional)' if argument.optional else ''}: {said}"


def _heading(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |", "| " + " | ".join("---" for _ in cells) + " |"]


def tables() -> str:
    """The four tables: triggers, what rules see, effects, offers."""
    lines = ["", "## Triggers", "", *_heading("trigger", "stratum", "happens when", "tells, as `event.NAME`")]
    for name, trigger in TRIGGERS.items():
        told = "; ".join(f"`{key}` {known.type}: {known.meaning}" for key, known in trigger.inputs.items())
        lines.append(f"| `{name}` | {trigger.stratum} | {trigger.meaning} | {told} |")
    lines += ["", "Each tells `event.day` too, as an ordinal.", "", "## What every rule sees", ""]
    lines += _heading("name", "type", "meaning")
    lines += [f"| `{name}` | {known.type} | {known.meaning} |" for name, known in STANDING_INPUTS.items()]
    lines += ["", "## Effects", "", *_heading("effect", "stratum", "does", "arguments", "needs")]
    for name, effect in EFFECTS.items():
        arguments = "; ".join(_argument(key, argument) for key, argument in effect.arguments.items())
        shown = f"`{name}`{' (money)' if effect.money else ''}"
        needs = ", ".join(effect.needs)
        lines.append(f"| {shown} | {effect.stratum} | {effect.meaning} | {arguments} | {needs} |")
    lines += ["", "## Offers", "", *_heading("offer", "needs", "says", "accepted, it means for the loan")]
    for name, offer in OFFERS.items():
        says = ", ".join([f"`{key}`" for key in offer.asks] + [f"`{key}` (optional)" for key in offer.more])
        lines.append(f"| `{name}` | {', '.join(offer.needs)} | {says} | {offer.meaning} |")
    return "\n".join(lines) + "\n\n"


def with_tables(page: str) -> str:
    """The page with its tables drawn anew."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + tables() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
