"""A long storm over contracts on demand, and its outcome with what it takes to repeat it.

    python -m tests.chaos.contract_evidence --events 1000000 --kills 40 --seed 7 [--json]

Prints the figures; a broken promise raises, and nothing is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess

from api.settings import REPOSITORY
from tests.chaos.contract_storm import rage


def main() -> None:
    """Rages, then says what held."""
    parser = argparse.ArgumentParser(description="Kill the server under contracts, and replay every effect afterwards.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="One JSON object on stdout.")
    asked = parser.parse_args()
    figures = asyncio.run(rage(asked.events, asked.kills, asked.seed))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    command = (
        f"python -m tests.chaos.contract_evidence --events {asked.events} --kills {asked.kills} --seed {asked.seed}"
    )
    told = {"command": command, "commit": commit.stdout.strip(), **figures}
    if asked.json:
        print(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        print(f"{name.replace('_', ' '):28} {f'{value:,}' if isinstance(value, int) else value}")


if __name__ == "__main__":
    main()
