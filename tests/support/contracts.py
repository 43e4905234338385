"""Contracts for tests: a document from rules, an event from a trigger, a memory in force."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec

from ledger.attestation.contract_kinds import Cause
from ledger.contract.check import compile_contract
from ledger.contract.document import ENGINE, SCHEMA, Document, from_values
from ledger.contract.engine import Event, Inputs
from ledger.contract.inputs import LoanInputs
from ledger.contract.memory import Memory
from ledger.contract.occurrences import Occurrence, occurrence
from ledger.contract.program import CompiledContract

ACCOUNT: Final = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
BORROWER: Final = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
GUARANTOR: Final = "R0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0c="
DAY: Final = date(2026, 3, 1)
BATCH: Final = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
ALERT: Final = {"effect": "alert.raise", "code": "DPD", "severity": 3}
PENALTY: Final = {"effect": "penalty.apply", "code": "late", "amount": 100}
BOTH: Final = ["lender", "borrower"]
IN_FORCE: Final = Memory(state="in_force", signed=("lender", "borrower"), began=DAY.toordinal() - 30)


def rule(**members: Any) -> dict[str, Any]:
    """One rule: an alert on every day tick, unless said otherwise."""
    whole = {"id": "r1", "prose": "When it happens, it is done.", "on": ["tick.day"], "if": "true", "do": [ALERT]}
    return whole | members


def source(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The values of a document with these rules (none: one that raises an alert)."""
    whole: dict[str, Any] = {
        "account": ACCOUNT, "authority": {"alert.raise": ["lender"]}, "currency": "KES", "engine": ENGINE,
        "expires": "2028-01-01", "parties": {"borrower": BORROWER, "lender": "acacia"},
        "rules": list(rules) or [rule()], "schema": SCHEMA, "title": "A contract", "v": 1,
    }  # fmt: skip
    return whole | members


def document(*rules: dict[str, Any], **members: Any) -> Document:
    """A document with these rules."""
    return from_values(source(*rules, **members))


def contract(*rules: dict[str, Any], **members: Any) -> CompiledContract:
    """A document with these rules, compiled."""
    return compile_contract(document(*rules, **members))


def cause(index: int = 0, position: int = 0) -> Cause:
    """A place in the log, with a leaf hash of its own."""
    commitment = sha256(f"{index}/{position}".encode()).digest()
    return Cause(batch=BATCH, commitment=commitment, index=index, position=position)


def event(index: int = 0, *happened: Occurrence, day: date = DAY, **rest: Any) -> Event:
    """An event at this place of the log; a day's tick unless said otherwise."""
    return Event(cause(index), day.toordinal(), rest.pop("today", 0), happened or (tick(day),), **rest)


def tick(day: date = DAY) -> Occurrence:
    """A day's tick."""
    return occurrence("tick.day", day, business_day=True)


def inputs(**loan: Any) -> Inputs:
    """What can be seen of the loan."""
    return Inputs(LoanInputs(**loan))


def remembering(**members: Any) -> Memory:
    """A memory in force, with these members."""
    return msgspec.structs.replace(IN_FORCE, **members)
