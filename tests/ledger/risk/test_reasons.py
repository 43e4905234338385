"""Reasons are a closed list of true, specific sentences."""

from __future__ import annotations

import pytest

from ledger.attestation.fields import Code
from ledger.errors import InvalidInput
from ledger.risk.reasons import REASONS, sentence, sentences


def test_every_reason_is_a_sentence_that_says_more_than_that_the_score_was_low() -> None:
    texts = [reason.sentence for reason in REASONS.values()]
    assert len(set(texts)) == len(texts) >= 15
    for text in texts:
        assert text[0].isupper() and text.endswith("."), text
        assert "score" not in text.lower() and len(text) <= 100, text


def test_every_id_fits_an_attestation() -> None:
    longest = Code.__metadata__[0].max_length  # type: ignore[attr-defined]
    assert all(len(reason) <= longest for reason in REASONS)
    assert [reason for reason, row in REASONS.items() if reason != row.id] == []


def test_a_reason_that_nobody_can_put_into_words_is_refused() -> None:
    assert sentences(["months_unpaid", "arrears_now"])[1] == "Your most recent payment is two months or more behind."
    with pytest.raises(InvalidInput) as caught:
        sentence("bad_luck")
    assert caught.value.code == "reason_unknown"
