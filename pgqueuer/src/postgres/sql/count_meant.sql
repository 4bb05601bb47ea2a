-- How many unfinished jobs are meant, by kind and state.
--
-- $1 ids bigint[], $2 kinds text[], $3 queue text, $4 states text[], $5 limit_key text, $6 unique_key text,
-- $7 before timestamptz, $8 after timestamptz (each NULL for any), $9 above_id bigint, $10 limit bigint
--
-- Reads as many as who does something to them would. Counts up to the limit.
SELECT
    kind,
    state,
    count(*) AS jobs
FROM (
    SELECT
        job.kind,
        CASE WHEN job.claimed_by IS NULL THEN job.state::text ELSE 'running' END AS state
    FROM pgqueuer.jobs AS job
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
    LIMIT $10
) AS meant
GROUP BY kind, state
ORDER BY kind, state;
