-- Makes held and scheduled jobs available, or due at another time, some at a time.
--
-- $1 ids bigint[], $2 kinds text[], $3 queue text, $4 states text[], $5 limit_key text, $6 unique_key text,
-- $7 before timestamptz, $8 after timestamptz (each NULL for any), $9 above_id bigint, $10 limit bigint,
-- $11 codec text, $12 payload bytea (NULL: as it is), $13 run_at timestamptz (NULL: now), $14 delay float8
-- (seconds, or NULL), $15 priority smallint (NULL: as it is), $16 keeps_attempts boolean
--
-- A job whose unique key another one has by now is left as it is. Returns how many there were of both,
-- and the last id, from which to go on. Takes a transaction id before the first position, as
-- enqueue.sql does.
WITH chosen AS MATERIALIZED (
    SELECT
        job.id,
        job.claimed_by IS NOT NULL AS is_running,
        job.state,
        job.kind,
        job.unique_key
    FROM pgqueuer.jobs AS job
    WHERE
          ($1::bigint[] IS NULL OR job.id = ANY ($1))
          AND ($2::text[] IS NULL OR job.kind = ANY ($2))
          AND ($3::text IS NULL OR job.kind IN (SELECT kind FROM pgqueuer.kinds WHERE queue = $3))
          AND ($4::text[] IS NULL OR CASE WHEN job.claimed_by IS NULL THEN job.state::text ELSE 'running' END = ANY ($4))
          AND ($5::text IS NULL OR job.limit_key = $5)
          AND ($6::text IS NULL OR job.unique_key = $6)
          AND ($7::timestamptz IS NULL OR job.enqueued_at < $7)
          AND ($8::timestamptz IS NULL OR job.enqueued_at >= $8)
          AND job.id > $9
          AND job.claimed_by IS NULL AND job.state <> 'available' AND pg_current_xact_id() IS NOT NULL
    ORDER BY job.id
    LIMIT $10
    FOR UPDATE
),
free AS MATERIALIZED (
    SELECT id, state AS left_state
    FROM (
        SELECT
            chosen.*,
            row_number() OVER (PARTITION BY kind, unique_key ORDER BY state <> 'scheduled', id) AS place
        FROM chosen
    ) AS placed
    WHERE state <> 'held'
       OR unique_key IS NULL
       OR place = 1 AND NOT EXISTS (
           SELECT
           FROM pgqueuer.jobs AS other
           WHERE other.kind = placed.kind
             AND other.unique_key = placed.unique_key
             AND other.state <> 'held'
       )
),
due AS MATERIALIZED (
    SELECT coalesce($13::timestamptz, now() + make_interval(secs => coalesce($14::float8, 0))) AS at
),
requeued AS (
    UPDATE pgqueuer.jobs AS job
    SET state = CASE WHEN due.at > clock_timestamp() THEN 'scheduled' ELSE 'available' END::pgqueuer.job_state,
        position = nextval('pgqueuer.positions'),
        run_at = due.at,
        attempt = CASE WHEN $16::boolean THEN job.attempt ELSE 0 END,
        priority = coalesce($15::smallint, job.priority),
        codec = coalesce($11::text::pgqueuer.payload_codec, job.codec),
        payload = coalesce($12::bytea, job.payload)
    FROM free, due
    WHERE job.id = free.id
    RETURNING job.id, job.kind, job.priority, job.state, free.left_state
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available, scheduled, held)
    SELECT
        kind,
        count(*) FILTER (WHERE state = 'available'),
        count(*) FILTER (WHERE state = 'scheduled') - count(*) FILTER (WHERE left_state = 'scheduled'),
        -count(*) FILTER (WHERE left_state = 'held')
    FROM requeued
    GROUP BY kind
),
sorts AS MATERIALIZED (
    SELECT DISTINCT kind, priority, state
    FROM requeued
),
rung AS MATERIALIZED (
    SELECT
        pgqueuer.ring('', kind, priority)::text,
        CASE WHEN state = 'scheduled' THEN pgqueuer.ring('scheduled') END::text
    FROM sorts
)
SELECT
    (SELECT count(*) FROM requeued) AS requeued,
    (SELECT count(*) FROM chosen) - (SELECT count(*) FROM requeued) AS refused,
    (SELECT max(id) FROM chosen) AS last_id,
    (SELECT count(*) FROM rung) AS rings;
