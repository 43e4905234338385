-- One random salt a subject: the data key that seals attestations derives from it, so destroying it erases them.
-- Not a tenant's table: a borrower is shared by all lenders. It holds no word about the person.

CREATE TABLE subject_salt (
    log_id   smallint NOT NULL,
    subject  bytea    NOT NULL CHECK (length(subject) = 32),
    salt     bytea    NOT NULL CHECK (length(salt) = 32),
    PRIMARY KEY (log_id, subject)
);

GRANT SELECT, INSERT, DELETE ON subject_salt TO tallystick_app;
GRANT SELECT ON subject_salt TO tallystick_audit;
