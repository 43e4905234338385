-- Which batch answered an idempotency key: written with the batch, so a retry finds it or finds nothing.

CREATE TABLE idempotency (
    log_id        smallint NOT NULL,
    tenant        text COLLATE "C" NOT NULL,
    key           text COLLATE "C" NOT NULL,
    request_hash  bytea    NOT NULL CHECK (length(request_hash) = 32),
    author        text COLLATE "C" NOT NULL,
    batch_id      uuid     NOT NULL,
    answer        bytea    NOT NULL,
    created_at    bigint   NOT NULL,
    PRIMARY KEY (log_id, tenant, key)
);
COMMENT ON COLUMN idempotency.author IS 'Tenant whose batch answered: the caller''s own, or the deployment''s for a consent step.';
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_own ON idempotency
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));

GRANT SELECT, INSERT, DELETE ON idempotency TO tallystick_app;
