"""What a scenario expects, as our engine says it, and where the two differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

from ledger.loan.servicing.amounts import NOTHING, Amounts
from ledger.loan.servicing.delinquency import lateness
from ledger.loan.servicing.position import ChargeLine, Instalment, Position
from tests.support.fineract.facts import NotReproduced, Tranche
from tests.support.fineract.history import history_as_written
from tests.support.fineract.loan import Loan

Json = Mapping[str, Any]
SAME = "same"
"""What a view says that compared by itself and found no difference."""

WITHOUT_BALANCE = ("Accrual", "Re-age", "Re-amortize", "Charge-off")


def differences(loan: Loan, expected: Json) -> Iterator[str]:
    """Where the loan is not as expected, one text for each; nothing where it is."""
    if not loan.started and ({"schedule", "totals"} & set(expected)):
        loan = loan.as_planned()
    loan.settle_lines()
    position = loan.position()
    for key, want in expected.items():
        if key in ("after", "as_of"):
            continue
        view = VIEWS.get(key)
        if view is None:
            raise NotReproduced(f"expectation {key}")
        found = view(loan, position, want)
        if found not in (want, SAME):
            yield f"{key}: {_first_difference(found, want)}"


def _first_difference(found: Any, want: Any) -> str:
    if isinstance(found, list) and isinstance(want, list) and len(found) == len(want):
        for one, other in zip(found, want, strict=True):
            if one != other:
                return _first_difference(one, other)
    if isinstance(found, dict) and isinstance(want, dict):
        parts = [f"{k} {found.get(k)!r} not {want[k]!r}" for k in want if found.get(k) != want[k]]
        parts += [f"{k} {found[k]!r} unexpected" for k in found if k not in want]
        return f"{want.get('n', '')} {want.get('due_date') or want.get('date') or ''} " + "; ".join(parts)
    return f"{found!r} not {want!r}"


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _named(amounts: Amounts) -> dict[str, int]:
    return {
        "principal": amounts.principal, "interest": amounts.interest, "fee": amounts.fee, "penalty": amounts.penalty,
    }  # fmt: skip


def _as_row(n: int, row: Instalment, days: int, balance: int, want: Json) -> dict[str, Any]:
    shown = {
        "n": n,
        "days": days,
        "due_date": _iso(row.due),
        "paid_date": _iso(row.met_on),
        "balance": balance,
        **_named(row.owed),
        "due": row.owed.total,
        "paid": row.met.total,
        "in_advance": row.in_advance.total,
        "late": row.late.total,
        "outstanding": row.unmet.total,
    }
    if "waived" in want:
        shown["waived"] = row.waived.total or None if want["waived"] is None else row.waived.total
    return shown


def schedule(loan: Loan, position: Position, want: Json) -> Any:
    """Rows and a line for each disbursement, in their order: by due date, within a day as they stand."""
    wanted = sorted(want["rows"], key=lambda line: line["due_date"])
    shapes = iter([line for line in wanted if line["n"] is not None])
    given = next((line for line in wanted if line["n"] is None), {})
    found, running, n = [], 0, 0
    for one in _in_order(loan, position):
        if isinstance(one, Tranche):
            running += one.amount
            found.append(_as_disbursement(loan, one.on, one.amount, given))
        else:
            n += 1
            running += one.credited - one.owed.principal
            found.append(_as_row(n, one, _days(loan, position, one), running, next(shapes, {})))
    if found != wanted or want["installments"] != n:
        return f"{n} rows of {want['installments']}: {_first_difference(found, wanted)}"
    return SAME


def _in_order(loan: Loan, position: Position) -> Iterator[Tranche | Instalment]:
    """Disbursements and rows as the table has them."""
    pending = sorted(loan.tranches, key=lambda one: (one.on, one.n))
    for row in position.rows:
        while pending and _comes_before(loan, pending[0].on, row):
            yield pending.pop(0)
        yield row
    yield from pending


def _days(loan: Loan, position: Position, row: Instalment) -> int:
    """Days of a row's period; a down payment has none."""
    if row.kind == "down_payment":
        return 0
    earlier = [one.due for one in position.rows if one.kind != "down_payment" and one.due < row.due]
    return (row.due - max([min(one.on for one in loan.tranches), *earlier])).days


