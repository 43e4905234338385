"""Row-level security over two tenants with canary values: each probe that is known to have leaked somewhere once.

Everything is asked as the application's role; what one tenant may see, change or infer of the other is nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from ledger.errors import InvalidInput, TallystickError
from ledger.node.node import Node
from ledger.store.audit import RULES, audit_catalogue
from ledger.store.database import Database, begin
from ledger.store.embedded import EmbeddedPostgres
from ledger.types import Subject, TenantId
from tests.support.checks import CAPTURE, artefact_for, asking, enrol_app, grant
from tests.support.ledgers import Lender, TestDatabase, fresh_database, running_node

CANARY = b"CANARY-OF-BAOBAB-32-BYTES-LONG!!"
TENANT_TABLES = ("attestation", "loan", "consent", "idempotency", "managed_key")
PUBLIC_TABLES = ("tenant", "signing_key", "token_issuer", "entry")
LOG_TABLES = ("entry", "tile", "checkpoint", "attestation", "head")


@asynccontextmanager
async def two_tenants(database: TestDatabase) -> AsyncIterator[Node]:
    """Acacia and Baobab with a loan each, an app of each kind with a consent, a managed key and an idempotency key."""
    async with running_node(database) as node:
        for name, secret in (("acacia", b"canary-of-acacia-32-bytes-long!!"), ("baobab", CANARY)):
            lender = await Lender(name).enrol(node)
            await node.authority.enrol_key(lender.name, None)
            loan = lender.new_loan(account=secret, subject=secret)
            await node.publisher.publish(lender.name, *lender.batch(loan))
            app = await enrol_app(node, f"{name}-app")
            artefact = artefact_for(secret, app)
            await grant(node, artefact)
            await node.reader.credit_view(app, artefact.consent, with_bundle=False)
        yield node


@asynccontextmanager
async def filled(postgres: EmbeddedPostgres) -> AsyncIterator[TestDatabase]:
    """A database with both tenants."""
    async with fresh_database(postgres) as found:
        async with two_tenants(found):
            pass
        yield found


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[TestDatabase]:
    """One for all probes that leave it as it was."""
    with asyncio.Runner() as runner:
        both = filled(postgres)
        yield runner.run(both.__aenter__())
        runner.run(both.__aexit__(None, None, None))


@pytest.fixture
async def own_database(postgres: EmbeddedPostgres) -> AsyncIterator[TestDatabase]:
    """One for a test that changes it."""
    async with filled(postgres) as found:
        yield found


@pytest.fixture
async def app(database: TestDatabase) -> AsyncIterator[Any]:
    """A connection as the application's role."""
    connection = await asyncpg.connect(database.app_dsn)
    yield connection
    await connection.close()


async def tenants_seen(connection: Any, table: str) -> set[str]:
    """The tenants whose rows a table shows."""
    return {row["tenant"] for row in await connection.fetch(f"SELECT DISTINCT tenant FROM {table}")}


async def test_each_table_shows_the_transactions_own_tenant_only(app: Any) -> None:
    for name in ("acacia", "baobab"):
        await begin(app, tenants=(TenantId(name),))
        assert await tenants_seen(app, "loan") == {name}
        assert await tenants_seen(app, "managed_key") == {name}
        # The log's own words about its keys are public: a verifier needs them.
        assert await tenants_seen(app, "attestation") == {name, "tallystick"}
        assert await app.fetchval("SELECT count(*) FROM attestation WHERE tenant = 'tallystick' AND kind <> 'key'") == 0
        assert await tenants_seen(app, "consent") == set()
        await app.execute("ROLLBACK")
        await begin(app, tenants=(TenantId(f"{name}-app"),))
        assert await tenants_seen(app, "consent") == {f"{name}-app"}
        assert await tenants_seen(app, "loan") == set()
        await app.execute("ROLLBACK")


async def test_with_no_tenant_set_nothing_of_any_tenant_is_seen(app: Any) -> None:
    for _ in range(2):  # on a fresh connection, and after a transaction that had one
        for table in ("loan", "consent", "idempotency", "managed_key"):
            assert await app.fetchval(f"SELECT count(*) FROM {table}") == 0
        assert await app.fetchval("SELECT count(*) FROM attestation WHERE kind NOT IN ('key', 'erasure')") == 0
        await begin(app, tenants=(TenantId("acacia"),))
        await app.execute("COMMIT")


