"""A small simulated market, measured in the suite: calibrated within looser bounds, warned by the ledger, and honest."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from msgspec import structs

from ledger.risk.features import Event
from tests.sim.calibration import calibrate, latent_correlation, odds_ratio
from tests.sim.evaluate import lift, measure, shuffled
from tests.sim.views import FIRST_DAY, Table, decision_days, events_of, read_decision, read_points
from tests.sim.world import NEVER, Borrower, Loan, WorldPlan, make_borrower, make_world

PLAN = WorldPlan(seed=3, borrowers=2_500)

BUDGET = 50
"""Alerts for a thousand decisions. At the evidence's ten a market of this size has fifty true alerts: too few to tell."""


@pytest.fixture(scope="module")
def people() -> list[Borrower]:
    return make_world(PLAN)


ALONE = replace(PLAN, rho_ppm=0)
"""The same market, where each credit goes wrong by itself."""


@pytest.fixture(scope="module")
def alone() -> list[Borrower]:
    return make_world(ALONE)


@pytest.fixture(scope="module")
def table(people: list[Borrower]) -> Table:
    return read_points(people, PLAN)


def test_the_small_market_looks_like_the_real_ones_within_twice_the_bounds(people: list[Borrower]) -> None:
    missed = [(line.name, line.measured) for line in calibrate(people, PLAN, looser=2.0) if not line.holds]
    assert missed == []


def test_calibration_notices_a_market_whose_credits_go_wrong_alone(alone: list[Borrower]) -> None:
    missed = {line.name for line in calibrate(alone, ALONE, looser=2.0) if not line.holds}
    assert {"odds ratio of ever overdue", "latent correlation of ever overdue"} <= missed


def test_the_ledger_view_warns_better_than_the_own_view_at_the_same_budget(table: Table) -> None:
    found = measure(table, seed=PLAN.seed, alerts_per_thousand=BUDGET)
    assert lift(found["ledger"], found["own"]) > 0.1
    assert found["ledger"].auc > found["own"].auc > 0.65
    assert lift(found["late"], found["own"]) < lift(found["ledger"], found["own"]) / 2
    assert found["ledger"].lead > 0


def test_where_credits_go_wrong_alone_the_ledger_view_adds_nothing(alone: list[Borrower]) -> None:
    table = read_points(alone, ALONE, late=False)
    found = measure(table, seed=PLAN.seed, views=("own", "ledger"), alerts_per_thousand=BUDGET)
    assert abs(lift(found["ledger"], found["own"])) <= 0.05
    assert abs(found["ledger"].auc - found["own"].auc) < 0.01


def test_a_scorecard_of_shuffled_labels_ranks_no_better_than_chance(table: Table) -> None:
    assert abs(shuffled(table, seed=PLAN.seed) - 0.5) < 0.03


def _decided(people: list[Borrower]) -> list[tuple[Borrower, tuple[int, int, int]]]:
    """A decision each of two hundred borrowers with several loans."""
    several = [person for person in people if len(person.loans) >= 3 and decision_days(person, PLAN)][:200]
    return [(person, decision_days(person, PLAN)[-1]) for person in several]


def test_no_event_learnt_after_a_decision_changes_its_readings(people: list[Borrower]) -> None:
    for person, decision in _decided(people):
        events = events_of(person, PLAN)
        on = FIRST_DAY + decision[0]
        past = [event for event in events if event.seen <= on]
        # learnt tomorrow: a copy of everything that has happened, and all that is still to come
        poison = [structs.replace(event, seen=on + 1) for event in past] + [
            event for event in events if event.seen > on
        ]
        assert read_decision(person, decision, past) == read_decision(person, decision, past + poison)


def test_an_event_learnt_by_the_day_of_a_decision_does_change_its_readings(people: list[Borrower]) -> None:
    for person, decision in _decided(people):
        on = FIRST_DAY + decision[0]
        past = [event for event in events_of(person, PLAN) if event.seen <= on]
        asked = Event(kind="enquiry", seen=on, day=on - 1, lender="a lender they never met")
        assert read_decision(person, decision, past) != read_decision(person, decision, [*past, asked])


def _cut(loan: Loan, day: int) -> Loan:
    """The loan as it stands that day, with nothing paid and nothing closed afterwards."""
    paid = tuple(met if met <= day else NEVER for met in loan.paid)
    return replace(loan, paid=paid, closed=loan.closed if loan.closed <= day else NEVER, charged_off=False)


def test_readings_do_not_depend_on_how_the_loans_will_be_paid(people: list[Borrower]) -> None:
    for person, decision in _decided(people):
        day = decision[0]
        ignorant = Borrower(
            person.number,
            [_cut(loan, day) for loan in person.loans if loan.opened <= day],
            [(on, lender) for on, lender in person.enquiries if on <= day],
        )
        expected = read_decision(person, decision, events_of(person, PLAN))
        assert read_decision(ignorant, decision, events_of(ignorant, PLAN)) == expected


def test_what_lenders_hold_of_a_loan_names_no_state_and_no_common_cause() -> None:
    assert [each.name for each in fields(Loan)] == [
        "lender", "kind", "opened", "principal", "instalment", "grade", "dues", "paid", "closed", "charged_off",
    ]  # fmt: skip


def test_a_larger_market_holds_the_smaller_ones_borrowers_unchanged(people: list[Borrower]) -> None:
    assert make_borrower(replace(PLAN, borrowers=9), 2) == people[2]


def test_rho_moves_no_draw_but_whom_a_loan_follows(people: list[Borrower], alone: list[Borrower]) -> None:
    for here, there in zip(people[:300], alone[:300], strict=True):
        assert here.enquiries == there.enquiries
        assert [(x.opened, x.lender, x.grade) for x in here.loans] == [
            (x.opened, x.lender, x.grade) for x in there.loans
        ]


def test_ties_are_measured_exactly_where_they_are_known() -> None:
    assert odds_ratio(60, 30, 10) == 4 * 60 * 10 / 900
    # independent: share 1/4 each, both 1/16
    assert latent_correlation(9, 6, 1) == 0.0
    # medians that agree in two pairs of three: sin(pi / 2 * (4 / 3 - 1)) = 0.5
    assert abs(latent_correlation(2, 2, 2) - 0.5) < 0.002
