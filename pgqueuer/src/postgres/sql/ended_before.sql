-- How jobs ended that nobody waited for at that time.
--
-- $1 ids bigint[], $2 first_id bigint, $3 last_id bigint
--
-- Reads history_job_idx of each partition once for the whole range. (The sum is to keep it from being
-- read once for each id.)
SELECT
    job_id AS id,
    ending::text AS state,
    kind,
    attempt,
    failures::text AS failures,
    nullif(result, '') AS result
FROM pgqueuer.history
WHERE job_id BETWEEN $2 AND $3
  AND job_id + 0 = ANY ($1::bigint[])
  AND expires_at > now();
