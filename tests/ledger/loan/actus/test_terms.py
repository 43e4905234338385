"""Contract terms: forms that are read alike, and what is refused with the attribute that is wrong."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from ledger.errors import InvalidInput
from ledger.loan.actus.cycle import Cycle
from ledger.loan.actus.terms import parse_terms

LEAST = {"contractType": "LAX", "statusDate": "2024-01-01T00:00:00", "initialExchangeDate": "2024-01-02"}


def test_numbers_are_exact_whatever_they_are_written_as() -> None:
    for written in ("  0.1", "0.1", 0.1, "1e-1"):
        assert parse_terms(LEAST | {"nominalInterestRate": written}).nominal_interest_rate == Fraction(1, 10)
    assert parse_terms(LEAST | {"notionalPrincipal": 5000}).notional_principal == 5000


def test_a_single_value_is_an_array_of_one() -> None:
    one = parse_terms(LEAST | {"arrayCycleOfInterestPayment": "P1YL1", "arrayNextPrincipalRedemptionPayment": 20})
    assert one.array_cycle_of_interest_payment == (Cycle(12, 0),)
    assert one.array_next_principal_redemption_payment == (Fraction(20),)
    many = parse_terms(LEAST | {"arrayIncreaseDecrease": ["INC", "DEC"]})
    assert many.array_increase_decrease == ("INC", "DEC")


def test_names_of_the_dictionary_that_do_not_follow_the_rule_are_known() -> None:
    found = parse_terms(LEAST | {"premiumDiscountAtIED": "-200", "dayCountConvention": "30E360"})
    assert (found.premium_discount_at_ied, found.day_count) == (Fraction(-200), "30e/360")


def test_absent_empty_and_unused_attributes_are_undefined() -> None:
    found = parse_terms(LEAST | {"maturityDate": "", "nominalInterestRate": None, "creatorID": "x"})
    assert (found.maturity_date, found.nominal_interest_rate) == (None, None)


def test_times_keep_their_seconds() -> None:
    found = parse_terms(LEAST | {"maturityDate": "2024-12-31T23:59:59"})
    assert found.maturity_date == datetime.fromisoformat("2024-12-31T23:59:59")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("contractType", "SWAPS"),
        ("contractRole", "XXX"),
        ("statusDate", "2024-13-01"),
        ("statusDate", "2024-01-01T00:00:00Z"),
        ("maturityDate", "soon"),
        ("notionalPrincipal", "NaN"),
        ("notionalPrincipal", "Infinity"),
        ("notionalPrincipal", "1e99999999"),
        ("notionalPrincipal", "a lot"),
        ("notionalPrincipal", True),
        ("cycleOfInterestPayment", "monthly"),
        ("arrayCycleOfInterestPayment", ["P1YL1", "P"]),
        ("dayCountConvention", "A364"),
        ("endOfMonthConvention", "EO"),
        ("interestCalculationBase", "NTX"),
        ("arrayIncreaseDecrease", ["INC", "UP"]),
    ],
)
def test_a_malformed_attribute_is_named(attribute: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_terms(LEAST | {attribute: value})
    assert (refused.value.code, refused.value.path) == ("terms_malformed", f"$.{attribute}")


@pytest.mark.parametrize("attribute", sorted(LEAST))
def test_what_every_contract_needs_is_asked_for(attribute: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_terms({name: value for name, value in LEAST.items() if name != attribute})
    assert refused.value.path == f"$.{attribute}"
