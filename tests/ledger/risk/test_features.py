"""Features are a fold: the same from a truncated log, untouched by what comes later, indifferent to ticks, walled."""

from __future__ import annotations

import pytest
from msgspec import structs

from ledger.risk.borrower import Counts, Event, Shared, State, Trace, decode_own, decode_shared, encode_part
from ledger.risk.features import FEATURES, advance, as_of, decode_state, encode_state, fold
from tests.ledger.risk.borrowers import FIRST_DAY, LENDERS, loan_events, random_life


def folded(events: list[Event]) -> State:
    state = State()
    for event in events:
        fold(state, event)
    return state


def vectors(state: State, day: int) -> list[object]:
    return [as_of(state, lender, day) for lender in LENDERS]


@pytest.mark.parametrize("seed", range(20))
def test_what_was_stored_equals_what_a_truncated_log_gives(seed: int) -> None:
    life = random_life(seed)
    state, stored = State(), []
    for event in life:
        fold(state, event)
        stored.append((encode_state(state), vectors(state, event.seen)))
    for size in range(1, len(life) + 1, 7):
        again = folded(life[:size])
        assert (encode_state(again), vectors(again, life[size - 1].seen)) == stored[size - 1]


@pytest.mark.parametrize("seed", range(20))
def test_events_to_come_change_no_feature_of_a_day_that_was_read(seed: int) -> None:
    life = random_life(seed)
    for size in (20, 60, 100):
        past = folded(life[:size])
        before = vectors(past, life[size - 1].seen)
        data = encode_state(past)
        poisoned = decode_state(data)
        for event in life[size:]:
            fold(poisoned, event)
        assert vectors(past, life[size - 1].seen) == before
        assert vectors(folded(life[:size]), life[size - 1].seen) == before
        assert encode_state(past) == data


@pytest.mark.parametrize("seed", range(20))
def test_ticks_change_nothing_but_when_it_is_known(seed: int) -> None:
    life = random_life(seed)
    quiet, ticking = State(), State()
    for event in life:
        while ticking.shared.day and ticking.shared.day < event.seen:
            fold(ticking, Event("tick", ticking.shared.day + 1, ticking.shared.day + 1))
        fold(ticking, event)
        fold(quiet, event)
    last = life[-1].seen + 40
    advance(quiet, last)
    for day in range(life[-1].seen, last + 1):
        advance(ticking, day)
    assert encode_state(quiet) == encode_state(ticking)


def test_reading_a_later_day_changes_nothing() -> None:
    state = folded(loan_events("acacia", b"a" * 32, FIRST_DAY))
    data = encode_state(state)
    assert as_of(state, "acacia", FIRST_DAY + 34).misses_own_90 == 1
    assert as_of(state, "acacia", FIRST_DAY + 34).dpd_own == 4
    assert encode_state(state) == data


def test_a_miss_is_dated_on_the_fourth_day_after_it_was_due() -> None:
    state = folded(loan_events("acacia", b"a" * 32, FIRST_DAY))
    assert as_of(state, "baobab", FIRST_DAY + 33).misses_elsewhere_90 == 0
    assert as_of(state, "baobab", FIRST_DAY + 34).misses_elsewhere_90 == 1
    assert as_of(state, "baobab", FIRST_DAY + 40).days_since_miss_elsewhere == 6


LONG_AGO = FIRST_DAY
TOLD = FIRST_DAY + 100


def paid(*due: int, amount: int = 1_000) -> list[Event]:
    """Payments on the days due, told with a history."""
    return [Event("repayment", TOLD, LONG_AGO + day, "acacia", b"a" * 32, amount) for day in due]


def test_what_was_paid_on_a_plan_that_is_told_late_is_no_miss_on_the_day_it_is_told_or_later() -> None:
    state = State()
    for event in [*loan_events("acacia", b"a" * 32, LONG_AGO, seen=TOLD), *paid(30, 60, 90)]:
        fold(state, event)
        mine, elsewhere = as_of(state, "acacia", TOLD), as_of(state, "baobab", TOLD)
        assert (mine.missed_own, mine.dpd_own, elsewhere.misses_elsewhere_90) == (0, 0, 0)
    later = as_of(state, "acacia", TOLD + 60)
    assert (later.missed_own, later.dpd_own, later.cured_own) == (0, 0, 0)


