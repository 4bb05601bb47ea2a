-- Ends a session, and gives back these jobs, which are all that it holds, at no attempt.
--
-- $1 session bigint, $2 ids bigint[], $3 claim_numbers integer[]
--
-- Takes a transaction id before the first position, as enqueue.sql does.
WITH closed AS (
    DELETE FROM pgqueuer.sessions
    WHERE id = $1
),
given_back AS (
    UPDATE pgqueuer.jobs AS job
    SET position = CASE WHEN job.slot AND job.limit_key IS NOT NULL THEN job.position ELSE nextval('pgqueuer.positions') END,
        run_at = now(),
        attempt = job.attempt - 1,
        claimed_by = NULL
    FROM unnest($2::bigint[], $3::integer[]) AS held (id, claim_number)
    WHERE job.id = held.id
      AND job.claimed_by = $1
      AND job.claim_number = held.claim_number
      AND pg_current_xact_id() IS NOT NULL
    RETURNING job.id
),
-- Once, and only if there is something to ring for.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM given_back
    LIMIT 1
)
SELECT given_back.id
FROM given_back
LEFT JOIN rung ON true;