def _text(row: Json) -> str:
    return json.dumps(row, sort_keys=True)


def _as_disbursement(loan: Loan, on: date, amount: int, want: Json) -> dict[str, Any]:
    """The line of a disbursement: nothing is due on it; before it happened nothing is said to be paid either."""
    shown: dict[str, Any] = dict.fromkeys(("n", "days", "paid_date", "principal", "interest", "penalty", "in_advance"))
    shown |= {"late": None, "due_date": _iso(on), "balance": amount, "fee": 0, "due": 0}
    shown |= {"paid": 0, "outstanding": None} if loan.started else {"paid": None, "outstanding": 0}
    return shown | ({"waived": None} if "waived" in want else {})


def _comes_before(loan: Loan, on: date, row: Instalment) -> bool:
    """Whether a disbursement stands before a row in the table."""
    if row.kind == "down_payment" or loan.cumulative:
        return on <= row.due
    return on < row.due


def totals(loan: Loan, position: Position, want: Json) -> dict[str, Any]:
    """Sums over all rows."""
    rows = position.rows
    owed, met, ahead, late = NOTHING, NOTHING, NOTHING, NOTHING
    for row in rows:
        owed, met = owed.plus(row.owed), met.plus(row.met)
        ahead, late = ahead.plus(row.in_advance), late.plus(row.late)
    shown: dict[str, Any] = {
        **_named(owed), "due": owed.total, "paid": met.total, "in_advance": ahead.total, "late": late.total,
        "outstanding": position.unmet.total,
    }  # fmt: skip
    if "waived" in want:
        shown["waived"] = sum(row.waived.total for row in rows)
    return shown


def transactions(loan: Loan, position: Position, want: Any) -> Any:
    """The whole list in its order: by value date, within a day as it was booked. Only whether an accrual that a closing
    transaction booked stands before or after that transaction is not compared: the source writes one pair both ways."""
    lines = sorted(loan.lines, key=lambda line: line.place)
    if len(want) != len(lines):
        return [f"{line.on} {line.title} {line.amount}" for line in lines]
    wanted = list(want)
    for n, (one, after) in enumerate(pairwise(lines)):
        if after.closing and one.on == after.on and one.order // 10 == after.order // 10:
            wanted[n : n + 2] = sorted(wanted[n : n + 2], key=lambda line: line["type"] == "Accrual")
    found = [_as_transaction(line, shape) for line, shape in zip(lines, wanted, strict=True)]
    return SAME if found == wanted else _first_difference(found, wanted)


def _as_transaction(line: Any, want: Json) -> dict[str, Any]:
    shown = {
        "date": _iso(line.on),
        "type": line.title,
        "amount": line.amount,
        **_named(line.split),
        "balance": 0 if line.title in WITHOUT_BALANCE else line.balance,
    }
    if "reverted" in want:
        shown["reverted"] = line.reverted
    if "overpayment" in want:
        shown["overpayment"] = line.excess
    return shown


def has_transaction(loan: Loan, position: Position, want: Json) -> Any:
    """One transaction that the list holds."""
    found = [_as_transaction(line, want) for line in loan.lines]
    return want if want in found else found


NAMES = {
    "LOAN_PERCENTAGE_PROCESSING_FEE": "% Processing fee",
    "LOAN_PERCENTAGE_LATE_FEE": "% Late fee",
    "LOAN_PERCENTAGE_LATE_FEE_AMOUNT_PLUS_INTEREST": "% Late fee amount+interest",
}
"""The source's names of the charges to which the catalogue gives none."""

CALCULATIONS = {
    "flat": "Flat",
    "pct_of_amount": "% Amount",
    "pct_of_amount_plus_interest": "% Loan Amount + Interest",
}


