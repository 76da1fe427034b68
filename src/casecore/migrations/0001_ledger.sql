-- The ledger: what happened, in the one order in which it happened.

CREATE TABLE es.ledger (
    ledger        int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL UNIQUE,
    last_position bigint NOT NULL DEFAULT 0,
    last_at       timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

CREATE TABLE es.event (
    ledger        int,
    version       int NOT NULL,
    position      bigint,
    recorded_at   timestamptz NOT NULL,
    stream_id     uuid NOT NULL,
    command_id    uuid NOT NULL,
    slot          smallint NOT NULL,
    type          text NOT NULL,
    data_hash     bytea STORAGE PLAIN NOT NULL,
    head          bytea STORAGE PLAIN NOT NULL,
    meta          bytea NOT NULL,
    data          bytea NOT NULL,
    PRIMARY KEY (ledger, position),
    UNIQUE (ledger, stream_id, version)
);

CREATE TABLE es.command (
    ledger        int,
    version       int NOT NULL,
    position      bigint NOT NULL,
    recorded_at   timestamptz NOT NULL,
    command_id    uuid,
    written       int NOT NULL,
    fingerprint   bytea NOT NULL,
    PRIMARY KEY (ledger, command_id)
);
COMMENT ON TABLE es.command IS 'the first answer to every command, for whoever sends it again';

CREATE FUNCTION es.slot(stream_id uuid) RETURNS smallint LANGUAGE sql IMMUTABLE
RETURN ((get_byte(uuid_send(stream_id), 14) & 3) << 8 | get_byte(uuid_send(stream_id), 15))::smallint;

CREATE FUNCTION es.append(
    in_ledger int,
    -- An element a request. r_version: what it makes of the stream it is about; r_last: the number
    -- of its last event, counted from 1 through the whole batch.
    r_command uuid[], r_fingerprint bytea[], r_version int[], r_last int[],
    -- An element a write; w_request is the number of the request it belongs to.
    w_request int[], w_stream uuid[], w_expected int[], w_head bytea[],
    -- An element an event; e_write is the number of the write it belongs to.
    e_write int[], e_version int[], e_type text[], e_data_hash bytea[], e_head bytea[],
    e_meta bytea[], e_data bytea[]
)
RETURNS TABLE (outcome smallint, version int, "position" bigint, written int, recorded_at timestamptz)
LANGUAGE plpgsql
-- Whoever calls it needs no right to write anywhere, and so has no other way to write.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- A plan made while the tables were small must serve when they have grown.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    stored     CONSTANT smallint := 1;
    duplicate  CONSTANT smallint := 2;
    conflict   CONSTANT smallint := 3;
    key_reused CONSTANT smallint := 4;
    verdicts smallint[] := array_fill(stored, ARRAY[cardinality(r_command)]);
    shifts   bigint[];  -- of each request: added to an event's number it gives the position
    base     bigint;
    at       timestamptz;
    known    int[];
    failed   int[];
    dropped  int := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'es.append needs READ COMMITTED' USING ERRCODE = 'active_sql_transaction';
    END IF;

    -- The lock, held until commit, in a statement of its own: the next one's snapshot is taken
    -- when the wait is over, and shows all that was written meanwhile.
    UPDATE es.ledger l
       SET last_position = l.last_position + cardinality(e_write),
           last_at = greatest(clock_timestamp(), l.last_at)
     WHERE l.ledger = in_ledger
    RETURNING l.last_position - cardinality(e_write), l.last_at INTO base, at;
    IF NOT FOUND THEN
        RAISE 'there is no ledger %', in_ledger USING ERRCODE = 'no_data_found';
    END IF;

    -- Requests by number: those whose command was carried out before, and those with a write that
    -- does not follow what is there.
    SELECT ARRAY(
               SELECT n FROM generate_series(1, cardinality(r_command)) AS n
                WHERE EXISTS (
                    SELECT FROM es.command c
                     WHERE c.ledger = in_ledger AND c.command_id = r_command[n] OFFSET 0)),
           ARRAY(
               SELECT w_request[n] FROM generate_series(1, cardinality(w_request)) AS n
                WHERE NOT coalesce(
                    (SELECT e.version = w_expected[n] AND e.head = w_head[n] FROM es.event e
                      WHERE e.ledger = in_ledger AND e.stream_id = w_stream[n]
                      ORDER BY e.version DESC LIMIT 1),
                    w_expected[n] IN (-1, 0)))
      INTO known, failed;

    shifts := array_fill(base, ARRAY[cardinality(r_command)]);
    IF cardinality(known) + cardinality(failed) > 0 THEN
        FOR n IN 1 .. cardinality(r_command) LOOP
            IF n = ANY (known) THEN
                SELECT CASE c.fingerprint WHEN r_fingerprint[n] THEN duplicate ELSE key_reused END
                  INTO outcome
                  FROM es.command c WHERE c.ledger = in_ledger AND c.command_id = r_command[n];
                verdicts[n] := outcome;
            ELSIF n = ANY (failed) THEN
                verdicts[n] := conflict;
            END IF;
            IF verdicts[n] = stored THEN
                shifts[n] := base - dropped;
            ELSE
                shifts[n] := NULL;
                dropped := dropped + r_last[n] - coalesce(r_last[n - 1], 0);
            END IF;
        END LOOP;
        UPDATE es.ledger l SET last_position = l.last_position - dropped WHERE l.ledger = in_ledger;
    END IF;

    INSERT INTO es.event (ledger, version, position, recorded_at, stream_id, command_id, slot,
                          type, data_hash, head, meta, data)
    SELECT in_ledger, e_version[n], shifts[w_request[e_write[n]]] + n, at, w_stream[e_write[n]],
           r_command[w_request[e_write[n]]], es.slot(w_stream[e_write[n]]),
           e_type[n], e_data_hash[n], e_head[n], e_meta[n], e_data[n]
      FROM generate_series(1, cardinality(e_write)) AS n
     WHERE shifts[w_request[e_write[n]]] IS NOT NULL;

    INSERT INTO es.command (ledger, command_id, fingerprint, version, position, written, recorded_at)
    SELECT in_ledger, r_command[n], r_fingerprint[n], r_version[n], shifts[n] + r_last[n],
           r_last[n] - coalesce(r_last[n - 1], 0), at
      FROM generate_series(1, cardinality(r_command)) AS n
     WHERE shifts[n] IS NOT NULL;

    FOR n IN 1 .. cardinality(r_command) LOOP
        outcome := verdicts[n];
        IF outcome = stored THEN
            version := r_version[n];
            position := shifts[n] + r_last[n];
            written := r_last[n] - coalesce(r_last[n - 1], 0);
            recorded_at := at;
        ELSE  -- the first answer, which nobody is told who reuses its key
            SELECT c.version, c.position, c.written, c.recorded_at
              INTO version, position, written, recorded_at
              FROM es.command c
             WHERE c.ledger = in_ledger AND c.command_id = r_command[n] AND outcome = duplicate;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION es.open_ledger(in_name text) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO es.ledger (name)
    SELECT in_name WHERE NOT EXISTS (SELECT FROM es.ledger WHERE name = in_name)
    ON CONFLICT DO NOTHING;
    RETURN (SELECT ledger FROM es.ledger WHERE name = in_name);
END $$;
