"""A generated book of loans over months, and what each of them comes to on a day, worked out from its events alone.

The recomputation shares nothing with the product: it adds up due dates and payments of the generator's own list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from ledger.attestation.credit_kinds import (
    Agreement,
    ChargeOff,
    Closure,
    Disbursement,
    Repayment,
    Schedule,
    ScheduleRow,
)
from ledger.attestation.envelope import Attestation
from ledger.attestation.fields import Body
from tests.support.ledgers import Lender

DAY = timedelta(days=1)


@dataclass
class BookLoan:
    """One loan of the book: what was agreed, and everything that happened, as (day, kind, amount)."""

    account: bytes
    subject: bytes
    opened: date
    lent: int
    product: str
    plan: list[tuple[date, int]]
    events: list[tuple[date, str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Stands:
    """A loan on a day."""

    stage: str
    balance: int
    dpd: int
    since: date | None
    overdue: int
    charged_off: bool


def stands(loan: BookLoan, day: date) -> Stands | None:
    """What a loan comes to on a day by the events dated until then; None before it was opened."""
    if day < loan.opened:
        return None
    known = [event for event in loan.events if event[0] <= day]
    paid = sum(amount for _, kind, amount in known if kind == "repayment")
    losses = [when for when, kind, _ in known if kind == "charge_off"]
    ends = [when for when, kind, _ in known if kind == "written_off"]
    owed = sum(amount for _, amount in loan.plan) - paid
    if owed == 0:
        return Stands("paid", 0, 0, None, 0, bool(losses))
    counted = min([day, *losses, *ends])
    asked, since = 0, None
    for due, amount in loan.plan:
        if due >= counted:
            break
        asked += amount
        if asked > paid and since is None:
            since = due
    dpd, overdue = ((counted - since).days, asked - paid) if since else (0, 0)
    return Stands("written_off" if ends else "active", owed, dpd, since, overdue, bool(losses))


def add_months(day: date, months: int) -> date:
    """The same day of a later month; days go to 28 only."""
    month = day.month - 1 + months
    return date(day.year + month // 12, month % 12 + 1, day.day)


def generate(seed: int, loans: int, months: int = 6) -> list[BookLoan]:
    """A book opened over ``months`` months from January 2026: payers, late payers, part payers, defaulters, losses."""
    random = Random(seed)
    return [_loan(random, months) for _ in range(loans)]


def _loan(random: Random, months: int) -> BookLoan:
    opened = date(2026, 1, 1) + DAY * random.randrange(months * 30)
    opened = opened.replace(day=min(opened.day, 28))
    count, part = random.randrange(3, 9), random.randrange(5_000, 50_000)
    plan = [(add_months(opened, n + 1), part + random.randrange(900)) for n in range(count)]
    loan = BookLoan(
        random.randbytes(32), random.randbytes(32), opened, part * count, random.choice(["boda", "stock", "farm"]), plan
    )
    manner = random.choice(["prompt", "prompt", "late", "late", "part", "stops", "never", "lost"])
    _pay(random, loan, manner)
    loan.events.sort(key=lambda event: event[0])
    return loan


def _pay(random: Random, loan: BookLoan, manner: str) -> None:
    stops = random.randrange(1, len(loan.plan))
    for number, (due, amount) in enumerate(loan.plan):
        if manner in ("never", "lost") or (manner == "stops" and number >= stops):
            break
        lateness = {"prompt": random.randrange(-5, 1), "part": random.randrange(0, 40)}.get(
            manner, random.randrange(1, 75)
        )
        pays = amount if manner != "part" else random.randrange(1, amount)
        loan.events.append((max(due + DAY * lateness, loan.opened), "repayment", pays))
    if manner == "lost":
        gone = loan.plan[0][0] + DAY * random.randrange(60, 130)
        loan.events.append((gone, "charge_off", sum(amount for _, amount in loan.plan)))
        if random.random() < 0.5:
            loan.events.append((gone + DAY * random.randrange(5, 60), "written_off", 0))


def opening(lender: Lender, loan: BookLoan) -> list[Attestation]:
    """Agreement, disbursement and schedule of a loan."""
    rows = tuple(ScheduleRow(due=due, n=n, principal=amount) for n, (due, amount) in enumerate(loan.plan, 1))
    bodies: list[tuple[str, Body]] = [
        ("agreement", Agreement(
            currency="KES", instalments=len(rows), portfolio_type="instalment", principal=loan.lent, product=loan.product,
        )),
        ("disbursement", Disbursement(amount=loan.lent, currency="KES", tranche=1)),
        ("schedule", Schedule(cause="initial", currency="KES", rows=rows, version=1)),
    ]  # fmt: skip
    return [_attest(lender, loan, loan.opened, kind, body) for kind, body in bodies]


def happening(lender: Lender, loan: BookLoan, event: tuple[date, str, int]) -> Attestation:
    """The attestation of one event."""
    day, kind, amount = event
    bodies: dict[str, tuple[str, Body]] = {
        "repayment": ("repayment", Repayment(amount=max(amount, 1), channel="mobile", currency="KES")),
        "charge_off": ("charge_off", ChargeOff(
            amount=amount, currency="KES", first_delinquency=loan.plan[0][0], original_amount=amount,
        )),
        "written_off": ("closure", Closure(cause="written_off")),
    }  # fmt: skip
    return _attest(lender, loan, day, *bodies[kind])


def _attest(lender: Lender, loan: BookLoan, day: date, kind: str, body: Body) -> Attestation:
    fields: dict[str, Any] = {"account": loan.account, "subject": loan.subject, "effective_date": day}
    return lender.attest(kind, body, **fields)
