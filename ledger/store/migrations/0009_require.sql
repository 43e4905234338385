-- Lets one statement refuse what it found while it ran: everything it did is then undone with it.

CREATE FUNCTION require(held boolean, reason text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog
    AS $$ BEGIN
        IF held IS NOT TRUE THEN
            RAISE EXCEPTION USING ERRCODE = 'TS001', MESSAGE = reason;
        END IF;
        RETURN true;
    END $$;
COMMENT ON FUNCTION require(boolean, text) IS 'True, or an error with SQLSTATE TS001.';
