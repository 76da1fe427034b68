-- The ledger: what happened, in the one order in which it happened.
--
-- Columns stand so that none needs padding. There are no CHECKs and no generated columns: es.append
-- is the only way in, and together they cost a small append a fifth of its time.

CREATE TABLE es.ledger (
    ledger        int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL UNIQUE,
    last_position bigint NOT NULL DEFAULT 0,
    last_at       timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE TABLE es.event (
    ledger      int,
    version     int NOT NULL,
    position    bigint,
    recorded_at timestamptz NOT NULL,
    stream_id   uuid NOT NULL,
    command_id  uuid NOT NULL,
    slot        smallint NOT NULL,
    type        text NOT NULL,
    data_hash   bytea NOT NULL,
    head        bytea NOT NULL,
    meta        bytea NOT NULL,
    data        bytea NOT NULL,
    PRIMARY KEY (ledger, position),
    UNIQUE (ledger, stream_id, version)
);
ALTER TABLE es.event ALTER data_hash SET STORAGE PLAIN, ALTER head SET STORAGE PLAIN;
COMMENT ON TABLE es.event IS 'What happened. Positions have no gaps, and show in their order; nothing here ever changes';
COMMENT ON COLUMN es.event.version IS 'Place in its stream';
COMMENT ON COLUMN es.event.position IS 'Place in its ledger';
COMMENT ON COLUMN es.event.slot IS 'Low ten bits of the stream, by which followers can share the work';
COMMENT ON COLUMN es.event.head IS 'Hash of this event and all before it in its stream';

CREATE TABLE es.command (
    ledger      int,
    version     int NOT NULL,
    position    bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    command_id  uuid,
    written     int NOT NULL,
    fingerprint bytea NOT NULL,
    PRIMARY KEY (ledger, command_id)
);
COMMENT ON TABLE es.command IS 'The first answer to every command, for whoever sends it again';

-- A snapshot is a saving, not a fact: it may be dropped and taken again.
CREATE TABLE es.snapshot (
    ledger    int,
    version   int,
    stream_id uuid,
    topic     text NOT NULL,
    state     bytea NOT NULL,
    PRIMARY KEY (ledger, stream_id, version)
);

CREATE TABLE es.tracking (
    ledger          int,
    follower        text,
    application     text,
    notification_id bigint NOT NULL,
    PRIMARY KEY (ledger, follower, application)
) WITH (fillfactor = 50);
COMMENT ON TABLE es.tracking IS 'How far followers written with the eventsourcing library have come';

CREATE FUNCTION es.slot(stream_id uuid) RETURNS smallint LANGUAGE sql IMMUTABLE
RETURN ((get_byte(uuid_send(stream_id), 14) & 3) << 8 | get_byte(uuid_send(stream_id), 15))::smallint;

-- The n-th of so many hashes or heads.
CREATE FUNCTION es.nth(hashes bytea, n int) RETURNS bytea LANGUAGE sql IMMUTABLE
RETURN substr(hashes, 32 * n - 31, 32);

CREATE FUNCTION es.open_ledger(in_name text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO es.ledger (name)
    SELECT in_name WHERE NOT EXISTS (SELECT FROM es.ledger WHERE name = in_name)
    ON CONFLICT DO NOTHING;
    RETURN (SELECT ledger FROM es.ledger WHERE name = in_name);
END $$;

-- Appends requests in order, each with its own verdict: 1 stored, 2 a duplicate (then the answer is
-- the first one), 3 a conflict, 4 its command id was used for another request (then the rest of the
-- answer means nothing). A request is stored with all its writes or not at all. A write follows the
-- version and head it names; where there is no stream yet it names version 0, or -1 for one that
-- counts from 0. Within a batch no stream and no command id may come twice.
CREATE FUNCTION es.append(
    in_ledger int,
    -- Of hashes and heads, 32 bytes each, there is one string with all of them: to make and to read
    -- an array of them takes longer.
    -- An element a request. r_version: what it makes of the stream it is about; r_written: how many
    -- events it has; r_last: the number of the last of them, counted from 1 through the batch.
    r_command uuid[], r_fingerprints bytea, r_version int[], r_written int[], r_last int[],
    -- An element a write. w_request: the number of its request; w_first: that of its first event.
    w_request int[], w_stream uuid[], w_expected int[], w_heads bytea, w_first int[],
    -- An element an event. e_write: the number of its write.
    e_write int[], e_type text[], e_data_hashes bytea, e_heads bytea, e_meta bytea[],
    e_data bytea[],
    -- An element a request again.
    OUT outcome smallint[], OUT version int[], OUT "position" bigint[], OUT written int[],
    OUT recorded_at timestamptz[]
)
LANGUAGE plpgsql
-- Whoever calls it needs no right to write, and so has no other way to write.
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- A plan made while the tables were small must still serve when they have grown.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    stored     CONSTANT smallint := 1;
    duplicate  CONSTANT smallint := 2;
    conflict   CONSTANT smallint := 3;
    key_reused CONSTANT smallint := 4;
    requests   CONSTANT int[] := ARRAY[cardinality(r_command)];
    base    bigint;
    at      timestamptz;
    known   uuid[];    -- commands that were carried out before
    failed  int[];     -- requests with a write that does not follow what is there
    shift   bigint[];  -- of each request to be stored: with an event's number it gives the position
    dropped int := 0;
    first   es.command;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'the ledger is appended to in READ COMMITTED' USING ERRCODE = '25001';
    END IF;
    IF length(r_fingerprints) <> 32 * cardinality(r_command)
       OR length(w_heads) <> 32 * cardinality(w_stream)
       OR length(e_data_hashes) <> 32 * cardinality(e_write)
       OR length(e_heads) <> 32 * cardinality(e_write)
    THEN
        RAISE 'every hash and head has 32 bytes' USING ERRCODE = '22023';
    END IF;

    -- The lock, held until commit, in a statement of its own: the snapshot of the next one is
    -- taken when the wait is over, and shows all that was written meanwhile.
    UPDATE es.ledger l
       SET last_position = l.last_position + cardinality(e_write),
           last_at = greatest(clock_timestamp(), l.last_at)
     WHERE l.ledger = in_ledger
    RETURNING l.last_position - cardinality(e_write), l.last_at INTO STRICT base, at;

    SELECT ARRAY(
               SELECT c.command_id FROM es.command c
                WHERE c.ledger = in_ledger AND c.command_id = ANY (r_command)),
           ARRAY(
               SELECT w_request[n] FROM generate_series(1, cardinality(w_request)) AS n
                WHERE NOT coalesce(
                    (SELECT e.version = w_expected[n] AND e.head = es.nth(w_heads, n) FROM es.event e
                      WHERE e.ledger = in_ledger AND e.stream_id = w_stream[n]
                      ORDER BY e.version DESC LIMIT 1),
                    w_expected[n] IN (-1, 0)))
      INTO known, failed;

    outcome := array_fill(stored, requests);
    version := r_version;
    position := ARRAY(SELECT base + last FROM unnest(r_last) AS last);
    written := r_written;
    recorded_at := array_fill(at, requests);
    shift := array_fill(base, requests);
    IF cardinality(known) + cardinality(failed) > 0 THEN
        FOR n IN 1 .. cardinality(r_command) LOOP
            IF r_command[n] = ANY (known) THEN
                SELECT * INTO first FROM es.command c
                 WHERE c.ledger = in_ledger AND c.command_id = r_command[n];
                IF first.fingerprint = es.nth(r_fingerprints, n) THEN
                    outcome[n] := duplicate;
                    version[n] := first.version;
                    position[n] := first.position;
                    written[n] := first.written;
                    recorded_at[n] := first.recorded_at;
                ELSE
                    outcome[n] := key_reused;
                END IF;
            ELSIF n = ANY (failed) THEN
                outcome[n] := conflict;
            END IF;
            IF outcome[n] = stored THEN
                shift[n] := base - dropped;
                position[n] := shift[n] + r_last[n];
            ELSE
                shift[n] := NULL;
                dropped := dropped + r_written[n];
            END IF;
        END LOOP;
        UPDATE es.ledger l SET last_position = l.last_position - dropped
         WHERE l.ledger = in_ledger;
    END IF;

    INSERT INTO es.event (ledger, version, position, recorded_at, stream_id, command_id, slot,
                          type, data_hash, head, meta, data)
    SELECT in_ledger, w_expected[e_write[n]] + 1 + n - w_first[e_write[n]],
           shift[w_request[e_write[n]]] + n, at, w_stream[e_write[n]],
           r_command[w_request[e_write[n]]], es.slot(w_stream[e_write[n]]),
           e_type[n], es.nth(e_data_hashes, n), es.nth(e_heads, n), e_meta[n], e_data[n]
      FROM generate_series(1, cardinality(e_write)) AS n
     WHERE shift[w_request[e_write[n]]] IS NOT NULL;

    INSERT INTO es.command (ledger, version, position, recorded_at, command_id, written,
                            fingerprint)
    SELECT in_ledger, version[n], position[n], at, r_command[n], written[n],
           es.nth(r_fingerprints, n)
      FROM generate_series(1, cardinality(r_command)) AS n
     WHERE shift[n] IS NOT NULL;
END $$;

-- The same for a single event of a single request: what an idle desk writes. It takes little more
-- than half as long, and leaves every verdict but *stored* to es.append.
CREATE FUNCTION es.append_one(
    in_ledger int, in_command uuid, in_fingerprint bytea,
    in_stream uuid, in_expected int, in_head bytea,
    e_type text, e_data_hash bytea, e_head bytea, e_meta bytea, e_data bytea,
    OUT outcome smallint, OUT version int, OUT "position" bigint, OUT written int,
    OUT recorded_at timestamptz
)
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'the ledger is appended to in READ COMMITTED' USING ERRCODE = '25001';
    END IF;

    UPDATE es.ledger l
       SET last_position = l.last_position + 1, last_at = greatest(clock_timestamp(), l.last_at)
     WHERE l.ledger = in_ledger
    RETURNING l.last_position, l.last_at INTO STRICT position, recorded_at;

    IF EXISTS (
           SELECT FROM es.command c WHERE c.ledger = in_ledger AND c.command_id = in_command)
       OR NOT coalesce(
           (SELECT e.version = in_expected AND e.head = in_head FROM es.event e
             WHERE e.ledger = in_ledger AND e.stream_id = in_stream
             ORDER BY e.version DESC LIMIT 1),
           in_expected IN (-1, 0))
    THEN
        UPDATE es.ledger l SET last_position = l.last_position - 1 WHERE l.ledger = in_ledger;
        SELECT a.outcome[1], a.version[1], a.position[1], a.written[1], a.recorded_at[1]
          INTO outcome, version, position, written, recorded_at
          FROM es.append(
              in_ledger, ARRAY[in_command], in_fingerprint, ARRAY[in_expected + 1],
              ARRAY[1], ARRAY[1], ARRAY[1], ARRAY[in_stream], ARRAY[in_expected], in_head,
              ARRAY[1], ARRAY[1], ARRAY[e_type], e_data_hash, e_head, ARRAY[e_meta],
              ARRAY[e_data]) AS a;
        RETURN;
    END IF;

    outcome := 1;
    version := in_expected + 1;
    written := 1;
    INSERT INTO es.event (ledger, version, position, recorded_at, stream_id, command_id, slot,
                          type, data_hash, head, meta, data)
    VALUES (in_ledger, version, position, recorded_at, in_stream, in_command, es.slot(in_stream),
            e_type, e_data_hash, e_head, e_meta, e_data);
    INSERT INTO es.command (ledger, version, position, recorded_at, command_id, written,
                            fingerprint)
    VALUES (in_ledger, version, position, recorded_at, in_command, written, in_fingerprint);
END $$;

-- For people: what is stored, read as what it says.
CREATE FUNCTION es.readable(stored bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN convert_from(stored, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN  -- written by something that does not speak JSON
    RETURN to_jsonb(encode(stored, 'base64'));
END $$;

CREATE VIEW es.event_log AS
SELECT l.name AS ledger, e.position, e.recorded_at, e.stream_id, e.version, e.type,
       es.readable(e.data) AS data, es.readable(e.meta) AS meta, e.command_id,
       encode(e.head, 'hex') AS head
  FROM es.event e JOIN es.ledger l USING (ledger);

-- Where each stream stands. Ask it for streams by their id: it looks at all of them otherwise.
CREATE VIEW es.stream AS
SELECT DISTINCT ON (ledger, stream_id)
       ledger, stream_id, version, head, position AS last_position
  FROM es.event ORDER BY ledger, stream_id, version DESC;

-- What happened has happened.
CREATE FUNCTION es.refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'what happened stays as it was recorded: % of es.event is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'To put something right, record an event that says so.';
END $$;

CREATE TRIGGER stays_as_it_was BEFORE UPDATE OR DELETE OR TRUNCATE ON es.event
    FOR EACH STATEMENT EXECUTE FUNCTION es.refuse();
-- Also for the owner, and for whoever has switched triggers off for its session.
ALTER TABLE es.event ENABLE ALWAYS TRIGGER stays_as_it_was;
