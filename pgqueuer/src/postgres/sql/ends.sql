-- How jobs ended that are waited for, or that they are held.
--
-- $1 ids bigint[]
--
-- Reads the primary key, and history_result_idx of each partition. A row of NULLs is one of a job that is
-- in neither: it is not known any more, or it ended before anybody waited for it. (See ended_before.sql.)
-- Jobs that are still to be done have no row.
WITH live AS MATERIALIZED (
    SELECT id, claimed_by IS NULL AND state = 'held' AS is_held, kind, attempt, failures
    FROM pgqueuer.jobs
    WHERE id = ANY ($1::bigint[])
),
ended AS MATERIALIZED (
    SELECT job_id, ending, kind, attempt, failures, result
    FROM pgqueuer.history
    WHERE job_id = ANY ($1)
      AND result <> ''
      AND expires_at > now()
)
SELECT id, 'held' AS state, kind, attempt, failures::text AS failures, NULL AS result
FROM live
WHERE is_held
UNION ALL
SELECT job_id, ending::text, kind, attempt, failures::text, result
FROM ended
UNION ALL
SELECT id, NULL, NULL, NULL, NULL, NULL
FROM unnest($1) AS asked (id)
WHERE id NOT IN (SELECT id FROM live)
  AND id NOT IN (SELECT job_id FROM ended);
