"""A letter follows its country's pack: how many reasons, by when, and none without a pack."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.errors import Refused
from ledger.node.letters import letter_for

DAY = date(2026, 11, 24)
SIX = ("arrears_now", "arrears_past", "months_unpaid", "credit_use_high", "paid_total_little", "enquiries_many")


def test_the_united_states_allow_four_reasons_and_enquiries_and_thirty_days() -> None:
    letter = letter_for("US", SIX, decided_on=DAY)
    assert letter.reasons == (*SIX[:4], "enquiries_many")
    assert letter.send_by == date(2026, 12, 24)


def test_a_pack_without_a_term_or_number_gets_the_scores_four_and_no_last_day() -> None:
    letter = letter_for("KE", SIX, decided_on=DAY, statements=("Ask us at any branch.",))
    assert (letter.reasons, letter.send_by) == (SIX[:4], None)
    assert letter.text.endswith("\n\nAsk us at any branch.\n")


def test_without_a_pack_there_is_no_letter() -> None:
    with pytest.raises(Refused) as caught:
        letter_for("BR", SIX, decided_on=DAY)
    assert caught.value.code == "pack_unknown"
