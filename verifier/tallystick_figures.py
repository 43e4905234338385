"""What do a loan's attestations say of its figures? The second fold of a loan, written from its rules alone.

    found, unsure = figures(events, as_of)     of attestations in log order, as parsed JSON
    ok, detail = judge(shown, complete, events)     True: they agree; False: they do not; None: it cannot be told

- What is known beside the money is folded in log order, each kind by its row of FACTS: the newest word counts.
- Money is folded in the order of days, each kind by its row of MOVES, since a payment may be told late.
- What this cannot replay makes the money unsure, not wrong: charges, waivers, reversals, a second plan, unusual terms,
  money told after the books of a later day. A correction, a deletion or an event after the day leaves nothing sure.
- A complete line must show exactly what is sure; a partial one must agree in what no hidden event could move.

It reads no file and proves no signature: tallystick_verify.py does, and asks this file about each line.
"""
from __future__ import annotations

import json
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

TERMS = ["collateral", "frequency", "instalments", "limit", "portfolioType", "principal", "ratePpm"]
FIXED = {*TERMS, "continues", "currency", "opened", "product"}  # no hidden event moves it
MONEY = {"balance", "closed", "delinquentDays", "dpd", "flags", "lastPaid", "pastDue", "since", "stage"}  # payments do
BOUGHT = {"firstDelinquency", "history", "historyFrom"}  # what goes on from the account before, at another lender
FIGURES = FIXED | MONEY | BOUGHT | {"scheduled", "status"}
NAMES = {"account", "asOf", "lender"}  # which line it is
FLAGS = ["charged_off", "closed", "defaulted", "disputed", "forborne", "paused"]
CODES = {  # what a month of this status is called in the history
    "charged_off": "L", "closed": "E", "collection": "G", "foreclosed": "H", "repossessed": "K", "surrendered": "J"}
LINES = {"line_of_credit", "open", "revolving"}  # credit that may be drawn again: paid to nothing, it stays open
UNUSUAL = {"allocationOrder", "businessDayConvention", "excessRule"}  # terms of which this knows no rule
PARTS = ("fee", "interest", "principal")

STAGES = {  # an event, or a stage and an event -> the stage after it; any other event leaves the stage as it is
    "application": "applied", "approved": "approved", "new+agreement": "approved", "applied+agreement": "approved",
    "declined": "declined", "applied+withdrawn": "withdrawn", "approved+withdrawn": "cancelled",
    "cancelled": "cancelled", "disbursement": "active", "approved+status_snapshot": "active", "paid": "active",
    "refinanced": "refinanced", "settled_short": "settled_short", "fraud": "fraud", "transfer": "sold",
    "transferred": "sold", "written_off": "written_off", "written_off+recovery": "recovered",
}
FACTS: dict[str, Any] = {  # kind: (loan, body, day) -> what it says beside the money
    "agreement": lambda s, b, d: dict.fromkeys(TERMS) | {"collateral": False, "graceDays": 0, "opened": d} | b,
    "charge_off": lambda s, b, d: {
        "charged_off": s.charged_off or d, "firstDelinquency": s.firstDelinquency or b.get("firstDelinquency")},
    "closure": lambda s, b, d: {"closed": d},
    "cure": lambda s, b, d: {"defaulted": s.defaulted and date.fromisoformat(b["probationEnd"])},
    "default": lambda s, b, d: {"defaulted": date.max},
    "dispute": lambda s, b, d: {"disputed": b["state"] == "opened"},
    "pause": lambda s, b, d: {"pauses": [*s.pauses, (date.fromisoformat(b["start"]), date.fromisoformat(b["until"]))]},
    "restructure": lambda s, b, d: {"forborne": s.forborne or b.get("forborne")},
    "resume": lambda s, b, d: {"pauses": [(start, min(until, d)) for start, until in s.pauses if start <= d]},
    "transfer": lambda s, b, d: {"closed": d},
}
MOVES: dict[str, Any] = {  # kind: (loan, body, day) -> what it does to the money; odd: more than is told here
    "agreement": lambda s, b, d: {"line": b["portfolioType"] in LINES, "odd": s.odd or UNUSUAL & {*b}},
    "charge": lambda s, b, d: {"odd": True},
    "closure": lambda s, b, d: {} if b["cause"] != "paid" else {
        "balance": 0, "cleared": d, "pastDue": 0, "plan": [], "since": None, "stated": True, "odd": s.odd or s.late},
    "delinquency": lambda s, b, d: {"odd": True},
    "disbursement": lambda s, b, d: {"balance": (s.balance or 0) + s.take, "odd": s.odd or s.planned},
    "repayment": lambda s, b, d: {  # what the books call overdue takes it first, then the plan
        "balance": None if s.balance is None else s.balance - s.take, "lastPaid": max(s.lastPaid or d, d),
        "cleared": s.cleared or (None if s.line or s.balance is None else d), "odd": s.odd or (s.planned and s.share),
        "met": s.met + max(s.take - (s.pastDue or 0), 0), "pastDue": s.pastDue and max(s.pastDue - s.take, 0),
        "since": s.since if s.pastDue is None or s.pastDue > s.take else None},
    "reversal": lambda s, b, d: {"odd": True},
    "schedule": lambda s, b, d: {
        "balance": max(s.balance or 0, total(b["rows"], "principal")) + total(b["rows"], "fee", "interest"),
        "odd": s.odd or s.planned or s.stated or s.lastPaid or b["cause"] in ("correction", "restructure"),
        "plan": [(date.fromisoformat(row["due"]), total([row], *PARTS)) for row in b["rows"]], "planned": True},
    "status_snapshot": lambda s, b, d: {} if "status" not in b else b | overdue_by_the_books(s, b, d) | {
        "odd": s.odd or s.late or s.plan, "stated": True, "told": d},
    "waiver": lambda s, b, d: {"odd": True},
}


