"""Where time goes, by room: a profile of calls, summed over the packages that they are in.

The profiler's own cost falls on code of many small calls, so shares are to compare, not to add to the measured times.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
SHOWN = 12


def rooms_of(profile: cProfile.Profile) -> list[dict[str, Any]]:
    """[{where, share}] of the time spent in each room's own code, largest first; the benchmark's own is left out."""
    spent: Counter[str] = Counter()
    for (file, _, function), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        spent[_room(file, function)] += own
    spent.pop("benchmarks", None)
    spent.pop("waiting", None)
    total = sum(spent.values())
    return [{"where": room, "share": round(own / total, 3)} for room, own in spent.most_common(SHOWN)]


def _room(file: str, function: str) -> str:
    if file == "~":
        return _builtin(function)
    path = Path(file)
    if path.is_relative_to(REPOSITORY) and ".venv" not in path.parts:
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        return parts[0] if parts[0] == "benchmarks" else ".".join(parts[:2])
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    return "the standard library"


def _builtin(function: str) -> str:
    if "poll" in function or "select" in function:
        return "waiting"
    for name in ("msgspec", "cryptography", "hashlib", "asyncpg"):
        if name in function:
            return name
    return "built-in functions"
