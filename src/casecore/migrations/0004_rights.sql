-- Who may do what. PostgreSQL lets everyone call a function; these write the ledger.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA es FROM PUBLIC;

-- Where the application has a role of its own (docker/postgres/roles.sql), it reads the ledger and
-- appends by the function alone; the read models are its own to make; keys it adds and revokes.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT USAGE ON SCHEMA es, sys TO casecore_app;
        GRANT SELECT ON ALL TABLES IN SCHEMA es TO casecore_app;
        GRANT INSERT, UPDATE ON es.tracking, es.snapshot TO casecore_app;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA es TO casecore_app;
        GRANT USAGE, CREATE ON SCHEMA ops TO casecore_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ops.checkpoint TO casecore_app;
        GRANT SELECT, INSERT, UPDATE (revoked_at) ON sys.api_key TO casecore_app;
    END IF;
END $$;
