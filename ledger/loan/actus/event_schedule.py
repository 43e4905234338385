"""When things happen: the events of a contract, one function an event type, from its terms.

Source: ACTUS technical specification, contract schedules of PAM, LAM, NAM, ANN, LAX, CLM and UMP.

Rules
- A cycle without an anchor starts one cycle after the initial exchange; an anchor without a cycle is one time.
- Interest falls due at every time of its cycle and at maturity; without a cycle, at maturity. In NAM and ANN its own
  cycle runs until one period before the first redemption, and from there the cycle of redemption.
- Up to the capitalisation end date interest is capitalised instead of paid, and on that date too.
- The first rate reset after the status date takes the next reset rate where one is given.
- An annuity whose payment is not given is fixed the day before the first redemption, and anew at every rate reset.
- Cyclic events move to business days. The initial exchange, purchase, termination and a call's settlement do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from ledger.loan.actus.cycle import Cycle, segments, times
from ledger.loan.actus.maturity import cycles_for, incomplete, listed_amount, listed_direction, redemption_anchor
from ledger.loan.actus.state import Contract, Event, EventType

Scheduler = Callable[[Contract], list[Event]]
"""The events of one or two types."""


def scheduled(
    contract: Contract, event_type: EventType, moments: Iterable[datetime], amount: Fraction = Fraction(0)
) -> list[Event]:
    """Events moved to business days."""
    shift = contract.business_days.event_time
    return [Event(type=event_type, time=shift(at), calculated=at, amount=amount) for at in moments]


def fixed(event_type: EventType, moment: datetime | None, *, calculated: datetime | None = None) -> list[Event]:
    """One event that does not move, if there is one."""
    return [] if moment is None else [Event(type=event_type, time=moment, calculated=calculated or moment)]


def cyclic_times(
    contract: Contract, anchor: datetime | None, cycle: Cycle | None, *, with_end: bool = False
) -> list[datetime]:
    """S(s, c, Md) with s the anchor, or one cycle after the initial exchange; empty when both are undefined."""
    if anchor is None:
        if cycle is None:
            return []
        anchor = cycle.after(contract.terms.initial_exchange_date)
    return times(anchor, cycle, contract.maturity, eom=contract.terms.eom, with_end=with_end)


def initial_exchange(contract: Contract) -> list[Event]:
    """IED."""
    return fixed(EventType.IED, contract.terms.initial_exchange_date)


def maturity(contract: Contract) -> list[Event]:
    """MD."""
    return scheduled(contract, EventType.MD, [contract.maturity])


def call_money_end(contract: Contract) -> list[Event]:
    """XD of CLM with the interest and the settlement it makes due; IP and MD where nobody called."""
    if contract.call is None:
        return [*fixed(EventType.IP, contract.maturity), *fixed(EventType.MD, contract.maturity)]
    notice = contract.terms.x_day_notice
    settled = contract.call if notice is None else notice.after(contract.call)
    return [
        *fixed(EventType.XD, contract.call),
        *fixed(EventType.IP, settled, calculated=contract.call),
        *fixed(EventType.STD, settled, calculated=contract.call),
    ]


def purchase(contract: Contract) -> list[Event]:
    """PRD."""
    return fixed(EventType.PRD, contract.terms.purchase_date)


def termination(contract: Contract) -> list[Event]:
    """TD."""
    return fixed(EventType.TD, contract.terms.termination_date)


def redemption_times(contract: Contract, end: datetime) -> list[datetime]:
    """S(PRANX, PRCL, end) with its end."""
    terms = contract.terms
    return times(
        redemption_anchor(terms), terms.cycle_of_principal_redemption, end, eom=terms.eom, with_end=True
    )  # fmt: skip


def redemption(contract: Contract) -> list[Event]:
    """PR of LAM, NAM, ANN: at maturity MD takes its place."""
    return scheduled(contract, EventType.PR, redemption_times(contract, contract.maturity)[:-1])


def listed_principal(contract: Contract) -> list[Event]:
    """PR and PI of LAX, each with its amount."""
    terms = contract.terms
    anchors = terms.array_cycle_anchor_date_of_principal_redemption
    cycles = cycles_for(len(anchors), terms.array_cycle_of_principal_redemption)
    types = {"INC": EventType.PI, "DEC": EventType.PR}
    return [
        event
        for place, moments in enumerate(segments(anchors, cycles, contract.maturity, eom=terms.eom))
        for event in scheduled(contract, types[listed_direction(terms, place)], moments, listed_amount(terms, place))
    ]


def interest(contract: Contract) -> list[Event]:
    """IP and IPCI of PAM and LAM."""
    terms = contract.terms
    own = cyclic_times(
        contract, terms.cycle_anchor_date_of_interest_payment, terms.cycle_of_interest_payment, with_end=True
    )
    return _paid_or_capitalised(contract, own)


def interest_with_redemption(contract: Contract) -> list[Event]:
    """IP and IPCI of NAM and ANN: the own cycle u until one period before redemption starts, then v with redemption."""
    terms, cycle = contract.terms, contract.terms.cycle_of_principal_redemption
    if cycle is None:
        raise incomplete("cycleOfPrincipalRedemption")
    handover = cycle.after(redemption_anchor(terms), -1)
    anchor = terms.cycle_anchor_date_of_interest_payment
    if anchor is None and terms.cycle_of_interest_payment is not None:
        anchor = terms.cycle_of_interest_payment.after(terms.initial_exchange_date)
    own: list[datetime] = []
    if anchor is not None and anchor <= handover:
        own = times(anchor, terms.cycle_of_interest_payment, handover, eom=terms.eom, with_end=True)
    return _paid_or_capitalised(contract, [*own, *redemption_times(contract, contract.maturity)])


def listed_interest(contract: Contract) -> list[Event]:
    """IP and IPCI of LAX."""
    terms = contract.terms
    anchors = terms.array_cycle_anchor_date_of_interest_payment
    cycles = cycles_for(len(anchors), terms.array_cycle_of_interest_payment)
    moments = [at for segment in segments(anchors, cycles, contract.maturity, eom=terms.eom) for at in segment]
    return _paid_or_capitalised(contract, [*moments, contract.maturity])


def _paid_or_capitalised(contract: Contract, moments: Sequence[datetime]) -> list[Event]:
    """IP at the times and at maturity; IPCI instead up to the capitalisation end date, and on it."""
    terms = contract.terms
    due = {*moments, contract.maturity}
    if terms.nominal_interest_rate is None:
        return []
    if terms.capitalization_end_date is None:
        return scheduled(contract, EventType.IP, sorted(due))
    end = terms.capitalization_end_date
    capitalised = {at for at in due if at <= end} | {end}
    return [
        *scheduled(contract, EventType.IPCI, sorted(capitalised)),
        *scheduled(contract, EventType.IP, sorted(due - capitalised)),
    ]


def rolled_up_interest(contract: Contract) -> list[Event]:
    """IPCI of CLM and UMP: interest joins the notional at every time of its cycle."""
    terms = contract.terms
    if terms.nominal_interest_rate is None or terms.cycle_of_interest_payment is None:
        return []
    moments = cyclic_times(contract, terms.cycle_anchor_date_of_interest_payment, terms.cycle_of_interest_payment)
    return scheduled(contract, EventType.IPCI, moments)


def rate_reset(contract: Contract) -> list[Event]:
    """RR, the first one RRF where the next rate is known."""
    terms = contract.terms
    moments = cyclic_times(contract, terms.cycle_anchor_date_of_rate_reset, terms.cycle_of_rate_reset)
    return _first_known(contract, scheduled(contract, EventType.RR, moments, terms.rate_spread))


def listed_rate_reset(contract: Contract) -> list[Event]:
    """RRF and RR of LAX: fixed rates, or spreads over the market."""
    terms = contract.terms
    anchors = terms.array_cycle_anchor_date_of_rate_reset
    cycles = cycles_for(len(anchors), terms.array_cycle_of_rate_reset)
    if not len(anchors) == len(terms.array_rate) == len(terms.array_fixed_variable):
        raise incomplete("arrayRate")
    found: list[Event] = []
    for moments, rate, kind in zip(
        segments(anchors, cycles, contract.maturity, eom=terms.eom),
        terms.array_rate, terms.array_fixed_variable, strict=True,
    ):  # fmt: skip
        event_type = EventType.RRF if kind.startswith("F") else EventType.RR
        found += scheduled(contract, event_type, moments, rate)
    return _first_known(contract, found)


def _first_known(contract: Contract, resets: list[Event]) -> list[Event]:
    """The first reset after the status date takes the next reset rate, where one is given."""
    rate = contract.terms.next_reset_rate
    coming = [event for event in resets if event.time > contract.terms.status_date]
    if rate is None or not coming:
        return resets
    first = min(coming, key=lambda event: event.order)
    return [replace(event, type=EventType.RRF, amount=rate) if event is first else event for event in resets]


def payment_fixing(contract: Contract) -> list[Event]:
    """PRF of ANN."""
    terms = contract.terms
    moments = [reset.calculated for reset in rate_reset(contract)]
    if terms.next_principal_redemption_payment is None:
        moments.append(max(redemption_anchor(terms) - timedelta(days=1), terms.initial_exchange_date))
    return scheduled(contract, EventType.PRF, moments)


def scaling(contract: Contract) -> list[Event]:
    """SC."""
    terms = contract.terms
    if not {"I", "N"} & set(terms.scaling_effect):
        return []
    moments = cyclic_times(contract, terms.cycle_anchor_date_of_scaling_index, terms.cycle_of_scaling_index)
    return scheduled(contract, EventType.SC, moments)


def base_revision(contract: Contract) -> list[Event]:
    """IPCB, for the interest calculation base NTL alone."""
    terms = contract.terms
    if terms.interest_calculation_base != "NTL":
        return []
    anchor = terms.cycle_anchor_date_of_interest_calculation_base
    moments = cyclic_times(contract, anchor, terms.cycle_of_interest_calculation_base)
    return scheduled(contract, EventType.IPCB, moments)


def fee_times(contract: Contract) -> list[datetime]:
    """Unshifted times of FP; empty without a fee."""
    terms = contract.terms
    if not terms.fee_rate:
        return []
    return cyclic_times(contract, terms.cycle_anchor_date_of_fee, terms.cycle_of_fee, with_end=True)


def fee(contract: Contract) -> list[Event]:
    """FP."""
    return scheduled(contract, EventType.FP, contract.fee_times)
