-- A lender's portfolio as columns: what the loan projection holds as one value, in a form that SQL can count, for any day.
-- Both tables are filled when somebody asks, from loans whose version moved; publishing writes neither. All of it is a
-- projection and erasable.

CREATE TABLE portfolio_loan (
    log_id         smallint NOT NULL,
    tenant         text COLLATE "C" NOT NULL,
    account        bytea    NOT NULL CHECK (length(account) = 32),
    subject        bytea    NOT NULL CHECK (length(subject) = 32),
    version        integer  NOT NULL,
    last_batch     uuid     NOT NULL,
    last_position  smallint NOT NULL,
    newest         date     NOT NULL,
    stage          text     NOT NULL,
    status         text     NOT NULL,
    currency       text COLLATE "C" NOT NULL,
    product        text COLLATE "C" NOT NULL,
    portfolio_type text     NOT NULL,
    opened         date,
    last_paid      date,
    lent           bigint   NOT NULL,
    balance        bigint,
    grace_days     integer  NOT NULL,
    counted_until  date,
    charged_off    boolean  NOT NULL,
    defaulted      boolean  NOT NULL,
    forborne       boolean  NOT NULL,
    disputed       boolean  NOT NULL,
    step_from      date[]   NOT NULL,
    step_since     date[]   NOT NULL,
    step_overdue   bigint[] NOT NULL,
    pause_from     date[]   NOT NULL,
    pause_until    date[]   NOT NULL,
    PRIMARY KEY (log_id, tenant, account)
);
COMMENT ON TABLE portfolio_loan IS 'One loan as it stands from its newest event on.';
COMMENT ON COLUMN portfolio_loan.version IS 'The loan''s version that this row was made from.';
COMMENT ON COLUMN portfolio_loan.newest IS 'The newest day that an event of the loan is about: the row holds from there on.';
COMMENT ON COLUMN portfolio_loan.step_from IS 'Ascending days; from each on, the oldest unmet due date and the amount overdue are those of the same place.';
COMMENT ON COLUMN portfolio_loan.counted_until IS 'The charge-off''s day: days past due grow no further.';
CREATE INDEX portfolio_loan_of_subject ON portfolio_loan (log_id, subject);

CREATE TABLE portfolio_day (
    log_id       smallint NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    account      bytea    NOT NULL CHECK (length(account) = 32),
    day          date     NOT NULL,
    subject      bytea    NOT NULL CHECK (length(subject) = 32),
    stage        text     NOT NULL,
    status       text     NOT NULL,
    balance      bigint,
    since        date,
    overdue      bigint,
    dpd          integer  NOT NULL,
    delinquent   integer  NOT NULL,
    charged_off  boolean  NOT NULL,
    defaulted    boolean  NOT NULL,
    forborne     boolean  NOT NULL,
    disputed     boolean  NOT NULL,
    PRIMARY KEY (log_id, tenant, account, day)
);
COMMENT ON TABLE portfolio_day IS 'A loan on a day before its newest event. Forgotten when an event of that day or earlier arrives.';
COMMENT ON COLUMN portfolio_day.stage IS 'Empty: the loan was not there yet.';
CREATE INDEX portfolio_day_of_subject ON portfolio_day (log_id, subject);

ALTER TABLE portfolio_loan ENABLE ROW LEVEL SECURITY;
ALTER TABLE portfolio_loan FORCE ROW LEVEL SECURITY;
CREATE POLICY portfolio_loan_own ON portfolio_loan
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY portfolio_loan_subject ON portfolio_loan FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY portfolio_loan_erase ON portfolio_loan FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY portfolio_loan_audit ON portfolio_loan FOR SELECT TO tallystick_audit USING (true);

ALTER TABLE portfolio_day ENABLE ROW LEVEL SECURITY;
ALTER TABLE portfolio_day FORCE ROW LEVEL SECURITY;
CREATE POLICY portfolio_day_own ON portfolio_day
    USING (tenant = ANY ((SELECT current_tenants())::text[]))
    WITH CHECK (tenant = ANY ((SELECT current_tenants())::text[]));
CREATE POLICY portfolio_day_subject ON portfolio_day FOR SELECT USING (subject = (SELECT current_subject()));
CREATE POLICY portfolio_day_erase ON portfolio_day FOR DELETE USING (subject = (SELECT current_subject()));
CREATE POLICY portfolio_day_audit ON portfolio_day FOR SELECT TO tallystick_audit USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON portfolio_loan, portfolio_day TO tallystick_app;
GRANT SELECT ON portfolio_loan, portfolio_day TO tallystick_audit;
