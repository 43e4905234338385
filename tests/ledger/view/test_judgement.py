"""Rules that look at a loan's past, from its own events: default in the Union, observation and upgrade in China."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.attestation import credit_kinds as credit
from ledger.jurisdiction.classification import classify
from ledger.jurisdiction.packs import Pack, pack_for
from ledger.jurisdiction.standing import Standing
from ledger.view.judgement import Judgement, judge, looks_back, with_past
from tests.ledger.loan.lives import Life
from tests.verifier.small_ledger import agreement


def pack(country: str) -> Pack:
    """A country's pack."""
    found = pack_for(country)
    assert found is not None
    return found


class Loan(Life):
    """A loan of 3,000 in a currency, in twelve instalments of 250 on the tenth of each month of 2025."""

    def __init__(self, currency: str = "EUR") -> None:
        super().__init__()
        self.money: dict[str, Any] = {"currency": currency}
        self.say(agreement(grace_days=0, principal=300_000, **self.money), "2025-01-01")
        self.say(credit.Disbursement(amount=300_000, tranche=1, **self.money), "2025-01-01")
        self.lays("2025-01-01", [date(2025, month, 10) for month in range(1, 13)], 25_000)

    def lays(self, on: str, dues: list[date], amount: int, cause: Any = "initial") -> None:
        """A plan of equal instalments."""
        rows = tuple(credit.ScheduleRow(due=due, n=n, principal=amount) for n, due in enumerate(dues, 1))
        self.say(credit.Schedule(cause=cause, rows=rows, version=1, **self.money), on)

    def paid(self, amount: int, *days: str) -> None:
        """The same amount on each of several days."""
        for on in days:
            self.say(credit.Repayment(amount=amount, channel="bank", **self.money), on)

    def judged(self, day: str, country: str = "DE", **rest: Any) -> Judgement:
        """What a country's rules make of it on a day."""
        return judge(pack(country), self.told, as_of=date.fromisoformat(day), **rest)

    def codes(self, day: str, country: str = "DE", **rest: Any) -> dict[str, str]:
        """List -> code on a day."""
        found = self.on(day)
        standing = Standing(
            as_of=found.as_of, dpd=found.arrears.days, amount_past_due=found.arrears.amount, exposure=found.state.balance,
            currency=found.state.currency, forborne=found.state.forborne,
        )  # fmt: skip
        codes = classify(pack(country), with_past(standing, self.judged(day, country, **rest)))
        return {code.scheme: code.code for code in codes.codes}


@pytest.mark.parametrize(("day", "counter", "code"), [
    ("2025-01-10", 0, "not_defaulted"), ("2025-01-11", 1, "not_defaulted"), ("2025-04-10", 90, "not_defaulted"),
    ("2025-04-11", 91, "defaulted"),
])  # fmt: skip
def test_default_in_the_union_is_counted_from_the_loans_own_events(day: str, counter: int, code: str) -> None:
    found = Loan().judged(day).default
    assert (found.counter_days, found.code) == (counter, code)


def test_small_arrears_do_not_count_however_long_they_last() -> None:
    life = Loan()
    life.lays("2025-01-02", [date(2025, 1, 10)], 5_000, cause="correction")
    day = "2025-09-15"
    assert (life.on(day).arrears.days, life.on(day).arrears.amount) == (248, 5_000)
    assert (life.judged(day).default.code, life.judged(day).default.counter_days) == ("not_defaulted", 0)
    assert life.codes(day)["eu_default"] == "no"


def test_the_counter_runs_with_the_amounts_and_not_with_the_oldest_due_date() -> None:
    life = Loan()
    life.paid(20_000, "2025-01-10")
    assert life.judged("2025-02-10").default.counter_days == 0
    assert (life.on("2025-05-11").arrears.days, life.judged("2025-05-11").default.counter_days) == (121, 90)
    assert (life.codes("2025-05-11")["eu_default"], life.codes("2025-05-12")["eu_default"]) == ("no", "yes")


