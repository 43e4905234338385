"""Contracts under kill -9: every effect once, with its cause, and the same again from the log; and a lie is found."""

from __future__ import annotations

import pytest

from ledger.attestation.contract_kinds import Effect
from tests.chaos.contract_judge import alter, by_command, delete
from tests.chaos.contract_storm import rage
from tests.chaos.storm import Storm

pytestmark = pytest.mark.chaos

EVENTS = 20_000
KILLS = 6
SEED = 20260131


async def test_twenty_thousand_events_under_kills_replay_identically_and_a_changed_effect_is_found() -> None:
    figures = await rage(EVENTS, KILLS, SEED, then=_lies_are_found)
    print(figures)
    assert (figures["events"], figures["kills"], figures["fsck"], figures["internal_errors"]) == (
        EVENTS,
        KILLS,
        "clean",
        0,
    )
    assert figures["postmaster_kills"] >= 1
    assert figures["contracts"] > 50
    assert figures["effects"] > 200
    assert figures["landed_events"] > 100
    assert {
        "alert.raise", "attestation.emit", "consent.lapsed", "consent.met", "consent.require", "offer.accepted",
        "penalty.apply", "proposal.open", "terms.change",
    } <= figures["effects_by_kind"].keys()  # fmt: skip


async def _lies_are_found(storm: Storm, effects: list[Effect]) -> None:
    penalties = [effect for effect in effects if effect.effect == "penalty.apply"]
    altered, deleted = penalties[len(penalties) // 3], penalties[len(penalties) * 2 // 3]
    await alter(storm, altered)
    await delete(storm, deleted)
    exit_code, found, _, _ = await by_command(storm, "replay")
    assert exit_code == 1
    faults = {(fault["code"], fault["effect"]) for fault in found["faults"]}
    assert faults == {("effect_differs", altered.id.hex()), ("effect_missing", deleted.id.hex())}
