"""The contract types: for each, what is scheduled, and what every event pays and changes.

Source: ACTUS technical specification, the tables "Contract Schedule" and "State Transition Functions and Payoff
Functions" of PAM, LAM, NAM, ANN, LAX, CLM and UMP. A row here is a row there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.loan.actus import event_schedule as schedule
from ledger.loan.actus import payoff, transition
from ledger.loan.actus.event_schedule import Scheduler
from ledger.loan.actus.payoff import Payoff
from ledger.loan.actus.state import EventType
from ledger.loan.actus.transition import Transition


@dataclass(frozen=True)
class ContractType:
    """``schedulers`` make the events; ``functions`` hold (POF, STF) of each."""

    schedulers: Sequence[Scheduler]
    functions: Mapping[EventType, tuple[Payoff, Transition]]


_PAM: Final[dict[EventType, tuple[Payoff, Transition]]] = {
    EventType.AD: (payoff.nothing, transition.accrue),
    EventType.IED: (payoff.initial_exchange, transition.initial_exchange),
    EventType.MD: (payoff.maturity, transition.maturity),
    EventType.PP: (payoff.observed, transition.observed_payment),
    EventType.PY: (payoff.penalty, transition.accrue),
    EventType.FP: (payoff.fee, transition.fee_payment),
    EventType.PRD: (payoff.purchase, transition.accrue),
    EventType.TD: (payoff.termination, transition.maturity),
    EventType.IP: (payoff.interest, transition.interest_payment),
    EventType.IPCI: (payoff.nothing, transition.interest_capitalisation),
    EventType.RR: (payoff.nothing, transition.rate_reset),
    EventType.RRF: (payoff.nothing, transition.known_rate_reset),
    EventType.SC: (payoff.nothing, transition.scaling),
}

_LAM: Final = _PAM | {
    EventType.PR: (payoff.redemption(payoff.fixed_redemption), transition.redemption(payoff.fixed_redemption)),
    EventType.IPCB: (payoff.nothing, transition.base_revision),
}

_NAM: Final = _LAM | {
    EventType.PR: (
        payoff.redemption(payoff.payment_less_interest),
        transition.redemption(payoff.payment_less_interest),
    ),
}

_ANN: Final = _NAM | {EventType.PRF: (payoff.nothing, transition.payment_fixing)}

_LAX: Final = _LAM | {
    EventType.PR: (payoff.redemption(payoff.listed_redemption), transition.redemption(payoff.listed_redemption)),
    EventType.PI: (payoff.increase, transition.increase),
}

_CLM: Final = _PAM | {
    EventType.IED: (payoff.initial_exchange_at_par, transition.initial_exchange),
    EventType.XD: (payoff.nothing, transition.exercise),
    EventType.STD: (payoff.maturity, transition.maturity),
}

_UMP: Final = _PAM | {
    EventType.IED: (payoff.initial_exchange_at_par, transition.initial_exchange),
    EventType.PR: (payoff.observed, transition.observed_payment),
    EventType.PI: (payoff.increase, transition.increase),
}

_EVERY: Final = (schedule.initial_exchange, schedule.purchase, schedule.termination, schedule.fee)
_MATURING: Final = (*_EVERY, schedule.maturity, schedule.scaling)
_AMORTISING: Final = (*_MATURING, schedule.rate_reset, schedule.redemption, schedule.base_revision)

TYPES: Final[dict[str, ContractType]] = {
    "PAM": ContractType((*_MATURING, schedule.rate_reset, schedule.interest), _PAM),
    "LAM": ContractType((*_AMORTISING, schedule.interest), _LAM),
    "NAM": ContractType((*_AMORTISING, schedule.interest_with_redemption), _NAM),
    "ANN": ContractType((*_AMORTISING, schedule.interest_with_redemption, schedule.payment_fixing), _ANN),
    "LAX": ContractType(
        (
            *_MATURING,
            schedule.listed_principal,
            schedule.listed_interest,
            schedule.listed_rate_reset,
            schedule.base_revision,
        ),
        _LAX,
    ),
    "CLM": ContractType((*_EVERY, schedule.rate_reset, schedule.rolled_up_interest, schedule.call_money_end), _CLM),
    "UMP": ContractType((*_EVERY, schedule.rate_reset, schedule.rolled_up_interest), _UMP),
}
"""contractType -> its rules."""
