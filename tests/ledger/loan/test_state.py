"""What each kind does to a loan, and what the fold refuses."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import msgspec
import pytest

from ledger.attestation import credit_kinds as credit
from ledger.attestation import sharing_kinds as sharing
from ledger.attestation.fields import Body
from ledger.attestation.registry import SPECS
from ledger.errors import Refused
from ledger.loan.fold import FOLDED_KINDS, fold
from ledger.loan.state import LoanState, NeedsReplay, decode_state, encode_state, owed
from tests.support.random_loans import random_life
from tests.verifier.small_ledger import SUBJECT, SmallLedger, agreement

ACCOUNT = b"\x0c" * 32
KES: dict[str, Any] = {"currency": "KES"}


def told(*events: tuple[Body, str], state: LoanState | None = None, **fields: Any) -> LoanState:
    """The loan after these bodies on these days, in order: nothing here needs a replay."""
    ledger = SmallLedger()
    for body, on in events:
        attestation = ledger.attest("acacia", body, on, ACCOUNT, **fields)
        state = fold(state, attestation.envelope, attestation.body)
    assert state is not None
    return state


def paid(amount: int) -> credit.Repayment:
    return credit.Repayment(amount=amount, channel="cash", **KES)


def running(amount: int = 1_000) -> LoanState:
    return told((agreement(), "2018-01-01"), (credit.Disbursement(amount=amount, tranche=1, **KES), "2018-01-02"))


def test_every_kind_about_an_account_has_a_place_in_the_fold() -> None:
    assert {kind for kind, spec in SPECS.items() if spec.about == "account"} == FOLDED_KINDS


def test_an_agreement_sets_the_terms_and_keeps_the_product_that_was_asked_for() -> None:
    state = told(
        (credit.Application(amount=5, channel="agent", product="asked", **KES), "2018-01-01"),
        (agreement(product=None, limit=9, collateral=True), "2018-01-02"),
    )
    assert (state.stage, state.product, state.opened) == ("approved", "asked", date(2018, 1, 2))
    assert (state.principal, state.limit, state.rate_ppm, state.grace_days) == (60_000, 9, 120_000, 3)
    assert (state.collateral, state.frequency, state.subject, state.events) == (True, "monthly", SUBJECT, 2)


@pytest.mark.parametrize(("outcome", "stage"), [
    ("approved", "approved"), ("countered", "applied"), ("declined", "declined"), ("withdrawn", "withdrawn"),
])  # fmt: skip
def test_a_decision_moves_an_application(outcome: Any, stage: str) -> None:
    decision = credit.Decision(amount=1, automated=True, currency="KES", outcome=outcome)
    asked = credit.Application(amount=5, channel="agent", product="p", **KES)
    assert told((asked, "2018-01-01"), (decision, "2018-01-02")).stage == stage


def test_money_out_charges_waivers_and_payments_move_the_balance_and_what_changes_the_past_needs_a_replay() -> None:
    state = told(
        (credit.Charge(amount=30, component="fee", due=date(2018, 2, 1), reason="late", **KES), "2018-02-01"),
        (credit.Waiver(amount=10, component="fee", reason="goodwill", **KES), "2018-02-02"),
        (paid(200), "2018-02-03"),
        (paid(100), "2018-02-04"),
        state=running(),
    )
    assert (state.balance, state.charges, state.paid, state.last_paid) == (720, 20, 300, date(2018, 2, 4))
    assert (state.loose, state.credit, state.schedule, state.met_rows) == (720, 0, (), 1)
    with pytest.raises(NeedsReplay):
        told((credit.Reversal(amount=200, cause="bounced", **KES), "2018-02-04"), state=state, refs=(SUBJECT_ID,))
    with pytest.raises(NeedsReplay):
        told((paid(1), "2018-02-03"), state=state)


SUBJECT_ID = SmallLedger().attest("acacia", agreement(), "2018-01-01", ACCOUNT).envelope.id


def test_a_payment_that_clears_the_loan_closes_it_and_one_that_exceeds_it_overpays() -> None:
    clear = told((paid(1_000), "2018-03-01"), state=running())
    assert (clear.stage, clear.closed, clear.balance) == ("paid", date(2018, 3, 1), 0)
    over = told((paid(1_001), "2018-03-01"), state=running())
    assert (over.stage, over.balance) == ("overpaid", -1)


def test_a_late_charge_opens_a_paid_loan_again_and_an_overpayment_meets_it() -> None:
    clear, over = told((paid(1_000), "2018-03-01"), state=running()), told((paid(1_007), "2018-03-01"), state=running())
    charge = credit.Charge(amount=5, component="fee", due=date(2018, 4, 1), reason="late", **KES)
    charged = told((charge, "2018-03-05"), state=clear)
    assert (charged.stage, charged.closed, charged.balance, len(charged.schedule)) == ("active", None, 5, 1)
    still = told((charge, "2018-03-05"), state=over)
    assert (still.stage, still.balance, still.credit, still.schedule) == ("overpaid", -2, 2, ())


def test_a_waiver_of_a_late_charge_closes_a_loan_again() -> None:
    charge = credit.Charge(amount=5, component="fee", due=date(2018, 4, 1), reason="late", **KES)
    waiver = credit.Waiver(amount=5, component="fee", reason="goodwill", **KES)
    state = told((paid(1_000), "2018-03-01"), (charge, "2018-03-05"), (waiver, "2018-03-06"), state=running())
    assert (state.stage, state.closed, state.balance) == ("paid", date(2018, 3, 6), 0)


def test_a_revolving_line_is_not_over_when_nothing_is_drawn() -> None:
    line = told(
        (agreement(portfolio_type="revolving"), "2018-01-01"),
        (credit.Disbursement(amount=100, tranche=1, **KES), "2018-01-02"), (paid(100), "2018-02-01"),
    )  # fmt: skip
    assert (line.stage, line.balance) == ("active", 0)
    assert told((credit.Closure(cause="paid"), "2018-03-01"), state=line).stage == "paid"


def test_a_plan_says_what_is_owed_and_payments_meet_its_rows_as_they_fall_due() -> None:
    rows = (
        credit.ScheduleRow(due=date(2018, 2, 1), n=1, principal=500, interest=20, fee=1),
        credit.ScheduleRow(due=date(2018, 3, 1), n=2, principal=500),
    )
    state = told((credit.Schedule(cause="initial", rows=rows, version=1, **KES), "2018-01-03"), state=running())
    first, second = date(2018, 2, 1).toordinal(), date(2018, 3, 1).toordinal()
    assert state.schedule == ((first, 0, 1, 20, 500), (second, 0, 0, 0, 500))
    assert (owed(state), owed(LoanState())) == (1_021, None)
    part = told((paid(11), "2018-02-01"), state=state)
    assert part.schedule == ((first, 0, 0, 10, 500), (second, 0, 0, 0, 500))
    more = told((paid(520), "2018-02-02"), state=part)
    assert (more.schedule, more.met_rows, more.met_until) == (((second, 0, 0, 0, 490),), 1, first)
    late = credit.Charge(amount=5, component="fee", due=date(2018, 2, 10), reason="late", **KES)
    assert told((late, "2018-02-10"), state=more).schedule == ((second, 0, 5, 0, 490),)
    with pytest.raises(NeedsReplay):
        told((credit.Schedule(cause="rate_change", rows=rows, version=2, **KES), "2018-02-10"), state=more)


def test_declared_interest_that_nothing_made_due_is_income_and_lessens_no_debt() -> None:
    split = credit.Repayment(allocated=credit.Allocation(interest=30, principal=70), amount=100, channel="cash", **KES)
    state = told((split, "2018-02-01"), state=running())
    assert (state.balance, state.loose, state.paid, state.credit) == (930, 930, 100, 0)


def snapshot(**facts: Any) -> credit.StatusSnapshot:
    return credit.StatusSnapshot(**facts)


def test_the_books_move_an_agreed_loan_to_active_and_count_days_back_from_their_day() -> None:
    late = snapshot(balance=900, currency="KES", dpd=31, past_due=40, scheduled=20, status="past_due")
    state = told((agreement(), "2018-01-01"), (late, "2018-03-10"))
    assert (state.stage, state.status, state.as_of) == ("active", "past_due", date(2018, 3, 10))
    assert (state.since, state.balance, state.past_due, state.scheduled) == (date(2018, 2, 7), 900, 40, 20)
    assert (state.grid_newest, state.grid) == (2018 * 12 + 2, "1")


def test_a_snapshot_without_status_only_fills_the_history_whatever_its_day() -> None:
    newest = snapshot(balance=900, dpd=0, status="current")
    state = told(
        (agreement(), "2018-01-01"), (newest, "2018-03-10"), (snapshot(history_code="Z"), "2018-01-10"),
        (snapshot(history_code="2"), "2018-02-10"), (snapshot(), "2018-04-10"),
    )  # fmt: skip
    with pytest.raises(NeedsReplay):
        told((snapshot(balance=1, dpd=61, status="past_due"), "2018-02-10"), state=state)
    assert (state.balance, state.status, state.as_of, state.since) == (900, "current", date(2018, 3, 10), None)
    assert (state.grid_newest, state.grid) == (2018 * 12 + 3, "D02Z")


def test_a_payment_of_all_that_the_books_call_past_due_ends_the_count() -> None:
    late = snapshot(balance=900, dpd=31, past_due=40, status="past_due")
    state = told((agreement(), "2018-01-01"), (late, "2018-03-10"), (paid(39), "2018-03-11"))
    assert (state.past_due, state.since) == (1, date(2018, 2, 7))
    assert told((paid(1), "2018-03-12"), state=state).since is None


def test_a_delinquency_states_since_when_and_how_much() -> None:
    overdue = credit.Overdue(fee=1, interest=2, penalty=3, principal=4)
    moved = credit.Delinquency(currency="KES", dpd_from=0, dpd_to=5, since=date(2018, 3, 1), overdue=overdue)
    state = told((moved, "2018-03-06"), state=running())
    assert (state.since, state.past_due) == (date(2018, 3, 1), 10)
    ended = credit.Delinquency(currency="KES", dpd_from=5, dpd_to=0, since=date(2018, 3, 1), overdue=credit.Overdue())
    assert told((ended, "2018-03-09"), state=state).since is None


def test_a_resume_ends_the_pauses_that_run_and_drops_those_to_come() -> None:
    def pause(start: date, until: date) -> credit.Pause:
        return credit.Pause(cause="flood", start=start, until=until)

    state = told(
        (pause(date(2018, 2, 1), date(2018, 3, 1)), "2018-02-01"),
        (pause(date(2018, 5, 1), date(2018, 6, 1)), "2018-02-01"),
        (credit.Resume(cause="over"), "2018-02-10"), state=running(),
    )  # fmt: skip
    assert state.pauses == ((date(2018, 2, 1).toordinal(), date(2018, 2, 10).toordinal()),)


def test_a_statement_settles_what_was_due_by_its_day_and_the_plan_counts_on() -> None:
    rows = tuple(credit.ScheduleRow(due=date(2018, month, 1), n=month - 1, principal=100) for month in (2, 3, 4))
    planned = told((credit.Schedule(cause="initial", rows=rows, version=1, **KES), "2018-01-03"), state=running())
    current = told((snapshot(balance=150, dpd=0, status="current"), "2018-03-10"), state=planned)
    assert (current.balance, current.past_due, current.since) == (150, 0, None)
    assert current.schedule == ((date(2018, 4, 1).toordinal(), 0, 0, 0, 100),)
    late = told((snapshot(dpd=9, past_due=30, status="past_due"), "2018-03-10"), state=planned)
    assert (late.since, late.past_due, late.balance) == (date(2018, 3, 1), 30, 1_000)
    after = told((paid(50), "2018-03-11"), state=late)
    assert (after.since, after.past_due) == (None, 0)
    assert after.schedule == ((date(2018, 4, 1).toordinal(), 0, 0, 0, 80),)


def test_default_cure_dispute_and_charge_off_stand_beside_the_stage() -> None:
    charge_off = credit.ChargeOff(amount=1, first_delinquency=date(2017, 1, 1), original_amount=2, **KES)
    state = told(
        (credit.Default(trigger="days_past_due"), "2018-04-01"),
        (credit.Default(trigger="cross_default"), "2018-05-01"),
        (sharing.Dispute(claim="not_mine", state="opened"), "2018-05-04"), (charge_off, "2018-06-01"),
        (charge_off, "2018-07-01"), state=running(),
    )  # fmt: skip
    assert (state.stage, state.defaulted) == ("active", date(2018, 4, 1))
    assert (state.disputed, state.charged_off, state.first_delinquency) == (True, date(2018, 6, 1), date(2017, 1, 1))
    after = told(
        (credit.Cure(probation_end=date(2018, 8, 1)), "2018-08-01"),
        (sharing.Dispute(claim="not_mine", state="verified"), "2018-08-02"), state=state,
    )  # fmt: skip
    assert (after.defaulted, after.probation_end, after.disputed) == (date(2018, 4, 1), date(2018, 8, 1), False)
    again = told((credit.Default(trigger="cross_default"), "2018-09-01"), state=after)
    assert (again.defaulted, again.probation_end) == (date(2018, 9, 1), None)


@pytest.mark.parametrize(("cause", "stage"), [
    ("paid", "paid"), ("settled_short", "settled_short"), ("refinanced", "refinanced"), ("written_off", "written_off"),
    ("fraud", "fraud"), ("transferred", "sold"),
])  # fmt: skip
def test_a_closure_ends_the_loan_by_its_cause(cause: Any, stage: str) -> None:
    state = told((credit.Closure(cause=cause), "2018-09-01"), state=running())
    assert (state.stage, state.closed) == (stage, date(2018, 9, 1))


def test_a_transfer_closes_it_with_the_seller_and_a_recovery_follows_a_write_off() -> None:
    sold = told((credit.Transfer(balance=1, buyer="b", seller="s", **KES), "2018-09-01"), state=running())
    assert (sold.stage, sold.closed) == ("sold", date(2018, 9, 1))
    gone = told((credit.Closure(cause="written_off"), "2018-09-01"), state=running())
    back = told((credit.Recovery(cost=0, gross=5, source="cash", **KES), "2018-10-01"), state=gone)
    assert back.stage == "recovered"


@pytest.mark.parametrize("body", [
    credit.Collateral(currency="KES", kind="cow", lien_rank=1, value=1, valued_on=date(2018, 1, 1)),
    credit.Guarantee(guarantor=bytes(32), type="person"),
    sharing.Extension(fields={"a": "b"}, namespace="metro2", version=1),
])  # fmt: skip
def test_what_only_adds_evidence_changes_nothing_but_the_count(body: Body) -> None:
    before = running()
    after = told((body, "2018-02-01"), state=before)
    moved = date(2018, 2, 1).toordinal()
    assert encode_state(after) == encode_state(msgspec.structs.replace(before, events=3, moved=moved))


@pytest.mark.parametrize("body", [
    sharing.Deletion(cause="error"), credit.Restructure(forborne=True, loss_bp=0, type="extend"),
    sharing.Correction(cause="error", changes=(sharing.ChangedField(name="a", new_hash=bytes(32), old_hash=bytes(32)),)),
])  # fmt: skip
def test_what_supersedes_or_restructures_needs_a_replay(body: Body) -> None:
    with pytest.raises(NeedsReplay):
        told((body, "2018-02-01"), state=running(), refs=(SUBJECT_ID,))
    with pytest.raises(Refused):
        told((body, "2018-02-01"), refs=(SUBJECT_ID,))


def test_another_borrower_or_another_currency_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        told((paid(1), "2018-02-01"), state=running(), subject=b"\x09" * 32)
    assert caught.value.code == "subject_differs"
    told((paid(1), "2018-02-01"), state=running(), subject=b"\x09" * 32, role="guarantor")
    with pytest.raises(Refused) as caught:
        told((credit.Repayment(amount=1, channel="cash", currency="UGX"), "2018-02-01"), state=running())
    assert (caught.value.code, caught.value.expected, caught.value.found) == ("currency_differs", "KES", "UGX")


def test_the_projection_row_gives_back_the_same_state_for_random_lives() -> None:
    random = Random(7)
    for _ in range(60):
        _, state = random_life(random, 25)
        if state is not None:
            assert decode_state(encode_state(state)) == state
