"""Everything that touches PostgreSQL: the only room of ``ledger`` where a statement of SQL may stand.

- ``embedded`` starts a PostgreSQL of our own when ``DATABASE_URL`` is unset; ``postgres_binaries`` finds its programs.
- The other modules hold the statements, each a constant above the one function that runs it.

Rooms above call functions of this room; this room calls only the pure rooms below it.
"""
