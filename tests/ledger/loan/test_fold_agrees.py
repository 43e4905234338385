"""The fold of the hot path and the fold of the whole chain give the same state, to the byte, at every step."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from ledger.loan.account import replayed
from ledger.loan.fold import fold
from ledger.loan.state import LoanState, NeedsReplay, decode_state, encode_state
from tests.support.random_loans import random_life, told_of


@pytest.mark.parametrize("seed", range(8))
def test_the_projection_is_the_fold_of_the_whole_chain_at_every_step(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        life, _ = random_life(random, random.randrange(1, 30))
        state: LoanState | None = None
        for at, attestation in enumerate(life, 1):
            whole = replayed(told_of(life[:at]))
            try:
                state = fold(state, attestation.envelope, attestation.body)
            except NeedsReplay:
                state = whole
            assert state == whole, [(a.envelope.kind, a.envelope.effective_date.isoformat(), a.body) for a in life[:at]]
            assert encode_state(state) == encode_state(whole)
            assert decode_state(encode_state(state)) == state


def test_most_events_of_an_orderly_loan_need_no_replay() -> None:
    random, needed = Random(5), Counter[bool]()
    for _ in range(60):
        life, _ = random_life(random, 25, jumps=0)
        state: LoanState | None = None
        for at, attestation in enumerate(life, 1):
            try:
                state = fold(state, attestation.envelope, attestation.body)
                needed[False] += 1
            except NeedsReplay:
                state = replayed(told_of(life[:at]))
                needed[True] += 1
    assert needed[False] > 4 * needed[True]
