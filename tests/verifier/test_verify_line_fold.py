"""Two programs, one format: the verifier's own fold agrees with the ledger's on every life of a loan."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from random import Random

import msgspec
import pytest

from ledger.attestation import credit_kinds as credit
from ledger.loan.fold import FOLDED_KINDS, fold
from ledger.view.credit_view import line_of
from tests.verifier.random_loans import ACCOUNT, FIRST_DAY, random_life
from tests.verifier.small_ledger import SmallLedger, agreement
from verifier.tallystick_verify import dump, figures


@pytest.mark.parametrize("seed", range(12))
def test_both_folds_give_the_same_figures_for_random_lives_of_a_loan(seed: int) -> None:
    random = Random(seed)
    for _ in range(40):
        life, state = random_life(random, random.randrange(1, 40))
        if state is None:
            continue
        as_of = FIRST_DAY + timedelta(days=random.randrange(3_300))
        ours = json.loads(msgspec.json.encode(line_of(state, lender="acacia", account=ACCOUNT, as_of=as_of)))
        theirs = figures([json.loads(attestation.data) for attestation in life], as_of)
        known = json.loads(dump(theirs))
        kinds = [(a.envelope.kind, a.envelope.effective_date.isoformat(), a.body) for a in life]
        assert known == {name: ours[name] for name in ours if name not in ("account", "lender")}, kinds


def test_the_random_lives_reach_every_kind_and_most_stages() -> None:
    random, kinds, stages = Random(99), Counter[str](), set[str]()
    for _ in range(400):
        life, state = random_life(random, 25)
        kinds.update(attestation.envelope.kind for attestation in life)
        if state is not None:
            stages.add(state.stage)
    assert set(kinds) == FOLDED_KINDS - {"extension"}
    assert len(stages) >= 12


@pytest.mark.parametrize("months_later", [59, 60, 62, 70, 82, 83, 84, 85, 120])
def test_both_forget_the_same_months_when_a_much_later_one_is_reported(months_later: int) -> None:
    ledger, state, as_of = SmallLedger(), None, date(2010, 12, 31)
    late = 2010 * 12 + 11 + months_later
    books = credit.StatusSnapshot(dpd=35, status="past_due")
    bodies = [(agreement(), "2009-01-01"), (books, "2009-06-30"), (books, "2010-12-31")]
    bodies.append((credit.StatusSnapshot(history_code="0"), f"{late // 12}-{late % 12 + 1:02}-15"))
    life = [ledger.attest("acacia", body, on, ACCOUNT) for body, on in bodies]
    for attestation in life:
        state = fold(state, attestation.envelope, attestation.body)
    assert state is not None
    theirs = figures([json.loads(attestation.data) for attestation in life], as_of)
    assert theirs["history"] == line_of(state, lender="acacia", account=ACCOUNT, as_of=as_of).history
