"""Rows in PostgreSQL's binary COPY format, made without looking at the types of a column for every row.

The driver's own encoder asks each value what it is. Here the columns are known: text, uuid, integers and bytea, each as
its length in four bytes and its value (PostgreSQL manual, COPY, "Binary Format"). That halves the cost of staging.

    attestation_stream(rows)        header, one tuple a row, trailer
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.store.attestation_rows import AttestationRow
from ledger.store.loan_rows import LoanRow

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"
_UUID: Final = b"\x00\x00\x00\x10"
_HASH: Final = b"\x00\x00\x00\x20"
_INT2: Final = tuple(b"\x00\x00\x00\x02" + number.to_bytes(2, "big") for number in range(4_096))
_INT2_UUID: Final = tuple(number + _UUID for number in _INT2)
_INT2_HASH: Final = tuple(number + _HASH for number in _INT2)
"""A small integer with the length of what comes behind it in every row: one piece less to put together."""
_UNCHAINED: Final = NULL + NULL + _HASH
_ATTESTATION: Final = len(AttestationRow._fields).to_bytes(2, "big")
_LOAN: Final = len(LoanRow._fields).to_bytes(2, "big")


def sized(value: bytes) -> bytes:
    """A value with its length before it."""
    return len(value).to_bytes(4, "big") + value


def attestation_stream(rows: Iterable[AttestationRow]) -> bytes:
    """The stream of attestation rows, columns in the order of :class:`AttestationRow`."""
    parts: list[bytes] = [HEADER]
    kinds: dict[str, bytes] = {}
    places: dict[int, bytes] = {}
    of_batch, begins = None, b""
    for tenant, batch, position, id_, kind, subject, before, place, commitment, path, sealed in rows:
        if batch is not of_batch:  # rows come batch by batch, and those of one batch share its id
            of_batch, begins = batch, _ATTESTATION + sized(tenant.encode()) + _UUID + batch.bytes
        if kind not in kinds:
            kinds[kind] = sized(kind.encode())
        if before is None or place is None:
            chained = _UNCHAINED
        else:
            found = places.get(id(before))  # the rows keep it alive, so its identity stays its own
            chained = (found or places.setdefault(id(before), _UUID + before.bytes)) + _INT2_HASH[place]
        parts += (
            begins, _INT2_UUID[position], id_.bytes, kinds[kind], NULL if subject is None else _HASH + subject, chained,
            commitment, len(path).to_bytes(4, "big"), path, len(sealed).to_bytes(4, "big"), sealed,
        )  # fmt: skip
    parts.append(TRAILER)
    return b"".join(parts)


def loan_stream(rows: Iterable[LoanRow]) -> bytes:
    """The stream of loan rows, columns in the order of :class:`LoanRow`."""
    parts: list[bytes] = [HEADER]
    batches: dict[int, bytes] = {}
    tenants: dict[str, bytes] = {}
    for tenant, account, subject, version, batch, position, state in rows:
        begins = tenants.get(tenant) or tenants.setdefault(tenant, _LOAN + sized(tenant.encode()) + _HASH)
        last = batches.get(id(batch)) or batches.setdefault(id(batch), _UUID + batch.bytes)
        parts += (
            begins, account, _HASH, subject, b"\x00\x00\x00\x04", version.to_bytes(4, "big"), last, _INT2[position],
            len(state).to_bytes(4, "big"), state,
        )  # fmt: skip
    parts.append(TRAILER)
    return b"".join(parts)
