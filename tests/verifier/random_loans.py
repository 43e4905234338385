"""Random lives of a loan: every kind that the transition table lets through, in any order, with edge amounts."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.envelope import Attestation
from ledger.attestation.fields import Body
from ledger.errors import Refused
from ledger.loan.fold import FOLDED_KINDS, fold
from ledger.loan.state import LoanState, owed
from tests.verifier.small_ledger import SmallLedger, agreement

ACCOUNT = b"\x0c" * 32
FIRST_DAY = date(2015, 1, 1)
STATUSES = (
    None, "current", "past_due", "closed", "charged_off", "collection", "foreclosed", "surrendered", "repossessed",
)  # fmt: skip
CAUSES = ("paid", "settled_short", "refinanced", "written_off", "fraud", "transferred", "cancelled")
KINDS = (*sorted(FOLDED_KINDS - {"extension"}), "repayment", "repayment", "status_snapshot", "status_snapshot")


def random_life(random: Random, steps: int) -> tuple[list[Attestation], LoanState | None]:
    """Up to ``steps`` attestations that the fold accepts, and the state they lead to."""
    ledger, state, life = SmallLedger(), None, []
    for _ in range(steps):
        on = FIRST_DAY + timedelta(days=random.randrange(3_000))
        kind = random.choice(KINDS) if state is not None else random.choice(("agreement", "agreement", "application"))
        body = random_body(random, kind, on, owed(state) if state is not None else None)
        attestation = ledger.attest("acacia", body, on.isoformat(), ACCOUNT)
        try:
            state = fold(state, attestation.envelope, attestation.body)
        except Refused:
            continue
        life.append(attestation)
    return life, state


def random_body(random: Random, kind: str, on: date, remaining: int | None) -> Body:
    """A body of ``kind`` whose optional members are there or not at random."""

    def perhaps(value: Any) -> Any:
        return random.choice((None, value))

    amount = random.choice((0, 1, 500, 10_000, 12_345))
    near = on + timedelta(days=random.randrange(-60, 90))
    money: dict[str, Any] = {"amount": amount, "currency": "KES"}
    bodies: dict[str, Any] = {
        "agreement": lambda: agreement(
            frequency=perhaps("weekly"), grace_days=random.choice((0, 5)), instalments=perhaps(4), limit=perhaps(7),
            principal=amount, product=perhaps("term"), rate_ppm=perhaps(9), collateral=random.random() < 0.5),
        "application": lambda: credit.Application(channel="agent", product="asked", **money),
        "charge": lambda: credit.Charge(component="fee", due=on, reason="late", **money),
        "charge_off": lambda: credit.ChargeOff(original_amount=1, **money),
        "closure": lambda: credit.Closure(cause=random.choice(CAUSES)),
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
        "repayment": lambda: credit.Repayment(
            amount=max(random.choice((amount, remaining or 1, (remaining or 0) + 5)), 1), channel="cash",
            currency="KES"),
        "restructure": lambda: credit.Restructure(forborne=random.random() < 0.5, loss_bp=0, type="extend"),
        "resume": lambda: credit.Resume(cause="over"),
        "reversal": lambda: credit.Reversal(cause="bounced", **money),
        "schedule": lambda: credit.Schedule(cause="initial", currency="KES", version=1, rows=tuple(
            credit.ScheduleRow(due=on + timedelta(days=30 * n), n=n + 1, principal=random.choice((0, amount)), fee=n)
            for n in range(random.randrange(1, 5)))),
        "status_snapshot": lambda: credit.StatusSnapshot(
            balance=perhaps(amount), currency=perhaps("KES"), dpd=perhaps(random.randrange(250)),
            history_code=perhaps("Z"), past_due=perhaps(amount), scheduled=perhaps(8), status=random.choice(STATUSES)),
        "transfer": lambda: credit.Transfer(balance=0, buyer="b", currency="KES", seller="s"),
        "waiver": lambda: credit.Waiver(component="fee", reason="goodwill", **money),
    }  # fmt: skip
    body: Body = bodies[kind]()
    return body
