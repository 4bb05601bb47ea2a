-- Gives back what a session holds and its worker does not know of: the jobs of a claim whose
-- reply was lost on the way. They cost no attempt.
--
-- $1 session bigint, locked by lock_session.sql in the same transaction, $2 ids bigint[],
-- $3 claim_numbers integer[]
--
-- Reads all that is available. Claims seldom fail.
WITH given_back AS (
    UPDATE pgqueuer.jobs AS job
    SET position = CASE WHEN job.slot AND job.limit_key IS NOT NULL THEN job.position ELSE nextval('pgqueuer.positions') END,
        run_at = now(),
        attempt = job.attempt - 1,
        claimed_by = NULL
    WHERE job.claimed_by = $1
      AND job.state = 'available'
      AND NOT EXISTS (
          SELECT
          FROM unnest($2::bigint[], $3::integer[]) AS known (id, claim_number)
          WHERE known.id = job.id
            AND known.claim_number = job.claim_number
      )
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
