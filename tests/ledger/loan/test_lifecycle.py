"""The transition table is total: each pair is listed, or refused with a code."""

from __future__ import annotations

import pytest

from ledger.attestation.registry import SPECS
from ledger.errors import Refused
from ledger.loan.lifecycle import CLOSURES, DECISIONS, EVENTS, LIVE, TRANSITIONS, Event, Stage, next_stage, settled


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("event", Event)
def test_every_pair_of_stage_and_event_is_answered(stage: Stage, event: Event) -> None:
    expected = TRANSITIONS.get((stage, event))
    if expected is not None:
        assert next_stage(stage, event) is expected
        return
    with pytest.raises(Refused) as caught:
        next_stage(stage, event)
    assert (caught.value.code, caught.value.path) == ("transition_refused", "$.kind")


def test_the_table_has_the_number_of_pairs_that_the_documents_draw() -> None:
    assert len(TRANSITIONS) == 105


@pytest.mark.parametrize("event", Event)
def test_an_event_may_follow_all_three_names_of_a_running_loan_or_none(event: Event) -> None:
    after = {TRANSITIONS.get((stage, event)) for stage in LIVE}
    assert len(after) == 1 or event is Event.RECORD


def test_which_running_stage_it_is_follows_from_the_money() -> None:
    assert settled(1, 0) is settled(1, 5) is settled(None, 5) is settled(0, 0) is settled(-1, 0) is Stage.ACTIVE
    assert (settled(0, 5), settled(-1, 5)) == (Stage.PAID, Stage.OVERPAID)


def test_every_stage_but_new_can_be_reached_from_new() -> None:
    reached = {Stage.NEW, settled(0, 1), settled(-1, 1)}
    while True:
        more = {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(Stage)


def test_a_charge_off_is_accounting_and_a_write_off_closes() -> None:
    assert next_stage(Stage.ACTIVE, Event.CHARGE_OFF) is Stage.ACTIVE
    assert next_stage(Stage.ACTIVE, Event.CLOSURE_WRITTEN_OFF) is Stage.WRITTEN_OFF


def test_events_about_the_record_never_move_a_stage() -> None:
    moved = {after for (before, event), after in TRANSITIONS.items() if event is Event.RECORD and before is not after}
    assert moved == set()
    assert (Stage.NEW, Event.RECORD) not in TRANSITIONS


def test_nothing_happens_to_a_loan_that_was_never_agreed() -> None:
    allowed = {event for (stage, event) in TRANSITIONS if stage is Stage.NEW}
    assert allowed == {Event.APPLICATION, Event.AGREEMENT}
    for ended in (Stage.DECLINED, Stage.WITHDRAWN, Stage.CANCELLED):
        assert {event for (stage, event) in TRANSITIONS if stage is ended} == {Event.RECORD}


def test_an_ended_loan_may_be_restated_but_not_end_otherwise() -> None:
    for event in (Event.AGREEMENT, Event.SNAPSHOT, Event.CHARGE_OFF, Event.CLOSURE_FRAUD):
        assert next_stage(Stage.FRAUD, event) is Stage.FRAUD
    for event in (Event.STANDING, Event.CLOSURE_PAID, Event.TRANSFER):
        assert (Stage.FRAUD, event) not in TRANSITIONS


def test_every_kind_about_an_account_is_one_event_or_one_for_each_of_its_outcomes() -> None:
    about_accounts = {kind for kind, spec in SPECS.items() if spec.about == "account"}
    assert EVENTS.keys() | {"closure", "decision"} == about_accounts
    assert {*EVENTS.values(), *CLOSURES.values(), *DECISIONS.values()} == set(Event)


def test_money_that_goes_back_opens_an_ended_loan_again_where_something_is_owed_again() -> None:
    reopened = {stage for stage in Stage if TRANSITIONS.get((stage, Event.REVERSAL)) is Stage.ACTIVE}
    assert reopened == {*LIVE, Stage.SETTLED_SHORT, Stage.REFINANCED, Stage.WRITTEN_OFF}
    assert next_stage(Stage.SOLD, Event.REVERSAL) is Stage.SOLD
