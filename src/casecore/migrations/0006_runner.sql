-- Read models are followed by any number of processes: who follows what, and how far it has come.
-- The tables of the read models are made anew from the ledger.
DROP SCHEMA ops CASCADE;
CREATE SCHEMA ops;

CREATE TABLE ops.generation (
    ledger     int,
    name       text,
    generation int,
    version    int         NOT NULL,
    shape      text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('building', 'serving', 'kept')),
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ledger, name, generation)
);
CREATE UNIQUE INDEX ON ops.generation (ledger, name) WHERE state = 'serving';
COMMENT ON TABLE ops.generation IS 'The rows of a read model, as often as they were made from the ledger';
COMMENT ON COLUMN ops.generation.version IS 'Of the fold';
COMMENT ON COLUMN ops.generation.shape IS 'Tells its columns and indexes from others';
COMMENT ON COLUMN ops.generation.state IS
    'building: filled beside the one that serves; serving: what is read; kept: served before, and could again';

CREATE TABLE ops.shard (
    ledger      int,
    name        text,
    generation  int,
    shard       int,
    first_slot  int         NOT NULL,
    last_slot   int         NOT NULL,
    position    bigint      NOT NULL DEFAULT 0,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    fence       bigint      NOT NULL DEFAULT 0,
    owner       uuid,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    error       text,
    PRIMARY KEY (ledger, name, generation, shard),
    FOREIGN KEY (ledger, name, generation) REFERENCES ops.generation ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.shard IS 'The share of a generation that one process follows at a time: the rows whose keys fall into its slots';
COMMENT ON COLUMN ops.shard.position IS 'How far it has come; moved in the transaction that writes its rows';
COMMENT ON COLUMN ops.shard.fence IS 'Raised with every change of hands: who moves the position names it';
COMMENT ON COLUMN ops.shard.owner IS 'The process that follows it, as long as its lease lasts';
COMMENT ON COLUMN ops.shard.error IS 'Why it does not go on, when it does not';

CREATE TABLE ops.runner (
    ledger     int,
    runner     uuid,
    told       text        NOT NULL,
    follows    text        NOT NULL,
    seen_until timestamptz NOT NULL,
    PRIMARY KEY (ledger, runner)
);
COMMENT ON TABLE ops.runner IS 'The processes among which the shards are shared out';
COMMENT ON COLUMN ops.runner.told IS 'Where it runs, for people';
COMMENT ON COLUMN ops.runner.follows IS 'The read models that it can follow, and in which versions';

CREATE TABLE ops.parked (
    ledger     int,
    name       text,
    generation int,
    key        text,
    position   bigint,
    shard      int         NOT NULL,
    error      text        NOT NULL,
    parked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (ledger, name, generation, shard, key, position),
    FOREIGN KEY (ledger, name, generation) REFERENCES ops.generation ON DELETE CASCADE
);
COMMENT ON TABLE ops.parked IS 'Events that could not be folded, and those about the same row after them';
COMMENT ON COLUMN ops.parked.key IS 'The row they are about, as JSON; a stream, where not even that could be said';

CREATE VIEW ops.serving AS
SELECT ledger, name, min(position) AS position
  FROM ops.shard JOIN ops.generation USING (ledger, name, generation)
 WHERE state = 'serving' AND ledger > 0 GROUP BY ledger, name;
COMMENT ON VIEW ops.serving IS 'How far what is read of each read model has come';

CREATE TABLE ops.past (
    past     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger   int         NOT NULL,
    position bigint      NOT NULL,
    used_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (ledger, position)
);
COMMENT ON TABLE ops.past IS
    'Ledgers as they were at a position: their read models lie under the number of the past, negated';

CREATE TABLE ops.process (
    ledger   int,
    name     text,
    position bigint NOT NULL,
    PRIMARY KEY (ledger, name)
);
COMMENT ON TABLE ops.process IS 'How far whoever reacts to events has come';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT USAGE, CREATE ON SCHEMA ops TO casecore_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ops TO casecore_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA ops TO casecore_app;
    END IF;
END $$;
