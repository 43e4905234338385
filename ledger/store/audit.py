"""Audits the catalogue: what row-level security stands or falls with, read from PostgreSQL's own tables.

    for finding in await audit_catalogue(connection): ...        # no findings: all rules hold

Rules, each with its code
- ``rls_off``, ``rls_unforced``, ``policy_missing``: a table with a ``tenant`` column has row-level security, forced
  even upon its owner, and a policy for each command that somebody may run.
- ``owner_unfit``, ``role_unfit``: owners cannot log in; neither they nor our roles are superusers or bypass policies.
- ``view_leaks``, ``materialized_view``, ``function_definer``, ``function_path``: nothing reads with another's rights.
- ``log_mutable``: nobody but the owner may change or remove what the log holds, but the head's own columns.
- ``key_crosses``: a unique key of a tenant's table begins with (log_id, tenant), else it tells of other tenants' rows.
  The entries' index is public and the one exception. ``reference_crosses``: so does every foreign key.
- ``sequence_shared``: a sequence would tell one tenant how much the others do.
- ``public_granted``: PUBLIC has no right on any table, nor on the schema but to use it.

It reads system catalogues only and needs no privilege. The owner and superusers can do anything: that is what fsck and
witnesses are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.store.database import Connection

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
_CLASSES = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_FUNCTIONS = "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
_TENANTS = f"""
{_CLASSES}
 WHERE c.relkind IN ('r', 'p') AND {_OURS}
   AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped)