def charges(loan: Loan, position: Position, want: Any) -> list[dict[str, Any]]:
    """The charges; the source looks for each among all, so that they have no order."""
    shown = [_as_charge(loan, one) for one in _charge_lines(loan, position)]
    return SAME if sorted(map(_text, shown)) == sorted(map(_text, want)) else shown


def _charge_lines(loan: Loan, position: Position) -> list[ChargeLine]:
    known = {one.ref: one for one in position.charges}
    return [known[ref] for fact in loan.charges if (ref := (fact.n * 10).to_bytes(4)) in known]


def _as_charge(loan: Loan, one: ChargeLine) -> dict[str, Any]:
    fact = next(fact for fact in loan.charges if (fact.n * 10).to_bytes(4) == one.ref)
    definition = loan.catalogue["charges"][fact.kind]
    return {
        "name": definition.get("name") or NAMES[fact.kind],
        "penalty": definition["penalty"],
        "timing": {"specified_due_date": "Specified due date", "overdue": "Overdue Fees"}[definition["timing"]],
        "due_date": _iso(one.due),
        "calculation": CALCULATIONS[definition["calculation"]],
        "amount": one.amount,
        "paid": one.met,
        "waived": one.waived,
        "outstanding": one.unmet,
    }


def has_charge(loan: Loan, position: Position, want: Json) -> Any:
    """One charge that the loan has."""
    found = [_as_charge(loan, one) for one in _charge_lines(loan, position)]
    return want if want in found else found


def status(loan: Loan, position: Position, want: str) -> str:
    """Fineract's word for where the loan stands."""
    if not loan.started:
        return "APPROVED" if loan.approved else "SUBMITTED_AND_PENDING_APPROVAL"
    return {
        "active": "ACTIVE", "overpaid": "OVERPAID", "paid": "CLOSED_OBLIGATIONS_MET", "written_off": "CLOSED_WRITTEN_OFF",
        "none": "ACTIVE",
    }[position.standing]  # fmt: skip


def delinquency(loan: Loan, position: Position, want: Json) -> dict[str, Any]:
    """Days and amount are of today, the range is that of the last batch or transaction."""
    late = lateness(position, loan.rules, loan.today)
    return {
        "range": loan.range_name,
        "amount": late.amount,
        "since": _iso(late.since),
        "delinquent_days": late.delinquent_days,
        "past_due_days": late.days_past_due,
    }


def delinquency_range(loan: Loan, position: Position, want: Json) -> dict[str, Any]:
    """The range of the last batch or transaction."""
    late = lateness(position, loan.rules, loan.today)
    known = loan.range_name != "NO_DELINQUENCY"
    return {"range": loan.range_name, "since": _iso(late.since) if known else None}


def delinquency_by_installment(loan: Loan, position: Position, want: Any) -> list[dict[str, Any]]:
    """Ranges with the amounts of their rows."""
    return [{"range": name, "amount": amount} for name, amount in loan.by_row.items()]


def delinquency_history(loan: Loan, position: Position, want: Any) -> Any:
    """Ranges that were, newest first, each with its first day and the day on which it was lifted."""
    return SAME if history_as_written(loan, want) else [[name, str(on), str(to)] for name, on, to in loan.history]


def pause_periods(loan: Loan, position: Position, want: Any) -> list[dict[str, Any]]:
    """Pauses and whether they run today."""
    return [
        {"active": start <= loan.today and (end is None or loan.today <= end), "start": _iso(start), "end": _iso(end)}
        for start, end in position.pauses
    ]


def reverted(loan: Loan, position: Position, want: Json) -> Any:
    """Whether a transaction was undone."""
    found = [
        {"type": line.title, "date": _iso(line.on), "reverted": line.reverted}
        for line in loan.lines
        if line.title == want["type"] and _iso(line.on) == want["date"]
    ]
    return want if want in found else found


