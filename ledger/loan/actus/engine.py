"""A contract's life: its events in order, each with what it pays and the state it leaves.

    rows = evaluate(parse_terms(attributes), until=datetime(2024, 1, 1), market={"USD.SWP": [(moment, rate)]})

Rules (ACTUS technical specification; contract lifetime)
- Events after the status date and not after ``until``; without ``until``, to the end of the contract.
- Nothing follows termination. What came before a purchase is evaluated and not shown: it was another's.
- Interest and principal do not move before the initial exchange.
- A call (XD, observed) ends a call money contract: interest and notional are settled after its notice, and both count
  as asked for when the call was.
- Everything is exact: rationals from the terms to the rows.

Nothing is rounded here: ``due_rows`` does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Final

from ledger.errors import InvalidInput, NotFound
from ledger.loan.actus import event_schedule
from ledger.loan.actus.annuity import annuity_amount
from ledger.loan.actus.contract_types import TYPES
from ledger.loan.actus.maturity import maturity_of
from ledger.loan.actus.state import SEQUENCE, Contract, Event, EventType, Series, State
from ledger.loan.actus.terms import Terms
from ledger.loan.actus.transition import initial_base
from ledger.loan.business_days import BusinessDays, IsBusinessDay, every_day, monday_to_friday

CALENDARS: Final[dict[str, IsBusinessDay]] = {"NC": every_day, "MF": monday_to_friday}
"""ACTUS's own calendars: no holidays, and Monday to Friday."""

EVENTS_MAX: Final = 20_000
"""Events of one contract: forty years of monthly ones with every option are under 5,000."""

_OBSERVABLE: Final = frozenset({"AD", "PP"})
_OBSERVABLE_TOO: Final = {"CLM": frozenset({"XD"}), "UMP": frozenset({"PR", "PI"})}
_WITH_REDEMPTION_CYCLE: Final = frozenset({"LAM", "NAM", "ANN"})
_NEED_PRINCIPAL: Final = frozenset({EventType.IP, EventType.IPCI, EventType.PR, EventType.PI})


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A thing that happened to the contract: a call (XD), a prepayment (PP), a draw or repayment of a line (PI, PR); or
    a look at its state (AD), which pays and changes nothing.

    ``value`` is an amount without the sign of the role: a draw adds it to the principal, the others take it off.
    """

    time: datetime
    type: str
    value: Fraction = Fraction(0)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One event with its payoff and the state after it; amounts signed by the role, all exact."""

    event_date: datetime
    event_type: EventType
    payoff: Fraction
    currency: str
    notional_principal: Fraction
    nominal_interest_rate: Fraction
    accrued_interest: Fraction


def evaluate(
    terms: Terms,
    *,
    until: datetime | None = None,
    market: Mapping[str, Series] | None = None,
    observed: Sequence[Observed] = (),
    is_business_day: IsBusinessDay | None = None,
) -> list[Row]:
    """The contract's rows in order. ``is_business_day`` stands for ``terms.calendar`` where that is not NC or MF.

    Raises InvalidInput ``terms_incomplete``, ``terms_too_long``, ``observation_missing``, NotFound ``calendar_unknown``.
    """
    contract = contract_of(terms, until=until, market=market, observed=observed, is_business_day=is_business_day)
    functions = TYPES[terms.contract_type].functions
    state, rows = initial_state(contract), []
    for event in _events(contract, until, observed):
        pays, follows = functions[event.type]
        payoff, state = pays(contract, state, event), follows(contract, state, event)
        if not _before_purchase(terms, event):
            rows.append(_row(event, payoff, terms.currency, state))
    return rows


def contract_of(
    terms: Terms,
    *,
    until: datetime | None = None,
    market: Mapping[str, Series] | None = None,
    observed: Sequence[Observed] = (),
    is_business_day: IsBusinessDay | None = None,
) -> Contract:
    """The terms with everything that is computed from them once."""
    business_days = BusinessDays(terms.business_day_convention, is_business_day or _named_calendar(terms.calendar))
    call = _call(terms, observed)
    contract = Contract(
        terms=terms,
        maturity=call or maturity_of(terms, business_days, until),
        call=call,
        business_days=business_days,
        market={code: sorted(series) for code, series in (market or {}).items()},
    )
    contract = replace(contract, fee_times=event_schedule.fee_times(contract))
    if terms.contract_type not in _WITH_REDEMPTION_CYCLE:
        return contract
    end = terms.amortization_date or contract.maturity
    return replace(contract, redemption_times=event_schedule.redemption_times(contract, end))


def initial_state(contract: Contract) -> State:
    """The state at status date: empty before the initial exchange, else from the terms."""
    terms = contract.terms
    state = State(
        status_date=terms.status_date,
        notional_scaling_multiplier=terms.notional_scaling_multiplier,
        interest_scaling_multiplier=terms.interest_scaling_multiplier,
        fee_accrued=terms.fee_accrued or Fraction(0),
        next_principal_redemption_payment=_initial_payment(contract),
    )
    if terms.initial_exchange_date > terms.status_date:
        return state
    state = replace(
        state,
        notional_principal=terms.sign * terms.notional_principal,
        nominal_interest_rate=terms.nominal_interest_rate or Fraction(0),
        interest_calculation_base=initial_base(contract),
    )
    state = replace(state, accrued_interest=_initial_interest(contract, state))
    if terms.contract_type == "ANN" and terms.next_principal_redemption_payment is None:
        return replace(state, next_principal_redemption_payment=annuity_amount(contract, state))
    return state


