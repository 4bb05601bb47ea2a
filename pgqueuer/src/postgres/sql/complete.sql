-- Completes one job, in the transaction of its handler, and keeps a record for as long as asked.
--
-- $1 session bigint, $2 id bigint, $3 claim_number integer, $4 retain float8 (seconds), $5 result text (or NULL)
--
-- Fenced as settle_end.sql is. The transaction is as old as the attempt, so it is the clock
-- that says when the job was finished. Returns how many were completed: one, or none.
WITH ended AS (
    DELETE FROM pgqueuer.jobs
    WHERE id = $2
      AND claimed_by = $1
      AND claim_number = $3
    RETURNING id, kind, enqueued_at, claimed_at, attempt, priority, failures, slot
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, finished_at, expires_at, attempt, priority, ending, failures, result)
    SELECT
        id,
        kind,
        enqueued_at,
        claimed_at,
        clock_timestamp(),
        clock_timestamp() + make_interval(secs => $4),
        attempt,
        priority,
        'completed',
        coalesce(failures, '[]'),
        coalesce($5, CASE WHEN kind IN (SELECT kind FROM pgqueuer.awaited) THEN 'null' ELSE '' END)
    FROM ended
    WHERE $4 > 0
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available)
    SELECT kind, -count(*)
    FROM ended
    GROUP BY kind
),
-- Its slot is free, if it had one.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM ended
    WHERE slot
),
-- Somebody waits for it.
told AS MATERIALIZED (
    SELECT pgqueuer.tell_ends(array_agg(id))
    FROM ended
    WHERE kind IN (SELECT kind FROM pgqueuer.awaited)
)
SELECT count(*) AS completed
FROM ended
LEFT JOIN rung ON true
CROSS JOIN told;
