"""The letter says the reasons that were scored, as many as the law helps with, and the ledger keeps its hash."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import pytest

from ledger.errors import InvalidInput
from ledger.risk.adverse_action import Terms, adverse_action, notice_body

DAY = date(2026, 11, 24)
FIVE = ("arrears_now", "months_unpaid", "credit_use_high", "paid_total_little", "enquiries_many")


def test_the_letter_reads_as_it_should() -> None:
    terms = Terms(reasons_max=4, within_days=30, statements=("You may ask us for a copy of what we used.",))
    letter = adverse_action(FIVE[:2], terms, decided_on=DAY)
    assert letter.text == (
        "We did not approve your application.\nDecided on 2026-11-24.\n\nThe main reasons were:\n"
        "1. Your most recent payment is two months or more behind.\n"
        "2. You made no payment in one or more of the last six months.\n\n"
        "You may ask us for a copy of what we used.\n"
    )
    assert letter.send_by == date(2026, 12, 24)
    assert letter.digest == sha256(letter.text.encode()).digest()


def test_no_more_reasons_than_the_law_helps_with_and_enquiries_where_it_asks_for_them() -> None:
    assert adverse_action(FIVE, Terms(reasons_max=4), decided_on=DAY).reasons == FIVE[:4]
    assert adverse_action(FIVE, Terms(reasons_max=4, enquiries_extra=True), decided_on=DAY).reasons == FIVE
    assert adverse_action(FIVE[4:], Terms(reasons_max=1, enquiries_extra=True), decided_on=DAY).reasons == FIVE[4:]


def test_a_country_without_a_term_has_no_last_day_and_other_acts_open_otherwise() -> None:
    letter = adverse_action(FIVE[:1], Terms(reasons_max=4), decided_on=DAY, action="limit_reduced")
    assert letter.send_by is None
    assert letter.text.startswith("We reduced your credit limit.\n")


@pytest.mark.parametrize(
    ("reasons", "code"),
    [((), "reasons_missing"), (("arrears_now", "arrears_now"), "reason_twice"), (("fate",), "reason_unknown")],
)
def test_a_letter_without_true_reasons_is_refused(reasons: tuple[str, ...], code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        adverse_action(reasons, Terms(reasons_max=4), decided_on=DAY)
    assert caught.value.code == code


def test_the_notice_on_the_ledger_holds_the_hash_and_not_the_text() -> None:
    letter = adverse_action(FIVE[:1], Terms(reasons_max=4), decided_on=DAY)
    notice = notice_body(letter, channel="sms", sent_at=1_790_000_000_000)
    assert (notice.kind, notice.channel, notice.receipt) == ("adverse_action", "sms", letter.digest)
