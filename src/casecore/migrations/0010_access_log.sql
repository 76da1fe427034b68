-- Who looked: every read of what cases contain by a person, kept as the events are.
CREATE TABLE sys.access_log (
    ledger       int,
    id           uuid,
    at           timestamptz NOT NULL,
    actor        text        NOT NULL,
    role         text        NOT NULL,
    what         text        NOT NULL,
    target       text        NOT NULL,
    case_id      uuid,
    reason       text,
    PRIMARY KEY (ledger, id)
);
CREATE INDEX ON sys.access_log (ledger, case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX ON sys.access_log (ledger, actor, id);

COMMENT ON TABLE sys.access_log IS 'Reads of what cases contain, by people; nothing here ever changes';
COMMENT ON COLUMN sys.access_log.id IS 'In the order of the time at which it was read';
COMMENT ON COLUMN sys.access_log.what IS 'The question, as the API names it';
COMMENT ON COLUMN sys.access_log.target IS 'The path and query it was asked at';
COMMENT ON COLUMN sys.access_log.case_id IS 'The one case it was about; null where it was about many';
COMMENT ON COLUMN sys.access_log.reason IS 'Why, as far as they said';

CREATE FUNCTION sys.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'who looked stays recorded: % of sys.access_log is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER stays_as_it_was BEFORE UPDATE OR DELETE OR TRUNCATE ON sys.access_log
    FOR EACH STATEMENT EXECUTE FUNCTION sys.refuse_change();
ALTER TABLE sys.access_log ENABLE ALWAYS TRIGGER stays_as_it_was;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT SELECT, INSERT ON sys.access_log TO casecore_app;
    END IF;
END $$;
