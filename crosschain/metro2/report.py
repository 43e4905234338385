"""What an import reports: counts, what was rejected and why, and where the trailer's totals differ.

- Every reject counts; the first hundred are listed without their bytes, all of them go with their bytes to the sink.
- A sink's line is `{"line", "offset", "field", "rule", "value", "raw"}`: line from 1, offset in bytes from 0, raw in
  base64. It may hold personal data: keep it as the file itself is kept.

    >>> report = ImportReport(); RejectsSink(report).add(2, 427, "line", "line_length_unknown", "537 characters", b"")
    >>> report.rejected_count, report.rejected[0]["rule"]
    (1, 'line_length_unknown')
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

REJECTS_SHOWN: Final = 100
"""Rejects that a report lists; all of them are in the rejects file."""


@dataclass
class ImportReport:
    """What came in, what went out, and what did not. Counts are of records unless they say otherwise."""

    import_id: str = ""
    records_in: int = 0
    records_published: int = 0
    attestations: int = 0
    batches: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejected_count: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    trailer_mismatches: list[dict[str, Any]] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        shown = vars(self) | {
            "kinds": dict(sorted(self.kinds.items())),
            "warnings": dict(sorted(self.warnings.items())),
        }
        return dict(shown)


class RejectsSink:
    """Writes rejects as NDJSON and counts them into a report. `out` None keeps only the report's."""

    def __init__(self, report: ImportReport, out: BinaryIO | None = None) -> None:
        self._report = report
        self._out = out

    def add(self, line: int, offset: int, field_name: str, rule: str, value: str, raw: bytes) -> None:
        """Note one reject; `raw` may be personal and goes into the file alone."""
        shown = {"line": line, "offset": offset, "field": field_name, "rule": rule, "value": value}
        self._report.rejected_count += 1
        if len(self._report.rejected) < REJECTS_SHOWN:
            self._report.rejected.append(shown)
        if self._out is not None:
            entry = shown | {"raw": base64.b64encode(raw).decode()}
            self._out.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def withdraw(self, line: int, offset: int, rule: str, raw: bytes) -> None:
        """Note that a record which was planned for publication was refused by the ledger, alone."""
        self.add(line, offset, "record", rule, "", raw)
        self._report.records_published -= 1
