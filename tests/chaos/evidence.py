"""A long storm on demand, and its outcome as a file that says how to repeat it.

python -m tests.chaos.evidence --kills 1000 --seed 7        writes docs/evidence/kill-server-1000-7.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess

from api.settings import REPOSITORY
from tests.chaos.storm import rage


def main() -> None:
    """Rages, then writes what held. A broken promise raises, and nothing is written."""
    parser = argparse.ArgumentParser(description="Kill the server under load, and check every promise afterwards.")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = asyncio.run(rage(options.kills, options.seed))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    command = f"python -m tests.chaos.evidence --kills {options.kills} --seed {options.seed}"
    out = REPOSITORY / "docs" / "evidence" / f"kill-server-{options.kills}-{options.seed}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"command": command, "commit": commit.stdout.strip(), **figures}, indent=2) + "\n")
    print(out)


if __name__ == "__main__":
    main()