def overdue(loan: Loan, position: Position, want: Any) -> Any:
    """What is past due today, in all or by component, as it is asked for."""
    late = position.overdue(loan.today)
    return (
        {key: late.total if key == "total" else _named(late)[key] for key in want}
        if isinstance(want, dict)
        else late.total
    )


def nth_reverted(loan: Loan, position: Position, want: Json) -> Any:
    """Whether the nth transaction of the list was undone."""
    lines = sorted(loan.lines, key=lambda line: line.place)
    line = lines[want["n"] - 1]
    return want if line.reverted and line.title == want["type"] else {"n": want["n"], "type": line.title}


def transaction_count(loan: Loan, position: Position, want: Json) -> Json:
    """How many transactions of a type are in force."""
    title = want["type"].replace("_", " ").title()
    return {"type": want["type"], "count": sum(line.title == title and not line.reverted for line in loan.lines)}


def last_payment(loan: Loan, position: Position, want: Json) -> Json:
    """The newest payment, and the newest repayment among the payments."""
    paid = [e for e in position.effects if e.kind == "repayment"]
    payments = [line for line in loan.lines if not line.reverted and any(e.ref == line.ref for e in paid)]
    repaid = [line for line in payments if line.title == "Repayment"]
    newest = max(payments, key=lambda line: line.place)
    repayment = max(repaid, key=lambda line: line.place)
    return {
        "amount": newest.amount, "date": _iso(newest.on), "repayment_amount": repayment.amount,
        "repayment_date": _iso(repayment.on),
    }  # fmt: skip


def maturity(loan: Loan, position: Position, want: Json) -> Json:
    """The last due date of the plan, and the day on which all was met."""
    return {"actual": actual_maturity(loan, position, ""), "expected": _iso(loan.planned()[-1].due)}


def actual_maturity(loan: Loan, position: Position, want: str) -> str | None:
    """The day on which all was met, or else the last due date."""
    if position.standing in ("paid", "overpaid"):
        return _iso(max(row.met_on for row in position.rows if row.met_on))
    return _iso(position.rows[-1].due)


def next_due(loan: Loan, position: Position, want: str) -> str | None:
    """The due date that a borrower is told of: the oldest unmet, or the first unmet that is still to come."""
    unmet = [row.due for row in position.rows if row.unmet.total]
    if loan.next_due_from == "next-unpaid-due-date":
        unmet = [due for due in unmet if due > loan.today] or unmet[-1:]
    return _iso(unmet[0]) if unmet else None


VIEWS: dict[str, Any] = {
    "schedule": schedule,
    "totals": totals,
    "transactions": transactions,
    "has_transaction": has_transaction,
    "charges": charges,
    "has_charge": has_charge,
    "status": status,
    "status_event": status,
    "outstanding": lambda loan, position, want: position.outstanding,
    "overpaid": lambda loan, position, want: position.overpaid,
    "overdue": overdue,
    "delinquency": delinquency,
    "delinquency_range": delinquency_range,
    "delinquency_by_installment": delinquency_by_installment,
    "delinquency_history": delinquency_history,
    "pause_periods": pause_periods,
    "pause_actions": lambda loan, position, want: list(loan.pauses),
    "reverted": reverted,
    "nth_reverted": nth_reverted,
    "transaction_count": transaction_count,
    "last_payment": last_payment,
    "charged_off_on": lambda loan, position, want: _iso(position.charged_off_on),
    "maturity": maturity,
    "actual_maturity": actual_maturity,
    "next_due": next_due,
}


def failures(scenario: Json, catalogue: Json) -> list[str]:
    """All differences of a scenario, each with the event after which it shows."""
    loan = Loan(scenario, catalogue)
    found = []
    for event in ({"n": 0}, *scenario["events"]):
        if event["n"]:
            loan.take(event)
        for expected in scenario["expected"]:
            if expected["after"] == event["n"]:
                found += [f"after {event['n']}: {text}" for text in differences(loan, expected)]
    return found
