"""Execution: exactly once, all or nothing, bounded by time and authority, and always ending."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from ledger.attestation.envelope import encode_body
from ledger.contract.bounds import PROPOSALS_MAX
from ledger.contract.engine import Answer, Execution, bind, effect_id, execute
from ledger.contract.memory import FRESH, Memory, decode_memory, encode_memory, waiting_proposals
from ledger.contract.occurrences import occurrence
from ledger.contract.program import CompiledContract
from ledger.contract.simulate import line_of
from tests.support.contracts import (
    ALERT,
    BOTH,
    DAY,
    IN_FORCE,
    PENALTY,
    cause,
    contract,
    event,
    inputs,
    remembering,
    rule,
    tick,
)

ALERTED = "alert.raise code=DPD severity=3"
MONEY = {"alert.raise": ["lender"], "penalty.apply": BOTH, "proposal.open": ["lender"]}
OFFER = {"effect": "proposal.open", "offer": "restructure", "to": "borrower", "code": "help", "days": 21, "by": -9_000,
         "what": "rate_ppm"}  # fmt: skip


def did(done: Execution) -> list[str]:
    return [line_of(effect) for effect in done.effects]


def penalising(amount: Any, *more: dict[str, Any], **members: Any) -> CompiledContract:
    """A contract with one rule that applies a penalty on every tick."""
    return contract(rule(do=[{**PENALTY, "amount": amount}]), *more, authority=MONEY, **members)


def test_the_record_of_an_effect_is_these_bytes() -> None:
    agreed = contract(rule(**{"if": "loan.dpd >= contract.days"}, once="per-instalment"), terms={"days": 7})
    done = execute(agreed, IN_FORCE, event(5), inputs(dpd=8, instalment=3))
    commitment = sha256(b"5/0").digest()
    seen = sha256(b'{"contract.days":7,"loan.dpd":8}').digest()
    (effect,) = done.effects
    assert effect.id == sha256(agreed.hash + b"r1" + commitment + bytes(8)).digest()
    assert effect.inputs == seen
    assert msgspec.json.decode(encode_body(effect)) == {
        "account": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "arguments": {"code": "DPD", "severity": 3},
        "cause": {"batch": "01890a5d-ac96-774b-bcce-b302099a8057", "commitment": _base64(commitment), "index": 5,
                  "position": 0},
        "contract": _base64(agreed.hash), "effect": "alert.raise", "engine": "cel-expr-python/0.1.3",
        "id": _base64(effect.id), "inputs": _base64(seen), "lender": "acacia", "n": 0, "rule": "r1", "scope": 3,
    }  # fmt: skip


def _base64(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()


def test_the_same_arguments_give_the_same_bytes() -> None:
    agreed, again = contract(), contract()
    first, second = (execute(one, IN_FORCE, event(1), inputs()) for one in (agreed, again))
    assert [encode_body(one) for one in first.effects] == [encode_body(one) for one in second.effects]
    assert encode_memory(first.memory) == encode_memory(second.memory)
    assert decode_memory(encode_memory(first.memory)) == first.memory


def test_an_event_shown_again_or_an_earlier_one_gives_nothing() -> None:
    done = execute(contract(), IN_FORCE, event(7), inputs())
    assert did(done) == [ALERTED]
    for index in (7, 6, 0):
        again = execute(contract(), done.memory, event(index), inputs())
        assert (again.effects, again.memory) == ((), done.memory)
    assert did(execute(contract(), done.memory, event(8), inputs())) == [ALERTED]


def test_two_events_of_one_batch_are_two() -> None:
    first = execute(contract(), IN_FORCE, event(7), inputs())
    second = msgspec.structs.replace(cause(7, 1))
    from ledger.contract.engine import Event

    done = execute(contract(), first.memory, Event(second, DAY.toordinal(), 0, (tick(),)), inputs())
    assert did(done) == [ALERTED]
    assert done.effects[0].id != first.effects[0].id


@pytest.mark.parametrize("memory", [
    FRESH, remembering(state="withdrawn"), remembering(state="terminated"),
], ids=["unsigned", "withdrawn", "terminated"])  # fmt: skip
def test_nothing_fires_outside_of_the_contracts_life(memory: Memory) -> None:
    done = execute(contract(), memory, event(1), inputs())
    assert done.effects == ()
    assert done.memory is memory


def test_the_last_day_counts_and_the_day_it_expires_does_not() -> None:
    assert did(execute(contract(), IN_FORCE, event(1, day=date(2027, 12, 31)), inputs())) == [ALERTED]
    assert did(execute(contract(), IN_FORCE, event(1, day=date(2028, 1, 1)), inputs())) == []


def test_a_deadline_is_the_last_day_of_a_rule() -> None:
    agreed = contract(rule(deadline="2026-03-01"))
    assert did(execute(agreed, IN_FORCE, event(1, day=date(2026, 3, 1)), inputs())) == [ALERTED]
    assert did(execute(agreed, IN_FORCE, event(1, day=date(2026, 3, 2)), inputs())) == []


def test_an_old_value_date_does_not_wake_a_rule_past_its_deadline() -> None:
    agreed = contract(rule(deadline="2026-03-01", on=["tick.day", "repayment.received"]))
    late = occurrence("repayment.received", date(2026, 2, 1), amount=1, cleared=0, code="x", dpd=0, instalment=1)
    for today, fired in ((date(2026, 3, 1), [ALERTED]), (date(2026, 3, 5), [])):
        happened = event(2, late, day=date(2026, 2, 1), today=today.toordinal())
        assert did(execute(agreed, IN_FORCE, happened, inputs())) == fired


def test_an_event_that_does_nothing_leaves_the_very_memory() -> None:
    agreed = contract(rule(**{"if": "loan.dpd > 5"}))
    for happened in (tick(), occurrence("alert.raised", DAY, code="x", severity=1)):
        assert execute(agreed, IN_FORCE, event(7, happened), inputs()).memory is IN_FORCE


@pytest.mark.parametrize(("once", "fired"), [
    ("per-event", [True, True, True, True, True]), ("per-day", [True, False, True, True, False]),
    ("per-instalment", [True, False, False, True, False]), ("per-loan", [True, False, False, False, False]),
])  # fmt: skip
def test_once_is_counted_by_loan_instalment_or_day(once: str, fired: list[bool]) -> None:
    agreed, memory, found = contract(rule(once=once)), IN_FORCE, []
    for index, (days, instalment) in enumerate([(0, 1), (0, 1), (1, 1), (2, 2), (1, 2)]):
        done = execute(agreed, memory, event(index, day=DAY + timedelta(days)), inputs(instalment=instalment))
        memory = done.memory
        found.append(bool(done.effects))
    assert found == fired


def test_the_events_own_instalment_is_the_one_that_counts() -> None:
    agreed = contract(rule(on=["repayment.missed"], once="per-instalment"))
    missed = occurrence("repayment.missed", DAY, amount=1, instalment=4)
    done = execute(agreed, IN_FORCE, event(1, missed), inputs(instalment=2))
    assert done.effects[0].scope == 4


def test_rules_are_tried_in_the_documents_order_and_numbered_in_one_row() -> None:
    agreed = contract(*(rule(id=name, do=[{**ALERT, "code": name}] * 2) for name in ("zebra", "ant", "moth")))
    effects = execute(agreed, IN_FORCE, event(1), inputs()).effects
    assert [(effect.rule, effect.n) for effect in effects] == [
        ("zebra", 0), ("zebra", 1), ("ant", 2), ("ant", 3), ("moth", 4), ("moth", 5),
    ]  # fmt: skip
    assert len({effect.id for effect in effects}) == 6


def test_an_effect_is_a_trigger_in_turn_and_says_after_which() -> None:
    agreed = contract(
        rule(id="offer", on=["alert.raised"], do=[OFFER], **{"if": "event.severity == 3 && event.code == 'DPD'"}),
        rule(id="warn"), authority=MONEY,
    )  # fmt: skip
    effects = execute(agreed, IN_FORCE, event(1), inputs()).effects
    assert [(effect.rule, effect.effect, effect.n, effect.after) for effect in effects] == [
        ("warn", "alert.raise", 0, None), ("offer", "proposal.open", 1, 0),
    ]  # fmt: skip


def test_the_longest_chain_has_four_links_and_ends() -> None:
    """Strata only rise: a warning, a penalty, a change of terms, a release, a proposal."""
    agreed = contract(
        rule(id="a"),
        rule(id="b", on=["alert.raised"], do=[PENALTY]),
        rule(id="c", on=["penalty.applied"], do=[{"effect": "terms.change", "what": "rate_ppm", "by": 1, "code": "x"}]),
        rule(id="d", on=["terms.changed"], do=[{"effect": "collateral.release", "code": "x"}]),
        rule(id="e", on=["collateral.released"], do=[OFFER]),
        authority={**MONEY, "terms.change": BOTH, "collateral.release": ["lender"]},
    )
    effects = execute(agreed, IN_FORCE, event(1), inputs()).effects
    assert [(effect.rule, effect.after) for effect in effects] == [("a", None), ("b", 0), ("c", 1), ("d", 2), ("e", 3)]


def test_a_later_rule_sees_what_an_earlier_one_added_up() -> None:
    agreed = contract(
        *(rule(id=f"r{n}", do=[{**PENALTY, "amount": "math.least(300, 500 - contract.penalties)"}]) for n in range(3)),
        authority=MONEY,
    )
    done = execute(agreed, IN_FORCE, event(1), inputs())
    assert [effect.arguments["amount"] for effect in done.effects] == [300, 200]
    assert done.memory.penalties == 500
    first, second = (effect.inputs for effect in done.effects)
    assert first != second


def test_an_amount_of_nothing_does_nothing_and_leaves_once_unused() -> None:
    agreed = contract(rule(do=[{**PENALTY, "amount": "loan.overdue"}], once="per-loan"), authority=MONEY)
    done = execute(agreed, IN_FORCE, event(1), inputs(overdue=0))
    assert done.effects == ()
    assert did(execute(agreed, done.memory, event(2), inputs(overdue=5))) == ["penalty.apply amount=5 code=late"]


@pytest.mark.parametrize(("condition", "loan", "code"), [
    ("loan.paid / loan.dpd > 1", {}, "division_by_zero"),
    ("loan.paid * 9007199254740991 > 1", {"paid": 2**53 - 1}, "integer_overflow"),
    ("loan.paid > 1", {"paid": 2**64}, "evaluation_error"),
    ("loan.disputed", {"disputed": 1}, "evaluation_error"),
])  # fmt: skip
def test_a_condition_without_a_value_is_recorded_and_never_fires(
    condition: str, loan: dict[str, Any], code: str
) -> None:
    done = execute(contract(rule(**{"if": condition})), IN_FORCE, event(1), inputs(**loan))
    assert did(done) == [f"rule.failed at=if code={code}"]


@pytest.mark.parametrize(("amount", "code"), [
    ("100 - loan.paid", "argument_out_of_range"), ("loan.paid * loan.paid", "argument_out_of_range"),
    ("loan.paid / loan.dpd", "division_by_zero"),
])  # fmt: skip
def test_a_rule_is_all_or_nothing(amount: str, code: str) -> None:
    agreed = contract(rule(do=[ALERT, {**PENALTY, "amount": amount}], once="per-loan"), authority=MONEY)
    done = execute(agreed, IN_FORCE, event(1), inputs(paid=1_000_000_000))
    assert did(done) == [f"rule.failed at=do.1.amount code={code}"]
    assert done.memory.by_loan == ()


def test_a_failure_is_recorded_once_a_day_for_each_rule_and_others_go_on() -> None:
    agreed = contract(rule(id="bad", **{"if": "1 / loan.dpd > 0"}), rule(id="good"))
    first = execute(agreed, IN_FORCE, event(1), inputs())
    assert [effect.rule for effect in first.effects] == ["bad", "good"]
    second = execute(agreed, first.memory, event(2), inputs())
    assert [effect.rule for effect in second.effects] == ["good"]
    third = execute(agreed, second.memory, event(3, day=DAY + timedelta(1)), inputs())
    assert [effect.rule for effect in third.effects] == ["bad", "good"]


def test_money_that_is_not_granted_waits_for_both_signatures() -> None:
    agreed = contract(
        rule(do=[PENALTY], once="per-loan"), rule(id="r2", on=["penalty.applied"], do=[OFFER]),
        authority={"proposal.open": ["lender"]},
    )  # fmt: skip
    opened = execute(agreed, IN_FORCE, event(1), inputs())
    assert did(opened) == [
        "proposal.open amount=100 code=late effect=penalty.apply needs=lender,borrower until=2026-03-31"
    ]
    assert opened.memory.penalties == 0
    proposal = opened.effects[0].id
    lender = execute(agreed, opened.memory, answer(2, proposal, "lender"), inputs())
    assert lender.effects == ()
    twice = execute(agreed, lender.memory, answer(3, proposal, "lender"), inputs())
    assert twice.effects == ()
    both = execute(agreed, twice.memory, answer(4, proposal, "borrower"), inputs())
    assert [(effect.effect, effect.rule) for effect in both.effects] == [
        ("penalty.apply", "r1"),
        ("proposal.open", "r2"),
    ]
    assert both.effects[0].cause.index == 4
    assert both.memory.penalties == 100
    assert execute(agreed, both.memory, answer(5, proposal, "borrower"), inputs()).effects == ()


def answer(index: int, proposal: bytes, party: str, accepts: bool = True, day: date = DAY) -> Any:
    from ledger.contract.engine import Event

    return Event(cause(index), day.toordinal(), answer=Answer(proposal, party, accepts))


def test_a_declined_proposal_is_over_and_so_is_one_past_its_day() -> None:
    agreed = contract(rule(do=[PENALTY], once="per-loan"), authority={})
    opened = execute(agreed, IN_FORCE, event(1), inputs())
    proposal = opened.effects[0].id
    declined = execute(agreed, opened.memory, answer(2, proposal, "borrower", accepts=False), inputs())
    assert declined.memory.proposals == ()
    for day, waiting in ((date(2026, 3, 31), 1), (date(2026, 4, 1), 0)):
        late = execute(agreed, opened.memory, answer(2, proposal, "borrower", day=day), inputs())
        assert len(waiting_proposals(late.memory, day.toordinal())) == waiting
        assert len(late.memory.proposals[0].accepted) == waiting


@pytest.mark.parametrize("party", ["guarantor", "deployment"])
def test_who_is_not_asked_answers_nothing(party: str) -> None:
    agreed = contract(rule(do=[PENALTY]), authority={})
    opened = execute(agreed, IN_FORCE, event(1), inputs())
    done = execute(agreed, opened.memory, answer(2, opened.effects[0].id, party), inputs())
    assert done.memory.proposals == opened.memory.proposals


def test_an_accepted_offer_is_recorded_with_its_terms_by_whom_it_was_made_to_and_once() -> None:
    agreed = contract(rule(do=[OFFER]), authority=MONEY)
    opened = execute(agreed, IN_FORCE, event(1), inputs())
    assert did(opened) == [
        "proposal.open by=-9000 code=help days=21 needs=borrower offer=restructure to=borrower until=2026-03-22 "
        "what=rate_ppm"
    ]
    offer = opened.effects[0].id
    assert execute(agreed, opened.memory, answer(2, offer, "lender"), inputs()).effects == ()
    done = execute(agreed, opened.memory, answer(3, offer, "borrower"), inputs())
    assert did(done) == ["offer.accepted by=-9000 code=help offer=restructure to=borrower what=rate_ppm"]
    assert (done.memory.proposals, done.effects[0].rule, done.effects[0].cause.index) == ((), "r1", 3)
    assert execute(agreed, done.memory, answer(4, offer, "borrower"), inputs()).effects == ()
    declined = execute(agreed, opened.memory, answer(5, offer, "borrower", accepts=False), inputs())
    assert (declined.effects, declined.memory.proposals) == ((), ())
    late = answer(6, offer, "borrower", day=date(2026, 3, 23))
    assert execute(agreed, opened.memory, late, inputs()).effects == ()


def test_rules_react_to_an_accepted_offer_and_to_the_term_that_it_moved() -> None:
    settle = {"effect": "proposal.open", "offer": "settlement", "to": "borrower", "code": "s", "days": 9, "amount": 700}
    agreed = contract(
        rule(do=[OFFER, settle]),
        rule(id="off", on=["offer.accepted"], do=[{"effect": "discount.apply", "code": "s", "amount": "event.amount"}],
             **{"if": "event.offer == 'settlement'"}),
        rule(id="told", on=["terms.changed"], do=[{"effect": "collateral.release", "code": "c"}],
             **{"if": "event.by == -9000"}),
        authority={**MONEY, "discount.apply": ["lender"], "collateral.release": ["lender"]},
    )  # fmt: skip
    opened = execute(agreed, IN_FORCE, event(1), inputs())
    eased, settled = (
        execute(agreed, opened.memory, answer(2, one.id, "borrower"), inputs()).effects for one in opened.effects
    )
    assert [(one.effect, one.after) for one in eased] == [("offer.accepted", None), ("collateral.release", 0)]
    assert [(one.effect, one.after) for one in settled] == [("offer.accepted", None), ("discount.apply", 0)]
    assert settled[1].arguments == {"amount": 700, "code": "s"}


def test_open_proposals_are_bounded() -> None:
    agreed, memory = contract(rule(do=[OFFER] * 8), authority=MONEY), IN_FORCE
    for index in range(PROPOSALS_MAX // 8):
        memory = execute(agreed, memory, event(index), inputs()).memory
    assert len(memory.proposals) == PROPOSALS_MAX
    done = execute(agreed, memory, event(99), inputs())
    assert did(done) == ["rule.failed at=do code=proposals_too_many"]


def test_another_holiday_list_than_the_contracts_stops_its_rules() -> None:
    from ledger.loan.calendars import HASHES

    pinned = f"KE/2026#{HASHES['KE/2026']}"
    agreed = contract(rule(**{"if": "true"}), calendar=pinned)
    right = {"KE/2026": bytes.fromhex(HASHES["KE/2026"])}
    assert did(execute(agreed, IN_FORCE, event(1, calendars=right), inputs())) == [ALERTED]
    assert did(execute(agreed, IN_FORCE, event(1, calendars={"KE/2026": bytes(32)}), inputs())) == [
        "rule.failed at=if code=calendar_differs"
    ]
    assert did(execute(agreed, IN_FORCE, event(1, calendars={"CN/2026": bytes(32)}), inputs())) == [ALERTED]


def test_only_names_that_are_read_are_bound_and_all_of_them() -> None:
    agreed = contract(
        rule(**{"if": "loan.dpd > contract.days && loan.overdue > 0 && contract.penalties == 0 && event.day > 0"}),
        rule(id="r2", **{"if": "contract.age_days > 0 && contract.days_left > 0 && contract.on_time == 0"}),
        terms={"days": 7, "unused": 1},
    )
    values = bind(agreed, IN_FORCE, inputs(dpd=8, overdue=2), tick(), DAY.toordinal())
    assert values == {
        "contract.age_days": 30, "contract.days": 7,
        "contract.days_left": (date(2028, 1, 1) - DAY).days, "contract.on_time": 0, "contract.penalties": 0,
        "event.day": DAY.toordinal(), "loan.dpd": 8, "loan.overdue": 2,
    }  # fmt: skip


def test_instalments_on_time_are_counted_in_a_row() -> None:
    agreed, memory, counts = contract(rule(**{"if": "contract.on_time > 99"})), IN_FORCE, []
    paid = [(1, 0), (2, 0), (0, 0), (1, 3), (1, 0)]
    for index, (cleared, dpd) in enumerate(paid):
        happened = occurrence("repayment.received", DAY, amount=1, cleared=cleared, code="x", dpd=dpd, instalment=1)
        memory = execute(agreed, memory, event(index, happened), inputs()).memory
        counts.append(memory.on_time)
    assert counts == [1, 3, 3, 0, 1]
    missed = occurrence("repayment.missed", DAY, amount=1, instalment=2)
    assert execute(agreed, memory, event(9, missed), inputs()).memory.on_time == 0


def test_instalments_on_time_are_not_counted_for_a_contract_that_does_not_look() -> None:
    happened = occurrence("repayment.received", DAY, amount=1, cleared=1, code="x", dpd=0, instalment=1)
    assert execute(contract(), IN_FORCE, event(1, happened), inputs()).memory is IN_FORCE


def test_the_parts_of_an_effects_id_cannot_be_shifted() -> None:
    one, two = bytes(32), b"\x01" * 32
    ids = {
        effect_id(one, "ab", two, 0),
        effect_id(one, "a", two, 0),
        effect_id(one, "ab", two, 1),
        effect_id(two, "ab", one, 0),
    }
    assert len(ids) == 4
