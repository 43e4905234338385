"""What each kind of attestation says beside the money: terms, standing, history; folded in log order.

    changes = FACTS["agreement"](before, envelope, body)           members of LoanState, each with its new value

Rules
- The newest word counts, by log order: a lender that states terms again states them for the whole account.
- A charge-off, its date of first delinquency and a default keep their first date: they are never re-aged (domain rule
  11). A default that is declared again after a probation that ended is a new one.
- A cure does not end a default by itself: the default ends with the probation that the cure names (domain rule 8).
- An account names what it continues in its agreement, and what took its place in its transfer or closure. What a later
  one leaves out stays; a buyer that is another than before takes the account with it, and so does a closure the buyer.
- The history is one character a month (history.py); a month that is told again reads what was told last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.envelope import Envelope
from ledger.loan.history import character_of, month_of, with_month
from ledger.loan.state import NO_LINKS, Links, LoanState

Changes = dict[str, Any]


def _currency(before: LoanState, envelope: Envelope, body: Any) -> Changes:
    return {} if body.currency == before.currency else {"currency": body.currency}


def _application(before: LoanState, envelope: Envelope, body: credit.Application) -> Changes:
    return {"currency": body.currency, "product": body.product}


def _agreement(before: LoanState, envelope: Envelope, body: credit.Agreement) -> Changes:
    return {
        "currency": body.currency,
        "opened": envelope.effective_date,
        "portfolio_type": body.portfolio_type,
        "product": body.product or before.product,
        "principal": body.principal,
        "limit": body.limit,
        "rate_ppm": body.rate_ppm,
        "instalments": body.instalments,
        "frequency": body.frequency or "",
        "grace_days": body.grace_days,
        "collateral": body.collateral,
    } | _continuing(before, body)


def _continuing(before: LoanState, body: credit.Agreement) -> Changes:
    if body.predecessor is None:
        return {}
    links, lender = before.links or NO_LINKS, body.predecessor_lender or ""
    return {"links": Links(body.predecessor, lender, links.successor, links.buyer)}


def _charge(before: LoanState, envelope: Envelope, body: credit.Charge) -> Changes:
    return {"charges": before.charges + body.amount}


def _waiver(before: LoanState, envelope: Envelope, body: credit.Waiver) -> Changes:
    return {"charges": before.charges - body.amount}


def _snapshot(before: LoanState, envelope: Envelope, body: credit.StatusSnapshot) -> Changes:
    character = body.history_code or character_of(body.status, body.dpd)
    newest, grid = with_month(before.grid_newest, before.grid, month_of(envelope.effective_date), character)
    changes: Changes = {"grid_newest": newest, "grid": grid}
    if body.status is not None and body.currency is not None:
        changes["currency"] = body.currency
    return changes


def _pause(before: LoanState, envelope: Envelope, body: credit.Pause) -> Changes:
    return {"pauses": (*before.pauses, (body.start.toordinal(), body.until.toordinal()))}


def _resume(before: LoanState, envelope: Envelope, body: credit.Resume) -> Changes:
    day = envelope.effective_date.toordinal()
    return {"pauses": tuple((start, min(until, day)) for start, until in before.pauses if start <= day)}


def _restructure(before: LoanState, envelope: Envelope, body: credit.Restructure) -> Changes:
    return {"forborne": before.forborne or body.forborne}


def _default(before: LoanState, envelope: Envelope, body: credit.Default) -> Changes:
    over = before.probation_end is not None and before.probation_end <= envelope.effective_date
    since = None if over else before.defaulted
    return {"defaulted": since or envelope.effective_date, "probation_end": None}


def _cure(before: LoanState, envelope: Envelope, body: credit.Cure) -> Changes:
    return {"probation_end": body.probation_end} if before.defaulted else {}


def _charge_off(before: LoanState, envelope: Envelope, body: credit.ChargeOff) -> Changes:
    return {
        "charged_off": before.charged_off or envelope.effective_date,
        "first_delinquency": before.first_delinquency or body.first_delinquency,
    }


def _closure(before: LoanState, envelope: Envelope, body: credit.Closure) -> Changes:
    changes: Changes = {"closed": envelope.effective_date}
    links = before.links or NO_LINKS
    if body.new_account not in (None, links.successor):  # nobody said who bought that one
        changes["links"] = Links(links.predecessor, links.predecessor_lender, body.new_account or b"")
    return changes


def _transfer(before: LoanState, envelope: Envelope, body: credit.Transfer) -> Changes:
    links = before.links or NO_LINKS
    kept = links.successor if links.buyer in ("", body.buyer) else b""
    after = Links(links.predecessor, links.predecessor_lender, body.new_account or kept, body.buyer)
    return {"closed": envelope.effective_date, "links": after}


def _dispute(before: LoanState, envelope: Envelope, body: sharing.Dispute) -> Changes:
    return {"disputed": body.state == "opened"}


def _nothing(before: LoanState, envelope: Envelope, body: Any) -> Changes:
    return {}


FACTS: Final[dict[str, Callable[[LoanState, Envelope, Any], Changes]]] = {
    "agreement": _agreement, "application": _application, "charge": _charge, "charge_off": _charge_off,
    "closure": _closure, "collateral": _nothing, "correction": _nothing, "cure": _cure, "decision": _nothing,
    "default": _default, "deletion": _nothing, "delinquency": _nothing, "disbursement": _currency,
    "dispute": _dispute, "extension": _nothing, "guarantee": _nothing, "pause": _pause, "recovery": _nothing,
    "repayment": _nothing, "restructure": _restructure, "resume": _resume, "reversal": _nothing,
    "schedule": _currency, "status_snapshot": _snapshot, "transfer": _transfer, "waiver": _waiver,
}  # fmt: skip
FOLDED_KINDS: Final = frozenset(FACTS)
"""Every kind that is about an account: each has a place in the fold (a test compares this with the registry)."""
