-- The current state of every loan: a projection, erasable, rebuilt by folding the attestations.

CREATE TABLE loan (
    log_id         smallint NOT NULL,
    tenant         text COLLATE "C" NOT NULL,
    account        bytea    NOT NULL CHECK (length(account) = 32),
    subject        bytea    NOT NULL CHECK (length(subject) = 32),
    version        integer  NOT NULL,
    last_batch     uuid     NOT NULL,
    last_position  smallint NOT NULL,
    state          bytea    NOT NULL,
    PRIMARY KEY (log_id, tenant, account)
) WITH (fillfactor = 70);
CREATE INDEX loan_of_subject ON loan (log_id, subject);

ALTER TABLE loan ENABLE ROW LEVEL SECURITY;
ALTER TABLE loan FORCE ROW LEVEL SECURITY;
CREATE POLICY loan_own ON loan
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY loan_subject ON loan FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY loan_erase ON loan FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY loan_audit ON loan FOR SELECT TO tallystick_audit USING (true);

GRANT SELECT, INSERT, DELETE ON loan TO tallystick_app;
GRANT UPDATE (version, last_batch, last_position, state) ON loan TO tallystick_app;
GRANT SELECT ON loan TO tallystick_audit;
