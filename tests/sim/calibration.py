"""Does the made-up market look like the real ones that its figures were taken from? A table of measured against wanted.

What it keeps true
- Every anchor names what it was measured on. Lags come from instalment loans (20,000 real instalments), what happens two
  payments behind from card lines (30,000 real cards), credits and their ties from a credit bureau's file (14,000 people).
  So each is measured here on the same kind: lags on loans with a term, the roll at two behind on card lines.
- Overdue as a bureau knows it: unmet at the end of a month. Looser and stricter readings are shown beside it, unjudged.
- Only what the lenders could publish by the world's last day counts; the states that drive the world are not looked at.

Example
    for line in calibrate(make_world(plan), plan):
        line.name, line.measured, line.least, line.most, line.holds

What it does not do: fit the world to the anchors. That was done once, by hand; this says whether it still holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erf, exp, inf, pi, sqrt
from typing import Final

from tests.sim.world import CARD, INSTALMENT, MILLION, MONTH, Borrower, Loan, WorldPlan


@dataclass(frozen=True, slots=True)
class Line:
    """One anchor: what was measured and between which figures it must lie. `least` None: shown for information."""

    name: str
    wanted: float | None
    measured: float
    least: float | None
    most: float | None

    @property
    def holds(self) -> bool:
        """Whether the figure lies within its bounds; always so when it has none."""
        return self.least is None or self.least <= self.measured <= (inf if self.most is None else self.most)


LAG_QUANTILES: Final = ((50_000, -32), (500_000, -6), (950_000, 3), (990_000, 17))
LATE_SHARES: Final = ((0, 0.083), (7, 0.023), (30, 0.0022))
ACTIVE_SHARES: Final = (0.20, 0.31, 0.23, 0.12, 0.08)
GAP_SHARES: Final = ((7, 0.108), (30, 0.173))
CREDITS_MEAN: Final = 4.8
CURRENT_TO_LATE: Final = 0.061
AT_TWO: Final = (("cure", 0.25), ("stay", 0.58), ("worse", 0.06))
ODDS_RATIO: Final = (1.7, 2.2)
OVERDUE_CORRELATION: Final = 0.20


def calibrate(people: Sequence[Borrower], plan: WorldPlan, *, looser: float = 1.0) -> list[Line]:
    """Every anchor against the world; `looser` widens the bounds for worlds too small to tell."""
    loans = [loan for person in people for loan in person.loans]
    return [
        *_lags(loans, plan, looser),
        *_credits(people, plan, looser),
        *_rolls(loans, plan, looser),
        *_ties(people, plan, looser),
    ]


def _within(name: str, wanted: float, measured: float, width: float) -> Line:
    return Line(name, wanted, measured, wanted - width, wanted + width)


def _lags(loans: Sequence[Loan], plan: WorldPlan, looser: float) -> list[Line]:
    lags = sorted(
        paid - due
        for loan in loans
        if loan.kind == INSTALMENT
        for due, paid in zip(loan.dues, loan.paid, strict=True)
        if due < plan.days and paid < plan.days
    )
    lines = [
        _within(
            f"paid minus due, days, p{rank // 10_000}",
            days,
            lags[len(lags) * rank // MILLION],
            abs(days) * 0.1 * looser,
        )
        for rank, days in LAG_QUANTILES
    ]
    for days, share in LATE_SHARES:
        late = sum(lag > days for lag in lags) / len(lags)
        lines.append(_within(f"instalments paid > {days} d late", share, late, share * 0.1 * looser + 0.0002))
    return lines


def _credits(people: Sequence[Borrower], plan: WorldPlan, looser: float) -> list[Line]:
    counts = [len(person.loans) for person in people if person.loans]
    lines = [_within("credits a borrower, mean", CREDITS_MEAN, sum(counts) / len(counts), CREDITS_MEAN * 0.1 * looser)]
    days = range(plan.days // 2, plan.days, MONTH)
    active = Counter(
        sum(loan.opened <= day < loan.closed for loan in person.loans) for person in people for day in days
    )
    for number, share in enumerate(ACTIVE_SHARES):
        lines.append(_within(f"{number} active credits", share, active[number] / active.total(), 0.03 * looser))
    gaps = [later.opened - earlier.opened for person in people for earlier, later in pairwise(person.loans)]
    for most, share in GAP_SHARES:
        measured = sum(gap <= most for gap in gaps) / len(gaps)
        lines.append(_within(f"next credit within {most} d", share, measured, share * 0.1 * looser))
    return lines


def behind(loan: Loan, instalment: int) -> int:
    """How many instalments are unmet at the end of the day on which that one is due."""
    due = loan.dues[instalment]
    return sum(paid > due for paid in loan.paid[: instalment + 1])


def _rolls(loans: Sequence[Loan], plan: WorldPlan, looser: float) -> list[Line]:
    from_current: Counter[bool] = Counter()
    from_two: Counter[str] = Counter()
    for loan in loans:
        shown = [behind(loan, n) for n, due in enumerate(loan.dues) if due < min(plan.days, loan.closed)]
        for before, after in pairwise(shown):
            if before == 0:
                from_current[after > 0] += 1
            if before == 2 and loan.kind == CARD:
                from_two["cure" if after == 0 else "better" if after == 1 else "stay" if after == 2 else "worse"] += 1
    late = from_current[True] / from_current.total()
    lines = [_within("current to late, a month", CURRENT_TO_LATE, late, CURRENT_TO_LATE * 0.1 * looser)]
    for way, share in AT_TWO:
        lines.append(_within(f"lines two behind: {way}", share, from_two[way] / from_two.total(), 0.03 * looser))
    return lines


# --- how a borrower's credits go wrong together ----------------------------------------------------------------------
def overdue_at_a_month_end(loan: Loan, last: int) -> bool:
    """Whether any monthly file would have shown the loan overdue."""
    return any(
        min(paid, loan.closed, last) // MONTH > due // MONTH and paid > due
        for due, paid in zip(loan.dues, loan.paid, strict=True)
        if due < last
    )


def late_by_more_than(days: int) -> Callable[[Loan, int], bool]:
    """Whether any instalment was met, or stayed unmet, more than so many days after it was due."""
    return lambda loan, last: any(
        min(paid, last) - due > days for due, paid in zip(loan.dues, loan.paid, strict=True) if due < last
    )


def pairs_of(people: Sequence[Borrower], plan: WorldPlan, overdue: Callable[[Loan, int], bool]) -> tuple[int, int, int]:
    """Pairs of one borrower's credits of which neither, one or both were ever overdue."""
    counts = [0, 0, 0]
    for person in people:
        seen = [overdue(loan, plan.days) for loan in person.loans if loan.dues[0] < plan.days]
        bad = sum(seen)
        good = len(seen) - bad
        counts[0] += good * (good - 1) // 2
        counts[1] += good * bad
        counts[2] += bad * (bad - 1) // 2
    return counts[0], counts[1], counts[2]


