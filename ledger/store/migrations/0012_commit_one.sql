-- The commonest commit, one attestation on one loan, as one function: four plans of one row each start faster than one
-- plan of five parts. It runs with the caller's rights, so that every policy holds.

CREATE FUNCTION commit_one(
    acting text, log smallint,
    size_before bigint, size_after bigint, root_after bytea, frontier_after bytea, now bigint, root_before bytea,
    epoch_before bigint,
    e_idx bigint, e_tenant text, e_batch uuid, e_leaf bytea, e_statement bytea, e_root bytea, e_count smallint,
    e_digest bytea,
    l_tenant text, l_account bytea, l_subject bytea, l_version int, l_batch uuid, l_position smallint, l_state bytea,
    a_tenant text, a_batch uuid, a_position smallint, a_id uuid, a_kind text, a_subject bytea, a_before uuid,
    a_place smallint, a_commitment bytea, a_path bytea, a_sealed bytea
) RETURNS boolean LANGUAGE plpgsql
    SET search_path = public
    AS $$ BEGIN
        PERFORM set_config('app.tenants', acting, true);
        UPDATE head SET size = size_after, root = root_after, frontier = frontier_after, committed_at = now
         WHERE log_id = log AND size = size_before AND root = root_before AND epoch = epoch_before;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        INSERT INTO entry (log_id, committed_at, idx, tenant, batch_id, leaf_hash, statement, root, count, stored_digest)
        VALUES (log, now, e_idx, e_tenant, e_batch, e_leaf, e_statement, e_root, e_count, e_digest);
        IF l_version = 1 THEN
            INSERT INTO loan (log_id, tenant, account, subject, version, last_batch, last_position, state)
            VALUES (log, l_tenant, l_account, l_subject, l_version, l_batch, l_position, l_state)
            ON CONFLICT (log_id, tenant, account) DO NOTHING;
        ELSE
            UPDATE loan SET version = l_version, last_batch = l_batch, last_position = l_position, state = l_state
             WHERE log_id = log AND tenant = l_tenant AND account = l_account AND version = l_version - 1;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'TS001', MESSAGE = 'loan_moved';
        END IF;
        INSERT INTO attestation (log_id, tenant, batch_id, position, id, kind, subject, previous_batch,
                                 previous_position, commitment, path, sealed)
        VALUES (log, a_tenant, a_batch, a_position, a_id, a_kind, a_subject, a_before, a_place, a_commitment, a_path,
                a_sealed);
        RETURN true;
    END $$;
COMMENT ON FUNCTION commit_one IS 'Commits one attestation on one loan; false when the head is not what the caller thinks.';
