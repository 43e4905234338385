"""Default by days on end above the floors, and the probation that it takes to leave it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from ledger.errors import InvalidInput
from ledger.jurisdiction.default import DebtStep, DefaultStatus, default_status, may_cure
from ledger.jurisdiction.packs import Pack, pack_for

START = date(2026, 1, 1)
ARREARS = {"past_due": 20_000, "exposure": 500_000}
PAID = {"past_due": 0, "exposure": 480_000}


def pack() -> Pack:
    """Germany's, which is the Union's."""
    found = pack_for("DE")
    assert found is not None
    return found


def on(day: int) -> date:
    """Day n of the story; the first is day 1."""
    return START + timedelta(days=day - 1)


def step(day: int, amounts: dict[str, int], **flags: Any) -> DebtStep:
    """A step of the history that begins on day n."""
    return DebtStep(since=on(day), **amounts, **flags)


def status(history: list[DebtStep], day: int, **rest: Any) -> DefaultStatus:
    """The answer on day n."""
    return default_status(pack(), history, as_of=on(day), currency="EUR", **rest)


def test_default_begins_on_the_91st_day_on_end() -> None:
    history = [step(1, ARREARS)]
    assert [(status(history, day).counter_days, status(history, day).defaulted) for day in (1, 90, 91)] == [
        (1, False), (90, False), (91, True),
    ]  # fmt: skip
    assert (status(history, 200).since, status(history, 200).trigger) == (on(91), "days_past_due")


def test_a_day_below_a_floor_starts_the_counter_again() -> None:
    history = [step(1, ARREARS), step(90, {"past_due": 10_000, "exposure": 500_000}), step(91, ARREARS)]
    assert (status(history, 91).counter_days, status(history, 180).defaulted) == (1, False)
    assert (status(history, 181).counter_days, status(history, 181).since) == (91, on(181))


def test_a_larger_exposure_can_end_the_materiality_of_the_same_arrears() -> None:
    history = [step(1, ARREARS), step(60, {"past_due": 20_000, "exposure": 2_000_000})]
    assert (status(history, 59).counter_days, status(history, 60).counter_days) == (59, 0)


def test_an_unlikely_payer_is_in_default_at_once() -> None:
    history = [step(1, PAID), step(10, PAID, unlikely_to_pay=True)]
    found = status(history, 10)
    assert (status(history, 9).code, found.code, found.since, found.trigger) == (
        "not_defaulted", "defaulted", on(10), "unlikely_to_pay",
    )  # fmt: skip


def test_one_payment_does_not_cure() -> None:
    history = [step(1, ARREARS), step(100, PAID)]
    found = status(history, 100)
    assert (found.code, found.defaulted, found.clear_since) == ("probation", True, on(100))
    assert found.probation_until == date(2026, 7, 10)
    assert may_cure(pack(), found, as_of=date(2026, 7, 9)).code == "probation_runs"
    assert may_cure(pack(), found, as_of=date(2026, 7, 10)).code == "cure_allowed"


def test_it_stays_in_default_until_somebody_attests_the_cure() -> None:
    history = [step(1, ARREARS), step(100, PAID)]
    assert status(history, 400).defaulted
    cured = [*history, step(200, PAID, cured=True)]
    assert [status(cured, day).code for day in (199, 200, 400)] == ["probation", "not_defaulted", "not_defaulted"]


def test_arrears_during_probation_begin_it_again() -> None:
    history = [step(1, ARREARS), step(100, PAID), step(130, ARREARS), step(140, PAID)]
    assert (status(history, 135).code, status(history, 135).since) == ("defaulted", on(91))
    found = status(history, 150)
    assert (found.clear_since, found.probation_until) == (on(140), date(2026, 8, 20))


def test_a_forborne_loan_is_on_probation_for_a_year_from_the_latest_of_three_days() -> None:
    history = [step(1, ARREARS), step(95, PAID, forborne=True)]
    assert status(history, 100).probation_until == date(2027, 4, 5)
    assert status(history, 100, grace_end=date(2026, 9, 30)).probation_until == date(2027, 9, 30)


def test_a_forborne_loan_with_anything_overdue_is_not_cured() -> None:
    found = status([step(1, ARREARS), step(95, PAID, forborne=True)], 600)
    decision = may_cure(pack(), found, as_of=on(600), past_due=1)
    assert (decision.code, decision.allowed) == ("arrears_open", False)


def test_there_is_nothing_to_cure_without_default_and_no_cure_while_it_lasts() -> None:
    assert may_cure(pack(), status([step(1, PAID)], 5), as_of=on(5)).code == "not_defaulted"
    assert may_cure(pack(), status([step(1, ARREARS)], 95), as_of=on(95)).code == "conditions_hold"


def test_a_country_without_such_rules_says_so() -> None:
    kenya = pack_for("KE")
    assert kenya is not None
    found = default_status(kenya, [step(1, ARREARS)], as_of=on(200), currency="KES")
    assert (found.code, found.defaulted) == ("value_none", False)
    assert may_cure(kenya, found, as_of=on(200)).code == "value_none"


@pytest.mark.parametrize("second", [2, 1])
def test_a_history_in_disorder_is_refused(second: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        default_status(pack(), [step(2, PAID), step(second, ARREARS)], as_of=on(5), currency="EUR")
    assert refused.value.code == "history_disordered"


@pytest.mark.parametrize(("day", "code"), [(90, "not_defaulted"), (91, "currency_unconverted")])
def test_floors_in_another_currency_matter_only_when_the_answer_hangs_on_them(day: int, code: str) -> None:
    found = default_status(pack(), [step(1, ARREARS)], as_of=on(day), currency="PLN")
    assert (found.code, found.defaulted) == (code, False)
    assert default_status(pack(), [step(1, PAID)], as_of=on(400), currency="PLN").code == "not_defaulted"


def test_amounts_that_nobody_stated_leave_the_answer_open_only_where_they_decide_it() -> None:
    unknown = {"past_due": None, "exposure": None}
    small = {"past_due": 10_000, "exposure": None}
    large = {"past_due": 10_001, "exposure": None}
    answers = [default_status(pack(), [DebtStep(since=on(1), **some)], as_of=on(91), currency="EUR").code
               for some in (unknown, small, large)]  # fmt: skip
    assert answers == ["materiality_unknown", "not_defaulted", "materiality_unknown"]
    short = default_status(pack(), [DebtStep(since=on(1), **unknown)], as_of=on(40), currency="EUR")
    assert (short.code, short.counter_days) == ("not_defaulted", 40)
    sure = [DebtStep(since=on(1), **unknown, unlikely_to_pay=True)]
    assert default_status(pack(), sure, as_of=on(40), currency="EUR").code == "defaulted"


def test_a_declared_default_begins_on_its_day_and_has_no_condition_of_its_own() -> None:
    found = status([step(1, PAID), step(10, PAID, declared=True)], 20)
    assert (found.code, found.since, found.trigger, found.clear_since) == (
        "probation", on(10), "days_past_due", on(10),
    )  # fmt: skip


def test_a_cure_that_comes_early_waits_for_the_end_of_the_probation() -> None:
    history = [step(1, ARREARS), step(100, PAID), step(110, PAID, cured=True)]
    ends = date(2026, 7, 10)
    before, then = ((ends - START).days, (ends - START).days + 1)
    assert [status(history, day).code for day in (before, then)] == ["probation", "not_defaulted"]


def test_arrears_before_the_end_of_the_probation_void_a_cure() -> None:
    history = [step(1, ARREARS), step(100, PAID), step(110, PAID, cured=True), step(130, ARREARS), step(140, PAID)]
    assert status(history, 400).code == "probation"
    assert status([*history, step(300, PAID, cured=True)], 400).code == "not_defaulted"


def test_a_second_restructuring_begins_the_years_probation_anew() -> None:
    history = [step(1, ARREARS), step(95, PAID, forborne=True, restructured=on(95)),
               step(200, PAID, forborne=True, restructured=on(200))]  # fmt: skip
    assert status(history, 210).probation_until == date(2027, 7, 19)


def test_the_future_does_not_count() -> None:
    assert status([step(1, PAID), step(50, ARREARS)], 10) == status([step(1, PAID)], 10)
    assert status([step(50, ARREARS)], 10).code == "not_defaulted"
