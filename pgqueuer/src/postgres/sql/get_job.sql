-- What is known of one job, waiting or finished.
--
-- $1 id bigint
--
-- How far it is, says the present claim. Reads the primary keys, then history_job_idx of each partition that
-- has not expired.
SELECT
    job.id,
    kind,
    CASE WHEN claimed_by IS NULL THEN state::text ELSE 'running' END AS state,
    priority,
    attempt,
    enqueued_at,
    coalesce(run_at, enqueued_at) AS run_at,
    claimed_at,
    NULL::timestamptz AS finished_at,
    codec::text AS codec,
    payload,
    headers::text AS headers,
    failures::text AS failures,
    NULL AS result,
    progress.fraction,
    progress.note,
    progress.updated_at
FROM pgqueuer.jobs AS job
LEFT JOIN pgqueuer.progress
    ON progress.job_id = job.id
    AND progress.claim_number = job.claim_number
    AND job.claimed_by IS NOT NULL
WHERE job.id = $1
UNION ALL
SELECT
    job_id,
    kind,
    ending::text,
    priority,
    attempt,
    enqueued_at,
    NULL,
    claimed_at,
    finished_at,
    NULL,
    NULL,
    NULL,
    failures::text,
    nullif(result, ''),
    NULL,
    NULL,
    NULL
FROM pgqueuer.history
WHERE job_id = $1
  AND expires_at > now();
