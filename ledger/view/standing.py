"""A line's figures as the standing that a country's rules ask for.

    classify_in("KE", standing_of_line(line, lender="microfinance"))

Rules
- Only what the line shows is used: a reader whose consent leaves out the days, the stage or the flags gets no standing,
  and so no class, rather than one made of the rest.
- A revolving line or a card product counts as a card (credit_view.category_of).
- The loan's own balance stands for the exposure: a debtor's other loans are not in a line.
"""

from __future__ import annotations

from typing import Literal

from ledger.jurisdiction.standing import Standing
from ledger.view.credit_view import Line, category_of

LenderKind = Literal["bank", "microfinance"]
"""Which of a country's lists apply to the lender."""


def standing_of_line(line: Line, *, lender: LenderKind = "bank", retail: bool = True) -> Standing | None:
    """The standing that a line shows; None where the consent leaves out what a class rests on."""
    if line.dpd is None or line.stage is None or line.flags is None:
        return None
    return Standing(
        as_of=line.as_of,
        dpd=line.dpd,
        delinquent_days=line.delinquent_days,
        amount_past_due=line.past_due,
        exposure=line.balance,
        currency=line.currency or "",
        portfolio="card" if category_of(line) == "CARD" else "general",
        lender=lender,
        retail=retail,
        stage=line.stage,
        status=line.status,
        defaulted="defaulted" in line.flags,
        forborne="forborne" in line.flags,
        charged_off="charged_off" in line.flags,
    )
