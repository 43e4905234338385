"""From attestations to triggers: each kind tells exactly what its trigger says, and only what it may."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from ledger.attestation import contract_kinds as contracting
from ledger.attestation import credit_kinds as credit
from ledger.attestation.envelope import Attestation, compose
from ledger.attestation.fields import Body
from ledger.contract.inputs import LoanInputs, loan_inputs, oldest_unmet_number
from ledger.contract.occurrences import (
    TRIGGERING_KINDS,
    Occurrence,
    business_day,
    missed_instalment,
    occurrences,
    tick_occurrences,
)
from ledger.contract.routing import event_of, hears, hears_ticks
from ledger.contract.vocabulary import EVENT_INPUTS, STANDING_INPUTS, TRIGGERS
from ledger.loan.calendars import HASHES
from ledger.loan.fold import fold
from ledger.loan.state import LoanState
from tests.support.contract_logs import uuid7
from tests.support.contracts import cause, contract, rule
from tests.support.every_kind import BODIES, HASH

DAY = date(2026, 3, 1)
KES = {"currency": "KES"}
MINE = contract().document.account
BORROWER = contract().document.parties.borrower
KINDS = {"INT": int, "BOOL": bool, "STRING": str}


def said(kind: str, body: Body, day: date = DAY, tenant: str = "acacia", **members: Any) -> Attestation:
    """An attestation about the loan of the contracts of tests."""
    whole = {"account": MINE, "role": "borrower", "subject": BORROWER} | members
    fields = {name: value for name, value in whole.items() if value is not None}
    return compose({"effective_date": day, "id": uuid7(1), "jurisdiction": "KE", "kind": kind, "legal_basis": "contract",
                    "reported_at": 1, "salt": bytes(16), "tenant": tenant, **fields}, body)  # fmt: skip


def loan(*payments: tuple[int, date]) -> LoanState:
    """Three instalments of 1,000 on the first of February, March and April, and these payments."""
    rows = tuple(credit.ScheduleRow(due=date(2026, n + 1, 1), n=n, principal=1_000) for n in (1, 2, 3))
    state = None
    for kind, body, day in (
        ("agreement", credit.Agreement(portfolio_type="instalment", principal=3_000, rate_ppm=145_000, grace_days=2,
                                       collateral=True, **KES), date(2026, 1, 1)),
        ("disbursement", credit.Disbursement(amount=3_000, tranche=1, **KES), date(2026, 1, 1)),
        ("schedule", credit.Schedule(cause="initial", rows=rows, version=1, **KES), date(2026, 1, 1)),
        *(("repayment", credit.Repayment(amount=amount, channel="cash", **KES), day) for amount, day in payments),
    ):  # fmt: skip
        attestation = said(kind, body, day)
        state = fold(state, attestation.envelope, attestation.body)
    assert state is not None
    return state


def test_the_loan_as_a_rule_sees_it() -> None:
    seen = loan_inputs(loan((400, date(2026, 1, 20))), date(2026, 2, 11))
    assert seen == LoanInputs(
        age_days=41, balance=2_600, balance_known=True, collateral=True, days_since_paid=22, days_to_due=18,
        delinquent_days=8, disbursed=3_000, dpd=10, grace_days=2, instalment=1, instalments=3, overdue=600, paid=400,
        principal=3_000, rate_ppm=145_000, stage="active",
    )  # fmt: skip


def test_a_loan_of_which_nothing_is_known() -> None:
    assert loan_inputs(LoanState(), DAY) == LoanInputs(stage="new")
    assert LoanInputs().days_to_due == -1


def test_a_pause_and_a_loan_that_is_paid() -> None:
    paused = msgspec.structs.replace(loan(), pauses=((DAY.toordinal(), DAY.toordinal() + 5),))
    assert [loan_inputs(paused, DAY + timedelta(days)).paused for days in (-1, 0, 4, 5)] == [False, True, True, False]
    paid = loan_inputs(loan((3_000, date(2026, 1, 20))), DAY)
    assert (paid.stage, paid.balance, paid.instalment, paid.instalments, paid.dpd) == ("paid", 0, 0, 3, 0)


def test_the_oldest_unmet_instalment_has_its_number() -> None:
    assert oldest_unmet_number(loan()) == 1
    assert oldest_unmet_number(loan((1_500, date(2026, 1, 20)))) == 2
    assert oldest_unmet_number(loan((3_000, date(2026, 1, 20)))) == 0
    assert oldest_unmet_number(LoanState()) == 0


def repaid(amount: int, day: date, *before: tuple[int, date]) -> tuple[Occurrence, ...]:
    old, new = loan(*before), loan(*before, (amount, day))
    return occurrences(
        "repayment", credit.Repayment(amount=amount, channel="cash", **KES), before=old, after=new, day=day
    )


def test_a_payment_tells_what_it_completed_and_how_late_it_was() -> None:
    (told,) = repaid(2_000, date(2026, 2, 4))
    assert told == Occurrence("repayment.received", {
        "event.amount": 2_000, "event.cleared": 2, "event.code": "cash", "event.day": date(2026, 2, 4).toordinal(),
        "event.dpd": 3, "event.instalment": 1,
    })  # fmt: skip
    (part,) = repaid(500, date(2026, 1, 15))
    assert (part.values["event.cleared"], part.values["event.dpd"]) == (0, 0)


def test_the_last_payment_is_the_end_of_the_loan_too() -> None:
    received, closed = repaid(2_000, date(2026, 1, 25), (1_000, date(2026, 1, 20)))
    assert (received.values["event.cleared"], received.values["event.instalment"]) == (2, 2)
    assert closed == Occurrence("loan.closed", {"event.code": "paid", "event.day": date(2026, 1, 25).toordinal()})


def test_a_payment_on_a_loan_that_nobody_knows_is_no_event() -> None:
    assert occurrences("repayment", BODIES["repayment"], before=None, after=None, day=DAY) == ()


def test_an_instalment_is_missed_on_the_day_after_its_due_date() -> None:
    for day, missed in ((date(2026, 2, 1), None), (date(2026, 2, 2), (1, 600)), (date(2026, 2, 3), None)):
        assert missed_instalment(loan((400, date(2026, 1, 20))), day) == missed
    assert missed_instalment(loan((1_000, date(2026, 1, 20))), date(2026, 2, 2)) is None
    assert missed_instalment(loan((1_000, date(2026, 1, 20))), date(2026, 3, 2)) == (2, 1_000)


def test_a_tick_is_a_day_a_missed_instalment_and_every_disaster() -> None:
    fact = contracting.Declaration(days=30, document=HASH, region="KE-47")
    told = tick_occurrences(contracting.Tick(calendars={}, day=date(2026, 2, 2), declared=(fact, fact)), loan())
    assert [one.trigger for one in told] == ["tick.day", "repayment.missed", "disaster.declared", "disaster.declared"]
    assert told[1].values == {"event.amount": 1_000, "event.day": date(2026, 2, 2).toordinal(), "event.instalment": 1}
    assert told[2].values["event.days"] == 30


def tick(day: date, **calendars: str) -> contracting.Tick:
    hashes = {name.replace("_", "/"): bytes.fromhex(value) for name, value in calendars.items()}
    return contracting.Tick(calendars=hashes, day=day)


def test_a_business_day_is_by_the_pinned_list_in_its_year_and_by_the_ticks_in_another() -> None:
    pinned = f"CN/2025#{HASHES['CN/2025']}"
    assert business_day(pinned, tick(date(2025, 10, 1))) is False
    assert business_day(pinned, tick(date(2025, 9, 30))) is True
    assert business_day(pinned, tick(date(2026, 2, 14))) is None
    assert business_day(pinned, tick(date(2026, 2, 14), CN_2026=HASHES["CN/2026"])) is True
    assert business_day(pinned, tick(date(2026, 2, 15), CN_2026="00" * 32)) is None
    assert business_day(pinned, tick(date(2026, 2, 15), KE_2026=HASHES["KE/2026"])) is None
    assert business_day(None, tick(date(2025, 10, 1))) is None
    assert "event.business_day" not in tick_occurrences(tick(DAY), None)[0].values


@pytest.mark.parametrize("kind", sorted(TRIGGERING_KINDS))
def test_each_kind_tells_exactly_what_its_trigger_says(kind: str) -> None:
    told = occurrences(kind, BODIES[kind], before=loan(), after=loan(), day=DAY)
    assert len(told) == 1
    trigger = TRIGGERS[told[0].trigger]
    assert told[0].values.keys() == {"event.day", *(f"event.{name}" for name in trigger.inputs)}
    assert all(type(value) is KINDS[EVENT_INPUTS[name].type] for name, value in told[0].values.items())


def test_steps_of_a_consent_and_of_a_dispute_that_are_no_events() -> None:
    for kind, members in (("consent", {"step": "paused"}), ("dispute", {"state": "verified"})):
        body = msgspec.structs.replace(BODIES[kind], **members)
        assert occurrences(kind, body, before=None, after=None, day=DAY) == ()
    assert occurrences("agreement", BODIES["agreement"], before=None, after=None, day=DAY) == ()


def test_inputs_have_the_types_of_the_vocabulary() -> None:
    seen = loan_inputs(loan(), DAY)
    for name in seen.__struct_fields__:
        assert type(getattr(seen, name)) is KINDS[STANDING_INPUTS[f"loan.{name}"].type]


HEARING = contract(rule(on=["repayment.received", "alert.raised"], do=[{
    "effect": "proposal.open", "offer": "restructure", "to": "borrower", "code": "x", "days": 1, "what": "term_days",
    "by": 30,
}]), authority={"proposal.open": ["lender"]})  # fmt: skip
ALERT = BODIES["alert"]
SUBJECT: dict[str, Any] = {"account": None, "role": None}


def heard(kind: str, body: Body, **members: Any) -> bool:
    return hears(HEARING, said(kind, body, **members), "tally")


def test_a_contract_hears_its_own_loan_and_no_other() -> None:
    assert heard("repayment", BODIES["repayment"])
    assert not heard("repayment", BODIES["repayment"], tenant="baobab")
    assert not heard("repayment", BODIES["repayment"], account=HASH)
    assert not heard("schedule", BODIES["schedule"])


def test_a_contract_hears_of_its_borrower_what_its_lender_and_the_ledger_say() -> None:
    for tenant, told in (("acacia", True), ("tally", True), ("baobab", False)):
        assert heard("enquiry", BODIES["enquiry"], tenant=tenant, **SUBJECT) is told
    assert not heard("enquiry", BODIES["enquiry"], subject=HASH, account=None, role=None)


def test_a_contract_hears_a_warning_that_is_addressed_to_its_lender() -> None:
    for audience, told in (("acacia", True), ("baobab", False)):
        body = msgspec.structs.replace(ALERT, audience=audience)
        assert heard("alert", body, tenant="tally", **SUBJECT) is told


def test_a_contract_hears_the_answers_to_its_proposals_and_not_its_other_steps() -> None:
    for step, digest, told in (("accepted", HEARING.hash, True), ("accepted", bytes(32), False),
                               ("signed", HEARING.hash, False)):  # fmt: skip
        effect = HASH if step == "accepted" else None
        body = contracting.Contract(account=MINE, contract=digest, effect=effect, lender="acacia", party="borrower",
                                    step=step)  # type: ignore[arg-type]  # fmt: skip
        assert heard("contract", body, tenant="tally", **SUBJECT) is told


def test_a_contract_hears_ticks_only_where_it_waits_for_a_day() -> None:
    assert not hears_ticks(HEARING)
    assert hears_ticks(contract())
    assert hears_ticks(contract(rule(on=["loan.closed"], **{"if": "contract.on_time > 3"})))
    body = contracting.Tick(calendars={}, day=DAY)
    attestation = said("tick", body, tenant="tally", account=None, role=None, subject=None)
    assert (hears(HEARING, attestation, "tally"), hears(contract(), attestation, "tally")) == (False, True)


def test_an_event_has_its_day_and_the_logs() -> None:
    ordinal = DAY.toordinal()
    payment = said("repayment", BODIES["repayment"])
    told = event_of(HEARING, payment, cause(3), before=loan(), after=loan(), today=ordinal + 9)
    assert (told.day, told.today, told.cause.index, told.happened[0].trigger) == (
        ordinal, ordinal + 9, 3, "repayment.received",
    )  # fmt: skip
    body = contracting.Tick(calendars={"KE/2026": HASH}, day=DAY)
    attestation = said("tick", body, tenant="tally", account=None, role=None, subject=None)
    told = event_of(HEARING, attestation, cause(3), before=None, after=loan(), today=ordinal - 1)
    assert (told.day, told.today, told.calendars) == (ordinal, ordinal, {"KE/2026": HASH})
    step = contracting.Contract(account=MINE, contract=HEARING.hash, effect=HASH, lender="acacia", party="borrower",
                                step="declined")  # fmt: skip
    told = event_of(
        HEARING, said("contract", step, tenant="tally", **SUBJECT), cause(3), before=None, after=None, today=5
    )
    assert told.answer is not None
    assert (told.answer.effect, told.answer.party, told.answer.accepts) == (HASH, "borrower", False)
