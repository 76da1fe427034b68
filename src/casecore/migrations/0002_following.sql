-- How far the read models have come. Their own tables are made from what their rows look like.

CREATE SCHEMA ops;

CREATE TABLE ops.checkpoint (
    ledger     int,
    name       text,
    generation int,
    serving    boolean     NOT NULL,
    version    int         NOT NULL,
    position   bigint      NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    error      text,
    PRIMARY KEY (ledger, name, generation)
);
CREATE UNIQUE INDEX ON ops.checkpoint (ledger, name) WHERE serving;

COMMENT ON TABLE ops.checkpoint IS 'How far each read model has come; moved in the transaction that writes its rows';
COMMENT ON COLUMN ops.checkpoint.generation IS 'A rebuild fills the next one while this one serves';
COMMENT ON COLUMN ops.checkpoint.version IS 'Of the fold: another one fills the table anew';
COMMENT ON COLUMN ops.checkpoint.error IS 'Why it does not go on, when it does not';
