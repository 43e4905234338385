"""The generator and the split give the published numbers and scikit-learn's own rows."""

from __future__ import annotations

from itertools import islice

import pytest

from ledger.errors import InvalidInput
from ledger.risk.training.measures import rows_digest
from ledger.risk.training.split import mersenne_words, shuffled, stratified_split


def test_the_generator_gives_the_published_words() -> None:
    words = list(islice(mersenne_words(5489), 10_000))
    # ISO C++ [rand.predef]: the 10,000th word of mt19937 seeded by its default is 4123659995
    assert (words[0], words[-1]) == (3_499_211_612, 4_123_659_995)


def test_a_shuffle_is_numpys() -> None:
    # numpy.random.RandomState(0).permutation(10)
    assert shuffled(10, mersenne_words(0)) == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]


LABELS = [1 if row % 7 in (0, 3) else 2 if row % 11 == 5 else 0 for row in range(1_000)]


def test_the_split_is_scikit_learns() -> None:
    # sorted(train_test_split(range(1000), test_size=.3, random_state=42, stratify=LABELS)[1]), scikit-learn 1.9.1
    train, test = stratified_split(LABELS, test_share=(3, 10), seed=42)
    assert (len(train), len(test), sorted(train + test)) == (700, 300, list(range(1_000)))
    assert test[:10] == [0, 2, 5, 7, 8, 10, 14, 17, 22, 23]
    assert rows_digest(test) == "9606fddb64b97c11c06ad65c606795d397c376a454a639ec83f68b247a0287e7"


def test_each_class_has_its_share() -> None:
    _, test = stratified_split([0] * 90 + [1] * 10, test_share=(1, 5), seed=1)
    assert sum(row >= 90 for row in test) == 2


def test_a_tie_is_refused_rather_than_drawn() -> None:
    with pytest.raises(InvalidInput) as caught:
        stratified_split([0] * 5 + [1] * 5, test_share=(1, 2), seed=1)
    assert caught.value.code == "split_tie"