def total(rows: Any, *parts: str) -> int:
    return sum(row.get(part, 0) for row in rows for part in parts)


def overdue_by_the_books(s: Any, b: Any, day: date) -> dict[str, Any]:
    """What a snapshot says of arrears; nothing, where it says neither how late nor how much nor that all is current."""
    if "dpd" not in b and "pastDue" not in b and b["status"] != "current":
        return {}
    late = b.get("dpd", 0)
    return {"pastDue": b.get("pastDue", s.pastDue if late else s.pastDue and 0),
            "since": day - timedelta(late) if late else None}


def fold(said: list[tuple[str, Any, date]]) -> SimpleNamespace:
    """The loan after all of (kind, body, day), which are in log order."""
    blank = dict.fromkeys([*FIGURES, *FLAGS, "cleared", "line", "odd", "planned", "stated", "told"])
    s = SimpleNamespace(**blank | {"stage": "new"}, graceDays=0, met=0, pauses=[], plan=[])
    for kind, b, day in said:
        event = b["cause"] if kind == "closure" else b.get("outcome", kind)
        s.stage = STAGES.get(f"{s.stage}+{event}", STAGES.get(event, s.stage))
        vars(s).update({name: b[name] for name in ("currency", "product") if name in b})
        vars(s).update(FACTS[kind](s, b, day) if kind in FACTS else {})
        if "predecessor" in b:
            link = {"account": b["predecessor"], "lender": b.get("predecessorLender")}
            s.continues = link if link["lender"] else None
    newest = -1
    for place, (kind, b, day) in sorted(enumerate(said), key=lambda each: each[1][2]):
        s.late, s.share = place < newest, b.get("allocated")  # late: told before money of a time before it
        s.take = total([s.share], "principal", "excess") if s.share else b.get("amount", 0)  # the rest is income
        vars(s).update(MOVES[kind](s, b, day) if kind in MOVES else {})
        s.cleared = None if (s.balance or 0) > 0 else s.cleared
        newest = max(newest, place) if kind in ("disbursement", "repayment", "schedule") else newest
    if s.stage == "active":  # one of the three names of a running loan
        s.closed, s.stage = s.cleared, "active" if not s.cleared else "overpaid" if s.balance else "paid"
    return s


