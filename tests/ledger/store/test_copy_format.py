"""COPY streams of our own: PostgreSQL reads back the rows, and they are the driver's own bytes."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger.limits import BATCH_ATTESTATIONS_MAX
from ledger.store.attestation_rows import AttestationColumns, AttestationRow
from ledger.store.copy_format import HEADER, TRAILER, attestation_stream, loan_stream, sized
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.group_rows import STAGING
from ledger.store.loan_rows import LoanColumns, LoanRow


@pytest.fixture
async def connection(postgres: EmbeddedPostgres) -> AsyncIterator[Any]:
    """A connection with the staging tables that a committer has."""
    found = await asyncpg.connect(postgres.admin_dsn())
    await found.execute(STAGING)
    try:
        yield found
    finally:
        await found.close()


def sorted_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in an order of their own: a COPY may put them on the pages in another than the stream's."""
    return sorted((tuple(row) for row in rows), key=repr)


def pieces(rows: Sequence[AttestationRow] | Sequence[LoanRow], width: int = 100) -> Iterator[Any]:
    """Rows as columns, some at a time."""
    for first in range(0, len(rows), width):
        kind = AttestationColumns if isinstance(rows[0], AttestationRow) else LoanColumns
        yield kind(*zip(*rows[first : first + width], strict=True))


async def stored(connection: Any, table: str, stream: bytes) -> list[tuple[Any, ...]]:
    """What PostgreSQL has after a stream, in the order of arrival."""

    async def chunks() -> AsyncIterator[bytes]:
        for first in range(0, len(stream), 1_000):
            yield stream[first : first + 1_000]

    async with connection.transaction():
        await connection.copy_to_table(table, schema_name="pg_temp", source=chunks(), format="binary")
        return [tuple(row) for row in await connection.fetch(f"SELECT * FROM pg_temp.{table} ORDER BY ctid")]


async def driver_stored(connection: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same by the driver's own encoder."""
    async with connection.transaction():
        await connection.copy_records_to_table(table, schema_name="pg_temp", records=rows)
        return [tuple(row) for row in await connection.fetch(f"SELECT * FROM pg_temp.{table} ORDER BY ctid")]


def attestation_rows(count: int) -> list[AttestationRow]:
    """Rows of several batches and tenants, with every NULL that there may be."""
    chance, rows, before = random.Random(count), [], [uuid4() for _ in range(3)]
    tenant, batch = "acacia", uuid4()
    for number in range(count):
        if number % 5 == 0:
            tenant, batch = chance.choice(("acacia", "baobab", "ünïcode-tenant")), uuid4()
        chained = chance.choice((None, *before, UUID(int=before[0].int)))
        rows.append(AttestationRow(
            tenant, batch, number % 5, uuid4(), chance.choice(("agreement", "repayment", "key")),
            chance.choice((None, os.urandom(32))), chained, None if chained is None else chance.randrange(4_096),
            os.urandom(32), os.urandom(32 * chance.randrange(13)), os.urandom(chance.choice((0, 1, 400, 20_000))),
        ))  # fmt: skip
    return rows


def loan_rows(count: int) -> list[LoanRow]:
    """Loans of several tenants, last changed by a few batches."""
    batches = [uuid4() for _ in range(3)]
    return [
        LoanRow(
            ("acacia", "ünïcode")[n % 2], os.urandom(32), os.urandom(32), (1, 2, 2**31 - 1)[n % 3], batches[n % 3],
            (0, n, 4_095)[n % 3], os.urandom((0, 300, 9_000)[n % 3]),
        )
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 2, 64, 300])
async def test_postgresql_reads_back_the_attestations_as_from_the_driver(connection: Any, count: int) -> None:
    rows = attestation_rows(count)
    assert sorted_rows(
        await stored(connection, "staged_attestation", b"".join(attestation_stream(pieces(rows))))
    ) == sorted_rows(rows)
    assert sorted_rows(await driver_stored(connection, "staged_attestation", rows)) == sorted_rows(rows)


@pytest.mark.parametrize("count", [0, 1, 2, 64, 300])
async def test_postgresql_reads_back_the_loans_as_from_the_driver(connection: Any, count: int) -> None:
    rows = loan_rows(count)
    assert sorted_rows(await stored(connection, "staged_loan", b"".join(loan_stream(pieces(rows))))) == sorted_rows(
        rows
    )
    assert sorted_rows(await driver_stored(connection, "staged_loan", rows)) == sorted_rows(rows)


async def test_each_null_comes_back_in_its_own_column(connection: Any) -> None:
    before = uuid4()
    whole = AttestationRow("acacia", uuid4(), 0, uuid4(), "key", bytes(32), before, 7, b"c" * 32, b"", b"")
    rows = [
        whole,
        whole._replace(position=1, subject=None),
        whole._replace(position=2, previous_batch=None, previous_position=None),
        whole._replace(position=3, subject=None, previous_batch=None, previous_position=None),
        whole._replace(position=4, previous_position=0),
    ]
    found = await stored(connection, "staged_attestation", b"".join(attestation_stream(pieces(rows))))
    assert [(row[5] is None, row[6] is None, row[7]) for row in found] == [
        (False, False, 7), (True, False, 7), (False, True, None), (True, True, None), (False, False, 0),
    ]  # fmt: skip
    assert found == [tuple(row) for row in rows]


async def test_every_position_of_a_batch_has_its_two_bytes(connection: Any) -> None:
    batch = uuid4()
    rows = [
        AttestationRow("acacia", batch, n, UUID(int=n), "key", None, batch, n, bytes(32), b"", b"")
        for n in range(BATCH_ATTESTATIONS_MAX)
    ]
    found = await stored(connection, "staged_attestation", b"".join(attestation_stream(pieces(rows))))
    assert sorted((row[2], row[7]) for row in found) == [(n, n) for n in range(4_096)]


async def test_postgresql_refuses_a_stream_that_is_cut(connection: Any) -> None:
    stream = b"".join(attestation_stream(pieces(attestation_rows(3))))
    with pytest.raises(asyncpg.PostgresError):
        await stored(connection, "staged_attestation", stream[: len(stream) // 2])


def test_a_stream_of_nothing_is_header_and_trailer() -> None:
    assert [*attestation_stream([])] == [*loan_stream([])] == [HEADER, TRAILER]
    assert b"PGCOPY\n\xff\r\n\x00" + bytes(8) + b"\xff\xff" == HEADER + TRAILER


def test_a_value_has_its_length_before_it_in_four_bytes() -> None:
    assert sized(b"") == bytes(4)
    assert sized(b"x" * 258) == b"\x00\x00\x01\x02" + b"x" * 258
