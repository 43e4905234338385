"""The terms of a consent and the steps of its life.

    requested -> granted -> (paused <-> resumed) -> revoked | expired | superseded
              -> rejected

Rules
- An artefact is never edited: a change is a new version, requested and granted like the first, that supersedes it.
- Only a version in force (active or paused) can be superseded, and only for the same consumer and borrower. Until the
  new version is granted the old one stays in force; the grant ends it in the same batch.
- Decisions use the version in force: the active or paused one, else the newest that was granted once, else the newest.
- A consent whose time is over counts as expired, whether or not a step says so.
- A grant is signed over the canonical artefact, every other step over the step itself; the JWS type is
  ``tallystick-consent+jws``. The signer is the borrower's own key, or the deployment's after it authenticated the
  borrower: the attestation says which.
- Granting, rejecting, pausing, resuming and revoking are the borrower's; asking is the consumer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar
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

IN_FORCE: Final = frozenset({_S.ACTIVE, _S.PAUSED})
"""States of the one version that reads, pauses and revokes are about."""

NEVER_GRANTED: Final = frozenset({_S.REQUESTED, _S.REJECTED})
"""States of a version that never allowed anything."""


class Version(Protocol):
    """One version of a consent, in whatever form it is stored."""

    @property
    def state(self) -> str:
        """A ``ConsentState``."""
        ...


AnyVersion = TypeVar("AnyVersion", bound=Version)

_DECODER: Final = msgspec.json.Decoder(Artefact)


def next_state(state: ConsentState | None, step: str) -> ConsentState:
    """The state after ``step``. Raises Refused ``consent_step_refused``."""
    following = TRANSITIONS.get((state, step))
    if following is None:
        raise Refused("consent_step_refused", f"a consent that is {state or 'not there'} cannot be {step}",
                      path="$.body.step")  # fmt: skip
    return following


def version_in_force(versions: Sequence[AnyVersion]) -> AnyVersion:
    """Of all versions of one consent, oldest first and at least one: the one that decides what may be read.

    A request that was not granted changes nothing, so that a consumer cannot end its own consent by asking for more.
    """
    newest_first = list(reversed(versions))
    in_force = [version for version in newest_first if version.state in IN_FORCE]
    granted_once = [version for version in newest_first if version.state not in NEVER_GRANTED]
    return (in_force or granted_once or newest_first)[0]


def version_requested(versions: Sequence[AnyVersion]) -> AnyVersion | None:
    """Of all versions of one consent, oldest first: the newest that waits for the borrower's decision."""
    return next((version for version in reversed(versions) if version.state == ConsentState.REQUESTED), None)


def state_at(state: str, artefact: Artefact, now: UnixMillis) -> ConsentState:
    """The state as it is at ``now``: what was not ended before its ``expiry`` is expired from then on."""
    recorded = ConsentState(state)
    lasting = recorded in IN_FORCE or recorded is ConsentState.REQUESTED
    return ConsentState.EXPIRED if lasting and now >= artefact.expiry else recorded


def ensure_replaceable(state: str | None, old_consumer: str | None, artefact: Artefact) -> None:
    """May ``artefact`` be requested in place of a version in ``state``? None: there is no such version about this
    borrower. Raises Refused ``consent_not_in_force``."""
    if state not in IN_FORCE or old_consumer != artefact.consumer:
        raise Refused("consent_not_in_force", "only a consent that is active or paused, of the same consumer and "
                      "borrower, is replaced", path="$.body.artefact.supersedes",
                      advice="ask for a new consent")  # fmt: skip


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
