"""fsck finds every flipped bit of every column that something in the log speaks of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from ledger.node.fsck_report import FAULTS_KEPT_MAX
from ledger.store.embedded import EmbeddedPostgres
from tests.support.checks import codes
from tests.support.furnished import OpenLedger, open_ledger
from tests.support.ledgers import fresh_database

UNSAID = {
    "consent.log_id": "log", "entry.log_id": "log", "attestation.log_id": "log", "loan.log_id": "log", "tile.log_id": "log",
    "head.log_id": "log", "checkpoint.log_id": "log", "tenant.log_id": "log", "signing_key.log_id": "log",
    "subject_salt.log_id": "log", "managed_key.log_id": "log", "token_issuer.log_id": "log", "idempotency.log_id": "log",
    "contract.log_id": "log", "contract_effect.log_id": "log", "day_tick.log_id": "log",
    "contract.changed_at": "when a process wrote it, signed by nobody",
    "model.registered_at": "when a process wrote it, signed by nobody",
    "model.promoted_at": "when a process wrote it, signed by nobody; that it is there or not is compared",
    "tenant.name": "a display name, signed by nobody",
    "tenant.country": "an address, signed by nobody",
    "managed_key.tenant": "opens under the wrapping key with its tenant's name, or not at all, when it is used",
    "managed_key.kid": "opens under the wrapping key with its own name, or not at all, when it is used",
    "managed_key.wrapped": "opens under the wrapping key, or not at all, when it is used",
    "token_issuer.tenant": "configuration of this deployment", "token_issuer.issuer": "configuration of this deployment",
    "token_issuer.jwks": "configuration of this deployment", "token_issuer.roles": "configuration of this deployment",
    "idempotency.tenant": "a memory of requests", "idempotency.key": "a memory of requests",
    "idempotency.request_hash": "a memory of requests", "idempotency.author": "a memory of requests",
    "idempotency.batch_id": "a memory of requests", "idempotency.answer": "a memory of requests",
    "idempotency.created_at": "a memory of requests",
    "risk_alert.log_id": "log", "risk_part.log_id": "log", "risk_link.log_id": "log", "risk_cursor.log_id": "log",
    "score_shadow.log_id": "log", "score_shadow.challenger_ppm": "made of inputs that stay with the lender",
    "portfolio_loan.log_id": "log", "portfolio_day.log_id": "log", "score_month.log_id": "log",
    "checkpoint.signed_at": "no signed note states its time",
    "migration.number": "not of the ledger", "migration.name": "not of the ledger",
    "migration.checksum": "not of the ledger", "migration.applied_at": "not of the ledger",
}  # fmt: skip
"""Columns that nothing signed speaks of, each with the reason. ``log``: a row of another log is no row of this one."""

COPIES = frozenset({"portfolio_day", "portfolio_loan", "risk_cursor", "risk_link", "risk_part", "score_month"})
"""Tables that are made from others when somebody asks, or by a watcher: every column of each has a row to flip."""

FLIPS = {
    "bytea": (
        "set_byte({0}, 0, get_byte({0}, 0) # 1)",
        "set_byte({0}, length({0}) / 2, get_byte({0}, length({0}) / 2) # 16)",
        "set_byte({0}, length({0}) - 1, get_byte({0}, length({0}) - 1) # 128)",
    ),
    "ARRAY": ("{0}[2:]", "{0}[:array_length({0}, 1) - 1]", "array_append({0}, NULL)"),
    "boolean": ("NOT {0}",),
    "bigint": ("{0} # 1", "{0} # 1099511627776"),
    "integer": ("{0} # 1", "{0} # 65536"),
    "smallint": ("{0} # 1", "{0} # 2048"),
    "date": ("{0} + 1", "{0} + 365"),
    "uuid": (
        "set_byte(uuid_send({0}), 2, get_byte(uuid_send({0}), 2) # 8)",
        "set_byte(uuid_send({0}), 15, get_byte(uuid_send({0}), 15) # 1)",
    ),
    "text": ("chr(ascii({0}) # 1) || substr({0}, 2)", "left({0}, -1) || chr(ascii(right({0}, 1)) # 1)"),
}  # fmt: skip
FIT = {"ARRAY": "array_length({0}, 1) > 0", "bytea": "length({0}) > 0", "text": "length({0}) > 0"}
"""Which rows have something to flip."""

WEAK = {("entry.committed_at", 0), ("head.committed_at", -1), ("loan.version", 0), ("portfolio_day.day", 0),
        ("risk_cursor.idx", 0)}  # fmt: skip
"""Flips that may leave a value just as good: a time one millisecond away, a count of changes still within its bounds, a row
of the day after, on which the loan stood as it did, a place one entry back, in which the watcher follows nothing."""


async def columns_of(connection: Any) -> list[tuple[str, str, str]]:
    """(table, column, type) of every column of every table."""
    rows = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


async def prepare_for_flips(connection: Any) -> None:
    """Take the constraints away, so that a flip is what a disk does, not what a statement may."""
    for table, name in await connection.fetch(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
        "AND contype IN ('c', 'f') ORDER BY contype"
    ):
        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for table, name in await connection.fetch(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
        "AND contype = 'u'"
    ):
        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


OF_THE_LOG = frozenset({"attestation", "entry", "head"})
APART = {
    frozenset({"checkpoint"}): {"checkpoint_differs", "checkpoint_forks", "checkpoint_untrusted", "log_shrank"},
    frozenset({"consent"}): {"consent_differs"},
    frozenset({"contract"}): {"contract_row_differs"},
    frozenset({"contract_effect"}): {"effect_row_differs"},
    frozenset({"portfolio_day", "portfolio_loan"}): {"portfolio_differs"},
    frozenset({"risk_alert"}): {"alert_differs"},
    frozenset({"risk_cursor", "risk_link", "risk_part"}): {"risk_cursor_differs", "risk_link_differs", "risk_part_differs"},
    frozenset({"score_month"}): {"month_differs"},
    frozenset({"signing_key"}): {"key_differs", "key_malformed"},
}  # fmt: skip
"""Tables that one part of fsck reads and no other, with the codes that only that part gives: of each such group a flip may
stand beside flips of the others, and is still named by its own code. In each round one group is left alone, and must be
found sound: so no flip is found by the noise of another."""
ELSEWHERE = OF_THE_LOG.union({"tile"}, *APART)


@dataclass(frozen=True)
class Flip:
    """One change of one column in one row."""

    table: str
    column: str
    number: int
    changed: str
    place: Any

    def __str__(self) -> str:
        return f"{self.table}.{self.column} flip {self.number} at {self.place}"


async def flips_of(ledger: OpenLedger, chosen: Callable[[str], bool], missed: list[str]) -> AsyncIterator[Flip]:
    """Every flip of the chosen tables, one after the other: a row moves when it is flipped, and moves back."""
    for table, column, kind in await columns_of(ledger.admin):
        name = f"{table}.{column}"
        if name in UNSAID or not chosen(table):
            continue
        fit = FIT.get(kind, "{0} IS NOT NULL").format(column)
        if table in COPIES and not await ledger.admin.fetchval(f"SELECT count(*) FROM {table} WHERE {fit}"):
            missed.append(f"{name} has no row to flip")
        for number, flip in enumerate(FLIPS[kind]):
            if (name, number) in WEAK:
                continue
            changed = flip.format(column)
            if kind == "uuid":
                changed = f"encode({changed}, 'hex')::uuid"
            for place in await ledger.admin.fetch(
                f"(SELECT ctid FROM {table} WHERE {fit} ORDER BY ctid LIMIT 1) UNION "
                f"(SELECT ctid FROM {table} WHERE {fit} ORDER BY ctid DESC LIMIT 1)"
            ):
                yield Flip(table, column, number, changed, place[0])


@asynccontextmanager
async def flipped(ledger: OpenLedger, flip: Flip) -> AsyncIterator[bool]:
    """A ledger with a flip, then without it; False when the table itself refuses it."""
    table, column = flip.table, flip.column
    try:
        moved, before = await ledger.admin.fetchrow(
            f"WITH old(value) AS (SELECT {column} FROM {table} WHERE ctid = $1) UPDATE {table} SET {column} = "
            f"{flip.changed} FROM old WHERE {table}.ctid = $1 RETURNING {table}.ctid, old.value", flip.place,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        yield False
        return
    try:
        yield True
    finally:
        back = await ledger.admin.fetchval(
            f"UPDATE {table} SET {column} = $2 WHERE ctid = $1 RETURNING true", moved, before
        )
        assert back, f"{flip} was not undone"


@pytest.mark.parametrize(
    "chosen", [lambda table: table in OF_THE_LOG, lambda table: table not in ELSEWHERE], ids=["log", "others"]
)
async def test_every_flipped_bit_that_something_signed_speaks_of_is_found(
    postgres: EmbeddedPostgres, chosen: Callable[[str], bool]
) -> None:
    async with open_ledger(postgres, 48) as ledger:
        await prepare_for_flips(ledger.admin)
        assert await tried_one_by_one(ledger, chosen) > 30


async def tried_one_by_one(ledger: OpenLedger, chosen: Callable[[str], bool]) -> int:
    """Make and undo each flip of the chosen tables; how many, when fsck saw every one."""
    missed: list[str] = []
    tried = 0
    assert (await ledger.report()).ok
    async for flip in flips_of(ledger, chosen, missed):
        tried += 1
        async with flipped(ledger, flip) as done:
            if done and (await ledger.report()).ok:
                missed.append(str(flip))
    assert missed == [], missed
    return tried


async def test_every_flipped_bit_of_what_follows_from_the_log_is_found_by_its_own_code(
    postgres: EmbeddedPostgres,
) -> None:
    missed: list[str] = []
    tried = dict.fromkeys(APART, 0)
    async with open_ledger(postgres, 48) as ledger:
        await prepare_for_flips(ledger.admin)
        assert (await ledger.report()).ok
        waiting = {tables: flips_of(ledger, tables.__contains__, missed) for tables in APART}
        left_alone = 0
        while waiting:
            left_alone += 1
            turn: dict[frozenset[str], Flip] = {}
            for at, (tables, flips) in enumerate([*waiting.items()]):
                if at == left_alone % len(waiting) and len(waiting) > 1:
                    continue
                flip = await anext(flips, None)
                if flip is None:
                    del waiting[tables]
                else:
                    turn[tables] = flip
                    tried[tables] += 1
            missed += await missed_of(ledger, turn)
    assert missed == [], missed
    assert min(tried.values()) >= 6, tried


async def missed_of(ledger: OpenLedger, turn: dict[frozenset[str], Flip]) -> list[str]:
    """The flips of one round that their own codes do not name, and groups that are named without a flip."""
    async with AsyncExitStack() as stack:
        done = {tables: flip for tables, flip in turn.items() if await stack.enter_async_context(flipped(ledger, flip))}
        report = await ledger.report()
    assert report.fault_count <= FAULTS_KEPT_MAX, report.faults
    named = {tables for tables, own in APART.items() if own & codes(report)}
    strangers = codes(report).difference(*APART.values())
    return [
        *(str(flip) for tables, flip in done.items() if tables not in named),
        *(f"{sorted(tables)} named beside {[*map(str, done.values())]}" for tables in named - done.keys()),
        *(f"{code} beside {[*map(str, done.values())]}" for code in strangers),
    ]


async def test_every_column_is_either_flipped_or_named_with_the_reason(postgres: EmbeddedPostgres) -> None:
    async with fresh_database(postgres, new=True) as database:
        admin = await asyncpg.connect(database.admin_dsn)
        columns = {f"{table}.{column}": kind for table, column, kind in await columns_of(admin)}
        await admin.close()
    assert UNSAID.keys() - columns.keys() == set()
    told = {name: kind for name, kind in columns.items() if name not in UNSAID}
    assert set(told.values()) <= FLIPS.keys()
