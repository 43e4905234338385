"""The one door to the database: nothing else opens a connection, begins a transaction or sets a tenant.

    async with database.reading(tenants=("acacia",)) as connection: ...
    async with database.reading(subject=pseudonym) as connection: ...
    await begin(connection, tenants=(...))      # the committer, which must see COMMIT by itself

Rules
- Tenants and subject are set for one transaction only (``set_config(..., true)``), so that a pooled connection carries
  nothing over. Unset means no rows, never all rows.
- The role may not be a superuser and may not bypass row-level security: start-up refuses it with what to do.
- Prepared statements stay on a connection; the pool's own reset is off, since no state outlives a transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from ledger.errors import InvalidInput, InvariantBroken, Unavailable
from ledger.types import Subject, TenantId

Connection: TypeAlias = Any
"""A connection of asyncpg's, or the pool's proxy of one: the driver has no type that covers both."""

CONNECT_TIMEOUT_S: Final = 10.0
"""Opening one connection; a server that answers later than that is as good as away."""

SERVER_VERSION_MIN: Final = 150000
"""PostgreSQL 15: the oldest that the migrations are tested on."""

POOL_CONNECTIONS_MAX: Final = 8
"""Reading connections of one process; the committer has its own."""

_PLANNING: Final = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""Every statement here looks rows up by key. Told so, the planner cannot choose a scan of a table that was empty when
the statement was prepared, or that nobody analysed since: that choice costs a thousandfold."""


_GONE: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
"""What a database that dies, restarts or replays its log is met with: class 57 (it says that it goes, or that it is not
ready), a broken connection, and the driver's own confusion when an answer ends in the middle."""


class _StatelessConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose return to the pool costs no round trip: all state here is transaction-local."""

    def get_reset_query(self) -> str:
        """Nothing to reset."""
        return ""


class Database:
    """A pool of reading connections and the means to open one for committing."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Connect and refuse an unfit server or role. Raises InvalidInput ``database_*`` or Unavailable."""
        try:
            self._pool = await asyncpg.create_pool(
                self._dsn, min_size=1, max_size=POOL_CONNECTIONS_MAX, timeout=CONNECT_TIMEOUT_S,
                connection_class=_StatelessConnection, max_inactive_connection_lifetime=300.0, server_settings=_PLANNING,
            )  # fmt: skip
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise unreachable(error) from error
        async with self._pool.acquire() as connection:
            await refuse_unfit_role(connection)

    async def close(self) -> None:
        """Close every pooled connection."""
        if self._pool is not None:
            await self._pool.close()

    async def dedicated(self) -> Any:
        """A connection outside the pool, for the committer. Raises Unavailable."""
        try:
            return await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT_S, server_settings=_PLANNING)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise unreachable(error) from error

    @asynccontextmanager
    async def reading(
        self, *, tenants: Sequence[TenantId] = (), subject: Subject | None = None
    ) -> AsyncIterator[Connection]:
        """A transaction that sees the rows of ``tenants`` and of ``subject``; with neither, public rows only."""
        async with self._transaction(tenants, subject) as connection:
            yield connection

    @asynccontextmanager
    async def writing(
        self, *, tenants: Sequence[TenantId] = (), subject: Subject | None = None
    ) -> AsyncIterator[Connection]:
        """The same for the few small writes outside a batch's commit (salts, tenants, keys)."""
        async with self._transaction(tenants, subject) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, tenants: Sequence[TenantId], subject: Subject | None) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise Unavailable("database_closed", "the database is not open")
        try:
            async with self._pool.acquire() as connection:
                await begin(connection, tenants=tenants, subject=subject)
                try:
                    yield connection
                except BaseException:
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
        except _GONE as error:
            raise unreachable(error) from error


async def begin(connection: Connection, *, tenants: Sequence[TenantId] = (), subject: Subject | None = None) -> None:
    """Begin a transaction for these tenants and this subject, in one round trip.

    Tenant names are checked where they are made and again by the table's CHECK; here anything that could leave the
    quotes is refused, since a setting cannot be a parameter of the simple protocol.
    """
    names = ",".join(tenants)
    if not all(character.isascii() and (character.isalnum() or character in "-,") for character in names):
        raise InvalidInput("tenant_malformed", "a tenant's name has only a-z, 0-9 and the hyphen")
    hexed = "" if subject is None else subject.hex()
    await connection.execute(
        f"BEGIN; SELECT set_config('app.tenants', '{names}', true), set_config('app.subject', '{hexed}', true)"
    )


_ROLE = """
SELECT rolsuper OR rolbypassrls AS unfit, rolname, current_setting('server_version_num')::int AS version,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous
  FROM pg_roles WHERE rolname = current_user
"""


async def refuse_unfit_role(connection: Connection) -> None:
    """Refuse a role that sees past row-level security, an old server, or one that forgets commits.

    Raises InvalidInput ``database_role_unfit``, ``database_old``, InvariantBroken ``database_not_durable``.
    """
    row = await connection.fetchrow(_ROLE)
    if row["unfit"]:
        raise InvalidInput(
            "database_role_unfit",
            f"the database role {row['rolname']} is a superuser or has BYPASSRLS, so tenants would not be kept apart",
            advice="run './tallystick migrate' with DATABASE_ADMIN_URL, then connect as the role tallystick_app",
        )
    if row["version"] < SERVER_VERSION_MIN:
        raise InvalidInput("database_old", "PostgreSQL 15 or newer is needed", found=row["version"] // 10000)
    if row["fsync"] != "on" or row["synchronous"] in ("off", "local"):
        raise InvariantBroken(
            "database_not_durable", "the server acknowledges commits that it can lose",
            advice="set fsync = on and synchronous_commit = on",
        )  # fmt: skip


def unreachable(error: BaseException) -> Unavailable:
    """The error for a database that does not answer; names its class, never its address."""
    return Unavailable(
        "database_unreachable", f"the database does not answer ({type(error).__name__})", retry_after_s=2,
        advice="see './tallystick doctor'",
    )  # fmt: skip


_FOCUS = "SELECT set_config('app.subject', $1, true)"


async def focus(connection: Connection, subject: Subject) -> None:
    """Let the transaction under way also see the rows of one subject (erasure works across tenants)."""
    await connection.execute(_FOCUS, subject.hex())
