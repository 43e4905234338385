"""What fsck found: how much of what was checked, and every fault with its stable code.

    report.ok, report.checked["attestations"], report.faults[0].code

Rules
- The first FAULTS_KEPT_MAX faults are kept, all are counted.
- A fault names places (entry 17, tile/0/003, a batch and a position), never a person and never a stored value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

FAULTS_KEPT_MAX: Final = 100
"""Faults that are listed; a store with more is past repair by reading a list."""

Progress = Callable[[str, int, int], None]
"""(stage, done, total): called now and then, for a progress bar."""


@dataclass(frozen=True)
class Fault:
    """One contradiction. ``code`` is stable (docs/errors.md), ``where`` names the place."""

    code: str
    where: str
    message: str


@dataclass
class FsckReport:
    """The outcome. ``checked`` counts what was compared, by name; ``erased`` in it counts attestations that are sealed
    for ever, of which commitment, path, digest and place were checked."""

    origin: str
    size: int = 0
    root: bytes = b""
    checked: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return self.fault_count == 0

    def count(self, name: str, by: int = 1) -> None:
        """Note that something was checked."""
        self.checked[name] += by

    def add(self, code: str, where: str, message: str) -> None:
        """Note a fault."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(Fault(code, where, message))

    def equal(self, found: object, expected: object, code: str, where: str, message: str) -> bool:
        """Note a fault unless the two are equal; gives whether they are."""
        if found != expected:
            self.add(code, where, message)
        return found == expected

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "ok": self.ok, "origin": self.origin, "size": self.size, "root": self.root.hex(),
            "checked": dict(sorted(self.checked.items())), "faultCount": self.fault_count,
            "faults": [{"code": each.code, "where": each.where, "message": each.message} for each in self.faults],
        }  # fmt: skip
