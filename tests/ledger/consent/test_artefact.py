"""Versions of a consent: which one is in force, which one waits, and what may be replaced."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ledger.consent.artefact import ConsentState, ensure_replaceable, state_at, version_in_force, version_requested
from ledger.errors import Refused
from ledger.types import UnixMillis
from tests.ledger.consent.test_decision import EXPIRY, artefact


@dataclass(frozen=True)
class Stored:
    """One version, by its state."""

    state: str


@pytest.mark.parametrize(
    ("states", "in_force"),
    [
        ("requested", 0), ("rejected", 0), ("active", 0), ("active requested", 0), ("paused requested", 0),
        ("active rejected", 0), ("superseded active", 1), ("superseded active rejected requested", 1),
        ("revoked requested", 0), ("revoked rejected", 0), ("superseded revoked rejected", 1),
        ("active expired", 0), ("rejected requested", 1),
    ],
)  # fmt: skip
def test_the_version_in_force_is_the_open_one_else_the_newest_granted_one_else_the_newest(
    states: str, in_force: int
) -> None:
    versions = [Stored(state) for state in states.split()]
    assert version_in_force(versions) is versions[in_force]


@pytest.mark.parametrize(("states", "waiting"), [("active requested", 1), ("requested", 0), ("active rejected", None)])
def test_the_version_that_waits_is_the_requested_one(states: str, waiting: int | None) -> None:
    versions = [Stored(state) for state in states.split()]
    assert version_requested(versions) is (None if waiting is None else versions[waiting])


@pytest.mark.parametrize("state", list(ConsentState))
def test_what_was_not_ended_before_its_expiry_is_expired_from_then_on(state: ConsentState) -> None:
    ended = state in ("rejected", "revoked", "expired", "superseded")
    assert state_at(state, artefact(), UnixMillis(EXPIRY - 1)) is state
    assert state_at(state, artefact(), UnixMillis(EXPIRY)) is (state if ended else ConsentState.EXPIRED)


@pytest.mark.parametrize("state", [*ConsentState, None])
def test_only_a_version_in_force_of_the_same_consumer_is_replaced(state: ConsentState | None) -> None:
    terms = artefact(version=2, supersedes=1)
    if state in ("active", "paused"):
        ensure_replaceable(state, "fintech", terms)
    for consumer in ["other"] if state in ("active", "paused") else ["fintech", "other"]:
        with pytest.raises(Refused) as caught:
            ensure_replaceable(state, consumer, terms)
        assert caught.value.code == "consent_not_in_force"
