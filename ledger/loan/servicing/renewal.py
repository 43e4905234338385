"""A declining plan that is computed anew when money comes, and interest on what is late.

    interest = Interest(rate_ppm=120_000, daily=True, rest="due_day")
    renewed(terms, interest, 500_000, Rules(), movements)

Rules
- The plan is computed anew on the day of each payment, and on no other. Rows that were due before that day stay as the
  last computation left them.
- Money first meets what is late. What is more than that is early money, as annuity.py has it.
- ``late="running_period"``: where rows were late when money came, the period that runs on that day bears interest on the
  principal that was in fact out when the period began, not on the planned balance. Periods that were over by then, and
  those to come, bear it on the plan's. With ``late="as_planned"`` (ours) the plan is not changed by lateness: what is
  late costs what the agreement charges for it, an own charge that the borrower can see.

What this module does not do: plans of several tranches, or other due dates (plan.py, the schedules of the loan room).
Source: Apache Fineract's recalculation with rest frequency "same as repayment", seen from its scenarios.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from ledger.loan.servicing.allocation import Rules
from ledger.loan.servicing.annuity import Interest, declining
from ledger.loan.servicing.fold import folding_order
from ledger.loan.servicing.movements import Movement, Row
from ledger.loan.servicing.plan import Terms, due_days
from ledger.loan.servicing.position import Position, service

Late = Literal["as_planned", "running_period"]


def renewed(
    terms: Terms,
    interest: Interest,
    amount: int,
    rules: Rules,
    movements: Sequence[Movement],
    late: Late = "as_planned",
) -> tuple[Row, ...]:
    """The rows of a loan of ``amount`` minor units after all its payments; ``movements`` without its plan. Raises what
    ``service`` raises."""
    starts = (terms.start, *due_days(terms))
    paid: list[tuple[date, int]] = []
    in_fact: dict[date, int] = {}
    rows = declining(terms, interest, amount)
    known = folding_order(movements, date.max, rules.charges_from)
    for payment in [movement for movement in known if movement.kind == "repayment"]:
        before = [m for m in known if (m.on, m.order) < (payment.on, payment.order)]
        behind = _planned(rules, rows, terms, before, payment.on).overdue(payment.on).total
        if behind and late == "running_period":
            start = max((day for day in starts if day < payment.on), default=terms.start)
            in_fact[start] = _planned(rules, rows, terms, before, start).principal
        if payment.amount > behind:
            paid.append((payment.on, payment.amount - behind))
        rows = declining(terms, interest, amount, paid, in_fact)
    return rows


def _planned(rules: Rules, rows: tuple[Row, ...], terms: Terms, movements: Sequence[Movement], until: date) -> Position:
    """The loan on a day under these rows."""
    plan = Movement(kind="plan", on=terms.start, order=-1, rows=rows, scope="whole")
    return service(rules, [plan, *movements], until)
