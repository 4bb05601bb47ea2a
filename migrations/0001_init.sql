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
    -- Set once the job has been claimed under a limit, so that jobs_slots_idx has all that may be
    -- running under one; whether it is, claimed_by says. So no slot can be left taken.
    slot         boolean,
    -- The value by which the limits of its kind count.
    limit_key    text COLLATE "C",
    -- Not to be run any more, and why. Set for a job that runs: its worker is told.
    cancel_reason text,
    -- Of its kind, no other job has this key as long as it waits or runs.
    unique_key   text COLLATE "C",
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

-- Without a key, a publication for all tables would keep marks from being moved.
ALTER TABLE pgqueuer.lanes REPLICA IDENTITY FULL;

-- Jobs that are not due, by when they will be. Claims never see them.
CREATE INDEX jobs_scheduled_idx ON pgqueuer.jobs (run_at)
    WHERE state = 'scheduled';

-- A job that is held does not keep others out: who knows for how long it is.
CREATE UNIQUE INDEX jobs_unique_idx ON pgqueuer.jobs (kind, unique_key)
    WHERE unique_key IS NOT NULL AND state <> 'held';

-- What waits for a person, among millions that do not. Seldom written, and free for all others.
CREATE INDEX jobs_held_idx ON pgqueuer.jobs (id)
    WHERE state = 'held';

-- What runs and is to be cancelled.
CREATE INDEX jobs_cancelled_idx ON pgqueuer.jobs (id)
    WHERE cancel_reason IS NOT NULL;

-- What may be running under a limit. Jobs without limits are in neither of these.
CREATE INDEX jobs_slots_idx ON pgqueuer.jobs (kind, limit_key)
    WHERE slot;

-- The line of each key. Claims under a limit for each key go from key to key, and so pass by one
-- that has reached its limit in one step, however many of its jobs wait.
CREATE INDEX jobs_keys_idx ON pgqueuer.jobs (kind, priority DESC, limit_key, position)
    WHERE state = 'available' AND limit_key IS NOT NULL;

-- How many unfinished jobs there are, without counting them: what each transaction has added to the
-- number of a kind and state, or taken from it. The sum is the number; workers fold many rows into few.
-- A job that runs is an available one. So that nobody waits for anybody, no row is ever updated. Read from
-- the mark on, not over what was folded and could not be vacuumed yet.
CREATE TABLE pgqueuer.counts (
    id        bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    available bigint           NOT NULL DEFAULT 0,
    scheduled bigint           NOT NULL DEFAULT 0,
    held      bigint           NOT NULL DEFAULT 0,
    kind      text COLLATE "C" NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    -- It is empty now and then. To give back the end of a file takes a lock that all producers would wait for.
    vacuum_truncate = off
);

-- No row of counts has an id up to `low`. The next such mark is `candidate`, once no transaction before
-- `candidate_xid` is under way. One row.
CREATE TABLE pgqueuer.counts_mark (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    low           bigint      NOT NULL DEFAULT 0,
    candidate     bigint      NOT NULL DEFAULT 0,
    candidate_xid xid8        NOT NULL DEFAULT '0',
    moved_at      timestamptz NOT NULL DEFAULT '-infinity'
);

INSERT INTO pgqueuer.counts_mark DEFAULT VALUES;

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

-- What workers say of themselves every few seconds. Not in their sessions, which producers read.
CREATE TABLE pgqueuer.reports (
    session     bigint  PRIMARY KEY REFERENCES pgqueuer.sessions ON DELETE CASCADE,
    -- How many jobs it runs at a time, at most.
    concurrency integer NOT NULL,
    -- How many it has claimed and not settled, by kind.
    running     jsonb   NOT NULL,
    -- Of the lines from which it takes jobs just now, when the one was due that it has claimed last: a list of
    -- kind, priority and due_at.
    fronts      jsonb   NOT NULL
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
    failures    jsonb               NOT NULL DEFAULT '[]',
    -- What the handler returned, as JSON. Empty: nothing, and nobody waited for it. (A text, since
    -- not all JSON is a jsonb, and a column of type json has no empty value.)
    result      text                NOT NULL DEFAULT ''
) PARTITION BY RANGE (expires_at);

-- For looking up a job, which people do. Ids roughly grow with the table, so a block-range
-- index will do, at a thousandth of the cost of a b-tree per finished job. Several ranges to
-- an entry, so that a job which took long does not widen the one it is in to everything.
CREATE INDEX history_job_idx ON pgqueuer.history USING brin (job_id int8_minmax_multi_ops)
    WITH (pages_per_range = 32, autosummarize = on);

-- For those who wait for a job, and look for it as soon as it has ended: the block-range index above
-- does not have the newest records yet. Jobs that return nothing, and that nobody waits for, are not in it.
CREATE INDEX history_result_idx ON pgqueuer.history (job_id)
    WHERE result <> '';

-- What no other partition takes, so that a result can always be written: records that are
-- kept for a time which no kind asks for, and days that nobody has prepared. Pruned.
CREATE TABLE pgqueuer.history_default PARTITION OF pgqueuer.history DEFAULT;

-- For pruning, and for seeing whether a day has begun here. No other partition pays for it.
CREATE INDEX history_default_expires_idx ON pgqueuer.history_default (expires_at);

-- As of the lanes: without a key, nothing could be pruned.
ALTER TABLE pgqueuer.history_default REPLICA IDENTITY FULL;

-- What workers have done, minute by minute: for charts, which must not count rows. Up to sixteen
-- rows, by the session of the worker, so that workers seldom wait for each other, and as many of them as
-- there may be do not make more to be read.
CREATE TABLE pgqueuer.minutes (
    minute          timestamptz      NOT NULL,
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
    -- How many waited, and ran, for how long: the first bucket has those of up to a millisecond, and the
    -- bound of each next one is the square root of two times as much. Up to the last that has any.
    waits           bigint[]         NOT NULL,
    runs            bigint[]         NOT NULL,
    shard           smallint         NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    PRIMARY KEY (minute, kind, shard)
) WITH (fillfactor = 50);

-- The same over all minutes, also those that are forgotten. For metrics, which only ever grow.
CREATE TABLE pgqueuer.totals (
    completed       bigint           NOT NULL,
    retried         bigint           NOT NULL,
    held            bigint           NOT NULL,
    discarded       bigint           NOT NULL,
    cancelled       bigint           NOT NULL,
    snoozed         bigint           NOT NULL,
    wait_seconds    double precision NOT NULL,
    run_seconds     double precision NOT NULL,
    max_run_seconds double precision NOT NULL,
    waits           bigint[]         NOT NULL,
    runs            bigint[]         NOT NULL,
    shard           smallint         NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, shard)
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
    -- The kind that this is an alias of, or itself: limits hold for all of its names together.
    job            text COLLATE "C" NOT NULL,
    -- The arguments that make the limit_key of its jobs.
    limit_by       text[]      NOT NULL DEFAULT '{}',
    -- The arguments that make the unique_key of its jobs, and for how long that keeps others out:
    -- NULL for no unique jobs, and for as long as the job waits and runs.
    unique_by      text[],
    unique_seconds double precision,
    published_at   timestamptz NOT NULL DEFAULT now()
);

