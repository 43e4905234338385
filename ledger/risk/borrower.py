"""What is kept of one borrower for early warning, and the events that change it: structures and their bytes.

    state = State()                    shared: counts and dates of every lender; own: each lender's figures
    encode_part(state.shared)          the bytes of one row; every lender's part is a row of its own

Rules
- ``Shared`` and ``Counts`` have no member that is an amount: what crosses from lender to lender is a count or a date.
- Everything is an integer, a hash or a name, so that equal states are equal bytes.
- Every collection is bounded; what falls out at a bound is the oldest.

What this module does not do: change anything (folding.py) or read features off (features.py).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from ledger.risk.rings import Ring

TRAIL_MAX: Final = 32
"""Newest events kept as possible causes of an alert: more than any rule needs to be reached."""

LOANS_MAX: Final = 64
"""Loans of one borrower at one lender that are followed; ended ones go first."""

ITEMS_MAX: Final = 32
"""Pledged things of one borrower that are followed."""

NEVER: Final = 9_999_999
"""A day after every day (9999-12-31 is 3,652,059)."""

EventKind = Literal[
    "application", "arrears", "closure", "collateral", "disbursement", "enquiry", "guarantor_miss", "miss",
    "pledged_elsewhere", "repayment", "reversal", "schedule", "tick",
]  # fmt: skip
"""What can happen to a borrower, as far as a feature cares. ``miss`` only stands in a trail; ``guarantor_miss`` and
``pledged_elsewhere`` come from another borrower's events; ``tick`` says that a day began."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event. ``seen`` is the day on which the ledger learnt it, ``day`` the day it is about. ``amount`` is money, or
    days past due for ``arrears``; ``rows`` the (due day, amount) of a schedule; ``item`` the hash of a pledged thing;
    ``index`` and ``position`` where its attestation stands in the log. ``told`` is the ledger's own day by its newest tick,
    where that is behind ``seen``; 0 where it is not."""

    kind: EventKind
    seen: int
    day: int
    lender: str = ""
    account: bytes = b""
    amount: int = 0
    rows: tuple[tuple[int, int], ...] = ()
    item: bytes = b""
    index: int = -1
    position: int = 0
    told: int = 0


class Trace(NamedTuple):
    """A possible cause: what, when, whose, and where in the log."""

    kind: str
    day: int
    lender: str
    account: bytes
    entry: int
    position: int


class Counts(msgspec.Struct, array_like=True, gc=False):
    """Counts and dates at one lender, or at all of them together. No member is an amount."""

    enquiries: Ring = msgspec.field(default_factory=Ring)
    loans: Ring = msgspec.field(default_factory=Ring)
    ends: Ring = msgspec.field(default_factory=Ring)
    misses: Ring = msgspec.field(default_factory=Ring)
    evergreens: Ring = msgspec.field(default_factory=Ring)
    round_trips: Ring = msgspec.field(default_factory=Ring)
    guarantor: Ring = msgspec.field(default_factory=Ring)
    opened: int = 0
    ended: int = 0
    missed: int = 0
    cured: int = 0
    last_enquiry: int = 0
    last_loan: int = 0
    first_miss: int = 0
    last_miss: int = 0
    fast: int = 0
    slow: int = 0
    payments: int = 0


class Shared(msgspec.Struct, array_like=True, gc=False):
    """What the ledger knows of a borrower across lenders. ``wake`` is the next day on which something comes due;
    ``cleared`` the day on which a late account was last cleared; ``items`` pledged thing -> lender -> account."""

    day: int = 0
    wake: int = NEVER
    total: Counts = msgspec.field(default_factory=Counts)
    by: dict[str, Counts] = msgspec.field(default_factory=dict)
    cleared: int = 0
    items: dict[bytes, dict[str, bytes]] = msgspec.field(default_factory=dict)
    trail: list[Trace] = msgspec.field(default_factory=list)


class Loan(msgspec.Struct, array_like=True, gc=False):
    """One loan in its lender's own part. ``payable`` is the sum of ``rows``; ``met`` instalments are paid whole,
    ``toward`` is paid towards the next one, ``judged`` are those whose day of judgement has passed; ``late`` is the last
    day it was known to be late, ``reported`` the days past due that its lender reported on ``reported_day``; ``entry`` and
    ``position`` are where its schedule stands in the log, the proof of every instalment that was due. ``planned`` is the
    day on which a first plan was learnt, ``learnt`` that of the newest, ``held`` the days past due known before it."""

    opened: int = 0
    ended: int = 0
    disbursed: int = 0
    paid: int = 0
    rows: tuple[tuple[int, int], ...] = ()
    payable: int = 0
    met: int = 0
    toward: int = 0
    judged: int = 0
    missed: int = 0
    late: int = 0
    reported: int = 0
    reported_day: int = 0
    entry: int = -1
    position: int = 0
    planned: int = 0
    learnt: int = 0
    held: int = 0


class Own(msgspec.Struct, array_like=True, gc=False):
    """One lender's figures about a borrower, and the rules that are raised for this lender now."""

    loans: dict[bytes, Loan] = msgspec.field(default_factory=dict)
    raised: dict[str, int] = msgspec.field(default_factory=dict)
    episodes: dict[str, int] = msgspec.field(default_factory=dict)


class State(msgspec.Struct, gc=False):
    """A borrower: the shared part and every lender's own. The parts are stored, and walled off, one by one."""

    shared: Shared = msgspec.field(default_factory=Shared)
    own: dict[str, Own] = msgspec.field(default_factory=dict)


_ENCODER: Final = msgspec.msgpack.Encoder()
_SHARED: Final = msgspec.msgpack.Decoder(Shared)
_OWN: Final = msgspec.msgpack.Decoder(Own)
_STATE: Final = msgspec.msgpack.Decoder(State)


def encode_part(part: Shared | Own) -> bytes:
    """One part as the bytes of its row."""
    return _ENCODER.encode(part)


def decode_shared(data: bytes) -> Shared:
    """The shared part of its row's bytes."""
    return _SHARED.decode(data)


def decode_own(data: bytes) -> Own:
    """A lender's part of its row's bytes."""
    return _OWN.decode(data)


def encode_state(state: State) -> bytes:
    """Both parts together: what a test compares and a simulator keeps."""
    return _ENCODER.encode(state)


def decode_state(data: bytes) -> State:
    """The state of :func:`encode_state`."""
    return _STATE.decode(data)
