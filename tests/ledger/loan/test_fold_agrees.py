"""The fold of the hot path and the fold of the whole chain give the same state, to the byte, at every step."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger.attestation import credit_kinds as credit
from ledger.attestation.envelope import Attestation
from ledger.loan.account import account, replayed
from ledger.loan.arrears import arrears
from ledger.loan.fold import fold
from ledger.loan.money import OURS
from ledger.loan.replay import Replay
from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.movements import Movement, Row
from ledger.loan.servicing.position import service
from ledger.loan.state import LoanState, NeedsReplay, decode_state, encode_state
from tests.ledger.loan.lives import loan
from tests.support.random_loans import ACCOUNT, paid_in_a_month, random_body, random_life, told_of
from tests.verifier.small_ledger import SmallLedger


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


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32), steps=st.integers(1, 30), jumps=st.sampled_from((0, 5, 30)), later=st.integers(0, 400)
)
def test_on_any_day_projection_and_whole_account_say_the_same(seed: int, steps: int, jumps: int, later: int) -> None:
    life, state = random_life(Random(seed), steps, jumps=jumps)
    assume(state is not None)
    assert state is not None
    day = date.fromordinal(state.moved + later)
    found = account(told_of(life), as_of=day)
    late = arrears(state, day)
    assert found.arrears == late
    assert (found.state.stage, found.state.balance, found.state.closed) == (state.stage, state.balance, state.closed)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 20), later=st.integers(0, 6))
def test_whether_books_or_the_closure_of_a_day_before_them_are_told_first_changes_no_money(
    seed: int, steps: int, later: int
) -> None:
    random, (life, state) = Random(seed), random_life(Random(seed), steps)
    assume(state is not None and state.stage in ("active", "paid", "overpaid"))
    assert state is not None
    (books, day), (closure, before) = paid_in_a_month(random, date.fromordinal(state.moved + random.randrange(-60, 60)))
    ledger = SmallLedger()
    files = [ledger.attest("acacia", body, on.isoformat(), ACCOUNT) for body, on in ((books, day), (closure, before))]
    after = list[Attestation]()
    for _ in range(later):
        on = day + timedelta(days=random.randrange(-90, 60))
        body = random_body(random, random.choice(("repayment", "charge", "waiver", "disbursement")), on, 100)
        after.append(ledger.attest("acacia", body, on.isoformat(), ACCOUNT))
    one, other = (Replay(told_of([*life, *order, *after]), OURS, strict=False) for order in (files, files[::-1]))
    assert one.money.changes() == other.money.changes()
    assert one.state() == other.state()


@settings(max_examples=60, deadline=None)
@given(
    payments=st.lists(st.tuples(st.integers(0, 100), st.integers(1, 150)), max_size=8),
    charges=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=3),
    day=st.integers(0, 150),
)
def test_the_account_and_the_servicing_engine_give_the_same_position(
    payments: list[tuple[int, int]], charges: list[tuple[int, int]], day: int
) -> None:
    life, first = loan(), date(2019, 1, 1)
    moves = [
        Movement(kind="disbursement", on=first, order=1, amount=300),
        Movement(kind="plan", on=first, order=2, rows=tuple(
            Row(n=n, due=date(2019, n, 10), principal=100, interest=10) for n in (1, 2, 3))),
    ]  # fmt: skip
    for order, (after, amount) in enumerate(charges, 3):
        on = first + timedelta(days=after)
        ref = life.charges(amount, on.isoformat(), on.isoformat())
        moves.append(Movement(kind="charge", on=on, order=order, ref=ref.bytes, amount=amount, component="fee", due=on))
    for order, (after, amount) in enumerate(payments, 10):
        on = first + timedelta(days=after)
        ref = life.pays(amount, on.isoformat())
        moves.append(Movement(kind="repayment", on=on, order=order, ref=ref.bytes, amount=amount))
    until = first + timedelta(days=day)
    position, found = service(Rules(), moves, until), account(life.told, as_of=until)
    oldest = position.oldest_unmet(until)
    assert found.arrears.since == (None if oldest is None or found.state.stage != "active" else oldest.due)
    assert found.arrears.amount == position.overdue(until).total
    assert found.state.balance == position.outstanding - position.overpaid


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