async def test_an_empty_or_odd_tenant_setting_shows_nothing(app: Any) -> None:
    for value in ("", ",", "acacia,", "nobody", "ACACIA", "acacia ", "%", "acacia'"):
        expected = 2 if value == "acacia," else 0
        async with app.transaction():
            await app.execute("SELECT set_config('app.tenants', $1, true)", value)
            assert (
                await app.fetchval("SELECT count(*) FROM attestation WHERE kind IN ('agreement', 'disbursement')")
                == expected
            )


async def test_a_borrower_sees_its_rows_at_every_lender_and_nobody_elses(app: Any) -> None:
    await begin(app, subject=Subject(CANARY))
    assert await tenants_seen(app, "loan") == {"baobab"}
    assert {row["subject"] for row in await app.fetch("SELECT subject FROM consent")} == {CANARY}
    rows = await app.fetch("SELECT DISTINCT subject FROM attestation WHERE kind <> 'key'")
    assert {row["subject"] for row in rows} == {CANARY}


@pytest.mark.parametrize("table", TENANT_TABLES + PUBLIC_TABLES)
async def test_a_row_for_another_tenant_is_refused(database: TestDatabase, app: Any, table: str) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    columns = [
        row["column_name"]
        for row in await admin.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position", table
        )
    ]
    row = await admin.fetchrow(f"SELECT * FROM {table} WHERE tenant LIKE 'baobab%' LIMIT 1")
    if row is None:
        row = await admin.fetchrow(f"SELECT * FROM {table} LIMIT 1")
    await admin.close()
    if row is None:
        values = {"token_issuer": (1, "baobab", "https://i", "{}", ["lender"])}[table]
    else:
        values = tuple("baobab" if name == "tenant" else row[name] for name in columns)
    await begin(app, tenants=(TenantId("acacia"),))
    marks = ", ".join(f"${at + 1}" for at in range(len(values)))
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
        await app.execute(f"INSERT INTO {table} VALUES ({marks})", *values)
    assert "CANARY" not in str(caught.value) and "row-level security" in str(caught.value)


@pytest.mark.parametrize("table", LOG_TABLES)
@pytest.mark.parametrize("command", ["TRUNCATE {0}", "DELETE FROM {0}", "UPDATE {0} SET log_id = log_id", "LOCK {0}"])
async def test_what_the_log_holds_cannot_be_changed(app: Any, table: str, command: str) -> None:
    await begin(app, tenants=(TenantId("acacia"), TenantId("baobab")))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(command.format(table))


