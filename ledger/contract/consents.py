"""The borrowers' consents as contracts see them: which purposes a borrower allows a lender on a day.

    consents = Consents()
    consents.see(attestation)                        each attestation of a ``consent``, in the log's order
    consents.standing(subject, "acacia", day)        -> frozenset({"103"}): codes of purposes

Rules
- A consent stands on a day when its last step left it active and the day lies between its start and its expiry, both
  days counted (a contract has no finer clock than the day). A paused, revoked, expired or superseded one does not.
- It is the lender's own: one that the borrower gave to somebody else allows this lender nothing, and its contracts do not
  hear of it.
- A step that has no place in a consent's life was never accepted by the ledger and changes nothing here.
- A committer begins with what is stored of the borrowers of its contracts (``learn``), a replay with the log's first
  consent: at each place of the log both know the same.
"""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from ledger.attestation.envelope import Attestation
from ledger.attestation.sharing_kinds import Artefact, Consent
from ledger.consent.artefact import TRANSITIONS, ConsentState

DAY_MS: Final = 24 * 3_600 * 1_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Given(NamedTuple):
    """One version of a consent: its terms, and where it is in its life."""

    artefact: Artefact
    state: ConsentState

    def stands(self, day: int) -> bool:
        """Whether it allows anything on the day ``day`` (an ordinal)."""
        begins = (day - _EPOCH) * DAY_MS
        terms = self.artefact
        return self.state is ConsentState.ACTIVE and terms.start < begins + DAY_MS and begins < terms.expiry


class Consents:
    """Consents by borrower, each version by its id and number."""

    def __init__(self) -> None:
        self._given: dict[bytes, dict[tuple[UUID, int], Given]] = {}

    def learn(self, artefact: Artefact, state: str) -> None:
        """A version as it is stored; what was seen since stays."""
        versions = self._given.setdefault(artefact.subject, {})
        versions.setdefault((artefact.consent, artefact.version), Given(artefact, ConsentState(state)))

    def see(self, attestation: Attestation) -> Given | None:
        """Take one more attestation; the version that it moved, or None: it moved none that is known."""
        body, subject = attestation.body, attestation.envelope.subject
        if not isinstance(body, Consent) or subject is None:
            return None
        versions, key = self._given.setdefault(subject, {}), (body.consent, body.version)
        before = versions.get(key)
        state = TRANSITIONS.get((None if before is None else before.state, body.step))
        artefact = body.artefact or (None if before is None else before.artefact)
        if state is None or artefact is None:
            return None
        versions[key] = Given(artefact, state)
        return versions[key]

    def standing(self, subject: bytes, consumer: str, day: int) -> frozenset[str]:
        """The codes of the purposes that ``subject`` allows ``consumer`` on the day ``day`` (an ordinal)."""
        return frozenset(
            given.artefact.purpose.code
            for given in self._given.get(subject, {}).values()
            if given.artefact.consumer == consumer and given.stands(day)
        )
