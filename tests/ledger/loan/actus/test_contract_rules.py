"""The rules of the contract types, each on a small contract of round numbers (30E/360, 12 % a year: 1 % a month)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput, NotFound
from ledger.loan.actus.engine import Observed, Row, evaluate
from ledger.loan.actus.terms import parse_terms

LOAN: dict[str, Any] = {
    "contractRole": "RPA",
    "currency": "KES",
    "statusDate": "2023-12-31",
    "initialExchangeDate": "2024-01-01",
    "notionalPrincipal": 1200,
    "nominalInterestRate": "0.12",
    "dayCountConvention": "30E360",
}
INTEREST = {"cycleAnchorDateOfInterestPayment": "2024-02-01", "cycleOfInterestPayment": "P1ML1"}
REDEMPTION = {"cycleAnchorDateOfPrincipalRedemption": "2024-02-01", "cycleOfPrincipalRedemption": "P1ML1"}
RESET = {
    "cycleAnchorDateOfRateReset": "2024-02-01",
    "cycleOfRateReset": "P1ML1",
    "marketObjectCodeOfRateReset": "BASE",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def rows_of(
    contract_type: str,
    *more: dict[str, Any],
    market: dict[str, list[tuple[str, str]]] | None = None,
    observed: Sequence[tuple[str, str, str]] = (),
    until: str | None = None,
    **terms: Any,
) -> list[Row]:
    attributes = LOAN | {"contractType": contract_type}
    for part in (*more, terms):
        attributes |= part
    return evaluate(
        parse_terms(attributes),
        until=until and at(until),
        market={code: [(at(day), Fraction(value)) for day, value in series] for code, series in (market or {}).items()},
        observed=[Observed(time=at(day), type=kind, value=Fraction(value)) for day, kind, value in observed],
    )


def told(rows: Sequence[Row]) -> list[str]:
    """Each row as ``MMDD type payoff notional``."""
    return [f"{row.event_date:%m%d} {row.event_type} {row.payoff} {row.notional_principal}" for row in rows]


def paid(rows: Sequence[Row], *types: str) -> list[Fraction]:
    return [row.payoff for row in rows if row.event_type in types]


def test_a_bullet_pays_interest_and_then_principal() -> None:
    assert told(rows_of("PAM", INTEREST, maturityDate="2024-04-01")) == [
        "0101 IED -1200 1200",
        "0201 IP 12 1200",
        "0301 IP 12 1200",
        "0401 IP 12 1200",
        "0401 MD 1200 0",
    ]


def test_the_borrowers_own_contract_is_the_mirror_image() -> None:
    terms = INTEREST | REDEMPTION | {"maturityDate": "2024-06-01", "nextPrincipalRedemptionPayment": 200}
    for contract_type in ("PAM", "LAM", "NAM", "ANN"):
        lent = rows_of(contract_type, terms)
        owed = rows_of(contract_type, terms, contractRole="RPL")
        assert [-row.payoff for row in owed] == [row.payoff for row in lent]
        assert [-row.notional_principal for row in owed] == [row.notional_principal for row in lent]


def test_without_a_cycle_interest_falls_due_at_maturity_and_without_a_rate_never() -> None:
    assert told(rows_of("PAM", maturityDate="2024-04-01")) == [
        "0101 IED -1200 1200",
        "0401 IP 36 1200",
        "0401 MD 1200 0",
    ]
    assert told(rows_of("PAM", maturityDate="2024-04-01", nominalInterestRate=None)) == [
        "0101 IED -1200 1200",
        "0401 MD 1200 0",
    ]


def test_a_cycle_without_an_anchor_starts_one_cycle_after_the_exchange() -> None:
    assert told(rows_of("PAM", cycleOfInterestPayment="P1ML1", maturityDate="2024-04-01")) == told(
        rows_of("PAM", INTEREST, maturityDate="2024-04-01")
    )


def test_an_anchor_before_the_exchange_brings_interest_along() -> None:
    rows = rows_of("PAM", INTEREST, cycleAnchorDateOfInterestPayment="2023-12-01", maturityDate="2024-03-01",
                   statusDate="2023-11-30")  # fmt: skip
    assert told(rows)[:3] == ["0101 IED -1200 1200", "0101 IP 12 1200", "0201 IP 12 1200"]
    assert rows[0].accrued_interest == 12


def test_premium_and_discount_change_the_first_flow_alone() -> None:
    assert told(rows_of("PAM", maturityDate="2024-04-01", premiumDiscountAtIED=-100))[0] == "0101 IED -1100 1200"


def test_a_running_contract_accrues_from_the_last_interest_date() -> None:
    rows = rows_of("PAM", INTEREST, statusDate="2024-02-16", maturityDate="2024-04-01")
    assert told(rows) == ["0301 IP 12 1200", "0401 IP 12 1200", "0401 MD 1200 0"]
    assert paid(
        rows_of("PAM", INTEREST, statusDate="2024-02-16", maturityDate="2024-04-01", accruedInterest=3), "IP"
    ) == [
        9,
        12,
    ]


def test_capitalised_interest_joins_the_notional_until_its_end_date() -> None:
    assert told(rows_of("PAM", INTEREST, capitalizationEndDate="2024-03-01", maturityDate="2024-04-01")) == [
        "0101 IED -1200 1200",
        "0201 IPCI 0 1212",
        "0301 IPCI 0 30603/25",
        "0401 IP 30603/2500 30603/25",
        "0401 MD 30603/25 0",
    ]


def test_equal_principal_ends_when_the_notional_does() -> None:
    rows = rows_of("LAM", INTEREST, REDEMPTION, nextPrincipalRedemptionPayment=500)
    assert told(rows) == [
        "0101 IED -1200 1200",
        "0201 PR 500 700",
        "0201 IP 12 700",
        "0301 PR 500 200",
        "0301 IP 7 200",
        "0401 IP 2 200",
        "0401 MD 200 0",
    ]


def test_equal_principal_without_an_amount_divides_by_the_redemptions_to_come() -> None:
    rows = rows_of("LAM", INTEREST, REDEMPTION, maturityDate="2024-05-01")
    assert paid(rows, "PR", "MD") == [300, 300, 300, 300]


def test_redemption_stops_at_nothing_and_events_go_on() -> None:
    rows = rows_of("LAM", INTEREST, REDEMPTION, maturityDate="2024-05-01", nextPrincipalRedemptionPayment=700)
    assert paid(rows, "PR", "MD") == [700, 500, 0, 0]
    assert paid(rows, "IP") == [12, 5, 0, 0]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"interestCalculationBase": "NT"}, [12, 9, 6, 3]),
        ({"interestCalculationBase": "NTIED"}, [12, 12, 12, 12]),
        ({"interestCalculationBase": "NTIED", "interestCalculationBaseAmount": 1000}, [10, 10, 10, 10]),
        (
            {
                "interestCalculationBase": "NTL",
                "interestCalculationBaseAmount": 1000,
                "cycleAnchorDateOfInterestCalculationBase": "2024-03-01",
                "cycleOfInterestCalculationBase": "P2ML1",
            },
            [10, 10, 6, 6],
        ),
    ],
)
def test_interest_is_computed_on_the_base_that_the_terms_name(terms: dict[str, Any], expected: list[int]) -> None:
    rows = rows_of("LAM", INTEREST, REDEMPTION, terms, maturityDate="2024-05-01", nextPrincipalRedemptionPayment=300)
    assert paid(rows, "IP") == expected


def test_a_payment_below_the_interest_grows_the_notional() -> None:
    rows = rows_of("NAM", INTEREST, REDEMPTION, maturityDate="2024-04-01", nextPrincipalRedemptionPayment=2)
    assert told(rows)[1:3] == ["0201 PR -10 1210", "0201 IP 12 1210"]
    assert [pr + ip for pr, ip in zip(paid(rows, "PR"), paid(rows, "IP"), strict=False)] == [2, 2]


def test_a_payment_that_never_redeems_needs_a_maturity() -> None:
    with pytest.raises(InvalidInput, match="terms_incomplete"):
        rows_of("NAM", INTEREST, REDEMPTION, nextPrincipalRedemptionPayment=2)


def test_a_computed_annuity_is_level_to_the_last_payment() -> None:
    rows = rows_of("ANN", INTEREST, REDEMPTION, maturityDate="2025-01-01")
    assert [row.event_type for row in rows[:2]] == ["IED", "PRF"]
    payments = {pr + ip for pr, ip in zip(paid(rows, "PR", "MD"), paid(rows, "IP"), strict=True)}
    growth = Fraction(101, 100) ** 12
    assert payments == {1200 * Fraction(1, 100) * growth / (growth - 1)}


def test_an_annuity_is_fixed_anew_when_the_rate_is() -> None:
    rows = rows_of(
        "ANN", INTEREST, REDEMPTION, RESET, maturityDate="2024-07-01", market={"BASE": [("2024-01-01", "0.24")]}
    )
    level = [pr + ip for pr, ip in zip(paid(rows, "PR", "MD"), paid(rows, "IP"), strict=True)]
    assert len(set(level)) == 2 and level[0] < level[1] == level[5]
    assert [row.event_type for row in rows if row.event_date == at("2024-02-01")] == ["PR", "IP", "RR", "PRF"]


def test_an_annuity_may_amortise_beyond_its_maturity() -> None:
    rows = rows_of("ANN", INTEREST, REDEMPTION, maturityDate="2024-04-01", amortizationDate="2025-01-01")
    full = rows_of("ANN", INTEREST, REDEMPTION, maturityDate="2025-01-01")
    assert paid(rows, "PR") == paid(full, "PR")[:2]
    assert paid(rows, "MD")[0] == 1200 - sum(paid(rows, "PR"))


def test_interest_before_redemption_starts_keeps_its_own_cycle() -> None:
    rows = rows_of("ANN", INTEREST, REDEMPTION, cycleOfInterestPayment="P1ML0", maturityDate="2024-09-01",
                   cycleAnchorDateOfPrincipalRedemption="2024-06-01", cycleOfPrincipalRedemption="P3ML1")  # fmt: skip
    assert [f"{row.event_date:%m%d}" for row in rows if row.event_type == "IP"] == ["0201", "0301", "0601", "0901"]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, "0.12 0.2 0.3"),
        ({"rateMultiplier": 2, "rateSpread": "-0.05"}, "0.12 0.35 0.55"),
        ({"lifeCap": "0.25"}, "0.12 0.2 0.25"),
        ({"lifeFloor": "0.35"}, "0.12 0.35 0.35"),
        ({"periodCap": "0.01"}, "0.12 0.13 0.14"),
        ({"periodFloor": "0.15"}, "0.12 0.27 0.42"),
        ({"nextResetRate": "0.07"}, "0.12 0.07 0.3"),
    ],
)
def test_a_rate_reset_obeys_its_bounds(bounds: dict[str, Any], expected: str) -> None:
    rows = rows_of("PAM", INTEREST, RESET, bounds, maturityDate="2024-04-01",
                   market={"BASE": [("2024-02-01", "0.2"), ("2024-02-20", "0.3")]})  # fmt: skip
    rates = [row.nominal_interest_rate for row in rows if row.event_type in ("IED", "RR", "RRF")]
    assert rates == [Fraction(rate) for rate in expected.split()]


def test_a_rate_that_was_not_observed_is_asked_for() -> None:
    with pytest.raises(InvalidInput) as refused:
        rows_of("PAM", RESET, maturityDate="2024-04-01", market={"BASE": [("2024-02-02", "0.2")]})
    assert (refused.value.code, refused.value.path) == ("observation_missing", "$.BASE")


@pytest.mark.parametrize(
    ("effect", "interest", "principal"), [("IOO", 24, 1200), ("ONO", 12, 2400), ("INO", 24, 2400), ("OOO", 12, 1200)]
)
def test_scaling_multiplies_what_its_effect_names(effect: str, interest: int, principal: int) -> None:
    rows = rows_of("PAM", INTEREST, maturityDate="2024-03-01", scalingEffect=effect, cycleOfScalingIndex="P1YL1",
                   cycleAnchorDateOfScalingIndex="2024-01-15", marketObjectCodeOfScalingIndex="CPI",
                   scalingIndexAtContractDealDate=100, market={"CPI": [("2024-01-15", "200")]})  # fmt: skip
    assert (paid(rows, "IP"), paid(rows, "MD")) == ([interest, interest], [principal])


def test_listed_principal_goes_up_and_down_and_ends_by_itself() -> None:
    rows = rows_of("LAX", arrayCycleAnchorDateOfPrincipalRedemption=["2024-02-01", "2024-04-01"],
                   arrayCycleOfPrincipalRedemption=["P1ML1", "P1ML1"], arrayIncreaseDecrease=["INC", "DEC"],
                   arrayNextPrincipalRedemptionPayment=[300, 900])  # fmt: skip
    assert [line for line in told(rows) if "IP" not in line] == [
        "0101 IED -1200 1200",
        "0201 PI -300 1500",
        "0301 PI -300 1800",
        "0401 PR 900 900",
        "0501 MD 900 0",
    ]


def test_listed_rates_are_fixed_or_spreads_over_the_market() -> None:
    rows = rows_of("LAX", arrayCycleAnchorDateOfPrincipalRedemption="2024-05-01",
                   arrayNextPrincipalRedemptionPayment=1200, arrayCycleAnchorDateOfRateReset=["2024-02-01", "2024-03-01"],
                   arrayRate=["0.06", "0.02"], arrayFixedVariable=["FIX", "VAR"], marketObjectCodeOfRateReset="BASE",
                   arrayCycleAnchorDateOfInterestPayment="2024-02-01", arrayCycleOfInterestPayment="P1ML1",
                   market={"BASE": [("2024-03-01", "0.04")]})  # fmt: skip
    assert [(row.event_type, row.nominal_interest_rate) for row in rows if row.event_type in ("RR", "RRF")] == [
        ("RRF", Fraction(6, 100)),
        ("RR", Fraction(6, 100)),
    ]
    assert paid(rows, "IP") == [12, 6, 6, 6]


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="terms_incomplete"):
        rows_of("LAX", arrayCycleAnchorDateOfPrincipalRedemption=["2024-02-01", "2024-03-01", "2024-04-01"],
                arrayNextPrincipalRedemptionPayment=[10, 20], maturityDate="2024-05-01")  # fmt: skip


def test_a_call_with_notice_stops_interest_and_settles_later() -> None:
    rows = rows_of("CLM", xDayNotice="P10D", observed=[("2024-02-16", "XD", "0")], until="2024-02-20")
    assert told(rows) == ["0101 IED -1200 1200", "0216 XD 0 1200", "0226 IP 18 1200", "0226 STD 1200 0"]
    assert [row.accrued_interest for row in rows] == [0, 0, 0, 0]


def test_a_call_without_notice_settles_at_once() -> None:
    rows = rows_of("CLM", xDayNotice="P0D", observed=[("2024-02-16", "XD", "0")], until="2024-02-20")
    assert told(rows)[1:] == ["0216 XD 0 1200", "0216 IP 18 1200", "0216 STD 1200 0"]
    assert [row.accrued_interest for row in rows[1:]] == [18, 0, 0]


def test_call_money_rolls_its_interest_up_and_ends_at_maturity_when_nobody_calls() -> None:
    rows = rows_of("CLM", cycleOfInterestPayment="P1ML1", maturityDate="2024-03-01")
    assert told(rows)[1:] == ["0201 IPCI 0 1212", "0301 IP 303/25 1212", "0301 MD 1212 0"]


def test_a_call_whose_notice_outlasts_maturity_changes_nothing() -> None:
    rows = rows_of("CLM", xDayNotice="P1M", maturityDate="2024-03-01", observed=[("2024-02-16", "XD", "0")])
    assert [row.event_type for row in rows] == ["IED", "IP", "MD"]


def test_a_line_is_drawn_and_repaid_at_will() -> None:
    rows = rows_of("UMP", cycleOfInterestPayment="P1ML1", until="2024-03-15",
                   observed=[("2024-01-16", "PI", "600"), ("2024-02-16", "PR", "1000")])  # fmt: skip
    assert told(rows) == [
        "0101 IED -1200 1200",
        "0116 PI -600 1800",
        "0201 IPCI 0 1815",
        "0216 PR 1000 815",
        "0301 IPCI 0 16563/20",
    ]


def test_the_borrowers_line_is_the_mirror_image_too() -> None:
    moved = [("2024-01-16", "PI", "600"), ("2024-02-16", "PR", "1000")]
    lent, owed = (
        rows_of("UMP", cycleOfInterestPayment="P1ML1", until="2024-03-15", observed=moved, contractRole=role)
        for role in ("RPA", "RPL")
    )
    assert [-row.payoff for row in owed] == [row.payoff for row in lent]
    assert [-row.notional_principal for row in owed] == [row.notional_principal for row in lent]


def test_a_line_without_an_end_cannot_be_scheduled() -> None:
    with pytest.raises(InvalidInput, match="terms_incomplete"):
        rows_of("UMP", cycleOfInterestPayment="P1ML1")


def test_prepayment_lowers_the_notional_and_may_cost_a_penalty() -> None:
    rows = rows_of("PAM", INTEREST, maturityDate="2024-03-01", penaltyType="A", penaltyRate=25,
                   observed=[("2024-01-16", "PP", "400")])  # fmt: skip
    assert told(rows)[1:4] == ["0116 PY 25 1200", "0116 PP 400 800", "0201 IP 10 800"]


@pytest.mark.parametrize(("kind", "rate", "expected"), [("N", "0.1", 5), ("I", "0", 2)])
def test_penalties_on_the_notional_and_on_the_rate_lost(kind: str, rate: str, expected: int) -> None:
    rows = rows_of("PAM", maturityDate="2024-03-01", penaltyType=kind, penaltyRate=rate,
                   observed=[("2024-01-16", "PP", "400")], marketObjectCodeOfRateReset="BASE",
                   market={"BASE": [("2024-01-01", "0.08")]})  # fmt: skip
    assert paid(rows, "PY") == [expected]


@pytest.mark.parametrize(("basis", "rate", "expected"), [("A", 7, [7, 7]), ("N", "0.03", [3, 3])])
def test_fees_are_amounts_or_rates(basis: str, rate: Any, expected: list[int]) -> None:
    rows = rows_of("PAM", INTEREST, maturityDate="2024-03-01", feeBasis=basis, feeRate=rate, cycleOfFee="P1ML1")
    assert paid(rows, "FP") == expected
    assert paid(rows, "MD") == [1200]


def test_purchase_hides_what_was_anothers_and_termination_ends_it() -> None:
    rows = rows_of("PAM", INTEREST, maturityDate="2024-06-01", purchaseDate="2024-02-16", priceAtPurchaseDate=1190,
                   terminationDate="2024-04-11", priceAtTerminationDate=1195)  # fmt: skip
    assert told(rows) == ["0216 PRD -1196 1200", "0301 IP 12 1200", "0401 IP 12 1200", "0411 TD 1199 0"]


def test_until_cuts_the_future_off_and_the_status_date_the_past() -> None:
    rows = rows_of(
        "PAM", INTEREST, maturityDate="2024-06-01", statusDate="2024-02-01", accruedInterest=0, until="2024-04-01"
    )
    assert [f"{row.event_date:%m%d}" for row in rows] == ["0301", "0401"]


def test_a_look_at_the_state_pays_and_changes_nothing() -> None:
    rows = rows_of("PAM", INTEREST, maturityDate="2024-03-01", observed=[("2024-01-16", "AD", "0")])
    assert (rows[1].event_type, rows[1].payoff, rows[1].accrued_interest) == ("AD", 0, 6)
    assert paid(rows, "IP") == [12, 12]


@pytest.mark.parametrize(
    ("contract_type", "event_type"), [("PAM", "MD"), ("PAM", "PI"), ("LAM", "XD"), ("CLM", "PR"), ("UMP", "IP")]
)
def test_what_cannot_be_observed_of_a_contract_type_is_refused(contract_type: str, event_type: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rows_of(contract_type, REDEMPTION, maturityDate="2024-03-01", observed=[("2024-01-16", event_type, "1")])
    assert refused.value.path == "$.eventsObserved"


def test_an_unknown_calendar_is_not_found() -> None:
    with pytest.raises(NotFound, match="calendar_unknown"):
        rows_of("PAM", maturityDate="2024-03-01", calendar="XX")


CONVENTIONS = st.sampled_from([f"{first}{rule}" for first in ("SC", "CS") for rule in ("F", "MF", "P", "MP")])
SCHEDULES = st.fixed_dictionaries(
    {
        "contractType": st.sampled_from(["PAM", "LAM", "NAM", "ANN"]),
        "contractRole": st.sampled_from(["RPA", "RPL"]),
        "endOfMonthConvention": st.sampled_from(["SD", "EOM"]),
        "dayCountConvention": st.sampled_from(["A365", "A360", "AA", "30E360"]),
        "cycleAnchorDateOfInterestPayment": st.dates(date(2024, 1, 2), date(2024, 3, 31)),
        "cycleOfInterestPayment": st.sampled_from(["P1ML0", "P1ML1", "P2WL0", "P2WL1", "P40DL0", "P1QL1"]),
        "maturityDate": st.dates(date(2024, 5, 1), date(2025, 12, 31)),
    }
)


def scheduled(terms: dict[str, Any], **more: Any) -> list[Row]:
    again = {
        "cycleAnchorDateOfPrincipalRedemption": terms["cycleAnchorDateOfInterestPayment"],
        "cycleOfPrincipalRedemption": terms["cycleOfInterestPayment"],
    }
    return rows_of(terms["contractType"], terms, again, nextPrincipalRedemptionPayment=90, calendar="MF", **more)


@settings(max_examples=60, deadline=None)
@given(terms=SCHEDULES, convention=CONVENTIONS)
def test_what_went_out_comes_back_and_nothing_stays_open(terms: dict[str, Any], convention: str) -> None:
    rows = scheduled(terms, businessDayConvention=convention)
    assert sum(paid(rows, "IED", "PR", "MD")) == 0
    assert (rows[-1].notional_principal, rows[-1].accrued_interest) == (0, 0)
    assert [row.event_date for row in rows] == sorted(row.event_date for row in rows)
    assert all(row.event_date.weekday() < 5 for row in rows if row.event_type != "IED")


@settings(max_examples=60, deadline=None)
@given(terms=SCHEDULES, rule=st.sampled_from(["F", "MF", "P", "MP"]))
def test_calculating_first_leaves_every_amount_as_it_was(terms: dict[str, Any], rule: str) -> None:
    unmoved, moved = scheduled(terms), scheduled(terms, businessDayConvention=f"CS{rule}")
    if len({row.event_date for row in unmoved}) == len({row.event_date for row in moved}):
        assert [row.payoff for row in moved] == [row.payoff for row in unmoved]
