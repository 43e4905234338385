"""A card and the challenger that runs beside it, compared on one lender's borrowers of a month, after the fact.

    found = compare(readings, cutoff=440, cutoff_ppm=238_000, card=card_baseline, challenger=its_baseline)
    found.only_card, found.only_challenger            # whom one alone would have declined
    found.outcomes.card_auc_ppm, found.outcomes.challenger_auc_ppm

Rules
- The card declines below ``cutoff`` points. Both estimate the same probability, so the challenger declines above the one
  that the card's own table has for ``cutoff``: one policy, read by two models.
- A borrower counts once: the newest reading of the month.
- **Outcome.** Whether a loan of this lender's to the borrower was declared in default or charged off after the day of the
  score and within the window, by that lender's own attestations. It is known once the window is over. Who was in default
  on the day of the score has no outcome, nor has who has no loan left.
- Both areas and distances are taken on the very same borrowers; None when all of them paid or all defaulted.

What this module does not do: know defaults at other lenders; find a default inside the window when a later one, after a
cure and its probation, has taken its place in the loan's state.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import NamedTuple

from ledger.loan.state import LoanState
from ledger.risk.drift import Baseline, psi_bp
from ledger.risk.fairness import auc_ppm, ks_ppm


class Reading(NamedTuple):
    """One borrower as both models saw it; ``defaulted`` is None while, or where, there is no outcome."""

    points: int
    challenger_ppm: int
    defaulted: bool | None = None


class Outcomes(NamedTuple):
    """What is known of how it ended: borrowers with an outcome, how many defaulted, and how well each model had ranked
    them (None: all paid or all defaulted)."""

    borrowers: int
    defaulted: int
    card_auc_ppm: int | None
    challenger_auc_ppm: int | None
    card_ks_ppm: int | None
    challenger_ks_ppm: int | None


class Comparison(NamedTuple):
    """A month. ``only_card`` and ``only_challenger`` are declined by that model alone; stability (None: without a
    baseline) is against the training rows, in basis points."""

    borrowers: int
    both_approve: int
    both_decline: int
    only_card: int
    only_challenger: int
    card_psi_bp: int | None
    challenger_psi_bp: int | None
    outcomes: Outcomes

    @property
    def agree_bp(self) -> int:
        """The share of borrowers whom both would have treated alike, in basis points; 10,000 without borrowers."""
        alike = self.both_approve + self.both_decline
        return alike * 10_000 // self.borrowers if self.borrowers else 10_000


def compare(
    readings: Sequence[Reading], *, cutoff: int, cutoff_ppm: int, card: Baseline | None, challenger: Baseline | None
) -> Comparison:
    """The comparison of these borrowers, each of whom is in ``readings`` once."""
    declined = [(each.points < cutoff, each.challenger_ppm > cutoff_ppm) for each in readings]
    return Comparison(
        len(readings), declined.count((False, False)), declined.count((True, True)), declined.count((True, False)),
        declined.count((False, True)), _psi(card, [each.points for each in readings]),
        _psi(challenger, [each.challenger_ppm for each in readings]), _outcomes(readings),
    )  # fmt: skip


def outcome(loans: Iterable[LoanState], scored_on: date, until: date) -> bool | None:
    """Whether one of these loans, all of them of one lender and borrower, was declared in default or charged off after
    ``scored_on`` and by ``until``; None when one was so already on that day, or there is no loan."""
    known = False
    defaulted = False
    for loan in loans:
        known = True
        cured = loan.probation_end is not None and loan.probation_end <= scored_on
        for day in (None if cured else loan.defaulted, loan.charged_off):
            if day is not None and day <= scored_on:
                return None
            defaulted = defaulted or (day is not None and day <= until)
    return defaulted if known else None


def _psi(baseline: Baseline | None, values: Sequence[int]) -> int | None:
    if baseline is None or not values:
        return None
    counts = [0] * len(baseline.score)
    for value in values:
        counts[bisect_right(baseline.score_cuts, value)] += 1
    return psi_bp(baseline.score, counts)


def _outcomes(readings: Sequence[Reading]) -> Outcomes:
    known = [each for each in readings if each.defaulted is not None]
    labels = [int(bool(each.defaulted)) for each in known]
    card, other = [each.points for each in known], [-each.challenger_ppm for each in known]

    def of(measure: Callable[[Sequence[int], Sequence[int]], int], values: Sequence[int]) -> int | None:
        return measure(values, labels) if 0 < sum(labels) < len(labels) else None

    return Outcomes(len(known), sum(labels), of(auc_ppm, card), of(auc_ppm, other), of(ks_ppm, card), of(ks_ppm, other))
