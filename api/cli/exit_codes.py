"""What the exit codes of ``tallystick`` mean: the one table that the commands, the documentation and the tests share.

Scripts may rely on it: a number here never changes its meaning.

    >>> exit_code_of(NotFound("batch_unknown", "no such batch"))
    1
"""

from __future__ import annotations

from enum import IntEnum

from ledger.errors import (
    Conflict,
    InvalidInput,
    InvariantBroken,
    NotFound,
    Refused,
    TallystickError,
    Unavailable,
    Untrusted,
)


class ExitCode(IntEnum):
    """The number a command ends with."""

    OK = 0
    FALSE = 1
    USAGE = 2
    CANNOT_TELL = 3
    UNAVAILABLE = 4
    BROKEN = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done, and what was asked about holds",
    ExitCode.FALSE: "what was asked about is false, invalid or refused",
    ExitCode.USAGE: "the command line, a setting or an input file is wrong",
    ExitCode.CANNOT_TELL: "neither yes nor no: something needed for the answer is missing, such as a trusted key",
    ExitCode.UNAVAILABLE: "nothing was decided, try again later: database, network or set-up",
    ExitCode.BROKEN: "the stored state contradicts itself, or a defect of Tallystick: stop and look",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}
"""One sentence for each code, as the manual prints them."""

_BY_ERROR: dict[type[TallystickError], ExitCode] = {
    InvalidInput: ExitCode.USAGE,
    Untrusted: ExitCode.FALSE,
    Refused: ExitCode.FALSE,
    Conflict: ExitCode.FALSE,
    NotFound: ExitCode.FALSE,
    Unavailable: ExitCode.UNAVAILABLE,
    InvariantBroken: ExitCode.BROKEN,
}


def exit_code_of(error: TallystickError) -> ExitCode:
    """The code a command ends with when ``error`` reaches the top; BROKEN for a kind the table does not know."""
    return next((code for kind, code in _BY_ERROR.items() if isinstance(error, kind)), ExitCode.BROKEN)
