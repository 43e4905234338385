-- The current state of every consent: what the decision reads, under a lock that the revoke also takes.

CREATE TABLE consent (
    log_id      smallint NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    consent     uuid     NOT NULL,
    version     integer  NOT NULL CHECK (version >= 1),
    subject     bytea    NOT NULL CHECK (length(subject) = 32),
    state       text     NOT NULL,
    artefact    bytea    NOT NULL,
    last_batch  uuid     NOT NULL,
    changed_at  bigint   NOT NULL,
    reads       integer  NOT NULL DEFAULT 0,
    last_read   bigint,
    PRIMARY KEY (log_id, tenant, consent, version)
) WITH (fillfactor = 70);
COMMENT ON COLUMN consent.tenant IS 'The consumer: the app, lender or bureau that asks to read.';
CREATE INDEX consent_of_subject ON consent (log_id, subject, consent);

ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent FORCE ROW LEVEL SECURITY;
CREATE POLICY consent_consumer ON consent
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY consent_subject ON consent FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY consent_erase ON consent FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY consent_audit ON consent FOR SELECT TO tallystick_audit USING (true);

GRANT SELECT, INSERT, DELETE ON consent TO tallystick_app;
GRANT UPDATE (state, artefact, last_batch, changed_at, reads, last_read) ON consent TO tallystick_app;
GRANT SELECT ON consent TO tallystick_audit;
