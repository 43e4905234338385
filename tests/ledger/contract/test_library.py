"""The shipped contracts: sound, with prose, and each does on its samples what the samples say."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from ledger.contract.check import examine
from ledger.contract.document import Parties, contract_hash
from ledger.contract.library import agree, load, names, source_of
from ledger.contract.simulate import ordinary_life, simulate
from ledger.contract.source import read_samples, read_source
from ledger.contract.vocabulary import TRIGGERS
from ledger.errors import InvalidInput, NotFound
from tests.support.contracts import ACCOUNT, document

EIGHT = (
    "collateral-release", "disaster-grace", "guarantor-call", "late-fee", "payment-closure", "pre-negative-notice",
    "rate-step-down", "restructuring-offer",
)  # fmt: skip


def test_there_are_eight() -> None:
    assert names() == EIGHT


@pytest.mark.parametrize("name", EIGHT)
def test_each_is_sound_and_says_in_words_what_each_rule_does(name: str) -> None:
    read = load(name).document
    examined = examine(read)
    assert examined.faults == ()
    assert examined.effects_per_cause <= 32
    assert all(len(one.prose.split()) >= 7 for one in read.rules)
    assert read.summary is not None


@pytest.mark.parametrize("name", EIGHT)
def test_each_does_on_its_samples_exactly_what_they_expect(name: str) -> None:
    read, samples = load(name)
    contract = examine(read).contract
    assert contract is not None
    steps = simulate(contract, samples)
    assert len(steps) >= 3
    assert [(step.sample.say, step.does) for step in steps] == [(one.say, one.expect) for one in samples]
    assert {effect.rule for step in steps for effect in step.effects} == {one.id for one in read.rules}


@pytest.mark.parametrize("name", EIGHT)
def test_each_runs_on_an_ordinary_life_too(name: str) -> None:
    read = load(name).document
    contract = examine(read).contract
    assert contract is not None
    life = ordinary_life(read)
    listening = {trigger for one in read.rules for trigger in one.on if TRIGGERS[trigger].stratum < 2}
    assert {sample.on for sample in life} == listening
    assert all(effect.effect != "rule.failed" for step in simulate(contract, life) for effect in step.effects)


def test_a_sample_that_is_not_met_says_so() -> None:
    read, samples = load("late-fee")
    contract = examine(read).contract
    assert contract is not None
    wrong = msgspec.structs.replace(samples[1], expect=("penalty.apply amount=1 code=late",))
    assert [step.as_expected for step in simulate(contract, (samples[0], wrong))] == [True, False]
    silent = msgspec.structs.replace(samples[1], expect=None)
    assert simulate(contract, (silent,))[0].as_expected is None
    assert simulate(contract, ()) == ()


def test_an_ordinary_life_tells_what_each_trigger_tells() -> None:
    everything = document(*({"id": f"r{n}", "prose": "x", "on": [name], "if": "true", "do": [{"effect": "a.b"}]}
                            for n, name in enumerate(TRIGGERS)))  # fmt: skip
    for sample in ordinary_life(everything):
        assert sample.event.keys() == TRIGGERS[str(sample.on)].inputs.keys(), sample.say


def test_a_shipped_contract_is_agreed_for_one_loan() -> None:
    read = load("late-fee").document
    parties = Parties(borrower=bytes(32), lender="baobab")
    agreed = agree(read, parties=parties, account=b"a" * 32, currency="UGX", expires=date(2030, 1, 1), terms={"cap": 5})
    assert (agreed.parties, agreed.account, agreed.currency) == (parties, b"a" * 32, "UGX")
    assert agreed.terms == {**read.terms, "cap": 5}
    assert agreed.rules == read.rules
    assert contract_hash(agreed) != contract_hash(read)
    assert examine(agreed).faults == ()


@pytest.mark.parametrize("terms", [{"caps": 5}, {"cap": True}, {"cap": "5"}])
def test_terms_that_the_contract_does_not_have_are_refused(terms: dict[str, int | bool | str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        agree(load("late-fee").document, parties=Parties(borrower=bytes(32), lender="baobab"), account=bytes(32),
              currency="UGX", expires=date(2030, 1, 1), terms=terms)  # fmt: skip
    assert caught.value.code == "term_unknown"


@pytest.mark.parametrize("name", ["none", "../vocabulary", ""])
def test_what_is_not_shipped_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        source_of(name)
    assert caught.value.code == "contract_unknown"


@pytest.mark.parametrize(("sample", "path"), [
    ({"day": "2026-01-01"}, "$.samples[0].on"),
    ({"day": "2026-01-01", "on": "tick.day", "answer": {"accepts": True, "party": "lender"}}, "$.samples[0].on"),
    ({"day": "2026-01-01", "on": "a.b"}, "$.samples[0].on"),
    ({"day": "2026-01-01", "on": "tick.day", "event": {"amount": 1}}, "$.samples[0].event.amount"),
    ({"day": "2026-01-01", "on": "tick.day", "event": {"business_day": 1}}, "$.samples[0].event.business_day"),
    ({"day": "2026-01-01", "on": "tick.day", "loan": {"dpd": "9"}}, "$.samples[0].loan.dpd"),
    ({"day": "2026-01-01", "on": "tick.day", "lone": {}}, "$.samples[0]"),
    ({"day": "2026-02-30", "on": "tick.day"}, "$.samples[0].day"),
])  # fmt: skip
def test_a_malformed_sample_is_refused_with_its_path(sample: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_samples([sample])
    assert (caught.value.code, caught.value.path) == ("sample_malformed", path)


def test_a_source_is_told_from_its_first_sign() -> None:
    toml = source_of("late-fee")
    assert read_source(b"\n  " + toml).document.account == read_source(toml).document.account
    assert ACCOUNT in toml.decode()
    for data in (b"[1]", b"{}", b"title = 1", b""):
        with pytest.raises(InvalidInput) as caught:
            read_source(data)
        assert caught.value.code == "contract_malformed"
