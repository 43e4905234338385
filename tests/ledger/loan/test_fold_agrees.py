"""The fold of the hot path and the fold of the whole chain give the same state, to the byte, at every step."""

from __future__ import annotations

from random import Random

import pytest

from ledger.attestation import credit_kinds as credit
from ledger.loan.account import replayed
from ledger.loan.fold import fold
from ledger.loan.state import LoanState, NeedsReplay, decode_state, encode_state
from tests.ledger.loan.lives import loan
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


def test_a_loan_that_is_served_in_order_never_needs_a_replay() -> None:
    life = loan()
    state: LoanState | None = None
    life.pays(60, "2019-01-10")
    life.pays(50, "2019-01-20", allocated=credit.Allocation(interest=5, principal=45))
    life.charges(7, "2019-01-21", "2019-01-21", "penalty")
    life.books("2019-01-31", balance=220, dpd=0, past_due=0)
    life.pays(330, "2019-02-10")
    for each in life.told:
        state = fold(state, each.attestation.envelope, each.attestation.body)
    assert state == life.state
    assert state is not None and (state.stage, state.balance) == ("overpaid", -110)