def test_a_payment_ends_the_condition_and_begins_three_months_of_probation() -> None:
    life = Loan()
    life.paid(100_000, "2025-04-20")
    found = life.judged("2025-04-20")
    assert (found.default.code, found.default.since, found.default.clear_since, found.default.probation_until) == (
        "probation", date(2025, 4, 11), date(2025, 4, 20), date(2025, 7, 20),
    )  # fmt: skip
    assert (found.cure.code, life.codes("2025-04-20")["eu_default"]) == ("probation_runs", "yes")
    life.paid(25_000, "2025-05-10", "2025-06-10", "2025-07-10")
    assert life.judged("2025-07-20").cure.code == "cure_allowed"
    life.say(credit.Cure(probation_end=date(2025, 7, 21)), "2025-07-21")
    assert [life.judged(day).default.code for day in ("2025-07-20", "2025-07-21")] == ["probation", "not_defaulted"]
    assert life.codes("2025-07-21")["eu_default"] == "no"


def test_arrears_in_the_probation_begin_it_again() -> None:
    life = Loan()
    life.paid(100_000, "2025-04-20")
    life.paid(25_000, "2025-05-15")
    assert life.judged("2025-05-12").default.code == "defaulted"
    assert life.judged("2025-05-15").default.probation_until == date(2025, 8, 15)


def test_a_restructuring_makes_the_probation_a_year() -> None:
    life = Loan()
    life.say(credit.Restructure(forborne=True, loss_bp=0, type="re_age"), "2025-05-05")
    life.lays("2025-05-05", [date(2025, month, 20) for month in range(6, 12)], 50_000, cause="restructure")
    found = life.judged("2025-05-06").default
    assert (found.code, found.clear_since, found.probation_until) == (
        "probation", date(2025, 5, 5), date(2026, 5, 5),
    )  # fmt: skip


def test_yesterdays_answer_is_changed_by_a_payment_of_before_that_is_told_today() -> None:
    life = Loan()
    assert life.judged("2025-04-11").default.code == "defaulted"
    life.paid(1, "2025-05-01")
    life.paid(100_000, "2025-03-01")
    assert life.judged("2025-04-11").default.code == "not_defaulted"


def test_a_payment_that_went_back_never_stopped_the_counter() -> None:
    life = Loan()
    paid = life.say(credit.Repayment(amount=100_000, channel="bank", currency="EUR"), "2025-02-01")
    assert life.judged("2025-05-01").default.counter_days == 0
    life.say(credit.Reversal(amount=100_000, cause="bounced", currency="EUR"), "2025-05-02", paid)
    found = life.judged("2025-05-02").default
    assert (found.code, found.since, found.counter_days) == ("defaulted", date(2025, 4, 11), 112)


def test_another_currency_and_an_ended_loan_are_said() -> None:
    assert Loan("PLN").judged("2025-04-11", "PL").default.code == "currency_unconverted"
    assert Loan("PLN").judged("2025-04-10", "PL").default.code == "not_defaulted"
    life = Loan()
    life.say(credit.Closure(cause="written_off"), "2025-06-01")
    found = life.judged("2025-06-01")
    assert (found.default.code, found.cure.code) == ("not_running", "not_defaulted")
    assert life.judged("2025-05-31").default.code == "defaulted"


def test_which_countries_look_back() -> None:
    assert [code for code in ("CN", "DE", "IN", "KE", "US") if looks_back(pack(code))] == ["CN", "DE", "IN"]


# -- China -----------------------------------------------------------------------------------------------------------


def restructured(**how: Any) -> Loan:
    """A loan that was paid for a month, 35 days late when it was restructured, and paid ever since."""
    life = Loan("CNY")
    life.paid(25_000, "2025-01-10")
    life.say(credit.Restructure(**({"forborne": True, "loss_bp": 0, "type": "extend"} | how)), "2025-03-17")
    life.lays("2025-03-17", [date(2025, 5, 20), date(2025, 11, 20), date(2026, 5, 20)], 91_700, cause="restructure")
    life.paid(91_700, "2025-05-20", "2025-11-20")
    return life


