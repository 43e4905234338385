"""The vocabulary holds together: one type a name, strata that rise, triggers that their effects can feed."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from ledger.contract.check import CHAIN_MAX
from ledger.contract.inputs import LoanInputs
from ledger.contract.vocabulary import (
    CAUSES,
    CONSENT_LAPSED,
    CONSENT_MET,
    EFFECTS,
    EVENT_INPUTS,
    FAILED,
    OFFER_ACCEPTED,
    OFFER_TERMS,
    OFFERS,
    ROLES,
    STANDING_INPUTS,
    TRIGGERS,
    event_inputs,
)

KINDS = {"INT": int, "BOOL": bool, "STRING": str}


def test_a_name_has_one_type_whichever_trigger_tells_it() -> None:
    types: dict[str, set[str]] = {}
    for trigger in TRIGGERS:
        for name, told in event_inputs(trigger).items():
            types.setdefault(name, set()).add(told.type)
    assert {name for name, found in types.items() if len(found) > 1} == set()
    assert types.keys() == EVENT_INPUTS.keys()


def test_the_inputs_are_the_names_of_the_vocabulary_with_their_types() -> None:
    named = {
        name.partition(".")[2]: KINDS[told.type] for name, told in STANDING_INPUTS.items() if name.startswith("loan.")
    }
    assert named == {field: type(getattr(LoanInputs(), field)) for field in LoanInputs.__struct_fields__}


def test_no_name_is_promised_that_nothing_feeds() -> None:
    assert {name.partition(".")[0] for name in STANDING_INPUTS} == {"loan", "contract"}


def test_everything_has_a_meaning_and_tables_are_sorted() -> None:
    for table in (TRIGGERS, EFFECTS):
        assert list(table) == sorted(table)
        assert all(re.fullmatch(r"[a-z]+\.[a-z]+", name) for name in table)
        assert all(entry.meaning for entry in table.values())
    assert all(told.meaning for told in STANDING_INPUTS.values())
    assert all(list(trigger.inputs) == sorted(trigger.inputs) for trigger in TRIGGERS.values())
    assert all(list(effect.arguments) == sorted(effect.arguments) for effect in EFFECTS.values())


@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_that_is_a_trigger_has_its_stratum_and_tells_all_that_it_tells(name: str) -> None:
    effect = EFFECTS[name]
    assert effect.stratum > 0
    if effect.becomes is not None:
        trigger = TRIGGERS[effect.becomes]
        assert trigger.stratum == effect.stratum
        told = {key for key in trigger.inputs if not effect.arguments[key].optional}
        assert told == trigger.inputs.keys()
        for key, wanted in trigger.inputs.items():
            assert effect.arguments[key].type == wanted.type


def test_what_comes_from_outside_stands_lowest() -> None:
    inner = {effect.becomes for effect in EFFECTS.values() if effect.becomes is not None}
    assert {name for name, trigger in TRIGGERS.items() if trigger.stratum > 0} == inner
    assert CHAIN_MAX == 6


def test_a_proposal_stands_above_every_trigger_so_that_what_is_not_granted_always_finds_its_place() -> None:
    assert EFFECTS["proposal.open"].stratum > max(trigger.stratum for trigger in TRIGGERS.values())


def test_money_is_what_changes_what_is_owed_or_secured() -> None:
    assert {name for name, effect in EFFECTS.items() if effect.money} == {
        "collateral.release", "discount.apply", "penalty.apply", "terms.change",
    }  # fmt: skip


def test_against_the_borrower_nothing_is_granted_without_the_borrower() -> None:
    for name in ("penalty.apply", "terms.change", "consent.require"):
        assert "borrower" in EFFECTS[name].needs
    assert all(set(effect.needs) <= set(ROLES) and effect.needs for effect in EFFECTS.values())


@pytest.mark.parametrize("name", [FAILED, CONSENT_MET, CONSENT_LAPSED, OFFER_ACCEPTED])
def test_what_the_ledger_records_by_itself_is_no_effect_to_ask_for(name: str) -> None:
    assert name not in EFFECTS
    assert re.fullmatch(r"[a-z]+\.[a-z]+", name)


def test_every_word_after_offer_is_explained_and_takes_the_lender_and_another() -> None:
    opened = EFFECTS["proposal.open"].arguments
    assert tuple(OFFERS) == opened["offer"].words
    assert {name for offer in OFFERS.values() for name in (*offer.asks, *offer.more)} == OFFER_TERMS
    assert opened.keys() >= OFFER_TERMS
    assert all(offer.needs[0] == "lender" and len(offer.needs) == 2 for offer in OFFERS.values())


def test_causes_are_triggers_from_outside() -> None:
    assert all(TRIGGERS[name].stratum == 0 for together in CAUSES for name in together)


ROOT = Path(__file__).resolve().parents[3]


def test_the_page_draws_its_tables_from_the_code() -> None:
    drawing = runpy.run_path(str(ROOT / "docs/draw_vocabulary.py"))
    page = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    assert drawing["with_tables"](page) == page


def test_the_page_explains_every_fault_that_the_check_can_name() -> None:
    page = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    sources = "".join(
        (ROOT / "ledger/contract" / f"{name}.py").read_text() for name in ("check", "program", "tokens", "conditions")
    )
    named = set(re.findall(r'(?:Fault|_Refused)\(\s*"([a-z_]+)"|return "([a-z]+_[a-z]+)", ', sources))
    codes = {first or second for first, second in named} | {"float_refused", "number_refused"}
    assert len(codes) >= 30
    assert sorted(code for code in codes if f"`{code}`" not in page) == []