def test_what_is_unmet_of_a_plan_that_is_told_late_is_missed_on_its_own_days_once_the_next_day_begins() -> None:
    state = folded([*loan_events("acacia", b"a" * 32, LONG_AGO, seen=TOLD), *paid(30)])
    told, next_day = as_of(state, "acacia", TOLD), as_of(state, "acacia", TOLD + 1)
    assert (told.missed_own, told.dpd_own, next_day.missed_own, next_day.dpd_own) == (0, 0, 2, 41)
    elsewhere = as_of(state, "baobab", TOLD + 1)
    assert (elsewhere.misses_elsewhere_30, elsewhere.misses_elsewhere_90) == (1, 2)
    assert elsewhere.days_since_miss_elsewhere == TOLD + 1 - (LONG_AGO + 94)


def test_an_instalment_that_was_due_days_before_its_plan_was_told_is_missed_on_the_fourth_day_as_ever() -> None:
    state = folded(loan_events("acacia", b"a" * 32, TOLD - 32, seen=TOLD))
    assert [as_of(state, "acacia", TOLD + days).missed_own for days in (0, 1, 2, 3)] == [0, 0, 1, 1]
    assert [as_of(state, "acacia", TOLD + days).dpd_own for days in (0, 1, 2)] == [0, 3, 4]


@pytest.mark.parametrize(
    ("ledger_day", "missed"), [(0, 0), (LONG_AGO + 29, 3), (LONG_AGO + 30, 3), (LONG_AGO + 31, 0), (TOLD, 0)]
)
def test_a_plan_that_the_ledger_knew_on_a_day_of_its_own_before_it_was_due_is_not_told_late(
    ledger_day: int, missed: int
) -> None:
    paid_out, plan = loan_events("acacia", b"a" * 32, LONG_AGO, seen=TOLD)
    state = folded([paid_out, structs.replace(plan, told=ledger_day)])
    assert as_of(state, "acacia", TOLD).missed_own == missed
    assert as_of(state, "acacia", TOLD + 1).missed_own == 3


def test_two_versions_of_a_plan_that_are_told_on_one_day_are_judged_once_by_the_second() -> None:
    late = loan_events("acacia", b"a" * 32, LONG_AGO, seen=TOLD)
    state = folded([*late, late[1], *paid(30, 60)])
    assert (as_of(state, "acacia", TOLD).missed_own, as_of(state, "acacia", TOLD + 1).missed_own) == (0, 1)


def test_another_version_of_a_plan_makes_nobody_later_or_less_late_on_the_day_it_is_told() -> None:
    kept = loan_events("acacia", b"a" * 32, LONG_AGO)
    paid_up = folded([*kept, Event("repayment", LONG_AGO + 30, LONG_AGO + 30, "acacia", b"a" * 32, 1_000)])
    rows = ((LONG_AGO + 10, 1_000), (LONG_AGO + 20, 1_000), (LONG_AGO + 60, 1_000))
    on = LONG_AGO + 40
    fold(paid_up, Event("schedule", on, on, "acacia", b"a" * 32, rows=rows))
    assert [as_of(paid_up, "acacia", day).dpd_own for day in (on, on + 1)] == [0, 21]
    late = folded(kept)
    fold(late, Event("schedule", LONG_AGO + 75, LONG_AGO + 75, "acacia", b"a" * 32, rows=kept[1].rows))
    found = [as_of(late, "acacia", LONG_AGO + day) for day in (75, 76)]
    assert [(each.dpd_own, each.missed_own) for each in found] == [(45, 2), (46, 2)]


def test_a_part_payment_does_not_keep_a_miss_off_and_a_whole_one_cures() -> None:
    state = folded([
        *loan_events("acacia", b"a" * 32, FIRST_DAY),
        Event("repayment", FIRST_DAY + 29, FIRST_DAY + 29, "acacia", b"a" * 32, 999),
    ])  # fmt: skip
    assert as_of(state, "acacia", FIRST_DAY + 34).missed_own == 1
    fold(state, Event("repayment", FIRST_DAY + 35, FIRST_DAY + 35, "acacia", b"a" * 32, 1))
    vector = as_of(state, "acacia", FIRST_DAY + 35)
    assert (vector.missed_own, vector.cured_own, vector.dpd_own) == (1, 1, 0)


def test_a_reversal_makes_an_instalment_unmet_from_its_due_date() -> None:
    state = folded([
        *loan_events("acacia", b"a" * 32, FIRST_DAY),
        Event("repayment", FIRST_DAY + 30, FIRST_DAY + 30, "acacia", b"a" * 32, 1_000),
        Event("reversal", FIRST_DAY + 32, FIRST_DAY + 32, "acacia", b"a" * 32, 1_000),
    ])  # fmt: skip
    assert as_of(state, "acacia", FIRST_DAY + 33).dpd_own == 3
    assert as_of(state, "acacia", FIRST_DAY + 34).missed_own == 1