def _initial_payment(contract: Contract) -> Fraction:
    """Prnxt: as given; in LAM without it the notional in equal parts over the redemptions to come."""
    terms = contract.terms
    if terms.next_principal_redemption_payment is not None:
        return terms.next_principal_redemption_payment
    coming = sum(moment > terms.status_date for moment in contract.redemption_times)
    return terms.notional_principal / coming if terms.contract_type == "LAM" and coming else Fraction(0)


def _initial_interest(contract: Contract, state: State) -> Fraction:
    """Ipac of a running contract: as given, else since interest last fell due; none where interest rolls up."""
    terms = contract.terms
    if terms.accrued_interest is not None:
        return terms.sign * terms.accrued_interest
    if terms.contract_type in ("CLM", "UMP"):
        return Fraction(0)
    due = [
        event.calculated
        for scheduler in TYPES[terms.contract_type].schedulers
        for event in scheduler(contract)
        if event.type in (EventType.IP, EventType.IPCI) and event.calculated < terms.status_date
    ]
    since = max([*due, terms.initial_exchange_date])
    years = contract.year_fraction(since, terms.status_date)
    return years * state.interest_calculation_base * state.nominal_interest_rate


def _events(contract: Contract, until: datetime | None, observed: Sequence[Observed]) -> list[Event]:
    """Scheduled and observed events after the status date, cut at termination and ``until``, in order."""
    rules = TYPES[contract.terms.contract_type]
    found = [event for scheduler in rules.schedulers for event in scheduler(contract)]
    found += _observed_events(contract, observed)
    if len(found) > EVENTS_MAX:
        raise InvalidInput("terms_too_long", "too many events in one contract", expected=f"at most {EVENTS_MAX}")
    return sorted((event for event in found if _happens(contract, event, until)), key=lambda event: event.order)


def _happens(contract: Contract, event: Event, until: datetime | None) -> bool:
    terms = contract.terms
    if event.time <= terms.status_date:
        return False
    if event.type in _NEED_PRINCIPAL and event.time < terms.initial_exchange_date:
        return False
    if terms.termination_date is not None and event.order > (terms.termination_date, SEQUENCE[EventType.TD]):
        return False
    asked_for = event.calculated if contract.call is not None and event.calculated == contract.call else event.time
    return until is None or asked_for <= until


def _observed_events(contract: Contract, observed: Sequence[Observed]) -> list[Event]:
    """What was observed, a prepayment with its penalty. A call is scheduled with what it makes due."""
    accepted = _OBSERVABLE | _OBSERVABLE_TOO.get(contract.terms.contract_type, frozenset())
    found: list[Event] = []
    for seen in observed:
        if seen.type not in accepted:
            raise InvalidInput(
                "terms_malformed", "such an event cannot be observed of this contract type", path="$.eventsObserved",
                expected=", ".join(sorted(accepted)), found=seen.type,
            )  # fmt: skip
        if seen.type != EventType.XD:
            found.append(Event(type=EventType(seen.type), time=seen.time, calculated=seen.time, amount=seen.value))
        if seen.type == EventType.PP and contract.terms.penalty_type != "O":
            found.append(Event(type=EventType.PY, time=seen.time, calculated=seen.time))
    return found


def _call(terms: Terms, observed: Sequence[Observed]) -> datetime | None:
    """When a call money contract was called, unless it ended before the notice did."""
    calls = [seen.time for seen in observed if seen.type == EventType.XD]
    if terms.contract_type != "CLM" or not calls:
        return None
    call = min(calls)
    settled = call if terms.x_day_notice is None else terms.x_day_notice.after(call)
    return call if terms.maturity_date is None or settled <= terms.maturity_date else None


def _before_purchase(terms: Terms, event: Event) -> bool:
    return terms.purchase_date is not None and event.order < (terms.purchase_date, SEQUENCE[EventType.PRD])


def _named_calendar(name: str) -> IsBusinessDay:
    found = CALENDARS.get({"NoCalendar": "NC", "MondayToFriday": "MF"}.get(name, name))
    if found is None:
        raise NotFound(
            "calendar_unknown", "no such calendar", path="$.calendar", expected=", ".join(CALENDARS), found=name,
            advice="Pass the business days of a frozen calendar beside the terms.",
        )  # fmt: skip
    return found


def _row(event: Event, payoff: Fraction, currency: str, state: State) -> Row:
    return Row(
        event_date=event.time,
        event_type=event.type,
        payoff=payoff,
        currency=currency,
        notional_principal=state.notional_principal,
        nominal_interest_rate=state.nominal_interest_rate,
        accrued_interest=state.accrued_interest,
    )
