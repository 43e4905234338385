"""Whether the borrowers of a month still look like those that the card was fitted on: population stability, by tenant.

    month = EMPTY_MONTH
    for scored in a_tenants_month: month = fold(month, baseline, scored.points, bins)
    for drift in report(baseline, month): drift.name, drift.psi_bp, drift.alert

Rules
- PSI = sum over bins of (actual - expected) * ln(actual / expected), for the score and for each feature of the card.
- Half a count is added to every bin of both sides, so that an empty bin has no infinite logarithm.
- Exact input, correctly rounded logarithms (``decimal``, 34 digits), the result in basis points, half to even: the same
  on every machine. Above ``ALERT_BP`` (0.25, the trade's own mark) it is an alert; a month of fewer than ``PEOPLE_MIN``
  borrowers is shown and raises none, since chance alone moves it.
- A month is a fold: counts by bin, no borrower in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from ledger.errors import InvalidInput

ALERT_BP: Final = 2_500
"""PSI of 0.25."""

PEOPLE_MIN: Final = 200
"""Borrowers of a month below which no alert is raised: with ten bins chance alone then gives up to about 0.1."""

_EXACT: Final = Context(prec=34, rounding=ROUND_HALF_EVEN)

Counts = Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=2, max_length=65)]


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the training rows looked like. ``card`` is the model's SHA-256, hex; ``features`` are in the card's order."""

    card: str
    features: dict[str, Counts]
    score: Counts
    score_cuts: tuple[int, ...]


class Month(NamedTuple):
    """Counts by bin of the borrowers scored in one month of one tenant."""

    people: int = 0
    score: tuple[int, ...] = ()
    features: tuple[tuple[int, ...], ...] = ()


EMPTY_MONTH: Final = Month()


class Drift(NamedTuple):
    """The stability of ``score`` or of one feature; ``alert`` says that somebody has to look."""

    name: str
    psi_bp: int
    alert: bool


def read_baseline(data: bytes) -> Baseline:
    """A baseline from its JSON. Raises InvalidInput ``baseline_malformed``."""
    try:
        baseline = msgspec.json.decode(data, type=Baseline)
    except msgspec.DecodeError as error:
        raise InvalidInput("baseline_malformed", f"not a drift baseline: {error}", path="$") from None
    if len(baseline.score) != len(baseline.score_cuts) + 1 or list(baseline.score_cuts) != sorted(baseline.score_cuts):
        raise InvalidInput("baseline_malformed", "cuts go upwards and give one bin more", path="$.score_cuts")
    return baseline


def fold(month: Month, baseline: Baseline, points: int, bins: Sequence[int]) -> Month:
    """The month with one more borrower: its points, and the bin of each feature (scorecard.bins).

    Raises InvalidInput ``drift_bins`` when the bins are not those of the baseline's card.
    """
    shapes = [len(counts) for counts in baseline.features.values()]
    if len(bins) != len(shapes) or any(not 0 <= place < size for place, size in zip(bins, shapes, strict=True)):
        raise InvalidInput("drift_bins", "not the bins of this card", path="$.bins")
    score = month.score or (0,) * len(baseline.score)
    features = month.features or tuple((0,) * size for size in shapes)
    return Month(
        month.people + 1,
        _plus_one(score, bisect_right(baseline.score_cuts, points)),
        tuple(_plus_one(counts, place) for counts, place in zip(features, bins, strict=True)),
    )


def report(baseline: Baseline, month: Month) -> tuple[Drift, ...]:
    """The score first, then the card's features; nothing for a month without borrowers."""
    if not month.people:
        return ()
    pairs = [("score", baseline.score, month.score)]
    pairs += [
        (name, expected, actual)
        for (name, expected), actual in zip(baseline.features.items(), month.features, strict=True)
    ]
    found = [(name, psi_bp(expected, actual)) for name, expected, actual in pairs]
    return tuple(Drift(name, psi, psi > ALERT_BP and month.people >= PEOPLE_MIN) for name, psi in found)


def psi_bp(expected: Sequence[int], actual: Sequence[int]) -> int:
    """The population stability index of two histograms of the same bins, in basis points.

    >>> psi_bp([500, 500], [500, 500]), psi_bp([500, 500], [900, 100])
    (0, 8762)

    Raises InvalidInput ``drift_bins``.
    """
    if len(expected) != len(actual) or not expected:
        raise InvalidInput(
            "drift_bins", "the histograms have different bins", expected=len(expected), found=len(actual)
        )
    with localcontext(_EXACT):
        before, after = _shares(expected), _shares(actual)
        total = sum(((now - then) * (now / then).ln() for then, now in zip(before, after, strict=True)), Decimal(0))
        return int((total * 10_000).to_integral_value())


def _shares(counts: Sequence[int]) -> list[Decimal]:
    whole = 2 * sum(counts) + len(counts)
    return [Decimal(2 * count + 1) / whole for count in counts]


def _plus_one(counts: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*counts[:place], counts[place] + 1, *counts[place + 1 :])
