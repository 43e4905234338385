"""The check names every fault by code and path, and proves how much one event can do."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ledger.contract.bounds import FAULTS_MAX
from ledger.contract.check import CHAIN_MAX, compile_contract, compiled, effects_per_cause, examine
from ledger.contract.document import Document, canonical_bytes
from ledger.contract.engine import execute
from ledger.contract.occurrences import Occurrence
from ledger.contract.vocabulary import EFFECTS, TRIGGERS
from ledger.errors import InvalidInput
from ledger.loan.calendars import HASHES
from tests.support.contracts import (
    ALERT,
    BORROWER,
    BOTH,
    DAY,
    GUARANTOR,
    IN_FORCE,
    PENALTY,
    document,
    event,
    inputs,
    rule,
)

OFFER = {"effect": "proposal.open", "offer": "restructure", "to": "borrower", "code": "x", "days": 1, "by": 30,
         "what": "term_days"}  # fmt: skip
GRANTS = {"alert.raise": ["lender"], "proposal.open": ["lender"], "penalty.apply": BOTH}


def faults_of(*rules: dict[str, Any], **members: Any) -> list[tuple[str, str]]:
    return [(fault.code, fault.path) for fault in examine(document(*rules, **members)).faults]


def test_a_sound_document_has_no_fault_and_is_ready() -> None:
    examined = examine(document())
    assert (examined.faults, examined.notes, examined.effects_per_cause) == ((), (), 1)
    assert examined.contract is not None
    assert examined.contract.by_trigger.keys() == {"tick.day"}


def test_faults_of_every_part_are_named_at_once() -> None:
    assert faults_of(
        rule(**{"if": "loan.dpdd > 1"}, do=[{**ALERT, "severity": "loan.disputed"}, {"effect": "a.b"}]),
        rule(on=["tick.day", "tick.day"], do=[PENALTY, {**ALERT, "more": 1}]),
        terms={"on_time": 1}, currency="XXX",
    ) == [
        ("currency_unknown", "$.currency"),
        ("term_reserved", "$.terms.on_time"),
        ("effect_unknown", "$.rules[0].do[1].effect"),
        ("rule_twice", "$.rules[1].id"),
        ("trigger_twice", "$.rules[1].on"),
        ("argument_unknown", "$.rules[1].do[1].more"),
        ("name_unknown", "$.rules[0].if"),
        ("expression_type", "$.rules[0].do[0].severity"),
    ]  # fmt: skip


def test_an_unknown_name_comes_with_the_nearest_known_one() -> None:
    (fault,) = examine(document(rule(**{"if": "loan.dpdd > 1"}))).faults
    assert (fault.expected, fault.found) == ("loan.dpd?", "'loan.dpdd' at character 1")


def test_a_rule_of_two_triggers_sees_only_what_both_tell() -> None:
    both = rule(on=["repayment.received", "penalty.applied"], do=[OFFER], **{"if": "event.amount > 0"})
    assert faults_of(both, authority=GRANTS) == []
    told = rule(on=["repayment.received", "tick.day"], do=[OFFER], **{"if": "event.amount > 0 && event.day > 0"})
    assert faults_of(told, authority=GRANTS) == [("name_unknown", "$.rules[0].if")]


@pytest.mark.parametrize(("trigger", "effect", "sound"), [
    ("tick.day", ALERT, True), ("alert.raised", ALERT, False), ("alert.raised", PENALTY, True),
    ("penalty.applied", PENALTY, False), ("penalty.applied", ALERT, False), ("terms.changed", PENALTY, False),
    ("collateral.released", OFFER, True),
])  # fmt: skip
def test_an_effect_stands_above_its_trigger(trigger: str, effect: dict[str, Any], sound: bool) -> None:
    found = faults_of(rule(on=[trigger], do=[effect]), authority=GRANTS)
    assert found == ([] if sound else [("stratum_low", "$.rules[0].do[0].effect")])


def test_the_worst_case_counts_effects_of_effects() -> None:
    rules = [rule(id="a", do=[ALERT] * 3), rule(id="b", on=["alert.raised"], do=[PENALTY] * 2),
             rule(id="c", on=["penalty.applied"], do=[OFFER])]  # fmt: skip
    assert effects_per_cause(document(*rules, authority=GRANTS)) == 3 * (1 + 2 * (1 + 1))


def test_one_tick_may_be_a_missed_instalment_and_sixteen_disasters() -> None:
    rules = [rule(id="a"), rule(id="b", on=["repayment.missed"]), rule(id="c", on=["disaster.declared"])]
    assert effects_per_cause(document(*rules)) == 1 + 1 + 16


def test_256_effects_of_one_event_are_allowed_and_257_are_not() -> None:
    wide = [rule(id=f"a{n}", do=[ALERT] * 8) for n in range(32)]
    assert examine(document(*wide)).effects_per_cause == 256
    assert faults_of(*wide, rule()) == [("contract_explodes", "$.rules")]


def test_money_that_is_not_granted_is_a_note_for_whoever_signs() -> None:
    examined = examine(document(rule(do=[PENALTY]), authority={}))
    assert examined.faults == ()
    assert examined.notes == (
        "rule r1: penalty.apply is not granted in advance; each time it waits for lender and borrower to sign",
    )


def test_no_more_than_the_bound_of_faults_is_named() -> None:
    assert len(examine(document(*(rule(id=f"r{n}", **{"if": "loan.x"}) for n in range(64)))).faults) == FAULTS_MAX
    assert len(examine(document(*(rule(on=["a.b"]) for _ in range(64)))).faults) == FAULTS_MAX


def test_what_may_not_be_signed_does_not_compile() -> None:
    with pytest.raises(InvalidInput) as caught:
        compile_contract(document(rule(**{"if": "loan.dpd"})))
    assert (caught.value.code, caught.value.path) == ("contract_invalid", "$.rules[0].if")
    assert "expression_type" in caught.value.message


def test_business_days_need_a_holiday_list() -> None:
    waiting = rule(**{"if": "event.business_day && loan.dpd > 3"})
    assert faults_of(waiting) == [("calendar_missing", "$.calendar")]
    assert faults_of(waiting, calendar=f"KE/2026#{HASHES['KE/2026']}") == []


def a_random_document(rng: random.Random) -> Document:
    """Rules between random triggers and effects, each effect above its trigger; some granted, some not."""
    rules = []
    for number in range(rng.randint(1, 24)):
        trigger = rng.choice(sorted(TRIGGERS))
        above = [item for item in EVERY_EFFECT if EFFECTS[str(item["effect"])].stratum > TRIGGERS[trigger].stratum]
        rules.append(rule(id=f"r{number}", on=[trigger], do=rng.choices(above, k=rng.randint(1, 2))))
    granted = {name for name, effect in EFFECTS.items() if not effect.money or rng.random() < 0.7}
    return document(*rules, authority={name: list(EFFECTS[name].needs) for name in granted})


EVERY_EFFECT: list[dict[str, Any]] = [
    ALERT, PENALTY, OFFER, {"effect": "discount.apply", "amount": 1, "code": "x"},
    {"effect": "terms.change", "what": "rate_ppm", "by": 1, "code": "x"}, {"effect": "collateral.release", "code": "x"},
    {"effect": "attestation.emit", "kind": "notice", "code": "x"}, {"effect": "consent.require", "code": "x", "days": 1},
]  # fmt: skip


def test_every_event_ends_within_the_worst_case_that_was_computed() -> None:
    rng, met = random.Random(11), 0
    for _ in range(300):
        examined = examine(a_random_document(rng))
        if examined.contract is None:
            assert [fault.code for fault in examined.faults] == ["contract_explodes"]
            continue
        trigger = rng.choice(sorted(examined.contract.by_trigger))
        told = {f"event.{name}": {"INT": 1, "BOOL": True, "STRING": "x"}[known.type]
                for name, known in TRIGGERS[trigger].inputs.items()}  # fmt: skip
        happened = Occurrence(trigger, {"event.day": DAY.toordinal(), **told})
        effects = execute(examined.contract, IN_FORCE, event(1, happened), inputs()).effects
        assert 0 < len(effects) <= examined.effects_per_cause
        met += len(effects) > 5
        links = {effect.n: effect.after for effect in effects}
        for n in links:
            chain = [n]
            while (after := links[chain[-1]]) is not None:
                assert after < chain[-1]
                chain.append(after)
            assert len(chain) <= CHAIN_MAX
    assert met > 20


def test_a_contract_is_compiled_once_from_its_bytes() -> None:
    data = canonical_bytes(document(title="Once"))
    assert compiled(data) is compiled(bytes(bytearray(data)))
    with pytest.raises(InvalidInput) as caught:
        compiled(canonical_bytes(document(currency="XXX")))
    assert caught.value.code == "contract_invalid"


def offering(authority: list[str], **members: Any) -> list[tuple[str, str]]:
    """The faults of a contract that offers something to the borrower, unless said otherwise."""
    offer = {"effect": "proposal.open", "to": "borrower", "code": "x", "days": 1} | members
    parties = {"borrower": BORROWER, "guarantor": GUARANTOR, "lender": "acacia"}
    faulty = examine(document(rule(do=[offer]), authority={"proposal.open": authority}, parties=parties)).faults
    return [(fault.code, fault.path.rpartition(".")[2]) for fault in faulty]


EASING: dict[str, Any] = {"offer": "restructure", "what": "term_days", "by": 30}


def test_an_offer_says_what_is_offered_and_no_more() -> None:
    assert offering(["lender"], **EASING) == []
    assert offering(["lender"], **EASING, amount=5) == []
    assert offering(["lender"], offer="restructure") == [("argument_missing", "by"), ("argument_missing", "what")]
    assert offering(["lender"], offer="settlement") == [("argument_missing", "amount")]
    assert offering(["lender"], offer="settlement", amount=5, by=3) == [("argument_unknown", "by")]
    assert offering(["lender"], offer="refinance") == []
    assert offering(["lender"], offer="refinance", by=3) == [("argument_missing", "by")]
    assert offering(["lender"], **EASING | {"what": "grace_days"}) == [("argument_invalid", "what")]


@pytest.mark.parametrize(("authority", "to", "offer", "faults"), [
    (["lender"], "borrower", EASING, []),
    (["lender"], "guarantor", EASING, [("authority_missing", "to")]),
    (["lender", "borrower"], "guarantor", EASING, []),
    (["lender"], "lender", EASING, [("authority_missing", "to")]),
    (["lender"], "guarantor", {"offer": "guarantor_call", "amount": 5}, []),
    (["lender"], "borrower", {"offer": "guarantor_call", "amount": 5}, [("authority_missing", "to")]),
    (["lender", "guarantor"], "borrower", {"offer": "settlement", "amount": 5}, []),
])  # fmt: skip
def test_an_offer_is_accepted_by_those_whose_signatures_it_takes(
    authority: list[str], to: str, offer: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    assert offering(authority, to=to, **offer) == faults