def test_enquiries_and_loans_elsewhere_are_counted_by_window() -> None:
    state = folded([
        Event("enquiry", FIRST_DAY, FIRST_DAY, "baobab"), Event("enquiry", FIRST_DAY + 20, FIRST_DAY + 20, "cedar"),
        Event("enquiry", FIRST_DAY + 25, FIRST_DAY + 25, "acacia"),
        *loan_events("cedar", b"c" * 32, FIRST_DAY + 26),
    ])  # fmt: skip
    vector = as_of(state, "acacia", FIRST_DAY + 26)
    found = (vector.enquiries_elsewhere_7, vector.enquiries_elsewhere_30, vector.enquiries_elsewhere_90)
    assert found == (1, 2, 2)
    assert (vector.enquiries_own_30, vector.loans_elsewhere_7, vector.open_elsewhere) == (1, 1, 1)
    later = as_of(state, "acacia", FIRST_DAY + 56)
    assert (later.enquiries_elsewhere_30, later.enquiries_elsewhere_90, later.loans_elsewhere_30) == (0, 2, 0)


def test_an_event_that_comes_to_be_known_late_counts_on_the_day_it_is_about() -> None:
    state = folded([Event("enquiry", FIRST_DAY + 45, FIRST_DAY, "baobab")])
    vector = as_of(state, "acacia", FIRST_DAY + 45)
    assert (vector.enquiries_elsewhere_30, vector.enquiries_elsewhere_90) == (0, 1)


def test_only_the_lenders_named_are_counted() -> None:
    state = folded([Event("enquiry", FIRST_DAY, FIRST_DAY, lender) for lender in ("baobab", "baobab", "cedar")])
    assert as_of(state, "acacia", FIRST_DAY).enquiries_elsewhere_30 == 3
    assert as_of(state, "acacia", FIRST_DAY, among=("cedar",)).enquiries_elsewhere_30 == 1
    assert as_of(state, "acacia", FIRST_DAY, among=()).enquiries_elsewhere_30 == 0


def test_a_new_loan_after_a_late_account_was_cleared_is_evergreening() -> None:
    events = [
        *loan_events("acacia", b"a" * 32, FIRST_DAY, instalments=1),
        Event("repayment", FIRST_DAY + 40, FIRST_DAY + 40, "acacia", b"a" * 32, 800),
    ]
    assert as_of(folded([*events, *loan_events("baobab", b"b" * 32, FIRST_DAY + 47)]), "acacia",
                 FIRST_DAY + 47).evergreens_90 == 1  # fmt: skip
    assert as_of(folded([*events, *loan_events("baobab", b"b" * 32, FIRST_DAY + 48)]), "acacia",
                 FIRST_DAY + 48).evergreens_90 == 0  # fmt: skip


def test_clearing_less_than_four_fifths_is_no_evergreening() -> None:
    state = folded([
        *loan_events("acacia", b"a" * 32, FIRST_DAY, instalments=1),
        Event("repayment", FIRST_DAY + 40, FIRST_DAY + 40, "acacia", b"a" * 32, 799),
        *loan_events("baobab", b"b" * 32, FIRST_DAY + 41),
    ])  # fmt: skip
    assert as_of(state, "acacia", FIRST_DAY + 41).evergreens_90 == 0


@pytest.mark.parametrize(("cleared_after", "counted"), [(30, 1), (31, 0)])
def test_only_an_account_that_was_late_in_the_last_thirty_days_is_cleared_by_evergreening(
    cleared_after: int, counted: int
) -> None:
    late, on = FIRST_DAY + 32, FIRST_DAY + 32 + cleared_after
    state = folded([
        Event("disbursement", FIRST_DAY, FIRST_DAY, "acacia", b"a" * 32, 1_010),
        Event("schedule", FIRST_DAY, FIRST_DAY, "acacia", b"a" * 32,
              rows=((FIRST_DAY + 30, 10), (FIRST_DAY + 300, 1_000))),
        Event("repayment", late, late, "acacia", b"a" * 32, 10),
        Event("repayment", on, on, "acacia", b"a" * 32, 1_000),
        *loan_events("baobab", b"b" * 32, on),
    ])  # fmt: skip
    assert as_of(state, "acacia", on).evergreens_90 == counted


def test_a_loan_taken_just_before_a_late_account_is_cleared_is_evergreening_too() -> None:
    state = folded([
        *loan_events("acacia", b"a" * 32, FIRST_DAY, instalments=1),
        *loan_events("baobab", b"b" * 32, FIRST_DAY + 40),
        Event("repayment", FIRST_DAY + 42, FIRST_DAY + 42, "acacia", b"a" * 32, 1_000),
    ])  # fmt: skip
    assert as_of(state, "acacia", FIRST_DAY + 42).evergreens_90 == 1


