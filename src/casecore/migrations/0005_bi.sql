-- What BI tools read: views over the read models, made with their tables, that name no person.
CREATE SCHEMA bi;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT USAGE, CREATE ON SCHEMA bi TO casecore_app;
    END IF;
END $$;
