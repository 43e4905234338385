"""Rules 1 to 11 of the domain, each with its test."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.attestation import credit_kinds as credit
from ledger.errors import NotFound, Refused
from ledger.loan.evergreening import Clearing, Opening, evergreened
from ledger.loan.explain import explain
from ledger.loan.probation import may_leave_default, probation_end
from ledger.loan.servicing.allocation import OUR_ORDER
from ledger.loan.supersession import Told
from ledger.view.credit_view import flags_of
from tests.ledger.loan.lives import KES, Life, loan
from tests.verifier.small_ledger import agreement


def test_rule_1_days_count_from_the_oldest_instalment_not_fully_met_and_a_part_payment_lessens_only_arrears() -> None:
    life = loan()
    assert (life.days("2019-01-10"), life.days("2019-01-11"), life.days("2019-02-20")) == ((0, 0), (1, 1), (41, 41))
    life.pays(109, "2019-01-20")
    assert (life.days("2019-02-20"), life.overdue("2019-02-20")) == ((41, 41), 111)
    life.pays(1, "2019-02-20")
    assert (life.days("2019-02-20"), life.overdue("2019-02-20")) == ((10, 10), 110)
    found = explain(life.on("2019-02-20")).instalment
    assert found is not None
    assert (found.n, found.due, found.missing) == (2, date(2019, 2, 10), (0, 0, 10, 100))


def test_rule_2_a_back_dated_payment_replays_and_yesterdays_view_stays_at_its_log_index() -> None:
    life = loan()
    life.pays(110, "2019-02-09")
    before = len(life.told) - 1
    assert life.days("2019-02-20") == (10, 10)
    assert life.days("2019-01-30") == (20, 20)
    life.pays(110, "2019-01-10")
    assert (life.days("2019-01-30"), life.days("2019-02-20")) == ((0, 0), (0, 0))
    assert (life.days("2019-01-30", before), life.days("2019-02-20", before)) == ((20, 20), (10, 10))
    assert [reason.rule for reason in explain(life.on("2019-02-20")).reasons] == [0, 1, 2]


def test_rule_3_payments_follow_the_agreements_own_twelve_slots_and_excess_rule() -> None:
    usual, reversed_order = loan(), loan(allocation_order=tuple(reversed(OUR_ORDER)), excess_rule="last")
    for life in (usual, reversed_order):
        life.pays(100, "2019-02-15")
    assert usual.on("2019-02-15").state.schedule[0] == (date(2019, 1, 10).toordinal(), 0, 0, 0, 10)
    # in advance before due before past due, principal first, the last instalment first
    assert [row[1:] for row in reversed_order.on("2019-02-15").state.schedule] == [
        (0, 0, 10, 100), (0, 0, 10, 100), (0, 0, 10, 0)
    ]  # fmt: skip
    assert (usual.days("2019-02-15"), reversed_order.days("2019-02-15")) == ((36, 36), (36, 36))
    told = next(reason for reason in explain(reversed_order.on("2019-02-15")).reasons if reason.rule == 3)
    assert [each.kind for each in told.attestations] == ["agreement"]


def test_rule_3_a_split_that_the_lender_declares_goes_where_it_says() -> None:
    life = loan()
    life.pays(100, "2019-01-10", allocated=credit.Allocation(principal=100))
    assert life.on("2019-01-11").state.schedule[0] == (date(2019, 1, 10).toordinal(), 0, 0, 10, 0)
    assert (life.days("2019-01-11"), life.overdue("2019-01-11")) == ((1, 1), 10)


def test_rule_4_grace_and_pauses_lessen_delinquent_days_and_never_the_days_past_due() -> None:
    life = loan(grace_days=3)
    life.say(credit.Pause(cause="flood", start=date(2019, 1, 15), until=date(2019, 1, 20)), "2019-01-15")
    life.say(credit.Pause(cause="flood", start=date(2019, 1, 18), until=date(2019, 1, 25)), "2019-01-16")
    assert life.days("2019-01-13") == (3, 0)
    assert life.days("2019-01-30") == (20, 7)
    life.say(credit.Resume(cause="over"), "2019-01-19")
    assert life.days("2019-01-30") == (20, 13)
    told = next(reason for reason in explain(life.on("2019-01-30")).reasons if reason.rule == 4)
    assert [each.kind for each in told.attestations] == ["agreement", "pause", "pause", "resume"]


def test_rule_5_a_due_date_on_a_holiday_moves_before_anything_is_counted() -> None:
    def due_on_a_saturday(**terms: str) -> Life:
        life = Life()
        life.say(agreement(grace_days=0, **terms), "2026-01-02")
        life.say(credit.Disbursement(amount=300, tranche=1, **KES), "2026-01-02")
        life.plans("2026-01-02", ("2026-02-28", 300, 0))
        return life

    assert due_on_a_saturday().days("2026-03-05") == (5, 5)
    assert due_on_a_saturday(business_day_convention="F", calendar="KE").days("2026-03-05") == (3, 3)
    assert due_on_a_saturday(business_day_convention="MF", calendar="KE").days("2026-03-05") == (6, 6)
    assert due_on_a_saturday(business_day_convention="P").days("2026-03-05") == (6, 6)
    with pytest.raises(NotFound) as caught:
        due_on_a_saturday(business_day_convention="F", calendar="ZZ")
    assert caught.value.code == "calendar_unknown"


def test_rule_6_materiality_is_the_packs_and_never_hides_a_day_or_an_amount() -> None:
    life = loan()
    life.pays(109, "2019-01-10")
    assert (life.days("2019-01-20"), life.overdue("2019-01-20")) == ((10, 10), 1)


def test_rule_6_an_operators_fault_leaves_by_a_signed_correction() -> None:
    life = loan()
    wrong = life.pays(11, "2019-01-10")
    right = life.pays(110, "2019-01-10")
    life.corrects(wrong, right, "2019-01-25")
    assert (life.days("2019-01-30"), life.on("2019-01-30").state.paid) == ((0, 0), 110)


def test_rule_7_re_ageing_moves_old_unmet_rows_sets_forborne_and_keeps_the_days_at_restructuring() -> None:
    life = loan()
    life.pays(50, "2019-01-10")
    again = life.plans("2019-03-01", ("2019-04-01", 140, 10), ("2019-05-01", 140, 10), cause="restructure")
    restructure = credit.Restructure(forborne=True, loss_bp=0, schedule=again, type="re_age")
    life.say(restructure, "2019-03-01")
    assert life.days("2019-02-28") == (49, 49)
    assert life.days("2019-03-01") == (0, 0)
    state = life.on("2019-03-02").state
    assert (state.forborne, state.restructured, state.restructured_dpd) == (True, date(2019, 3, 1), 50)
    assert (state.balance, life.days("2019-04-11")) == (300, (10, 10))
    assert next(r for r in explain(life.on("2019-03-02")).reasons if r.rule == 7).sentence.startswith(
        "Restructured on 2019-03-01 with 50 days past due"
    )


def test_rule_8_default_ends_with_the_packs_probation_and_not_with_a_payment() -> None:
    life = loan()
    life.say(credit.Default(trigger="days_past_due"), "2019-04-11")
    life.pays(330, "2019-04-12")
    assert "defaulted" in flags_of(life.on("2019-04-12").state, date(2019, 4, 12))
    end = probation_end(date(2019, 4, 12), months=3)
    assert (end, probation_end(date(2019, 11, 30), months=3)) == (date(2019, 7, 12), date(2020, 2, 29))
    assert not may_leave_default(clean_since=date(2019, 4, 12), as_of=date(2019, 7, 11), months=3)
    assert may_leave_default(clean_since=date(2019, 4, 12), as_of=end, months=3)
    assert not may_leave_default(clean_since=None, as_of=end, months=0)
    assert not may_leave_default(clean_since=date(2019, 4, 12), as_of=end, months=3, observation_start=date(2019, 5, 1))
    life.say(credit.Cure(probation_end=end), "2019-04-13")
    state = life.on("2019-04-13").state
    assert "defaulted" in flags_of(state, date(2019, 7, 11))
    assert "defaulted" not in flags_of(state, end)
    assert state.defaulted == date(2019, 4, 11)


def test_rule_9_a_reversal_after_closure_reopens_and_days_count_from_the_original_due_date() -> None:
    life = loan()
    first = life.pays(110, "2019-01-10")
    life.pays(220, "2019-02-10")
    life.say(credit.Closure(cause="paid"), "2019-02-11")
    assert (life.stage("2019-02-12"), life.on("2019-02-12").state.closed) == ("paid", date(2019, 2, 11))
    closed_at = len(life.told) - 1
    life.takes_back(first, 110, "2019-03-01")
    state = life.on("2019-03-01").state
    assert (state.stage, state.closed, state.balance) == ("active", None, 110)
    # the second payment meets the first instalment, so the oldest that is unmet now is the last
    assert (life.days("2019-03-20"), life.overdue("2019-03-20")) == ((10, 10), 110)
    assert life.stage("2019-02-12") == "paid"
    assert life.on("2019-03-20", closed_at).state.stage == "paid"


def test_rule_9_by_the_books_too_the_original_day_comes_back() -> None:
    life = Life()
    life.say(agreement(), "2018-01-01")
    life.books("2018-03-10", balance=900, dpd=31, past_due=40, status="past_due")
    cleared = life.pays(40, "2018-03-15")
    assert life.days("2018-03-20")[0] == 0
    life.takes_back(cleared, 40, "2018-03-20")
    found = life.on("2018-03-20")
    assert (found.arrears.since, found.arrears.amount, found.state.balance) == (date(2018, 2, 7), 40, 900)


def test_rule_9_a_statement_made_in_between_does_not_hide_what_was_taken_back() -> None:
    life = loan()
    paid = life.pays(110, "2019-01-10")
    life.books("2019-01-31", balance=220, dpd=0, past_due=0)
    life.takes_back(paid, 110, "2019-02-05")
    found = life.on("2019-02-05")
    assert (found.arrears.since, found.arrears.amount, found.state.balance) == (date(2019, 1, 10), 110, 330)


def test_rule_10_a_loan_within_a_week_of_a_payment_that_clears_a_late_account_is_evergreening() -> None:
    on, account = date(2019, 5, 10), b"\x01" * 32

    def paying(paid: int = 80, late_on: date | None = date(2019, 4, 10)) -> list[Clearing]:
        return [Clearing("acacia", account, on, owed_before=100, paid=paid, late_on=late_on)]

    def opened(day: int, lender: str = "baobab", which: bytes = b"\x02" * 32) -> list[Opening]:
        return [Opening(lender, which, date(2019, 5, day))]

    assert evergreened(paying(), opened(17)) == [(paying()[0], opened(17)[0])]
    assert evergreened(paying(), opened(10, "acacia")) != []
    assert evergreened(paying(), opened(18)) == []
    assert evergreened(paying(), opened(9)) == []
    assert evergreened(paying(79), opened(17)) == []
    assert evergreened(paying(late_on=None), opened(17)) == []
    assert evergreened(paying(late_on=date(2019, 4, 9)), opened(17)) == []
    assert evergreened(paying(), opened(12, "acacia", account)) == []


def test_rule_11_after_charge_off_or_write_off_days_stop_and_the_first_delinquency_is_fixed() -> None:
    life = loan()
    charged = credit.ChargeOff(amount=330, first_delinquency=date(2019, 1, 11), original_amount=330, **KES)
    life.say(charged, "2019-06-10")
    restated = credit.ChargeOff(amount=330, first_delinquency=date(2019, 5, 1), original_amount=330, **KES)
    life.say(restated, "2019-07-10")
    state = life.on("2025-01-01").state
    assert (life.days("2019-06-09"), life.days("2025-01-01"), life.stage("2025-01-01")) == (
        (150, 150),
        (151, 151),
        "active",
    )
    assert (state.charged_off, state.first_delinquency) == (date(2019, 6, 10), date(2019, 1, 11))
    assert [r.rule for r in explain(life.on("2025-01-01")).reasons] == [0, 1, 11]
    other = loan()
    other.say(credit.Closure(cause="written_off"), "2019-06-10")
    assert (other.days("2025-01-01"), other.stage("2025-01-01")) == ((151, 151), "written_off")


def test_the_rules_hold_for_what_is_refused_too() -> None:
    life = loan()
    paid = life.pays(110, "2019-01-10")
    with pytest.raises(Refused) as caught:
        life.takes_back(paid, 111, "2019-01-12")
    assert (caught.value.code, caught.value.expected) == ("reversal_exceeds", "<= 110")
    life.takes_back(paid, 110, "2019-01-12")
    with pytest.raises(Refused) as caught:
        life.takes_back(paid, 1, "2019-01-13")
    assert caught.value.code == "reversal_exceeds"
    with pytest.raises(Refused) as caught:
        life.takes_back(life.told[0].id, 1, "2019-01-13")
    assert caught.value.code == "reversal_unknown"
    assert isinstance(life.told[-1], Told) and life.told[-1].kind == "reversal"
