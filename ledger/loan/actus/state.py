"""What a contract is in the middle of its life: state variables, events, and what both are computed from.

Rules (ACTUS technical specification, contract state variables, contract events, event sequence)
- State changes through events only; a state is the one after its event.
- Amounts carry the sign of the role: the notional of a borrower's own contract is negative. ``Prnxt`` alone is an
  amount without sign.
- Events at one time are evaluated in the fixed order of ``SEQUENCE``.
- An event has the time it happens and the time it is calculated as of; they differ where a business-day convention
  moved it, and in a called contract, whose settlement is calculated as of the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from ledger.errors import InvalidInput
from ledger.loan.actus.terms import Terms
from ledger.loan.business_days import BusinessDays
from ledger.loan.day_count import year_fraction


class EventType(StrEnum):
    """What may happen to a contract (ACTUS, contract event types)."""

    IED = "IED"  # initial exchange
    FP = "FP"  # fee payment
    PR = "PR"  # principal redemption
    PI = "PI"  # principal increase
    PY = "PY"  # penalty payment
    PP = "PP"  # principal prepayment
    XD = "XD"  # exercise: the contract is called
    IP = "IP"  # interest payment
    IPCI = "IPCI"  # interest capitalisation
    RRF = "RRF"  # rate reset, rate known in advance
    RR = "RR"  # rate reset, rate observed
    PRF = "PRF"  # principal payment amount fixing
    PRD = "PRD"  # purchase
    TD = "TD"  # termination
    SC = "SC"  # scaling index revision
    IPCB = "IPCB"  # interest calculation base revision
    MD = "MD"  # maturity
    STD = "STD"  # settlement of a called contract
    AD = "AD"  # analysis


SEQUENCE: Final = {event_type: place for place, event_type in enumerate(EventType)}
"""Order of events at one time. Exercise stands before the interest that it makes due."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something scheduled or observed. ``amount`` is what an observed event or an array says of itself."""

    type: EventType
    time: datetime
    calculated: datetime
    amount: Fraction = Fraction(0)

    @property
    def order(self) -> tuple[datetime, int]:
        """Sort key: time, then sequence."""
        return self.time, SEQUENCE[self.type]


@dataclass(frozen=True, kw_only=True)
class State:
    """The state variables after an event, in the specification's short names spelt out."""

    status_date: datetime
    """Sd: calculation time of the last event."""
    notional_principal: Fraction = Fraction(0)
    nominal_interest_rate: Fraction = Fraction(0)
    accrued_interest: Fraction = Fraction(0)
    interest_calculation_base: Fraction = Fraction(0)
    fee_accrued: Fraction = Fraction(0)
    notional_scaling_multiplier: Fraction = Fraction(1)
    interest_scaling_multiplier: Fraction = Fraction(1)
    next_principal_redemption_payment: Fraction = Fraction(0)
    exercise_amount: Fraction = Fraction(0)
    """Interest fixed by a call and not yet settled."""


Series = Sequence[tuple[datetime, Fraction]]
"""One market object's observations, ascending by time."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What payoffs and transitions read besides the state: terms, conventions, schedules, the market."""

    terms: Terms
    maturity: datetime
    """Md: where schedules end; for a called contract, the call."""
    call: datetime | None = None
    business_days: BusinessDays
    market: Mapping[str, Series] = field(default_factory=dict)
    redemption_times: Sequence[datetime] = ()
    """Unshifted times from which an annuity amount is computed, maturity or amortisation date last."""
    fee_times: Sequence[datetime] = ()

    def year_fraction(self, start: datetime, end: datetime) -> Fraction:
        """Y(s, t) between calculation times."""
        shift = self.business_days.calculation_time
        return year_fraction(self.terms.day_count, accrual_day(shift(start)), accrual_day(shift(end)))

    def observed(self, code: str | None, at: datetime) -> Fraction:
        """O(code, t): the last observation not after ``at``. Raises InvalidInput ``observation_missing``."""
        known = [value for moment, value in self.market.get(code or "", ()) if moment <= at]
        if not known:
            raise InvalidInput(
                "observation_missing", "a rate or index that the terms refer to was not observed", path=f"$.{code}",
                expected=f"an observation at or before {at.isoformat()}", advice="Supply the market data it names.",
            )  # fmt: skip
        return known[-1]


def accrual_day(moment: datetime) -> date:
    """The day that interest runs to: 23:59:59 is the end of its day, which is the next day's beginning."""
    return (moment + timedelta(seconds=1)).date() if moment.time() == time(23, 59, 59) else moment.date()
