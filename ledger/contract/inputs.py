"""What a rule can see of the loan, as plain whole numbers, booleans and words.

    loan = loan_inputs(state, date(2026, 3, 31))        from the fold of the loan (ledger/loan)

Rules
- Each field is the name after the dot in the vocabulary (``LoanInputs.dpd`` is ``loan.dpd``), of the type said there; a
  test holds the two lists together.
- What is not known is 0 or ``""``, and where that could be mistaken a second field says so (``balance_known``).
- Days past due are computed for the event's day (ledger/loan/arrears.py), never read from a stored figure.
- Of other lenders a rule sees nothing here: what may be known of them comes as warnings (``alert.raised``), which the
  ledger addresses to a lender only where consent or the law permits.
"""

from __future__ import annotations

from datetime import date

import msgspec

from ledger.contract.bounds import INTEGER_MAX
from ledger.loan.arrears import arrears
from ledger.loan.state import LoanState, owed


class LoanInputs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``loan.*``: see STANDING_INPUTS for the meaning and the unit of each."""

    age_days: int = 0
    balance: int = 0
    balance_known: bool = False
    charged_off: bool = False
    charges: int = 0
    collateral: bool = False
    days_since_paid: int = 0
    days_to_due: int = -1
    defaulted: bool = False
    delinquent_days: int = 0
    disbursed: int = 0
    disputed: bool = False
    dpd: int = 0
    forborne: bool = False
    grace_days: int = 0
    instalment: int = 0
    instalments: int = 0
    overdue: int = 0
    paid: int = 0
    paused: bool = False
    principal: int = 0
    rate_ppm: int = 0
    stage: str = ""


def loan_inputs(state: LoanState, day: date) -> LoanInputs:
    """The loan as a rule sees it on ``day``."""
    late = arrears(state, day)
    left = owed(state)
    today = day.toordinal()
    since = state.last_paid or state.opened
    return LoanInputs(
        age_days=_days(state.opened, today),
        balance=_within(left or 0),
        balance_known=left is not None,
        charged_off=state.charged_off is not None,
        charges=_within(state.charges),
        collateral=state.collateral,
        days_since_paid=_days(since, today),
        days_to_due=next((row[0] - today for row in state.schedule if row[0] >= today), -1),
        defaulted=state.defaulted is not None,
        delinquent_days=late.delinquent_days,
        disbursed=_within(state.disbursed),
        disputed=state.disputed,
        dpd=late.days,
        forborne=state.forborne,
        grace_days=state.grace_days,
        instalment=oldest_unmet_number(state),
        instalments=state.met_rows + len(state.schedule) or state.instalments or 0,
        overdue=_within(late.amount or 0),
        paid=_within(state.paid),
        paused=any(start <= today < until for start, until in state.pauses),
        principal=_within(state.principal),
        rate_ppm=state.rate_ppm or 0,
        stage=state.stage,
    )


def oldest_unmet_number(state: LoanState) -> int:
    """Number, from 1, of the first instalment that payments have not fully met; 0 when all are or none is known."""
    return state.met_rows + 1 if state.schedule else 0


def _days(since: date | None, today: int) -> int:
    return 0 if since is None else max(today - since.toordinal(), 0)


def _within(amount: int) -> int:
    """Sums may grow past what one amount may be; the inputs of a rule never do."""
    return max(-INTEGER_MAX, min(amount, INTEGER_MAX))
