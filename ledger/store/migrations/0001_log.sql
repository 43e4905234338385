-- The log: head, entries, full tiles, checkpoints. Append-only by privilege; only the head row is ever updated.
-- Everything here is public: it holds commitments and signed statements, nothing personal.

-- SQL-standard bodies are bound when they are made, so no search_path can lead them astray, and they can be inlined.
CREATE FUNCTION current_tenants() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
    RETURN string_to_array(nullif(current_setting('app.tenants', true), ''), ',');
COMMENT ON FUNCTION current_tenants() IS 'Tenants this transaction acts for; NULL, hence no rows, when none was set.';

CREATE FUNCTION current_subject() RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
    RETURN decode(nullif(current_setting('app.subject', true), ''), 'hex');
COMMENT ON FUNCTION current_subject() IS 'Borrower this transaction reads for; NULL, hence no rows, when none was set.';

CREATE TABLE head (
    log_id        smallint PRIMARY KEY,
    origin        text     NOT NULL,
    size          bigint   NOT NULL CHECK (size >= 0),
    root          bytea    NOT NULL CHECK (length(root) = 32),
    frontier      bytea    NOT NULL,
    epoch         bigint   NOT NULL DEFAULT 0,
    committed_at  bigint   NOT NULL
) WITH (fillfactor = 10);
COMMENT ON COLUMN head.epoch IS 'Goes up when a key or a subject''s salt changes: what processes cached before is void.';

CREATE TABLE tile (
    log_id  smallint NOT NULL,
    level   smallint NOT NULL CHECK (level >= 0),
    n       bigint   NOT NULL CHECK (n >= 0),
    hashes  bytea    NOT NULL CHECK (length(hashes) = 8192),
    root    bytea    NOT NULL CHECK (length(root) = 32),
    PRIMARY KEY (log_id, level, n)
);
ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE checkpoint (
    log_id     smallint NOT NULL,
    size       bigint   NOT NULL,
    root       bytea    NOT NULL CHECK (length(root) = 32),
    note       bytea    NOT NULL,
    signed_at  bigint   NOT NULL,
    PRIMARY KEY (log_id, size)
);

GRANT SELECT ON head, tile, checkpoint TO tallystick_app, tallystick_audit;
GRANT INSERT ON head, tile, checkpoint TO tallystick_app;
GRANT UPDATE (size, root, frontier, epoch, committed_at) ON head TO tallystick_app;
