"""Random lives of one borrower at a few lenders, as events in the order in which the ledger learnt them."""

from __future__ import annotations

import random

from ledger.risk.borrower import Event

FIRST_DAY = 739_000
LENDERS = ("acacia", "baobab", "cedar")


def loan_events(
    lender: str, account: bytes, day: int, *, instalments: int = 3, amount: int = 1_000, seen: int = 0
) -> list[Event]:
    """A loan paid out on ``day`` with monthly instalments, told that day or on ``seen``."""
    rows = tuple((day + 30 * n, amount) for n in range(1, instalments + 1))
    return [
        Event("disbursement", seen or day, day, lender, account, amount * instalments),
        Event("schedule", seen or day, day, lender, account, rows=rows),
    ]


def random_life(seed: int, events: int = 120) -> list[Event]:
    """A life full of everything; deterministic in ``seed``."""
    chance, day, found, loans = random.Random(seed), FIRST_DAY, [], []
    while len(found) < events:
        day += chance.choice((0, 0, 1, 2, 5, 17))
        lender = chance.choice(LENDERS)
        kind = chance.choice(
            ("enquiry", "loan", "repayment", "repayment", "repayment", "reversal", "arrears", "closure", "collateral",
             "pledged_elsewhere", "guarantor_miss", "plan")
        )  # fmt: skip
        about = max(day - chance.choice((0, 0, 1, 3, 40, 100)), FIRST_DAY)
        if kind == "loan":
            account = bytes([len(loans)]) * 32
            loans.append((lender, account))
            began = max(day - chance.choice((0, 0, 0, 33, 45, 150)), FIRST_DAY)
            found += loan_events(lender, account, began, amount=chance.choice((500, 1_000)), seen=day)
        elif kind in ("enquiry", "guarantor_miss"):
            found.append(Event(kind, day, about, lender, index=len(found)))
        elif kind in ("collateral", "pledged_elsewhere"):
            found.append(Event(kind, day, about, lender, b"\x07" * 32, item=bytes([chance.randrange(3)]) * 32))
        elif kind == "plan" and loans:
            lender, account = chance.choice(loans)
            found.append(loan_events(lender, account, about, amount=chance.choice((500, 1_000)), seen=day)[1])
        elif loans and kind != "plan":
            lender, account = chance.choice(loans)
            found.append(Event(kind, day, about, lender, account, chance.choice((0, 10, 500, 1_000)), index=len(found)))
    return found
