"""Rules that wait for a consent: what waits, what goes on, what is done otherwise, and what the check says of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from ledger.attestation.envelope import encode_body
from ledger.contract.check import effects_per_cause, examine
from ledger.contract.engine import Event, Execution, Inputs, execute, listens
from ledger.contract.inputs import LoanInputs
from ledger.contract.memory import Memory, after_step, decode_memory, encode_memory
from ledger.contract.occurrences import occurrence
from ledger.contract.program import CompiledContract
from ledger.contract.simulate import line_of, ordinary_life, simulate
from ledger.contract.source import read_samples
from tests.support.contracts import ALERT, BOTH, DAY, IN_FORCE, PENALTY, cause, contract, document, event, inputs, rule

ASK: dict[str, Any] = {"effect": "consent.require", "code": "103", "days": 5}
EASE = {"effect": "terms.change", "what": "rate_ppm", "by": -5, "code": "help"}
GRANTS = {"alert.raise": ["lender"], "consent.require": BOTH, "penalty.apply": BOTH, "terms.change": BOTH}
ASKED = "consent.require code=103 days=5 until=2026-03-06"
GIVEN = frozenset({"103"})


def waiting(*more: dict[str, Any], **members: Any) -> CompiledContract:
    """A contract that asks on a missed due date, eases the terms with the consent, and warns without."""
    return contract(rule(**asking(**members)), *more, authority=GRANTS)


def asking(**members: Any) -> dict[str, Any]:
    return {"on": ["repayment.missed"], "do": [ASK, EASE], "otherwise": [ALERT]} | members


def missed(index: int = 1, day: date = DAY, **rest: Any) -> Event:
    return event(index, occurrence("repayment.missed", day, amount=1, instalment=2), day=day, **rest)


def quiet(index: int, days: int, **rest: Any) -> Event:
    """An event that no rule listens to, some days later."""
    return event(index, occurrence("dispute.opened", DAY, code="x"), day=DAY + timedelta(days), **rest)


def did(done: Execution) -> list[str]:
    return [line_of(effect) for effect in done.effects]


def test_what_stands_before_the_consent_is_done_at_once_and_what_stands_behind_it_waits() -> None:
    asked = execute(waiting(do=[ALERT, ASK, EASE]), IN_FORCE, missed(), inputs())
    assert did(asked) == ["alert.raise code=DPD severity=3", ASKED]
    (wait,) = asked.memory.waits
    assert (wait.id, wait.rule, wait.code) == (asked.effects[1].id, "r1", "103")
    assert (wait.until, wait.then) == (
        (DAY + timedelta(5)).toordinal(),
        ((2, {"by": -5, "code": "help", "what": "rate_ppm"}),),
    )
    assert decode_memory(encode_memory(asked.memory)) == asked.memory


def test_the_first_event_at_which_the_consent_stands_lets_it_go_on_as_its_own_effects() -> None:
    agreed = waiting()
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    assert execute(agreed, asked.memory, quiet(2, 3), inputs()).memory is asked.memory
    other = execute(agreed, asked.memory, quiet(3, 3, standing=frozenset({"101"})), inputs())
    assert other.memory is asked.memory
    went = execute(agreed, asked.memory, quiet(4, 5, standing=GIVEN), inputs())
    assert did(went) == ["consent.met code=103", "terms.change by=-5 code=help what=rate_ppm"]
    assert [(effect.cause.index, effect.n, effect.after, effect.scope) for effect in went.effects] == [
        (4, 0, None, None), (4, 1, 0, None),
    ]  # fmt: skip
    assert went.effects[0].inputs == went.effects[1].inputs != asked.effects[0].inputs
    assert went.memory.waits == ()
    assert execute(agreed, went.memory, quiet(5, 6, standing=GIVEN), inputs()).effects == ()
    assert execute(agreed, went.memory, quiet(4, 5, standing=GIVEN), inputs()).effects == ()


def test_the_first_event_past_the_last_day_does_otherwise_even_if_the_consent_came_then() -> None:
    agreed = waiting()
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    for standing in (frozenset[str](), GIVEN):
        lapsed = execute(agreed, asked.memory, quiet(2, 6, standing=standing), inputs())
        assert did(lapsed) == ["consent.lapsed code=103", "alert.raise code=DPD severity=3"]
        assert lapsed.memory.waits == ()
    bare = waiting(otherwise=[])
    asked = execute(bare, IN_FORCE, missed(), inputs())
    assert did(execute(bare, asked.memory, quiet(2, 6), inputs())) == ["consent.lapsed code=103"]


def test_the_logs_day_decides_and_not_an_old_value_date() -> None:
    agreed = waiting()
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    late = quiet(2, 0, today=(DAY + timedelta(6)).toordinal())
    assert did(execute(agreed, asked.memory, late, inputs()))[0] == "consent.lapsed code=103"


def test_where_the_consent_stands_already_nothing_waits() -> None:
    done = execute(waiting(), IN_FORCE, missed(standing=GIVEN), inputs())
    assert did(done) == ["consent.met code=103", "terms.change by=-5 code=help what=rate_ppm"]
    assert (done.memory.waits, [effect.cause.index for effect in done.effects]) == ((), [1, 1])


def test_a_rule_that_waits_does_not_fire_again_and_others_go_on() -> None:
    agreed = waiting(rule(id="other", on=["repayment.missed"]))
    asked = execute(agreed, IN_FORCE, missed(1), inputs())
    again = execute(agreed, asked.memory, missed(2), inputs())
    assert ([effect.rule for effect in asked.effects], [effect.rule for effect in again.effects]) == (
        ["r1", "other"],
        ["other"],
    )
    went = execute(agreed, again.memory, missed(3, standing=GIVEN), inputs())
    assert [(effect.rule, effect.effect) for effect in went.effects] == [
        ("r1", "consent.met"), ("r1", "terms.change"),  # what waited
        ("r1", "consent.met"), ("r1", "terms.change"), ("other", "alert.raise"),  # and the rule fires again
    ]  # fmt: skip


def test_once_counts_the_asking() -> None:
    agreed = waiting(once="per-loan")
    asked = execute(agreed, IN_FORCE, missed(1), inputs())
    lapsed = execute(agreed, asked.memory, quiet(2, 6), inputs())
    assert execute(agreed, lapsed.memory, missed(3, DAY + timedelta(7)), inputs()).effects == ()


def test_a_rule_may_wait_for_one_consent_after_the_other() -> None:
    agreed = waiting(do=[ASK, ASK | {"code": "104"}, EASE])
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    first = execute(agreed, asked.memory, quiet(2, 2, standing=GIVEN), inputs())
    assert did(first) == ["consent.met code=103", "consent.require code=104 days=5 until=2026-03-08"]
    both = execute(agreed, first.memory, quiet(3, 3, standing=frozenset({"104"})), inputs())
    assert did(both) == ["consent.met code=104", "terms.change by=-5 code=help what=rate_ppm"]


def test_arguments_are_those_of_the_day_on_which_it_was_asked() -> None:
    agreed = waiting(
        do=[ASK, {**PENALTY, "amount": "loan.overdue"}], otherwise=[{**PENALTY, "amount": "loan.overdue * 2"}]
    )
    asked = execute(agreed, IN_FORCE, missed(), inputs(overdue=7))
    assert did(execute(agreed, asked.memory, quiet(2, 1, standing=GIVEN), inputs(overdue=9)))[1:] == [
        "penalty.apply amount=7 code=late"
    ]
    assert did(execute(agreed, asked.memory, quiet(2, 6), inputs(overdue=9)))[1:] == [
        "penalty.apply amount=14 code=late"
    ]


@pytest.mark.parametrize(("members", "at"), [
    ({"do": [ASK, {**PENALTY, "amount": "1 / loan.dpd"}]}, "do.1.amount"),
    ({"otherwise": [{**PENALTY, "amount": "1 / loan.dpd"}]}, "otherwise.0.amount"),
])  # fmt: skip
def test_a_rule_that_waits_is_all_or_nothing_when_it_asks(members: dict[str, Any], at: str) -> None:
    done = execute(waiting(**members), IN_FORCE, missed(), inputs())
    assert did(done) == [f"rule.failed at={at} code=division_by_zero"]
    assert done.memory.waits == ()


def test_an_effect_that_waited_is_a_trigger_and_is_proposed_where_it_is_not_granted() -> None:
    eased = rule(id="eased", on=["terms.changed"], do=[{"effect": "collateral.release", "code": "x"}])
    agreed = waiting(eased)
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    went = execute(agreed, asked.memory, quiet(2, 1, standing=GIVEN), inputs())
    assert [(effect.rule, effect.effect, effect.after) for effect in went.effects] == [
        ("r1", "consent.met", None), ("r1", "terms.change", 0), ("eased", "proposal.open", 1),
    ]  # fmt: skip


def test_what_waits_ends_with_the_contract() -> None:
    from tests.ledger.contract.test_memory import step

    agreed = waiting()
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    ended = after_step(
        asked.memory, agreed.document, step("terminated", "deployment", agreed.document, reason="x"), DAY.toordinal()
    )
    assert ended.waits == ()
    expired = event(9, day=date(2028, 1, 1), standing=GIVEN)
    assert execute(agreed, asked.memory, expired, inputs()).effects == ()


def test_what_waits_is_not_changed_by_going_on() -> None:
    agreed = waiting(do=[ASK, {"effect": "discount.apply", "amount": 5, "code": "x"}])
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    before = encode_memory(asked.memory)
    first, second = (execute(agreed, asked.memory, quiet(2, 1, standing=GIVEN), inputs()) for _ in range(2))
    assert encode_memory(asked.memory) == before
    assert [encode_body(one) for one in first.effects] == [encode_body(one) for one in second.effects]
    assert first.effects[1].effect == "proposal.open"


def test_only_a_wait_that_is_over_makes_a_contract_listen() -> None:
    agreed = waiting()
    memory: Memory = execute(agreed, IN_FORCE, missed(), inputs()).memory
    assert [listens(agreed, memory, one) for one in (quiet(2, 5), quiet(2, 6), quiet(2, 5, standing=GIVEN))] == [
        False, True, True,
    ]  # fmt: skip
    assert not listens(agreed, IN_FORCE, quiet(2, 6, standing=GIVEN))


def faults(*rules: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault.code, fault.path) for fault in examine(document(*rules, authority=GRANTS)).faults]


def test_the_check_knows_where_otherwise_belongs() -> None:
    assert faults(rule(**asking())) == []
    assert faults(rule(otherwise=[ALERT])) == [("otherwise_misplaced", "$.rules[0].otherwise")]
    assert faults(rule(**asking(otherwise=[ALERT, ASK]))) == [("otherwise_misplaced", "$.rules[0].otherwise[1]")]
    assert faults(rule(**asking(otherwise=[ALERT | {"code": "not a code"}]))) == [
        ("argument_invalid", "$.rules[0].otherwise[0].code")
    ]
    assert faults(rule(**asking(otherwise=[{**PENALTY, "amount": "loan.nothing"}]))) == [
        ("name_unknown", "$.rules[0].otherwise[0].amount")
    ]


def test_the_check_counts_what_may_go_on_at_once_and_says_who_waits() -> None:
    three = [rule(**asking(id=f"r{n}", do=[ASK, EASE], otherwise=[ALERT] * 4)) for n in range(3)]
    found = document(*three, authority=GRANTS)
    assert effects_per_cause(found) == 3 * 5 + 3 * 2
    assert examine(found).notes[0] == (
        "rule r0: waits until the borrower consents to 103; after 5 days it does otherwise"
    )
    many = [rule(**asking(id=f"r{n}", do=[ASK, *[EASE] * 7])) for n in range(20)]
    assert faults(*many)[0][0] == "contract_explodes"


def test_samples_grant_and_revoke_a_consent() -> None:
    told = [("consent.granted", {"code": "103"}), ("consent.revoked", {"code": "103"}),
            ("repayment.missed", {}), ("consent.granted", {"code": "103"})]  # fmt: skip
    samples = read_samples([
        {"day": DAY + timedelta(number), "on": on, "event": values} for number, (on, values) in enumerate(told)
    ])  # fmt: skip
    assert [step.does for step in simulate(waiting(), samples)] == [
        (), (), ("consent.require code=103 days=5 until=2026-03-08",),
        ("consent.met code=103", "terms.change by=-5 code=help what=rate_ppm"),
    ]  # fmt: skip


def test_an_ordinary_life_shows_that_a_rule_waits() -> None:
    agreed = waiting()
    does = [line for step in simulate(agreed, ordinary_life(agreed.document)) for line in step.does]
    assert [line.partition(" ")[0] for line in does] == ["consent.require", "consent.lapsed", "alert.raise"]


def test_a_wait_over_an_empty_loan_needs_no_inputs() -> None:
    agreed = waiting()
    asked = execute(agreed, IN_FORCE, missed(), inputs())
    done = execute(agreed, asked.memory, Event(cause(2), DAY.toordinal(), standing=GIVEN), Inputs(LoanInputs()))
    assert did(done)[0] == "consent.met code=103"
    assert msgspec.structs.asdict(done.memory)["waits"] == ()
