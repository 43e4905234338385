"""The early-warning evidence, by command: calibration, lift, ablation and controls over several simulated markets.

    python -m tests.sim.evidence --seeds 7,8,9,10,11
    python -m tests.sim.evidence --seeds 1,2,3 --rho 0.3 --borrowers 8000 --json

What it keeps true
- Every line says that its figures are simulated, and the run names its seeds, its `rho` and the commit.
- The same seeds and commit give the same figures on every machine.
- Accepted means: at ten alerts for a thousand decisions the ledger view is at least 1.3 times as precise as the own view
  (median of the seeds), the placebo within 5 % of it (median), and 45 days' delay leaves less than half of the lift
  (medians). The bounds are stated for `rho` 0.6, the value at which the market's credits go wrong together as real
  ones do; at another value the odds ratio leaves its bounds and the verdict is for information.
- A placebo is the same seed at `rho` 0: enquiries and other loans then say nothing of a loan.

It ends with 0 when everything held and 1 when something did not. A seed takes about a minute and a half on one core.

What it does not do: speak of a real market. No gain measured here may be presented as a real one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import comb
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.sim.calibration import Line, calibrate
from tests.sim.evaluate import SIGNALS, Figures, lift, lift_interval, measure, shuffled
from tests.sim.views import read_points
from tests.sim.world import MILLION, WorldPlan, make_world

LIFT_LEAST: Final = 0.30
PLACEBO_MOST: Final = 0.05
DELAYED_SHARE_MOST: Final = 0.5
SHUFFLE_AUC: Final = (0.48, 0.52)


@dataclass(frozen=True, slots=True)
class SeedReport:
    """What one seed gave. `views` and `placebo` by view; `intervals` of the lift by view."""

    seed: int
    points: int
    share_bad: float
    anchors: list[Line]
    views: dict[str, Figures]
    intervals: dict[str, tuple[float, float]]
    placebo: dict[str, Figures]
    shuffle_auc: float
    seconds: float


def report_of(plan: WorldPlan) -> SeedReport:
    """Make the markets of a seed, measure them, and say what came of it."""
    began = time.monotonic()
    people = make_world(plan)
    table = read_points(people, plan)
    views = measure(table, seed=plan.seed, views=("own", "ledger", "late", *(f"without {name}" for name in SIGNALS)))
    blank = WorldPlan(seed=plan.seed, borrowers=plan.borrowers, rho_ppm=0)
    placebo = measure(read_points(make_world(blank), blank, late=False), seed=plan.seed, views=("own", "ledger"))
    return SeedReport(
        seed=plan.seed,
        points=len(table.labels),
        share_bad=sum(table.labels) / len(table.labels),
        anchors=calibrate(people, plan),
        views=views,
        intervals={name: lift_interval(views[name], views["own"], seed=plan.seed) for name in ("ledger", "late")},
        placebo=placebo,
        shuffle_auc=shuffled(table, seed=plan.seed),
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True)
class Check:
    """One bound of the acceptance, what was found, and whether it held."""

    name: str
    bound: str
    found: float
    holds: bool


def verdict(reports: Sequence[SeedReport]) -> list[Check]:
    """The acceptance, over all seeds."""
    ledger = median(lift(report.views["ledger"], report.views["own"]) for report in reports)
    late = median(lift(report.views["late"], report.views["own"]) for report in reports)
    placebo = median(lift(report.placebo["ledger"], report.placebo["own"]) for report in reports)
    shuffle = median(report.shuffle_auc for report in reports)
    missed = sum(not line.holds for report in reports for line in report.anchors)
    return [
        Check("precision against the own view, times", ">= 1.30", 1 + ledger, ledger >= LIFT_LEAST),
        Check("placebo (rho 0), lift", "within 0.05", placebo, abs(placebo) <= PLACEBO_MOST),
        Check("lift at 45 days' delay", f"< {max(ledger, 0) / 2:.3f}", late, late < DELAYED_SHARE_MOST * ledger),
        Check("AUC of shuffled labels", "0.48 to 0.52", shuffle, SHUFFLE_AUC[0] <= shuffle <= SHUFFLE_AUC[1]),
        Check("calibration anchors missed, all seeds", "0", missed, missed == 0),
    ]


def median_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The narrowest pair of ordered values that holds the true median, and with what confidence: 95 % if it can."""
    ordered, count = sorted(values), len(values)
    best = (ordered[0], ordered[-1], 1 - 2 * 0.5**count)
    for cut in range(1, count // 2):
        outside = 2 * sum(comb(count, below) for below in range(cut + 1)) / 2**count
        if outside <= 0.05:
            best = (ordered[cut], ordered[-1 - cut], 1 - outside)
    return best


def commit() -> str:
    """The commit of the working tree, with a plus when the simulator differs from it; `unknown` outside of a checkout."""
    root = Path(__file__).parent

    def git(*words: str) -> str:
        ran = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return ran.stdout.strip() if ran.returncode == 0 else ""

    try:
        named = git("rev-parse", "--short=12", "HEAD")
        return (named or "unknown") + ("+" if named and git("status", "--porcelain", "--", ".") else "")
    except OSError:
        return "unknown"


# --- telling ---------------------------------------------------------------------------------------------------------
def tell(reports: Sequence[SeedReport], plan: WorldPlan, checks: Sequence[Check]) -> str:
    """The whole run as Markdown."""
    head = (
        f"All figures are simulated: {plan.borrowers:,} borrowers, {plan.lenders} lenders, {plan.days // 30} months, "
        f"rho {plan.rho_ppm / MILLION:g}, seeds {', '.join(str(report.seed) for report in reports)}, commit {commit()}."
    )
    parts = [head, _verdict_table(checks), _seed_table(reports), _interval_lines(reports), _ablation_table(reports)]
    return "\n\n".join([*parts, _calibration_table(reports)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _verdict_table(checks: Sequence[Check]) -> str:
    rows = [[each.name, each.bound, f"{each.found:.3f}", "holds" if each.holds else "FAILS"] for each in checks]
    return _table(("acceptance (simulated, median of the seeds)", "bound", "found", ""), rows)


def _seed_table(reports: Sequence[SeedReport]) -> str:
    rows = []
    for report in reports:
        own, ledger, late = (report.views[name] for name in ("own", "ledger", "late"))
        low, high = report.intervals["ledger"]
        rows.append(
            [
                str(report.seed),
                f"{report.points:,}",
                f"{report.share_bad:.2%}",
                f"{own.precision:.3f} -> {ledger.precision:.3f}",
                f"{lift(ledger, own):+.0%} ({low:+.0%} to {high:+.0%})",
                f"{lift(late, own):+.0%}",
                f"{lift(report.placebo['ledger'], report.placebo['own']):+.1%}",
                f"{report.shuffle_auc:.3f}",
                f"{own.recall:.3f} -> {ledger.recall:.3f}",
                f"{own.auc:.3f} -> {ledger.auc:.3f} (late {late.auc:.3f})",
                f"{own.lead:.0f} -> {ledger.lead:.0f}",
                f"{report.seconds:.0f}",
            ]
        )
    head = ("seed (simulated)", "decisions", "go bad", "precision own -> ledger", "lift (95 %)", "45 d late", "placebo")
    return _table((*head, "shuffled AUC", "recall", "AUC", "lead, d", "s"), rows)


def _interval_lines(reports: Sequence[SeedReport]) -> str:
    lines = []
    for name, values in (
        ("ledger view", [lift(report.views["ledger"], report.views["own"]) for report in reports]),
        ("45 days late", [lift(report.views["late"], report.views["own"]) for report in reports]),
        ("placebo", [lift(report.placebo["ledger"], report.placebo["own"]) for report in reports]),
    ):
        low, high, sure = median_interval(values)
        found = f"median {median(values):+.1%}, between {low:+.1%} and {high:+.1%} ({sure:.0%} sure)"
        lines.append(f"- Lift, {name} (simulated): {found}.")
    return "\n".join(lines)


def _ablation_table(reports: Sequence[SeedReport]) -> str:
    rows = []
    for name in ("ledger", *(f"without {signal}" for signal in SIGNALS)):
        lifts = [lift(report.views[name], report.views["own"]) for report in reports]
        auc = median(report.views[name].auc for report in reports)
        rows.append([name, f"{median(lifts):+.1%}", f"{min(lifts):+.0%} to {max(lifts):+.0%}", f"{auc:.3f}"])
    return _table(("ablation (simulated)", "lift, median", "range", "AUC, median"), rows)


def _calibration_table(reports: Sequence[SeedReport]) -> str:
    rows = []
    for number, line in enumerate(reports[0].anchors):
        found = [report.anchors[number] for report in reports]
        measured = [each.measured for each in found]
        bounds = (
            "for information" if line.least is None or line.most is None else f"{line.least:.4g} to {line.most:.4g}"
        )
        held = sum(each.holds for each in found)
        rows.append(
            [
                line.name,
                "" if line.wanted is None else f"{line.wanted:.4g}",
                bounds,
                f"{median(measured):.4g}",
                f"{min(measured):.4g} to {max(measured):.4g}",
                "" if line.least is None else f"{held} of {len(found)}",
            ]
        )
    return _table(("anchor (simulated)", "real", "bounds", "median", "range", "seeds that hold"), rows)


def as_json(reports: Sequence[SeedReport], plan: WorldPlan, checks: Sequence[Check]) -> dict[str, Any]:
    """The whole run as plain data."""

    def figures(found: Figures, own: Figures) -> dict[str, float]:
        names = ("precision", "recall", "auc", "lead")
        return {name: round(getattr(found, name), 5) for name in names} | {"lift": round(lift(found, own), 5)}

    return {
        "simulated": True,
        "commit": commit(),
        "rho": plan.rho_ppm / MILLION,
        "borrowers": plan.borrowers,
        "accepted": all(check.holds for check in checks),
        "checks": [{"name": c.name, "bound": c.bound, "found": round(c.found, 5), "holds": c.holds} for c in checks],
        "seeds": [
            {
                "seed": report.seed,
                "decisions": report.points,
                "shareBad": round(report.share_bad, 5),
                "seconds": round(report.seconds, 1),
                "shuffledAuc": round(report.shuffle_auc, 5),
                "views": {name: figures(found, report.views["own"]) for name, found in report.views.items()},
                "liftIntervals": {name: [round(end, 5) for end in ends] for name, ends in report.intervals.items()},
                "placebo": {name: figures(found, report.placebo["own"]) for name, found in report.placebo.items()},
                "anchors": [
                    {"name": line.name, "real": line.wanted, "measured": round(line.measured, 5), "holds": line.holds}
                    for line in report.anchors
                ],
            }
            for report in reports
        ],
    }


def _arguments(words: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m tests.sim.evidence", description="Early-warning evidence, simulated.")
    parser.add_argument("--seeds", default="7,8,9,10,11", help="comma-separated; at least five for the acceptance")
    parser.add_argument("--rho", type=float, default=0.6, help="share of loans that follow their borrower's state")
    parser.add_argument("--borrowers", type=int, default=16_000)
    parser.add_argument("--jobs", type=int, default=1, help="seeds measured at the same time")
    parser.add_argument("--json", action="store_true", help="print plain data instead of tables")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Run it; 0 when everything held."""
    asked = _arguments(words)
    rho_ppm = round(asked.rho * MILLION)
    plans = [WorldPlan(seed=int(word), borrowers=asked.borrowers, rho_ppm=rho_ppm) for word in asked.seeds.split(",")]
    reports = []
    with ProcessPoolExecutor(asked.jobs) as pool:
        for report in pool.map(report_of, plans) if asked.jobs > 1 else map(report_of, plans):
            reports.append(report)
            found = lift(report.views["ledger"], report.views["own"])
            print(f"seed {report.seed}: lift {found:+.0%} (simulated), {report.seconds:.0f} s", file=sys.stderr)
    checks = verdict(reports)
    print(json.dumps(as_json(reports, plans[0], checks), indent=1) if asked.json else tell(reports, plans[0], checks))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
