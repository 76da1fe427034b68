-- What BI tools read: who may, and how names are kept from them.

-- A pseudonym is a hash of a name and of a salt: who has no salt can neither tell whose it is nor
-- try out names. Whoever takes a ledger's salt away makes all its pseudonyms nobody's.
CREATE TABLE sys.pseudonym_salt (
    ledger int PRIMARY KEY,
    salt   bytea NOT NULL
           DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);
COMMENT ON TABLE sys.pseudonym_salt IS 'What the pseudonyms of a ledger are made with; never to be read by who reads them';

CREATE FUNCTION sys.salt_ledger() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO sys.pseudonym_salt (ledger) VALUES (NEW.ledger) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION sys.salt_ledger FROM PUBLIC;

CREATE TRIGGER has_a_salt AFTER INSERT ON es.ledger
    FOR EACH ROW EXECUTE FUNCTION sys.salt_ledger();
INSERT INTO sys.pseudonym_salt (ledger) SELECT ledger FROM es.ledger;

CREATE TABLE ops.views_made (
    digest text NOT NULL
);
COMMENT ON TABLE ops.views_made IS 'From what the views of schema bi were made last, to see whether they have to be made anew';

-- Roles are the whole server's: docker/postgres/roles.sql makes this one where the owner may not.
DO $$
BEGIN
    CREATE ROLE casecore_bi NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
    NULL;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_bi') THEN
        GRANT USAGE ON SCHEMA bi TO casecore_bi;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT SELECT ON sys.pseudonym_salt TO casecore_app;
        GRANT SELECT, INSERT, DELETE ON ops.views_made TO casecore_app;
    END IF;
END $$;
