"""The letter that tells a borrower why credit was not given as asked, made from a score's reasons.

    letter = adverse_action(reasons, terms, decided_on=day, action="declined")
    letter.text, letter.send_by, letter.reasons
    body = notice_body(letter, channel="sms", sent_at=now)          # the ``notice`` attestation: told, when, and a hash

Rules
- The reasons are those that were scored, the most costly first, and no more than the law helps with
  (12 CFR 1002.9(b)(2), comment 2: four; 15 U.S.C. 1681g(f)(9) adds one for enquiries). "The score was too low" is not a
  reason, and a letter without one is refused.
- What a country asks for comes from its pack as plain arguments (``Terms``): how many reasons, within how many days, which
  statements must stand in it. Nothing is assumed for a country without a pack.
- The letter names no figure, no other lender and no protected attribute. The ledger keeps its SHA-256, not its text.

What this module does not do: send, or translate. ``reasons`` are ids for those who print it in another language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Final, Literal

from ledger.attestation.sharing_kinds import Notice
from ledger.errors import InvalidInput
from ledger.risk.reasons import sentence

Action = Literal["declined", "counter_offer", "closed", "limit_reduced"]

OPENINGS: Final[dict[Action, str]] = {
    "declined": "We did not approve your application.",
    "counter_offer": "We could not offer what you applied for, and offered other terms.",
    "closed": "We closed your credit account.",
    "limit_reduced": "We reduced your credit limit.",
}

ENQUIRY_REASON: Final = "enquiries_many"
"""The reason that may stand beside the others where the law asks for it in any case."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a country's pack asks of the letter. ``within_days`` None: no term is set. ``statements`` stand in it word for
    word: whom to ask, where to complain, the equal-credit notice."""

    reasons_max: int
    within_days: int | None = None
    statements: tuple[str, ...] = ()
    enquiries_extra: bool = False


@dataclass(frozen=True)
class Letter:
    """A letter: its text, the ids of the reasons in it, and the last day to send it (None: no term is set)."""

    text: str
    reasons: tuple[str, ...]
    send_by: date | None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text in UTF-8."""
        return sha256(self.text.encode()).digest()


def adverse_action(reasons: Sequence[str], terms: Terms, *, decided_on: date, action: Action = "declined") -> Letter:
    """The letter about a decision. Raises InvalidInput ``reasons_missing``, ``reason_twice``, ``reason_unknown``."""
    told = _told(reasons, terms)
    lines = [OPENINGS[action], f"Decided on {decided_on.isoformat()}.", "", "The main reasons were:"]
    lines += [f"{number}. {sentence(reason)}" for number, reason in enumerate(told, 1)]
    if terms.statements:
        lines += ["", *terms.statements]
    send_by = None if terms.within_days is None else decided_on + timedelta(days=terms.within_days)
    return Letter("\n".join(lines) + "\n", told, send_by)


def _told(reasons: Sequence[str], terms: Terms) -> tuple[str, ...]:
    if not reasons or terms.reasons_max < 1:
        raise InvalidInput("reasons_missing", "the principal reasons are to be told", path="$.reasons")
    if len(set(reasons)) != len(reasons):
        raise InvalidInput("reason_twice", "a reason stands twice", path="$.reasons")
    told = tuple(reasons[: terms.reasons_max])
    if terms.enquiries_extra and ENQUIRY_REASON in reasons and ENQUIRY_REASON not in told:
        told = (*told, ENQUIRY_REASON)
    return told


def notice_body(letter: Letter, *, channel: str, sent_at: int) -> Notice:
    """The ``notice`` attestation's body: that this letter was sent, by its hash. ``sent_at`` is UTC milliseconds."""
    return Notice(channel=channel, kind="adverse_action", receipt=letter.digest, sent_at=sent_at)