def test_an_instalment_paid_from_a_loan_taken_just_before_is_a_round_trip() -> None:
    state = folded([
        *loan_events("acacia", b"a" * 32, FIRST_DAY),
        *loan_events("baobab", b"b" * 32, FIRST_DAY + 27),
        Event("repayment", FIRST_DAY + 30, FIRST_DAY + 30, "acacia", b"a" * 32, 1_000),
    ])  # fmt: skip
    assert as_of(state, "acacia", FIRST_DAY + 30).round_trips_90 == 1


def test_payments_that_come_later_each_month_drift() -> None:
    events = loan_events("acacia", b"a" * 32, FIRST_DAY, instalments=5)
    for n, late in enumerate((0, 0, 2, 8), 1):
        day = FIRST_DAY + 30 * n + late
        events.append(Event("repayment", day, day, "acacia", b"a" * 32, 1_000))
    vector = as_of(folded(events), "acacia", FIRST_DAY + 130)
    # fast: 0, 0, 128, 608 (of 256ths); slow: 0, 0, 16, 79
    assert vector.drift_own == 608 - 79


def test_the_same_thing_pledged_at_two_lenders_is_seen_by_both_until_one_loan_ends() -> None:
    item = b"\x09" * 32
    state = folded([
        Event("collateral", FIRST_DAY, FIRST_DAY, "acacia", b"a" * 32, item=item),
        Event("pledged_elsewhere", FIRST_DAY, FIRST_DAY, "baobab", b"b" * 32, item=item),
    ])  # fmt: skip
    assert [as_of(state, lender, FIRST_DAY).pledged_elsewhere for lender in LENDERS] == [1, 1, 0]
    assert as_of(state, "acacia", FIRST_DAY, among=("cedar",)).pledged_elsewhere == 0
    fold(state, Event("closure", FIRST_DAY + 1, FIRST_DAY + 1, "baobab", b"b" * 32))
    assert as_of(state, "acacia", FIRST_DAY + 1).pledged_elsewhere == 0


def test_the_burden_of_the_coming_month_is_compared_with_the_month_past() -> None:
    state = folded([
        *loan_events("acacia", b"a" * 32, FIRST_DAY, amount=1_000),
        Event("repayment", FIRST_DAY + 30, FIRST_DAY + 30, "acacia", b"a" * 32, 1_000),
        *loan_events("acacia", b"b" * 32, FIRST_DAY + 35, amount=500),
    ])  # fmt: skip
    vector = as_of(state, "acacia", FIRST_DAY + 35)
    assert (vector.burden_own, vector.burden_rise_bp, vector.debt_own, vector.open_own) == (1_500, 5_000, 3_500, 2)


def test_what_crosses_lenders_has_no_member_that_is_money() -> None:
    figures = {"amount", "paid", "disbursed", "payable", "toward", "rows"}
    assert not figures & {*Counts.__struct_fields__, *Shared.__struct_fields__, *Trace._fields}
    ours, theirs = loan_events("acacia", b"a" * 32, FIRST_DAY, amount=10), loan_events("acacia", b"a" * 32, FIRST_DAY)
    assert encode_part(folded(ours).shared) == encode_part(folded(theirs).shared)
    assert as_of(folded(ours), "baobab", FIRST_DAY + 60) == as_of(folded(theirs), "baobab", FIRST_DAY + 60)


def test_parts_come_back_from_their_rows() -> None:
    state = folded(random_life(3))
    assert decode_shared(encode_part(state.shared)) == state.shared
    assert {name: decode_own(encode_part(own)) for name, own in state.own.items()} == state.own


def test_the_loans_of_one_lender_are_bounded_and_ended_ones_go_first() -> None:
    state = State()
    for n in range(65):
        fold(state, Event("disbursement", FIRST_DAY, FIRST_DAY, "acacia", n.to_bytes(32, "big"), 1))
        if n == 40:
            fold(state, Event("closure", FIRST_DAY, FIRST_DAY, "acacia", n.to_bytes(32, "big")))
    loans = state.own["acacia"].loans
    assert (len(loans), (40).to_bytes(32, "big") in loans, (0).to_bytes(32, "big") in loans) == (64, False, True)


def test_a_vector_has_every_feature_by_name() -> None:
    assert set(FEATURES) == set(as_of(State(), "acacia", FIRST_DAY).__struct_fields__) - {"day"}
