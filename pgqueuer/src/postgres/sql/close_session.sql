-- Ends a session, and gives back what it still holds, at no attempt.
--
-- $1 session bigint
--
-- Reads all that is available: for a session whose last claim nobody knows the reply of.
WITH closed AS (
    DELETE FROM pgqueuer.sessions
    WHERE id = $1
),
given_back AS (
    UPDATE pgqueuer.jobs
    SET position = CASE WHEN slot AND limit_key IS NOT NULL THEN position ELSE nextval('pgqueuer.positions') END,
        run_at = now(),
        attempt = attempt - 1,
        claimed_by = NULL
    WHERE claimed_by = $1
      AND state = 'available'
    RETURNING id
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
