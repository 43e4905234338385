"""Bad claims pull the others along; across lenders the reader learns that, and counts, and nothing else."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ledger.errors import InvalidInput
from ledger.jurisdiction.packs import Pack, pack_for
from ledger.jurisdiction.pulling import Claim, Disclosure, PullAnswer, pull_across, pull_at_lender

CONSENT = Disclosure("consent", "01890a5d-ac96-774b-bcce-b302099a8057")


def pack(country: str = "CN") -> Pack:
    """A country's pack."""
    found = pack_for(country)
    assert found is not None
    return found


def claim(amount: int, lender: str = "acacia", *, dpd: int = 0, bad: bool = False, currency: str = "CNY") -> Claim:
    """What a lender has against the debtor."""
    return Claim(lender=lender, amount=amount, currency=currency, dpd=dpd, non_performing=bad)


@pytest.mark.parametrize(
    ("bad", "good", "applied"), [(100, 900, False), (101, 899, True), (101, 909, False), (1, 0, True)]
)
def test_more_than_a_tenth_of_a_firms_claims_at_the_bank_pulls_them_all(bad: int, good: int, applied: bool) -> None:
    found = pull_at_lender(pack(), [claim(bad, bad=True), claim(good)], retail=False)
    assert (found.applied, found.at_least) == (applied, "substandard" if applied else None)
    assert (found.claims_counted, found.claims_bad) == (2, 1)


def test_a_consumer_is_not_pulled_in_china() -> None:
    found = pull_at_lender(pack(), [claim(1, bad=True)], retail=True)
    assert (found.code, found.applied) == ("retail_exempt", False)


@pytest.mark.parametrize(("late", "dpd", "applied"), [(200, 91, False), (201, 91, True), (201, 90, False)])
def test_the_union_pulls_at_more_than_a_fifth_past_due_over_90_days(late: int, dpd: int, applied: bool) -> None:
    claims = [claim(late, dpd=dpd, currency="EUR"), claim(1_000 - late, currency="EUR")]
    found = pull_at_lender(pack("DE"), claims, retail=True)
    assert (found.applied, found.at_least) == (applied, "yes" if applied else None)


def across(claims: list[Claim], disclosure: Disclosure = CONSENT, *, retail: bool = False) -> PullAnswer:
    """What acacia learns."""
    return pull_across(pack(), claims, reader="acacia", retail=retail, disclosure=disclosure)


@pytest.mark.parametrize(
    ("late", "dpd", "applied"), [(400, 91, False), (401, 91, True), (401, 90, False), (0, 500, False)]
)
def test_more_than_a_fifth_of_all_debts_over_90_days_pulls_at_every_bank(late: int, dpd: int, applied: bool) -> None:
    claims = [claim(1_000), claim(late, "baobab", dpd=dpd), claim(1_000 - late, "cedar")]
    found = across(claims)
    assert (found.applied, found.at_least) == (applied, "substandard" if applied else None)
    assert (found.claims_counted, found.claims_bad, found.lenders_counted) == (3, int(dpd > 90), 3)


def test_the_answer_has_no_room_for_another_lenders_figures() -> None:
    claims = [claim(1_000), claim(987_654_321, "baobab", dpd=3_217), claim(555_555, "cedar")]
    found = across(claims)
    shown = repr(found)
    assert found.applied is True
    assert all(secret not in shown for secret in ("987654321", "3217", "555555", "baobab", "cedar"))
    assert {field.name for field in fields(PullAnswer)} == {
        "code", "applied", "at_least", "claims_counted", "claims_bad", "lenders_counted", "basis", "evidence", "ruling",
    }  # fmt: skip


def test_nobody_learns_anything_without_a_basis() -> None:
    found = across([claim(1_000), claim(9_000, "baobab", dpd=200)], Disclosure("none"))
    assert (found.code, found.applied, found.claims_counted) == ("disclosure_refused", None, None)


def test_consent_and_law_each_suffice_in_china_and_are_named_in_the_answer() -> None:
    claims = [claim(1_000), claim(9_000, "baobab", dpd=200)]
    by_law = across(claims, Disclosure("law", "Order 2023/1 art. 10"))
    assert (by_law.applied, by_law.basis, by_law.evidence) == (True, "law", "Order 2023/1 art. 10")
    assert (across(claims).basis, across(claims).evidence) == ("consent", CONSENT.evidence)


def test_a_basis_without_its_evidence_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        across([claim(1)], Disclosure("consent"))
    assert refused.value.code == "evidence_missing"


def test_who_has_no_claim_on_the_debtor_learns_nothing_even_with_consent() -> None:
    found = across([claim(9_000, "baobab", dpd=200), claim(1, "cedar")])
    assert (found.code, found.applied, found.lenders_counted) == ("no_claim", None, None)


def test_counts_are_withheld_where_they_would_be_the_one_other_lenders() -> None:
    found = across([claim(1_000), claim(9_000, "baobab", dpd=200)])
    assert (found.applied, found.claims_counted, found.claims_bad, found.lenders_counted) == (True, None, None, None)


@pytest.mark.parametrize("country", ["US", "KE", "IN", "DE"])
def test_no_other_country_pulls_across_lenders(country: str) -> None:
    found = pull_across(pack(country), [claim(1)], reader="acacia", retail=False, disclosure=CONSENT)
    assert (found.code, found.applied) == ("value_none", None)


def test_claims_in_two_currencies_have_no_share() -> None:
    with pytest.raises(InvalidInput) as refused:
        across([claim(1), claim(1, "baobab", currency="USD"), claim(1, "cedar")])
    assert refused.value.code == "currency_mixed"


def test_the_rule_of_one_lender_takes_the_claims_of_one_lender() -> None:
    with pytest.raises(InvalidInput) as refused:
        pull_at_lender(pack(), [claim(1), claim(1, "baobab")], retail=False)
    assert refused.value.code == "lender_mixed"
