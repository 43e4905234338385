"""Plans from simple terms: days, parts, down payments, tranches, reschedules."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.loan.servicing.plan import Reschedule, Terms, due_days, opening, rescheduled, stepped, tranche

THREE = Terms(start=date(2024, 1, 1), every=15, unit="days", count=3, multiple=100, down_payment_bp=2_500)


def shown(rows: object) -> list[tuple[str, int, str]]:
    return [(row.due.isoformat()[5:], row.principal, row.kind) for row in rows]  # type: ignore[attr-defined]


def test_months_are_cut_at_their_end_and_count_from_the_start() -> None:
    days = due_days(Terms(start=date(2023, 1, 31), every=1, unit="months", count=3))
    assert days == (date(2023, 2, 28), date(2023, 3, 31), date(2023, 4, 30))
    assert stepped(date(2024, 2, 29), 1, "years", 1) == date(2025, 2, 28)
    assert stepped(date(2024, 1, 1), 2, "weeks", 2) == date(2024, 1, 29)


def test_a_down_payment_is_a_row_of_its_own_on_the_day() -> None:
    assert shown(opening(THREE, 100_000)) == [
        ("01-01", 25_000, "down_payment"),
        ("01-16", 25_000, "instalment"),
        ("01-31", 25_000, "instalment"),
        ("02-15", 25_000, "instalment"),
    ]


def test_a_tranche_goes_to_the_rows_after_its_day_and_is_rounded_with_what_they_have() -> None:
    planned = opening(THREE, 50_000)[1:]
    assert shown(tranche(THREE, 50_000, date(2024, 1, 16), planned)) == [
        ("01-16", 12_500, "down_payment"),
        ("01-31", 18_700, "instalment"),
        ("02-15", 18_800, "instalment"),
    ]


def test_a_tranche_past_the_last_row_makes_a_row_one_period_later() -> None:
    terms = Terms(start=date(2024, 1, 1), every=30, unit="days", count=1)
    assert shown(tranche(terms, 500, date(2024, 3, 1), opening(terms, 900))) == [("03-01", 500, "instalment")]


def test_a_reschedule_moves_the_rows_from_a_day_on_and_may_add_some() -> None:
    rows = opening(THREE, 100_000)
    moved = rescheduled(THREE, rows, Reschedule(from_due=date(2024, 1, 31), to=date(2024, 3, 1), extra=1))
    assert shown(moved)[2:] == [
        ("03-01", 16_700, "instalment"),
        ("03-16", 16_700, "instalment"),
        ("03-31", 16_600, "instalment"),
    ]
    assert rescheduled(THREE, rows, Reschedule(from_due=date(2025, 1, 1))) == rows


@given(
    st.integers(0, 10**9), st.integers(1, 60), st.sampled_from([1, 100]), st.integers(0, 10_000), st.integers(0, 10**9),
    st.integers(0, 900), st.sampled_from(["left", "all"]), st.booleans(),
)  # fmt: skip
def test_rows_always_add_up_to_what_went_out(
    amount: int, count: int, multiple: int, down: int, more: int, later: int, share_of: str, same_day: bool
) -> None:
    terms = Terms(
        start=date(2024, 1, 31), every=1, unit="months", count=count, multiple=multiple, down_payment_bp=down,
        share_of=share_of, same_day=same_day,
    )  # type: ignore[arg-type]  # fmt: skip
    rows = opening(terms, amount)
    assert sum(row.principal for row in rows) == amount
    added = tranche(terms, more, stepped(terms.start, later, "days", 1), rows[bool(down) :])
    assert sum(row.principal for row in added) == more


def test_terms_without_a_period_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        Terms(start=date(2024, 1, 1), every=0, unit="days", count=1)
    assert refused.value.code == "plan_terms_wrong"
