-- One row an attestation: its commitment, its path inside its batch, and its bytes sealed under the subject's key.
-- The rows of one account are a chain backwards from its loan (previous_*), so that no index grows at random places.

CREATE TABLE attestation (
    log_id             smallint NOT NULL,
    tenant             text COLLATE "C" NOT NULL,
    batch_id           uuid     NOT NULL,
    position           smallint NOT NULL CHECK (position BETWEEN 0 AND 4095),
    id                 uuid     NOT NULL,
    kind               text COLLATE "C" NOT NULL,
    subject            bytea    CHECK (length(subject) = 32),
    previous_batch     uuid,
    previous_position  smallint,
    commitment         bytea    NOT NULL,
    path               bytea    NOT NULL,
    sealed             bytea    NOT NULL,
    PRIMARY KEY (log_id, tenant, batch_id, position),
    UNIQUE (log_id, tenant, id)
);
ALTER TABLE attestation ALTER COLUMN path SET STORAGE PLAIN;
CREATE INDEX attestation_about_subject ON attestation (log_id, subject, kind, id)
    WHERE kind IN ('access', 'consent', 'enquiry', 'score', 'statement', 'alt_data', 'insolvency', 'notice', 'identity_link');
CREATE INDEX attestation_of_keys ON attestation (log_id, id) WHERE kind IN ('key', 'erasure');

ALTER TABLE attestation ENABLE ROW LEVEL SECURITY;
ALTER TABLE attestation FORCE ROW LEVEL SECURITY;
CREATE POLICY attestation_own ON attestation FOR SELECT USING (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY attestation_subject ON attestation FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY attestation_keys ON attestation FOR SELECT USING (kind IN ('key', 'erasure'));
CREATE POLICY attestation_insert ON attestation FOR INSERT
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY attestation_audit ON attestation FOR SELECT TO tallystick_audit USING (true);

GRANT SELECT, INSERT ON attestation TO tallystick_app;
GRANT SELECT ON attestation TO tallystick_audit;
