"""Rows in PostgreSQL's binary COPY format, made without looking at the types of a column for every row.

The driver's own encoder asks each value what it is. Here the columns are known: text, uuid, integers and bytea, each as
its length in four bytes and its value (PostgreSQL manual, COPY, "Binary Format"). That is a third of the cost.

    attestation_stream(pieces)      header, one tuple a row, trailer; pieces: columns of at most PIECE_ROWS attestations
    loan_stream(pieces)             the same of loans

A piece is put together a column at a time, and one ``join`` lays the columns side by side. It is handed on as it is
made, while it is still in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final
from uuid import UUID

from ledger.store.attestation_rows import AttestationColumns, AttestationRow
from ledger.store.loan_rows import LoanColumns, LoanRow

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"
PIECE_ROWS: Final = 256
"""Rows in one piece of a stream: about 256 KB, a quarter of what the cache of a core holds."""
_UUID: Final = b"\x00\x00\x00\x10"
_HASH: Final = b"\x00\x00\x00\x20"
_INT4: Final = b"\x00\x00\x00\x04"
_INT2: Final = tuple(b"\x00\x00\x00\x02" + number.to_bytes(2, "big") for number in range(4_096))
_INT2_UUID: Final = tuple(number + _UUID for number in _INT2)
_INT2_HASH: Final = tuple(number + _HASH for number in _INT2)
"""A small integer with the length of what comes behind it in every row: one part less to put together."""
_UNCHAINED: Final = NULL + NULL + _HASH
_ATTESTATION: Final = len(AttestationRow._fields).to_bytes(2, "big")
_LOAN: Final = len(LoanRow._fields).to_bytes(2, "big")


def sized(value: bytes) -> bytes:
    """A value with its length before it."""
    return len(value).to_bytes(4, "big") + value


def attestation_stream(pieces: Iterable[AttestationColumns]) -> Iterator[bytes]:
    """The stream of attestations."""
    yield HEADER
    for piece in pieces:
        yield _attestations(piece)
    yield TRAILER


def loan_stream(pieces: Iterable[LoanColumns]) -> Iterator[bytes]:
    """The stream of loans."""
    yield HEADER
    for piece in pieces:
        yield _loans(piece)
    yield TRAILER


def _attestations(piece: AttestationColumns) -> bytes:
    tenants = {tenant: _ATTESTATION + sized(tenant.encode()) + _UUID for tenant in set(piece.tenant)}
    kinds = {kind: sized(kind.encode()) for kind in set(piece.kind)}
    batches, before = _bytes_of(piece.batch_id), _bytes_of(piece.previous_batch)
    rows = zip(
        [tenants[tenant] for tenant in piece.tenant],
        [batches[id(batch)] for batch in piece.batch_id],
        [_INT2_UUID[position] for position in piece.position],
        [id_.int.to_bytes(16, "big") for id_ in piece.id],
        [kinds[kind] for kind in piece.kind],
        [NULL if subject is None else _HASH + subject for subject in piece.subject],
        [
            _UNCHAINED if place is None else b"".join((_UUID, before[id(batch)], _INT2_HASH[place]))
            for batch, place in zip(piece.previous_batch, piece.previous_position, strict=True)
        ],
        piece.commitment,
        [len(path).to_bytes(4, "big") for path in piece.path],
        piece.path,
        [len(sealed).to_bytes(4, "big") for sealed in piece.sealed],
        piece.sealed,
        strict=True,
    )
    return b"".join(chain.from_iterable(rows))


def _loans(piece: LoanColumns) -> bytes:
    tenants = {tenant: _LOAN + sized(tenant.encode()) + _HASH for tenant in set(piece.tenant)}
    batches = _bytes_of(piece.last_batch)
    rows = zip(
        [tenants[tenant] for tenant in piece.tenant],
        piece.account,
        [_HASH] * len(piece.account),
        piece.subject,
        [_INT4 + version.to_bytes(4, "big") + _UUID for version in piece.version],
        [batches[id(batch)] for batch in piece.last_batch],
        [_INT2[position] for position in piece.last_position],
        [len(state).to_bytes(4, "big") for state in piece.state],
        piece.state,
        strict=True,
    )
    return b"".join(chain.from_iterable(rows))


def _bytes_of(uuids: Iterable[UUID | None]) -> dict[int, bytes]:
    """The bytes of UUIDs by their identity, which the columns keep alive: a column names few of them many times."""
    return {at: uuid.bytes for at, uuid in {id(uuid): uuid for uuid in uuids}.items() if uuid is not None}
