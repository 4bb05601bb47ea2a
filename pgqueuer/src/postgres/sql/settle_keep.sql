-- Keeps jobs in the queue after an attempt: to run again now or later, or held.
--
-- $1 session bigint, $2 ids bigint[], $3 claim_numbers integer[], $4 states text[],
-- $5 delays float8[] (seconds), $6 attempts_given_back smallint[] (0 or 1), $7 failures jsonb[] (or NULL)
--
-- Fenced by session and claim number, as settle_end.sql is. A job that becomes available
-- goes to the end of its line: nothing may reappear behind the cursors of other workers. (The line of
-- a key has no cursors, and there it keeps its place.) Takes a
-- transaction id before the first position, as enqueue.sql does. One that is to be cancelled becomes
-- available, and whoever claims it ends it. Returns the claims that were settled.
WITH settled AS (
    SELECT *
    FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::float8[], $6::smallint[], $7::jsonb[])
        AS settled (id, claim_number, state, delay, given_back, failure)
    WHERE pg_current_xact_id() IS NOT NULL
),
kept AS (
    UPDATE pgqueuer.jobs AS job
    SET state = CASE WHEN job.cancel_reason IS NULL THEN settled.state ELSE 'available' END::pgqueuer.job_state,
        position = CASE WHEN job.slot AND job.limit_key IS NOT NULL THEN job.position ELSE nextval('pgqueuer.positions') END,
        run_at = now() + make_interval(secs => settled.delay),
        attempt = job.attempt - settled.given_back,
        claimed_by = NULL,
        failures = pgqueuer.add_failure(job.failures, settled.failure)
    FROM settled
    WHERE job.id = settled.id
      AND job.claimed_by = $1
      AND job.claim_number = settled.claim_number
    RETURNING job.id, job.claim_number, job.kind, job.state, job.slot
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available, scheduled, held)
    SELECT kind, -count(*), count(*) FILTER (WHERE state = 'scheduled'), count(*) FILTER (WHERE state = 'held')
    FROM kept
    WHERE state <> 'available'
    GROUP BY kind
),
-- Once for each sort of news, and only if there is any.
news AS (
    SELECT DISTINCT CASE state WHEN 'scheduled' THEN 'scheduled' ELSE '' END AS news
    FROM kept
    WHERE state <> 'held'
    UNION
    -- Its slot is free.
    SELECT ''
    FROM kept
    WHERE slot
),
rung AS MATERIALIZED (
    SELECT count(pgqueuer.ring(news)::text)
    FROM news
),
-- Somebody waits for them, and need not wait any longer.
told AS MATERIALIZED (
    SELECT pgqueuer.tell_ends(array_agg(id))
    FROM kept
    WHERE state = 'held'
      AND kind IN (SELECT kind FROM pgqueuer.awaited)
)
SELECT kept.id, kept.claim_number
FROM kept
LEFT JOIN rung ON true
CROSS JOIN told;
