"""Two programs, one format: the verifier's own fold agrees with the ledger's on every life of a loan."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from ledger.attestation import credit_kinds as credit
from ledger.attestation.envelope import Attestation
from ledger.loan.account import account
from ledger.loan.facts import FOLDED_KINDS
from ledger.loan.fold import fold
from ledger.view.credit_view import line_of
from tests.support.random_loans import ACCOUNT, FIRST_DAY, random_life, told_of
from tests.verifier.small_ledger import SmallLedger, agreement
from verifier.tallystick_verify import SHOWN, dump, figures


def shown(life: list[Attestation], as_of: date) -> dict[str, Any]:
    """The line's figures on a day, by the ledger."""
    state = account(told_of(life), as_of=as_of).state
    line = json.loads(msgspec.json.encode(line_of(state, lender="acacia", account=ACCOUNT, as_of=as_of)))
    return {name: line[name] for name in line if name not in ("account", "lender")}


@pytest.mark.parametrize("seed", range(12))
def test_what_the_verifier_is_sure_of_is_what_the_ledger_says_of_random_lives_of_a_loan(seed: int) -> None:
    random = Random(seed)
    for _ in range(40):
        life, _ = random_life(random, random.randrange(1, 14), jumps=random.choice((0, 0, 5)))
        if not life:
            continue
        newest = max(attestation.envelope.effective_date for attestation in life)
        as_of = newest + timedelta(days=random.randrange(-30, 300))
        theirs, unsure = figures([json.loads(attestation.data) for attestation in life], as_of)
        theirs.pop("continues", None)  # what the agreement says; the line is that of a lender alone
        known = json.loads(dump({name: value for name, value in theirs.items() if name not in unsure}))
        ours = {name: value for name, value in shown(life, as_of).items() if name not in unsure}
        kinds = [(a.envelope.kind, a.envelope.effective_date.isoformat(), a.body) for a in life]
        assert known == ours, kinds
        assert (as_of >= newest) or unsure == SHOWN


def test_the_verifier_is_sure_of_orderly_loans_and_never_of_what_changed_the_past() -> None:
    random, sure, kinds = Random(99), 0, Counter[str]()
    for _ in range(300):
        life, _ = random_life(random, 10, jumps=0)
        told = Counter(attestation.envelope.kind for attestation in life)
        _, unsure = figures([json.loads(attestation.data) for attestation in life], FIRST_DAY + timedelta(days=9_000))
        past = told.keys() & {"charge", "correction", "deletion", "delinquency", "restructure", "reversal", "waiver"}
        assert unsure or not past
        sure += not unsure
        kinds.update(told)
    assert sure > 100
    assert set(kinds) == FOLDED_KINDS - {"extension"}


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
    theirs, _ = figures([json.loads(attestation.data) for attestation in life], as_of)
    assert theirs["history"] == line_of(state, lender="acacia", account=ACCOUNT, as_of=as_of).history
