-- Who is signed in to the pages. A session opens what its API key opens, while that is not revoked.

CREATE TABLE sys.session (
    id_hash    bytea       PRIMARY KEY,
    key_id     uuid        NOT NULL REFERENCES sys.api_key,
    begun_at   timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON sys.session (key_id, begun_at);
CREATE INDEX ON sys.session (expires_at);

COMMENT ON TABLE sys.session IS 'Browsers that are signed in. Only they know the ids of their sessions.';
COMMENT ON COLUMN sys.session.id_hash IS 'SHA-256 of the id, which is 256 random bits: no salt needed';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT SELECT, INSERT, DELETE ON sys.session TO casecore_app;
    END IF;
END $$;
