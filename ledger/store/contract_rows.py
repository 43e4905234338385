"""Rows of contracts, their effects and the days' ticks: read for display, locked for execution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import Subject


class ContractRow(NamedTuple):
    """One contract; ``tenant`` is the lender, ``document`` canonical JSON, ``memory`` what the engine remembers,
    ``guarantor`` the pseudonym in the document, if it names one."""

    tenant: str
    contract: bytes
    account: bytes
    subject: bytes
    state: str
    document: bytes
    memory: bytes
    changed_at: int
    guarantor: bytes | None


class EffectRow(NamedTuple):
    """Where an effect's attestation lies: entry index, batch of the deployment's, position."""

    tenant: str
    effect: bytes
    contract: bytes
    subject: bytes
    idx: int
    batch_id: UUID
    position: int
    guarantor: bytes | None


class Bound(NamedTuple):
    """What must be known of a contract in force to see which events it waits for."""

    tenant: str
    contract: bytes
    account: bytes
    subject: bytes


_COLUMNS = ", ".join(ContractRow._fields)
_EFFECT_COLUMNS = ", ".join(EffectRow._fields)
_IN_FORCE = """
SELECT tenant, contract, account, subject FROM contract WHERE log_id = $1 AND state = 'in_force' ORDER BY tenant, contract
"""


async def contracts_in_force(connection: Connection) -> list[Bound]:
    """The contracts in force of the transaction's tenants."""
    return [Bound(*row) for row in await connection.fetch(_IN_FORCE, LOG_ID)]


_LOCK = f"""
SELECT {_COLUMNS} FROM contract
 WHERE log_id = $1 AND (tenant, contract) IN (SELECT * FROM unnest($2::text[], $3::bytea[]))
 ORDER BY tenant, contract FOR UPDATE
"""


async def lock_contracts(connection: Connection, keys: Sequence[tuple[str, bytes]]) -> list[ContractRow]:
    """Contracts by (lender, hash), locked until the transaction ends: their memories move one event at a time."""
    rows = await connection.fetch(_LOCK, LOG_ID, [key[0] for key in keys], [key[1] for key in keys])
    return [ContractRow(*row) for row in rows]


_INSERT = f"INSERT INTO contract (log_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


async def insert_contract(connection: Connection, row: ContractRow) -> None:
    """A contract that was proposed."""
    await connection.execute(_INSERT, LOG_ID, *row)


_UPDATE = """
UPDATE contract c SET state = u.state, memory = u.memory, changed_at = u.changed_at
  FROM unnest($2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::bigint[])
       AS u(tenant, contract, state, memory, changed_at)
 WHERE c.log_id = $1 AND c.tenant = u.tenant AND c.contract = u.contract
"""


async def update_contracts(connection: Connection, rows: Sequence[ContractRow]) -> None:
    """What contracts remember now."""
    await connection.execute(
        _UPDATE, LOG_ID, [row.tenant for row in rows], [row.contract for row in rows], [row.state for row in rows],
        [row.memory for row in rows], [row.changed_at for row in rows],
    )  # fmt: skip


_EFFECTS = f"""
INSERT INTO contract_effect (log_id, {_EFFECT_COLUMNS})
SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[], $7::uuid[], $8::smallint[],
                         $9::bytea[])
"""


async def insert_effects(connection: Connection, rows: Sequence[EffectRow]) -> None:
    """Record effects, each once: the same id again is a unique violation."""
    await connection.execute(_EFFECTS, LOG_ID, *([row[at] for row in rows] for at in range(len(EffectRow._fields))))


_ONE = f"SELECT {_COLUMNS} FROM contract WHERE log_id = $1 AND contract = $2"


async def read_contract(connection: Connection, contract: bytes) -> ContractRow | None:
    """A contract that this transaction may see: as its lender, its borrower or its guarantor."""
    row = await connection.fetchrow(_ONE, LOG_ID, contract)
    return None if row is None else ContractRow(*row)


_PAGE = f"""
SELECT {_COLUMNS} FROM contract
 WHERE log_id = $1 AND contract > $2 AND ($3::bytea IS NULL OR account = $3) ORDER BY contract LIMIT $4
"""


async def contracts_seen(
    connection: Connection, after: bytes, limit: int, account: bytes | None = None
) -> list[ContractRow]:
    """Contracts that this transaction may see, by hash; ``after`` is exclusive."""
    return [ContractRow(*row) for row in await connection.fetch(_PAGE, LOG_ID, after, account, limit)]


_HISTORY = f"""
SELECT {_EFFECT_COLUMNS} FROM contract_effect
 WHERE log_id = $1 AND contract = $2 AND (idx, position) > ($3, $4) ORDER BY idx, position LIMIT $5
"""


async def effects_of(connection: Connection, contract: bytes, after: tuple[int, int], limit: int) -> list[EffectRow]:
    """A contract's effects in log order; ``after``, (index, position), is exclusive."""
    return [EffectRow(*row) for row in await connection.fetch(_HISTORY, LOG_ID, contract, *after, limit)]


_ALL = f"SELECT {_COLUMNS} FROM contract WHERE log_id = $1"
_ALL_EFFECTS = f"SELECT {_EFFECT_COLUMNS} FROM contract_effect WHERE log_id = $1"
_ALL_TICKS = "SELECT day, idx FROM day_tick WHERE log_id = $1"


async def all_contracts(connection: Connection) -> list[ContractRow]:
    """Contracts of every tenant, for the auditor."""
    return [ContractRow(*row) for row in await connection.fetch(_ALL, LOG_ID)]


async def all_effects(connection: Connection) -> list[EffectRow]:
    """Effects of every tenant, for the auditor."""
    return [EffectRow(*row) for row in await connection.fetch(_ALL_EFFECTS, LOG_ID)]


async def all_ticks(connection: Connection) -> list[tuple[date, int]]:
    """Every day that began, with its entry."""
    return [(row["day"], row["idx"]) for row in await connection.fetch(_ALL_TICKS, LOG_ID)]


_ERASE = ("DELETE FROM contract_effect WHERE log_id = $1 AND subject = $2",
          "DELETE FROM contract WHERE log_id = $1 AND subject = $2")  # fmt: skip


async def erase_contracts(connection: Connection, subject: Subject) -> None:
    """Delete a borrower's contracts and where their effects lie. Those that the subject is guarantor of stay: they are
    other people's, and the pseudonym in them names nobody any more."""
    for statement in _ERASE:
        await connection.execute(statement, LOG_ID, subject)


_TICK = "INSERT INTO day_tick (log_id, day, idx) VALUES ($1, $2, $3)"
_TICK_OF = "SELECT idx FROM day_tick WHERE log_id = $1 AND day = $2"
_LAST_TICK = "SELECT max(day) FROM day_tick WHERE log_id = $1"


async def insert_tick(connection: Connection, day: date, idx: int) -> None:
    """A day began, at an entry; a second tick of the day is a unique violation."""
    await connection.execute(_TICK, LOG_ID, day, idx)


async def tick_of(connection: Connection, day: date) -> int | None:
    """The entry with which a day began."""
    return await connection.fetchval(_TICK_OF, LOG_ID, day)  # type: ignore[no-any-return]


async def last_tick(connection: Connection) -> date | None:
    """The newest day that began."""
    return await connection.fetchval(_LAST_TICK, LOG_ID)  # type: ignore[no-any-return]