-- The keys that are taken for a while, whatever becomes of their jobs. Pruned.
CREATE TABLE pgqueuer.unique_keys (
    kind       text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    job_id     bigint           NOT NULL,
    expires_at timestamptz      NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE INDEX unique_keys_expires_idx ON pgqueuer.unique_keys (expires_at);

-- Who waits for jobs to end, and of which kinds. One row for each process that does. It is renewed;
-- after its time it counts no more, and is pruned.
CREATE TABLE pgqueuer.watchers (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kinds      text[]      COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The kinds of jobs that somebody waits for. Who ends one of them says so, and nobody else does: a
-- notification for each job that ends would cost more than the job.
CREATE VIEW pgqueuer.awaited AS
    SELECT DISTINCT awaited.kind
    FROM pgqueuer.watchers
    CROSS JOIN unnest(kinds) AS awaited (kind)
    WHERE expires_at > now();

-- How far jobs are that run, as their handlers say. Not in the jobs themselves, whose rows (with
-- their payloads) would be written anew each time. Of another claim, it says nothing; pruned.
CREATE TABLE pgqueuer.progress (
    job_id       bigint      PRIMARY KEY,
    claim_number integer     NOT NULL,
    fraction     real        NOT NULL,
    note         text        NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- What is limited or paused: a kind, a queue, or everything. Few rows, which claims read.
CREATE TABLE pgqueuer.limits (
    scope    text             NOT NULL CHECK (scope IN ('kind', 'queue', 'everything')),
    -- Of everything: empty.
    name     text COLLATE "C" NOT NULL,
    -- What the code says, and what was set at run time instead, where null is no limit.
    of_code  jsonb            NOT NULL DEFAULT '{}',
    of_hand  jsonb            NOT NULL DEFAULT '{}',
    -- What holds.
    in_force jsonb            NOT NULL GENERATED ALWAYS AS (jsonb_strip_nulls(of_code || of_hand)) STORED,
    paused_at timestamptz,
    -- From when on nothing of the burst is used up: see pgqueuer.tokens.
    rate_at  timestamptz,
    PRIMARY KEY (scope, name)
) WITH (fillfactor = 50);

-- The same for each key under a limit for each key. A row whose time has come says nothing: pruned.
CREATE TABLE pgqueuer.rates (
    scope   text             NOT NULL,
    name    text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    rate_at timestamptz      NOT NULL,
    PRIMARY KEY (scope, name, key)
) WITH (fillfactor = 50);

-- Recurring jobs. One row each, whatever the number of workers.
CREATE TABLE pgqueuer.schedules (
    name         text COLLATE "C"       PRIMARY KEY,
    kind         text COLLATE "C"       NOT NULL,
    -- Rule, zone and the like: what the code says (NULL if it says nothing), what was set by hand
    -- instead, and what holds.
    of_code      jsonb,
    of_hand      jsonb                  NOT NULL DEFAULT '{}',
    in_force     jsonb                  NOT NULL GENERATED ALWAYS AS (coalesce(of_code, '{}') || of_hand) STORED,
    -- What each tick enqueues. Priority: NULL for that of the kind.
    priority     smallint,
    codec        pgqueuer.payload_codec NOT NULL DEFAULT 'json',
    payload      bytea                  NOT NULL DEFAULT '{}',
    headers      jsonb,
    limit_key    text COLLATE "C",
    unique_key   text COLLATE "C",
    -- Grows with every tick and change, so that what was decided by an older one is not carried out.
    revision     bigint                 NOT NULL DEFAULT 0,
    -- Slots count from here on: it was made, changed or resumed.
    since        timestamptz            NOT NULL DEFAULT clock_timestamp(),
    -- The cursor. NULL until a worker has reckoned it, for SQL cannot.
    next_tick    timestamptz,
    -- Why it cannot be reckoned. It does not tick then.
    fault        text,
    paused_at    timestamptz,
    -- The last slot that had a job, and the job; and the last one that had none since that ran still.
    last_slot    timestamptz,
    last_job     bigint,
    last_skipped timestamptz,
    CONSTRAINT schedules_name_length CHECK (char_length(name) BETWEEN 1 AND 128),
    CONSTRAINT schedules_payload_size CHECK (octet_length(payload) <= 33554432),
    CONSTRAINT schedules_next_tick_range CHECK (isfinite(next_tick) AND next_tick < '10000-01-01')
) WITH (fillfactor = 50);

-- The sums of two lists, place by place.
CREATE FUNCTION pgqueuer.add_counts(one bigint[], other bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT coalesce(array_agg(coalesce(it.one, 0) + coalesce(it.other, 0) ORDER BY place), '{}')
        FROM unnest(one, other) WITH ORDINALITY AS it (one, other, place)
    $$;

CREATE AGGREGATE pgqueuer.sum_counts(bigint[]) (
    SFUNC = pgqueuer.add_counts,
    STYPE = bigint[],
    INITCOND = '{}'
);

-- Folds up to so many rows of counts into one for each kind, unless that spares few or somebody else is at
-- it. Returns how many; to be called until it is fewer than the limit. Does nothing in a transaction that has
-- written already, whose id says nothing about those that came after it.
CREATE FUNCTION pgqueuer.fold_counts(most bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
    DECLARE
        -- So many are read in no time.
        few     constant bigint := 500;
        mark    pgqueuer.counts_mark;
        written bigint;
        next    xid8;
        is_safe boolean;
        folded  bigint;
        rows    bigint;
        kinds   bigint;
    BEGIN
        IF pg_current_xact_id_if_assigned() IS NOT NULL OR NOT pg_try_advisory_xact_lock(
            hashtextextended('pgqueuer fold', 'pgqueuer.counts'::regclass::oid::bigint)
        ) THEN
            RETURN 0;
        END IF;
        SELECT * INTO mark FROM pgqueuer.counts_mark;
        SELECT count(*), count(DISTINCT kind)
        INTO rows, kinds
        FROM (SELECT kind FROM pgqueuer.counts WHERE id > mark.low LIMIT most) AS first_ones;
        -- One of each kind is left.
        IF rows < least(kinds + few, most) THEN
            RETURN 0;
        END IF;
        -- The id first, so that whoever took one up to there has a transaction id before ours.
        SELECT last_value INTO written FROM pgqueuer.counts_id_seq;
        next := pg_current_xact_id();
        -- Before the rows are read: so they are all seen that have an id up to the candidate.
        is_safe := pg_snapshot_xmin(pg_current_snapshot()) >= mark.candidate_xid;
        WITH taken AS (
            DELETE FROM pgqueuer.counts
            WHERE id = ANY (ARRAY(SELECT id FROM pgqueuer.counts WHERE id > mark.low ORDER BY id LIMIT most))
            RETURNING *
        ),
        added AS (
            INSERT INTO pgqueuer.counts (kind, available, scheduled, held)
            SELECT kind, sum(available), sum(scheduled), sum(held)
            FROM taken
            GROUP BY kind
            HAVING (sum(available), sum(scheduled), sum(held)) <> (0, 0, 0)
        )
        SELECT count(*) INTO folded FROM taken;
        -- Not each time: it is a row that is updated.
        IF folded < most AND mark.moved_at < now() - interval '10 seconds' THEN
            UPDATE pgqueuer.counts_mark
            SET low = CASE WHEN is_safe THEN candidate ELSE low END,
                -- One that is still to come is of another server: they were restored from a dump.
                candidate = CASE WHEN is_safe OR candidate_xid > next THEN written ELSE candidate END,
                candidate_xid = CASE WHEN is_safe OR candidate_xid > next THEN next ELSE candidate_xid END,
                moved_at = now();
        END IF;
        RETURN folded;
    END
    $$;

-- Counts the unfinished jobs, which reads all of them, and mends the counts where they are wrong: after rows
-- were deleted by hand. Others need not stop meanwhile. Returns how many kinds were wrong.
CREATE FUNCTION pgqueuer.recount() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
    DECLARE
        wrong  record;
        mended bigint := 0;
    BEGIN
        -- Two that found the same would both add it. (Under READ COMMITTED, where the second one sees what the
        -- first one has done.)
        PERFORM pg_advisory_xact_lock(
            hashtextextended('pgqueuer recount', 'pgqueuer.counts'::regclass::oid::bigint)
        );
        -- Sorted, so that all is read before the first row is written: a transaction that writes keeps the
        -- marks of lanes and counts where they are.
        FOR wrong IN
            SELECT
                kind,
                sum(available) AS available,
                sum(scheduled) AS scheduled,
                sum(held) AS held
            FROM (
                SELECT
                    kind,
                    count(*) FILTER (WHERE state = 'available') AS available,
                    count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
                    count(*) FILTER (WHERE state = 'held') AS held
                FROM pgqueuer.jobs
                GROUP BY kind
                UNION ALL
                SELECT kind, -available, -scheduled, -held
                FROM pgqueuer.counts
                WHERE id > (SELECT low FROM pgqueuer.counts_mark)
            ) AS it
            GROUP BY kind
            HAVING (sum(available), sum(scheduled), sum(held)) <> (0, 0, 0)
            ORDER BY count(*)
        LOOP
            -- Before the row has an id: see pgqueuer.fold_counts.
            PERFORM pg_current_xact_id();
            INSERT INTO pgqueuer.counts (kind, available, scheduled, held)
            VALUES (wrong.kind, wrong.available, wrong.scheduled, wrong.held);
            mended := mended + 1;
        END LOOP;
        RETURN mended;
    END
    $$;

COMMENT ON FUNCTION pgqueuer.recount IS
    'Mends the numbers that dashboards show, after jobs were deleted by hand. Reads all unfinished jobs.';

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
        -- As durable as the others are.
        unlogged constant text := (
            SELECT CASE relpersistence WHEN 'u' THEN 'UNLOGGED' ELSE '' END FROM pg_class WHERE oid = fallback
        );
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
            EXECUTE format('CREATE %s TABLE %s.%I (LIKE %s INCLUDING DEFAULTS)', unlogged, home, name, history);
            EXECUTE format(
                'ALTER TABLE %s ATTACH PARTITION %s.%I FOR VALUES FROM (%L) TO (%L)',
                history, home, name, to_make, to_make + interval '1 day'
            );
            -- The first range of an empty index is summarized, and would be for each new record.
            PERFORM brin_desummarize_range(indexrelid, 0)
            FROM pg_index
            JOIN pg_class AS it ON it.oid = indexrelid
            JOIN pg_am AS method ON method.oid = it.relam AND method.amname = 'brin'
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

-- How many may begin now, under a rate of so many (count) in a time (seconds), of which so many
-- (burst) at once. rate_at is when the whole burst can be had again: each that begins moves it on by
-- seconds / count. (The generic cell rate algorithm of ITU-T I.371.) It is never taken to be further
-- away than one burst, so that no rate that was changed and no clock that was set stops a queue.
CREATE FUNCTION pgqueuer.tokens(rate jsonb, rate_at timestamptz, at timestamptz) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT (rate ->> 'burst')::float8 - least(
            (rate ->> 'burst')::float8,
            greatest(0, coalesce(extract(epoch FROM rate_at - at)::float8, 0))
                * (rate ->> 'count')::float8 / (rate ->> 'seconds')::float8
        )
    $$;

-- The same after so many have begun.
CREATE FUNCTION pgqueuer.spend(rate jsonb, rate_at timestamptz, at timestamptz, spent bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT at + make_interval(secs =>
            ((rate ->> 'burst')::float8 - pgqueuer.tokens(rate, rate_at, at) + spent)
                * (rate ->> 'seconds')::float8 / (rate ->> 'count')::float8
        )
    $$;

-- After how many seconds a look is worth it: when one more may begin, or a quarter of the burst.
CREATE FUNCTION pgqueuer.next_tokens(rate jsonb, rate_at timestamptz, at timestamptz) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT greatest(0.001, greatest(1, (rate ->> 'burst')::float8 / 4) - pgqueuer.tokens(rate, rate_at, at))
            * (rate ->> 'seconds')::float8 / (rate ->> 'count')::float8
    $$;

-- How many more of these kinds may run, if so many may; NULL if any number may.
CREATE FUNCTION pgqueuer.free_slots(kinds text[], concurrency bigint) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
        SELECT concurrency - (
            SELECT count(*)
            FROM pgqueuer.jobs
            WHERE kind = ANY (kinds)
              AND slot
              AND claimed_by IS NOT NULL
        )
        WHERE concurrency IS NOT NULL
    $$;

-- The same for one key. Where one runs at a time, a job that waits to be tried again keeps its slot:
-- so the jobs of the key stay in order.
CREATE FUNCTION pgqueuer.free_slots_of_key(kinds text[], key text, concurrency bigint) RETURNS bigint
    LANGUAGE sql STABLE
    AS $$
        SELECT concurrency - (
            SELECT count(*)
            FROM pgqueuer.jobs
            WHERE kind = ANY (kinds)
              AND limit_key = key
              AND slot
              AND (claimed_by IS NOT NULL OR concurrency = 1 AND state = 'scheduled')
        )
        WHERE concurrency IS NOT NULL
    $$;

-- Claims available jobs of lanes (kind and priority) that are limited, as far as the limits allow.
--
-- lanes: kinds, priorities and cursors, best first; after_keys: with which key the last claim ended, where
-- each key has a limit; bounds and bound_limits: of each group of lanes, at most so many; most: in all.
--
-- What runs is counted by each claim, and no claim of the same kind or queue counts at the same
-- time: they try a lock, and leave the lane alone if another one has it. That takes a function,
-- since a statement does not see what was committed after it began, and it began before it had
-- the lock. (Read committed, each statement of a volatile function sees what is committed by then:
-- https://www.postgresql.org/docs/current/xfunc-volatility.html.)
--
-- The lock is an advisory one, which writes nothing: a look that finds nothing costs no commit.
--
-- Returns the jobs, and a row without an id for each lane that was looked at: in how many seconds to
-- look again, if a limit has held back jobs of it, and with which key to go on.
CREATE FUNCTION pgqueuer.claim_limited(
    session      bigint,
    kinds        text[],
    priorities   smallint[],
    cursors      bigint[],
    after_keys   text[],
    bounds       integer[],
    bound_limits bigint[],
    most         bigint
) RETURNS TABLE (
    id           bigint,
    claim_number integer,
    kind         text,
    attempt      smallint,
    priority     smallint,
    "position"   bigint,
    is_json      boolean,
    payload      bytea,
    headers      text,
    enqueued_at  timestamptz,
    waited       double precision,
    place        bytea,
    cancel_reason text,
    lane         integer,
    held_back    double precision,
    next_key     text
)
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        -- In how many seconds to look again when another claim has the lock, and when all slots are
        -- taken: the bell rings when one becomes free, and this is for who does not hear it.
        if_busy     constant float8 := 0.002;
        if_full     constant float8 := 0.25;
        -- So many keys are looked at for one claim.
        most_keys   constant integer := 1000;
        limits      constant bigint := 'pgqueuer.limits'::regclass::oid::bigint;
        is_live     boolean := false;
        at          timestamptz;
        known       record;
        of_kind     text[];
        of_queue    text[];
        allowed     bigint;
        is_held     boolean;
        places      tid[];
        keys        text[];
        looked_at   text[];
        candidate   record;
        last_key    text;
        is_read     boolean;
        taken       bigint;
    BEGIN
        FOR turn IN 1 .. cardinality(kinds) LOOP
            CONTINUE WHEN least(most, bound_limits[turn]) <= 0;
            SELECT job, queue INTO known FROM pgqueuer.kinds AS it WHERE it.kind = kinds[turn];
            IF EXISTS (
                SELECT
                FROM pgqueuer.limits AS it
                WHERE (it.scope = 'kind' AND it.name = known.job OR it.scope = 'queue' AND it.name = known.queue)
                  AND it.in_force <> '{}'
                  AND NOT pg_try_advisory_xact_lock(hashtextextended(it.scope || ' ' || it.name, limits))
            ) THEN
                lane := turn;
                held_back := if_busy;
                next_key := after_keys[turn];
                RETURN NEXT;
                CONTINUE;
            END IF;

            -- What holds, and how much of it is used, now that nobody else uses it.
            at := clock_timestamp();
            SELECT
                it.job,
                it.queue,
                coalesce(kind_limit.in_force, '{}') AS kind_limits,
                kind_limit.rate_at AS kind_rate_at,
                coalesce(queue_limit.in_force, '{}') AS queue_limits,
                queue_limit.rate_at AS queue_rate_at
            INTO known
            FROM pgqueuer.kinds AS it
            LEFT JOIN pgqueuer.limits AS kind_limit ON kind_limit.scope = 'kind' AND kind_limit.name = it.job
            LEFT JOIN pgqueuer.limits AS queue_limit ON queue_limit.scope = 'queue' AND queue_limit.name = it.queue
            WHERE it.kind = kinds[turn];
            of_kind := ARRAY(SELECT it.kind FROM pgqueuer.kinds AS it WHERE it.job = known.job);
            of_queue := ARRAY(SELECT it.kind FROM pgqueuer.kinds AS it WHERE it.queue = known.queue);
            allowed := least(
                most,
                bound_limits[turn],
                pgqueuer.free_slots(of_kind, (known.kind_limits ->> 'concurrency')::bigint),
                pgqueuer.free_slots(of_queue, (known.queue_limits ->> 'concurrency')::bigint),
                floor(1e-6 + pgqueuer.tokens(known.kind_limits -> 'rate', known.kind_rate_at, at)),
                floor(1e-6 + pgqueuer.tokens(known.queue_limits -> 'rate', known.queue_rate_at, at))
            );

            places := '{}';
            keys := '{}';
            looked_at := '{}';
            is_held := false;
            is_read := true;
            last_key := '';
            IF NOT known.kind_limits ?| ARRAY['concurrency_per_key', 'rate_per_key'] THEN
                -- One more than is allowed, to see whether any is held back.
                FOR candidate IN
                    SELECT waiting.ctid AS place
                    FROM pgqueuer.jobs AS waiting
                    WHERE waiting.kind = kinds[turn]
                      AND waiting.priority = priorities[turn]
                      AND waiting.position > cursors[turn]
                      AND waiting.state = 'available'
                      AND waiting.claimed_by IS NULL
                    ORDER BY waiting.position
                    LIMIT greatest(0, allowed) + 1
                    FOR UPDATE SKIP LOCKED
                LOOP
                    IF cardinality(places) < allowed THEN
                        places := places || candidate.place;
                    ELSE
                        is_held := true;
                    END IF;
                END LOOP;
            ELSIF allowed <= 0 THEN
                -- Who knows.
                is_held := true;
                last_key := after_keys[turn];
            ELSE
                -- From the key after the last one to the end, and from the beginning to that key.
                is_read := false;
                last_key := after_keys[turn];
                <<round>>
                FOR pass IN 1 .. 2 LOOP
                    FOR candidate IN
                        WITH RECURSIVE line AS (
                            SELECT 1 AS number, (
                                SELECT waiting.limit_key
                                FROM pgqueuer.jobs AS waiting
                                WHERE waiting.kind = kinds[turn]
                                  AND waiting.priority = priorities[turn]
                                  AND waiting.limit_key > CASE pass WHEN 1 THEN after_keys[turn] ELSE '' END
                                  AND waiting.state = 'available'
                                  AND waiting.claimed_by IS NULL
                                ORDER BY waiting.limit_key, waiting.position
                                LIMIT 1
                            ) AS key
                            UNION ALL
                            SELECT line.number + 1, (
                                SELECT waiting.limit_key
                                FROM pgqueuer.jobs AS waiting
                                WHERE waiting.kind = kinds[turn]
                                  AND waiting.priority = priorities[turn]
                                  AND waiting.limit_key > line.key
                                  AND waiting.state = 'available'
                                  AND waiting.claimed_by IS NULL
                                ORDER BY waiting.limit_key, waiting.position
                                LIMIT 1
                            )
                            FROM line
                            WHERE line.key IS NOT NULL
                        )
                        SELECT line.key, job.place
                        FROM line
                        CROSS JOIN LATERAL (
                            SELECT greatest(0, least(
                                allowed,
                                pgqueuer.free_slots_of_key(
                                    of_kind, line.key, (known.kind_limits ->> 'concurrency_per_key')::bigint
                                ),
                                floor(1e-6 + pgqueuer.tokens(known.kind_limits -> 'rate_per_key', (
                                    SELECT it.rate_at
                                    FROM pgqueuer.rates AS it
                                    WHERE it.scope = 'kind' AND it.name = known.job AND it.key = line.key
                                ), at))
                            ))::bigint AS allowed
                        ) AS of_key
                        LEFT JOIN LATERAL (
                            SELECT waiting.ctid AS place
                            FROM pgqueuer.jobs AS waiting
                            WHERE waiting.kind = kinds[turn]
                              AND waiting.priority = priorities[turn]
                              AND waiting.limit_key = line.key
                              AND waiting.state = 'available'
                              AND waiting.claimed_by IS NULL
                            ORDER BY waiting.position
                            LIMIT of_key.allowed
                            FOR UPDATE SKIP LOCKED
                        ) AS job ON true
                        WHERE line.key IS NOT NULL
                    LOOP
                        EXIT WHEN pass = 2 AND candidate.key > after_keys[turn];
                        EXIT round WHEN cardinality(places) >= allowed;
                        IF candidate.key IS DISTINCT FROM looked_at[cardinality(looked_at)] THEN
                            EXIT round WHEN cardinality(looked_at) >= most_keys;
                            looked_at := looked_at || candidate.key;
                        END IF;
                        last_key := candidate.key;
                        IF candidate.place IS NOT NULL THEN
                            places := places || candidate.place;
                            keys := keys || candidate.key;
                        END IF;
                    END LOOP;
                    is_read := pass = 2 OR after_keys[turn] = '';
                    EXIT WHEN is_read;
                END LOOP;
                IF is_read THEN
                    last_key := '';
                    is_held := cardinality(looked_at) > 0;
                END IF;
            END IF;

            taken := 0;
            IF cardinality(places) > 0 THEN
                -- As in claim.sql: not taken for nothing, and it keeps a rescuer away.
                IF NOT is_live THEN
                    PERFORM
                    FROM pgqueuer.sessions AS it
                    WHERE it.id = session
                      AND it.expires_at > now()
                    FOR KEY SHARE;
                    IF NOT FOUND THEN
                        PERFORM pgqueuer.refuse_claim(session);
                    END IF;
                    is_live := true;
                END IF;
                lane := turn;
                RETURN QUERY
                UPDATE pgqueuer.jobs AS job
                SET claimed_by = session,
                    claimed_at = at,
                    claim_number = job.claim_number + 1,
                    attempt = job.attempt + 1,
                    slot = true
                WHERE job.ctid = ANY (places)
                RETURNING
                    job.id,
                    job.claim_number,
                    job.kind,
                    job.attempt,
                    job.priority,
                    job.position,
                    job.codec = 'json',
                    job.payload,
                    job.headers::text,
                    job.enqueued_at,
                    date_part('epoch', now() - greatest(job.run_at, job.enqueued_at)),
                    tidsend(job.ctid),
                    job.cancel_reason,
                    turn,
                    NULL::float8,
                    NULL::text;
                GET DIAGNOSTICS taken = ROW_COUNT;

                most := most - taken;
                FOR other IN turn .. cardinality(kinds) LOOP
                    IF bounds[other] = bounds[turn] THEN
                        bound_limits[other] := bound_limits[other] - taken;
                    END IF;
                END LOOP;
                UPDATE pgqueuer.limits AS it
                SET rate_at = pgqueuer.spend(it.in_force -> 'rate', it.rate_at, at, taken)
                WHERE (it.scope = 'kind' AND it.name = known.job OR it.scope = 'queue' AND it.name = known.queue)
                  AND it.in_force ? 'rate';
                INSERT INTO pgqueuer.rates AS it (scope, name, key, rate_at)
                SELECT
                    'kind',
                    known.job,
                    begun.key,
                    pgqueuer.spend(known.kind_limits -> 'rate_per_key', NULL, at, count(*))
                FROM unnest(keys) AS begun (key)
                WHERE known.kind_limits ? 'rate_per_key'
                GROUP BY begun.key
                ON CONFLICT (scope, name, key) DO UPDATE
                SET rate_at = pgqueuer.spend(
                    known.kind_limits -> 'rate_per_key',
                    it.rate_at,
                    at,
                    cardinality(array_positions(keys, it.key))
                );
            END IF;

            -- What a rate holds back is due at a time that is known.
            held_back := CASE
                WHEN NOT is_read THEN 0
                WHEN is_held THEN least(
                    CASE
                        WHEN known.queue_limits ? 'concurrency'
                            OR known.kind_limits ?| ARRAY['concurrency', 'concurrency_per_key']
                        THEN if_full
                    END,
                    (
                        SELECT min(pgqueuer.next_tokens(it.in_force -> 'rate', it.rate_at, at))
                        FROM pgqueuer.limits AS it
                        WHERE it.scope = 'kind' AND it.name = known.job
                            OR it.scope = 'queue' AND it.name = known.queue
                    ),
                    CASE WHEN known.kind_limits ? 'rate_per_key' THEN (
                        SELECT min(pgqueuer.next_tokens(known.kind_limits -> 'rate_per_key', it.rate_at, at))
                        FROM pgqueuer.rates AS it
                        WHERE it.scope = 'kind' AND it.name = known.job AND it.key = ANY (looked_at)
                    ) END
                )
            END;
            id := NULL;
            lane := turn;
            next_key := last_key;
            RETURN NEXT;
        END LOOP;
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

-- Tells all workers, whether they sleep or not. For what is rare.
CREATE FUNCTION pgqueuer.tell(news text) RETURNS void
    LANGUAGE sql
    AS $$
        SELECT pg_notify('pgqueuer.bell', news)
    $$;

-- Tells those who wait which jobs have ended, or are held. A notification has room for 7,999 bytes, and
-- the longest id has 19 digits. Of none (NULL), does nothing.
CREATE FUNCTION pgqueuer.tell_ends(ids bigint[]) RETURNS bigint
    LANGUAGE sql
    AS $$
        SELECT count(pg_notify('pgqueuer.ends', part.ids)::text)
        FROM (
            SELECT string_agg(id::text, ',') AS ids
            FROM unnest(ids) WITH ORDINALITY AS it (id, number)
            GROUP BY (number - 1) / 350
        ) AS part
    $$;

COMMENT ON FUNCTION pgqueuer.ring IS
    'Wakes the idle workers when the transaction commits. Costs next to nothing when there are none.';

-- The key that some arguments make: the same text as that of the producers in Rust. NULL for no fields.
CREATE FUNCTION pgqueuer.key_of(args jsonb, fields text[]) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT CASE cardinality(fields)
            WHEN 0 THEN NULL
            WHEN 1 THEN coalesce(args -> fields[1], 'null')::text
            ELSE (
                SELECT jsonb_agg(args -> field ORDER BY place)::text
                FROM unnest(fields) WITH ORDINALITY AS named (field, place)
            )
        END
    $$;

-- Refuses a key that is too long for an index.
CREATE FUNCTION pgqueuer.checked_key(kind text, key text) RETURNS text
    LANGUAGE plpgsql
    AS $$
    BEGIN
        IF octet_length(key) > 1024 THEN
            RAISE EXCEPTION 'pgqueuer: a key of job "%" is over 1024 bytes', kind
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Use an id, or a digest of the value.';
        END IF;
        RETURN key;
    END
    $$;

-- Enqueues jobs of which some are unique: in the order of their keys, so that transactions which
-- enqueue the same ones wait for each other, and none for one that waits for it.
--
-- windows: for how many seconds a key keeps others out, whatever becomes of its job; NULL for as long as
-- that waits and runs. on_conflicts: 'skip', 'error', or what to replace of a job that waits: some
-- of 'payload', 'run_at' and 'priority'.
--
-- What others have committed is seen by each statement by itself, which takes a volatile function.
CREATE FUNCTION pgqueuer.enqueue_unique(
    kinds        text[],
    priorities   smallint[],
    codecs       text[],
    payloads     bytea[],
    headers      jsonb[],
    delays       float8[],
    run_ats      timestamptz[],
    limit_keys   text[],
    unique_keys  text[],
    windows      float8[],
    on_conflicts text[]
) RETURNS TABLE (ordinal bigint, id bigint, is_new boolean)
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        job       record;
        due       timestamptz;
        new_state pgqueuer.job_state;
        new_id    bigint;
        other_id  bigint;
        other     record;
        place     bigint;
    BEGIN
        -- The marks of the lanes wait for positions by the transactions that took them.
        PERFORM pg_current_xact_id();
        FOR job IN
            SELECT *
            FROM unnest(
                kinds, priorities, codecs, payloads, headers, delays, run_ats, limit_keys, unique_keys, windows,
                on_conflicts
            ) WITH ORDINALITY AS given (
                kind, priority, codec, payload, headers, delay, run_at, limit_key, unique_key, seconds,
                on_conflict, ordinal
            )
            ORDER BY given.kind COLLATE "C", given.unique_key COLLATE "C", given.ordinal
        LOOP
            due := coalesce(job.run_at, clock_timestamp() + make_interval(secs => job.delay));
            new_state := CASE WHEN due > clock_timestamp() THEN 'scheduled' ELSE 'available' END;
            new_id := nextval('pgqueuer.positions');
            other_id := NULL;
            LOOP
                IF job.seconds IS NOT NULL THEN
                    INSERT INTO pgqueuer.unique_keys AS known (kind, key, job_id, expires_at)
                    VALUES (
                        job.kind, job.unique_key, new_id, clock_timestamp() + make_interval(secs => job.seconds)
                    )
                    ON CONFLICT (kind, key) DO UPDATE
                    SET job_id = excluded.job_id,
                        expires_at = excluded.expires_at
                    WHERE known.expires_at <= clock_timestamp();
                    IF NOT FOUND THEN
                        SELECT known.job_id INTO other_id
                        FROM pgqueuer.unique_keys AS known
                        WHERE known.kind = job.kind AND known.key = job.unique_key;
                        EXIT WHEN FOUND;
                        -- It was forgotten just now.
                        CONTINUE;
                    END IF;
                END IF;
                INSERT INTO pgqueuer.jobs
                    (id, position, kind, priority, run_at, state, codec, payload, headers, limit_key, unique_key)
                VALUES (
                    new_id, new_id, job.kind, job.priority, due, new_state,
                    job.codec::pgqueuer.payload_codec, job.payload, job.headers, job.limit_key,
                    CASE WHEN job.seconds IS NULL THEN job.unique_key END
                )
                ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state <> 'held' DO NOTHING;
                IF FOUND THEN
                    INSERT INTO pgqueuer.counts (kind, available, scheduled)
                    VALUES (
                        job.kind,
                        CASE new_state WHEN 'available' THEN 1 ELSE 0 END,
                        CASE new_state WHEN 'scheduled' THEN 1 ELSE 0 END
                    );
                    EXIT;
                END IF;
                SELECT known.id INTO other_id
                FROM pgqueuer.jobs AS known
                WHERE known.kind = job.kind AND known.unique_key = job.unique_key AND known.state <> 'held';
                EXIT WHEN FOUND;
                -- It has ended just now.
            END LOOP;

            IF other_id IS NOT NULL AND job.on_conflict = 'error' THEN
                RAISE EXCEPTION 'pgqueuer: job % of kind "%" has the unique key % already',
                    other_id, job.kind, job.unique_key
                    USING ERRCODE = 'PQ002';
            ELSIF other_id IS NOT NULL AND job.on_conflict <> 'skip' THEN
                -- What runs is left as it is, and so is what has ended.
                SELECT known.state, known.priority, known.run_at INTO other
                FROM pgqueuer.jobs AS known
                WHERE known.id = other_id AND known.claimed_by IS NULL AND known.state <> 'held'
                FOR UPDATE;
                IF FOUND THEN
                    IF job.on_conflict NOT LIKE '%run\_at%' THEN
                        new_state := other.state;
                        due := other.run_at;
                    END IF;
                    IF job.on_conflict NOT LIKE '%priority%' THEN
                        job.priority := other.priority;
                    END IF;
                    -- Nothing may appear behind the cursors of workers.
                    place := CASE
                        WHEN (new_state, job.priority) = (other.state, other.priority) THEN NULL
                        ELSE nextval('pgqueuer.positions')
                    END;
                    UPDATE pgqueuer.jobs AS known
                    SET state = new_state,
                        run_at = due,
                        priority = job.priority,
                        position = coalesce(place, known.position)
                    WHERE known.id = other_id;
                    IF new_state <> other.state THEN
                        INSERT INTO pgqueuer.counts (kind, available, scheduled)
                        VALUES (
                            job.kind,
                            CASE new_state WHEN 'available' THEN 1 ELSE -1 END,
                            CASE new_state WHEN 'scheduled' THEN 1 ELSE -1 END
                        );
                    END IF;
                    UPDATE pgqueuer.jobs AS known
                    SET codec = job.codec::pgqueuer.payload_codec,
                        payload = job.payload,
                        headers = job.headers,
                        limit_key = job.limit_key
                    WHERE known.id = other_id
                      AND job.on_conflict LIKE '%payload%';
                END IF;
            END IF;
            IF other_id IS NULL OR job.on_conflict <> 'skip' THEN
                PERFORM pgqueuer.ring('', job.kind, job.priority);
                PERFORM pgqueuer.ring('scheduled') WHERE new_state = 'scheduled';
            END IF;

            ordinal := job.ordinal;
            id := coalesce(other_id, new_id);
            is_new := other_id IS NULL;
            RETURN NEXT;
        END LOOP;
    END
    $$;

-- Refuses what cannot be a job: what was given to pgqueuer.enqueue, or to pgqueuer.schedule. Returns the
-- payload.
CREATE FUNCTION pgqueuer.checked_payload(what text, kind text, args jsonb, priority integer, headers jsonb)
    RETURNS bytea
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_variable
    DECLARE
        payload bytea;
    BEGIN
        IF kind IS NULL OR char_length(kind) NOT BETWEEN 1 AND 128 THEN
            RAISE EXCEPTION 'pgqueuer: the kind is % characters long, from 1 to 128',
                coalesce(char_length(kind), 0)
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Give the kind of a job, and what it is about in args.';
        END IF;
        IF pgqueuer.has_space(kind) THEN
            RAISE EXCEPTION 'pgqueuer: kind "%" contains white space or control characters', kind
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF jsonb_typeof(args) IS DISTINCT FROM 'object' THEN
            RAISE EXCEPTION 'pgqueuer: args of % is %, not an object', what, coalesce(jsonb_typeof(args), 'NULL')
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Write each argument by its name: {"user_id": 42}.';
        END IF;
        IF priority NOT BETWEEN -32768 AND 32767 THEN
            RAISE EXCEPTION 'pgqueuer: priority % of % is out of range, from -32768 to 32767', priority, what
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF headers IS NOT NULL AND (
            jsonb_typeof(headers) <> 'object'
            -- Strict, or a list would be taken for what is in it; silent for what is no object.
            OR jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")', '{}', true)
        ) THEN
            RAISE EXCEPTION 'pgqueuer: headers of % are not an object of texts', what
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Write them as {"tenant": "acme"}.';
        END IF;
        IF headers IS NOT NULL AND (
            SELECT sum(octet_length(header.key) + octet_length(header.value)) > 65536
            FROM jsonb_each_text(headers) AS header
        ) THEN
            RAISE EXCEPTION 'pgqueuer: the headers of % are over 65536 bytes', what
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Put large values into args.';
        END IF;
        payload := convert_to(args::text, 'UTF8');
        IF octet_length(payload) > 33554432 THEN
            RAISE EXCEPTION 'pgqueuer: the payload of % is over 33554432 bytes', what
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Store the data elsewhere and enqueue a reference to it.';
        END IF;
        RETURN payload;
    END
    $$;

-- White space and control characters of Unicode, which the classes have in some locales only.
CREATE FUNCTION pgqueuer.has_space(name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT name ~
            '[[:space:][:cntrl:]\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]'
    $$;

-- Enqueues from SQL: a trigger, psql, another language.
CREATE FUNCTION pgqueuer.enqueue(
    kind     text,
    args     jsonb       DEFAULT '{}',
    priority integer     DEFAULT NULL,
    delay    interval    DEFAULT NULL,
    run_at   timestamptz DEFAULT NULL,
    headers  jsonb       DEFAULT NULL,
    unique_key text      DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        new_id bigint;
        new_payload bytea;
        new_priority smallint;
        new_limit_key text;
        new_unique_key text;
        known  record;
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
        new_payload := pgqueuer.checked_payload(
            format('job "%s"', enqueue.kind), enqueue.kind, enqueue.args, enqueue.priority, enqueue.headers
        );
        IF enqueue.run_at IS NOT NULL AND enqueue.delay IS NOT NULL THEN
            RAISE EXCEPTION 'pgqueuer: job "%" has both delay and run_at', enqueue.kind
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Give one of them.';
        END IF;
        IF due > now() + interval '100 years' OR NOT isfinite(due) THEN
            RAISE EXCEPTION 'pgqueuer: job "%" would run at %, at most 100 years from now',
                enqueue.kind, due
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an earlier time or a shorter delay.';
        END IF;
        SELECT * INTO known FROM pgqueuer.kinds AS it WHERE it.kind = enqueue.kind;
        new_priority := coalesce(enqueue.priority, known.priority, 0);
        new_limit_key := pgqueuer.checked_key(enqueue.kind, pgqueuer.key_of(enqueue.args, known.limit_by));
        new_unique_key := pgqueuer.checked_key(
            enqueue.kind,
            coalesce(enqueue.unique_key, pgqueuer.key_of(enqueue.args, known.unique_by), '[]')
        );
        IF enqueue.unique_key IS NOT NULL OR known.unique_by IS NOT NULL THEN
            RETURN (
                SELECT added.id
                FROM pgqueuer.enqueue_unique(
                    ARRAY[enqueue.kind], ARRAY[new_priority], ARRAY['json'], ARRAY[new_payload],
                    ARRAY[enqueue.headers], ARRAY[NULL::float8], ARRAY[due], ARRAY[new_limit_key],
                    ARRAY[new_unique_key], ARRAY[known.unique_seconds], ARRAY['skip']
                ) AS added
            );
        END IF;

        -- The marks of the lanes wait for positions by the transactions that took them.
        PERFORM pg_current_xact_id();
        new_id := nextval('pgqueuer.positions');
        new_state := CASE WHEN due > clock_timestamp() THEN 'scheduled' ELSE 'available' END;
        INSERT INTO pgqueuer.jobs
            (id, kind, position, run_at, priority, state, codec, payload, headers, limit_key)
        VALUES (
            new_id, enqueue.kind, new_id, due, new_priority, new_state,
            'json', new_payload, enqueue.headers, new_limit_key
        );
        INSERT INTO pgqueuer.counts (kind, available, scheduled)
        VALUES (
            enqueue.kind,
            CASE new_state WHEN 'available' THEN 1 ELSE 0 END,
            CASE new_state WHEN 'scheduled' THEN 1 ELSE 0 END
        );
        PERFORM pgqueuer.ring('', enqueue.kind, new_priority);
        PERFORM pgqueuer.ring('scheduled') WHERE new_state = 'scheduled';
        RETURN new_id;
    END
    $$;

COMMENT ON FUNCTION pgqueuer.enqueue IS
    'Enqueues a job: pgqueuer.enqueue(''send_welcome'', ''{"user_id": 42}'', delay => ''5 min''). Returns its id.';

-- Enqueues the job of a slot. Keys that are not given are made now: when the schedule was, perhaps no
-- worker had published the kind.
CREATE FUNCTION pgqueuer.enqueue_slot(schedule pgqueuer.schedules, slot timestamptz) RETURNS bigint
    LANGUAGE plpgsql
    SET timezone = 'UTC'
    AS $$
    DECLARE
        known      record;
        limit_key  text := schedule.limit_key;
        unique_key text := schedule.unique_key;
        args       jsonb;
    BEGIN
        SELECT * INTO known FROM pgqueuer.kinds AS it WHERE it.kind = schedule.kind;
        -- Without its types, the arguments of another codec cannot be read.
        IF schedule.codec = 'json' THEN
            args := convert_from(schedule.payload, 'UTF8');
            limit_key := coalesce(limit_key, pgqueuer.key_of(args, known.limit_by));
            IF known.unique_by IS NOT NULL THEN
                unique_key := coalesce(unique_key, pgqueuer.key_of(args, known.unique_by), '[]');
            END IF;
        END IF;
        RETURN (
            SELECT added.id
            FROM pgqueuer.enqueue_unique(
                ARRAY[schedule.kind],
                ARRAY[coalesce(schedule.priority, known.priority, 0)::smallint],
                ARRAY[schedule.codec::text],
                ARRAY[schedule.payload],
                ARRAY[coalesce(schedule.headers, '{}') || jsonb_strip_nulls(jsonb_build_object(
                    'schedule', schedule.name,
                    'schedule-slot', slot,
                    'schedule-previous-slot', schedule.last_slot
                ))],
                ARRAY[NULL::float8],
                ARRAY[NULL::timestamptz],
                ARRAY[pgqueuer.checked_key(schedule.kind, limit_key)],
                ARRAY[pgqueuer.checked_key(schedule.kind, unique_key)],
                ARRAY[CASE WHEN unique_key IS NOT NULL THEN known.unique_seconds END],
                ARRAY['skip']
            ) AS added
        );
    END
    $$;

-- Carries out ticks: enqueues the job of a slot and moves the cursor on, both or neither. Several of
-- one schedule come one after another, each by the revision that the one before has left.
--
-- slots: NULL to set the cursor only. faults: why there is no next one.
--
-- Does nothing for a schedule that another worker has at hand or was faster with, that was changed
-- meanwhile or paused. So no worker waits for another, and there are no deadlocks.
--
-- Returns the slots that were dealt with, and their jobs; without one if the last job runs still.
CREATE FUNCTION pgqueuer.tick(
    names      text[],
    revisions  bigint[],
    slots      timestamptz[],
    next_ticks timestamptz[],
    faults     text[]
) RETURNS TABLE (name text, slot timestamptz, id bigint)
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        given      record;
        schedule   pgqueuer.schedules;
        job        bigint;
        is_skipped boolean;
        failure    text;
    BEGIN
        FOR given IN
            SELECT *
            FROM unnest(names, revisions, slots, next_ticks, faults) WITH ORDINALITY
                AS given (name, revision, slot, next_tick, fault, ordinal)
            ORDER BY given.ordinal
        LOOP
            SELECT * INTO schedule
            FROM pgqueuer.schedules AS it
            WHERE it.name = given.name AND it.revision = given.revision AND it.paused_at IS NULL
            FOR UPDATE SKIP LOCKED;
            CONTINUE WHEN NOT FOUND;
            job := NULL;
            failure := NULL;
            is_skipped := given.slot IS NOT NULL AND schedule.in_force ->> 'overlap' = 'skip' AND EXISTS (
                SELECT FROM pgqueuer.jobs AS it WHERE it.id = schedule.last_job AND it.state <> 'held'
            );
            IF given.slot IS NOT NULL AND NOT is_skipped THEN
                -- One that can never be enqueued must not be tried for ever, nor keep the others waiting.
                BEGIN
                    job := pgqueuer.enqueue_slot(schedule, given.slot);
                EXCEPTION
                    WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
                        failure := SQLERRM;
                END;
            END IF;
            UPDATE pgqueuer.schedules AS it
            SET revision = it.revision + 1,
                next_tick = CASE WHEN failure IS NULL THEN given.next_tick END,
                fault = coalesce(failure, given.fault),
                last_slot = CASE WHEN job IS NULL THEN it.last_slot ELSE given.slot END,
                last_job = coalesce(job, it.last_job),
                last_skipped = CASE WHEN is_skipped THEN given.slot ELSE it.last_skipped END
            WHERE it.name = given.name;
            IF given.slot IS NOT NULL AND failure IS NULL THEN
                name := given.name;
                slot := given.slot;
                id := job;
                RETURN NEXT;
            END IF;
        END LOOP;
    END
    $$;

-- Makes a schedule from SQL, or changes the one of this name: a trigger, psql, another language.
--
-- Whether the rule is one, the next worker that has the kind finds out; what is wrong with it is in
-- the column fault then, and `pgq schedules` shows it.
CREATE FUNCTION pgqueuer.schedule(
    name     text,
    kind     text,
    rule     text,
    args     jsonb   DEFAULT '{}',
    zone     text    DEFAULT 'UTC',
    missed   text    DEFAULT 'once',
    overlap  text    DEFAULT 'allow',
    priority integer DEFAULT NULL,
    headers  jsonb   DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        new_payload bytea;
    BEGIN
        IF schedule.name IS NULL OR char_length(schedule.name) NOT BETWEEN 1 AND 128
            OR pgqueuer.has_space(schedule.name)
        THEN
            RAISE EXCEPTION 'pgqueuer: % is no name of a schedule', coalesce(quote_literal(schedule.name), 'NULL')
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'It has 1 to 128 characters, without white space or control characters.';
        END IF;
        new_payload := pgqueuer.checked_payload(
            format('schedule "%s"', schedule.name), schedule.kind, schedule.args, schedule.priority, schedule.headers
        );
        IF schedule.rule IS NULL OR schedule.zone IS NULL OR schedule.missed IS NULL
            OR schedule.missed !~ '^(skip|once|all( up to [0-9]{1,4})?)$'
            OR schedule.overlap IS NULL OR schedule.overlap NOT IN ('skip', 'allow')
        THEN
            RAISE EXCEPTION 'pgqueuer: schedule "%" has rule %, zone %, missed %, overlap %', schedule.name,
                coalesce(quote_literal(schedule.rule), 'NULL'), coalesce(quote_literal(schedule.zone), 'NULL'),
                coalesce(quote_literal(schedule.missed), 'NULL'), coalesce(quote_literal(schedule.overlap), 'NULL')
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'A rule is ''0 9 * * *'' or ''every 90s''; missed is skip, once, all or all up '
                          'to 24; overlap is skip or allow.';
        END IF;
        INSERT INTO pgqueuer.schedules AS it (name, kind, of_hand, priority, codec, payload, headers)
        VALUES (
            schedule.name,
            schedule.kind,
            jsonb_build_object(
                'rule', schedule.rule, 'zone', schedule.zone, 'missed', schedule.missed,
                'overlap', schedule.overlap
            ),
            schedule.priority,
            'json',
            new_payload,
            schedule.headers
        )
        ON CONFLICT (name) DO UPDATE
        SET kind = excluded.kind,
            of_hand = excluded.of_hand,
            priority = excluded.priority,
            codec = excluded.codec,
            payload = excluded.payload,
            headers = excluded.headers,
            limit_key = NULL,
            unique_key = NULL,
            revision = it.revision + 1,
            since = clock_timestamp(),
            next_tick = NULL,
            fault = NULL
        WHERE it.of_code IS NULL;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'pgqueuer: schedule "%" is in the code', schedule.name
                USING ERRCODE = 'duplicate_object', HINT = 'Change it with `pgq schedules set`, or take another name.';
        END IF;
    END
    $$;

COMMENT ON FUNCTION pgqueuer.schedule IS
    'Makes a schedule, or changes it: pgqueuer.schedule(''report-7'', ''send_report'', ''0 9 * * *'', ''{"customer": 7}'').';

-- Ticks no more, until it is resumed; slots that pass meanwhile are not missed. Whether that changed
-- anything; NULL if there is no such schedule.
CREATE FUNCTION pgqueuer.pause_schedule(name text, paused boolean DEFAULT true) RETURNS boolean
    LANGUAGE sql
    AS $$
        WITH known AS (
            SELECT it.paused_at FROM pgqueuer.schedules AS it WHERE it.name = pause_schedule.name FOR UPDATE
        ),
        changed AS (
            UPDATE pgqueuer.schedules AS it
            SET paused_at = CASE WHEN pause_schedule.paused THEN clock_timestamp() END,
                revision = it.revision + 1,
                since = clock_timestamp(),
                next_tick = NULL
            FROM known
            WHERE it.name = pause_schedule.name
              AND (known.paused_at IS NOT NULL) <> pause_schedule.paused
            RETURNING 1
        )
        SELECT EXISTS (SELECT FROM changed) FROM known
    $$;

-- Enqueues its job now, besides its slots, whether it is paused or not. Returns the id; NULL if there
-- is no such schedule.
--
-- Locked first: an update that waits for another one would enqueue again when it goes on.
CREATE FUNCTION pgqueuer.run_schedule(name text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
    #variable_conflict use_column
    DECLARE
        schedule pgqueuer.schedules;
        job      bigint;
    BEGIN
        SELECT * INTO schedule FROM pgqueuer.schedules AS it WHERE it.name = run_schedule.name FOR UPDATE;
        IF FOUND THEN
            job := pgqueuer.enqueue_slot(schedule, clock_timestamp());
            UPDATE pgqueuer.schedules AS it SET last_job = job WHERE it.name = run_schedule.name;
        END IF;
        RETURN job;
    END
    $$;

-- Deletes a schedule; the jobs that it has enqueued stay. Whether there was one.
CREATE FUNCTION pgqueuer.delete_schedule(name text) RETURNS boolean
    LANGUAGE sql
    AS $$
        WITH deleted AS (
            DELETE FROM pgqueuer.schedules AS it WHERE it.name = delete_schedule.name RETURNING 1
        )
        SELECT EXISTS (SELECT FROM deleted)
    $$;
