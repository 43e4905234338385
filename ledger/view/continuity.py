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
- The date of first delinquency is the earliest that any of them fixed: it is never re-aged (domain rule 11).
- Pure: who reads the accounts before brings them, nearest first, as they stand on the day of the line.

What this module does not do: read anything (ledger.node.lineage), or say what a line shows (credit_view.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from ledger.loan.history import GRID_MONTHS_MAX, month_of
from ledger.loan.lifecycle import Stage
from ledger.loan.state import NO_LINKS, LoanState


class Holding(NamedTuple):
    """A loan at one lender, as it stands on some day."""

    lender: str
    account: bytes
    state: LoanState


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
    return min((day for day in fixed if day is not None), default=None)


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
