"""``bench contracts``: conditions a second on one core, in the way they are run, against a plain closure of Python.

Each event of the workload is executed whole: inputs bound, its rules' conditions evaluated, effects recorded with their
ids and hashes. ``conditions_per_s`` counts evaluated conditions over the time of whole events; ``bare_conditions_per_s``
is the engine alone on inputs that are bound already. The floor is the same conditions as Python closures on the same
inputs: what an engine costs that checks nothing. Floor and engine are interleaved, and the median is taken.
"""

from __future__ import annotations

import cProfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from hashlib import sha256
from statistics import median
from typing import Any
from uuid import UUID

from benchmarks.rooms import rooms_of
from ledger.attestation.contract_kinds import Cause
from ledger.contract.check import compile_contract
from ledger.contract.conditions import run
from ledger.contract.document import ENGINE, SCHEMA, from_values
from ledger.contract.engine import Event, Inputs, bind, execute
from ledger.contract.inputs import LoanInputs
from ledger.contract.memory import Memory
from ledger.contract.occurrences import occurrence
from ledger.contract.program import CompiledContract

EVENTS = 20_000
ROUNDS = 5
FIRST_DAY = date(2026, 1, 1)
_BATCH = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
_RULES = (
    ("late90", "loan.dpd == 90 && !loan.disputed && loan.overdue > contract.least && loan.stage == 'active'"),
    ("fee", "loan.delinquent_days > contract.grace && loan.overdue > 0 && !loan.disputed && !loan.paused"),
    ("help", "loan.dpd >= 5 && loan.dpd < 30 && loan.collateral && loan.days_since_paid > 0"),
    ("call", "loan.dpd >= 60 && loan.overdue * 10000 / loan.principal > contract.share_bp && !loan.forborne"),
)


def the_contract() -> CompiledContract:
    """Four rules on the day's tick, six terms a condition."""
    alert = {"effect": "alert.raise", "code": "BENCH", "severity": 3}
    rules = [{"id": name, "prose": "Measured.", "on": ["tick.day"], "if": text, "do": [alert], "once": "per-instalment"}
             for name, text in _RULES]  # fmt: skip
    account = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    return compile_contract(from_values({
        "account": account, "authority": {"alert.raise": ["lender"]}, "currency": "KES", "engine": ENGINE,
        "expires": "2090-01-01", "parties": {"borrower": account, "lender": "acacia"}, "rules": rules,
        "schema": SCHEMA, "terms": {"grace": 3, "least": 100, "share_bp": 500}, "title": "Measured", "v": 1,
    }))  # fmt: skip


def workload(events: int) -> list[tuple[Event, Inputs]]:
    """Day ticks of a loan that falls behind and recovers, over and over, one instalment after the other."""
    found = []
    for number in range(events):
        day, dpd = FIRST_DAY + timedelta(number % 20_000), number % 97
        commitment = sha256(number.to_bytes(8, "big")).digest()
        loan = LoanInputs(
            dpd=dpd, delinquent_days=dpd, overdue=dpd * 1_000, instalment=number // 97 % 400 + 1, principal=600_000,
            stage="active", disputed=number % 11 == 0, forborne=number % 13 == 0,
            collateral=True, days_since_paid=number % 3,
        )  # fmt: skip
        happened = (occurrence("tick.day", day, business_day=True),)
        cause = Cause(batch=_BATCH, commitment=commitment, index=number, position=0)
        found.append((Event(cause, day.toordinal(), day.toordinal(), happened), Inputs(loan)))
    return found


def floor_conditions() -> tuple[Callable[[dict[str, Any]], bool], ...]:
    """The four conditions as closures of Python over the same bound values."""
    return (
        lambda v: v["loan.dpd"] == 90 and not v["loan.disputed"] and v["loan.overdue"] > v["contract.least"]
        and v["loan.stage"] == "active",
        lambda v: v["loan.delinquent_days"] > v["contract.grace"] and v["loan.overdue"] > 0
        and not v["loan.disputed"] and not v["loan.paused"],
        lambda v: v["loan.dpd"] >= 5 and v["loan.dpd"] < 30 and v["loan.collateral"]
        and v["loan.days_since_paid"] > 0,
        lambda v: v["loan.dpd"] >= 60 and v["loan.overdue"] * 10000 // v["loan.principal"] > v["contract.share_bp"]
        and not v["loan.forborne"],
    )  # fmt: skip


def measure(events: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Conditions a second, whole and bare, the floor, and where the time goes."""
    contract, work = the_contract(), workload(events)
    rules, plain = contract.by_trigger["tick.day"], floor_conditions()
    whole, bare, floor, effects, root = [], [], [], 0, b""
    for number in range(ROUNDS):
        taken, effects, root = _whole(contract, work)
        whole.append(taken)
        bound = [bind(contract, _fresh(), seen, event.happened[0], event.today) for event, seen in work]
        activations = [contract.environment.Activation(values) for values in bound]
        began = time.perf_counter()
        held = sum(run(rule.when, values) is True for values in activations for rule in rules)
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        same = sum(condition(values) for values in bound for condition in plain)
        floor.append(time.perf_counter() - began)
        if held != same:
            raise RuntimeError(f"engine and closures differ: {held} and {same}")
        say(f"round {number + 1} of {ROUNDS}: {events * len(rules) / taken:,.0f} conditions/s")
    profile = cProfile.Profile()
    profile.runcall(_whole, contract, work)
    conditions = events * len(rules)
    return {
        "events": events, "conditions": conditions, "effects": effects, "root": root.hex(),
        "conditions_per_s": round(conditions / median(whole)), "events_per_s": round(events / median(whole)),
        "bare_conditions_per_s": round(conditions / median(bare)), "floor_per_s": round(conditions / median(floor)),
        "floor_to_bare_ratio": round(median(bare) / median(floor), 1), "profile": rooms_of(profile),
    }  # fmt: skip


def _fresh() -> Memory:
    return Memory(state="in_force", signed=("lender", "borrower"), began=FIRST_DAY.toordinal())


def _whole(contract: CompiledContract, work: list[tuple[Event, Inputs]]) -> tuple[float, int, bytes]:
    """Seconds for all events, how many effects there were, and a hash over their ids."""
    memory, effects, root = _fresh(), 0, sha256()
    began = time.perf_counter()
    for event, seen in work:
        done = execute(contract, memory, event, seen)
        memory = done.memory
        for effect in done.effects:
            effects += 1
            root.update(effect.id)
    return time.perf_counter() - began, effects, root.digest()
