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
from tests.support.random_loans import ACCOUNT, FIRST_DAY, STATUSES, random_body, random_life, told_of
from tests.verifier.small_ledger import SmallLedger, agreement
from verifier.tallystick_figures import FIGURES, MONEY, figures, text


def shown(life: list[Attestation], as_of: date) -> dict[str, Any]:
    """The line's figures on a day, by the ledger."""
    state = account(told_of(life), as_of=as_of).state
    line = json.loads(msgspec.json.encode(line_of(state, lender="acacia", account=ACCOUNT, as_of=as_of)))
    return {name: line[name] for name in line if name in FIGURES}


def sure_of(found: dict[str, Any], unsure: set[str]) -> dict[str, Any]:
    """The figures that the verifier would hold a line against, as JSON has them."""
    told = {name: found[name] for name in FIGURES - unsure if found[name] is not None}
    return dict(json.loads(text(told)))


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
        theirs["continues"] = None  # what the agreement says; the line is that of a lender alone
        known = sure_of(theirs, unsure)
        ours = {name: value for name, value in shown(life, as_of).items() if name not in unsure}
        kinds = [(a.envelope.kind, a.envelope.effective_date.isoformat(), a.body) for a in life]
        assert known == ours, kinds
        assert (as_of >= newest) or unsure == FIGURES


def test_the_verifier_is_sure_of_orderly_loans_and_never_of_what_changed_the_past() -> None:
    random, sure, kinds = Random(99), 0, Counter[str]()
    for _ in range(300):
        life, _ = random_life(random, 10, jumps=0)
        told = Counter(attestation.envelope.kind for attestation in life)
        _, unsure = figures([json.loads(attestation.data) for attestation in life], FIRST_DAY + timedelta(days=9_000))
        past = told.keys() & {"charge", "correction", "deletion", "delinquency", "reversal", "waiver"}
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


def _closed_life(random: Random, ledger: SmallLedger) -> list[Attestation]:
    """The file of a loan as its lender sends it: terms, months, the books, and that it was paid some days before."""
    on, life = FIRST_DAY + timedelta(days=random.randrange(400)), list[Attestation]()

    def tell(kind: str, day: date) -> None:
        body = random_body(random, kind, day, 0)
        life.append(ledger.attest("acacia", body, day.isoformat(), ACCOUNT))

    tell("agreement", on - timedelta(days=random.randrange(-10, 300)))
    for back in range(random.randrange(3), 0, -1):
        month = credit.StatusSnapshot(history_code=random.choice("012L"))
        life.append(ledger.attest("acacia", month, (on - timedelta(days=15 * back)).isoformat(), ACCOUNT))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        books = msgspec.structs.replace(
            random_body(random, "status_snapshot", on, 0), status=random.choice(STATUSES[1:])
        )
        books = msgspec.structs.replace(books, balance=random.choice((0, 0, None, books.balance)))
        day = on + timedelta(days=random.randrange(-5, 30))
        life.append(ledger.attest("acacia", books, day.isoformat(), ACCOUNT))
    if random.randrange(3) == 0:
        tell(random.choice(("charge_off", "dispute", "agreement")), on)
    closed = credit.Closure(cause="paid")
    life.append(ledger.attest("acacia", closed, (on - timedelta(days=random.randrange(-10, 40))).isoformat(), ACCOUNT))
    for _ in range(random.choice((0, 0, 1, 2))):
        on += timedelta(days=random.randrange(40))
        tell(random.choice(("repayment", "status_snapshot", "charge_off", "dispute", "agreement")), on)
    return life


def test_the_verifier_tells_a_loan_whose_books_are_told_before_the_older_day_on_which_it_was_paid() -> None:
    random, ledger, sure = Random(5), SmallLedger(), 0
    for _ in range(600):
        life = _closed_life(random, ledger)
        as_of = FIRST_DAY + timedelta(days=2_000)
        theirs, unsure = figures([json.loads(attestation.data) for attestation in life], as_of)
        theirs["continues"] = None
        known = sure_of(theirs, unsure)
        ours = {name: value for name, value in shown(life, as_of).items() if name not in unsure}
        assert known == ours, [(a.envelope.kind, a.envelope.effective_date.isoformat(), a.body) for a in life]
        sure += not unsure
    assert sure > 200


@pytest.mark.parametrize(
    "before",
    [
        (),
        (credit.StatusSnapshot(history_code="1"),),
        (credit.StatusSnapshot(balance=100, dpd=0, status="current"),),
        (credit.Disbursement(amount=100, currency="KES", tranche=1),),
    ],
)
def test_a_closure_told_after_the_books_of_later_days_is_told_by_the_order_of_days(before: tuple[Any, ...]) -> None:
    ledger, as_of = SmallLedger(), date(2026, 1, 31)
    books = credit.StatusSnapshot(balance=0, dpd=0, status="closed")
    bodies = [(agreement(), "2025-01-01"), *((body, "2025-12-31") for body in before), (books, "2026-01-31"),
              (credit.Closure(cause="paid"), "2026-01-30")]  # fmt: skip
    life = [ledger.attest("acacia", body, on, ACCOUNT) for body, on in bodies]
    theirs, unsure = figures([json.loads(attestation.data) for attestation in life], as_of)
    assert unsure == set()
    assert sure_of(theirs, unsure) == shown(life, as_of)
    assert (theirs["stage"], theirs["balance"], theirs["closed"]) == ("paid", 0, date(2026, 1, 30))


@pytest.mark.parametrize(("on", "told"), [("2026-01-31", True), ("2026-01-30", False)])
def test_money_told_after_the_books_of_a_later_day_is_not_told(on: str, told: bool) -> None:
    ledger, as_of = SmallLedger(), date(2026, 1, 31)
    books = credit.StatusSnapshot(balance=80, dpd=0, status="current")
    paid = credit.Repayment(amount=30, channel="cash", currency="KES")
    bodies = [(agreement(), "2025-01-01"), (books, "2026-01-31"), (paid, on)]
    life = [ledger.attest("acacia", body, day, ACCOUNT) for body, day in bodies]
    theirs, unsure = figures([json.loads(attestation.data) for attestation in life], as_of)
    assert unsure == (set() if told else MONEY)
    assert sure_of(theirs, unsure).items() <= shown(life, as_of).items()
