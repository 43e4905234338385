"""How good and how fair scores were, in exact integers: separation, calibration, and approval by group.

    auc_ppm(points, defaulted), ks_ppm(...)         # 785_000: a payer scores above a defaulter 78.5 times in a hundred
    calibration_error_ppm(probabilities, defaulted)
    cut = cutoff(points, decline_share=(1, 5))
    for row in by_group(points, defaulted, groups, cut): row.group, row.ratio_bp

Rules
- More points are better. Equal points count half for the area under the curve.
- Declined are those below the cutoff: at most the share that was asked for, since equal points go together.
- A group's approval ratio is its approval rate against the highest rate of a group that has at least ``PEOPLE_MIN``
  people; the four-fifths rule (29 CFR 1607.4(D)) wants 8,000 basis points. A smaller group is shown and not judged.
- The protected attribute is used here to look at outcomes, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from ledger.errors import InvalidInput

PEOPLE_MIN: Final = 100
"""Smallest group whose rate is judged: below, a handful of decisions moves it by points."""

FOUR_FIFTHS_BP: Final = 8_000
"""Lowest approval ratio that is not taken for adverse impact."""


class GroupRow(NamedTuple):
    """One group: people, how many passed, rate and ratio in basis points, AUC in parts per million (None: the group has
    only payers or only defaulters), and whether the ratio is judged."""

    group: str
    people: int
    approved: int
    rate_bp: int
    ratio_bp: int
    auc_ppm: int | None
    judged: bool


def auc_ppm(points: Sequence[int], defaulted: Sequence[int]) -> int:
    """The share of (payer, defaulter) pairs in which the payer has more points, in parts per million.

    >>> auc_ppm([1, 2, 3, 3], [1, 0, 0, 1])
    625000

    Raises InvalidInput ``outcomes_one_sided`` when all paid or all defaulted.
    """
    bad, good = _both_sides(defaulted)
    halves = below = at = 0
    previous: int | None = None
    goods_at = 0
    for value, label in sorted(zip(points, defaulted, strict=True)):
        if value != previous:
            halves += goods_at * (2 * below + at)
            below, at, goods_at, previous = below + at, 0, 0, value
        at += label
        goods_at += 1 - label
    halves += goods_at * (2 * below + at)
    return round(Fraction(halves * 1_000_000, 2 * bad * good))


def ks_ppm(points: Sequence[int], defaulted: Sequence[int]) -> int:
    """Kolmogorov and Smirnov's distance: at the score where it is widest, the share of defaulters at or below less the
    share of payers, in parts per million.

    >>> ks_ppm([1, 2, 3, 3], [1, 0, 0, 1])
    500000

    Raises InvalidInput ``outcomes_one_sided`` when all paid or all defaulted.
    """
    bad, good = _both_sides(defaulted)
    tally: dict[int, list[int]] = {}
    for value, label in zip(points, defaulted, strict=True):
        tally.setdefault(value, [0, 0])[label] += 1
    widest = goods = bads = 0
    for value in sorted(tally):
        goods, bads = goods + tally[value][0], bads + tally[value][1]
        widest = max(widest, bads * good - goods * bad)
    return round(Fraction(widest * 1_000_000, bad * good))


def _both_sides(defaulted: Sequence[int]) -> tuple[int, int]:
    """(defaulters, payers); there are some of each."""
    bad = sum(defaulted)
    good = len(defaulted) - bad
    if not bad or not good:
        raise InvalidInput("outcomes_one_sided", "needs payers and defaulters")
    return bad, good


def calibration_error_ppm(
    probabilities_ppm: Sequence[int],
    defaulted: Sequence[int],
    *,
    bins: int = 10,
    by: Literal["width", "count"] = "width",
) -> int:
    """Expected calibration error: the mean over borrowers of |predicted - observed| of their bin, in parts per million.
    Bins are of equal width or of equal count.

    >>> calibration_error_ppm([100_000, 100_000, 900_000, 900_000], [0, 0, 1, 1])
    100000
    """
    order = sorted(range(len(defaulted)), key=lambda at: (probabilities_ppm[at], at))
    errors = [0] * bins
    for rank, at in enumerate(order):
        ppm = probabilities_ppm[at]
        place = min(ppm * bins // 1_000_000, bins - 1) if by == "width" else rank * bins // len(order)
        errors[place] += ppm - 1_000_000 * defaulted[at]
    return round(Fraction(sum(abs(error) for error in errors), len(order)))


def cutoff(points: Sequence[int], *, decline_share: tuple[int, int]) -> int:
    """The fewest points that pass when at most ``decline_share`` (a fraction, as (1, 5)) of these borrowers may fail."""
    ranked = sorted(points)
    return ranked[len(ranked) * decline_share[0] // decline_share[1]]


def by_group(points: Sequence[int], defaulted: Sequence[int], groups: Sequence[str], cut: int) -> tuple[GroupRow, ...]:
    """The table of one attribute, groups in alphabetical order. Raises InvalidInput ``groups_small`` when none can be
    judged."""
    members = {name: [at for at, group in enumerate(groups) if group == name] for name in sorted(set(groups))}
    passed = {name: sum(points[at] >= cut for at in places) for name, places in members.items()}
    rates = {name: Fraction(passed[name], len(places)) for name, places in members.items()}
    best = max((rates[name] for name, places in members.items() if len(places) >= PEOPLE_MIN), default=Fraction(0))
    if not best:
        raise InvalidInput("groups_small", "no group is large enough to be judged", expected=f">= {PEOPLE_MIN}")
    return tuple(
        GroupRow(
            name, len(places), passed[name], int(rates[name] * 10_000), int(rates[name] / best * 10_000),
            _auc_or_none([points[at] for at in places], [defaulted[at] for at in places]), len(places) >= PEOPLE_MIN,
        )
        for name, places in members.items()
    )  # fmt: skip


def worst_ratio_bp(rows: Sequence[GroupRow]) -> int:
    """The lowest approval ratio among groups that are judged."""
    return min(row.ratio_bp for row in rows if row.judged)


def _auc_or_none(points: Sequence[int], defaulted: Sequence[int]) -> int | None:
    return auc_ppm(points, defaulted) if 0 < sum(defaulted) < len(defaulted) else None
