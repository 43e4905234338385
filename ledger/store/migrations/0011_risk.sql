-- Early warning: what is known of each borrower, how far the log was followed, and every alert's present state.
-- All of it is a projection of the log and erasable. The shared part of a borrower (counts and dates across lenders) is the
-- deployment's row, each lender's figures are a row of that lender's: no lender's transaction sees another's.

CREATE TABLE risk_part (
    log_id   smallint NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    subject  bytea    NOT NULL CHECK (length(subject) = 32),
    wake     integer,
    part     bytea    NOT NULL,
    PRIMARY KEY (log_id, tenant, subject)
) WITH (fillfactor = 70);
COMMENT ON COLUMN risk_part.wake IS 'In the deployment''s row: the day (proleptic ordinal) on which to look at the borrower again.';
CREATE INDEX risk_part_of_subject ON risk_part (log_id, subject);
CREATE INDEX risk_part_wakes ON risk_part (log_id, tenant, wake) WHERE wake IS NOT NULL;

CREATE TABLE risk_link (
    log_id   smallint NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    kind     text     NOT NULL CHECK (kind IN ('guarantor', 'item')),
    target   bytea    NOT NULL CHECK (length(target) = 32),
    subject  bytea    NOT NULL CHECK (length(subject) = 32),
    account  bytea    NOT NULL CHECK (length(account) = 32),
    PRIMARY KEY (log_id, tenant, kind, target, subject, account)
);
COMMENT ON TABLE risk_link IS 'From a borrower to what is pledged, or to who answers for the debt.';
CREATE INDEX risk_link_to_target ON risk_link (log_id, kind, target);
CREATE INDEX risk_link_of_subject ON risk_link (log_id, subject);

CREATE TABLE risk_cursor (
    log_id    smallint PRIMARY KEY,
    idx       bigint   NOT NULL,
    position  integer  NOT NULL
);
COMMENT ON TABLE risk_cursor IS 'The first entry, and the first attestation in it, that early warning did not take in yet.';

CREATE TABLE risk_alert (
    log_id         smallint NOT NULL,
    tenant         text COLLATE "C" NOT NULL,
    id             uuid     NOT NULL,
    subject        bytea    NOT NULL CHECK (length(subject) = 32),
    account        bytea    CHECK (length(account) = 32),
    rule           text COLLATE "C" NOT NULL,
    episode        integer  NOT NULL,
    severity       smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    state          text     NOT NULL CHECK (state IN ('open', 'assigned', 'snoozed', 'closed')),
    assignee       text,
    snoozed_until  date,
    outcome        text,
    steps          integer  NOT NULL DEFAULT 0,
    PRIMARY KEY (log_id, tenant, id)
) WITH (fillfactor = 70);
COMMENT ON COLUMN risk_alert.tenant IS 'The audience: the lender that was warned.';
COMMENT ON COLUMN risk_alert.id IS 'Id of the alert''s attestation, which is the deployment''s.';
CREATE UNIQUE INDEX risk_alert_once ON risk_alert (log_id, tenant, rule, subject, coalesce(account, ''), episode);
-- For fsck, which derives every row again.
CREATE INDEX attestation_of_alerts ON attestation (log_id, subject, id) WHERE kind IN ('alert', 'alert_step');
CREATE INDEX risk_alert_of_subject ON risk_alert (log_id, subject, id);

ALTER TABLE risk_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE risk_part FORCE ROW LEVEL SECURITY;
CREATE POLICY risk_part_own ON risk_part
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY risk_part_subject ON risk_part FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY risk_part_erase ON risk_part FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY risk_part_audit ON risk_part FOR SELECT TO tallystick_audit USING (true);

ALTER TABLE risk_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE risk_link FORCE ROW LEVEL SECURITY;
CREATE POLICY risk_link_own ON risk_link
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
-- A guarantor is a person too: who answers for a debt can be erased from it.
CREATE POLICY risk_link_subject ON risk_link FOR SELECT USING ((SELECT current_subject()) IN (subject, target));
CREATE POLICY risk_link_erase ON risk_link FOR DELETE USING ((SELECT current_subject()) IN (subject, target));
CREATE POLICY risk_link_audit ON risk_link FOR SELECT TO tallystick_audit USING (true);

ALTER TABLE risk_alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE risk_alert FORCE ROW LEVEL SECURITY;
CREATE POLICY risk_alert_own ON risk_alert
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY risk_alert_subject ON risk_alert FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY risk_alert_erase ON risk_alert FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY risk_alert_audit ON risk_alert FOR SELECT TO tallystick_audit USING (true);

GRANT SELECT, INSERT, DELETE ON risk_part, risk_link, risk_alert TO tallystick_app;
GRANT UPDATE (wake, part) ON risk_part TO tallystick_app;
GRANT UPDATE (state, assignee, snoozed_until, outcome, steps) ON risk_alert TO tallystick_app;
GRANT SELECT, INSERT ON risk_cursor TO tallystick_app;
GRANT UPDATE (idx, position) ON risk_cursor TO tallystick_app;
GRANT SELECT ON risk_part, risk_link, risk_alert, risk_cursor TO tallystick_audit;
