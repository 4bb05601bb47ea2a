-- Held jobs, by id: list_jobs.sql, by the index that has no others.
--
-- $1 ids bigint[], $2 kinds text[], $3 queue text, $4 states text[], $5 limit_key text, $6 unique_key text,
-- $7 before timestamptz, $8 after timestamptz (each NULL for any), $9 above_id bigint, $10 limit bigint
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
          AND job.state = 'held'
ORDER BY job.id
LIMIT $10;
