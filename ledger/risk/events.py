"""Attestations as events of the fold: what a feature needs of them, and nothing else.

    event_of(envelope, body, seen=day, index=17, position=0)      # None: no feature cares

Rules
- ``seen`` is the day of the entry's commit, by the clock; what is dated later than that counts as that day. ``told`` is
  the newest day that had begun on the ledger by then: its tick, where days are begun one by one and later than the clock.
- A soft enquiry (the lender looks at its own borrower) is no event: only a hard one says that credit was asked for.
- A delinquency, a default and a snapshot become ``arrears`` with the days past due they report.
- What concerns another borrower (a guarantor's miss, a thing pledged by somebody else) is made by the watcher, which
  knows the links between borrowers; :func:`links_of` says which an attestation makes.

What this module does not do: follow corrections of corrections. A deleted or corrected event stays in the features until
its window is over, as everybody reckoned with it until then; what is told from now on is another event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ledger.attestation import credit_kinds as credit
from ledger.attestation.envelope import Envelope
from ledger.attestation.fields import Body
from ledger.risk.borrower import Event, EventKind

DEFAULT_DPD: Final = 90
"""Days past due that a default without a number stands for (EBA, Basel: 90)."""


class Link(NamedTuple):
    """Something outside a borrower that events elsewhere may be about: a pledged thing, or who answers for the debt."""

    kind: str
    target: bytes


def event_of(envelope: Envelope, body: Body, *, seen: int, index: int, position: int, told: int = 0) -> Event | None:
    """The event of one attestation; None when no feature cares. Days are proleptic ordinals."""
    make = _EVENTS.get(envelope.kind)
    if make is None:
        return None
    made = make(body)
    if made is None:
        return None
    kind, rest = made
    return Event(
        kind=kind, seen=seen, day=min(envelope.effective_date.toordinal(), seen), lender=envelope.tenant,
        account=envelope.account or b"", index=index, position=position, told=told, **rest,
    )  # fmt: skip


def links_of(envelope: Envelope, body: Body) -> Link | None:
    """The link that a guarantee or a pledge makes from its borrower to something outside."""
    if isinstance(body, credit.Guarantee):
        return Link("guarantor", body.guarantor)
    if isinstance(body, credit.Collateral) and body.item is not None:
        return Link("item", body.item)
    return None


Made = tuple[EventKind, dict[str, Any]] | None


def _enquiry(body: credit.Enquiry) -> Made:
    return ("enquiry", {}) if body.depth == "hard" else None


def _schedule(body: credit.Schedule) -> Made:
    rows = tuple((row.due.toordinal(), row.principal + row.interest + row.fee) for row in body.rows)
    return "schedule", {"rows": rows}


def _snapshot(body: credit.StatusSnapshot) -> Made:
    return None if body.dpd is None else ("arrears", {"amount": body.dpd})


_EVENTS: Final[dict[str, Callable[[Any], Made]]] = {
    "application": lambda body: ("application", {"amount": body.amount}),
    "closure": lambda body: ("closure", {}),
    "collateral": lambda body: ("collateral", {"item": body.item or b""}),
    "default": lambda body: ("arrears", {"amount": DEFAULT_DPD}),
    "delinquency": lambda body: ("arrears", {"amount": body.dpd_to}),
    "disbursement": lambda body: ("disbursement", {"amount": body.amount}),
    "enquiry": _enquiry,
    "repayment": lambda body: ("repayment", {"amount": body.amount}),
    "reversal": lambda body: ("reversal", {"amount": body.amount}),
    "schedule": _schedule,
    "status_snapshot": _snapshot,
    "transfer": lambda body: ("closure", {}),
}
"""Kind of attestation -> kind of event, and the members that it needs."""
