"""Starts servers fast: loads the code once, then forks for each line on stdin, so that a start costs no imports.

    python -m tests.chaos.nursery          each line: the arguments of `tallystick serve`, as a JSON list
                                           each answer: {"pid": ...}; the server's own ready line follows

Each child is a whole `tallystick serve` process, which may be killed. There is one at a time: the next is forked when the
one before it, which was killed, has ended and let go of the port.
"""

from __future__ import annotations

import json
import os
import sys

import api.cli.serve  # noqa: F401  the command line loads a command when it is run, which would be in each child
from api.cli.main import run


def main() -> None:
    """Serves until stdin ends."""
    child = 0
    for line in sys.stdin:
        if child:
            os.waitpid(child, 0)
        child = os.fork()
        if child == 0:
            os.setsid()
            os._exit(run(["serve", *json.loads(line)]))
        print(json.dumps({"pid": child}), flush=True)


if __name__ == "__main__":
    main()