def lateness(s: Any, as_of: date) -> dict[str, Any]:
    """Days count from the oldest instalment that is not met in full, to the day or to the loan's end."""
    ended = s.stage in ("sold", "written_off", "recovered")
    counts, last = ended or s.stage == "active", min(as_of, s.charged_off or as_of, (ended and s.closed) or as_of)
    since, left, overdue = s.since, s.met, s.pastDue if s.pastDue is not None or not s.planned else 0
    for due, amount in s.plan:
        if due < last and amount > left:
            since, overdue = since or due, (overdue or 0) + amount - left
        left = max(left - amount, 0)
    since = since if counts and since and since < last else last
    days, spared, reached = (last - since).days, 0, since
    for start, end in sorted(s.pauses):  # a day that two pauses cover counts once
        spared += max((min(end, last) - max(start, reached)).days, 0)
        reached = max(reached, min(end, last))
    return {"delinquentDays": max(days - s.graceDays - spared, 0), "dpd": days, "pastDue": overdue if counts else 0,
            "since": since if days else None}


def history(said: list[tuple[str, Any, date]], told: date) -> dict[str, Any]:
    """24 months to the one before the books' newest: the month's code, D for no report, B for before the first."""
    months = {}
    for kind, b, day in said:
        if kind == "status_snapshot":
            late = str(min(b.get("dpd", 0) // 30, 6)) if "dpd" in b or "status" in b else "D"
            months[day.year * 12 + day.month] = b.get("historyCode", CODES.get(b.get("status"), late))
    if not months:
        return {"history": None, "historyFrom": None}
    oldest, newest = max(min(months), max(months) - 83), told.year * 12 + told.month - 1  # kept: seven years
    codes = ["B" if at < oldest else months.get(at, "D") for at in range(newest, newest - 24, -1)]
    return {"history": "".join(codes), "historyFrom": f"{(newest - 1) // 12:04}-{(newest - 1) % 12 + 1:02}"}


def figures(events: list[Any], as_of: date) -> tuple[dict[str, Any], set[str]]:
    """Each of FIGURES (None: not known) and more, and which of them are unsure."""
    said = [(event["kind"], event["body"], date.fromisoformat(event["effectiveDate"])) for event in events]
    s = fold(said)
    s.paused, s.defaulted = any(a <= as_of < z for a, z in s.pauses), s.defaulted and as_of < s.defaulted
    found = vars(s) | lateness(s, as_of) | history(said, s.told or as_of)
    found["flags"] = [word for word in FLAGS if found[word]]
    if any(day > as_of or kind in ("correction", "deletion") for kind, _, day in said):
        return found, FIGURES
    return found, (MONEY if s.odd else set()) | (BOUGHT if s.continues else set())


def text(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def judge(shown: dict[str, Any], complete: bool, events: list[Any]) -> tuple[bool | None, str]:
    """Whether the figures shown, which name their lender and day, follow from the evidence; a sentence on it."""
    found, unsure = figures(events, date.fromisoformat(shown["asOf"]))
    if strange := sorted(shown.keys() - FIGURES - NAMES):
        return False, f"not a figure: {', '.join(strange)}"
    if found["continues"] and complete and unsure != FIGURES:  # the months before are the seller's, its own are its own
        own = found["history"] or ""
        theirs = shown.get("history", own) if own else ""
        if len(theirs) != len(own) or any(mine not in (month, "B") for mine, month in zip(own, theirs, strict=True)):
            return False, "its own months are others"
    held = FIGURES - unsure if complete else {name for name in FIXED - unsure if found[name] is not None}
    other = sorted(name for name in shown.keys() - NAMES if text(shown[name]) != text(found[name]) or name in unsure)
    if wrong := [name for name in other if name in held]:
        return False, f"the evidence says otherwise of {', '.join(wrong)}"
    hidden = {"charged_off", "forborne"} & ({*found["flags"]} - {*shown.get("flags", found["flags"])})
    if hidden and unsure != FIGURES:
        return False, "a flag is not shown"
    doubt = "cannot tell" if complete and unsure else "only stated"
    return None if complete and unsure else True, f"{doubt}: {', '.join(other)}" if other else "all figures agree"
