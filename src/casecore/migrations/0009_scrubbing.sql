-- What going through the ledgers, over and over, has come to.

CREATE TABLE proof.scrub (
    ledger      int PRIMARY KEY,
    position    bigint NOT NULL,
    upto        bigint NOT NULL,
    began_at    timestamptz NOT NULL,
    looked_at   timestamptz NOT NULL,
    passed_at   timestamptz,
    passed_upto bigint,
    finding     text,
    found_at    timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE proof.scrub IS 'How far each ledger was gone through and hashed again, and whether anything was wrong';
COMMENT ON COLUMN proof.scrub.position IS 'How far this pass has come, of upto';
COMMENT ON COLUMN proof.scrub.passed_at IS 'When a pass last came to its end, at passed_upto';
COMMENT ON COLUMN proof.scrub.finding IS 'The first thing found wrong, as JSON; a whole pass that finds nothing takes it away';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT SELECT, INSERT, UPDATE ON proof.scrub TO casecore_app;
    END IF;
END $$;
