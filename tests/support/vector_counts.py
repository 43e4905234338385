"""How many conformance vectors were met: counted where tests run, added up where the run is summed up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

_met: Counter[str] = Counter()
_seen: Counter[str] = Counter()


def count_vector(name: str, *, met: bool) -> None:
    """One vector of a set was tried."""
    _seen[name] += 1
    _met[name] += met


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker process hands its counts to the one that sums up."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["vectors"] = [dict(_seen), dict(_met)]


def pytest_testnodedown(node: Any) -> None:
    """The counts of one worker."""
    for total, counts in zip((_seen, _met), getattr(node, "workeroutput", {}).get("vectors", ()), strict=False):
        total.update(counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a set."""
    if _seen:
        terminalreporter.section("conformance vectors")
    for name in sorted(_seen):
        terminalreporter.write_line(f"{name}: {_met[name]} of {_seen[name]} vectors")
