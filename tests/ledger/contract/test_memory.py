"""The life of a contract: proposed, signed by all, ended; and what is refused on the way."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ledger.attestation.contract_kinds import Contract as ContractStep
from ledger.contract.document import contract_hash
from ledger.contract.memory import FRESH, ContractState, Memory, after_step
from ledger.errors import InvalidInput, Refused
from tests.support.contracts import BORROWER, DAY, GUARANTOR, document

AGREED = document()
GUARANTEED = document(parties={"borrower": BORROWER, "guarantor": GUARANTOR, "lender": "acacia"})


def step(name: Any, party: Any = "lender", agreed: Any = AGREED, **members: Any) -> ContractStep:
    whole = {"account": agreed.account, "contract": contract_hash(agreed), "lender": "acacia", "party": party,
             "step": name}  # fmt: skip
    return ContractStep(**(whole | members))


def after(*steps: ContractStep, agreed: Any = AGREED) -> Memory:
    memory = None
    for number, one in enumerate(steps):
        memory = after_step(memory, agreed, one, DAY.toordinal() + number)
    assert memory is not None
    return memory


def test_a_contract_is_in_force_from_the_day_of_its_last_signature() -> None:
    memory = after(step("proposed"), step("signed"), step("signed", "borrower"))
    assert (memory.state, memory.signed, memory.began) == ("in_force", ("lender", "borrower"), DAY.toordinal() + 2)


def test_one_signature_is_not_enough_and_the_order_does_not_matter() -> None:
    assert after(step("proposed"), step("signed", "borrower")).state == "proposed"
    assert after(step("proposed"), step("signed", "borrower"), step("signed")).state == "in_force"


def test_a_guarantor_signs_too() -> None:
    steps = [step("proposed", agreed=GUARANTEED), *(step("signed", who, GUARANTEED) for who in ("lender", "borrower"))]
    assert after(*steps, agreed=GUARANTEED).state == "proposed"
    assert after(*steps, step("signed", "guarantor", GUARANTEED), agreed=GUARANTEED).state == "in_force"


IN_FORCE = (step("proposed"), step("signed"), step("signed", "borrower"))


def test_lender_and_borrower_end_it_together_or_the_deployment_with_a_reason() -> None:
    assert after(*IN_FORCE, step("terminated")).state == "in_force"
    assert after(*IN_FORCE, step("terminated"), step("terminated")).state == "in_force"
    assert after(*IN_FORCE, step("terminated"), step("terminated", "borrower")).state == "terminated"
    assert after(*IN_FORCE, step("terminated", "deployment", reason="court")).state == "terminated"
    with pytest.raises(Refused) as caught:
        after(*IN_FORCE, step("terminated", "deployment"))
    assert caught.value.path == "$.body.reason"


def test_answers_change_nothing_outside_of_the_engine() -> None:
    assert after(*IN_FORCE, step("accepted", effect=bytes(32))) == after(*IN_FORCE)


REFUSED = {
    "a signature before the proposal": (step("signed"),),
    "a second proposal": (step("proposed"), step("proposed")),
    "a party's second signature": (step("proposed"), step("signed"), step("signed")),
    "a signature of the deployment": (step("proposed"), step("signed", "deployment")),
    "an end of what is not in force": (step("proposed"), step("terminated")),
    "a withdrawal of what is in force": (*IN_FORCE, step("withdrawn")),
    "a signature after a withdrawal": (step("proposed"), step("withdrawn"), step("signed")),
    "an answer before it is in force": (step("proposed"), step("accepted", effect=bytes(32))),
    "a step after the end": (*IN_FORCE, step("terminated", "deployment", reason="x"), step("terminated")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_step_that_has_no_place_is_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        after(*REFUSED[name])
    assert caught.value.code == "contract_step_refused"


def test_a_guarantor_who_is_no_party_has_no_step() -> None:
    with pytest.raises(Refused) as caught:
        after(step("proposed"), step("signed", "guarantor"))
    assert caught.value.code == "contract_party_unknown"


@pytest.mark.parametrize("members", [{"lender": "baobab"}, {"account": bytes(32)}])
def test_a_step_names_the_contracts_own_loan(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        after(step("proposed", **members))
    assert caught.value.code == "contract_mismatch"


@pytest.mark.parametrize(("memory", "name"), [
    (None, "proposed"), (FRESH, "signed"), (after(*IN_FORCE), "accepted"), (after(*IN_FORCE), "declined"),
])  # fmt: skip
def test_an_expired_contract_is_not_proposed_signed_or_answered(memory: Memory | None, name: str) -> None:
    last = date(2028, 1, 1).toordinal() - 1
    after_step(memory, AGREED, step(name, effect=bytes(32)), last)
    with pytest.raises(Refused) as caught:
        after_step(memory, AGREED, step(name, effect=bytes(32)), last + 1)
    assert (caught.value.code, caught.value.path, caught.value.found) == (
        "contract_expired",
        "$.expires",
        "2028-01-01",
    )


@pytest.mark.parametrize(("memory", "name"), [(FRESH, "withdrawn"), (after(*IN_FORCE), "terminated")])
def test_an_expired_contract_is_still_withdrawn_or_ended(memory: Memory, name: str) -> None:
    day = date(2029, 1, 1).toordinal()
    ended = after_step(memory, AGREED, step(name, "deployment", reason="over"), day)
    assert ended.state == name


def test_every_pair_of_state_and_step_is_decided() -> None:
    """Total: a pair either moves the contract or is refused with a code; nothing else happens."""
    steps = ("proposed", "signed", "withdrawn", "terminated", "accepted", "declined")
    moved = set()
    for state in [None, *ContractState]:
        for name in steps:
            memory = None if state is None else Memory(state=state.value)
            try:
                after_step(memory, AGREED, step(name, effect=bytes(32)), DAY.toordinal())
            except Refused as error:
                assert error.code == "contract_step_refused"
            else:
                moved.add((state, name))
    assert moved == {
        (None, "proposed"), ("proposed", "signed"), ("proposed", "withdrawn"), ("in_force", "terminated"),
        ("in_force", "accepted"), ("in_force", "declined"),
    }  # fmt: skip
