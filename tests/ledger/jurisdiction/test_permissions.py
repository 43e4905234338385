"""What may be listed, and which data may be used."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.errors import InvalidInput
from ledger.jurisdiction.packs import pack_for
from ledger.jurisdiction.permissions import may_list, may_use

DAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("country", "consented", "code"),
    [
        ("DE", "warned", "forbidden"),
        ("EU", "none", "forbidden"),
        ("CN", "none", "consent_needed"),
        ("CN", "plain", "allowed"),
        ("IN", "none", "consent_needed"),
        ("US", "plain", "allowed"),
        ("KE", "none", "consent_needed"),
        ("BR", "warned", "pack_unknown"),
    ],
)
def test_social_network_data_is_a_switch_that_the_union_turns_off(country: str, consented: Any, code: str) -> None:
    found = may_use(pack_for(country), "social_network", consented=consented)
    assert (found.code, found.allowed) == (code, code == "allowed")


@pytest.mark.parametrize(
    ("country", "kinds"),
    [
        ("CN", {"religion", "genes", "fingerprints", "blood_type", "health"}),
        ("IN", {"phone_contacts"}),
        ("EU", {"social_network", "race", "ethnicity", "politics", "religion", "union", "genes", "fingerprints", "health",
                "sexual_orientation"}),
        ("US", {"race", "colour", "religion", "national_origin", "sex", "marital_status", "age", "public_assistance"}),
        ("KE", {"religion", "politics", "health", "union", "positive_deposits"}),
    ],
)  # fmt: skip
def test_each_country_forbids_its_own_kinds_whatever_the_borrower_agrees_to(country: str, kinds: set[str]) -> None:
    pack = pack_for(country)
    assert pack is not None
    assert {kind for kind in pack.document.data if may_use(pack, kind, consented="warned").code == "forbidden"} == kinds


@pytest.mark.parametrize(("consented", "code"), [("none", "warned_consent_needed"), ("plain", "warned_consent_needed"),
                                                 ("warned", "allowed")])  # fmt: skip
def test_china_asks_for_a_warning_before_income_may_be_used(consented: Any, code: str) -> None:
    assert may_use(pack_for("CN"), "income", consented=consented).code == code


def test_a_kind_that_a_pack_does_not_speak_of_is_free_and_one_that_nobody_knows_is_refused() -> None:
    assert may_use(pack_for("US"), "income").code == "unrestricted"
    with pytest.raises(InvalidInput) as refused:
        may_use(pack_for("US"), "horoscope")
    assert refused.value.code == "data_kind_unknown"


@pytest.mark.parametrize(
    ("country", "rest", "code"),
    [
        ("KE", {"amount": 100_000, "currency": "KES", "notified": date(2026, 2, 1)}, "below_floor"),
        ("KE", {"amount": 100_001, "currency": "KES", "notified": date(2026, 3, 1)}, "allowed"),
        ("KE", {"amount": 100_001, "currency": "KES", "notified": date(2026, 3, 2)}, "notice_short"),
        ("KE", {"amount": 100_001, "currency": "KES"}, "notice_missing"),
        ("KE", {"amount": 100_001, "currency": "USD", "notified": date(2026, 2, 1)}, "currency_unconverted"),
        ("DE", {"amount": 10_000, "currency": "EUR", "exposure": 1, "notified": DAY}, "below_floor"),
        ("DE", {"amount": 10_001, "currency": "EUR", "exposure": 1_000_100, "notified": DAY}, "below_floor"),
        ("DE", {"amount": 10_001, "currency": "EUR", "exposure": 1_000_099, "notified": DAY}, "allowed"),
        ("DE", {"amount": 10_001, "currency": "EUR", "notified": DAY}, "exposure_unknown"),
        ("CN", {"amount": 1, "currency": "CNY"}, "notice_missing"),
        ("CN", {"amount": 1, "currency": "CNY", "notified": DAY}, "allowed"),
        ("US", {"amount": 1, "currency": "USD"}, "allowed"),
        ("IN", {"amount": 1, "currency": "INR", "notified": DAY}, "allowed"),
        ("BR", {"amount": 1, "currency": "BRL", "notified": DAY}, "pack_unknown"),
    ],
)
def test_arrears_are_listed_above_the_floor_and_after_the_notice(country: str, rest: dict[str, Any], code: str) -> None:
    found = may_list(pack_for(country), on=DAY, **rest)
    assert (found.code, found.allowed) == (code, code == "allowed")
