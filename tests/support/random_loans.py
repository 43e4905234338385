"""Random lives of a loan: every kind that the transition table lets through, in any order, with edge amounts, value
dates out of order, reversals, corrections and deletions of what is there, and the books of a month before the closure
of an earlier day, as a lender's file has it."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.envelope import Attestation
from ledger.attestation.fields import Body
from ledger.errors import Refused
from ledger.loan.account import replayed
from ledger.loan.facts import FOLDED_KINDS
from ledger.loan.fold import fold
from ledger.loan.servicing.allocation import OUR_ORDER
from ledger.loan.state import LoanState, NeedsReplay, owed
from ledger.loan.supersession import Told
from tests.verifier.small_ledger import SmallLedger, agreement

ACCOUNT = b"\x0c" * 32
FIRST_DAY = date(2015, 1, 1)
STATUSES = (
    None, "current", "past_due", "closed", "charged_off", "collection", "foreclosed", "surrendered", "repossessed",
)  # fmt: skip
CAUSES = ("paid", "settled_short", "refinanced", "written_off", "fraud", "transferred", "cancelled")
OFTEN = ("repayment", "repayment", "repayment", "status_snapshot", "schedule", "charge", "reversal")
KINDS = (*sorted(FOLDED_KINDS - {"extension"}), *OFTEN)
ABOUT_ANOTHER = ("correction", "deletion", "reversal")
MONTHLY = 25
"""One step in so many of a life whose days jump is a month's file of a loan that was paid."""


def folded(state: LoanState | None, life: list[Attestation], new: Attestation) -> LoanState:
    """The state after one more, as the ledger takes it in: by the fold, or by a replay of the whole chain."""
    try:
        return fold(state, new.envelope, new.body)
    except NeedsReplay:
        return replayed(told_of([*life, new]))


def told_of(life: list[Attestation]) -> list[Told]:
    """A chain whose batches hold one attestation each."""
    return [Told(at, attestation) for at, attestation in enumerate(life)]


def random_life(random: Random, steps: int, *, jumps: int = 30) -> tuple[list[Attestation], LoanState | None]:
    """Up to ``steps`` attestations that the ledger accepts, and the state they lead to. Days go forward, except for
    ``jumps`` of a hundred."""
    ledger, state, life, on = SmallLedger(), None, list[Attestation](), FIRST_DAY
    for _ in range(steps):
        on += timedelta(days=random.randrange(40))
        if jumps and random.randrange(MONTHLY) == 0:
            for body, day in paid_in_a_month(random, on):
                state = _taken(state, life, ledger.attest("acacia", body, day.isoformat(), ACCOUNT))
            continue
        day = on - timedelta(days=random.randrange(120)) if random.randrange(100) < jumps else on
        kind = random.choice(KINDS) if state is not None else random.choice(("agreement", "agreement", "application"))
        body = random_body(random, kind, day, owed(state) if state is not None else None)
        rest: dict[str, Any] = {}
        if kind in ABOUT_ANOTHER:
            named = [each for each in life if kind != "reversal" or each.envelope.kind == "repayment"]
            if not named:
                continue
            rest["refs"] = (random.choice(named).envelope.id,)
        state = _taken(state, life, ledger.attest("acacia", body, day.isoformat(), ACCOUNT, **rest))
    return life, state


def _taken(state: LoanState | None, life: list[Attestation], new: Attestation) -> LoanState | None:
    """The state after one more, which the life gets; as it was, where the ledger refuses it."""
    try:
        state = folded(state, life, new)
    except Refused:
        return state
    life.append(new)
    return state


def paid_in_a_month(random: Random, on: date) -> tuple[tuple[Body, date], tuple[Body, date]]:
    """The books of a day, and that the loan was paid on an earlier one: told in this order."""
    books = credit.StatusSnapshot(
        balance=random.choice((0, 0, 0, None, 500)), currency="KES", dpd=random.choice((None, 0, 40)),
        past_due=random.choice((None, 0, 7)), status=random.choice(("closed", "current", "past_due")),
    )  # fmt: skip
    return (books, on), (credit.Closure(cause="paid"), on - timedelta(days=random.randrange(1, 30)))


