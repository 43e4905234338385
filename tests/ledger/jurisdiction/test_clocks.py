"""Retention, notices, disputes, compensation and reporting days of each country."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.errors import InvalidInput
from ledger.jurisdiction.clocks import (
    compensation_due,
    dispute_deadline,
    next_cut,
    notice_due,
    reasons_allowed,
    retention_until,
)
from ledger.jurisdiction.packs import Pack, pack_for


def pack(country: str) -> Pack:
    """A country's pack."""
    found = pack_for(country)
    assert found is not None
    return found


EVENT = date(2020, 2, 1)


@pytest.mark.parametrize(
    ("country", "record", "events", "code", "until"),
    [
        ("CN", "negative", {"event_end": EVENT}, "until", date(2025, 2, 1)),
        ("CN", "positive", {}, "unlimited", None),
        ("IN", "negative", {"reported": EVENT}, "until", date(2027, 2, 1)),
        ("US", "negative", {"first_delinquency": EVENT}, "until", date(2027, 7, 30)),
        ("US", "bankruptcy", {"order_for_relief": EVENT}, "until", date(2030, 2, 1)),
        ("KE", "negative", {"final_payment": EVENT}, "until", date(2025, 2, 1)),
        ("KE", "negative", {"final_payment": EVENT, "write_off": date(2019, 1, 1)}, "until", date(2025, 2, 1)),
        ("KE", "bankruptcy", {"order_for_relief": EVENT}, "until", date(2027, 2, 1)),
        ("KE", "positive", {"final_payment": EVENT}, "until", date(2025, 2, 1)),
        ("DE", "negative", {"event_end": EVENT}, "until", date(2023, 2, 1)),
        ("DE", "discharged", {"discharge": EVENT}, "until", date(2020, 8, 1)),
        ("DE", "positive", {}, "purpose", None),
        ("FR", "negative", {"event_end": EVENT}, "value_national", None),
        ("US", "negative", {"reported": EVENT}, "anchor_unknown", None),
        ("IN", "bankruptcy", {}, "value_unverified", None),
    ],
)
def test_a_record_is_kept_until_the_day_that_the_law_counts(
    country: str, record: Any, events: dict[str, date], code: str, until: date | None
) -> None:
    found = retention_until(pack(country), record, events)
    assert (found.code, found.until) == (code, until)


def test_a_later_delinquency_does_not_move_the_retention() -> None:
    """A charge-off that is reported again has the first delinquency it always had."""
    first = retention_until(pack("US"), "negative", {"first_delinquency": EVENT})
    again = retention_until(pack("US"), "negative", {"first_delinquency": EVENT, "reported": date(2026, 1, 1)})
    assert first == again and first.anchor == "first_delinquency"


OPENED = date(2026, 3, 6)  # a Friday


@pytest.mark.parametrize(
    ("country", "extended", "told", "furnisher", "answer"),
    [
        ("CN", False, None, None, date(2026, 3, 26)),
        ("IN", False, None, date(2026, 3, 27), date(2026, 4, 5)),
        ("EU", False, None, None, date(2026, 4, 6)),
        ("EU", True, None, None, date(2026, 6, 6)),
        ("US", False, date(2026, 3, 13), None, date(2026, 4, 5)),
        ("US", True, date(2026, 3, 13), None, date(2026, 4, 20)),
    ],
)
def test_a_dispute_has_the_clocks_of_its_country(
    country: str, extended: bool, told: date | None, furnisher: date | None, answer: date
) -> None:
    clock = dispute_deadline(pack(country), OPENED, extended=extended)
    assert (clock.code, clock.told_furnisher_due, clock.furnisher_due, clock.answer_due) == (
        "clock", told, furnisher, answer,
    )  # fmt: skip


def test_a_clock_that_nobody_verified_is_said_to_be_so_and_the_item_is_flagged_all_the_same() -> None:
    clock = dispute_deadline(pack("KE"), OPENED)
    assert (clock.code, clock.answer_due, clock.flagged) == ("value_unverified", None, True)


