"""The terms of a consent and the steps of its life.

    requested -> granted -> (paused <-> resumed) -> revoked | expired | superseded
              -> rejected

Rules
- An artefact is never edited: a change is a new version, requested and granted like the first, that supersedes it.
- A grant is signed over the canonical artefact, every other step over the step itself; the JWS type is
  ``tallystick-consent+jws``. The signer is the borrower's own key, or the deployment's after it authenticated the
  borrower: the attestation says which.
- Granting, rejecting, pausing, resuming and revoking are the borrower's; asking is the consumer's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from ledger.attestation.envelope import encode_body
from ledger.attestation.sharing_kinds import Artefact
from ledger.errors import InvalidInput, Refused
from ledger.limits import CONSENT_DAYS_MAX
from ledger.types import UnixMillis

CONSENT_TYPE: Final = "tallystick-consent+jws"
DAY_MS: Final = 24 * 3600 * 1000


class ConsentState(StrEnum):
    """Where a consent is in its life."""

    REQUESTED = "requested"
    REJECTED = "rejected"
    ACTIVE = "active"
    PAUSED = "paused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


_S = ConsentState
TRANSITIONS: Final[dict[tuple[ConsentState | None, str], ConsentState]] = {
    (None, "requested"): _S.REQUESTED,
    (_S.REQUESTED, "granted"): _S.ACTIVE,
    (_S.REQUESTED, "rejected"): _S.REJECTED,
    (_S.REQUESTED, "expired"): _S.EXPIRED,
    (_S.ACTIVE, "paused"): _S.PAUSED,
    (_S.ACTIVE, "revoked"): _S.REVOKED,
    (_S.ACTIVE, "expired"): _S.EXPIRED,
    (_S.ACTIVE, "superseded"): _S.SUPERSEDED,
    (_S.PAUSED, "resumed"): _S.ACTIVE,
    (_S.PAUSED, "revoked"): _S.REVOKED,
    (_S.PAUSED, "expired"): _S.EXPIRED,
    (_S.PAUSED, "superseded"): _S.SUPERSEDED,
}
"""(state, step) -> the state that follows. A pair that is not here is refused."""

_DECODER: Final = msgspec.json.Decoder(Artefact)


def next_state(state: ConsentState | None, step: str) -> ConsentState:
    """The state after ``step``. Raises Refused ``consent_step_refused``."""
    following = TRANSITIONS.get((state, step))
    if following is None:
        raise Refused("consent_step_refused", f"a consent that is {state or 'not there'} cannot be {step}",
                      path="$.body.step")  # fmt: skip
    return following


def read_artefact(data: bytes) -> Artefact:
    """An artefact from its canonical bytes."""
    return _DECODER.decode(data)


def grant_payload(artefact: Artefact) -> bytes:
    """What is signed to grant: the canonical artefact."""
    return encode_body(artefact)


def step_payload(consent: UUID, version: int, step: str, at: UnixMillis) -> bytes:
    """What is signed for any step but the grant."""
    fields: dict[str, Any] = {"at": at, "consent": str(consent), "step": step, "version": version}
    return msgspec.json.encode(fields, order="sorted")


def check_artefact(artefact: Artefact, now: UnixMillis) -> None:
    """The rules of an artefact beyond its types, when it is requested. Raises InvalidInput ``consent_*``."""
    if artefact.expiry <= max(artefact.start, now):
        raise InvalidInput("consent_period", "a consent ends after it starts, and not in the past", path="$.expiry")
    if artefact.expiry - artefact.start > CONSENT_DAYS_MAX * DAY_MS:
        raise InvalidInput("consent_period", "a consent lives at most five years", path="$.expiry",
                           expected=f"<= {CONSENT_DAYS_MAX} days")  # fmt: skip
    if artefact.data_from and artefact.data_to and artefact.data_to < artefact.data_from:
        raise InvalidInput("consent_range", "the data range is reversed", path="$.dataTo")
    for name, span in (("dataLife", artefact.data_life), ("frequency", artefact.frequency)):
        if (span.unit == "INF") != (span.n == 0):
            raise InvalidInput("consent_span", "INF goes with 0 and nothing else does", path=f"$.{name}")
    if artefact.frequency.unit == "INF":
        raise InvalidInput("consent_span", "a frequency is bounded", path="$.frequency")
    if artefact.fetch == "ONETIME" and artefact.frequency.n != 1:
        raise InvalidInput("consent_span", "a one-time consent is read once", path="$.frequency.n", expected=1)