"""
LOG_TABLES: Final = "'entry', 'tile', 'checkpoint', 'attestation', 'head'"


@dataclass(frozen=True)
class Finding:
    """One rule that does not hold, and where."""

    rule: str
    where: str
    message: str


RULES: Final[dict[str, tuple[str, str]]] = {
    "rls_off": ("a tenant's table without row-level security", f"SELECT c.relname {_TENANTS} AND NOT c.relrowsecurity"),
    "rls_unforced": (
        "its owner is not bound by the policies",
        f"SELECT c.relname {_TENANTS} AND NOT c.relforcerowsecurity",
    ),
    "policy_missing": (
        "somebody may run a command that no policy speaks of",
        f"""
        SELECT DISTINCT t.relname || ' ' || g.command FROM (SELECT c.oid, c.relname, c.relowner, c.relacl {_TENANTS}) t,
               LATERAL aclexplode(t.relacl) x,
               (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) g(command, letter)
         WHERE x.privilege_type = g.command AND x.grantee <> t.relowner
           AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polcmd::text IN (g.letter, '*'))""",
    ),
    "owner_unfit": (
        "the owner may log in, is a superuser or bypasses row-level security",
        f"""
        SELECT c.relname || ' of ' || r.rolname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_roles r ON r.oid = c.relowner
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {_OURS}
           AND (r.rolcanlogin OR r.rolsuper OR r.rolbypassrls)""",
    ),
    "role_unfit": (
        "a role of ours is a superuser, bypasses row-level security or makes roles",
        """
        SELECT rolname FROM pg_roles WHERE rolname LIKE 'tallystick%'
           AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)""",
    ),
    "role_inherits": (
        "a role that logs in is a member of the owner",
        """
        SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles o ON o.oid = a.roleid
         WHERE o.rolname = 'tallystick_owner' AND m.rolname IN ('tallystick_app', 'tallystick_audit')""",
    ),
    "view_leaks": (
        "a view that reads with its owner's rights",
        f"""
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'v' AND {_OURS}
           AND NOT coalesce('security_invoker=true' = ANY (c.reloptions) OR 'security_invoker=on' = ANY (c.reloptions)
                            OR 'security_invoker=1' = ANY (c.reloptions), false)""",
    ),
    "materialized_view": (
        "row-level security cannot apply to a materialized view",
        f"SELECT c.relname {_CLASSES} WHERE c.relkind = 'm' AND {_OURS}",
    ),
    "foreign_table": (
        "row-level security cannot apply to a foreign table",
        f"SELECT c.relname {_CLASSES} WHERE c.relkind = 'f' AND {_OURS}",
    ),
    "function_definer": (
        "a function that runs with its owner's rights",
        f"SELECT p.proname {_FUNCTIONS} WHERE p.prosecdef AND {_OURS}",
    ),
    "function_path": (
        "a function without a fixed search_path, and whose body was not bound when it was made",
        f"""
        SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE {_OURS} AND p.prosqlbody IS NULL
           AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%')""",
    ),
    "log_mutable": (
        "somebody but the owner may change or remove what the log holds",
        f"""
        SELECT c.relname || ': ' || x.privilege_type || ' by ' || coalesce(r.rolname, 'PUBLIC')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL aclexplode(c.relacl) x
          LEFT JOIN pg_roles r ON r.oid = x.grantee
         WHERE c.relkind IN ('r', 'p') AND {_OURS} AND x.grantee <> c.relowner
           AND (x.privilege_type = 'TRUNCATE' OR x.privilege_type = 'TRIGGER'
                OR c.relname IN ({LOG_TABLES}) AND x.privilege_type IN ('UPDATE', 'DELETE'))
         UNION ALL
        SELECT c.relname || '.' || a.attname || ': UPDATE' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL aclexplode(a.attacl) x
         WHERE {_OURS} AND c.relname IN ({LOG_TABLES}) AND x.privilege_type = 'UPDATE'
           AND NOT (c.relname = 'head' AND a.attname IN ('size', 'root', 'frontier', 'epoch', 'committed_at'))""",
    ),
    "log_trigger": (
        "a trigger or rule could change what is written",
        f"""
        SELECT c.relname || ' ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND {_OURS}
         UNION ALL
        SELECT c.relname || ' ' || w.rulename FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
          JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {_OURS}""",
    ),
    "key_crosses": (
        "a unique key does not begin with (log_id, tenant): it tells of other tenants' rows",
        f"""
        SELECT t.relname || ' ' || k.relname FROM (SELECT c.oid, c.relname {_TENANTS}) t
          JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique JOIN pg_class k ON k.oid = i.indexrelid
         WHERE (SELECT array_agg(coalesce(a.attname::text, '') ORDER BY o.place)
                  FROM unnest(i.indkey::int[]) WITH ORDINALITY o(number, place)
                  LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = o.number AND o.number > 0
                 WHERE o.place <= 2) IS DISTINCT FROM ARRAY['log_id', 'tenant']
           AND NOT (t.relname = 'entry' AND k.relname = 'entry_pkey')""",
    ),
    "reference_crosses": (
        "a foreign key without the tenant: it tells of, or points at, other tenants' rows",
        f"""
        SELECT t.relname || ' ' || f.conname FROM (SELECT c.oid, c.relname {_TENANTS}) t
          JOIN pg_constraint f ON f.contype = 'f' AND (f.conrelid = t.oid OR f.confrelid = t.oid)
         WHERE NOT EXISTS (SELECT FROM unnest(f.conkey, f.confkey) m(mine, theirs)
                             JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = m.mine
                                                AND a.attname = 'tenant'
                             JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = m.theirs
                                                AND b.attname = 'tenant')""",
    ),
    "sequence_shared": (
        "a sequence tells how much the other tenants do",
        f"SELECT c.relname {_CLASSES} WHERE c.relkind = 'S' AND {_OURS}",
    ),
    "partition_open": (
        "a partition is reached past its parent's policies",
        f"""
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relispartition AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity) AND {_OURS}""",
    ),
    "public_granted": (
        "everybody has a right here",
        f"""
        SELECT c.relname || ': ' || x.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
               LATERAL aclexplode(c.relacl) x WHERE x.grantee = 0 AND {_OURS}
         UNION ALL
        SELECT c.relname || '.' || a.attname || ': ' || x.privilege_type FROM pg_attribute a
          JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
               LATERAL aclexplode(a.attacl) x WHERE x.grantee = 0 AND {_OURS}
         UNION ALL
        SELECT 'schema ' || n.nspname || ': ' || x.privilege_type FROM pg_namespace n, LATERAL aclexplode(n.nspacl) x
         WHERE x.grantee = 0 AND x.privilege_type = 'CREATE' AND {_OURS}""",
    ),
}
"""Rule -> what a row of its query means, and the query: each row names an object that breaks the rule."""


async def audit_catalogue(connection: Connection) -> list[Finding]:
    """Every rule that does not hold in this database, in the order of :data:`RULES`."""
    findings: list[Finding] = []
    for rule, (message, query) in RULES.items():
        findings += [Finding(rule, str(row[0]), message) for row in await connection.fetch(query)]
    return findings
