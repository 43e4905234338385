"""State transition functions: the state after an event, from the state before it.

Source: ACTUS technical specification, state transition functions (STF). The functions of PAM and LAM are one here: the
base that interest is computed on (Ipcb) is a state of every contract, and follows the notional unless the terms say
otherwise.

Rules
- Every event first brings interest and fees up to its time; then it changes what it is about.
- Ipcb: ``NT`` the notional after every change; ``NTIED`` the one at the initial exchange, for good; ``NTL`` the given
  amount until the first IPCB event, then the notional as of the last one.
- A rate reset obeys four bounds: the period's on the change, the life's on the result.
- A call (XD) fixes the interest due. Nothing accrues during the notice; where notice is given, the interest fixed
  waits for settlement apart from accrued interest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from ledger.loan.actus.annuity import annuity_amount
from ledger.loan.actus.payoff import Payoff, accrued
from ledger.loan.actus.state import Contract, Event, State

Transition = Callable[[Contract, State, Event], State]
"""STF: (contract, state before, event) -> state after."""

_NOTHING = Fraction(0)
_FOLLOWS_NOTIONAL = frozenset({"PAM", "CLM", "UMP"})


def accrue(contract: Contract, state: State, event: Event) -> State:
    """STF_AD: interest and fees up to the event, nothing else."""
    return replace(
        state,
        accrued_interest=accrued(contract, state, event),
        fee_accrued=_fee_accrued(contract, state, event),
        status_date=event.calculated,
    )


def initial_exchange(contract: Contract, state: State, event: Event) -> State:
    """STF_IED_LAM: the contract begins; interest accrued before counts when its anchor lies before."""
    terms = contract.terms
    notional = terms.sign * terms.notional_principal
    rate = terms.nominal_interest_rate or _NOTHING
    anchor = terms.cycle_anchor_date_of_interest_payment
    interest = _NOTHING
    if terms.accrued_interest is not None:
        interest = terms.sign * terms.accrued_interest
    elif anchor is not None and anchor < event.calculated:
        interest = contract.year_fraction(anchor, event.calculated) * notional * rate
    return replace(
        state,
        notional_principal=notional,
        nominal_interest_rate=rate,
        accrued_interest=interest,
        interest_calculation_base=initial_base(contract),
        status_date=event.calculated,
    )


def initial_base(contract: Contract) -> Fraction:
    """Ipcb at the initial exchange."""
    terms = contract.terms
    given = terms.interest_calculation_base_amount
    if _base_follows(contract) or given is None:
        given = terms.notional_principal
    return terms.sign * given


def interest_payment(contract: Contract, state: State, event: Event) -> State:
    """STF_IP_PAM: interest is paid."""
    return replace(accrue(contract, state, event), accrued_interest=_NOTHING, exercise_amount=_NOTHING)


def interest_capitalisation(contract: Contract, state: State, event: Event) -> State:
    """STF_IPCI_LAM: interest becomes principal."""
    due = accrue(contract, state, event)
    return _with_notional(
        contract, replace(due, accrued_interest=_NOTHING), due.notional_principal + due.accrued_interest
    )


def redemption(amount: Payoff) -> Transition:
    """STF_PR: the unscaled redemption leaves the notional; interest stays accrued."""

    def follows(contract: Contract, state: State, event: Event) -> State:
        left = state.notional_principal - contract.terms.sign * amount(contract, state, event)
        return _with_notional(contract, accrue(contract, state, event), left)

    return follows


def increase(contract: Contract, state: State, event: Event) -> State:
    """STF_PI_LAX: the notional grows."""
    grown = state.notional_principal + contract.terms.sign * event.amount
    return _with_notional(contract, accrue(contract, state, event), grown)


def observed_payment(contract: Contract, state: State, event: Event) -> State:
    """STF_PP_LAM, STF_PR_UMP: what came back leaves the notional."""
    left = state.notional_principal - contract.terms.sign * event.amount
    return _with_notional(contract, accrue(contract, state, event), left)


def payment_fixing(contract: Contract, state: State, event: Event) -> State:
    """STF_PRF_ANN: the level payment is computed anew."""
    after = accrue(contract, state, event)
    return replace(after, next_principal_redemption_payment=annuity_amount(contract, after))


def fee_payment(contract: Contract, state: State, event: Event) -> State:
    """STF_FP_PAM: fees are paid."""
    return replace(accrue(contract, state, event), fee_accrued=_NOTHING)


def rate_reset(contract: Contract, state: State, event: Event) -> State:
    """STF_RR_PAM: market rate x multiplier + spread, within the period's and the life's bounds."""
    terms, after = contract.terms, accrue(contract, state, event)
    market = contract.observed(terms.market_object_code_of_rate_reset, event.calculated)
    change = market * terms.rate_multiplier + event.amount - state.nominal_interest_rate
    rate = state.nominal_interest_rate + _within(change, terms.period_floor, terms.period_cap)
    return replace(after, nominal_interest_rate=_within(rate, terms.life_floor, terms.life_cap))


def known_rate_reset(contract: Contract, state: State, event: Event) -> State:
    """STF_RRF_PAM: the rate becomes the one fixed in advance."""
    return replace(accrue(contract, state, event), nominal_interest_rate=event.amount)


def scaling(contract: Contract, state: State, event: Event) -> State:
    """STF_SC_PAM: the multipliers that the terms name become index / index at deal date."""
    terms, after = contract.terms, accrue(contract, state, event)
    start = terms.scaling_index_at_contract_deal_date or Fraction(1)
    ratio = contract.observed(terms.market_object_code_of_scaling_index, event.calculated) / start
    return replace(
        after,
        interest_scaling_multiplier=ratio if "I" in terms.scaling_effect else after.interest_scaling_multiplier,
        notional_scaling_multiplier=ratio if "N" in terms.scaling_effect else after.notional_scaling_multiplier,
    )


def base_revision(contract: Contract, state: State, event: Event) -> State:
    """STF_IPCB_LAM: interest is computed on what is outstanding now."""
    return replace(accrue(contract, state, event), interest_calculation_base=state.notional_principal)


def exercise(contract: Contract, state: State, event: Event) -> State:
    """STF_XD_CLM: the interest due is fixed; with notice it waits for settlement apart."""
    after, notice = accrue(contract, state, event), contract.terms.x_day_notice
    if notice is None or notice.after(event.time) == event.time:
        return after
    return replace(after, accrued_interest=_NOTHING, exercise_amount=after.accrued_interest)


def maturity(contract: Contract, state: State, event: Event) -> State:
    """STF_MD_LAM, STF_TD_PAM: nothing is left. The rate stays readable."""
    return replace(
        state,
        notional_principal=_NOTHING,
        accrued_interest=_NOTHING,
        fee_accrued=_NOTHING,
        interest_calculation_base=_NOTHING,
        status_date=event.calculated,
    )


def _base_follows(contract: Contract) -> bool:
    return contract.terms.contract_type in _FOLLOWS_NOTIONAL or contract.terms.interest_calculation_base == "NT"


def _with_notional(contract: Contract, state: State, notional: Fraction) -> State:
    base = notional if _base_follows(contract) else state.interest_calculation_base
    return replace(state, notional_principal=notional, interest_calculation_base=base)


def _fee_accrued(contract: Contract, state: State, event: Event) -> Fraction:
    """Feac: a rate on the notional (basis N), or the part of the current fee period that has passed (basis A)."""
    rate = contract.terms.fee_rate
    if rate is None:
        return _NOTHING
    if contract.terms.fee_basis == "N":
        years = contract.year_fraction(state.status_date, event.calculated)
        return state.fee_accrued + years * state.notional_principal * rate
    place = bisect_right(contract.fee_times, event.calculated)
    if place in (0, len(contract.fee_times)):
        return state.fee_accrued
    start, end = contract.fee_times[place - 1], contract.fee_times[place]
    passed = contract.year_fraction(start, event.calculated) / contract.year_fraction(start, end)
    return contract.terms.sign * rate * passed


def _within(value: Fraction, floor: Fraction | None, cap: Fraction | None) -> Fraction:
    """min(max(value, floor), cap), an absent bound being none."""
    value = value if floor is None else max(value, floor)
    return value if cap is None else min(value, cap)