@pytest.mark.parametrize(("day", "code", "periods"), [
    ("2025-03-17", "special_mention", 0), ("2025-05-20", "special_mention", 1), ("2026-05-19", "special_mention", 2),
    ("2026-05-20", "normal", 3),
])  # fmt: skip
def test_a_restructured_loan_is_watched_for_a_year_from_its_first_new_due_date(
    day: str, code: str, periods: int
) -> None:
    life = restructured()
    found = life.judged(day, "CN")
    assert (found.restructured_since, found.periods_since) == (date(2025, 5, 20), periods)
    assert life.codes(day, "CN")["cn_general"] == code


def test_before_the_restructuring_and_without_forbearance_nothing_is_watched() -> None:
    assert restructured().judged("2025-03-16", "CN").restructured_since is None
    assert restructured(forborne=False).judged("2025-06-01", "CN").restructured_since is None


def test_without_a_new_plan_the_next_due_date_counts_and_without_any_plan_the_lenders_word() -> None:
    life = Loan("CNY")
    life.say(credit.Restructure(forborne=True, loss_bp=0, type="rate_cut"), "2025-03-17")
    found = life.judged("2025-04-09", "CN")
    assert (found.restructured_since, found.periods_since) == (date(2025, 4, 10), 0)
    books = Life()
    books.say(agreement(currency="CNY", principal=300), "2025-01-01")
    books.books("2025-01-31", currency="CNY", balance=300)
    stated = {"observation_start": date(2025, 6, 1)}
    books.say(credit.Restructure(forborne=True, loss_bp=0, type="rate_cut", **stated), "2025-03-17")
    known = judge(pack("CN"), books.told, as_of=date(2027, 1, 1))
    assert (known.restructured_since, known.periods_since) == (date(2025, 6, 1), None)


def test_a_bad_loan_stays_bad_until_its_upgrade_is_allowed() -> None:
    life = Loan("CNY")
    assert (life.codes("2025-04-10", "CN")["cn_general"], life.judged("2025-04-10", "CN").bad) == (
        "special_mention", False,
    )  # fmt: skip
    assert life.codes("2025-04-11", "CN")["cn_general"] == "substandard"
    life.paid(100_000, "2025-04-20")
    life.paid(25_000, *(f"2025-{month:02}-10" for month in range(5, 12)))
    found = life.judged("2025-04-20", "CN")
    assert found.bad and found.upgrade is not None
    assert found.upgrade.code == "periods_short"
    assert life.codes("2025-10-19", "CN")["cn_general"] == "substandard"
    assert life.judged("2025-10-19", "CN").upgrade == life.judged("2025-10-18", "CN").upgrade
    assert (life.codes("2025-10-20", "CN")["cn_general"], life.judged("2025-10-20", "CN").bad) == ("normal", False)


def test_arrears_in_between_start_the_watch_again() -> None:
    life = Loan("CNY")
    life.paid(100_000, "2025-04-20")
    life.paid(25_000, "2025-05-10", "2025-06-15", *(f"2025-{month:02}-10" for month in range(7, 13)))
    found = life.judged("2025-06-12", "CN").upgrade
    assert found is not None and found.code == "arrears_open"
    later = life.judged("2025-12-09", "CN").upgrade
    assert later is not None and (later.code, later.earliest) == ("time_short", date(2025, 12, 15))


def test_after_an_upgrade_a_short_delay_is_no_more_than_one() -> None:
    life = Loan("CNY")
    life.paid(100_000, "2025-04-20")
    life.paid(25_000, *(f"2025-{month:02}-10" for month in range(5, 11)))
    assert life.codes("2025-11-15", "CN")["cn_general"] == "special_mention"
    assert not life.judged("2025-11-15", "CN").bad


def test_a_card_is_not_watched_by_the_list_of_other_loans() -> None:
    life = Loan("CNY")
    life.paid(100_000, "2025-04-20")
    assert life.judged("2025-04-20", "CN", portfolio="card").upgrade is None
    assert life.judged("2025-04-20", "IN").upgrade is None
