"""Codes with the rule and source that gave them; facts, floors, rebuttals, and countries without a pack."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.errors import InvalidInput
from ledger.jurisdiction.classification import classify, classify_in
from ledger.jurisdiction.packs import packs
from ledger.jurisdiction.standing import Standing

DAY = date(2026, 3, 31)
EURO = {"currency": "EUR", "exposure": 1_000_000}


def standing(dpd: int = 0, **rest: Any) -> Standing:
    """A loan on the day."""
    return Standing(as_of=DAY, dpd=dpd, **rest)


def test_a_code_says_which_rule_and_source_gave_it_and_since_when() -> None:
    (code,) = [one for one in classify(packs()["CN"], standing(95)).codes if one.scheme == "pboc_month"]
    assert (code.code, code.because) == ("4", "95 days, in the band of 91 to 120")
    assert (code.ruling.rule, code.ruling.date, code.ruling.grade) == ("pboc_month:4", date(2020, 1, 19), "page")
    assert code.ruling.source.startswith("Credit Reference Centre")


def test_the_answer_names_the_pack_that_gave_it_by_version_and_digest() -> None:
    found, pack = classify(packs()["US"], standing()), packs()["US"]
    assert (found.code, found.pack, found.version, found.digest) == ("classified", "US", 1, pack.digest)


def test_a_country_without_a_pack_has_no_codes_and_says_so() -> None:
    found = classify_in("BR", standing(400))
    assert (found.code, found.pack, found.codes, found.of("ifrs9_stage")) == ("pack_unknown", None, (), None)


@pytest.mark.parametrize("member", ["DE", "FR", "IE", "SE", "HR"])
def test_a_member_state_has_the_unions_codes(member: str) -> None:
    found = classify_in(member, standing(91, amount_past_due=50_000, **EURO))
    assert (found.jurisdiction, found.pack, found.of("eu_default")) == (member, "EU", "yes")


@pytest.mark.parametrize("country", ["GB", "CH", "NO", "TR"])
def test_a_neighbour_of_the_union_has_not(country: str) -> None:
    assert classify_in(country, standing(91)).code == "pack_unknown"


@pytest.mark.parametrize(
    ("past_due", "exposure", "retail", "code"),
    [
        (10_000, 100_000, True, "no"),
        (10_001, 100_000, True, "yes"),
        (10_001, 1_000_100, True, "no"),
        (10_001, 1_000_099, True, "yes"),
        (50_000, 100_000, False, "no"),
        (50_001, 100_000, False, "yes"),
    ],
)
def test_default_needs_arrears_above_both_floors(past_due: int, exposure: int, retail: bool, code: str) -> None:
    loan = standing(91, amount_past_due=past_due, exposure=exposure, currency="EUR", retail=retail)
    assert classify(packs()["EU"], loan).of("eu_default") == code


@pytest.mark.parametrize(
    ("rest", "missing"),
    [
        ({"currency": "EUR"}, "materiality_unknown"),
        ({"currency": "PLN", "amount_past_due": 1, "exposure": 2}, "currency_unconverted"),
    ],
)
def test_floors_that_cannot_be_applied_give_no_code_and_say_why(rest: dict[str, Any], missing: str) -> None:
    found = classify(packs()["EU"], standing(200, **rest))
    assert found.of("eu_default") is None
    assert [(one.scheme, one.code) for one in found.undecided] == [("eu_default", missing)]


def test_floors_do_not_matter_before_the_days_do() -> None:
    found = classify(packs()["EU"], standing(90, currency="PLN"))
    assert (found.of("eu_default"), found.undecided) == ("no", ())


def test_a_declared_default_is_one_whatever_the_floors_say() -> None:
    found = classify(packs()["EU"], standing(200, currency="PLN", defaulted=True))
    assert (found.of("eu_default"), found.undecided) == ("yes", ())


def test_a_counter_that_was_folded_takes_the_place_of_the_days() -> None:
    loan = standing(200, material_days=90, amount_past_due=50_000, **EURO)
    assert classify(packs()["EU"], loan).of("eu_default") == "no"


def test_a_debtor_on_probation_is_still_in_default() -> None:
    assert classify(packs()["EU"], standing(0, probation=True, **EURO)).of("eu_default") == "yes"


def test_a_rebuttable_stage_gives_way_to_the_one_before_it() -> None:
    def stage(dpd: int, *rules: str) -> str | None:
        return classify(packs()["EU"], standing(dpd, rebutted=frozenset(rules))).of("ifrs9_stage")

    assert (stage(45), stage(45, "ifrs9_stage:2")) == ("2", "1")
    assert (stage(95), stage(95, "ifrs9_stage:3"), stage(95, "ifrs9_stage:3", "ifrs9_stage:2")) == ("3", "2", "1")


def test_a_fact_raises_a_class_and_never_lowers_it() -> None:
    def tier(dpd: int, **rest: Any) -> str | None:
        return classify(packs()["CN"], standing(dpd, **rest)).of("cn_general")

    assert tier(0, defaulted=True) == "substandard"
    assert tier(300, defaulted=True) == "doubtful"
    assert tier(0, facts=frozenset({"pulled_market"})) == "substandard"
    assert tier(5, charged_off=True) == "loss"


def test_a_raised_class_names_the_fact_and_its_own_article() -> None:
    found = classify(packs()["CN"], standing(0, facts=frozenset({"pulled_lender"})))
    code = found.codes[0]
    assert (code.code, code.label, code.because) == ("substandard", "次级", "pulled lender")
    assert (code.ruling.rule, code.ruling.at) == ("cn_general:substandard:pulled_lender", "art. 7")


@pytest.mark.parametrize(
    ("since", "periods", "tier"),
    [
        (date(2026, 4, 5), None, "special_mention"),
        (date(2025, 4, 1), 11, "special_mention"),
        (date(2025, 3, 31), 11, "normal"),
        (date(2025, 3, 31), 1, "special_mention"),
        (date(2025, 3, 31), None, "special_mention"),
    ],
)
def test_a_restructured_loan_is_watched_for_a_year_and_two_due_periods(
    since: date, periods: int | None, tier: str
) -> None:
    loan = standing(0, restructured_since=since, periods_since=periods)
    assert classify(packs()["CN"], loan).of("cn_general") == tier


@pytest.mark.parametrize(
    ("stage", "status", "history", "pboc"),
    [
        ("approved", None, None, "/"),
        ("active", "80", "3", "4"),
        ("paid", "13", "E", "C"),
        ("settled_short", "13", "E", "G"),
        ("refinanced", "13", "E", "C"),
        ("written_off", "97", "L", "B"),
        ("sold", "05", None, "G"),
    ],
)
def test_an_ended_loan_has_the_codes_of_its_end_and_no_band(
    stage: str, status: str | None, history: str | None, pboc: str
) -> None:
    loan = standing(95, stage=stage)
    american, chinese = classify(packs()["US"], loan), classify(packs()["CN"], loan)
    assert (american.of("metro2_status"), american.of("metro2_history")) == (status, history)
    assert chinese.of("pboc_month") == pboc
    assert chinese.of("cn_general") == ("substandard" if stage == "active" else None)


def test_a_loan_paid_after_its_charge_off_says_both() -> None:
    found = classify(packs()["US"], standing(0, stage="paid", charged_off=True))
    assert (found.of("metro2_status"), found.of("metro2_history")) == ("64", "E")


def test_a_fact_that_no_pack_knows_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        classify(packs()["US"], standing(facts=frozenset({"moonlight"})))
    assert (refused.value.code, refused.value.found) == ("fact_unknown", "moonlight")
