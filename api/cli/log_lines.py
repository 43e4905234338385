"""What the server writes to stderr while it runs: one line for each fault, with nothing of a message or a value in it.

    2026-01-31T09:15:02Z error tallystick.http: request 5d0c9a1be2f34a77 failed: ValueError at api/graphql/loans.py:88

Rules
- The id is the one that the caller got (``X-Request-Id``, ``id``, ``extensions.id``): an operator searches for it.
- Our own loggers are written as they say it: they never hold a value (``api.http.errors.note``).
- A library's record may hold values in its text, its arguments and its traceback. Of those, its logger, its constant
  text before anything is filled in, and the class and place of its exception are written.
- Warnings and worse. Refusals, which are the callers' business, are not written.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from api.http.errors import place_of

OWN: Final = "tallystick"
"""Root of our own loggers."""


class PlainLines(logging.Formatter):
    """One line a record, without values."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%SZ"
    default_msec_format = None

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        own = record.name.partition(".")[0] == OWN
        text = record.getMessage() if own else _constant(record)
        line = f"{self.formatTime(record)} {record.levelname.lower()} {record.name}: {text}"
        return " ".join(line.split())


def _constant(record: logging.LogRecord) -> str:
    """What a library's record says without what was filled into it."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        return f"{type(error).__name__} at {place_of(error)}"
    # Text that was made before it was logged cannot be told from values: only a template with places is kept.
    known = isinstance(record.msg, str) and bool(record.args)
    return str(record.msg) if known else f"a message at {record.module}:{record.lineno}"


def write_to_stderr() -> logging.Handler:
    """Send every record from warning on to stderr in such lines; gives the handler, which may be taken off again."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(PlainLines())
    logging.getLogger().addHandler(handler)
    return handler
