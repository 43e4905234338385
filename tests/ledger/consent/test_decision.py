"""The decision: every state and every bound, with its reason, in the order of the rules."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from ledger.attestation.sharing_kinds import Artefact, Purpose, Span
from ledger.consent.artefact import TRANSITIONS, ConsentState, next_state
from ledger.consent.decision import Use, decide
from ledger.errors import Refused
from ledger.types import UnixMillis

HOUR = 3_600_000
START, EXPIRY = 10 * HOUR, 20 * HOUR
NEVER = Use(0, None)
STEPS = ("requested", "granted", "rejected", "paused", "resumed", "revoked", "expired", "superseded")


def artefact(**fields: object) -> Artefact:
    """A consent for SUMMARY, twice an hour."""
    whole = {
        "categories": ("LOAN",), "consent": UUID(int=1), "consumer": "fintech", "data_life": Span(n=1, unit="YEAR"),
        "detail": "SUMMARY", "expiry": EXPIRY, "fetch": "PERIODIC", "frequency": Span(n=2, unit="HOUR"),
        "jurisdiction": "KE", "legal_basis": "consent", "mode": "VIEW", "start": START, "subject": b"s" * 32,
        "purpose": Purpose(category="lending", code="101", text="a loan"), "version": 1,
    }  # fmt: skip
    return Artefact(**(whole | fields))  # type: ignore[arg-type]


def reason(state: ConsentState, use: Use = NEVER, now: int = START, **given: object) -> str:
    """The reason of a decision."""
    terms = artefact(**{name: value for name, value in given.items() if name not in ("consumer", "detail")})
    asked = {"consumer": "fintech", "detail": "SUMMARY"} | {
        k: v for k, v in given.items() if k in ("consumer", "detail")
    }
    return decide(state, terms, use, now=UnixMillis(now), **asked).reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "expected"),
    [("requested", "consent_not_granted"), ("rejected", "consent_rejected"), ("active", ""),
     ("paused", "consent_paused"), ("revoked", "consent_revoked"), ("expired", "consent_expired"),
     ("superseded", "consent_superseded")],
)  # fmt: skip
def test_only_an_active_consent_allows(state: str, expected: str) -> None:
    assert reason(ConsentState(state)) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [(START - 1, "consent_not_started"), (START, ""), (EXPIRY - 1, ""), (EXPIRY, "consent_expired")],
)
def test_it_counts_from_its_start_to_before_its_expiry(now: int, expected: str) -> None:
    assert reason(ConsentState.ACTIVE, now=now) == expected


def test_only_the_named_consumer_and_no_more_detail_than_granted() -> None:
    assert reason(ConsentState.ACTIVE, consumer="other") == "consent_other_consumer"
    assert reason(ConsentState.REVOKED, consumer="other") == "consent_other_consumer"
    assert reason(ConsentState.ACTIVE, detail="TRANSACTIONS") == "consent_detail_exceeded"
    assert reason(ConsentState.ACTIVE, detail="PROFILE") == ""


def test_a_one_time_consent_is_spent_by_its_first_read_for_ever() -> None:
    once = {"fetch": "ONETIME", "frequency": Span(n=1, unit="HOUR")}
    assert reason(ConsentState.ACTIVE, **once) == ""
    assert reason(ConsentState.ACTIVE, Use(1, UnixMillis(START)), now=EXPIRY - 1, **once) == "consent_spent"


@pytest.mark.parametrize(
    ("reads", "now", "expected"),
    [
        (1, START, ""),
        (2, START, "consent_too_often"),
        (2, START + HOUR - 1, "consent_too_often"),
        (2, START + HOUR, ""),
    ],
)
def test_a_window_that_is_over_gives_the_reads_back(reads: int, now: int, expected: str) -> None:
    assert reason(ConsentState.ACTIVE, Use(reads, UnixMillis(START)), now=now) == expected


def test_what_is_recorded_counts_within_the_window() -> None:
    first = decide(ConsentState.ACTIVE, artefact(), NEVER, consumer="fintech", detail="SUMMARY", now=UnixMillis(START))
    assert first.use == Use(1, UnixMillis(START))
    later = UnixMillis(START + HOUR)
    second = decide(ConsentState.ACTIVE, artefact(), first.use, consumer="fintech", detail="SUMMARY", now=later)
    assert second.use == Use(1, later)


@pytest.mark.parametrize(("state", "step"), [*product((None, *ConsentState), STEPS)])
def test_every_pair_of_state_and_step_is_listed_or_refused(state: ConsentState | None, step: str) -> None:
    if (state, step) in TRANSITIONS:
        assert next_state(state, step) is TRANSITIONS[state, step]
        return
    with pytest.raises(Refused) as caught:
        next_state(state, step)
    assert caught.value.code == "consent_step_refused"


def test_what_has_ended_stays_ended() -> None:
    ended = {ConsentState.REJECTED, ConsentState.REVOKED, ConsentState.EXPIRED, ConsentState.SUPERSEDED}
    assert {state for state, _ in TRANSITIONS} & ended == set()
