"""Alerts: who may be told what, what an alert says, and what its lender can do with it.

    reach = reach_of(lender, artefacts_in_force, lawful=False, now=now)    # what consent or law lets the lender hear
    body = alert_body(signal, book, lender, named_causes)
    state = next_state("open", "assigned")                                 # "assigned"

Rules
- A lender hears of other lenders' counts under a consent of the borrower for *monitoring* (a periodic one, about every
  account), as far as the consent's providers go, or where the law of its country permits it (``lawful``).
- It may read the attestations behind a count only under such a consent at the detail TRANSACTIONS; law alone never shows
  more than a count.
- The life of an alert is a table: open, assigned, snoozed until a day, closed with an outcome; closed and snoozed ones
  can be opened again. A snooze that is over reads as open.

What this module does not do: read consents or packs (the node passes them in), or publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from ledger.attestation.risk_kinds import Alert, AlertCause
from ledger.attestation.sharing_kinds import Artefact
from ledger.errors import Refused
from ledger.risk.signals import NOTHING_ELSEWHERE, Reach, RuleBook, Signal

MONITORING: Final = ("104", "monitoring")
"""Purposes under which a lender is told of events elsewhere: the Account Aggregator list's 104, explicit consent for the
monitoring of accounts, and the plain word."""

STATES: Final = ("open", "assigned", "snoozed", "closed")
STEPS: Final = ("assigned", "closed", "opened", "snoozed")
TRANSITIONS: Final[dict[tuple[str, str], str]] = {
    ("open", "assigned"): "assigned",
    ("open", "closed"): "closed",
    ("open", "snoozed"): "snoozed",
    ("assigned", "assigned"): "assigned",
    ("assigned", "closed"): "closed",
    ("assigned", "opened"): "open",
    ("assigned", "snoozed"): "snoozed",
    ("snoozed", "assigned"): "assigned",
    ("snoozed", "closed"): "closed",
    ("snoozed", "opened"): "open",
    ("snoozed", "snoozed"): "snoozed",
    ("closed", "opened"): "open",
}
"""(state, step) -> state. A pair that is not here is refused."""


def next_state(state: str, step: str) -> str:
    """The state after a step. Raises Refused ``alert_step_refused``."""
    after = TRANSITIONS.get((state, step))
    if after is None:
        raise Refused("alert_step_refused", f"an alert that is {state} is not {step}", path="step",
                      advice="open it again first")  # fmt: skip
    return after


def state_on(state: str, snoozed_until: date | None, today: date) -> str:
    """The state as it reads today: a snooze that is over is open."""
    over = state == "snoozed" and snoozed_until is not None and today >= snoozed_until
    return "open" if over else state


def reach_of(lender: str, artefacts: Iterable[Artefact], *, lawful: bool, now: int) -> Reach:
    """What ``lender`` may hear of a borrower from elsewhere, by the borrower's active consents and the law."""
    among: set[str] | None = None if lawful else set()
    shown: set[str] | None = set()
    for artefact in artefacts:
        if not _monitors(artefact, lender, now):
            continue
        among = _joined(among, artefact.providers)
        if artefact.detail == "TRANSACTIONS":
            shown = _joined(shown, artefact.providers)
    if among is not None and not among:
        return NOTHING_ELSEWHERE
    return Reach(None if among is None else frozenset(among), None if shown is None else frozenset(shown))


def _monitors(artefact: Artefact, lender: str, now: int) -> bool:
    return (
        artefact.consumer == lender
        and artefact.purpose.code in MONITORING
        and artefact.fetch == "PERIODIC"
        and artefact.start <= now < artefact.expiry
        and not artefact.accounts
        and not artefact.filters
        and "LOAN" in artefact.categories
    )


def _joined(names: set[str] | None, providers: Sequence[str]) -> set[str] | None:
    """A consent without providers is about every lender."""
    return None if names is None or not providers else names | set(providers)


def alert_body(signal: Signal, book: RuleBook, audience: str, causes: Sequence[AlertCause]) -> Alert:
    """What the alert says. ``causes`` are the signal's, as far as they were found; the others are counted."""
    rule = signal.rule
    lost = len(signal.causes) - len(causes)
    return Alert(
        account=signal.account or None, audience=audience, baseline=rule.baseline, causes=tuple(causes),
        episode=signal.episode, reading=signal.reading, reasons=signal.reasons, rule=rule.code, rules=book.digest,
        severity=rule.severity, threshold=rule.threshold, unnamed=signal.unnamed + lost,
    )  # fmt: skip


def legal_basis_of(signal: Signal, *, lawful: bool) -> str:
    """On what ground the lender is told: its own contract, the borrower's consent, or the law."""
    if signal.rule.hears == "own":
        return "contract"
    return "legal_obligation" if lawful else "consent"
