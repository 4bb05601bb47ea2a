-- Adds jobs, and wakes the idle workers.
--
-- $1 kinds text[], $2 priorities smallint[], $3 codecs text[], $4 payloads bytea[],
-- $5 headers jsonb[], $6 delays float8[] (seconds, or NULL), $7 run_ats timestamptz[] (or NULL),
-- $8 limit_keys text[] (or NULL)
--
-- One round trip for any number of jobs. The delay counts from the clock, not from the
-- start of the transaction, which may be long ago. Takes a transaction id before the first
-- position: the marks of the lanes wait for positions by the transactions that took them.
WITH entering AS MATERIALIZED (
    SELECT
        nextval('pgqueuer.positions') AS id,
        job.*,
        coalesce(job.due_at, clock_timestamp() + make_interval(secs => job.delay)) AS run_at
    FROM unnest(
        $1::text[], $2::smallint[], $3::text[], $4::bytea[], $5::jsonb[], $6::float8[], $7::timestamptz[],
        $8::text[]
    ) WITH ORDINALITY AS job (kind, priority, codec, payload, headers, delay, due_at, limit_key, ordinal)
    WHERE pg_current_xact_id() IS NOT NULL
),
inserted AS (
    INSERT INTO pgqueuer.jobs (id, position, kind, priority, run_at, state, codec, payload, headers, limit_key)
    SELECT
        id,
        id,
        kind,
        priority,
        run_at,
        CASE WHEN run_at > clock_timestamp() THEN 'scheduled' ELSE 'available' END::pgqueuer.job_state,
        codec::pgqueuer.payload_codec,
        payload,
        headers,
        limit_key
    FROM entering
    RETURNING kind, state
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available, scheduled)
    SELECT kind, count(*) FILTER (WHERE state = 'available'), count(*) FILTER (WHERE state = 'scheduled')
    FROM inserted
    GROUP BY kind
),
-- Only now that something is written: see pgqueuer.ring.
sorts AS MATERIALIZED (
    SELECT DISTINCT
        kind,
        priority,
        run_at IS NULL OR run_at <= clock_timestamp() AS is_due,
        run_at IS NOT NULL AS is_timed
    FROM entering
    WHERE EXISTS (SELECT FROM inserted)
),
new_lanes AS (
    INSERT INTO pgqueuer.lanes (kind, priority)
    SELECT DISTINCT sorts.kind, sorts.priority
    FROM sorts
    WHERE NOT EXISTS (
        SELECT
        FROM pgqueuer.lanes AS lane
        WHERE lane.kind = sorts.kind
          AND lane.priority = sorts.priority
    )
    RETURNING kind
),
-- Once for each sort of news.
news AS (
    SELECT 'lanes' AS news FROM new_lanes
    UNION
    SELECT '' FROM sorts WHERE is_due
    UNION
    SELECT 'scheduled' FROM sorts WHERE is_timed
),
rung AS MATERIALIZED (
    SELECT count(pgqueuer.ring(news)::text)
    FROM news
)
-- One row: to read a thousand of them costs a producer as much as to send them.
SELECT array_agg(entering.id ORDER BY entering.ordinal) AS ids
FROM entering
LEFT JOIN rung ON true;
