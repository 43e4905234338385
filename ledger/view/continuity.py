"""A loan that was sold goes on at its buyer: whose history follows which account, when both sides say so.

    follows(seller, buyer)                          whether the link holds both ways
    grid_of(own, [seller, the seller's seller])     (newest month, characters): its own months, then theirs
    first_delinquency_of(own, [...])                the date that no sale re-ages

Rules
- A link holds when the seller's loan is sold, its transfer names this account and this buyer, the buyer's agreement names
  that account and that seller, and both are the same borrower's. A link that holds one way only shows nothing: nobody
  reads another lender's months by claiming an account, and nobody hangs a past on another lender's loan.
- A sale conveys the months' characters, the date of first delinquency and where they come from; no figure besides.
- The buyer's own months stand as it reported them. Before its first one come the seller's, as far as the month of the
  sale; months that neither reported between the two read ``D``.
- The date of first delinquency is the earliest that any of them fixed: it is never re-aged (domain rule 11). A charge-off
  fixes it; so does a sale in arrears: then it is the due date that the seller's days counted from, for as long as what was
  overdue at the sale was not made good at a later owner. A charge-off there before that fixes it for good.
- Arrears are made good by money, by all that is known now: repayments that stayed, or what the books say was paid, that
  reach what was overdue, or the end of the loan as paid. A buyer's new plan, or its word that the loan is current, does not
  re-age what it bought.
- Pure: who reads the accounts before brings them, nearest first, as they stand on the day of the line.

What this module does not do: read anything (ledger.node.lineage), or say what a line shows (credit_view.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from ledger.loan.account import Account, account
from ledger.loan.arrears import Arrears, arrears
from ledger.loan.history import GRID_MONTHS_MAX, month_of
from ledger.loan.lifecycle import Stage
from ledger.loan.state import NO_LINKS, LoanState
from ledger.loan.supersession import Told

_PAID: Final = frozenset({Stage.PAID.value, Stage.OVERPAID.value})


class Holding(NamedTuple):
    """A loan at one lender, as it stands on some day. ``arrears_stand``: it was sold in arrears, and they were not made
    good since."""

    lender: str
    account: bytes
    state: LoanState
    arrears_stand: bool = False


def said_before(holding: Holding) -> tuple[str, bytes] | None:
    """(lender, account) that a loan says it continues; None where it names none, or not whose it was."""
    links = holding.state.links or NO_LINKS
    return (links.predecessor_lender, links.predecessor) if links.predecessor and links.predecessor_lender else None


def follows(seller: Holding, buyer: Holding) -> bool:
    """Whether both say that ``buyer``'s account continues ``seller``'s, of the same borrower.

    >>> follows(Holding("acacia", b"a", LoanState()), Holding("baobab", b"b", LoanState()))
    False
    """
    links = seller.state.links or NO_LINKS
    return (
        seller.state.stage == Stage.SOLD.value
        and (links.buyer, links.successor) == (buyer.lender, buyer.account)
        and said_before(buyer) == (seller.lender, seller.account)
        and seller.state.subject == buyer.state.subject
    )


def grid_of(own: LoanState, earlier: Sequence[Holding]) -> tuple[int, str]:
    """(newest month, characters newest first) of a loan with the months of the accounts before it, nearest first."""
    newest, grid = own.grid_newest, own.grid
    for holding in earlier:
        newest, grid = _joined(newest, grid, holding.state)
    return newest, grid


def first_delinquency_of(own: LoanState, earlier: Sequence[Holding]) -> date | None:
    """The date of first delinquency of a loan and the accounts before it: the earliest that was fixed."""
    fixed = [state.first_delinquency for state in (own, *(holding.state for holding in earlier))]
    sold_late = [
        late.since for holding in earlier if holding.arrears_stand and (late := sold_in_arrears(holding.state))
    ]
    return min((day for day in (*fixed, *sold_late) if day is not None), default=None)


def sold_in_arrears(state: LoanState) -> Arrears | None:
    """What was overdue on the day of a loan's sale, and since when; None where nothing was, or where a charge-off says the
    date of first delinquency."""
    if state.stage != Stage.SOLD.value or state.closed is None or state.first_delinquency is not None:
        return None
    late = arrears(state, state.closed)
    return late if late.days else None


def arrears_stand(seller: LoanState, later: Sequence[Sequence[Told]], day: date) -> bool:
    """Whether the arrears that a loan was sold with were not made good by ``day``; ``later`` are the chains of its later
    owners, the first buyer's first."""
    late, before = sold_in_arrears(seller), 0
    if late is None:
        return False
    if seller.charged_off is not None:
        return True
    for told in later:
        then = account(told, as_of=day)
        came_in = sorted([*_repaid(then), *_booked(then)])
        repaid, booked, good = before, before, then.state.closed if then.state.stage in _PAID else None
        for on, by_books, amount in came_in:
            repaid, booked = (repaid, booked + amount) if by_books else (repaid + amount, booked)
            if late.amount is not None and max(repaid, booked) >= late.amount:
                good = on if good is None else min(good, on)
                break
        lost = then.state.charged_off
        if lost is not None and (good is None or lost <= good):
            return True
        if good is not None:
            return False
        before = max(repaid, booked)
    return True


def _repaid(found: Account) -> list[tuple[date, bool, int]]:
    """(value date, False, minor units) of every repayment that was not taken back whole: what is left of it."""
    left = {each.id: each.body.amount for each in found.of_kind("repayment")}
    for back in found.of_kind("reversal"):
        amount = 0 if back.body.cause == "refund" else back.body.amount
        for ref in back.attestation.envelope.refs:
            part = min(amount, left.get(ref, 0))
            left[ref] = left.get(ref, 0) - part
            amount -= part
    days = {each.id: each.attestation.envelope.effective_date for each in found.of_kind("repayment")}
    return [(on, False, left[ref]) for ref, on in days.items()]


def _booked(found: Account) -> list[tuple[date, bool, int]]:
    """(day, True, minor units) of every statement of the lender's books that says what was paid."""
    books = found.of_kind("status_snapshot")
    return [(each.attestation.envelope.effective_date, True, each.body.paid) for each in books if each.body.paid]


def _joined(newest: int, grid: str, seller: LoanState) -> tuple[int, str]:
    """A grid continued by the seller's months before it; those after the sale are not the loan's."""
    sold = seller.grid_newest if seller.closed is None else month_of(seller.closed)
    last = min(seller.grid_newest, sold, newest - len(grid) if grid else seller.grid_newest)
    theirs = seller.grid[seller.grid_newest - last :]
    if not theirs:
        return newest, grid
    if not grid:
        return last, theirs
    gap = newest - len(grid) - last
    return newest, (grid + "D" * gap + theirs)[:GRID_MONTHS_MAX]
