"""One import in a process of its own, so that its memory is its own: the report of ``import_file`` and the peak, as JSON.

python -m tests.evidence.importing FILE --as-of 2026-01-31 --credentials lender.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import date
from pathlib import Path

from api.cli.exchange_runs import import_file
from api.cli.ledger_client import Credentials


def peak_bytes() -> int:
    """The most memory that this process held since it began (Linux: proc_pid_status(5), VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def main() -> None:
    """Import the file, then print what came of it."""
    parser = argparse.ArgumentParser(description="Import a Metro 2 file and say how much memory it took.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--credentials", type=Path, required=True)
    options = parser.parse_args()
    report = asyncio.run(
        import_file(
            options.file,
            Credentials.load(options.credentials),
            as_of=options.as_of,
            journal=options.credentials.parent / "imports",
        )
    )
    print(json.dumps(report | {"peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
