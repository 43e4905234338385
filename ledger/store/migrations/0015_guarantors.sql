-- A guarantor signs a contract too: they see it, and what it did, as the borrower does.
-- When a guarantor is erased, nothing goes: the contract is the lender's and the borrower's, all signed its document, and
-- the pseudonym in it names nobody once its salt is destroyed. So there is no policy by which a guarantor deletes.

ALTER TABLE contract ADD COLUMN guarantor bytea CHECK (length(guarantor) = 32);
ALTER TABLE contract_effect ADD COLUMN guarantor bytea CHECK (length(guarantor) = 32);
COMMENT ON COLUMN contract.guarantor IS 'The pseudonym in the document; null: nobody answers for the debt.';
COMMENT ON COLUMN contract_effect.guarantor IS 'The contract''s guarantor.';

ALTER TABLE contract NO FORCE ROW LEVEL SECURITY;
ALTER TABLE contract_effect NO FORCE ROW LEVEL SECURITY;
UPDATE contract SET guarantor = decode(convert_from(document, 'UTF8')::json #>> '{parties,guarantor}', 'base64')
 WHERE convert_from(document, 'UTF8')::json #>> '{parties,guarantor}' IS NOT NULL;
UPDATE contract_effect e SET guarantor = c.guarantor
  FROM contract c
 WHERE c.log_id = e.log_id AND c.tenant = e.tenant AND c.contract = e.contract AND c.guarantor IS NOT NULL;
ALTER TABLE contract FORCE ROW LEVEL SECURITY;
ALTER TABLE contract_effect FORCE ROW LEVEL SECURITY;

CREATE INDEX contract_of_guarantor ON contract (log_id, guarantor) WHERE guarantor IS NOT NULL;

CREATE POLICY contract_guarantor ON contract FOR SELECT USING (guarantor = (SELECT current_subject()));
CREATE POLICY contract_effect_guarantor ON contract_effect FOR SELECT
    USING (guarantor = (SELECT current_subject()));
