"""Who may be told, and the life of an alert."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from ledger.attestation.sharing_kinds import Artefact
from ledger.errors import Refused
from ledger.risk.alerts import STATES, STEPS, TRANSITIONS, next_state, reach_of, state_on
from ledger.risk.signals import NOTHING_ELSEWHERE, Reach
from tests.support.every_kind import ARTEFACT, HASH, NOW

MONITORING: Artefact = msgspec.structs.replace(
    ARTEFACT, accounts=(), consumer="acacia", filters=(), providers=(),
    purpose=msgspec.structs.replace(ARTEFACT.purpose, code="104"),
)  # fmt: skip


def reach(*artefacts: Artefact, lawful: bool = False, now: int = NOW) -> Reach:
    return reach_of("acacia", artefacts, lawful=lawful, now=now)


def test_without_consent_or_law_nothing_from_elsewhere_is_heard() -> None:
    assert reach() == NOTHING_ELSEWHERE
    assert not reach().hears()


def test_law_alone_lets_counts_be_heard_and_shows_no_attestation() -> None:
    assert reach(lawful=True) == Reach(None, frozenset())


def test_a_monitoring_consent_lets_all_be_heard_and_shown() -> None:
    assert reach(MONITORING) == Reach(None, None)


def test_a_summary_lets_counts_be_heard_only() -> None:
    assert reach(msgspec.structs.replace(MONITORING, detail="SUMMARY")) == Reach(None, frozenset())


def test_providers_bound_what_is_heard_and_consents_add_up() -> None:
    one = msgspec.structs.replace(MONITORING, providers=("baobab",))
    two = msgspec.structs.replace(MONITORING, providers=("cedar",), detail="SUMMARY")
    assert reach(one, two) == Reach(frozenset({"baobab", "cedar"}), frozenset({"baobab"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"consumer": "baobab"}, {"fetch": "ONETIME"}, {"accounts": (HASH,)}, {"filters": ARTEFACT.filters},
        {"categories": ("CARD",)}, {"start": NOW + 1}, {"expiry": NOW}, {"purpose": ARTEFACT.purpose},
    ],
)  # fmt: skip
def test_a_consent_for_something_else_lets_nothing_be_heard(changes: dict[str, object]) -> None:
    assert reach(msgspec.structs.replace(MONITORING, **changes)) == NOTHING_ELSEWHERE


def test_every_pair_of_state_and_step_goes_somewhere_or_is_refused() -> None:
    assert set(TRANSITIONS.values()) <= set(STATES)
    for state in STATES:
        for step in STEPS:
            if (state, step) in TRANSITIONS:
                assert next_state(state, step) == ("open" if step == "opened" else step)
            else:
                with pytest.raises(Refused, match="alert"):
                    next_state(state, step)
    refused = {(state, step) for state in STATES for step in STEPS} - TRANSITIONS.keys()
    assert refused == {("open", "opened"), ("closed", "assigned"), ("closed", "closed"), ("closed", "snoozed")}


def test_a_snooze_that_is_over_reads_as_open() -> None:
    day = date(2026, 3, 1)
    assert state_on("snoozed", day, date(2026, 2, 28)) == "snoozed"
    assert state_on("snoozed", day, day) == "open"
    assert state_on("closed", None, day) == "closed"
