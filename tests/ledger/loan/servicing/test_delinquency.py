"""Days: past due, delinquent, paused, by range and by row."""

from __future__ import annotations

from datetime import date

from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.delinquency import Range, by_instalment, lateness, range_of
from ledger.loan.servicing.movements import Movement, Row
from ledger.loan.servicing.position import Position, service

RANGES = (Range("early", 1, 30), Range("middle", 31, 90), Range("late", 91, None))
OPENING = (
    Movement(kind="disbursement", on=date(2024, 1, 1), order=1, amount=300),
    Movement(
        kind="plan", on=date(2024, 1, 1), order=2,
        rows=tuple(Row(n=n, due=date(2024, n + 1, 1), principal=100) for n in (1, 2, 3)),
    ),
)  # fmt: skip
GRACE = Rules(grace_days=3)


def on(day: date, *movements: Movement, rules: Rules = GRACE) -> Position:
    return service(rules, (*OPENING, *movements), day)


def days(day: date, *movements: Movement, rules: Rules = GRACE) -> tuple[int, int]:
    late = lateness(on(day, *movements, rules=rules), rules, day)
    return late.days_past_due, late.delinquent_days


def pause(start: date, until: date, order: int = 10) -> Movement:
    return Movement(kind="pause", on=start, order=order, until=until)


def test_days_count_from_the_day_after_the_due_date_and_grace_leaves_them_alone() -> None:
    assert [days(date(2024, 2, day)) for day in (1, 2, 4, 5)] == [(0, 0), (1, 0), (3, 0), (4, 1)]


def test_a_part_payment_changes_the_amount_and_not_the_days() -> None:
    part = Movement(kind="repayment", on=date(2024, 2, 20), order=10, amount=99)
    late = lateness(on(date(2024, 2, 25), part), GRACE, date(2024, 2, 25))
    assert (late.days_past_due, late.amount, late.since) == (24, 1, date(2024, 2, 4))


def test_the_next_oldest_row_counts_when_the_oldest_is_met() -> None:
    paid = Movement(kind="repayment", on=date(2024, 3, 10), order=10, amount=100)
    assert days(date(2024, 3, 11), paid) == (10, 7)


def test_paused_days_do_not_count_and_a_pause_before_the_due_date_gives_nothing() -> None:
    assert days(date(2024, 2, 21), pause(date(2024, 2, 11), date(2024, 2, 16))) == (20, 12)
    assert days(date(2024, 2, 21), pause(date(2024, 1, 2), date(2024, 1, 30))) == (20, 17)
    assert days(date(2024, 2, 21), pause(date(2024, 1, 25), date(2024, 2, 6))) == (20, 12)


def test_the_other_way_takes_whole_pauses_off() -> None:
    whole = Rules(grace_days=3, pause_counts="whole")
    assert days(date(2024, 2, 21), pause(date(2024, 1, 25), date(2024, 2, 6)), rules=whole) == (20, 5)


def test_a_day_in_two_pauses_counts_once() -> None:
    twice = (pause(date(2024, 2, 5), date(2024, 2, 15)), pause(date(2024, 2, 10), date(2024, 2, 20), 11))
    assert days(date(2024, 2, 25), *twice) == (24, 6)


def test_a_resume_ends_the_pause_that_runs() -> None:
    resume = Movement(kind="resume", on=date(2024, 2, 8), order=11)
    assert days(date(2024, 2, 21), pause(date(2024, 2, 5), date(2024, 2, 20)), resume) == (20, 14)


def test_the_count_stops_at_a_charge_off() -> None:
    off = Movement(kind="charge_off", on=date(2024, 2, 11), order=10)
    assert days(date(2024, 6, 1), off) == (10, 7)


def test_ranges_are_looked_up_by_delinquent_days() -> None:
    assert [getattr(range_of(RANGES, n), "name", None) for n in (0, 1, 30, 31, 90, 91, 4_000)] == [
        None, "early", "early", "middle", "middle", "late", "late",
    ]  # fmt: skip


def test_each_past_due_row_may_be_counted_by_itself_without_grace() -> None:
    day = date(2024, 3, 21)
    assert by_instalment(on(day), GRACE, RANGES, day) == {"early": 100, "middle": 100}
    assert by_instalment(on(date(2024, 2, 3)), GRACE, RANGES, date(2024, 2, 3)) == {}


def test_a_reversal_after_the_loan_was_paid_counts_from_the_original_due_date() -> None:
    paid = Movement(kind="repayment", on=date(2024, 2, 1), order=10, ref=b"paid", amount=300)
    bounced = Movement(kind="reversal", on=date(2024, 3, 1), order=11, target=b"paid")
    assert days(date(2024, 3, 2), paid) == (0, 0)
    assert days(date(2024, 3, 2), paid, bounced) == (30, 27)
