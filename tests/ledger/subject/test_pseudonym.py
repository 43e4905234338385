"""Pseudonyms: the same for each spelling, different for everything else."""

from __future__ import annotations

import hmac

import pytest

from ledger.errors import InvalidInput
from ledger.subject.pseudonym import IDENTIFIER_CHARS_MAX, SCHEMES, KeyedPseudonyms, normalise

KEY = bytes(range(32))
PSEUDONYMS = KeyedPseudonyms(KEY)


def fault(scheme: str, identifier: str) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as caught:
        PSEUDONYMS.subject(scheme, identifier)
    return caught.value.code, caught.value.path


def test_it_is_hmac_sha256_over_domain_scheme_and_value_each_with_its_length() -> None:
    message = b"tallystick/subject/v1" + b"\x00\x00\x00\x0bnational-id" + b"\x00\x00\x00\x0823456789"
    assert PSEUDONYMS.subject("national-id", "23456789") == hmac.digest(KEY, message, "sha256")
    message = b"tallystick/account/v1" + b"\x00\x00\x00\x06acacia" + b"\x00\x00\x00\x03L-1"
    assert PSEUDONYMS.account("acacia", "L-1") == hmac.digest(KEY, message, "sha256")


def test_the_values_do_not_move_between_versions() -> None:
    found = PSEUDONYMS.subject("national-id", "23456789").hex()
    assert found == "6528c66589c76065ebb5895dd32d34f604e88bd2b0599277f092ce80c539ca3b"
    assert (
        PSEUDONYMS.account("acacia", "L-1").hex() == "ce777c7de7a4cf2f95343d2470f5a224b4237ea56fbf994b5049aa522234aa7d"
    )


@pytest.mark.parametrize("spelling", ["ab-123.456/7", " AB 1234567 ", "a.b\t1-2/3\n4567", "AB1234567"])
def test_spellings_of_one_national_id_meet(spelling: str) -> None:
    assert normalise("national-id", spelling) == "AB1234567"
    assert PSEUDONYMS.subject("national-id", spelling) == PSEUDONYMS.subject("national-id", "AB1234567")


def test_leading_zeros_and_letters_count() -> None:
    spellings = ("123", "0123", "O123", "123A")
    assert len({PSEUDONYMS.subject("national-id", spelling) for spelling in spellings}) == 4


@pytest.mark.parametrize("spelling", ["ab 12|1990-02-28", "AB-12|19900228", "AB12| 1990-02-28 "])
def test_spellings_of_an_id_with_a_birth_date_meet(spelling: str) -> None:
    assert normalise("national-id-birth-date", spelling) == "AB12|1990-02-28"


@pytest.mark.parametrize("born", ["1990-02-30", "28.02.1990", "", "0000-01-01", "1990"])
def test_a_birth_date_exists(born: str) -> None:
    assert fault("national-id-birth-date", f"AB12|{born}") == ("identifier_malformed", None)


def test_the_second_scheme_needs_its_bar() -> None:
    assert fault("national-id-birth-date", "AB12") == ("identifier_malformed", None)


def test_an_account_number_is_only_trimmed() -> None:
    assert normalise("account-number", " l-1 ") == "l-1"
    assert PSEUDONYMS.subject("account-number", "l-1") != PSEUDONYMS.subject("account-number", "L-1")


def test_scheme_tenant_key_and_purpose_keep_pseudonyms_apart() -> None:
    made = {
        PSEUDONYMS.subject("national-id", "123"),
        PSEUDONYMS.subject("account-number", "123"),
        PSEUDONYMS.account("national-id", "123"),
        PSEUDONYMS.account("acacia", "123"),
        PSEUDONYMS.account("acacia1", "23"),
        KeyedPseudonyms(KEY[::-1]).subject("national-id", "123"),
        KeyedPseudonyms(KEY[::-1]).account("acacia", "123"),
    }
    assert len(made) == 7
    assert {len(each) for each in made} == {32}


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    assert fault("us-ssn", "900123456") == ("scheme_unknown", "$.scheme")
    assert sorted(SCHEMES) == ["account-number", "national-id", "national-id-birth-date"]


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("", "identifier_length"),
        ("9" * (IDENTIFIER_CHARS_MAX + 1), "identifier_length"),
        (" - . / ", "identifier_empty"),
        ("000-00-0000", "identifier_empty"),
    ],
)
def test_an_identifier_that_names_nobody_is_refused(identifier: str, code: str) -> None:
    assert fault("national-id", identifier) == (code, "$.identifier")


def test_the_longest_identifier_is_taken() -> None:
    assert len(PSEUDONYMS.subject("national-id", "9" * IDENTIFIER_CHARS_MAX)) == 32


def test_no_error_holds_the_identifier() -> None:
    for scheme, identifier in (
        ("national-id-birth-date", "SECRET|x"),
        ("nothing", "SECRET"),
        ("national-id", "SECRET" * 99),
    ):
        with pytest.raises(InvalidInput) as caught:
            PSEUDONYMS.subject(scheme, identifier)
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("identifier", ["|1990-01-01", "000|1990-01-01", " - |1990-01-01"])
def test_a_birth_date_alone_names_nobody(identifier: str) -> None:
    assert fault("national-id-birth-date", identifier) == ("identifier_empty", "$.identifier")


def test_half_a_surrogate_pair_is_no_identifier() -> None:
    assert fault("national-id", "12\ud8003") == ("identifier_malformed", "$.identifier")
