-- Held jobs, the newest first, with the failure that was their last.
--
-- $1 kinds text[] (NULL for any), $2 limit bigint
--
-- Reads jobs_held_idx from its end. Not their arguments, which may be large.
SELECT
    id,
    kind,
    attempt,
    failures -> -1 ->> 'failed_at' AS failed_at,
    failures -> -1 ->> 'reason' AS reason,
    left(failures -> -1 ->> 'message', 1000) AS message
FROM pgqueuer.jobs
WHERE state = 'held'
  AND ($1::text[] IS NULL OR kind = ANY ($1))
ORDER BY id DESC
LIMIT $2;
