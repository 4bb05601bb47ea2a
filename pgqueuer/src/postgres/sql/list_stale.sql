-- What should have been begun or ended by now, the oldest first: jobs that wait, are scheduled or run, and
-- sessions that nobody has ended.
--
-- $1 waits float8, $2 runs float8 (seconds: for how long that is all right), $3 limit bigint
--
-- Reads a thousand jobs from the front of each lane, by jobs_claim_idx, where those are that wait or run for
-- the longest; and the front of jobs_scheduled_idx. To be planned each time.
WITH front AS MATERIALIZED (
    SELECT job.*
    FROM (SELECT DISTINCT kind, priority FROM pgqueuer.lanes) AS lane
    CROSS JOIN LATERAL (
        SELECT id, kind, greatest(run_at, enqueued_at) AS due_at, claimed_by, claimed_at
        FROM pgqueuer.jobs
        WHERE kind = lane.kind
          AND priority = lane.priority
          AND state = 'available'
        ORDER BY position
        LIMIT 1000
    ) AS job
),
overdue AS MATERIALIZED (
    SELECT id, kind, run_at
    FROM pgqueuer.jobs
    WHERE state = 'scheduled'
      AND run_at < now() - make_interval(secs => $1)
    ORDER BY run_at
    LIMIT $3
),
stale AS (
    SELECT 'waiting' AS what, id, kind, due_at AS since, NULL AS worker, false AS is_lost
    FROM front
    WHERE claimed_by IS NULL
      AND due_at < now() - make_interval(secs => $1)
    UNION ALL
    SELECT 'overdue', id, kind, run_at, NULL, false
    FROM overdue
    UNION ALL
    SELECT 'running', front.id, front.kind, front.claimed_at, session.worker, session.id IS NULL
    FROM front
    LEFT JOIN pgqueuer.sessions AS session ON session.id = front.claimed_by AND session.expires_at > now()
    WHERE front.claimed_by IS NOT NULL
      AND (front.claimed_at < now() - make_interval(secs => $2) OR session.id IS NULL)
    UNION ALL
    -- Other workers end one within seconds.
    SELECT 'session', id, '', expires_at, worker, true
    FROM pgqueuer.sessions
    WHERE expires_at < now() - interval '10 seconds'
)
SELECT
    stale.*,
    EXISTS (SELECT FROM pgqueuer.sessions WHERE expires_at > now()) AS is_attended
FROM stale
ORDER BY since, id
LIMIT $3;
