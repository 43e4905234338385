"""Two models on the same borrowers: whom each alone declines, and who was right where it is known."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from ledger.loan.state import NEW_LOAN, LoanState
from ledger.risk.comparison import Outcomes, Reading, compare, outcome
from ledger.risk.drift import Baseline, psi_bp

CARD = Baseline(card="00" * 32, features={}, score=(30, 30, 40), score_cuts=(440, 500))
TREES = Baseline(card="11" * 32, features={}, score=(50, 50), score_cuts=(300_000,))
SCORED, UNTIL = date(2026, 1, 10), date(2027, 1, 10)


def loan(**said: object) -> LoanState:
    return msgspec.structs.replace(NEW_LOAN, **said)


def test_the_challenger_declines_above_the_probability_of_the_cards_cutoff() -> None:
    readings = [Reading(440, 300_000), Reading(439, 300_001), Reading(439, 300_000), Reading(440, 300_001)]
    found = compare([*readings, Reading(600, 5)], cutoff=440, cutoff_ppm=300_000, card=CARD, challenger=TREES)
    assert (found.both_approve, found.both_decline, found.only_card, found.only_challenger) == (2, 1, 1, 1)
    assert (found.borrowers, found.agree_bp) == (5, 6_000)
    assert found.card_psi_bp == psi_bp((30, 30, 40), (2, 2, 1))
    assert found.challenger_psi_bp == psi_bp((50, 50), (1, 4))  # a cut belongs to the bin above it
    assert found.outcomes == Outcomes(0, 0, None, None, None, None)


def test_both_models_are_ranked_on_the_same_borrowers_with_an_outcome() -> None:
    readings = [
        Reading(400, 100_000, True), Reading(500, 900_000, True), Reading(450, 500_000, False), Reading(600, 50_000, False),
        Reading(300, 990_000, None),
    ]  # fmt: skip
    found = compare(readings, cutoff=440, cutoff_ppm=300_000, card=None, challenger=None).outcomes
    # the card puts one of four pairs wrong, the challenger the one of 100,000 against 500,000
    assert found == Outcomes(4, 2, 750_000, 750_000, 500_000, 500_000)
    reversed_ = [each._replace(challenger_ppm=1_000_000 - each.challenger_ppm) for each in readings]
    found = compare(reversed_, cutoff=440, cutoff_ppm=300_000, card=None, challenger=None).outcomes
    assert (found.card_auc_ppm, found.challenger_auc_ppm) == (750_000, 250_000)


@pytest.mark.parametrize("label", [True, False])
def test_outcomes_of_one_kind_rank_nobody(label: bool) -> None:
    found = compare([Reading(1, 1, label)] * 3, cutoff=1, cutoff_ppm=1, card=None, challenger=None)
    assert found.outcomes == Outcomes(3, 3 * label, None, None, None, None)
    assert (found.card_psi_bp, found.challenger_psi_bp) == (None, None)


def test_nobody_is_no_month() -> None:
    found = compare([], cutoff=1, cutoff_ppm=1, card=CARD, challenger=TREES)
    assert (found.borrowers, found.agree_bp, found.card_psi_bp) == (0, 10_000, None)


@pytest.mark.parametrize(
    ("loans", "expected"),
    [
        ([], None),
        ([loan()], False),
        ([loan(defaulted=date(2026, 1, 11))], True),
        ([loan(defaulted=UNTIL)], True),
        ([loan(defaulted=date(2027, 1, 11))], False),
        ([loan(charged_off=date(2026, 5, 1))], True),
        ([loan(), loan(defaulted=date(2026, 5, 1), probation_end=date(2026, 9, 1))], True),
        # in default, or written down, on the day of the score: nothing is left to foresee
        ([loan(defaulted=SCORED)], None),
        ([loan(defaulted=date(2026, 5, 1)), loan(defaulted=date(2025, 5, 1))], None),
        ([loan(charged_off=date(2025, 5, 1))], None),
        ([loan(defaulted=date(2025, 5, 1), probation_end=date(2026, 1, 11))], None),
        # cured, and the probation over
        ([loan(defaulted=date(2025, 5, 1), probation_end=SCORED)], False),
    ],
)
def test_an_outcome_is_a_default_after_the_score_and_within_the_window(
    loans: list[LoanState], expected: bool | None
) -> None:
    assert outcome(loans, SCORED, UNTIL) is expected
    assert outcome(loans[::-1], SCORED, UNTIL) is expected
