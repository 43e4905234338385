"""Starts servers fast: loads the code once, then forks for each line on stdin, so that a start costs no imports.

    python -m tests.chaos.nursery          each line: the arguments of `tallystick serve`, as a JSON list
                                           each answer: {"pid": ...}; the server's own ready line follows

Each child is a whole `tallystick serve` process, which may be killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from api.cli.main import run


def main() -> None:
    """Serves until stdin ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the children ended
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            os._exit(run(["serve", *json.loads(line)]))
        print(json.dumps({"pid": child}), flush=True)


if __name__ == "__main__":
    main()
