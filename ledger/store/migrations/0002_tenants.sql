-- Who takes part, their public keys, and the token issuers that may speak for them.
-- Names and public keys are public (a view names its lenders, a verifier needs the keys); only the owner writes.

CREATE TABLE tenant (
    log_id   smallint NOT NULL,
    tenant   text COLLATE "C" NOT NULL CHECK (tenant ~ '^[a-z][a-z0-9-]{0,62}$'),
    name     text NOT NULL,
    role     text NOT NULL CHECK (role IN ('lender', 'app', 'bureau', 'deployment')),
    country  text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    PRIMARY KEY (log_id, tenant)
);
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON tenant FOR SELECT USING (true);
CREATE POLICY tenant_write ON tenant FOR INSERT WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));

CREATE TABLE signing_key (
    log_id            smallint NOT NULL,
    tenant            text COLLATE "C" NOT NULL,
    kid               text COLLATE "C" NOT NULL,
    alg               text NOT NULL CHECK (alg IN ('EdDSA', 'ES256')),
    public_key        bytea NOT NULL,
    not_before        bigint NOT NULL,
    not_after         bigint,
    compromised_from  bigint,
    PRIMARY KEY (log_id, tenant, kid),
    FOREIGN KEY (log_id, tenant) REFERENCES tenant (log_id, tenant)
);
ALTER TABLE signing_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_key FORCE ROW LEVEL SECURITY;
CREATE POLICY signing_key_read ON signing_key FOR SELECT USING (true);
CREATE POLICY signing_key_insert ON signing_key FOR INSERT
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY signing_key_update ON signing_key FOR UPDATE
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));

CREATE TABLE managed_key (
    log_id   smallint NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    kid      text COLLATE "C" NOT NULL,
    wrapped  bytea NOT NULL,
    PRIMARY KEY (log_id, tenant, kid),
    FOREIGN KEY (log_id, tenant, kid) REFERENCES signing_key (log_id, tenant, kid)
);
COMMENT ON TABLE managed_key IS 'Private keys the deployment keeps for a tenant, encrypted under the deployment''s key.';
ALTER TABLE managed_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE managed_key FORCE ROW LEVEL SECURITY;
CREATE POLICY managed_key_own ON managed_key
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));

CREATE TABLE token_issuer (
    log_id  smallint NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    issuer  text COLLATE "C" NOT NULL,
    jwks    text NOT NULL,
    roles   text[] NOT NULL,
    PRIMARY KEY (log_id, tenant, issuer),
    FOREIGN KEY (log_id, tenant) REFERENCES tenant (log_id, tenant)
);
ALTER TABLE token_issuer ENABLE ROW LEVEL SECURITY;
ALTER TABLE token_issuer FORCE ROW LEVEL SECURITY;
CREATE POLICY token_issuer_read ON token_issuer FOR SELECT USING (true);
CREATE POLICY token_issuer_insert ON token_issuer FOR INSERT
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY token_issuer_update ON token_issuer FOR UPDATE
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));

GRANT SELECT, INSERT ON tenant, signing_key, managed_key, token_issuer TO tallystick_app;
GRANT UPDATE (not_after, compromised_from) ON signing_key TO tallystick_app;
GRANT UPDATE (jwks, roles) ON token_issuer TO tallystick_app;
GRANT SELECT ON tenant, signing_key, token_issuer TO tallystick_audit;
