"""A whole account on any day and at any log index: what is superseded, undone, taken over, secured and refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.errors import Refused
from ledger.loan.account import account
from ledger.loan.state import Links
from ledger.loan.supersession import Told, effective
from tests.ledger.loan.lives import KES, Life, loan
from tests.verifier.small_ledger import agreement


def test_a_correction_puts_what_is_right_in_the_place_of_what_was_wrong_and_rewrites_nothing() -> None:
    life = Life()
    life.say(agreement(principal=300), "2019-01-01")
    wrong = life.say(credit.Disbursement(amount=3_000, tranche=1, **KES), "2019-01-01")
    life.pays(100, "2019-01-20")
    right = life.say(credit.Disbursement(amount=300, tranche=1, **KES), "2019-01-01")
    life.corrects(wrong, right, "2019-01-25")
    found = life.on("2019-01-25")
    assert (found.state.balance, found.state.disbursed, found.state.stage) == (200, 300, "active")
    assert [each.told.kind for each in found.counted] == ["agreement", "disbursement", "repayment", "correction"]
    assert found.counted[1].told.id == right
    assert life.on("2019-01-25", known_at=2).state.balance == 2_900
    assert len(life.told) == found.state.events == 5


def test_a_correction_may_not_name_what_is_not_on_the_account() -> None:
    life = loan()
    target = life.told[1].id
    with pytest.raises(Refused) as caught:
        life.corrects(
            target, life.ledger.attest("acacia", agreement(), "2019-01-01", b"\x0d" * 32).envelope.id, "2019-02-01"
        )
    assert (caught.value.code, caught.value.path) == ("replacement_unknown", "$.body.replacement")


def test_a_deletion_that_is_deleted_brings_back_what_it_took_out() -> None:
    life = loan()
    paid = life.pays(110, "2019-01-10")
    gone = life.deletes(paid, "2019-01-15")
    assert life.days("2019-01-20") == (10, 10)
    life.deletes(gone, "2019-01-16")
    assert life.days("2019-01-20") == (0, 0)
    assert [each.told.kind for each in life.on("2019-01-20").counted] == [
        "agreement", "disbursement", "schedule", "repayment", "deletion",
    ]  # fmt: skip


def test_a_deletion_of_what_is_not_on_the_account_changes_nothing_here() -> None:
    life = loan()
    before = life.on("2019-02-01").state.balance
    life.deletes(life.ledger.attest("acacia", agreement(), "2019-01-01", b"\x0d" * 32).envelope.id, "2019-01-15")
    assert life.on("2019-02-01").state.balance == before == 330


def test_to_undo_a_disbursement_is_to_delete_it_and_only_before_the_first_payment() -> None:
    life = Life()
    life.say(agreement(), "2019-01-01")
    out = life.say(credit.Disbursement(amount=300, tranche=1, **KES), "2019-01-02")
    gone = life.deletes(out, "2019-01-03")
    assert (life.stage("2019-01-03"), life.on("2019-01-03").state.disbursed) == ("approved", 0)
    life.deletes(gone, "2019-01-04")
    life.pays(10, "2019-01-05")
    with pytest.raises(Refused) as caught:
        life.deletes(out, "2019-01-06")
    assert caught.value.code == "transition_refused"
    assert life.stage("2019-01-06") == "active"


def test_a_write_off_is_undone_by_deleting_it() -> None:
    life = loan()
    ended = life.say(credit.Closure(cause="written_off"), "2019-05-01")
    assert life.stage("2019-05-01") == "written_off"
    life.deletes(ended, "2019-05-02")
    assert (life.stage("2019-05-02"), life.days("2019-05-02")) == ("active", (112, 112))


def test_a_plan_that_is_told_before_the_money_goes_out_is_not_owed_twice() -> None:
    life = Life()
    life.say(agreement(), "2019-01-01")
    life.plans("2019-01-01", ("2019-01-10", 300, 10))
    life.say(credit.Disbursement(amount=300, tranche=1, **KES), "2019-01-02")
    assert life.on("2019-01-02").state.balance == 310
    life.say(credit.Disbursement(amount=50, tranche=2, **KES), "2019-01-03")
    assert life.on("2019-01-03").state.balance == 360


def test_tranches_and_versions_of_the_plan_add_up() -> None:
    life = loan()
    life.pays(110, "2019-01-10")
    life.say(credit.Disbursement(amount=200, tranche=2, **KES), "2019-01-15")
    assert life.on("2019-01-15").state.balance == 420
    life.plans("2019-01-15", ("2019-02-10", 200, 15), ("2019-03-10", 200, 10), cause="disbursement")
    state = life.on("2019-01-16").state
    assert (state.disbursed, state.balance, state.loose) == (500, 425, 0)
    assert [(row[0], sum(row[1:])) for row in state.schedule] == [
        (date(2019, 2, 10).toordinal(), 215), (date(2019, 3, 10).toordinal(), 210),
    ]  # fmt: skip


def test_a_new_version_of_the_plan_leaves_what_was_due_before_its_first_instalment_unmet() -> None:
    life = loan()
    life.plans("2019-02-01", ("2019-02-10", 100, 5), ("2019-03-10", 100, 5), cause="rate_change")
    assert (life.days("2019-02-05"), life.on("2019-02-05").state.balance) == ((26, 26), 320)


def test_a_corrected_plan_was_so_from_the_first_day() -> None:
    life = loan()
    life.pays(50, "2019-01-10")
    assert life.days("2019-01-20") == (10, 10)
    life.plans("2019-02-01", ("2019-01-10", 50, 0), ("2019-02-10", 250, 0), cause="correction")
    assert (life.days("2019-02-01"), life.on("2019-02-01").state.balance) == ((0, 0), 250)


def test_an_overpayment_is_owed_to_the_borrower_until_it_is_refunded() -> None:
    life = loan()
    paid = life.pays(340, "2019-01-10")
    assert (life.stage("2019-01-10"), life.on("2019-01-10").state.balance) == ("overpaid", -10)
    life.takes_back(paid, 10, "2019-01-12", cause="refund")
    state = life.on("2019-01-12").state
    assert (state.stage, state.balance, state.closed) == ("paid", 0, date(2019, 1, 10))


def test_taking_back_a_part_of_what_overpaid_leaves_nothing_owed() -> None:
    life = loan()
    paid = life.pays(340, "2019-01-10")
    life.takes_back(paid, 10, "2019-01-12")
    assert (life.stage("2019-01-12"), life.on("2019-01-12").state.balance) == ("paid", 0)


def test_a_back_dated_payment_that_the_books_did_not_know_of_meets_what_they_called_overdue() -> None:
    life = loan()
    life.books("2019-01-31", balance=330, dpd=21, past_due=110, status="past_due")
    life.pays(110, "2019-01-30")
    found = life.on("2019-02-01")
    assert (found.arrears.days, found.arrears.amount, found.state.balance) == (0, 0, 220)
    assert life.on("2019-02-01", known_at=3).arrears.days == 22


def test_old_terms_that_are_told_again_change_nothing_of_what_the_books_said() -> None:
    life = Life()
    life.say(agreement(), "2019-01-01")
    life.books("2019-02-28", balance=0, status="charged_off")
    life.books("2019-04-02", dpd=190, past_due=0, status="charged_off")
    before = life.state
    life.say(agreement(), "2019-02-14")
    after = life.on("2019-04-02").state
    assert before is not None
    assert (after.stage, after.cleared, after.since) == ("active", 0, before.since)
    assert (after.balance, after.past_due) == (0, 0)


def test_a_corrected_plan_is_news_to_the_books_that_spoke_before_it() -> None:
    life = Life()
    life.say(agreement(), "2019-01-01")
    life.say(credit.Disbursement(amount=300, tranche=1, **KES), "2019-01-01")
    life.books("2019-02-28", balance=300, dpd=0, past_due=0)
    life.plans("2019-03-05", ("2019-02-10", 100, 5), ("2019-04-10", 200, 5), cause="correction")
    found = life.on("2019-03-05")
    assert (found.arrears.since, found.arrears.amount, found.state.balance) == (date(2019, 2, 10), 105, 310)
    assert life.on("2019-03-05", known_at=2).arrears.days == 0


def test_books_know_of_the_closure_of_a_day_before_them_that_is_told_after_them() -> None:
    life = Life()
    life.say(agreement(principal=100), "2025-01-01")
    life.books("2025-12-31", balance=100, dpd=0, past_due=0)
    life.books("2026-01-31", balance=0, status="closed")
    assert (life.stage("2026-01-31"), life.on("2026-01-31").state.balance) == ("active", 0)
    closed = life.say(credit.Closure(cause="paid"), "2026-01-20")
    state = life.on("2026-01-31").state
    assert (state.stage, state.balance, state.closed) == ("paid", 0, date(2026, 1, 20))
    assert (life.stage("2026-01-19"), life.on("2026-01-19").state.balance) == ("active", 100)
    life.deletes(closed, "2026-02-01")
    assert (life.stage("2026-02-01"), life.on("2026-02-01").state.balance) == ("active", 0)


def test_books_of_an_earlier_day_that_are_told_later_change_nothing_that_later_books_said() -> None:
    either = []
    for order in (("2025-12-31", 100), ("2026-01-31", 0)), (("2026-01-31", 0), ("2025-12-31", 100)):
        life = Life()
        life.say(agreement(principal=300), "2025-01-01")
        for day, balance in order:
            life.say(credit.StatusSnapshot(balance=balance, status="current", **KES), day)
        found = life.on("2026-02-01").state
        either.append((found.balance, found.as_of, found.grid, found.stage))
    assert either[0] == either[1]
    assert either[0][0] == 0


def test_what_books_say_is_owed_after_a_closure_stands_though_the_closure_is_told_after_them() -> None:
    life = Life()
    life.say(agreement(principal=100), "2025-01-01")
    life.books("2025-12-31", balance=100, dpd=0, past_due=0)
    life.books("2026-01-31", balance=40, dpd=11, past_due=40, status="past_due")
    life.say(credit.Closure(cause="paid"), "2026-01-20")
    found = life.on("2026-01-31")
    assert (found.state.stage, found.state.balance, found.arrears.days) == ("active", 40, 11)


def test_a_payment_that_goes_back_after_both_is_owed_though_the_closure_is_told_after_the_books() -> None:
    life = loan()
    paid = life.pays(330, "2019-01-10")
    life.books("2019-01-31", balance=0, dpd=0, past_due=0, status="closed")
    life.say(credit.Closure(cause="paid"), "2019-01-12")
    assert (life.stage("2019-01-31"), life.on("2019-01-31").state.balance) == ("paid", 0)
    life.takes_back(paid, 330, "2019-02-05")
    assert (life.stage("2019-02-05"), life.on("2019-02-05").state.balance) == ("active", 330)
    assert life.days("2019-02-05") == (26, 26)


def test_a_late_payment_of_the_time_before_a_closure_that_knew_of_it_is_not_put_on_top_of_later_books() -> None:
    life = Life()
    life.say(agreement(principal=100), "2025-01-01")
    life.books("2025-12-31", balance=100, dpd=0, past_due=0)
    life.books("2026-01-31", balance=0, dpd=0, past_due=0, status="closed")
    life.pays(100, "2026-01-10")
    life.say(credit.Closure(cause="paid"), "2026-01-20")
    state = life.on("2026-01-31").state
    assert (state.stage, state.balance, state.closed) == ("paid", 0, date(2026, 1, 20))


def test_a_payment_that_the_books_knew_of_is_not_counted_twice() -> None:
    life = loan()
    life.pays(60, "2019-01-30")
    life.books("2019-01-31", balance=270, dpd=21, past_due=50, status="past_due")
    found = life.on("2019-02-01")
    assert (found.arrears.days, found.arrears.amount, found.state.balance) == (22, 50, 270)


def test_a_sold_loan_keeps_its_history_and_both_accounts_name_each_other() -> None:
    seller, buyer, here = loan(), Life(), b"\x0c" * 32
    seller.books("2019-02-28", balance=330, dpd=49, past_due=220, status="past_due")
    seller.say(
        credit.Transfer(balance=330, buyer="baobab", new_account=b"\x0e" * 32, seller="acacia", **KES), "2019-03-01"
    )
    buyer.say(agreement(predecessor=here, predecessor_lender="acacia"), "2019-03-01")
    buyer.books("2019-03-31", balance=330, dpd=80, past_due=330, status="past_due")
    sold = seller.on("2020-01-01")
    assert (sold.state.stage, sold.state.grid, sold.successor) == ("sold", "1", b"\x0e" * 32)
    assert (sold.arrears.days, sold.state.closed) == (50, date(2019, 3, 1))
    assert buyer.on("2019-04-01").predecessor == ("acacia", here)
    assert sold.state.links == Links(successor=b"\x0e" * 32, buyer="baobab")
    assert buyer.state is not None
    assert buyer.state.links == Links(predecessor=here, predecessor_lender="acacia")
    assert (buyer.days("2019-04-01")[0], buyer.on("2019-04-01").arrears.since) == (81, date(2019, 1, 10))
    with pytest.raises(Refused):
        seller.pays(1, "2019-03-02")


def test_a_transfer_to_another_buyer_and_another_account_leave_no_half_of_a_link() -> None:
    life = loan()
    sale = {"balance": 330, "seller": "acacia", **KES}
    life.say(credit.Transfer(buyer="baobab", new_account=b"\x0e" * 32, **sale), "2019-03-01")
    life.say(credit.Transfer(buyer="baobab", **sale), "2019-04-01")
    assert life.on("2019-04-01").state.links == Links(successor=b"\x0e" * 32, buyer="baobab")
    life.say(credit.Transfer(buyer="cedar", **sale), "2019-05-01")
    assert life.on("2019-05-01").state.links == Links(buyer="cedar")
    life.say(credit.Closure(cause="transferred", new_account=b"\x0f" * 32), "2019-06-01")
    assert life.on("2019-06-01").state.links == Links(successor=b"\x0f" * 32)
    assert loan().on("2019-04-01").state.links is None


def test_a_sale_that_was_deleted_leaves_no_link() -> None:
    life = loan()
    sale = credit.Transfer(balance=330, buyer="baobab", new_account=b"\x0e" * 32, seller="acacia", **KES)
    life.deletes(life.say(sale, "2019-03-01"), "2019-03-02")
    assert (life.stage("2019-03-03"), life.on("2019-03-03").successor) == ("active", None)
    assert life.on("2019-03-01").state.links is not None


def test_a_refinanced_loan_names_the_one_that_took_its_place() -> None:
    life = loan()
    life.say(credit.Closure(cause="refinanced", new_account=b"\x0f" * 32), "2019-02-01")
    assert (life.stage("2019-02-01"), life.on("2019-02-01").successor) == ("refinanced", b"\x0f" * 32)


def test_guarantees_and_collateral_stand_by_rank_until_they_are_released() -> None:
    life = loan()
    life.say(credit.Guarantee(cap=50, guarantor=b"\x01" * 32, type="person", **KES), "2019-01-02")

    def pledge(item: bytes, rank: int, released: date | None = None) -> credit.Collateral:
        return credit.Collateral(
            item=item, kind="car", lien_rank=rank, released=released, value=9, valued_on=date(2019, 1, 1), **KES
        )

    life.say(pledge(b"\x02" * 32, 2), "2019-01-02")
    life.say(pledge(b"\x03" * 32, 1), "2019-01-03")
    found = life.on("2019-02-01")
    assert [body.lien_rank for body in found.collateral] == [1, 2]
    assert [body.cap for body in found.guarantees] == [50]
    life.say(pledge(b"\x03" * 32, 1, date(2019, 3, 1)), "2019-02-20")
    assert [body.lien_rank for body in life.on("2019-02-28").collateral] == [1, 2]
    assert [body.lien_rank for body in life.on("2019-03-01").collateral] == [2]


def test_recoveries_add_up_beside_the_money() -> None:
    life = loan()
    life.say(credit.Closure(cause="written_off"), "2019-05-01")
    for gross in (30, 20):
        life.say(credit.Recovery(cost=4, gross=gross, source="cash", **KES), "2019-06-01")
    found = life.on("2019-06-01")
    assert (found.state.stage, found.recovered, found.state.balance) == ("recovered", (50, 8), 330)


def test_an_insolvency_stands_beside_the_account_until_it_is_discharged() -> None:
    life = loan()
    body = credit.Insolvency(discharged=date(2020, 1, 1), filed=date(2019, 5, 1), type="bankruptcy")
    beside = [Told(9, life.ledger.attest("acacia", body, "2019-05-01"))]
    found = account(life.told, as_of=date(2019, 6, 1), beside=beside)
    assert found.insolvencies == [body]
    assert found.state == account(life.told, as_of=date(2019, 6, 1)).state
    assert account(life.told, as_of=date(2020, 1, 1), beside=beside).insolvencies == []
    assert account(life.told, as_of=date(2019, 4, 30), beside=beside).insolvencies == []
    assert account(life.told, as_of=date(2019, 6, 1), known_at=8, beside=beside).insolvencies == []


def test_the_newest_word_on_an_insolvency_counts_and_one_that_was_deleted_does_not() -> None:
    life, court = loan(), b"\x07" * 32

    def told(entry: int, on: str, **facts: Any) -> Told:
        body = credit.Insolvency(filed=date(2019, 5, 1), type="bankruptcy", **facts)
        return Told(entry, life.ledger.attest("acacia", body, on))

    beside = [told(9, "2019-05-01", court_ref=court), told(10, "2019-05-02")]
    later = [*beside, told(11, "2019-08-01", court_ref=court, discharged=date(2019, 8, 1))]
    day = date(2019, 9, 1)
    assert account(life.told, as_of=day, beside=beside).insolvencies == [beside[0].body, beside[1].body]
    assert account(life.told, as_of=day, beside=later).insolvencies == [beside[1].body]
    life.deletes(beside[1].id, "2019-08-15")
    assert account(life.told, as_of=day, beside=later).insolvencies == []


def test_a_day_to_come_is_the_present_plan_with_nothing_more_paid() -> None:
    life = loan()
    life.pays(110, "2019-01-10")
    assert (life.days("2019-01-11"), life.days("2019-02-20"), life.days("2019-04-01")) == ((0, 0), (10, 10), (50, 50))
    assert life.overdue("2019-04-01") == 220


def test_a_day_before_an_event_does_not_know_of_it_and_an_event_without_its_place_waits() -> None:
    life = loan()
    life.say(credit.ChargeOff(amount=1, original_amount=1, **KES), "2019-06-10")
    assert life.on("2019-06-09").state.charged_off is None
    early = Life()
    early.say(agreement(), "2019-02-01")
    early.say(credit.Disbursement(amount=300, tranche=1, **KES), "2019-01-15")
    assert (early.stage("2019-01-20"), early.on("2019-01-20").state.balance) == ("new", 300)
    assert early.stage("2019-02-01") == "active"


def test_effective_gives_every_attestation_its_own_place_when_nothing_supersedes() -> None:
    life = loan()
    assert [each.place for each in effective(life.told)] == [0, 1, 2]


def test_a_replacement_of_a_replacement_stands_where_the_first_stood() -> None:
    life = loan()
    first = life.pays(1, "2019-01-10")
    second = life.pays(2, "2019-01-10")
    life.corrects(first, second, "2019-01-11")
    third = life.pays(110, "2019-01-10")
    life.corrects(second, third, "2019-01-12")
    counted = effective(life.told)
    assert [each.told.id for each in counted if each.told.kind == "repayment"] == [third]
    assert next(each.place for each in counted if each.told.id == third) == 3
    assert life.days("2019-01-20") == (0, 0)


def test_a_correction_of_a_correction_is_judged_by_the_newest() -> None:
    life = loan()
    paid = life.pays(110, "2019-01-10")
    wrong = life.corrects(paid, None, "2019-01-11")
    assert life.days("2019-01-20") == (10, 10)
    change = sharing.ChangedField(name="refs", new_hash=bytes(32), old_hash=bytes(32))
    life.say(sharing.Correction(cause="error", changes=(change,)), "2019-01-12", wrong)
    assert life.days("2019-01-20") == (0, 0)


# -- a payment of the time before a closure as paid, told after it -----------------------------------------------------


def closed_before_its_last_payment_is_told(owed_by_the_ledger: int = 110) -> Life:
    """A loan closed as paid on 15 March, of which the ledger knew no payment of the last instalments."""
    life = loan()
    life.pays(330 - owed_by_the_ledger, "2019-02-10")
    life.say(credit.Closure(cause="paid"), "2019-03-15")
    return life


def stands(life: Life, day: str = "2019-04-01") -> tuple[str, int | None, date | None]:
    """(stage, balance, closed) on a day."""
    state = life.on(day).state
    return state.stage, state.balance, state.closed


@pytest.mark.parametrize(("amount", "stage", "balance"), [
    (110, "paid", 0), (60, "paid", 0), (111, "overpaid", -1), (160, "overpaid", -50),
])  # fmt: skip
def test_a_payment_told_after_the_closure_that_rested_on_it_leaves_the_loan_paid(
    amount: int, stage: str, balance: int
) -> None:
    life = closed_before_its_last_payment_is_told()
    assert stands(life) == ("paid", 0, date(2019, 3, 15))
    life.pays(amount, "2019-03-10")
    assert stands(life) == (stage, balance, date(2019, 3, 15))
    assert (life.on("2019-04-01").state.paid, life.on("2019-04-01").state.credit) == (220 + amount, -balance)
    assert life.state == life.on("2019-04-01").state, "the projection says the same"


def test_in_whatever_order_a_closure_and_its_last_payment_are_told_the_loan_is_the_same() -> None:
    late, in_time = closed_before_its_last_payment_is_told(), loan()
    late.pays(110, "2019-03-10")
    in_time.pays(220, "2019-02-10")
    in_time.pays(110, "2019-03-10")
    in_time.say(credit.Closure(cause="paid"), "2019-03-15")
    assert late.on("2019-04-01").state == in_time.on("2019-04-01").state
    assert late.on("2019-03-12").state == in_time.on("2019-03-12").state


def test_a_payment_of_before_the_closure_of_a_loan_that_owed_nothing_is_more_than_was_owed() -> None:
    life = closed_before_its_last_payment_is_told(owed_by_the_ledger=0)
    life.pays(50, "2019-03-10")
    assert stands(life) == ("overpaid", -50, date(2019, 3, 15))


def test_money_that_comes_after_the_closure_is_more_than_was_owed() -> None:
    life = closed_before_its_last_payment_is_told()
    life.pays(110, "2019-03-15")
    assert stands(life) == ("overpaid", -110, date(2019, 3, 15)), "on one day the order of the log counts"


def test_several_late_payments_count_together() -> None:
    life = closed_before_its_last_payment_is_told()
    for amount, on in ((60, "2019-03-01"), (50, "2019-02-20")):
        life.pays(amount, on)
    assert stands(life) == ("paid", 0, date(2019, 3, 15))
    life.pays(7, "2019-03-02")
    assert stands(life) == ("overpaid", -7, date(2019, 3, 15))


def test_a_late_payment_that_goes_back_opens_the_loan_again_and_a_deleted_one_was_never_said() -> None:
    life = closed_before_its_last_payment_is_told()
    paid = life.pays(110, "2019-03-10")
    life.takes_back(paid, 110, "2019-03-20")
    assert (stands(life), life.days("2019-04-01")) == (("active", 110, None), (22, 22))
    other = closed_before_its_last_payment_is_told()
    other.deletes(other.pays(110, "2019-03-10"), "2019-03-20")
    assert stands(other) == ("paid", 0, date(2019, 3, 15))


def test_a_waiver_told_after_the_closure_that_rested_on_it_leaves_the_loan_paid() -> None:
    life = closed_before_its_last_payment_is_told(owed_by_the_ledger=10)
    life.say(credit.Waiver(amount=10, component="interest", reason="goodwill", **KES), "2019-03-14")
    assert stands(life) == ("paid", 0, date(2019, 3, 15))


def test_books_told_after_the_closure_do_not_change_what_a_late_payment_of_before_it_means() -> None:
    life = closed_before_its_last_payment_is_told()
    life.books("2019-03-31", balance=0, dpd=0, past_due=0, status="closed")
    life.pays(110, "2019-03-10")
    assert stands(life) == ("paid", 0, date(2019, 3, 15))
