"""Payoff functions: what an event pays, from the state before it.

Source: ACTUS technical specification, payoff functions (POF) of PAM, LAM, NAM, ANN, LAX, CLM and UMP. Every function
takes the contract, the state before the event, and the event; the result carries the sign of the role: positive flows
in. Currency conversion is left out: a contract settles in its own currency.

Two rules that the specification leaves open
- A redemption never exceeds what is outstanding: the last one is cut, further ones pay nothing.
- What was observed (a prepayment; a draw or repayment of a line) is an amount; its direction is the event type's.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ledger.loan.actus.state import Contract, Event, State

Payoff = Callable[[Contract, State, Event], Fraction]
"""POF: (contract, state before, event) -> cash flow."""


def accrued(contract: Contract, state: State, event: Event) -> Fraction:
    """Ipac + Y(Sd, t) x Ipnr x Ipcb: nominal interest accrued up to the event."""
    years = contract.year_fraction(state.status_date, event.calculated)
    return state.accrued_interest + years * state.nominal_interest_rate * state.interest_calculation_base


def nothing(contract: Contract, state: State, event: Event) -> Fraction:
    """An event that changes the state and pays nothing."""
    return Fraction(0)


def initial_exchange(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_IED_PAM: the notional with its premium (positive) or discount (negative) changes hands."""
    return -contract.terms.sign * (contract.terms.notional_principal + contract.terms.premium_discount_at_ied)


def initial_exchange_at_par(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_IED_CLM: the notional alone."""
    return -contract.terms.sign * contract.terms.notional_principal


def maturity(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_MD_PAM: what is outstanding, with interest and fees that no other event has paid."""
    return (
        state.notional_scaling_multiplier * state.notional_principal
        + state.interest_scaling_multiplier * state.accrued_interest
        + state.fee_accrued
    )


def interest(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_IP_LAM: interest accrued, and interest that a call fixed."""
    return state.interest_scaling_multiplier * (accrued(contract, state, event) + state.exercise_amount)


def fixed_redemption(contract: Contract, state: State, event: Event) -> Fraction:
    """Unscaled redemption of LAM: Prnxt, cut to what is outstanding; without sign."""
    return min(state.next_principal_redemption_payment, contract.terms.sign * state.notional_principal)


def listed_redemption(contract: Contract, state: State, event: Event) -> Fraction:
    """Unscaled redemption of LAX: the array's amount, cut to what is outstanding; without sign."""
    return min(event.amount, contract.terms.sign * state.notional_principal)


def payment_less_interest(contract: Contract, state: State, event: Event) -> Fraction:
    """Unscaled redemption of NAM and ANN: Prnxt less accrued interest (negative: the notional grows); without sign."""
    sign = contract.terms.sign
    redemption = state.next_principal_redemption_payment - sign * accrued(contract, state, event)
    return min(redemption, sign * state.notional_principal)


def redemption(amount: Payoff) -> Payoff:
    """POF_PR: a redemption scaled and signed."""

    def pays(contract: Contract, state: State, event: Event) -> Fraction:
        return contract.terms.sign * state.notional_scaling_multiplier * amount(contract, state, event)

    return pays


def increase(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_PI_LAX: more principal goes out, by the array or as observed."""
    return -contract.terms.sign * state.notional_scaling_multiplier * event.amount


def observed(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_PP_PAM, POF_PR_UMP: the amount observed comes back."""
    return contract.terms.sign * event.amount


def fee(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_FP_PAM: an absolute amount (basis A), or a rate on the notional since the last event (basis N)."""
    rate = contract.terms.fee_rate or Fraction(0)
    if contract.terms.fee_basis == "A":
        return contract.terms.sign * rate
    return state.fee_accrued + contract.year_fraction(state.status_date, event.calculated) * (
        rate * state.notional_principal
    )


def penalty(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_PY_PAM: an amount (A), a rate on the notional (N), or the interest differential (I)."""
    terms = contract.terms
    if terms.penalty_type == "A":
        return terms.sign * terms.penalty_rate
    rate = terms.penalty_rate
    if terms.penalty_type == "I":
        market = contract.observed(terms.market_object_code_of_rate_reset, event.calculated)
        rate = max(Fraction(0), state.nominal_interest_rate - market)
    return contract.year_fraction(state.status_date, event.calculated) * state.notional_principal * rate


def purchase(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_PRD_LAM: the price and the interest accrued so far."""
    return -contract.terms.sign * (contract.terms.price_at_purchase_date + accrued(contract, state, event))


def termination(contract: Contract, state: State, event: Event) -> Fraction:
    """POF_TD_LAM: the price and the interest accrued so far."""
    return contract.terms.sign * (contract.terms.price_at_termination_date + accrued(contract, state, event))
