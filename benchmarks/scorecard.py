"""``bench score``: the committed card in plain Python, one borrower at a time, reasons included.

The floor, taken in turns with it in the same run, is the least that any card of these features has to do: one bisection and
one addition a feature, on readings that are there already; no checks of inputs, no derivations, no reasons.

The challenger that runs in shadow is timed in the same turns: what it adds to a score, on inputs that the card has checked.

Borrowers are invented from a fixed seed, across the whole range of each input, so that no data is needed; how many lose
points on four features or more is reported, since that is where reasons cost most.
"""

from __future__ import annotations

import platform
import random
import time
from bisect import bisect_right
from pathlib import Path
from statistics import median
from typing import Any

from ledger.risk.scorecard import Scorecard, derive, load_card, read_inputs, score
from ledger.risk.trees import Trees, load_trees, probability_ppm

MODELS = Path(__file__).resolve().parent.parent / "ledger" / "risk" / "models"
CARD = MODELS / "taiwan_card_v1.json"
CHALLENGER = MODELS / "taiwan_trees_v1.json"
BORROWERS = 2_000
ROUNDS = 15


def invented(count: int) -> list[dict[str, int]]:
    """Borrowers with six months of delays, bills and payments."""
    draw = random.Random(20240101)
    rows = []
    for _ in range(count):
        limit = draw.randrange(10_000, 500_000, 10_000)
        late = draw.random() < 0.35
        rows.append(
            {"limit": limit}
            | {f"delay_{month}": draw.choice((0, 2, 2, 3)) if late else draw.choice((-1, 0)) for month in range(1, 7)}
            | {f"bill_{month}": draw.randrange(-500, limit) for month in range(1, 7)}
            | {f"paid_{month}": draw.choice((0, draw.randrange(20_000))) for month in range(1, 7)}
        )
    return rows


def measure() -> dict[str, Any]:
    """Microseconds a borrower: median and 99th percentile of single calls, the ratio to the floor, and what the
    challenger adds."""
    card, trees = load_card(CARD.read_bytes()), load_trees(CHALLENGER.read_bytes())
    rows = invented(BORROWERS)
    checked = [read_inputs(card, row) for row in rows]
    readings = [derive(card, row) for row in checked]
    taken: list[int] = []
    ours, floor, beside = [], [], []
    for _ in range(ROUNDS):
        ours.append(_singly(card, rows, taken))
        floor.append(_floor(card, readings))
        beside.append(_shadow(trees, checked))
    taken.sort()
    return {
        "borrowers": BORROWERS, "rounds": ROUNDS, "card_bytes": len(card.data), "card": card.digest.hex(),
        "four_reasons_share": round(sum(len(score(card, row).reasons) == 4 for row in rows) / BORROWERS, 3),
        "score_us_median": round(taken[len(taken) // 2] / 1e3, 2),
        "score_us_p99": round(taken[len(taken) * 99 // 100] / 1e3, 2),
        "floor_us": round(median(floor), 2),
        "ratio": round(median(a / b for a, b in zip(ours, floor, strict=True)), 2),
        "challenger": trees.digest.hex(), "challenger_bytes": len(trees.data),
        "shadow_us_median": round(median(beside), 2),
        "shadow_ratio": round(median(a / b for a, b in zip(beside, ours, strict=True)), 2),
        "python": platform.python_version(),
    }  # fmt: skip


def _singly(card: Scorecard, rows: list[dict[str, int]], taken: list[int]) -> float:
    clock = time.perf_counter_ns
    mine = []
    for row in rows:
        began = clock()
        score(card, row)
        mine.append(clock() - began)
    taken += mine
    return median(mine) / 1e3


def _shadow(trees: Trees, rows: list[tuple[int, ...]]) -> float:
    clock = time.perf_counter_ns
    mine = []
    for row in rows:
        began = clock()
        probability_ppm(trees, row)
        mine.append(clock() - began)
    return median(mine) / 1e3


def _floor(card: Scorecard, readings: list[tuple[int, ...]]) -> float:
    clock = time.perf_counter_ns
    tables = [(feature.cuts, feature.points) for feature in card.document.features]
    base, mine = card.document.base, []
    for row in readings:
        began = clock()
        total = base
        for (cuts, points), value in zip(tables, row, strict=True):
            total += points[bisect_right(cuts, value)]
        mine.append(clock() - began)
    return median(mine) / 1e3
