"""What was overdue on every day, from a loan's own events: the history that the rules of default count in."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.attestation import credit_kinds as credit
from ledger.loan.account import account
from ledger.view.debt_history import debt_history
from tests.ledger.loan.lives import Life, loan
from tests.support.random_loans import random_life, told_of
from tests.verifier.small_ledger import agreement

END = date(2020, 6, 30)


def amounts(life: Life, until: date = END) -> list[tuple[str, int | None, int | None]]:
    """(day, past due, exposure) of each step."""
    return [(step.since.isoformat(), step.past_due, step.exposure) for step in debt_history(life.told, until)]


def flagged(life: Life, name: str, until: date = END) -> list[str]:
    """The days of the steps that carry a flag."""
    return [step.since.isoformat() for step in debt_history(life.told, until) if getattr(step, name)]


def books_only(*months: tuple[str, dict[str, Any]]) -> Life:
    """A loan that is known from its lender's books alone."""
    life = Life()
    life.say(agreement(grace_days=0, principal=300), "2019-01-01")
    for on, facts in months:
        life.books(on, **({"currency": "KES", "balance": 300, "status": "past_due"} | facts))
    return life


def test_a_plan_gives_the_arrears_of_each_day() -> None:
    life = loan()
    life.pays(60, "2019-01-20")
    life.pays(50, "2019-02-01")
    assert amounts(life, date(2019, 2, 28)) == [
        ("2019-01-01", 0, 330), ("2019-01-11", 110, 330), ("2019-01-20", 50, 270), ("2019-02-01", 0, 220),
        ("2019-02-11", 110, 220),
    ]  # fmt: skip


def test_a_payment_told_late_counts_from_its_value_date_and_one_that_went_back_never() -> None:
    late, back = loan(), loan()
    late.books("2019-02-05", status=None)
    late.pays(110, "2019-01-10")
    assert [row for row in amounts(late, date(2019, 2, 10)) if row[1]] == []
    paid = back.pays(110, "2019-01-10")
    back.takes_back(paid, 110, "2019-02-05")
    assert amounts(back, date(2019, 2, 4)) == [("2019-01-01", 0, 330), ("2019-01-10", 0, 220)]
    assert amounts(back, date(2019, 2, 6)) == [
        ("2019-01-01", 0, 330), ("2019-01-10", 0, 220), ("2019-01-11", 110, 220), ("2019-02-05", 110, 330),
    ]  # fmt: skip


def test_a_statement_counts_from_the_day_that_it_names() -> None:
    life = books_only(("2019-01-31", {"status": "current", "dpd": 0}), ("2019-02-28", {"dpd": 20, "past_due": 90}))
    assert amounts(life) == [
        ("2019-01-01", 0, None), ("2019-01-31", 0, 300), ("2019-02-09", 90, 300), ("2019-02-28", 90, 300),
    ]  # fmt: skip


def test_a_reversal_in_the_midst_of_arrears_raises_what_was_overdue_before_it() -> None:
    life = loan()
    paid = life.pays(110, "2019-01-10")
    life.pays(50, "2019-02-15")
    life.takes_back(paid, 110, "2019-03-01")
    assert [row[:2] for row in amounts(life, date(2019, 3, 5))] == [
        ("2019-01-01", 0), ("2019-01-10", 0), ("2019-01-11", 60), ("2019-02-11", 170), ("2019-02-15", 170),
        ("2019-03-01", 170),
    ]  # fmt: skip


def test_what_was_known_before_a_statement_stays() -> None:
    life = books_only(("2019-02-28", {"dpd": 20, "past_due": 90}), ("2019-03-31", {"dpd": 51, "past_due": 180}))
    assert [(day, past_due) for day, past_due, _ in amounts(life)] == [
        ("2019-01-01", 0), ("2019-02-09", 90), ("2019-02-28", 90), ("2019-03-31", 180),
    ]  # fmt: skip


def test_an_amount_that_nobody_stated_is_not_known_and_arrears_that_nobody_named_are_none() -> None:
    life = books_only(("2019-03-31", {"dpd": 20, "past_due": None, "balance": None}))
    assert amounts(life) == [
        ("2019-01-01", 0, None), ("2019-03-12", None, None), ("2019-03-31", None, None),
    ]  # fmt: skip


def test_another_default_than_by_days_lasts_until_its_cure_and_the_cure_counts_from_the_probations_end() -> None:
    life = loan()
    life.say(credit.Default(trigger="unlikely_to_pay"), "2019-01-05")
    life.say(credit.Cure(probation_end=date(2019, 6, 1)), "2019-02-20")
    assert flagged(life, "unlikely_to_pay") == ["2019-01-05", "2019-01-11", "2019-02-11"]
    assert flagged(life, "cured") == ["2019-06-01"]
    assert flagged(life, "cured", date(2019, 5, 31)) == []


def test_a_default_by_days_is_declared_on_its_day_alone() -> None:
    life = loan()
    life.say(credit.Default(trigger="days_past_due"), "2019-04-15")
    assert (flagged(life, "declared"), flagged(life, "unlikely_to_pay")) == (["2019-04-15"], [])


def test_a_deleted_default_was_never_declared() -> None:
    life = loan()
    told = life.say(credit.Default(trigger="unlikely_to_pay"), "2019-01-05")
    life.deletes(told, "2019-01-06")
    assert flagged(life, "unlikely_to_pay") == []
    assert flagged(life, "unlikely_to_pay", date(2019, 1, 5)) == ["2019-01-05"], "nobody knew better on that day"


def test_a_charge_off_is_a_condition_from_its_day_on() -> None:
    life = loan()
    life.say(credit.ChargeOff(amount=330, original_amount=330, currency="KES"), "2019-03-01")
    assert flagged(life, "unlikely_to_pay") == ["2019-03-01"]


def test_only_forbearance_makes_a_loan_forborne_and_the_newest_counts() -> None:
    life = loan()
    life.say(credit.Restructure(forborne=False, loss_bp=0, type="extend"), "2019-01-03")
    assert flagged(life, "forborne") == []
    for on in ("2019-01-20", "2019-02-20"):
        life.say(credit.Restructure(forborne=True, loss_bp=0, type="extend"), on)
    steps = debt_history(life.told, END)
    assert (steps[0].restructured, steps[-1].restructured) == (None, date(2019, 2, 20))
    assert [step.restructured for step in steps if step.since == date(2019, 1, 20)] == [date(2019, 1, 20)]


def test_a_loan_that_ended_owes_nothing() -> None:
    life = loan()
    life.say(credit.Closure(cause="settled_short"), "2019-03-01")
    assert amounts(life)[-1] == ("2019-03-01", 0, None)
    assert debt_history(life.told, date(2018, 12, 31)) == []


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 15))
def test_steps_are_in_order_and_never_say_less_than_the_fold_of_their_day(seed: int, steps: int) -> None:
    life, _ = random_life(Random(seed), steps)
    told = told_of(life)
    until = max((each.attestation.envelope.effective_date for each in told), default=END) + timedelta(days=100)
    history = debt_history(told, until)
    assert [step.since for step in history] == sorted({step.since for step in history})
    for step in history:
        then = account(told, as_of=step.since)
        if then.state.stage == "active" and then.arrears.amount and step.past_due is not None:
            assert step.past_due >= then.arrears.amount
