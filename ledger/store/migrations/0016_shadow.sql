-- Challengers: models that run beside a card and never decide. What one made of a borrower is the lender's own row, one for
-- each score that was published with it; it is not part of the score. Erasable.

ALTER TABLE model ADD COLUMN beside bytea CHECK (length(beside) = 32);
ALTER TABLE model ADD CONSTRAINT model_challenger_decides_nothing CHECK (beside IS NULL OR promoted_at IS NULL);
COMMENT ON COLUMN model.beside IS 'A challenger''s: the card that it runs beside. Null: a card.';

CREATE TABLE score_shadow (
    log_id          smallint NOT NULL,
    tenant          text COLLATE "C" NOT NULL,
    batch_id        uuid     NOT NULL,
    subject         bytea    NOT NULL CHECK (length(subject) = 32),
    model           bytea    NOT NULL CHECK (length(model) = 32),
    challenger      bytea    NOT NULL CHECK (length(challenger) = 32),
    scored_on       date     NOT NULL,
    as_of           bigint   NOT NULL,
    points          integer  NOT NULL,
    challenger_ppm  integer  NOT NULL CHECK (challenger_ppm BETWEEN 0 AND 1000000),
    PRIMARY KEY (log_id, tenant, batch_id)
);
COMMENT ON COLUMN score_shadow.batch_id IS 'The batch of the score''s attestation.';
COMMENT ON COLUMN score_shadow.points IS 'The score''s, by the card: repeated here so that a month is one read.';
COMMENT ON COLUMN score_shadow.challenger_ppm IS 'The challenger''s probability of default, in parts per million.';
CREATE INDEX score_shadow_of_month ON score_shadow (log_id, tenant, model, scored_on);
CREATE INDEX score_shadow_of_subject ON score_shadow (log_id, subject);

ALTER TABLE score_shadow ENABLE ROW LEVEL SECURITY;
ALTER TABLE score_shadow FORCE ROW LEVEL SECURITY;
CREATE POLICY score_shadow_own ON score_shadow
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY score_shadow_subject ON score_shadow FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY score_shadow_erase ON score_shadow FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY score_shadow_audit ON score_shadow FOR SELECT TO tallystick_audit USING (true);
GRANT SELECT, INSERT, DELETE ON score_shadow TO tallystick_app;
GRANT SELECT ON score_shadow TO tallystick_audit;
