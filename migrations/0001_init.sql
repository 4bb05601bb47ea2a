-- The first schema.
--
-- Runs in one transaction, under the installer's advisory lock, and takes no
-- lock on any table of yours. Valid in psql as it stands; `pgq sql` prints it for
-- another schema name. Needs CREATE on the database, no superuser, no extension.

CREATE SCHEMA IF NOT EXISTS pgqueuer;

COMMENT ON SCHEMA pgqueuer IS 'Background jobs; owned by the pgqueuer library.';

-- What was applied to this schema, and what it looked like.
CREATE TABLE pgqueuer.migrations (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- `blocked`, `running` and the like are not here: a running job is an available one
-- with `claimed_by` set, so that a claim touches no index.
CREATE TYPE pgqueuer.job_state AS ENUM ('scheduled', 'available', 'held');

CREATE TYPE pgqueuer.job_ending AS ENUM ('completed', 'cancelled', 'discarded');

CREATE TYPE pgqueuer.payload_codec AS ENUM ('framed', 'json');

-- Gives ids, and places in line: both only ever grow, so one sequence serves.
CREATE SEQUENCE pgqueuer.positions AS bigint;

-- Every job that is not finished.
CREATE TABLE pgqueuer.jobs (
    -- These four make a claim. None of them is in an index or a predicate, so that the
    -- update is HOT: it writes one heap tuple and no index entry. They come first, because
    -- the write-ahead log of an update has what lies before the last change.
    claimed_by   bigint,
    claimed_at   timestamptz,
    claim_number integer                NOT NULL DEFAULT 0,
    attempt      smallint               NOT NULL DEFAULT 0,
    priority     smallint               NOT NULL DEFAULT 0,
    id           bigint                 PRIMARY KEY,
    -- The place in line; taken anew each time the job becomes available.
    position     bigint                 NOT NULL,
    enqueued_at  timestamptz            NOT NULL DEFAULT now(),
    -- NULL for a job that may run at once, as most do.
    run_at       timestamptz,
    state        pgqueuer.job_state     NOT NULL,
    codec        pgqueuer.payload_codec NOT NULL,
    -- Kinds are compared, never sorted for people: bytes will do, whatever the language.
    kind         text COLLATE "C"       NOT NULL,
    payload      bytea                  NOT NULL,
    headers      jsonb,
    -- The last ten failures, oldest first.
    failures     jsonb,
    -- A job is due at a time that a clock can show, and it can be said how long it has waited.
    CONSTRAINT jobs_enqueued_at_range CHECK (isfinite(enqueued_at)),
    CONSTRAINT jobs_run_at_range CHECK (isfinite(run_at) AND run_at < '10000-01-01'),
    CONSTRAINT jobs_scheduled_at CHECK (state <> 'scheduled' OR run_at IS NOT NULL),
    CONSTRAINT jobs_kind_length CHECK (char_length(kind) BETWEEN 1 AND 128),
    CONSTRAINT jobs_payload_size CHECK (octet_length(payload) <= 33554432)
) WITH (
    -- Room on the page for the second version of each row.
    fillfactor = 45,
    -- The table is small and busy; the defaults wait for a fifth of it to be dead.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.1
);

-- The line of each kind and priority. Claims read it from the front.
CREATE INDEX jobs_claim_idx ON pgqueuer.jobs (kind, priority DESC, position)
    WHERE state = 'available';

-- The lanes (kind and priority) that have ever had a job, for workers to learn what to look
-- for, and how far each is done with: no available job has a lower position. Few and small;
-- not unique, so that two transactions which use a new lane first do not wait for each other.
CREATE TABLE pgqueuer.lanes (
    kind      text COLLATE "C" NOT NULL,
    priority  smallint         NOT NULL,
    low_water bigint           NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE INDEX lanes_idx ON pgqueuer.lanes (kind, priority);

-- Jobs that are not due, by when they will be. Claims never see them.
CREATE INDEX jobs_scheduled_idx ON pgqueuer.jobs (run_at)
    WHERE state = 'scheduled';

-- Lives of workers. A worker renews its row; when it no longer does, others take over
-- its jobs.
CREATE TABLE pgqueuer.sessions (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker     text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- Sleeps until the bell rings. A busy worker looks by itself.
    armed      boolean     NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- Finished jobs. Only ever appended to; a day that has expired is dropped as a whole. The
-- columns of fixed width come first, so that none is padded, and no row needs a null in it:
-- a bitmap of nulls costs eight bytes.
CREATE TABLE pgqueuer.history (
    job_id      bigint              NOT NULL,
    enqueued_at timestamptz         NOT NULL,
    claimed_at  timestamptz,
    finished_at timestamptz         NOT NULL DEFAULT now(),
    expires_at  timestamptz         NOT NULL,
    ending      pgqueuer.job_ending NOT NULL,
    attempt     smallint            NOT NULL,
    priority    smallint            NOT NULL,
    kind        text COLLATE "C"    NOT NULL,
    failures    jsonb               NOT NULL DEFAULT '[]'
) PARTITION BY RANGE (expires_at);

-- For looking up a job, which people do. Ids roughly grow with the table, so a block-range
-- index will do, at a thousandth of the cost of a b-tree per finished job. Several ranges to
-- an entry, so that a job which took long does not widen the one it is in to everything.
CREATE INDEX history_job_idx ON pgqueuer.history USING brin (job_id int8_minmax_multi_ops)
    WITH (pages_per_range = 32, autosummarize = on);

-- What no other partition takes, so that a result can always be written: records that are
-- kept for a time which no kind asks for, and days that nobody has prepared. Pruned.
CREATE TABLE pgqueuer.history_default PARTITION OF pgqueuer.history DEFAULT;

-- For pruning, and for seeing whether a day has begun here. No other partition pays for it.
CREATE INDEX history_default_expires_idx ON pgqueuer.history_default (expires_at);

-- What workers have done, minute by minute: for charts, which must not count rows. One row
-- for each worker's session, so that workers do not wait for each other.
CREATE TABLE pgqueuer.minutes (
    minute          timestamptz      NOT NULL,
    session         bigint           NOT NULL,
    -- Attempts, by how they ended.
    completed       bigint           NOT NULL,
    retried         bigint           NOT NULL,
    held            bigint           NOT NULL,
    discarded       bigint           NOT NULL,
    cancelled       bigint           NOT NULL,
    snoozed         bigint           NOT NULL,
    -- Sums over those attempts: from due to claimed, and in the handler.
    wait_seconds    double precision NOT NULL,
    run_seconds     double precision NOT NULL,
    max_run_seconds double precision NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    PRIMARY KEY (minute, kind, session)
) WITH (fillfactor = 50);

-- What workers know about their kinds, for tools that do not have the types.
CREATE TABLE pgqueuer.kinds (
    kind           text        PRIMARY KEY,
    queue          text        NOT NULL,
    priority       smallint    NOT NULL,
    max_attempts   smallint    NOT NULL,
    on_failure     text        NOT NULL CHECK (on_failure IN ('hold', 'discard')),
    retain_seconds bigint      NOT NULL,
    arguments      jsonb       NOT NULL,
    source         text        NOT NULL,
    published_at   timestamptz NOT NULL DEFAULT now()
);

-- Recurring jobs. One row per rule, whatever the number of workers.
CREATE TABLE pgqueuer.schedules (
    kind      text        PRIMARY KEY,
    rule      text        NOT NULL,
    next_tick timestamptz NOT NULL,
    last_tick timestamptz,
    CONSTRAINT schedules_next_tick_range CHECK (isfinite(next_tick) AND next_tick < '10000-01-01')
);

-- The failures of a job with one more, which is stamped; only the last ten are kept.
CREATE FUNCTION pgqueuer.add_failure(failures jsonb, failure jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
        SELECT CASE
            WHEN failure IS NULL THEN failures
            ELSE jsonb_path_query_array(
                coalesce(failures, '[]') || (failure || jsonb_build_object('failed_at', now())),
                '$[last - 9 to last]'
            )
        END
    $$;

-- Prepares the history for the days to come, three of each `retain` in use, and drops the days
-- that are past: one at most, so that no lock is held for long; call it until it does nothing.
-- A partition has what expires on one day in UTC: `history_20261123`.
--
-- SECURITY DEFINER, so that a worker needs no right to create tables. What it puts into its
-- commands are dates, and the name of this schema.
CREATE FUNCTION pgqueuer.tend_history(OUT created integer, OUT dropped integer)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '200ms'
    AS $$
    DECLARE
        history  constant regclass := 'pgqueuer.history'::regclass;
        fallback constant regclass := 'pgqueuer.history_default'::regclass;
        home     constant text := (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = history);
        to_make  timestamptz;
        name     text;
        locked   oid[] := ARRAY[history, fallback];
        holders  text[];
    BEGIN
        created := 0;
        dropped := 0;
        IF NOT pg_try_advisory_xact_lock(hashtextextended('pgqueuer tend', history::oid::bigint)) THEN
            RETURN;
        END IF;

        SELECT day INTO to_make
        FROM (
            SELECT DISTINCT
                date_trunc('day', now() + make_interval(secs => known.retain_seconds))
                    + make_interval(days => ahead) AS day
            FROM (
                SELECT retain_seconds FROM pgqueuer.kinds
                -- What a kind has that asks for nothing, so that the first worker need not wait.
                UNION SELECT 7 * 24 * 60 * 60
            ) AS known
            CROSS JOIN generate_series(0, 2) AS ahead
            -- At most a hundred years, as in the options of a job.
            WHERE known.retain_seconds BETWEEN 1 AND 3155760000
        ) AS days
        WHERE to_regclass(format('%s.%I', home, 'history_' || to_char(day, 'YYYYMMDD'))) IS NULL
          -- A day that has begun there must stay there, or the partition is refused.
          AND NOT EXISTS (
              SELECT FROM pgqueuer.history_default
              WHERE expires_at >= day AND expires_at < day + interval '1 day'
          )
        ORDER BY day
        LIMIT 1;
        IF to_make IS NOT NULL THEN
            name := 'history_' || to_char(to_make, 'YYYYMMDD');
        ELSE
            SELECT child.relname, locked || child.oid INTO name, locked
            FROM pg_inherits AS link
            JOIN pg_class AS child ON child.oid = link.inhrelid
            WHERE link.inhparent = history
              AND child.relname ~ '^history_[0-9]{8}$'
              -- Dates that are written so compare as texts do.
              AND child.relname::text COLLATE "C" < 'history_' || to_char(now(), 'YYYYMMDD')
            ORDER BY child.relname::text COLLATE "C"
            LIMIT 1;
        END IF;
        IF name IS NULL THEN
            RETURN;
        END IF;

        -- Whoever waits for a strong lock holds up all who come after. So none is asked for while
        -- somebody has stayed on these tables for a while: a dump, a long query, a vacuum.
        holders := ARRAY(
            SELECT virtualtransaction FROM pg_locks
            WHERE relation = ANY (locked) AND granted AND pid <> pg_backend_pid()
        );
        PERFORM pg_sleep(0.1) WHERE cardinality(holders) > 0;
        IF EXISTS (
            SELECT FROM pg_locks
            WHERE relation = ANY (locked) AND granted AND virtualtransaction = ANY (holders)
        ) THEN
            RETURN;
        END IF;

        IF to_make IS NULL THEN
            EXECUTE format('DROP TABLE %s.%I', home, name);
            dropped := 1;
        ELSE
            -- In two steps: CREATE … PARTITION OF would lock the whole history.
            EXECUTE format('CREATE TABLE %s.%I (LIKE %s INCLUDING DEFAULTS)', home, name, history);
            EXECUTE format(
                'ALTER TABLE %s ATTACH PARTITION %s.%I FOR VALUES FROM (%L) TO (%L)',
                history, home, name, to_make, to_make + interval '1 day'
            );
            -- The first range of an empty index is summarized, and would be for each new record.
            PERFORM brin_desummarize_range(indexrelid, 0)
            FROM pg_index
            WHERE indrelid = format('%s.%I', home, name)::regclass;
            created := 1;
        END IF;
    EXCEPTION
        -- In use, or the day has begun in history_default meanwhile. There is no hurry.
        WHEN lock_not_available OR check_violation THEN NULL;
    END
    $$;

COMMENT ON FUNCTION pgqueuer.tend_history IS
    'Makes or drops one partition of the history; workers call it once a minute.';

-- A function that runs with the rights of its owner is for those who are granted it.
REVOKE EXECUTE ON FUNCTION pgqueuer.tend_history FROM PUBLIC;

-- Fails, for a claim by a session that is over. The condition is what workers go by.
CREATE FUNCTION pgqueuer.refuse_claim(session bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
    BEGIN
        RAISE EXCEPTION 'pgqueuer: session % is over: its lease has run out, or it was closed', session
            USING ERRCODE = 'PQ001';
    END
    $$;

-- Wakes the idle workers, once the transaction commits. The news is '' for available jobs,
-- 'scheduled' for jobs that are not due, and 'lanes' for the first job of a lane, which is added
-- for who names it.
-- NOTIFY takes a lock of the whole database until the commit is through, so a busy queue must
-- not send one per transaction: it is sent only if a worker sleeps. Call it after the
-- transaction has written something, for a worker that falls asleep waits for the end of all
-- transactions which have, and may have seen it awake.
CREATE FUNCTION pgqueuer.ring(news text DEFAULT '', kind text DEFAULT NULL, priority smallint DEFAULT NULL)
    RETURNS void
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    BEGIN
        IF ring.kind IS NOT NULL AND NOT EXISTS (
            SELECT FROM pgqueuer.lanes AS lane
            WHERE lane.kind = ring.kind AND lane.priority = ring.priority
        ) THEN
            INSERT INTO pgqueuer.lanes (kind, priority) VALUES (ring.kind, ring.priority);
            news := 'lanes';
        END IF;
        IF news = 'lanes' OR EXISTS (
            SELECT FROM pgqueuer.sessions WHERE armed AND expires_at > now()
        ) THEN
            PERFORM pg_notify('pgqueuer.bell', news);
        END IF;
    END
    $$;

COMMENT ON FUNCTION pgqueuer.ring IS
    'Wakes the idle workers when the transaction commits. Costs next to nothing when there are none.';

-- Enqueues from SQL: a trigger, psql, another language.
CREATE FUNCTION pgqueuer.enqueue(
    kind     text,
    args     jsonb       DEFAULT '{}',
    priority integer     DEFAULT NULL,
    delay    interval    DEFAULT NULL,
    run_at   timestamptz DEFAULT NULL,
    headers  jsonb       DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        new_id bigint;
        new_payload bytea;
        new_priority smallint;
        new_state pgqueuer.job_state;
        -- A delay that no clock can add is brought to one that is refused, or to none.
        due    timestamptz := coalesce(
            enqueue.run_at,
            clock_timestamp() + CASE
                WHEN enqueue.delay > interval '100 years' THEN interval '101 years'
                WHEN enqueue.delay < interval '0' THEN interval '0'
                ELSE enqueue.delay
            END
        );
    BEGIN
        IF enqueue.kind IS NULL OR char_length(enqueue.kind) NOT BETWEEN 1 AND 128 THEN
            RAISE EXCEPTION 'pgqueuer: the kind is % characters long, from 1 to 128',
                coalesce(char_length(enqueue.kind), 0)
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Give the kind of a job, and what it is about in args.';
        END IF;
        -- White space and control characters of Unicode, which the classes have in some locales only.
        IF enqueue.kind ~
            '[[:space:][:cntrl:]\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]'
        THEN
            RAISE EXCEPTION 'pgqueuer: kind "%" contains white space or control characters', enqueue.kind
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF jsonb_typeof(enqueue.args) IS DISTINCT FROM 'object' THEN
            RAISE EXCEPTION 'pgqueuer: args of job "%" is %, not an object',
                enqueue.kind, coalesce(jsonb_typeof(enqueue.args), 'NULL')
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Write each argument by its name: {"user_id": 42}.';
        END IF;
        IF enqueue.run_at IS NOT NULL AND enqueue.delay IS NOT NULL THEN
            RAISE EXCEPTION 'pgqueuer: job "%" has both delay and run_at', enqueue.kind
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Give one of them.';
        END IF;
        IF due > now() + interval '100 years' OR NOT isfinite(due) THEN
            RAISE EXCEPTION 'pgqueuer: job "%" would run at %, at most 100 years from now',
                enqueue.kind, due
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an earlier time or a shorter delay.';
        END IF;
        IF enqueue.priority NOT BETWEEN -32768 AND 32767 THEN
            RAISE EXCEPTION 'pgqueuer: priority % of job "%" is out of range, from -32768 to 32767',
                enqueue.priority, enqueue.kind
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF enqueue.headers IS NOT NULL AND (
            jsonb_typeof(enqueue.headers) <> 'object'
            -- Strict, or a list would be taken for what is in it; silent for what is no object.
            OR jsonb_path_exists(enqueue.headers, 'strict $.* ? (@.type() != "string")', '{}', true)
        ) THEN
            RAISE EXCEPTION 'pgqueuer: headers of job "%" are not an object of texts', enqueue.kind
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Write them as {"tenant": "acme"}.';
        END IF;
        IF enqueue.headers IS NOT NULL AND (
            SELECT sum(octet_length(key) + octet_length(value)) > 65536
            FROM jsonb_each_text(enqueue.headers)
        ) THEN
            RAISE EXCEPTION 'pgqueuer: the headers of job "%" are over 65536 bytes', enqueue.kind
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Put large values into args.';
        END IF;

        new_payload := convert_to(enqueue.args::text, 'UTF8');
        IF octet_length(new_payload) > 33554432 THEN
            RAISE EXCEPTION 'pgqueuer: the payload of job "%" is over 33554432 bytes', enqueue.kind
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Store the data elsewhere and enqueue a reference to it.';
        END IF;

        -- The marks of the lanes wait for positions by the transactions that took them.
        PERFORM pg_current_xact_id();
        new_id := nextval('pgqueuer.positions');
        new_priority := coalesce(
            enqueue.priority,
            (SELECT known.priority FROM pgqueuer.kinds AS known WHERE known.kind = enqueue.kind),
            0
        );
        new_state := CASE WHEN due > clock_timestamp() THEN 'scheduled' ELSE 'available' END;
        INSERT INTO pgqueuer.jobs (id, kind, position, run_at, priority, state, codec, payload, headers)
        VALUES (
            new_id, enqueue.kind, new_id, due, new_priority, new_state,
            'json', new_payload, enqueue.headers
        );
        PERFORM pgqueuer.ring('', enqueue.kind, new_priority);
        PERFORM pgqueuer.ring('scheduled') WHERE new_state = 'scheduled';
        RETURN new_id;
    END
    $$;

COMMENT ON FUNCTION pgqueuer.enqueue IS
    'Enqueues a job: pgqueuer.enqueue(''send_welcome'', ''{"user_id": 42}'', delay => ''5 min''). Returns its id.';
