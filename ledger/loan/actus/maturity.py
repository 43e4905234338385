"""When a contract ends, for those whose terms do not say.

Source: ACTUS technical specification, initialization of Md.
- LAM: as many redemptions as the notional needs. NAM, ANN: as many payments as the notional needs if interest stayed
  what it is in the first period; the day found is a business day.
- ANN: the amortisation date before that. LAX: when the listed increases and redemptions have brought the notional to
  nothing. CLM: the call, or else the end of what is asked for. UMP: the end of what is asked for.
- A redemption still to come counts as one of the remaining ones; one already past does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import Final

from ledger.errors import InvalidInput
from ledger.loan.actus.cycle import TIMES_MAX, Cycle, stepped, times
from ledger.loan.actus.state import accrual_day
from ledger.loan.actus.terms import Terms
from ledger.loan.business_days import BusinessDays
from ledger.loan.day_count import year_fraction


def maturity_of(terms: Terms, business_days: BusinessDays, until: datetime | None) -> datetime:
    """Md at status date. Raises InvalidInput ``terms_incomplete`` when nothing says when the contract ends."""
    if terms.maturity_date is not None:
        return terms.maturity_date
    return _RULES[terms.contract_type](terms, business_days, until)


def redemption_anchor(terms: Terms) -> datetime:
    """First redemption: PRANX, or one cycle after the initial exchange."""
    if terms.cycle_anchor_date_of_principal_redemption is not None:
        return terms.cycle_anchor_date_of_principal_redemption
    if terms.cycle_of_principal_redemption is None:
        raise incomplete("cycleOfPrincipalRedemption")
    return terms.cycle_of_principal_redemption.after(terms.initial_exchange_date)


def incomplete(attribute: str) -> InvalidInput:
    """The error for a term without which the contract cannot be scheduled."""
    return InvalidInput("terms_incomplete", "the terms lack what this contract needs", path=f"$.{attribute}")


def cycles_for(anchors: int, cycles: tuple[Cycle, ...]) -> list[Cycle | None]:
    """One cycle an anchor: as given, the first for all when there are fewer, none when there are none."""
    if len(cycles) == anchors:
        return list(cycles)
    return [cycles[0] if cycles else None] * anchors


def _end_asked_for(terms: Terms, business_days: BusinessDays, until: datetime | None) -> datetime:
    if until is None:
        raise incomplete("maturityDate")
    return until


def _linear(terms: Terms, business_days: BusinessDays, until: datetime | None) -> datetime:
    return _after_redemptions(terms, terms.next_principal_redemption_payment)


def _level(terms: Terms, business_days: BusinessDays, until: datetime | None) -> datetime:
    if terms.contract_type == "ANN" and terms.amortization_date is not None:
        return terms.amortization_date
    start, cycle = redemption_anchor(terms), terms.cycle_of_principal_redemption
    if cycle is None or terms.next_principal_redemption_payment is None:
        raise incomplete("nextPrincipalRedemptionPayment")
    first_period = year_fraction(terms.day_count, accrual_day(start), accrual_day(cycle.after(start)))
    interest = terms.notional_principal * first_period * (terms.nominal_interest_rate or 0)
    return business_days.event_time(_after_redemptions(terms, terms.next_principal_redemption_payment - interest))


def _after_redemptions(terms: Terms, amount: Fraction | None) -> datetime:
    """The time of the redemption of ``amount`` that leaves nothing of the notional."""
    anchor, cycle = redemption_anchor(terms), terms.cycle_of_principal_redemption
    if amount is None or amount <= 0 or cycle is None:
        raise incomplete("nextPrincipalRedemptionPayment" if cycle else "cycleOfPrincipalRedemption")
    needed = ceil(terms.notional_principal / amount)
    if needed > TIMES_MAX:
        raise InvalidInput("terms_too_long", "the payment never redeems the notional", expected=f"{TIMES_MAX} payments")
    past = len(times(anchor, cycle, terms.status_date, eom=terms.eom)) if anchor < terms.status_date else 0
    return stepped(anchor, cycle, past + needed - 1, eom=terms.eom)


def _listed(terms: Terms, business_days: BusinessDays, until: datetime | None) -> datetime:
    anchors = terms.array_cycle_anchor_date_of_principal_redemption
    cycles = cycles_for(len(anchors), terms.array_cycle_of_principal_redemption)
    outstanding = terms.notional_principal
    for place, (anchor, cycle) in enumerate(zip(anchors, cycles, strict=True)):
        change = listed_amount(terms, place) * (1 if listed_direction(terms, place) == "INC" else -1)
        last = place + 1 == len(anchors)
        if last and cycle is not None and change < 0 and outstanding > 0:
            return stepped(anchor, cycle, max(ceil(outstanding / -change), 1) - 1, eom=terms.eom)
        for moment in times(anchor, cycle, anchors[place + 1], eom=terms.eom) if not last else [anchor]:
            outstanding += change
            if outstanding <= 0:
                return moment
    if anchors and not terms.array_cycle_of_principal_redemption:
        return anchors[-1]
    return _end_asked_for(terms, business_days, until)


def listed_amount(terms: Terms, place: int) -> Fraction:
    """ARPRNXT at a place; one amount counts for all."""
    amounts = terms.array_next_principal_redemption_payment
    if not amounts or (place >= len(amounts) > 1):
        raise incomplete("arrayNextPrincipalRedemptionPayment")
    return amounts[place] if len(amounts) > 1 else amounts[0]


def listed_direction(terms: Terms, place: int) -> str:
    """ARINCDEC at a place; one word counts for all, none means DEC."""
    directions = terms.array_increase_decrease or ("DEC",)
    if place >= len(directions) > 1:
        raise incomplete("arrayIncreaseDecrease")
    return directions[place] if len(directions) > 1 else directions[0]


_RULES: Final[dict[str, Callable[[Terms, BusinessDays, datetime | None], datetime]]] = {
    "PAM": lambda terms, business_days, until: _end_asked_for(terms, business_days, None),
    "LAM": _linear,
    "NAM": _level,
    "ANN": _level,
    "LAX": _listed,
    "CLM": _end_asked_for,
    "UMP": _end_asked_for,
}
