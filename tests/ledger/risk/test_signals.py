"""Rules are data, raised once an episode, told within reach, with at most four reasons and their causes."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from ledger.errors import InvalidInput
from ledger.risk import signals
from ledger.risk.borrower import Event, State
from ledger.risk.features import advance, decode_state, encode_state, fold
from ledger.risk.signals import EVERYBODY, NOTHING_ELSEWHERE, Reach, Signal, judge, read_rules
from tests.ledger.risk.borrowers import FIRST_DAY, loan_events

DOCUMENT = (Path(signals.__file__).parent / "rules" / "early_warning.toml").read_bytes()
BOOK = read_rules(DOCUMENT)
A, B = b"a" * 32, b"b" * 32


def lived(*events: Event) -> State:
    state = State()
    for event in events:
        fold(state, event)
    return state


def codes(found: list[Signal]) -> list[str]:
    return [signal.rule.code for signal in found]


def enquiries(*lenders: str, first: int = 10) -> list[Event]:
    return [Event("enquiry", FIRST_DAY, FIRST_DAY, name, index=first + n) for n, name in enumerate(lenders)]


def test_the_rules_are_their_document_and_its_hash() -> None:
    assert BOOK.digest == sha256(DOCUMENT).digest()
    assert len(BOOK.rules) == 18
    assert read_rules(DOCUMENT + b"\n").digest != BOOK.digest


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('reading = "misses_elsewhere_90"', 'reading = "colour_of_eyes"', "rules_reading"),
        ('reading = "misses_elsewhere_90"', 'reading = "debt_own"', "rules_reading"),
        ('code = "miss_elsewhere"', 'code = "first_miss"', "rules_twice"),
        ("baseline = 4\n", "baseline = 9\n", "rules_threshold"),
        ('hears = "own"\nreasons = ["first', 'hears = "elsewhere"\nreasons = ["first', "rules_reach"),
        ("version = 1", "version = 2", "rules_malformed"),
        ("severity = 4", "severity = 5", "rules_malformed"),
        ("severity = 4", "colour = 4", "rules_malformed"),
        ("version = 1", "version = ", "rules_malformed"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(old: str, new: str, code: str) -> None:
    text = DOCUMENT.decode()
    assert old in text
    with pytest.raises(InvalidInput) as refused:
        read_rules(text.replace(old, new, 1).encode())
    assert refused.value.code == code


def test_three_enquiries_elsewhere_in_a_week_are_raised_once_with_their_causes() -> None:
    state = lived(*loan_events("acacia", A, FIRST_DAY), *enquiries("baobab", "cedar", "cedar"))
    (signal,) = judge(BOOK, state, "acacia", FIRST_DAY, EVERYBODY)
    assert (signal.rule.code, signal.reading, signal.episode) == ("stacking_enquiries_7", 3, 1)
    assert signal.reasons == ("enquiries_elsewhere",)
    assert (signal.causes, signal.unnamed) == ((), 3)  # nobody is shown another lender's enquiry
    assert judge(BOOK, state, "acacia", FIRST_DAY, EVERYBODY) == []


def test_without_reach_nothing_from_elsewhere_is_told() -> None:
    state = lived(*loan_events("acacia", A, FIRST_DAY), *enquiries("baobab", "cedar", "cedar"))
    assert judge(BOOK, state, "acacia", FIRST_DAY, NOTHING_ELSEWHERE) == []


def test_lenders_outside_the_reach_are_not_counted() -> None:
    state = lived(*loan_events("acacia", A, FIRST_DAY), *enquiries("baobab", "cedar", "cedar"))
    assert judge(BOOK, state, "acacia", FIRST_DAY, Reach(frozenset({"cedar"}), frozenset())) == []


def test_causes_that_may_not_be_read_are_counted_instead() -> None:
    state = lived(
        *loan_events("acacia", A, FIRST_DAY),
        Event("disbursement", FIRST_DAY, FIRST_DAY, "baobab", B, 1, index=10),
        Event("disbursement", FIRST_DAY, FIRST_DAY, "cedar", B, 1, index=11),
    )
    assert [signal.causes for signal in judge(BOOK, decode_state(encode_state(state)), "acacia", FIRST_DAY,
                                              Reach(None, frozenset()))] == [()]  # fmt: skip
    (signal,) = judge(BOOK, state, "acacia", FIRST_DAY, Reach(None, frozenset({"baobab"})))
    assert [(cause.lender, cause.entry) for cause in signal.causes] == [("baobab", 10)]
    assert signal.unnamed == 1


def test_a_rule_is_armed_again_only_at_its_baseline() -> None:
    state = lived(*loan_events("acacia", A, FIRST_DAY, instalments=1), *enquiries("baobab", "cedar", "cedar"))
    assert codes(judge(BOOK, state, "acacia", FIRST_DAY, EVERYBODY)) == ["stacking_enquiries_7"]
    advance(state, FIRST_DAY + 6)
    fold(state, Event("enquiry", FIRST_DAY + 6, FIRST_DAY + 6, "cedar", index=20))
    fold(state, Event("enquiry", FIRST_DAY + 6, FIRST_DAY + 6, "cedar", index=21))
    advance(state, FIRST_DAY + 7)  # two are left: between baseline and threshold
    assert codes(judge(BOOK, state, "acacia", FIRST_DAY + 7, EVERYBODY)) == ["stacking_enquiries_30"]
    fold(state, Event("enquiry", FIRST_DAY + 7, FIRST_DAY + 7, "cedar", index=22))
    assert judge(BOOK, state, "acacia", FIRST_DAY + 7, EVERYBODY) == []
    advance(state, FIRST_DAY + 14)  # none is left
    assert judge(BOOK, state, "acacia", FIRST_DAY + 14, EVERYBODY) == []
    for lender in ("baobab", "cedar", "cedar"):
        fold(state, Event("enquiry", FIRST_DAY + 14, FIRST_DAY + 14, lender, index=30))
    (signal, *_) = judge(BOOK, state, "acacia", FIRST_DAY + 14, EVERYBODY)
    assert (signal.rule.code, signal.episode) == ("stacking_enquiries_7", 2)


def test_a_miss_elsewhere_is_told_before_any_at_home_and_names_the_schedule_as_its_proof() -> None:
    theirs = loan_events("baobab", B, FIRST_DAY)
    state = lived(theirs[0], Event("schedule", FIRST_DAY, FIRST_DAY, "baobab", B, rows=theirs[1].rows, index=5),
                  *loan_events("acacia", A, FIRST_DAY + 20))  # fmt: skip
    advance(state, FIRST_DAY + 34)
    (signal,) = judge(BOOK, state, "acacia", FIRST_DAY + 34, EVERYBODY)
    assert (signal.rule.code, signal.reasons) == ("miss_elsewhere", ("missed_payment_elsewhere",))
    assert [(cause.kind, cause.entry) for cause in signal.causes] == [("miss", 5)]


def test_the_lenders_own_miss_is_about_its_loan_and_told_once_a_loan() -> None:
    state = lived(*loan_events("acacia", A, FIRST_DAY), *loan_events("acacia", B, FIRST_DAY))
    advance(state, FIRST_DAY + 34)
    found = judge(BOOK, state, "acacia", FIRST_DAY + 34, NOTHING_ELSEWHERE)
    assert [(signal.rule.code, signal.account) for signal in found] == [("first_miss", A), ("first_miss", B)]
    advance(state, FIRST_DAY + 60)
    found = judge(BOOK, state, "acacia", FIRST_DAY + 60, NOTHING_ELSEWHERE)
    assert [(signal.rule.code, signal.account, signal.reading) for signal in found] == [
        ("dpd_30", A, 30),
        ("dpd_30", B, 30),
    ]
    assert found[0].reasons == ("thirty_days_past_due", "first_missed_payment")


def test_there_are_never_more_than_four_reasons_and_the_rules_own_comes_first() -> None:
    state = lived(
        *loan_events("acacia", A, FIRST_DAY),
        *[event for n in range(5) for event in loan_events("baobab", bytes([n]) * 32, FIRST_DAY)],
        *enquiries(*["cedar"] * 9),
    )  # fmt: skip
    advance(state, FIRST_DAY + 34)
    found = judge(BOOK, state, "acacia", FIRST_DAY + 34, EVERYBODY)
    assert len(found) >= 4
    assert all(1 <= len(signal.reasons) <= 4 for signal in found)
    assert all(signal.reasons[0] == signal.rule.reasons[0] for signal in found)


def test_a_lender_that_does_not_know_the_borrower_is_told_nothing() -> None:
    state = lived(*enquiries("baobab", "cedar", "cedar"))
    assert judge(BOOK, state, "acacia", FIRST_DAY, EVERYBODY) == []
