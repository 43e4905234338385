"""A loan day by day: each passage is the fold of its day, and between two of them nothing changes."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.attestation import credit_kinds as credit
from ledger.loan.account import account
from ledger.loan.course import course, states_on
from ledger.loan.replay import Replay
from tests.ledger.loan.lives import loan
from tests.support.random_loans import random_life, told_of

DAY = timedelta(days=1)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 25), jumps=st.sampled_from((0, 5, 30)))
def test_the_state_of_each_day_is_the_fold_of_that_day(seed: int, steps: int, jumps: int) -> None:
    life, _ = random_life(Random(seed), steps, jumps=jumps)
    told = told_of(life)
    dated = sorted({each.attestation.envelope.effective_date for each in told})
    days = sorted({day + shift for day in dated for shift in (-DAY, timedelta(0), DAY)})
    then = [account(told, as_of=day) for day in days]
    assert states_on(told, days) == [each.state if each.counted else None for each in then]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 15))
def test_between_two_passages_nothing_changes(seed: int, steps: int) -> None:
    life, _ = random_life(Random(seed), steps)
    told = told_of(life)
    dated = [each.attestation.envelope.effective_date for each in told]
    if not dated:
        return
    until = max(dated) + 200 * DAY
    passages = course(told, until)
    assert [each.day for each in passages] == sorted({each.day for each in passages})
    for day in [min(dated) + n * DAY for n in range(0, (until - min(dated)).days, 3)]:
        there = [each for each in passages if each.day <= day][-1]
        then = account(told, as_of=day)
        assert (there.state, there.late.since, there.late.amount) == (
            then.state, then.arrears.since, then.arrears.amount,
        ), day  # fmt: skip


def test_a_loan_that_is_paid_late_has_a_passage_for_each_change() -> None:
    life = loan()
    life.pays(110, "2019-01-20")
    found = [(each.day.isoformat(), each.late.amount) for each in course(life.told, date(2019, 3, 31))]
    assert found == [
        ("2019-01-01", 0), ("2019-01-11", 110), ("2019-01-20", 0), ("2019-02-11", 110), ("2019-03-11", 220),
    ]  # fmt: skip


def test_a_chain_in_the_order_of_its_days_is_never_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    life = loan()
    life.pays(110, "2019-01-20")
    monkeypatch.setattr(Replay, "__init__", None)
    assert len(course(life.told, date(2019, 3, 31))) == 5


def test_one_payment_that_is_told_late_is_there_on_its_own_day() -> None:
    life = loan()
    life.say(credit.Default(trigger="unlikely_to_pay"), "2019-02-20")
    life.pays(110, "2019-01-09")
    days = [date(2019, 1, 8), date(2019, 1, 9), date(2019, 2, 20)]
    assert [state and state.paid for state in states_on(life.told, days)] == [0, 110, 110]
    assert states_on(life.told, [date(2018, 12, 31)]) == [None]
    assert course([], date(2019, 1, 1)) == []
