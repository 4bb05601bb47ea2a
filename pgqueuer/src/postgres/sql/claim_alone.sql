-- Claims as claim.sql does, for a worker that is alone: it locks no row before it changes it, which
-- is a third of the log of a claim.
--
-- $1 session bigint, $2 kinds text[], $3 priorities smallint[], $4 cursors bigint[], $5 limit bigint
--
-- Where others have a row after all, this waits for them, looks at the row again, and leaves out
-- what is not available any more (as text, or the planner thinks of the index; current minor
-- versions of PostgreSQL look at the place again, too, older ones do not). Who may keep a row for long (a transaction that was left open)
-- makes it fail with lock_not_available; then claim.sql passes the row by.
WITH taken AS MATERIALIZED (
    SELECT job.place
    FROM unnest($2::text[], $3::smallint[], $4::bigint[]) AS lane (kind, priority, cursor)
    CROSS JOIN LATERAL (
        SELECT waiting.ctid AS place
        FROM pgqueuer.jobs AS waiting
        WHERE waiting.kind = lane.kind
          AND waiting.priority = lane.priority
          AND waiting.position > lane.cursor
          AND waiting.state = 'available'
          AND waiting.claimed_by IS NULL
        ORDER BY waiting.position
        LIMIT $5
    ) AS job
    LIMIT $5
),
live AS MATERIALIZED (
    SELECT id
    FROM pgqueuer.sessions
    WHERE id = $1
      AND expires_at > now()
      AND EXISTS (SELECT FROM taken)
      AND set_config('lock_timeout', '100ms', true) IS NOT NULL
    FOR KEY SHARE
)
UPDATE pgqueuer.jobs AS job
SET claimed_by = $1,
    claimed_at = now(),
    claim_number = job.claim_number + 1,
    attempt = job.attempt + 1
WHERE job.ctid = ANY (ARRAY(SELECT place FROM taken))
  AND job.state::text = 'available'
  AND job.claimed_by IS NULL
  AND CASE
      WHEN EXISTS (SELECT FROM live) THEN true
      WHEN NOT EXISTS (SELECT FROM taken) THEN false
      ELSE pgqueuer.refuse_claim($1)
  END
RETURNING
    job.id,
    job.claim_number,
    job.kind,
    job.attempt,
    job.priority,
    job.position,
    job.codec = 'json' AS is_json,
    job.payload,
    job.headers::text AS headers,
    job.enqueued_at,
    date_part('epoch', now() - greatest(job.run_at, job.enqueued_at)) AS waited,
    tidsend(job.ctid) AS place,
    job.cancel_reason;
