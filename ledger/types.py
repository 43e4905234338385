"""Distinct types for distinct numbers and ids, so that two of them cannot be swapped unnoticed.

All are checked by mypy only; at run time they are the plain ``int``, ``str`` or ``bytes``.
"""

from __future__ import annotations

from typing import NewType

TenantId = NewType("TenantId", str)
"""A tenant's short name: 1 to 63 of ``a-z 0-9 -``, beginning with a letter. Public: it stands in the log."""

BatchId = NewType("BatchId", str)
"""UUIDv7 (RFC 9562 section 5.7) in lower-case text form, chosen by the tenant: the idempotency key of a batch."""

AttestationId = NewType("AttestationId", str)
"""UUIDv7 in lower-case text form, unique within its tenant."""

Subject = NewType("Subject", bytes)
"""Pseudonym of a borrower, 32 bytes. Says nothing about the person without the deployment's key."""

AccountRef = NewType("AccountRef", bytes)
"""A tenant's salted reference to one loan account, 32 bytes. Says nothing about the account number."""

Digest = NewType("Digest", bytes)
"""SHA-256 output, 32 bytes."""

EntryIndex = NewType("EntryIndex", int)
"""Zero-based position of an entry in the log."""

TreeSize = NewType("TreeSize", int)
"""Number of entries a tree head covers; an index is valid when it is less than the size."""

UnixMillis = NewType("UnixMillis", int)
"""Milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored."""

MinorUnits = NewType("MinorUnits", int)
"""Money as an integer in the currency's smallest unit (ISO 4217 exponent): cents for EUR, yen for JPY."""
