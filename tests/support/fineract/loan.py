"""One scenario's loan: its events as movements, with what a server remembers of the moments in between.

The engine folds all movements anew after each event. What it cannot know because it is a server's memory is kept here:
the split that an undone transaction had, the amount of an automatic down payment, accruals that a nightly batch
booked, and the delinquency range found at the last batch or transaction.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ledger.loan.servicing.amounts import rounded
from ledger.loan.servicing.annuity import Interest, declining, flat
from ledger.loan.servicing.movements import Movement, Row
from ledger.loan.servicing.plan import Reschedule, Terms, down_payment, opening, rescheduled, stepped, tranche
from ledger.loan.servicing.position import Position, service
from ledger.loan.servicing.renewal import renewed
from tests.support.fineract.facts import ChargeFact, Line, NotReproduced, Tranche
from tests.support.fineract.rules import ranges_of, rules_of
from tests.support.fineract.server import Server

Json = Mapping[str, Any]

TITLES = {
    "repay": "Repayment",
    "goodwill_credit": "Goodwill Credit",
    "payout_refund": "Payout Refund",
    "merchant_refund": "Merchant Issued Refund",
    "charge_adjustment": "Charge Adjustment",
    "chargeback": "Chargeback",
    "credit_balance_refund": "Credit Balance Refund",
    "charge_off": "Charge-off",
    "reage": "Re-age",
    "reamortize": "Re-amortize",
    "waive_charge": "Waive loan charges",
    "disburse": "Disbursement",
}
FEWER = ("REDUCE_NUMBER_OF_INSTALLMENTS",)
PAYMENTS = ("repay", "goodwill_credit", "payout_refund", "merchant_refund", "charge_adjustment")


def merged(rows: tuple[Row, ...], added: tuple[Row, ...]) -> tuple[Row, ...]:
    """Rows with a tranche's rows on top; a down payment comes before an instalment of its day."""
    together = {row.due: row for row in rows if row.kind != "down_payment"}
    downs = [row for row in (*rows, *added) if row.kind == "down_payment"]
    for row in added:
        if row.kind != "down_payment":
            there = together.get(row.due)
            together[row.due] = replace(row, principal=row.principal + (there.principal if there else 0))
    return tuple(sorted((*downs, *together.values()), key=lambda row: row.due))


def day(text: str) -> date:
    return date.fromisoformat(text)


