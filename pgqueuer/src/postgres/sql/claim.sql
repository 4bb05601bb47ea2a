-- Claims available jobs for one session, lane by lane, until the claim is full.
--
-- $1 session bigint, $2 kinds text[], $3 priorities smallint[], $4 cursors bigint[], $5 limit bigint,
-- $6 hurried boolean
--
-- The lanes come best first. Each is read from its cursor by jobs_claim_idx; the outer
-- LIMIT has no sort under it, so the plan stops at the lane that fills the claim and locks
-- no row that it does not take. MATERIALIZED is a fence: a plan that folds the LIMIT into
-- the UPDATE can claim more. The rows that were locked are found again by their place on
-- the page, which cannot change while they are.
--
-- A claim that goes on from where it left off is hurried: it does not even try to lock a row that
-- somebody has touched, most likely the claim of another worker at this moment. (To try costs
-- three times as much as to pass it by: measured.) What it leaves so, a look at the whole lane finds.
--
-- Fails if the session is over and there is something to claim: who is told that there is
-- nothing would no longer look there.
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
          AND (waiting.xmax = 0 OR NOT $6)
        ORDER BY waiting.position
        LIMIT $5
        FOR UPDATE SKIP LOCKED
    ) AS job
    LIMIT $5
),
-- The lock on the session's row keeps a rescuer away until the claim is committed: without
-- it, a claim that races with the rescue of its own session could strand its jobs. Not taken
-- for nothing, or a look that finds nothing would have to be committed to disk.
live AS MATERIALIZED (
    SELECT id
    FROM pgqueuer.sessions
    WHERE id = $1
      AND expires_at > now()
      AND EXISTS (SELECT FROM taken)
    FOR KEY SHARE
)
UPDATE pgqueuer.jobs AS job
SET claimed_by = $1,
    claimed_at = now(),
    claim_number = job.claim_number + 1,
    attempt = job.attempt + 1
WHERE job.ctid = ANY (ARRAY(SELECT place FROM taken))
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
