"""The reasons a score can give: an id, which side of the reading is the worse one, and a sentence for the borrower.

    sentence("arrears_past")     # "You were two months or more behind in one or more of the recent months."

Rules
- A reason is specific: it says what was read and found wanting, not that "the score was too low" (12 CFR 1002.9(b)(2);
  CFPB circulars 2022-03 and 2023-03: a sample list is no shelter).
- ``adverse`` is part of the reason's meaning: "you pay little" can only be given where *lower* readings are worse. A
  scorecard that gives it for the other side is refused, so a coefficient of the wrong sign cannot hide behind a text.
- A sentence must be true of every borrower who loses points by it: of each bin but the best one of every card that
  gives it. So a reading is cut where the sentence begins to hold.
- An id never changes its meaning; a new meaning is a new id. Ids are the keys for translations.
- No sentence names a figure, another lender, or a protected attribute.

What this module does not do: choose reasons (scorecard.py) or write letters (adverse_action.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from ledger.errors import InvalidInput

Adverse = Literal["higher", "lower"]
"""Which readings are the worse ones."""


class Reason(NamedTuple):
    """A reason: ``id`` for programs and translators, ``adverse`` for the loader, ``sentence`` for the borrower."""

    id: str
    adverse: Adverse
    sentence: str


_ALL: Final[tuple[Reason, ...]] = (
    Reason("arrears_now", "higher", "Your most recent payment is two months or more behind."),
    Reason("arrears_growing", "higher", "You are further behind than you were a month before."),
    Reason("arrears_past", "higher", "You were two months or more behind in one or more of the recent months."),
    Reason("arrears_recent", "lower", "Not enough time has passed since you were last behind."),
    Reason("credit_use_high", "higher", "You have been using a large part of your credit limit."),
    Reason("headroom_small", "lower", "Too little of your credit limit was left unused at your highest balance."),
    Reason("paid_last_month_little", "lower", "Your most recent payment was small."),
    Reason("paid_third_month_little", "lower", "Your payment three months ago was small."),
    Reason("paid_total_little", "lower", "Your payments over the last six months add up to little."),
    Reason("paid_smallest_little", "lower", "Your smallest monthly payment of the last six months was low or nothing."),
    Reason("months_unpaid", "higher", "You made no payment in one or more of the last six months."),
    Reason("history_short", "lower", "Your credit history is too short."),
    Reason("enquiries_many", "higher", "You applied for credit often in the recent past."),
    Reason("loans_new_many", "higher", "You took out several loans in the recent past."),
    Reason("loans_open_many", "higher", "You have many loans open."),
    Reason("instalment_burden", "higher", "Your instalments are high for what you repay regularly."),
    Reason("contacts_weak", "lower", "Too few of your contacts vouch for you."),
)

REASONS: Final = MappingProxyType({reason.id: reason for reason in _ALL})
"""Id -> reason; a closed list, so that a card cannot give a reason that nobody can put into words."""


def sentence(reason: str) -> str:
    """The sentence of a reason. Raises InvalidInput ``reason_unknown``."""
    found = REASONS.get(reason)
    if found is None:
        raise InvalidInput("reason_unknown", "no such reason", path="$.reason", found=reason)
    return found.sentence


def sentences(reasons: Iterable[str]) -> tuple[str, ...]:
    """The sentences of several, in their order. Raises InvalidInput ``reason_unknown``."""
    return tuple(sentence(reason) for reason in reasons)
