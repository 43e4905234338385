"""The whole error tree of Tallystick, by whose fault it is.

    TallystickError                 code, message, path, expected, found, advice
    |-- InvalidInput                the caller sent something that can never be accepted as it is
    |-- Untrusted                   a proof, a signature, a key or a token does not hold
    |-- Refused                     well formed and genuine, but not allowed now (permission, consent, transition)
    |-- Conflict                    contradicts what is already recorded
    |-- NotFound                    names something that is not there, or that the caller may not know of
    |-- Unavailable                 try again later, nothing was decided (carries ``retry_after_s``)
    `-- InvariantBroken             the stored state contradicts itself: stop, do not sign, call a human

Rules
- ``code`` is stable, lower case with underscores, and documented in docs/errors.md. Programs match on it; texts may change.
- ``path`` is the JSON path or field that is meant (``$.body.amount``); ``expected`` and ``found`` are short and never
  personal data.
- ``advice`` is one sentence saying what the reader should do next.
- Nothing in ``ledger/`` raises a bare ``ValueError`` across a module boundary: the caller can always map a code.
"""

from __future__ import annotations


class TallystickError(Exception):
    """Root of every error that Tallystick raises on purpose.

    >>> str(InvalidInput("unit_wrong", "amount must be minor units", path="$.body.amount", expected="integer"))
    'unit_wrong: amount must be minor units (at $.body.amount; expected integer)'
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        path: str | None = None,
        expected: object = None,
        found: object = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.expected = expected
        self.found = found
        self.advice = advice

    def __str__(self) -> str:
        details = [
            f"at {self.path}" if self.path is not None else "",
            f"expected {self.expected}" if self.expected is not None else "",
            f"found {self.found}" if self.found is not None else "",
        ]
        shown = "; ".join(part for part in details if part)
        return f"{self.code}: {self.message}" + (f" ({shown})" if shown else "")

    def as_dict(self) -> dict[str, object]:
        """The error as plain JSON values, absent members left out: the form that every interface prints."""
        whole = {
            "code": self.code,
            "message": self.message,
            "path": self.path,
            "expected": None if self.expected is None else str(self.expected),
            "found": None if self.found is None else str(self.found),
            "advice": self.advice,
        }
        return {name: value for name, value in whole.items() if value is not None}


class InvalidInput(TallystickError):
    """The caller sent something malformed; the same bytes will never be accepted."""


class Untrusted(TallystickError):
    """A signature, proof, key or token does not hold; whoever made it is wrong or lying."""


class Refused(TallystickError):
    """Well formed and genuine, but not allowed: by permission, by consent, or by the loan's state."""


class Conflict(TallystickError):
    """Contradicts what is recorded already; the record stands."""


class NotFound(TallystickError):
    """Not there, or not for this caller to know of."""


class Unavailable(TallystickError):
    """Nothing was decided; the same request may succeed later.

    ``retry_after_s`` is whole seconds, for the Retry-After header (RFC 9110 section 10.2.3).
    """

    def __init__(self, code: str, message: str, *, retry_after_s: int = 1, advice: str | None = None) -> None:
        super().__init__(code, message, advice=advice)
        self.retry_after_s = retry_after_s


class InvariantBroken(TallystickError):
    """Stored state contradicts itself. The process must stop signing; recovery is a human's decision."""
