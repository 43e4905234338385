-- One row a batch: the signed statement that is the log entry. Public to read, written by its tenant, never changed.

CREATE TABLE entry (
    log_id         smallint NOT NULL,
    idx            bigint   NOT NULL,
    tenant         text COLLATE "C" NOT NULL,
    batch_id       uuid     NOT NULL,
    leaf_hash      bytea    NOT NULL CHECK (length(leaf_hash) = 32),
    statement      bytea    NOT NULL,
    root           bytea    NOT NULL CHECK (length(root) = 32),
    count          smallint NOT NULL CHECK (count BETWEEN 1 AND 4096),
    stored_digest  bytea    NOT NULL CHECK (length(stored_digest) = 32),
    committed_at   bigint   NOT NULL,
    PRIMARY KEY (log_id, idx),
    UNIQUE (log_id, tenant, batch_id),
    UNIQUE (log_id, tenant, leaf_hash)
);
COMMENT ON COLUMN entry.stored_digest IS 'SHA-256 over sealed bytes, subject, id and kind of the batch''s rows in order: a flipped bit shows even after erasure.';
ALTER TABLE entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE entry FORCE ROW LEVEL SECURITY;
CREATE POLICY entry_read ON entry FOR SELECT USING (true);
CREATE POLICY entry_insert ON entry FOR INSERT WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));

GRANT SELECT, INSERT ON entry TO tallystick_app;
GRANT SELECT ON entry TO tallystick_audit;