def odds_ratio(neither: int, one: int, both: int) -> float:
    """The odds ratio of the symmetric two by two table."""
    return 4 * neither * both / (one * one) if one else inf


def latent_correlation(neither: int, one: int, both: int) -> float:
    """The correlation of two normal variables that would cross a common threshold together as often as `both` says."""
    pairs = neither + one + both
    share = (both + one / 2) / pairs
    threshold = _bisect(lambda x: (1 - erf(x / sqrt(2))) / 2, share, -6.0, 6.0)
    # d P(both beyond) / d correlation is the density at (threshold, threshold) (Plackett 1954)
    wanted, together, correlation, step = both / pairs, share * share, 0.0, 0.001
    while together < wanted and correlation < 0.99:
        middle = correlation + step / 2
        together += step * exp(-threshold * threshold / (1 + middle)) / (2 * pi * sqrt(1 - middle * middle))
        correlation += step
    return correlation


def _bisect(falls: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falls(middle) > wanted else (low, middle)
    return (low + high) / 2


def _ties(people: Sequence[Borrower], plan: WorldPlan, looser: float) -> list[Line]:
    pairs = pairs_of(people, plan, overdue_at_a_month_end)
    middle, width = sum(ODDS_RATIO) / 2, (ODDS_RATIO[1] - ODDS_RATIO[0]) / 2
    lines = [
        _within("odds ratio of ever overdue", middle, odds_ratio(*pairs), width * looser),
        _within("latent correlation of ever overdue", OVERDUE_CORRELATION, latent_correlation(*pairs), 0.05 * looser),
    ]
    for days in (0, 7, 30, 89):
        pairs = pairs_of(people, plan, late_by_more_than(days))
        lines.append(Line(f"odds ratio of ever > {days} d late", None, odds_ratio(*pairs), None, None))
        lines.append(Line(f"latent correlation, > {days} d", None, latent_correlation(*pairs), None, None))
    return lines