@dataclass
class Loan(Server):
    """A loan that events happen to."""

    scenario: Json
    catalogue: Json
    today: date = date.min
    movements: list[Movement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    charges: list[ChargeFact] = field(default_factory=list)
    tranches: list[Tranche] = field(default_factory=list)
    rates: list[tuple[date, int]] = field(default_factory=list)
    reschedules: list[Any] = field(default_factory=list)
    approved: bool = False
    expected: date = date.max
    started: bool = False
    range_name: str = "NO_DELINQUENCY"
    by_row: dict[str, int] = field(default_factory=dict)
    history: list[list[Any]] = field(default_factory=list)
    pauses: list[Json] = field(default_factory=list)
    batched_on: date | None = None
    late_fees: set[date] = field(default_factory=set)
    accrued_interest: dict[date, int] = field(default_factory=dict)
    accrue_on: str = "due-date"
    next_due_from: str = "earliest-unpaid-date"

    def __post_init__(self) -> None:
        self.terms = self.scenario["terms"]
        self.product = self.catalogue["products"][self.terms["product"]]
        self.rules = rules_of(self.terms, self.product, self.catalogue["allocation_orders"])
        self.ranges = ranges_of(self.catalogue["delinquency_buckets"][self.product["delinquency_bucket"]])
        self.cumulative = self.rules.charges_from == "start"
        for key, value in (self.scenario.get("config") or {}).items():
            self._configure(key, value)
        self.bears = bool(self.terms["rate_ppm"])
        if self.bears and (self.product["down_payment"] or self.terms["amortization"] != "EQUAL_INSTALLMENTS"):
            raise NotReproduced("interest of this product")
        if self.product.get("advance_payment_adjustment") == "RESCHEDULE_NEXT_REPAYMENTS":
            raise NotReproduced("early money that moves the next due dates")
        if self.product.get("compounding", "NONE") != "NONE":
            raise NotReproduced("compounding interest")

    # -- the plan --------------------------------------------------------------------------------------------------

    def plan_terms(self) -> Terms:
        """The loan's terms as of its first disbursement."""
        every = self.terms["repay_every"]
        return Terms(
            start=min(one.on for one in self.tranches),
            every=every["n"],
            unit=every["unit"].lower(),
            count=self.terms["n_repayments"],
            multiple=self.rules.multiple,
            down_payment_bp=100 * (self.product["down_payment_pct"] if self.product["down_payment"] else 0),
            share_of="all" if self.cumulative else "left",
            same_day=self.cumulative,
        )

    def planned(self) -> tuple[Row, ...]:
        """All rows of the plan, all tranches together, reschedules done, in the order of their days."""
        terms = self.plan_terms()
        if self.bears:
            return self._with_interest(terms)
        rows: tuple[Row, ...] = ()
        for step in self.steps():
            if isinstance(step, Reschedule):
                rows = rescheduled(terms, rows, step)
            elif not rows:
                rows = opening(terms, step.amount)
            else:
                planned = tuple(row for row in rows if row.kind != "down_payment")
                rows = merged(rows, tranche(terms, step.amount, step.on, planned))
        return rows

    def _with_interest(self, terms: Terms) -> tuple[Row, ...]:
        """The rows of a loan of one tranche that bears interest."""
        if len(self.tranches) > 1 or self.reschedules:
            raise NotReproduced("interest with several tranches or other due dates")
        interest = Interest(
            rate_ppm=self.terms["rate_ppm"],
            daily=self.terms["interest_period"] == "DAILY",
            year_days=366 if calendar.isleap(terms.start.year) else 365,
            grace_principal=self.terms["grace_principal"],
            grace_interest=self.terms["grace_interest"],
            early="fewer_rows" if self.product.get("advance_payment_adjustment") in FEWER else "lower_instalment",
            rest="due_day" if self._rests_on_due_days() else "own_day",
        )
        amount = self.tranches[0].amount
        if self.terms["interest_type"] == "FLAT":
            rows = flat(terms, interest, amount)
            for on, rate in self.rates:
                later = flat(terms, replace(interest, rate_ppm=rate), amount)
                rows = tuple(new if new.due >= on else old for old, new in zip(rows, later, strict=True))
            return rows
        if not self.product.get("interest_recalculation"):
            return declining(terms, interest, amount)
        return renewed(terms, interest, amount, self.rules, self.movements, late="running_period")

    def _rests_on_due_days(self) -> bool:
        return self.product.get("recalculation_rest_frequency") == "SAME_AS_REPAYMENT"

    def _refuse_arrears(self) -> None:
        """A product that computes interest anew every day charges it on arrears day by day: no scenario shows how."""
        daily = self.product.get("interest_recalculation") and not self._rests_on_due_days()
        if self.bears and daily and self.started and self.position().oldest_unmet(self.today) is not None:
            raise NotReproduced("interest on arrears, daily")

    def steps(self) -> list[Tranche | Reschedule]:
        """Tranches and reschedules in the order in which they count."""
        dated = [(one.on, one.n, one) for one in self.tranches] + self.reschedules
        return [step for _, _, step in sorted(dated, key=lambda entry: entry[:2])]

    def as_planned(self) -> Loan:
        """The loan as if it were disbursed on the day for which that is expected: what is shown until it is."""
        start = self.expected if self.approved else max(self.expected, self.today)
        shown = Loan(self.scenario, self.catalogue, today=self.today, approved=self.approved)
        shown.tranches = [Tranche(0, start, self.terms["principal"])]
        rows = shown.planned()
        shown.movements = [Movement(kind="plan", on=min(start, self.today), order=1, ref=b"plan", rows=rows)]
        return shown

    def all_movements(self) -> list[Movement]:
        """The movements as the engine gets them: in a cumulative product the plan was so from the first day, in a
        progressive one each disbursement brings the rows that it adds to those before it."""
        if not self.tranches:
            return self.movements
        if self.cumulative:
            first = min(one.on for one in self.tranches)
            whole = Movement(kind="plan", on=first, order=0, ref=b"plan", rows=self.planned(), scope="whole")
            return [whole, *self.movements]
        added = self._added_rows()
        return [replace(m, rows=added[m.order]) if m.order in added else m for m in self.movements]

    def _added_rows(self) -> dict[int, tuple[Row, ...]]:
        """Order of a disbursement -> the rows that it adds."""
        terms, added, rows = self.plan_terms(), dict[int, tuple[Row, ...]](), tuple[Row, ...]()
        for one in sorted(self.tranches, key=lambda tranche: (tranche.on, tranche.n)):
            planned = tuple(row for row in rows if row.kind != "down_payment")
            new = tranche(terms, one.amount, one.on, planned) if rows else opening(terms, one.amount)
            added[one.n * 10], rows = new, merged(rows, new)
        return added

    def position(self) -> Position:
        """Where the loan stands today."""
        return service(self.rules, self.all_movements(), self.today)

    # -- events ----------------------------------------------------------------------------------------------------

    def take(self, event: Json) -> None:
        """One event happens."""
        self.today = day(event["as_of"])
        if event.get("rejected"):
            return
        kind = event["type"]
        if self.started and self.batched_on and kind not in ("clock", "cob", "config", "pause", "resume"):
            self._catch_up()
        if kind in PAYMENTS:
            self._pay(event)
        else:
            handler = getattr(self, f"_on_{kind}", None)
            if handler is None:
                raise NotReproduced(f"event {kind}")
            handler(event)
        self._refuse_arrears()
        if kind not in ("clock", "cob", "config", "submit", "approve", "pause", "resume"):
            self._after_transaction(event)

    def _add(self, event: Json, kind: str, title: str | None, step: int = 0, **members: Any) -> Movement:
        """A movement, and its line in the list."""
        order = event["n"] * 10 + step
        on = day(event["date"]) if "date" in event else self.today
        movement = Movement(kind=kind, on=on, order=order, ref=order.to_bytes(4), **members)  # type: ignore[arg-type]
        self.movements.append(movement)
        if title:
            self.lines.append(Line(order, title, on, movement.amount, movement.ref))
        return movement

    def _on_submit(self, event: Json) -> None:
        self.expected = day(event["date"])

    def _on_approve(self, event: Json) -> None:
        self.approved = True
        self.expected = day(event["expected_disbursement"])

    def _on_clock(self, event: Json) -> None:
        pass

    def _on_config(self, event: Json) -> None:
        self._configure(event["key"], event["value"])

    def _configure(self, key: str, value: str) -> None:
        if key == "charge-accrual-date":
            self.accrue_on = value
        elif key == "next-payment-due-date":
            self.next_due_from = value
        else:
            raise NotReproduced(f"setting {key}")

    def _on_disburse(self, event: Json) -> None:
        self.started = True
        one = Tranche(event["n"], day(event["date"]), event["amount"])
        self.tranches.append(one)
        self._add(event, "disbursement", TITLES["disburse"], amount=one.amount)
        if self.product["down_payment"] and self.product["auto_down_payment"]:
            self._down_payment(event, one)

    def _down_payment(self, event: Json, one: Tranche) -> None:
        """The automatic down payment: progressive products take only what its row still owes."""
        position = self.position()
        amount = min(down_payment(self.plan_terms(), one.amount), position.outstanding)
        if not self.cumulative:
            rows = [row for row in position.rows if row.kind == "down_payment" and row.due == one.on]
            amount = min(amount, rows[-1].unmet.total)
        if amount:
            self._add(event, "repayment", "Down Payment", 5, amount=amount, payment="down_payment")

    def _on_reschedule(self, event: Json) -> None:
        """Due dates or the number of rows change; only cumulative products have it here."""
        if not self.cumulative:
            raise NotReproduced("reschedule of this product")
        if "new_rate_pct" in event:
            if self.terms["interest_type"] != "FLAT":
                raise NotReproduced("another rate on a declining balance")
            self.rates.append((day(event["from"]), round(float(event["new_rate_pct"]) * 10_000)))
            return
        to = day(event["adjusted_due_date"]) if "adjusted_due_date" in event else None
        change = Reschedule(from_due=day(event["from"]), to=to, extra=event.get("extra_terms", 0))
        self.reschedules.append((day(event["date"]), event["n"], change))

    def _pay(self, event: Json) -> None:
        name = {"repay": "repayment"}.get(event["type"], event["type"])
        self._add(event, "repayment", TITLES[event["type"]], amount=event["amount"], payment=name)

    def _on_charge(self, event: Json) -> None:
        definition = self.catalogue["charges"][event["kind"]]
        amount = event.get("amount")
        if "pct" in event:
            base = sum(row.amounts.principal + row.amounts.interest for row in self.planned())
            amount = rounded(round(float(event["pct"]) * 10_000) * base, 1_000_000)
        if amount is None:
            raise NotReproduced(f"charge {event['kind']} without amount")
        due = day(event["due_date"])
        self.charges.append(ChargeFact(event["n"], event["kind"], due, amount, self.today))
        component = "penalty" if definition["penalty"] else "fee"
        self._add(event, "charge", None, amount=amount, component=component, due=due)

    def _on_waive_charge(self, event: Json) -> None:
        target = (event["target"] * 10).to_bytes(4)
        fact = next(one for one in self.charges if one.n == event["target"])
        day_of_it = min(day(event["date"]), fact.due)
        self._add({**event, "date": day_of_it.isoformat()}, "waiver", TITLES["waive_charge"], target=target)
        self.lines[-1].booked = fact.accrued

    def _on_chargeback(self, event: Json) -> None:
        target = (event["target"] * 10).to_bytes(4)
        self._add(event, "chargeback", TITLES["chargeback"], amount=event["amount"], target=target)

    def _on_credit_balance_refund(self, event: Json) -> None:
        self._add(event, "credit_refund", TITLES["credit_balance_refund"], amount=event["amount"])

    def _on_charge_off(self, event: Json) -> None:
        self._add(event, "charge_off", TITLES["charge_off"])

    def _on_reage(self, event: Json) -> None:
        every = event["every"]
        rows = tuple(
            Row(n=0, due=stepped(day(event["start"]), every["n"], every["unit"].lower(), times))
            for times in range(event["n_installments"])
        )
        self._add(event, "re_age", TITLES["reage"], rows=rows)

    def _on_reamortize(self, event: Json) -> None:
        self._add(event, "re_amortise", TITLES["reamortize"])

    def _on_undo(self, event: Json) -> None:
        self._take_back(event["target"] * 10)

    def _on_undo_charge_off(self, event: Json) -> None:
        line = next(line for line in reversed(self.lines) if line.title == "Charge-off" and not line.reverted)
        self._take_back(line.order)

    def _take_back(self, order: int) -> None:
        """An undone transaction stays in the list with the split it had."""
        line = next(line for line in self.lines if line.order == order)
        self.settle_lines()
        line.reverted = True
        self.movements = [movement for movement in self.movements if movement.order != order]

    def _on_undo_disbursal(self, event: Json) -> None:
        self.movements = [m for m in self.movements if m.kind == "charge"]
        self.lines, self.tranches, self.started = [], [], False

    def _on_undo_last_disbursal(self, event: Json) -> None:
        """The last tranche goes, and every transaction since."""
        last = self.tranches.pop()
        self.movements = [m for m in self.movements if m.order < last.n * 10 or m.kind == "charge"]
        self.lines = [line for line in self.lines if line.order < last.n * 10]

    def _on_pause(self, event: Json) -> None:
        self.pauses.append({"action": "PAUSE", "start": event["date"], "end": event["until"]})
        self._add(event, "pause", None, until=day(event["until"]))

    def _on_resume(self, event: Json) -> None:
        self.pauses.append({"action": "RESUME", "start": event["date"], "end": None})
        self._add(event, "resume", None)
