-- Contracts on loans: their documents, what each remembers, and which effects it had. A projection of the log.

CREATE TABLE contract (
    log_id      smallint NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    contract    bytea    NOT NULL CHECK (length(contract) = 32),
    account     bytea    NOT NULL CHECK (length(account) = 32),
    subject     bytea    NOT NULL CHECK (length(subject) = 32),
    state       text     NOT NULL,
    document    bytea    NOT NULL,
    memory      bytea    NOT NULL,
    changed_at  bigint   NOT NULL,
    PRIMARY KEY (log_id, tenant, contract)
) WITH (fillfactor = 70);
COMMENT ON COLUMN contract.tenant IS 'The lender.';
COMMENT ON COLUMN contract.contract IS 'SHA-256 of the canonical document, which all parties sign.';
CREATE INDEX contract_of_subject ON contract (log_id, subject);
CREATE INDEX contract_in_force ON contract (log_id, tenant, account) WHERE state = 'in_force';

CREATE TABLE contract_effect (
    log_id      smallint NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    effect      bytea    NOT NULL CHECK (length(effect) = 32),
    contract    bytea    NOT NULL CHECK (length(contract) = 32),
    subject     bytea    NOT NULL CHECK (length(subject) = 32),
    idx         bigint   NOT NULL,
    batch_id    uuid     NOT NULL,
    position    smallint NOT NULL,
    PRIMARY KEY (log_id, tenant, effect)
);
COMMENT ON TABLE contract_effect IS 'Each effect once: where its attestation lies (a batch of the deployment''s).';
CREATE INDEX contract_effects_in_order ON contract_effect (log_id, tenant, contract, idx, position);

ALTER TABLE contract ENABLE ROW LEVEL SECURITY;
ALTER TABLE contract FORCE ROW LEVEL SECURITY;
CREATE POLICY contract_lender ON contract
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY contract_subject ON contract FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY contract_erase ON contract FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY contract_audit ON contract FOR SELECT TO tallystick_audit USING (true);

ALTER TABLE contract_effect ENABLE ROW LEVEL SECURITY;
ALTER TABLE contract_effect FORCE ROW LEVEL SECURITY;
CREATE POLICY contract_effect_lender ON contract_effect
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY contract_effect_subject ON contract_effect FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY contract_effect_erase ON contract_effect FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY contract_effect_audit ON contract_effect FOR SELECT TO tallystick_audit USING (true);

CREATE TABLE day_tick (
    log_id    smallint NOT NULL,
    day       date     NOT NULL,
    idx       bigint   NOT NULL,
    PRIMARY KEY (log_id, day)
);
COMMENT ON TABLE day_tick IS 'Days that began on this ledger: each has one tick.';

GRANT SELECT, INSERT, DELETE ON contract, contract_effect TO tallystick_app;
GRANT UPDATE (state, memory, changed_at) ON contract TO tallystick_app;
GRANT SELECT, INSERT ON day_tick TO tallystick_app;
GRANT SELECT ON contract, contract_effect, day_tick TO tallystick_audit;
