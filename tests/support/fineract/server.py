"""A server's memory: what a nightly batch booked, and what it found when it last looked.

None of it follows from the loan alone: it depends on when the batch ran and what was known then. The loan's own figures
come from the engine; here is only when they were looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from ledger.loan.servicing.amounts import NOTHING, Amounts, rounded
from ledger.loan.servicing.delinquency import by_instalment, lateness, range_of
from ledger.loan.servicing.position import Instalment, Position
from tests.support.fineract.facts import ChargeFact, Line

Json = Mapping[str, Any]
DAY = timedelta(days=1)


class Server:
    """The part of a loan that a server remembers; mixed into ``Loan``, whose members it uses."""

    def _on_cob(self, event: Json) -> None:
        """The nightly batch: accruals of charges up to yesterday, and the delinquency range of today."""
        position = self.position()
        if not self.started or not position.outstanding:
            return
        self._charge_overdue_rows(event, position)
        if position.charged_off_on is None:
            for number, row in enumerate(self.position().rows):
                self._accrue_row(event, number, row)
        self._catch_up()

    def _catch_up(self) -> None:
        """The batches that were missed, one a day but for paused days; a loan's first batch runs for today alone."""
        on = self.batched_on + DAY if self.batched_on else self.today
        pauses = self.position().pauses
        while on <= self.today:
            if not any(start <= on and (end is None or on <= end) for start, end in pauses):
                self._classify(on)
            on += DAY
        self.batched_on = self.today

    def _charge_overdue_rows(self, event: Json, position: Position) -> None:
        """Products with a late fee charge it on each row that is past due, once."""
        fee = self.product.get("overdue_charge")
        for number, row in enumerate(position.rows) if fee else ():
            if row.due < self.today and row.unmet.total and row.due not in self.late_fees:
                self.late_fees.add(row.due)
                whole = self.catalogue["charges"][fee["kind"]]["calculation"] == "pct_of_amount_plus_interest"
                base = row.owed.principal + (row.owed.interest if whole else 0)
                amount = rounded(round(float(fee["pct"]) * 10_000) * base, 1_000_000)
                n = event["n"] * 100 + number
                late = {"n": n, "kind": fee["kind"], "due_date": row.due.isoformat(), "amount": amount}
                self._on_charge(late)

    def _accrue_row(self, event: Json, number: int, row: Instalment) -> None:
        """Interest of a row up to yesterday, and its charges that are due: booked on yesterday, or the row's due date."""
        until = min(self.today - DAY, row.due)
        before = self.position().rows[number - 1].due if number else min(one.on for one in self.tranches)
        days, whole = max((until - before).days, 0), max((row.due - before).days, 1)
        borne = rounded(row.owed.interest * days, whole) - self.accrued_interest.get(row.due, 0)
        total = Amounts(interest=borne)
        self.accrued_interest[row.due] = self.accrued_interest.get(row.due, 0) + borne
        refs = {one.ref for one in self.position().charges if self._row_of(one.due) == row.due}
        for one in self.charges:
            on = one.added if self.accrue_on == "submitted-date" else one.due
            if not one.accrued and on < self.today and (one.n * 10).to_bytes(4) in refs:
                total = total.plus(self._as_amounts(one))
                one.accrued = True
        self._accrue(event, until, total, step=number)

    def _row_of(self, due: date) -> date:
        """The due date of the row that holds a charge."""
        rows = [row.due for row in self.position().rows if row.kind != "down_payment"]
        return next((row for row in rows if row >= due), rows[-1])

    def _as_amounts(self, one: ChargeFact) -> Amounts:
        penalty = self.catalogue["charges"][one.kind]["penalty"]
        waived = next((c.waived for c in self.position().charges if c.ref == (one.n * 10).to_bytes(4)), 0)
        left = one.amount - waived
        return Amounts(penalty=left) if penalty else Amounts(fee=left)

    def _accrue(self, event: Json, on: date, amounts: Amounts, *, step: int = 0, closing: bool = False) -> None:
        if amounts.total:
            order = event["n"] * 10 + 9
            self.lines.append(Line(order, "Accrual", on, amounts.total, b"", split=amounts, step=step, closing=closing))

    def _after_transaction(self, event: Json) -> None:
        """What a transaction brings about: the range is found anew, a loan that closes accrues what is left."""
        if not self.started:
            return
        position = self.position()
        if not position.outstanding:
            total = NOTHING
            for row in position.rows:
                rest = row.owed.interest - self.accrued_interest.get(row.due, 0)
                self.accrued_interest[row.due] = row.owed.interest
                total = total.plus(Amounts(interest=rest))
            for one in self.charges:
                if not one.accrued:
                    total = total.plus(self._as_amounts(one))
                    one.accrued = True
            self._accrue(event, self._last_day(position), total, closing=True)
        self._classify(self.today)

    def _last_day(self, position: Position) -> date:
        return max((e.on for e in position.effects if e.kind == "repayment"), default=self.today)

    def _classify(self, on: date) -> None:
        position = self.position()
        late = lateness(position, self.rules, on)
        found = range_of(self.ranges, late.delinquent_days)
        name = found.name if found else "NO_DELINQUENCY"
        if name != self.range_name and self.history and self.history[0][2] is None:
            self.history[0][2] = on
        if name != self.range_name and found:
            self.history.insert(0, [name, on, None])
        self.range_name = name
        if self.product.get("installment_level_delinquency"):
            self.by_row = by_instalment(position, self.rules, self.ranges, on)

    def settle_lines(self) -> None:
        """Give each line in force what the engine says of its movement."""
        position = self.position()
        for line in self.lines:
            effect = position.effect_of(line.ref) if line.ref and not line.reverted else None
            if effect is not None:
                line.split, line.balance, line.excess = effect.split, max(effect.principal_after, 0), effect.excess
                line.amount = effect.amount or effect.split.total
                if line.title == "Disbursement" or not line.booked:
                    line.split = NOTHING
