"""A loan as a lender agrees it, turned into contract terms: eight product forms over seven contract types.

    annuity                ANN   equal payments, the amount computed (or given: the last one takes the rest)
    equal_principal        LAM   equal parts of principal, interest on what is left
    bullet                 PAM   interest as it falls due, principal at the end; frequency ``once``: all at the end
    negative_amortisation  NAM   a given payment that may be less than the interest; the rest joins the principal
    step                   LAX   parts of principal that change on given days
    irregular              LAX   given parts on given days (a harvest)
    on_demand              CLM   until called; notice in days
    revolving              UMP   a line drawn and repaid at will until it ends

Rules
- Money is integers of minor units, rates parts per million a year; rationals begin in the terms.
- Due dates step from the first one by the frequency; nothing is due before it. Month ends stay month ends where the
  plan says so.
- A revolving line's interest joins the balance every period; an on-demand loan's does where a frequency is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final, Literal

from ledger.attestation.fields import DayCount, Frequency
from ledger.errors import InvalidInput
from ledger.loan.actus.cycle import Cycle, stepped
from ledger.loan.actus.terms import Terms

Form = Literal[
    "annuity",
    "equal_principal",
    "bullet",
    "negative_amortisation",
    "step",
    "irregular",
    "on_demand",
    "revolving",
]

CYCLES: Final[dict[str, Cycle]] = {
    "weekly": Cycle(0, 7),
    "fortnightly": Cycle(0, 14),
    "monthly": Cycle(1, 0),
    "bimonthly": Cycle(2, 0),
    "quarterly": Cycle(3, 0),
    "four_monthly": Cycle(4, 0),
    "semi_annual": Cycle(6, 0),
    "annual": Cycle(12, 0),
}
"""Frequencies of an agreement that repeat at equal distance."""

_PPM: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class LoanPlan:
    """What was agreed. ``principal``, ``payment`` and the amounts of ``parts`` are minor units."""

    form: Form
    principal: int
    rate_ppm: int
    disbursed: date
    first_due: date | None = None
    frequency: Frequency = "once"
    instalments: int = 1
    day_count: DayCount = "actual/365"
    payment: int | None = None
    """The payment of an annuity or of negative amortisation, where it is agreed and not computed."""
    parts: tuple[tuple[date, int], ...] = ()
    """irregular: what is due when, principal alone. step: from when on how much is due each period."""
    notice_days: int = 0
    month_ends: bool = False
    business_day_convention: str | None = None


def terms_of(plan: LoanPlan) -> Terms:
    """The contract terms of a plan, in minor units. Raises InvalidInput ``plan_unusable``."""
    if plan.principal < 0 or plan.rate_ppm < 0 or plan.instalments < 1:
        raise _unusable("principal, rate and instalments are not negative, and there is an instalment")
    if plan.first_due is not None and plan.first_due <= plan.disbursed:
        raise _unusable("the first due date comes after the disbursement", "first_due")
    return Terms(
        status_date=datetime.combine(plan.disbursed, time.min) - timedelta(days=1),
        initial_exchange_date=_midnight(plan.disbursed),
        notional_principal=Fraction(plan.principal),
        nominal_interest_rate=Fraction(plan.rate_ppm, _PPM),
        day_count=plan.day_count,
        business_day_convention=plan.business_day_convention,
        end_of_month_convention="EOM" if plan.month_ends else "SD",
        **_FORMS[plan.form](plan),
    )


def _annuity(plan: LoanPlan) -> dict[str, Any]:
    return _redeemed(plan) | {
        "contract_type": "ANN",
        "next_principal_redemption_payment": None if plan.payment is None else Fraction(plan.payment),
    }


def _equal_principal(plan: LoanPlan) -> dict[str, Any]:
    part = Fraction(plan.principal, plan.instalments)
    return _redeemed(plan) | {"contract_type": "LAM", "next_principal_redemption_payment": part}


def _negative_amortisation(plan: LoanPlan) -> dict[str, Any]:
    if plan.payment is None:
        raise _unusable("negative amortisation needs its payment", "payment")
    return _redeemed(plan) | {"contract_type": "NAM", "next_principal_redemption_payment": Fraction(plan.payment)}


def _bullet(plan: LoanPlan) -> dict[str, Any]:
    return {"contract_type": "PAM", "maturity_date": _last_due(plan)} | _interest(plan)


def _redeemed(plan: LoanPlan) -> dict[str, Any]:
    """Principal and interest on the same days."""
    return _interest(plan) | {
        "maturity_date": _last_due(plan),
        "cycle_anchor_date_of_principal_redemption": _first_due(plan),
        "cycle_of_principal_redemption": CYCLES.get(plan.frequency, _ONE_PERIOD),
    }


def _interest(plan: LoanPlan) -> dict[str, Any]:
    return {
        "cycle_anchor_date_of_interest_payment": _first_due(plan),
        "cycle_of_interest_payment": CYCLES.get(plan.frequency),
    }


def _step(plan: LoanPlan) -> dict[str, Any]:
    first = plan.first_due or _first_part(plan)
    return _listed(plan) | {
        "array_cycle_of_principal_redemption": (_cycle(plan),),
        "array_cycle_anchor_date_of_interest_payment": (_midnight(first),),
        "array_cycle_of_interest_payment": (_cycle(plan),),
    }


def _irregular(plan: LoanPlan) -> dict[str, Any]:
    days = tuple(_midnight(day) for day, _ in plan.parts)
    if sum(amount for _, amount in plan.parts) != plan.principal:
        raise _unusable("the parts add up to the principal", "parts")
    return _listed(plan) | {"maturity_date": days[-1], "array_cycle_anchor_date_of_interest_payment": days}


def _listed(plan: LoanPlan) -> dict[str, Any]:
    days = [day for day, _ in plan.parts]
    if not days or days != sorted(set(days)) or days[0] <= plan.disbursed or min(a for _, a in plan.parts) <= 0:
        raise _unusable("the parts are positive, on ascending days after the disbursement", "parts")
    return {
        "contract_type": "LAX",
        "array_cycle_anchor_date_of_principal_redemption": tuple(_midnight(day) for day in days),
        "array_next_principal_redemption_payment": tuple(Fraction(amount) for _, amount in plan.parts),
        "array_increase_decrease": ("DEC",),
    }


def _on_demand(plan: LoanPlan) -> dict[str, Any]:
    return {
        "contract_type": "CLM",
        "x_day_notice": Cycle(0, plan.notice_days),
        "cycle_of_interest_payment": CYCLES.get(plan.frequency),
    }


def _revolving(plan: LoanPlan) -> dict[str, Any]:
    return {"contract_type": "UMP", "cycle_of_interest_payment": CYCLES.get(plan.frequency)}


_FORMS: Final[dict[str, Callable[[LoanPlan], dict[str, Any]]]] = {
    "annuity": _annuity,
    "equal_principal": _equal_principal,
    "bullet": _bullet,
    "negative_amortisation": _negative_amortisation,
    "step": _step,
    "irregular": _irregular,
    "on_demand": _on_demand,
    "revolving": _revolving,
}

_ONE_PERIOD: Final = Cycle(1200, 0)
"""A loan due once: longer than any, so that its schedule is one time."""


def _first_part(plan: LoanPlan) -> date:
    if not plan.parts:
        raise _unusable("steps say from when on how much is due", "parts")
    return plan.parts[0][0]


def _first_due(plan: LoanPlan) -> datetime:
    if plan.first_due is None:
        raise _unusable("this form needs its first due date", "first_due")
    return _midnight(plan.first_due)


def _last_due(plan: LoanPlan) -> datetime:
    if plan.instalments == 1:
        return _first_due(plan)
    return stepped(_first_due(plan), _cycle(plan), plan.instalments - 1, eom=plan.month_ends)


def _cycle(plan: LoanPlan) -> Cycle:
    if plan.frequency not in CYCLES:
        raise _unusable("several instalments need a frequency that repeats", "frequency")
    return CYCLES[plan.frequency]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _unusable(expected: str, name: str | None = None) -> InvalidInput:
    return InvalidInput(
        "plan_unusable", "no schedule follows from this plan", expected=expected, path=name and f"$.{name}"
    )
