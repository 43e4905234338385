"""A line tells what is known and no more, and a consent narrows it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger.attestation.registry import SPECS
from ledger.attestation.sharing_kinds import Artefact, DataFilter, Purpose, Span
from ledger.loan.state import LoanState
from ledger.view.credit_view import NAMES, Line, apply_consent, category_of, chosen, disclosed, flags_of, line_of

ACCOUNT = b"\x01" * 32
AS_OF = date(2019, 1, 31)
STATE = LoanState(
    stage="active", currency="USD", opened=date(2017, 3, 1), portfolio_type="instalment", principal=5_000, balance=900,
    past_due=0, status="current", as_of=date(2019, 1, 15), grid_newest=2019 * 12, grid="0" * 20, collateral=True,
)  # fmt: skip


def line(**changed: Any) -> Line:
    return msgspec.structs.replace(line_of(STATE, lender="acacia", account=ACCOUNT, as_of=AS_OF), **changed)


def artefact(**changed: Any) -> Artefact:
    facts: dict[str, Any] = {
        "categories": ("LOAN",), "consent": UUID(int=1), "consumer": "app", "data_life": Span(n=0, unit="INF"),
        "detail": "TRANSACTIONS", "expiry": 2, "fetch": "ONETIME", "frequency": Span(n=1, unit="DAY"),
        "jurisdiction": "KE", "legal_basis": "consent", "mode": "VIEW",
        "purpose": Purpose(category="a", code="1", text="t"),
        "start": 1, "subject": bytes(32), "version": 1,
    }  # fmt: skip
    return Artefact(**(facts | changed))


def test_a_line_is_written_in_canonical_order_with_unknown_members_absent() -> None:
    assert list(Line.__struct_encode_fields__) == sorted(Line.__struct_encode_fields__)
    assert msgspec.json.encode(line()).decode() == (
        '{"account":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","asOf":"2019-01-31","balance":900,"collateral":true,'
        '"currency":"USD","delinquentDays":0,"dpd":0,"flags":[],"history":"0000000000000000000BBBBB",'
        '"historyFrom":"2018-12","lender":"acacia","opened":"2017-03-01","pastDue":0,"portfolioType":"instalment",'
        '"principal":5000,"stage":"active","status":"current"}'
    )


def test_a_loan_without_agreement_states_no_terms_and_no_history() -> None:
    bare = line_of(LoanState(stage="applied", currency="USD"), lender="acacia", account=ACCOUNT, as_of=AS_OF)
    assert (bare.principal, bare.collateral, bare.history, bare.history_from) == (None, None, None, None)


def test_the_history_ends_before_the_newest_snapshot_or_else_before_the_day_asked_for() -> None:
    assert line().history_from == "2018-12"
    books = msgspec.structs.replace(STATE, as_of=None)
    late = line_of(books, lender="a", account=ACCOUNT, as_of=date(2019, 6, 1))
    assert (late.history_from, late.history) == ("2019-05", "DDDD" + "0" * 20)


def test_flags_are_sorted_words_and_a_pause_ends_on_its_last_day() -> None:
    start, until = date(2019, 1, 1).toordinal(), AS_OF.toordinal()
    state = msgspec.structs.replace(
        STATE, charged_off=AS_OF, closed=AS_OF, defaulted=AS_OF, disputed=True, forborne=True, pauses=((start, until),)
    )
    assert flags_of(state, date(2019, 1, 30)) == (
        "charged_off", "closed", "defaulted", "disputed", "forborne", "paused",
    )  # fmt: skip
    assert "paused" not in flags_of(state, AS_OF)


def test_a_profile_discloses_nothing_a_summary_the_headline_and_transactions_all_that_may_be_shown() -> None:
    details = ("PROFILE", "SUMMARY", "TRANSACTIONS")
    shown = {detail: {kind for kind in SPECS if disclosed(kind, detail)} for detail in details}
    assert shown["PROFILE"] == set()
    assert shown["SUMMARY"] < shown["TRANSACTIONS"]
    assert shown["TRANSACTIONS"] == {k for k, spec in SPECS.items() if spec.about == "account"} - {"extension"}
    assert "repayment" not in shown["SUMMARY"]


def test_a_summary_takes_the_newest_snapshot_and_is_complete_only_when_nothing_is_left_out() -> None:
    days = [date(2019, 1, n) for n in (1, 9, 5, 2)]
    events = list(zip(("agreement", "status_snapshot", "status_snapshot", "extension"), days, strict=True))
    assert chosen(artefact(detail="SUMMARY"), events) == ([0, 1], False)
    assert chosen(artefact(), events) == ([0, 1, 2], True)
    assert chosen(artefact(data_from=date(2019, 1, 2)), events) == ([1, 2], False)
    assert chosen(artefact(fields=("dpd",)), events) == ([], False)
    assert chosen(artefact(detail="PROFILE"), events) == ([], False)


@pytest.mark.parametrize(("terms", "reaches"), [
    ({}, True),
    ({"providers": ("acacia",)}, True), ({"providers": ("baobab",)}, False),
    ({"accounts": (ACCOUNT,)}, True), ({"accounts": (bytes(32),)}, False),
    ({"categories": ("CARD",)}, False),
    ({"data_to": date(2017, 2, 28)}, False), ({"data_from": date(2019, 1, 1)}, True),
])  # fmt: skip
def test_a_consent_reaches_the_loans_it_names(terms: dict[str, Any], reaches: bool) -> None:
    assert (apply_consent(line(), artefact(**terms)) is not None) is reaches


def test_a_loan_that_ended_before_the_range_is_not_reached() -> None:
    assert apply_consent(line(closed=date(2018, 1, 1)), artefact(data_from=date(2018, 1, 2))) is None
    assert apply_consent(line(closed=date(2018, 1, 2)), artefact(data_from=date(2018, 1, 2))) is not None


@pytest.mark.parametrize(("field", "operator", "value", "passes"), [
    ("balance", "ge", "900", True), ("balance", "lt", "900", False), ("balance", "eq", "900.0", False),
    ("opened", "le", "2017-03-01", True), ("opened", "gt", "nonsense", False), ("status", "eq", "current", True),
    ("status", "ne", "current", False), ("flags", "eq", "defaulted", False), ("flags", "ne", "defaulted", True),
    ("flags", "lt", "z", False), ("collateral", "eq", "true", True), ("limit", "ne", "1", False),
    ("unheard_of", "eq", "1", False), ("pastDue", "eq", "0", True),
])  # fmt: skip
def test_a_filter_shows_only_what_it_can_compare(field: str, operator: Any, value: str, passes: bool) -> None:
    rule = DataFilter(field=field, operator=operator, value=value)
    assert (apply_consent(line(), artefact(filters=(rule,))) is not None) is passes


def test_a_list_of_fields_hides_all_other_figures_and_keeps_the_lines_identity() -> None:
    shown = apply_consent(line(), artefact(fields=("dpd", "unheardOf")))
    assert shown == Line(account=ACCOUNT, as_of=AS_OF, lender="acacia", dpd=0)


def test_a_profile_says_who_lent_what_and_since_when() -> None:
    shown = apply_consent(line(), artefact(detail="PROFILE"))
    assert shown is not None
    known = {name for name, attribute in NAMES.items() if getattr(shown, attribute) is not None}
    assert known == {"account", "asOf", "currency", "lender", "opened", "portfolioType", "stage"}


def test_a_history_that_reaches_outside_the_range_is_left_out() -> None:
    inside = apply_consent(line(), artefact(data_from=date(2017, 1, 1), data_to=date(2019, 1, 31)))
    before = apply_consent(line(), artefact(data_from=date(2017, 2, 1)))
    assert inside is not None and inside.history == line().history
    assert before is not None and (before.history, before.history_from) == (None, None)


@pytest.mark.parametrize(("product", "portfolio", "category"), [
    ("bnpl", "instalment", "BNPL"), ("BNPL", "open", "BNPL"), (None, "revolving", "CARD"), ("18", "revolving", "CARD"),
    ("mobile_money", "open", "MOBILE_MONEY"), ("utility", "open", "UTILITY"),
    (None, "mortgage", "LOAN"), (None, None, "LOAN"),
])  # fmt: skip
def test_every_loan_has_one_category(product: str | None, portfolio: str | None, category: str) -> None:
    assert category_of(line(product=product, portfolio_type=portfolio)) == category
