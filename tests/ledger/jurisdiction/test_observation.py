"""What a bad loan needs before it may be called good."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.jurisdiction.observation import Watch, may_upgrade
from ledger.jurisdiction.packs import pack_for

CLEARED = date(2026, 1, 15)
MONTHLY = [date(2026, month, 1) for month in range(2, 9)]


def watch(country: str = "CN", *, as_of: date, **rest: Any) -> Watch:
    """The answer for a loan cleared in January."""
    pack = pack_for(country)
    assert pack is not None
    whole: dict[str, Any] = {"cleared": CLEARED, "due_dates_met": MONTHLY} | rest
    return may_upgrade(pack, as_of=as_of, **whole)


@pytest.mark.parametrize(("as_of", "code"), [(date(2026, 7, 14), "time_short"), (date(2026, 7, 15), "upgrade_allowed")])
def test_a_monthly_loan_waits_six_months_which_is_the_longer(as_of: date, code: str) -> None:
    found = watch(as_of=as_of)
    assert (found.code, found.over, found.earliest) == (code, code == "upgrade_allowed", date(2026, 7, 15))


@pytest.mark.parametrize(
    ("as_of", "code"), [(date(2026, 12, 31), "periods_short"), (date(2027, 1, 1), "upgrade_allowed")]
)
def test_a_half_yearly_loan_waits_for_two_due_dates_which_is_the_longer(as_of: date, code: str) -> None:
    assert watch(as_of=as_of, due_dates_met=[date(2026, 7, 1), date(2027, 1, 1)]).code == code


def test_a_due_date_before_the_arrears_were_cleared_does_not_count() -> None:
    assert watch(as_of=date(2026, 12, 1), due_dates_met=[date(2026, 1, 1), date(2026, 2, 1)]).code == "periods_short"


def test_open_arrears_or_another_impaired_claim_keep_the_class() -> None:
    assert watch(as_of=date(2026, 12, 1), cleared=None).code == "arrears_open"
    assert watch(as_of=date(2026, 12, 1), other_impaired=True).code == "other_claim_impaired"


def test_india_is_content_with_every_arrear_paid() -> None:
    assert watch("IN", as_of=CLEARED, due_dates_met=[]).code == "upgrade_allowed"
    assert watch("IN", as_of=CLEARED, cleared=None, due_dates_met=[]).code == "arrears_open"


def test_a_pack_that_was_not_verified_upgrades_nothing() -> None:
    assert watch("KE", as_of=date(2030, 1, 1)).code == "value_unverified"