def test_the_look_back_of_a_correction_goes_six_months_back() -> None:
    assert dispute_deadline(pack("US"), OPENED).look_back_from == date(2025, 9, 6)


@pytest.mark.parametrize(
    ("country", "until", "code", "amount"),
    [
        ("IN", date(2026, 4, 5), "in_time", 0),
        ("IN", date(2026, 4, 6), "owed", 10_000),
        ("IN", date(2026, 5, 5), "owed", 300_000),
        ("US", date(2026, 5, 5), "by_court", 0),
        ("DE", date(2026, 5, 5), "by_court", 0),
        ("CN", date(2026, 5, 5), "value_none", 0),
    ],
)
def test_india_owes_100_rupees_a_day_after_30_days(country: str, until: date, code: str, amount: int) -> None:
    found = compensation_due(pack(country), OPENED, until)
    assert (found.code, found.amount) == (code, amount)


@pytest.mark.parametrize(
    ("country", "kind", "code", "needed", "due"),
    [
        ("CN", "pre_negative", "undated", True, None),
        ("CN", "access", "logged", False, None),
        ("IN", "pre_negative", "due", True, OPENED),
        ("IN", "access", "due", True, OPENED),
        ("EU", "pre_negative", "undated", True, None),
        ("EU", "adverse_action", "due", True, OPENED),
        ("US", "pre_negative", "value_none", False, None),
        ("US", "post_negative", "due", True, date(2026, 4, 5)),
        ("US", "adverse_action", "due", True, date(2026, 4, 5)),
        ("KE", "pre_negative", "due", True, date(2026, 2, 4)),
        ("KE", "post_negative", "due", True, date(2026, 4, 5)),
        ("KE", "access", "on_request", False, None),
    ],
)
def test_a_notice_is_due_when_the_law_says(country: str, kind: Any, code: str, needed: bool, due: date | None) -> None:
    found = notice_due(pack(country), kind, OPENED)
    assert (found.code, found.needed, found.due) == (code, needed, due)


@pytest.mark.parametrize(
    ("day", "cut"),
    [
        (date(2026, 9, 1), (date(2026, 9, 9), date(2026, 9, 13))),
        (date(2026, 9, 9), (date(2026, 9, 9), date(2026, 9, 13))),
        (date(2026, 9, 24), (date(2026, 9, 30), date(2026, 10, 4))),
        (date(2027, 2, 28), (date(2027, 2, 28), date(2027, 3, 4))),
    ],
)
def test_india_reports_four_times_a_month(day: date, cut: tuple[date, date]) -> None:
    assert next_cut(pack("IN"), day) == cut
    assert next_cut(pack("US"), day) is None


def test_a_refusal_in_the_us_names_four_reasons_and_a_fifth_for_enquiries() -> None:
    us, eu = pack("US"), pack("EU")
    assert [reasons_allowed(us, n, enquiries_counted=False) for n in (1, 4, 5)] == [True, True, False]
    assert [reasons_allowed(us, n, enquiries_counted=True) for n in (5, 6)] == [True, False]
    assert reasons_allowed(eu, 9, enquiries_counted=False)
    with pytest.raises(InvalidInput) as refused:
        reasons_allowed(us, 0, enquiries_counted=False)
    assert refused.value.code == "out_of_range"


@pytest.mark.parametrize(
    ("country", "free", "words", "residency", "reading"),
    [
        ("CN", 2, None, "in_country", "written_consent"),
        ("IN", 1, None, "in_country", "member_and_purpose"),
        ("EU", None, None, "transfer_rules", "legal_basis"),
        ("US", 1, 100, None, "permissible_purpose"),
        ("KE", 1, 100, "transfer_rules", "consent"),
    ],
)
def test_what_a_borrower_may_have_and_where_the_data_may_be(
    country: str, free: int | None, words: int | None, residency: str | None, reading: str
) -> None:
    document = pack(country).document
    assert (document.free_reports and document.free_reports.value) == free
    assert (document.statement.words and document.statement.words.value) == words
    assert (document.residency and document.residency.value) == residency
    assert (document.reading.value, document.statement.allowed.value) == (reading, True)