def random_body(random: Random, kind: str, on: date, remaining: int | None) -> Body:
    """A body of ``kind`` whose optional members are there or not at random."""

    def perhaps(value: Any) -> Any:
        return random.choice((None, value))

    def rarely(value: Any) -> Any:
        return value if random.randrange(8) == 0 else None

    amount = random.choice((0, 1, 500, 10_000, 12_345))
    near = on + timedelta(days=random.randrange(-60, 90))
    money: dict[str, Any] = {"amount": amount, "currency": "KES"}
    bodies: dict[str, Any] = {
        "agreement": lambda: agreement(
            allocation_order=rarely(tuple(reversed(OUR_ORDER))), excess_rule=rarely("last"),
            frequency=perhaps("weekly"), grace_days=random.choice((0, 5)), instalments=perhaps(4), limit=perhaps(7),
            portfolio_type=rarely("revolving") or "instalment",
            predecessor=rarely(bytes(32)), predecessor_lender=rarely("b"),
            principal=amount, product=perhaps("term"), rate_ppm=perhaps(9), collateral=random.random() < 0.5),
        "application": lambda: credit.Application(channel="agent", product="asked", **money),
        "charge": lambda: credit.Charge(
            component=random.choice(("fee", "penalty", "interest")), due=random.choice((on, near)), reason="late", **money),
        "charge_off": lambda: credit.ChargeOff(first_delinquency=perhaps(near), original_amount=1, **money),
        "closure": lambda: credit.Closure(cause=random.choice(CAUSES), new_account=rarely(bytes(32))),
        "collateral": lambda: credit.Collateral(currency="KES", kind="cow", lien_rank=1, value=1, valued_on=on),
        "correction": lambda: sharing.Correction(
            cause="error", changes=(sharing.ChangedField(name="a", new_hash=bytes(32), old_hash=bytes(32)),)),
        "cure": lambda: credit.Cure(probation_end=on),
        "decision": lambda: credit.Decision(
            amount=1, automated=True, currency="KES",
            outcome=random.choice(("approved", "approved", "declined", "countered", "withdrawn"))),
        "default": lambda: credit.Default(trigger="days_past_due"),
        "deletion": lambda: sharing.Deletion(cause="error"),
        "delinquency": lambda: credit.Delinquency(
            currency="KES", dpd_from=0, dpd_to=random.choice((0, 9)), since=near,
            overdue=credit.Overdue(fee=amount, penalty=3)),
        "disbursement": lambda: credit.Disbursement(tranche=1, **money),
        "dispute": lambda: sharing.Dispute(claim="not_mine", state=random.choice(("opened", "opened", "withdrawn"))),
        "guarantee": lambda: credit.Guarantee(guarantor=bytes(32), type="person"),
        "pause": lambda: credit.Pause(cause="flood", start=on, until=on + timedelta(days=random.randrange(40))),
        "recovery": lambda: credit.Recovery(cost=0, currency="KES", gross=amount, source="cash"),
        "repayment": lambda: _repayment(random, max(random.choice((amount, remaining or 1, (remaining or 0) + 5)), 1)),
        "restructure": lambda: credit.Restructure(forborne=random.random() < 0.5, loss_bp=0, type="extend"),
        "resume": lambda: credit.Resume(cause="over"),
        "reversal": lambda: credit.Reversal(cause=random.choice(("bounced", "chargeback", "error", "refund")), **money),
        "schedule": lambda: credit.Schedule(
            cause=random.choice(("initial", "initial", "restructure", "correction", "early_payment")),
            currency="KES", version=1, rows=tuple(
                credit.ScheduleRow(due=near + timedelta(days=30 * n), n=n + 1, principal=random.choice((0, amount)),
                                   interest=random.choice((0, 7)), fee=n)
                for n in range(random.randrange(1, 5)))),
        "status_snapshot": lambda: credit.StatusSnapshot(
            balance=perhaps(amount), currency=perhaps("KES"), dpd=perhaps(random.randrange(250)),
            history_code=perhaps("Z"), past_due=perhaps(amount), scheduled=perhaps(8), status=random.choice(STATUSES)),
        "transfer": lambda: credit.Transfer(
            balance=0, buyer=random.choice("bc"), currency="KES", new_account=random.choice((None, bytes(32))), seller="s"
        ),
        "waiver": lambda: credit.Waiver(
            component=random.choice(("fee", "principal")), reason="goodwill", **money),
    }  # fmt: skip
    body: Body = bodies[kind]()
    return body


def _repayment(random: Random, amount: int) -> credit.Repayment:
    split = None
    if random.randrange(4) == 0:
        interest = random.randrange(min(amount, 9) + 1)
        excess = random.choice((0, 0, min(3, amount - interest)))
        split = credit.Allocation(interest=interest, principal=amount - interest - excess, excess=excess)
    return credit.Repayment(allocated=split, amount=amount, channel="cash", currency="KES")