@pytest.mark.parametrize("table", ["loan", "consent", "idempotency", "subject_salt", "tenant", "signing_key"])
async def test_nothing_is_truncated_or_redefined(app: Any, table: str) -> None:
    for command in (
        f"TRUNCATE {table}", f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY", f"DROP TABLE {table}",
        f"CREATE POLICY p ON {table} USING (true)",
        f"CREATE TRIGGER t AFTER INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(command)
    for command in ("CREATE TABLE public.x (a int)", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                    "SET ROLE tallystick_owner", "SET session_replication_role = replica",
                    "SET SESSION AUTHORIZATION tallystick_owner", "ALTER ROLE tallystick_app BYPASSRLS"):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(command)


async def test_updates_and_deletes_reach_no_row_of_another_tenant(app: Any, database: TestDatabase) -> None:
    await begin(app, tenants=(TenantId("acacia"), TenantId("acacia-app")))
    assert await app.execute("UPDATE loan SET version = 99 WHERE tenant = 'baobab'") == "UPDATE 0"
    assert await app.execute("DELETE FROM loan WHERE tenant = 'baobab'") == "DELETE 0"
    assert await app.execute("UPDATE consent SET state = 'revoked' WHERE tenant LIKE 'baobab%'") == "UPDATE 0"
    assert await app.execute("UPDATE signing_key SET not_after = 1 WHERE tenant = 'baobab'") == "UPDATE 0"
    assert await app.execute("DELETE FROM idempotency WHERE tenant LIKE 'baobab%'") == "DELETE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("UPDATE loan SET tenant = 'baobab'")


async def test_a_unique_key_is_no_oracle_for_another_tenants_rows(database: TestDatabase, app: Any) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    theirs = await admin.fetchrow("SELECT * FROM loan WHERE tenant = 'baobab'")
    await admin.close()
    await begin(app, tenants=(TenantId("acacia"),))
    for conflict in ("", " ON CONFLICT DO NOTHING"):
        status = await app.execute(
            "INSERT INTO loan (log_id, tenant, account, subject, version, last_batch, last_position, state) "
            f"VALUES (1, 'acacia', $1, $2, 1, $3, 0, ''){conflict}",
            theirs["account"], theirs["subject"], theirs["last_batch"],
        )  # fmt: skip
        assert status == "INSERT 0 1"
        await app.execute("DELETE FROM loan WHERE tenant = 'acacia' AND account = $1", theirs["account"])


async def test_copy_is_refused(app: Any) -> None:
    async with app.transaction():
        await app.execute("SELECT set_config('app.tenants', 'acacia', true)")
        with pytest.raises(asyncpg.PostgresError):
            await app.copy_records_to_table("loan", records=[(1, "acacia", b"", b"", 1, None, 0, b"")])


async def test_statistics_and_plans_tell_nothing_of_another_tenants_rows(database: TestDatabase, app: Any) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("ANALYZE")
    await admin.close()
    await begin(app, tenants=(TenantId("acacia"),))
    tables = ["attestation", "loan", "consent", "idempotency", "managed_key"]
    assert await app.fetchval("SELECT count(*) FROM pg_stats WHERE tablename = ANY($1)", tables) == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.fetch("SELECT count(stavalues1::text) FROM pg_statistic")


async def test_an_error_in_a_condition_does_not_fire_on_hidden_rows(app: Any) -> None:
    await begin(app, tenants=(TenantId("acacia"),))
    query = "SELECT count(*) FROM loan WHERE 1 / (CASE WHEN tenant = 'baobab' THEN 0 ELSE 1 END) = 1"
    assert await app.fetchval(query) == 1
    assert await app.fetchval("SELECT count(*) FROM loan TABLESAMPLE SYSTEM (100) WHERE tenant = 'baobab'") == 0


async def test_a_tenant_set_for_one_transaction_is_gone_from_the_pooled_connection(database: TestDatabase) -> None:
    opened = Database(database.app_dsn)
    await opened.open()
    try:
        async with opened.reading(tenants=(TenantId("acacia"),)) as connection:
            assert await connection.fetchval("SELECT count(*) FROM loan") == 1
            backend = connection.get_server_pid()
        async with opened.reading() as connection:
            assert connection.get_server_pid() == backend
            assert await connection.fetchval("SELECT count(*) FROM loan") == 0
            assert await connection.fetchval("SELECT current_setting('app.tenants', true)") == ""
    finally:
        await opened.close()


async def test_a_cancelled_reader_leaves_its_connection_fit_for_the_next(database: TestDatabase) -> None:
    opened = Database(database.app_dsn)
    await opened.open()

    async def slow() -> None:
        async with opened.reading(tenants=(TenantId("baobab"),)) as connection:
            await connection.execute("SELECT pg_sleep(5)")

    try:
        for pause in (0.0, 0.001, 0.005, 0.05):
            task = asyncio.create_task(slow())
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with opened.reading(tenants=(TenantId("acacia"),)) as connection:
                assert await tenants_seen(connection, "loan") == {"acacia"}
    finally:
        await opened.close()


async def test_a_tenants_name_cannot_leave_its_quotes(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.app_dsn)
    for name in ("acacia','x", "a'); DROP TABLE loan; --", "ä", "a b", "\x00", "a\\"):
        with pytest.raises(InvalidInput) as caught:
            await begin(connection, tenants=(TenantId(name),))
        assert caught.value.code == "tenant_malformed" and name not in str(caught.value)
    await connection.close()


async def test_a_superuser_or_a_role_that_bypasses_policies_is_refused(
    database: TestDatabase, postgres: EmbeddedPostgres
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("CREATE ROLE bypasser LOGIN PASSWORD 'x' BYPASSRLS")
    try:
        name = database.admin_dsn.split("/")[3].split("?")[0]
        for dsn in (database.admin_dsn, postgres.dsn("bypasser", "x", name)):
            opened = Database(dsn)
            with pytest.raises(InvalidInput) as caught:
                await opened.open()
            assert caught.value.code == "database_role_unfit"
            await opened.close()
    finally:
        await admin.execute("DROP ROLE bypasser")
        await admin.close()


async def test_errors_and_logs_name_nobody(own_database: TestDatabase, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with running_node(own_database) as node:
        baobab = Lender("cypress")
        await baobab.enrol(node)
        loan = baobab.new_loan(account=CANARY, subject=CANARY)
        await node.publisher.publish(baobab.name, *baobab.batch(loan))
        acts = [
            node.publisher.publish(baobab.name, *baobab.batch([baobab.repayment(loan), loan[0]])),
            node.publisher.publish(baobab.name, *baobab.batch([baobab.repayment(loan, subject=b"o" * 32)])),
            node.publisher.publish(baobab.name, *baobab.batch([baobab.repayment(loan, account=b"z" * 32)])),
            node.consents.decide(Subject(CANARY), baobab.key.kid and loan[0].envelope.id, "revoked", asking("tallystick"),
                                 capture=CAPTURE),
            node.reader.credit_view(TenantId("acacia-app"), loan[0].envelope.id),
            node.reader.lender_loan(TenantId("acacia"), CANARY),
        ]  # fmt: skip
        for act in acts:
            with pytest.raises(TallystickError) as caught:
                await act
            told.append(str(caught.value) + str(caught.value.as_dict()))
    everything = " ".join(told) + caplog.text
    for form in (CANARY.decode(), CANARY.hex(), repr(CANARY), "Q0FOQVJZLU9G"):
        assert form not in everything


async def test_no_rule_of_the_catalogue_is_broken(database: TestDatabase) -> None:
    for dsn in (database.admin_dsn, database.app_dsn, database.audit_dsn):
        connection = await asyncpg.connect(dsn)
        assert await audit_catalogue(connection) == []
        await connection.close()


OWNED = "SET ROLE tallystick_owner; "
PLANTED = {
    "rls_off": OWNED + "CREATE TABLE leak (log_id smallint, tenant text)",
    "rls_unforced": OWNED + "ALTER TABLE loan NO FORCE ROW LEVEL SECURITY",
    "policy_missing": "DROP POLICY managed_key_own ON managed_key",
    "owner_unfit": "ALTER TABLE loan OWNER TO postgres",
    "role_inherits": "GRANT tallystick_owner TO tallystick_app",
    "view_leaks": OWNED + "CREATE VIEW leak AS SELECT * FROM loan",
    "materialized_view": OWNED + "CREATE MATERIALIZED VIEW leak AS SELECT * FROM loan",
    "function_definer": OWNED + "CREATE FUNCTION leak() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
    "SET search_path = pg_catalog AS 'SELECT count(*) FROM public.loan'",
    "function_path": OWNED + "CREATE FUNCTION leak() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "log_mutable": "GRANT UPDATE (statement) ON entry TO tallystick_app",
    "log_trigger": OWNED + "CREATE TRIGGER t BEFORE UPDATE ON entry FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "key_crosses": OWNED + "CREATE UNIQUE INDEX leak ON attestation (id)",
    "reference_crosses": OWNED + "CREATE UNIQUE INDEX k ON loan (log_id, tenant, account); "
    "CREATE TABLE s (subject bytea PRIMARY KEY); ALTER TABLE loan ADD FOREIGN KEY (subject) REFERENCES s NOT VALID",
    "sequence_shared": OWNED + "CREATE SEQUENCE leak",
    "partition_open": OWNED + "CREATE TABLE p (log_id smallint, tenant text) PARTITION BY LIST (tenant); "
    "CREATE TABLE leak PARTITION OF p DEFAULT",
    "public_granted": "GRANT SELECT ON loan TO PUBLIC",
}
NOT_PLANTED = {"role_unfit": "roles are the cluster's: probed by itself", "foreign_table": "needs an extension"}


async def test_every_rule_has_a_planted_fault() -> None:
    assert PLANTED.keys() | NOT_PLANTED.keys() == RULES.keys()


@asynccontextmanager
async def planted(database: TestDatabase, commands: str) -> AsyncIterator[set[str]]:
    """The rules that are broken after these commands, which are undone in the end."""
    admin = await asyncpg.connect(database.admin_dsn)
    change = admin.transaction()
    await change.start()
    try:
        await admin.execute(commands)
        await admin.execute("RESET ROLE")
        yield {finding.rule for finding in await audit_catalogue(admin)}
    finally:
        await change.rollback()
        await admin.close()


@pytest.mark.parametrize("rule", PLANTED)
async def test_a_planted_fault_is_found(database: TestDatabase, rule: str) -> None:
    async with planted(database, PLANTED[rule]) as found:
        assert rule in found


@pytest.mark.parametrize("command", ["GRANT TRUNCATE ON loan TO tallystick_app",
                                     "GRANT DELETE ON entry TO tallystick_audit",
                                     "GRANT UPDATE (origin) ON head TO tallystick_app"])  # fmt: skip
async def test_any_way_to_change_the_log_is_found(database: TestDatabase, command: str) -> None:
    async with planted(database, command) as found:
        assert "log_mutable" in found


async def test_a_role_that_gains_a_power_is_found(database: TestDatabase) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("ALTER ROLE tallystick_audit BYPASSRLS")
    try:
        assert [(each.rule, each.where) for each in await audit_catalogue(admin)] == [
            ("role_unfit", "tallystick_audit")
        ]
    finally:
        await admin.execute("ALTER ROLE tallystick_audit NOBYPASSRLS")
        await admin.close()
