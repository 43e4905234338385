-- Scoring models: their documents by hash, and when each was promoted to decide. Public within the deployment: a model holds
-- no borrower. And how a lender's borrowers of a month were spread over a model's bins, for drift: counts alone.

CREATE TABLE model (
    log_id         smallint NOT NULL,
    digest         bytea    NOT NULL CHECK (length(digest) = 32),
    name           text COLLATE "C" NOT NULL,
    version        integer  NOT NULL CHECK (version >= 1),
    document       bytea    NOT NULL,
    figures        bytea    NOT NULL,
    baseline       bytea,
    registered_at  bigint   NOT NULL,
    promoted_at    bigint,
    PRIMARY KEY (log_id, digest),
    UNIQUE (log_id, name, version)
);
COMMENT ON COLUMN model.digest IS 'SHA-256 of document: the name that the log knows the model by.';
GRANT SELECT, INSERT ON model TO tallystick_app;
GRANT UPDATE (promoted_at) ON model TO tallystick_app;
GRANT SELECT ON model TO tallystick_audit;

CREATE TABLE score_month (
    log_id  smallint NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    model   bytea    NOT NULL CHECK (length(model) = 32),
    month   integer  NOT NULL CHECK (month BETWEEN 190001 AND 999912),
    counts  bytea    NOT NULL,
    PRIMARY KEY (log_id, tenant, model, month)
) WITH (fillfactor = 70);
COMMENT ON COLUMN score_month.month IS 'Year times 100 plus month, UTC.';
ALTER TABLE score_month ENABLE ROW LEVEL SECURITY;
ALTER TABLE score_month FORCE ROW LEVEL SECURITY;
CREATE POLICY score_month_own ON score_month
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY score_month_audit ON score_month FOR SELECT TO tallystick_audit USING (true);
GRANT SELECT, INSERT ON score_month TO tallystick_app;
GRANT UPDATE (counts) ON score_month TO tallystick_app;
GRANT SELECT ON score_month TO tallystick_audit;
