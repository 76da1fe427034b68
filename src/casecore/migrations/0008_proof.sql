-- The proof: a Merkle tree over each ledger (RFC 6962), in tiles of 256 hashes, and its checkpoints.

CREATE SCHEMA proof;

CREATE TABLE proof.tile (
    ledger int,
    level  int,
    number bigint,
    hashes bytea NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (ledger, level, number)
);
ALTER TABLE proof.tile ALTER hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE proof.tile IS 'Hashes of the tree that stand beside each other, up to 256 of 32 bytes';
COMMENT ON COLUMN proof.tile.level IS 'At 0 they are leaves; above, each is the root of a full tile below';

CREATE TABLE proof.checkpoint (
    ledger    int,
    size      bigint,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    root      bytea NOT NULL CHECK (length(root) = 32),
    note      text NOT NULL,
    PRIMARY KEY (ledger, size)
);
ALTER TABLE proof.checkpoint ALTER root SET STORAGE PLAIN;
COMMENT ON TABLE proof.checkpoint IS 'What the tree came to at a size, signed; the last one says how far the ledger is sealed';
COMMENT ON COLUMN proof.checkpoint.note IS 'As C2SP tlog-checkpoint has it';

CREATE TABLE proof.restored (
    ledger      int,
    accepted_at timestamptz DEFAULT clock_timestamp(),
    accepted_by text NOT NULL,
    reason      text NOT NULL,
    code        text NOT NULL,
    ledger_size bigint NOT NULL,
    ledger_root bytea NOT NULL,
    note        text NOT NULL,
    found_in    text NOT NULL,
    PRIMARY KEY (ledger, accepted_at, found_in)
);
COMMENT ON TABLE proof.restored IS 'When somebody accepted a ledger that is not what was sealed before: who, why, and both';
COMMENT ON COLUMN proof.restored.ledger_root IS 'Of the ledger as it was accepted, all of it';
COMMENT ON COLUMN proof.restored.note IS 'The checkpoint that the ledger does not agree with';

-- Seals a ledger further: keeps the tiles that have changed, and the checkpoint. False when it was
-- not sealed as far as the caller saw, and then nothing is kept.
CREATE FUNCTION proof.seal(
    in_ledger int, in_after bigint, in_size bigint, in_root bytea, in_note text,
    t_level int[], t_number bigint[], t_hashes bytea[]
) RETURNS boolean
LANGUAGE plpgsql
-- Whoever calls it needs no right to write, and so has no other way to write.
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In a statement of its own: the next one sees what was kept meanwhile.
    PERFORM pg_advisory_xact_lock(x'5EA11D'::int, in_ledger);
    IF in_after <> coalesce((SELECT max(size) FROM proof.checkpoint WHERE ledger = in_ledger), 0)
       OR in_size <= in_after
    THEN
        RETURN false;
    END IF;
    INSERT INTO proof.tile AS t (ledger, level, number, hashes)
    SELECT in_ledger, level, number, hashes
      FROM unnest(t_level, t_number, t_hashes) AS grown (level, number, hashes)
        ON CONFLICT (ledger, level, number) DO UPDATE SET hashes = excluded.hashes;
    INSERT INTO proof.checkpoint (ledger, size, root, note)
    VALUES (in_ledger, in_size, in_root, in_note);
    RETURN true;
END $$;

-- What was sealed stays sealed; only a tile that is not full grows.
CREATE FUNCTION proof.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE 'what was sealed stays as it is: % of proof.% is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION proof.refuse_all_but_growth() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (NEW.ledger, NEW.level, NEW.number) = (OLD.ledger, OLD.level, OLD.number)
       AND length(NEW.hashes) > length(OLD.hashes)
       AND substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes
    THEN
        RETURN NEW;
    END IF;
    RAISE 'what was sealed stays as it is: a tile only grows'
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER only_grows BEFORE UPDATE ON proof.tile
    FOR EACH ROW EXECUTE FUNCTION proof.refuse_all_but_growth();
CREATE TRIGGER stays_as_it_was BEFORE DELETE OR TRUNCATE ON proof.tile
    FOR EACH STATEMENT EXECUTE FUNCTION proof.refuse();
CREATE TRIGGER stays_as_it_was BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION proof.refuse();
CREATE TRIGGER stays_as_it_was BEFORE UPDATE OR DELETE OR TRUNCATE ON proof.restored
    FOR EACH STATEMENT EXECUTE FUNCTION proof.refuse();
-- Also for the owner, and for whoever has switched triggers off for its session.
ALTER TABLE proof.tile ENABLE ALWAYS TRIGGER only_grows;
ALTER TABLE proof.tile ENABLE ALWAYS TRIGGER stays_as_it_was;
ALTER TABLE proof.checkpoint ENABLE ALWAYS TRIGGER stays_as_it_was;
ALTER TABLE proof.restored ENABLE ALWAYS TRIGGER stays_as_it_was;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA proof FROM PUBLIC;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'casecore_app') THEN
        GRANT USAGE ON SCHEMA proof TO casecore_app;
        GRANT SELECT ON ALL TABLES IN SCHEMA proof TO casecore_app;
        GRANT INSERT ON proof.restored TO casecore_app;
        GRANT EXECUTE ON FUNCTION proof.seal TO casecore_app;
    END IF;
END $$;
