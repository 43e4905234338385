"""Currencies: active ISO 4217 codes, and amounts as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.currency import MINOR_DIGITS, in_major_units


def test_each_code_is_three_capital_letters_with_0_2_or_3_digits() -> None:
    assert [code for code in MINOR_DIGITS if not (len(code) == 3 and code.isascii() and code.isalpha())] == []
    assert [code for code in MINOR_DIGITS if code != code.upper()] == []
    assert set(MINOR_DIGITS.values()) == {0, 2, 3}


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("KES", 2), ("EUR", 2), ("USD", 2), ("UGX", 0), ("RWF", 0), ("JPY", 0), ("KWD", 3), ("TND", 3), ("MGA", 2)],
)
def test_the_digits_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert MINOR_DIGITS[currency] == digits


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XDR", "DEM", "CHE", "kes", ""])
def test_test_codes_metals_funds_and_dead_currencies_are_not_there(code: str) -> None:
    assert code not in MINOR_DIGITS


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (0, "KES", "0.00"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (123_456, "KES", "1,234.56"),
        (-123_456, "KES", "-1,234.56"),
        (700, "JPY", "700"),
        (-1_000_000, "UGX", "-1,000,000"),
        (1, "KWD", "0.001"),
        (1_234_567, "BHD", "1,234.567"),
        (2**53 - 1, "USD", "90,071,992,547,409.91"),
    ],
)
def test_an_amount_is_written_without_rounding(amount: int, currency: str, text: str) -> None:
    assert in_major_units(amount, currency) == text


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(sorted(MINOR_DIGITS)))
def test_the_text_says_exactly_the_amount(amount: int, currency: str) -> None:
    text = in_major_units(amount, currency).replace(",", "")
    assert Decimal(text) == Decimal(amount).scaleb(-MINOR_DIGITS[currency])
    assert len(text.partition(".")[2]) == MINOR_DIGITS[currency]


def test_an_unknown_currency_is_no_guess() -> None:
    with pytest.raises(KeyError):
        in_major_units(1, "XXX")
