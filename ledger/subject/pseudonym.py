"""A borrower's pseudonym: 32 bytes that are the same at every lender and tell nothing without a key.

    pseudonyms = KeyedPseudonyms(key)
    pseudonyms.subject("us-ssn", "900123456")     -> 32 bytes

Rules
- The identifier is normalised by its scheme first, so that two lenders' spellings of one id meet.
- The pseudonym is HMAC-SHA-256 (RFC 2104) under a key of the deployment over a domain string, the scheme and the value,
  each preceded by its length: no two different inputs share an encoding.
- Everything that needs a pseudonym takes the ``Pseudonyms`` interface: a threshold VOPRF (RFC 9497) can stand in its
  place without a change to its users.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import date
from typing import Final, Protocol

from ledger.errors import InvalidInput
from ledger.types import AccountRef, Subject

_DOMAIN: Final = b"tallystick/subject/v1"
_ACCOUNT_DOMAIN: Final = b"tallystick/account/v1"
IDENTIFIER_CHARS_MAX: Final = 256
"""Length of one identifier before normalisation; the longest national schemes have under 40."""


class Pseudonyms(Protocol):
    """Turns identifiers into pseudonyms."""

    def subject(self, scheme: str, identifier: str) -> Subject:
        """The pseudonym of an identifier. Raises InvalidInput ``identifier_*`` or ``scheme_unknown``."""
        ...

    def account(self, tenant: str, number: str) -> AccountRef:
        """A tenant's reference to one of its own account numbers."""
        ...


def _national_id(value: str) -> str:
    return re.sub(r"[\s\-./]", "", value).upper()


def _national_id_birth_date(value: str) -> str:
    number, separator, born = value.partition("|")
    if not separator:
        raise InvalidInput(
            "identifier_malformed", "expected national id, a bar, and the birth date", expected="id|YYYY-MM-DD"
        )
    try:
        born = date.fromisoformat(born.strip()).isoformat()
    except ValueError:
        raise InvalidInput("identifier_malformed", "the birth date does not exist", expected="YYYY-MM-DD") from None
    return f"{_national_id(number)}|{born}"


def _account_number(value: str) -> str:
    return value.strip()


SCHEMES: Final[dict[str, Callable[[str], str]]] = {
    "account-number": _account_number,
    "national-id": _national_id,
    "national-id-birth-date": _national_id_birth_date,
}
"""Scheme -> normalisation. ``national-id`` drops blanks and ``- . /`` and folds case; the second adds an ISO birth date
after a bar; ``account-number`` (for files that name nobody) only trims."""


def normalise(scheme: str, identifier: str) -> str:
    """The one spelling of an identifier that its pseudonym is made from."""
    if scheme not in SCHEMES:
        raise InvalidInput("scheme_unknown", "no such identifier scheme", path="$.scheme", expected=sorted(SCHEMES))
    if not 0 < len(identifier) <= IDENTIFIER_CHARS_MAX:
        raise InvalidInput("identifier_length", "an identifier has 1 to 256 characters", path="$.identifier")
    if any("\ud800" <= character <= "\udfff" for character in identifier):
        raise InvalidInput("identifier_malformed", "half of a surrogate pair", path="$.identifier")
    value = SCHEMES[scheme](identifier)
    if not value.partition("|")[0].strip("0"):  # a birth date alone would make one person of all who share it
        raise InvalidInput("identifier_empty", "the identifier is blank or all zeros", path="$.identifier",
                           advice="choose another subject rule for records that name nobody")  # fmt: skip
    return value


class KeyedPseudonyms:
    """Pseudonyms by a key of the deployment (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def subject(self, scheme: str, identifier: str) -> Subject:
        """See :class:`Pseudonyms`."""
        return Subject(self._derive(_DOMAIN, scheme, normalise(scheme, identifier)))

    def account(self, tenant: str, number: str) -> AccountRef:
        """See :class:`Pseudonyms`."""
        return AccountRef(self._derive(_ACCOUNT_DOMAIN, tenant, number))

    def _derive(self, domain: bytes, *parts: str) -> bytes:
        message = domain
        for part in parts:
            encoded = part.encode()
            message += len(encoded).to_bytes(4, "big") + encoded
        return hmac.digest(self._key, message, "sha256")
