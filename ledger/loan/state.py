"""What is known of one loan now, small enough for one row: the value that the projection keeps.

    state = None
    for attestation in events:
        state = fold(state, attestation.envelope, attestation.body)        (fold.py)
    encode_state(state)

Rules
- A state is the newest knowledge about every day from its newest money event on (``moved``): what is owed, since when,
  at which stage. For an earlier day, or an earlier log index, the account is folded again (account.py).
- There is one spelling for one situation: whatever way led to it, the bytes are the same. That is what fsck compares.
- Instalments that are met are not kept, only how many there were: a state gets smaller as a loan is paid.
- Amounts are minor units of ``currency``; an amount that nobody stated is None.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec

from ledger.loan.lifecycle import Stage

OpenInstalment = tuple[int, int, int, int, int]
"""(due date as a proleptic ordinal, penalty, fee, interest, principal still unmet)."""


class Links(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The accounts before and after this one: what its agreement says it continues, at which lender, and what its
    transfer or closure says took its place, at which buyer. Empty: not said. Each is one side's word; whether both
    sides say the same is for a reader of both to find (ledger.view.continuity)."""

    predecessor: bytes = b""
    predecessor_lender: str = ""
    successor: bytes = b""
    buyer: str = ""


class NeedsReplay(Exception):
    """What an event does cannot be told from the state alone; the account's chain tells it. No fault of anybody's."""


class LoanState(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One loan. Dates are in the lender's business zone, amounts minor units of ``currency``.

    ``balance`` is the newest word on what is owed in all, moved by what came after; ``past_due`` and ``since`` are the
    books' own arrears as of ``stated``, beside the plan's; ``loose`` is principal that no instalment asks for,
    ``credit`` money that nothing asked for yet. ``schedule`` begins with the first open instalment, after ``met_rows``
    met ones, the last of them due on ``met_until``; ``planned_until`` is the due date of the plan's last. ``moved`` is
    the newest value date, ``cleared`` the day on which nothing was owed any more, ``as_of`` the newest snapshot's;
    ``restructured_dpd`` are the days past due at the newest restructuring. Days that are integers are ordinals, 0: none.
    ``terms`` is a text of terms.py, ``terms_vary`` whether the account had others. ``links`` is None (one byte) for a
    loan that neither continues another nor was followed by one.
    """

    stage: str = Stage.NEW.value
    subject: bytes = b""
    currency: str = ""
    opened: date | None = None
    closed: date | None = None
    portfolio_type: str = ""
    product: str = ""
    principal: int = 0
    limit: int | None = None
    rate_ppm: int | None = None
    instalments: int | None = None
    frequency: str = ""
    grace_days: int = 0
    collateral: bool = False
    disbursed: int = 0
    charges: int = 0
    paid: int = 0
    last_paid: date | None = None
    balance: int | None = None
    credit: int = 0
    loose: int = 0
    past_due: int | None = None
    since: date | None = None
    stated: int = 0
    cleared: int = 0
    moved: int = 0
    scheduled: int | None = None
    status: str = ""
    as_of: date | None = None
    grid_newest: int = 0
    grid: str = ""
    schedule: tuple[OpenInstalment, ...] = ()
    met_rows: int = 0
    met_until: int = 0
    planned_until: int = 0
    pauses: tuple[tuple[int, int], ...] = ()
    charged_off: date | None = None
    first_delinquency: date | None = None
    defaulted: date | None = None
    probation_end: date | None = None
    forborne: bool = False
    restructured: date | None = None
    restructured_dpd: int = 0
    disputed: bool = False
    terms: str = ""
    terms_vary: bool = False
    events: int = 0
    links: Links | None = None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(LoanState)
NEW_LOAN: Final = LoanState()
NO_LINKS: Final = Links()


def encode_state(state: LoanState) -> bytes:
    """The state as the bytes of its projection row."""
    return _ENCODER.encode(state)


def decode_state(data: bytes) -> LoanState:
    """The state of a projection row."""
    return _DECODER.decode(data)


def owed(state: LoanState) -> int | None:
    """What is still owed in all, minor units; below zero what was overpaid; None: unknown."""
    return state.balance


def unmet_of(row: OpenInstalment) -> int:
    """What an instalment still asks for, minor units."""
    return row[1] + row[2] + row[3] + row[4]
